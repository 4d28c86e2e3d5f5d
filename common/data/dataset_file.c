/* Records in LMDB, each in its stored form (stored_record.h). Keys are texts that sort in the order of writing, so that LMDB
 * fills its pages from left to right and a scan reads the file in order. LMDB writes it, without locks: one process does,
 * in a folder that no other process knows. It never changes after that, and is read without LMDB, page by page against the
 * checksums of all pages that were written when it was finished (common/files/lmdb_pages.h). A record "sums" says that there
 * are some: a finished dataset whose checksums are gone is none.
 *
 * A record's own checksum stays: it is there for datasets without the others, and it goes with the record into memory. */
#include "common/data/dataset_file.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/data/stored_record.h"
#include "common/files/file.h"
#include "common/files/lmdb_env.h"
#include "common/files/lmdb_pages.h"

#define FULL_BYTES (1u << 20) /* a disk with less than this left is full: a record of a block is larger */
#define FIRST_MAP (1u << 20)  /* doubled when it is full */
#define SUMS "sums"           /* key of the record that says that there are checksums of pages */
#define SUMS_VERSION 1
#define ADVICE "import or generate it again"

const char *const dataset_file_names[DATASET_FILES] = {LMDB_DATA, LMDB_SUMS, LMDB_SUMS ".tmp", DATASET_TEXTS};

struct dataset_file {
    char *path;
    lmdb_pages_t *pages; /* to be read; NULL in a writer's hands, and what follows is 0 in a reader's */
    MDB_env *env;
    MDB_dbi dbi;
    size_t map_bytes;
    bool compress;
    dataset_packed_t packed; /* dataset_file_put's */
};

/* The disk refused a write. One that it took in part is EIO in LMDB's words. */
/* The file could not grow by a write more (ulimit -f). */
static bool is_at_limit(const char *data)
{
    struct rlimit limit;
    struct stat st;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && stat(data, &st) == 0 && (rlim_t)st.st_size + FULL_BYTES > limit.rlim_cur;
}

static status_t disk_failed(const dataset_file_t *file, const char *what, int code)
{
    struct statvfs fs;
    char text[FILE_ERROR_TEXT];
    const bool is_known = statvfs(file->path, &fs) == 0;
    const uint64_t left = is_known ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
    char *data = mem_printf("%s/data.mdb", file->path);
    if (code == EIO && left < FULL_BYTES)
        code = ENOSPC;
    else if (code == EIO ||
             (code == ENOSPC && left >= FULL_BYTES)) /* LMDB's words for a write that was cut short: here by a limit */
        code = is_at_limit(data) ? EFBIG : code;
    mem_free(data);
    return FAIL(ST_SYSTEM,
                "dataset %s: %s: %s; %" PRIu64
                " MB are free there, less a quota or a limit of file size: make room, or choose another place",
                file->path, what, file_error_text(code, text), is_known ? left >> 20 : 0);
}

static status_t lmdb_failed(const dataset_file_t *file, const char *what, int code)
{
    const lmdb_error_t error = lmdb_error_of(code);
    const bool corrupt = error == LMDB_DAMAGED;
    if (error == LMDB_NO_ROOM)
        return disk_failed(file, what, code);
    return FAIL(corrupt ? ST_CORRUPT : ST_SYSTEM, "dataset %s: %s: %s%s", file->path, what, mdb_strerror(code),
                corrupt ? "; the file is damaged, import or generate it again" : "");
}

void dataset_file_close(dataset_file_t **file)
{
    dataset_file_t *f = *file;
    if (!f)
        return;
    lmdb_pages_close(&f->pages);
    if (f->env)
        mdb_env_close(f->env);
    dataset_packed_fini(&f->packed);
    mem_free(f->path);
    mem_free(f);
    *file = NULL;
}

static int open_env(dataset_file_t *file)
{
    MDB_txn *txn = NULL;
    int code = mdb_env_create(&file->env);
    if (code == 0)
        code = mdb_env_set_mapsize(file->env, file->map_bytes);
    if (code == 0)
        code = mdb_env_open(file->env, file->path, MDB_NOLOCK | MDB_NOSYNC, 0666);
    if (code == 0)
        code = mdb_txn_begin(file->env, NULL, 0, &txn);
    if (code == 0)
        code = mdb_dbi_open(txn, NULL, 0, &file->dbi);
    if (code == 0)
        return mdb_txn_commit(txn);
    if (txn)
        mdb_txn_abort(txn);
    return code;
}

status_t dataset_file_create(const char *path, bool compress, dataset_file_t **out)
{
    dataset_file_t *file = MEM_NEW(dataset_file_t);
    file->path = mem_strdup(path);
    file->compress = compress;
    file->map_bytes = FIRST_MAP;
    const int code = open_env(file);
    if (code != 0) {
        status_t status = lmdb_failed(file, "cannot open the environment", code);
        dataset_file_close(&file);
        return status;
    }
    *out = file;
    return ST_OK;
}

static status_t open_pages(dataset_file_t *file)
{
    lmdb_bytes_t value;
    bool found;
    char *name = mem_printf("dataset %s", file->path);
    status_t status = lmdb_pages_open(disk_posix(), file->path, name, ADVICE, &file->pages);
    mem_free(name);
    TRY(status);
    TRY(lmdb_pages_get(file->pages, &lmdb_pages_meta(file->pages)->main, (lmdb_bytes_t){(const uint8_t *)SUMS, strlen(SUMS)},
                       &value, &found));
    return found ? lmdb_pages_need_sums(file->pages) : ST_OK;
}

status_t dataset_file_open(const char *path, dataset_file_t **out)
{
    char *data = mem_printf("%s/" LMDB_DATA, path);
    const int code = file_missing(data);
    mem_free(data);
    if (code == ENOENT || code == ENOTDIR)
        return FAIL(ST_INPUT, "no dataset at %s; make one with smelter import or smelter synth", path);
    if (code != 0)
        return FAIL(ST_INPUT, "dataset %s cannot be read: %s", path, strerror(code));
    dataset_file_t *file = MEM_NEW(dataset_file_t);
    file->path = mem_strdup(path);
    const status_t status = open_pages(file);
    if (status == ST_OK)
        *out = file;
    else
        dataset_file_close(&file);
    return status;
}

/* One transaction per record: without a sync it costs a few microseconds, and only the current record is repeated when the map
 * is full. */
static int put_once(dataset_file_t *file, MDB_val *key, MDB_val *value)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(file->env, NULL, 0, &txn);
    if (code != 0)
        return code;
    code = mdb_put(txn, file->dbi, key, value, 0);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

void dataset_file_pack(const dataset_file_t *file, const record_t *raw, dataset_packed_t *out)
{
    if (file->compress && !out->compressor)
        out->compressor = compressor_create();
    out->hash = stored_record_pack(raw, out->compressor, &out->stored);
}

void dataset_packed_fini(dataset_packed_t *packed)
{
    record_fini(&packed->stored);
    compressor_destroy(&packed->compressor);
}

status_t dataset_file_put_packed(dataset_file_t *file, const char *key, const dataset_packed_t *packed)
{
    ASSERT(file->env);
    MDB_val k = {strlen(key), (void *)key}, v = {packed->stored.bytes, packed->stored.at};
    int code;
    while ((code = put_once(file, &k, &v)) == MDB_MAP_FULL) {
        code = lmdb_double_map(file->env, &file->map_bytes);
        if (code != 0)
            break;
    }
    return code == 0 ? ST_OK : lmdb_failed(file, "cannot write", code);
}

status_t dataset_file_put(dataset_file_t *file, const char *key, const record_t *raw, uint64_t *hash)
{
    dataset_file_pack(file, raw, &file->packed);
    TRY(dataset_file_put_packed(file, key, &file->packed));
    *hash = file->packed.hash;
    return ST_OK;
}

static status_t verify_value(dataset_file_t *file, const char *key, lmdb_bytes_t value, record_t *raw)
{
    switch (stored_record_unpack(value.at, value.bytes, raw)) {
    case STORED_RECORD_HEAD:
        return FAIL(ST_CORRUPT, "dataset %s: the head of record %s is damaged; " ADVICE, file->path, key);
    case STORED_RECORD_BODY:
        return FAIL(ST_CORRUPT, "dataset %s: record %s fails its checksum; the file is damaged, " ADVICE, file->path, key);
    case STORED_RECORD_GOOD:
        break;
    }
    return ST_OK;
}

/* What the creator has put; the value is in the map until the transaction ends. */
static status_t find_written(dataset_file_t *file, const char *key, record_t *raw, bool *found)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return lmdb_failed(file, "cannot read", code);
    MDB_val k = {strlen(key), (void *)key}, v;
    code = mdb_get(txn, file->dbi, &k, &v);
    status_t status = ST_OK;
    *found = code == 0;
    if (*found)
        status = verify_value(file, key, (lmdb_bytes_t){v.mv_data, v.mv_size}, raw);
    else if (code != MDB_NOTFOUND)
        status = lmdb_failed(file, "cannot read", code);
    mdb_txn_abort(txn);
    return status;
}

status_t dataset_file_find(dataset_file_t *file, const char *key, record_t *raw, bool *found)
{
    if (!file->pages)
        return find_written(file, key, raw, found);
    lmdb_bytes_t value;
    TRY(lmdb_pages_get(file->pages, &lmdb_pages_meta(file->pages)->main, (lmdb_bytes_t){(const uint8_t *)key, strlen(key)},
                       &value, found));
    return *found ? verify_value(file, key, value, raw) : ST_OK;
}

status_t dataset_file_get(dataset_file_t *file, const char *key, record_t *raw)
{
    bool found = false;
    TRY(dataset_file_find(file, key, raw, &found));
    return found ? ST_OK : FAIL(ST_CORRUPT, "dataset %s: record %s is missing; " ADVICE, file->path, key);
}

status_t dataset_file_verify(dataset_file_t *file)
{
    return lmdb_pages_verify(file->pages);
}

status_t dataset_file_finish(dataset_file_t **file)
{
    dataset_file_t *f = *file;
    record_t sums = {0};
    char *path = mem_strdup(f->path), *name = mem_printf("dataset %s", path);
    uint64_t hash;
    int code;
    status_t status;
    record_put_u64(&sums, SUMS_VERSION);
    TRY_DONE(dataset_file_put(f, SUMS, &sums, &hash));
    code = mdb_env_sync(f->env, 1);
    TRY_DONE(code == 0 ? ST_OK : lmdb_failed(f, "cannot sync", code));
    dataset_file_close(file);
    TRY_DONE(lmdb_pages_seal(disk_posix(), path, name));
done:
    record_fini(&sums);
    mem_free(path);
    mem_free(name);
    return status;
}
