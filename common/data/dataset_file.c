/* Records in LMDB, each in its stored form (stored_record.h). Keys are texts that sort in the order of writing, so
 * LMDB fills its pages from left to right and a scan reads the file in order. The environment is opened without LMDB's locks:
 * it is written by one process in a folder that no other process knows, and never changes after that. */
#include "common/data/dataset_file.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/data/stored_record.h"
#include "common/files/file.h"
#include "common/files/lmdb_env.h"

#define FULL_BYTES (1u << 20) /* a disk with less than this left is full: a record of a block is larger */
#define FIRST_MAP (1u << 20)  /* a writer doubles the map when it is full; for a reader LMDB raises it to the file's size */

struct dataset_file {
    char *path;
    MDB_env *env;
    MDB_txn *read; /* readers: one snapshot for life */
    MDB_dbi dbi;
    size_t map_bytes;
    bool compress, writable;
    dataset_packed_t packed; /* dataset_file_put's */
};

/* The disk refused a write. One that it took in part is EIO in LMDB's words. */
static status_t disk_failed(const dataset_file_t *file, const char *what, int code)
{
    struct statvfs fs;
    char text[FILE_ERROR_TEXT];
    const bool is_known = statvfs(file->path, &fs) == 0;
    const uint64_t left = is_known ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
    struct rlimit limit;
    struct stat st;
    char *data = mem_printf("%s/data.mdb", file->path);
    if (code == EIO && left < FULL_BYTES)
        code = ENOSPC;
    if (code == EIO && getrlimit(RLIMIT_FSIZE, &limit) == 0 && stat(data, &st) == 0 &&
        (rlim_t)st.st_size + FULL_BYTES > limit.rlim_cur)
        code = EFBIG;
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
    if (f->read)
        mdb_txn_abort(f->read);
    if (f->env)
        mdb_env_close(f->env);
    dataset_packed_fini(&f->packed);
    mem_free(f->path);
    mem_free(f);
    *file = NULL;
}

static status_t open_env(const char *path, bool writable, bool compress, dataset_file_t **out)
{
    dataset_file_t *file = MEM_NEW(dataset_file_t);
    file->path = mem_strdup(path);
    file->compress = compress;
    file->writable = writable;
    file->map_bytes = FIRST_MAP;
    const unsigned flags = MDB_NOLOCK | (writable ? MDB_NOSYNC : MDB_RDONLY);
    MDB_txn *txn = NULL;
    int code = mdb_env_create(&file->env);
    if (code == 0)
        code = mdb_env_set_mapsize(file->env, file->map_bytes);
    if (code == 0)
        code = mdb_env_open(file->env, path, flags, 0666);
    if (code == 0)
        code = mdb_txn_begin(file->env, NULL, writable ? 0 : MDB_RDONLY, &txn);
    if (code == 0)
        code = mdb_dbi_open(txn, NULL, 0, &file->dbi);
    if (code == 0 && !writable) {
        file->read = txn;
        txn = NULL;
    } else if (code == 0) {
        code = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn)
        mdb_txn_abort(txn);
    if (code != 0) {
        status_t status = lmdb_failed(file, "cannot open the environment", code);
        dataset_file_close(&file);
        return status;
    }
    *out = file;
    return ST_OK;
}

status_t dataset_file_create(const char *path, bool compress, dataset_file_t **out)
{
    return open_env(path, true, compress, out);
}

status_t dataset_file_open(const char *path, dataset_file_t **out)
{
    char *data = mem_printf("%s/data.mdb", path);
    struct stat os;
    const int code = stat(data, &os) == 0 ? 0 : errno;
    mem_free(data);
    if (code == ENOENT || code == ENOTDIR)
        return FAIL(ST_INPUT, "no dataset at %s; make one with smelter import or smelter synth", path);
    if (code != 0)
        return FAIL(ST_INPUT, "dataset %s cannot be read: %s", path, strerror(code));
    dataset_file_t *file = NULL;
    TRY(open_env(path, false, false, &file));
    /* Touching a mapped page behind the end of the file would end the process. */
    int64_t bytes, wanted;
    const int failed = lmdb_length(file->env, &bytes, &wanted);
    status_t status = ST_OK;
    if (failed)
        status = lmdb_failed(file, "cannot be read", failed);
    else if (bytes < wanted)
        status = FAIL(ST_CORRUPT,
                      "dataset %s is cut short: data.mdb has %" PRId64 " bytes of %" PRId64 "; import or generate it again",
                      path, bytes, wanted);
    if (status != ST_OK) {
        dataset_file_close(&file);
        return status;
    }
    *out = file;
    return ST_OK;
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
    ASSERT(file->writable);
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

static status_t verify_value(dataset_file_t *file, const char *key, const MDB_val *value, record_t *raw)
{
    switch (stored_record_unpack(value->mv_data, value->mv_size, raw)) {
    case STORED_RECORD_HEAD:
        return FAIL(ST_CORRUPT, "dataset %s: the head of record %s is damaged; import or generate it again", file->path, key);
    case STORED_RECORD_BODY:
        return FAIL(ST_CORRUPT, "dataset %s: record %s fails its checksum; the file is damaged, import or generate it again",
                    file->path, key);
    case STORED_RECORD_GOOD:
        break;
    }
    return ST_OK;
}

status_t dataset_file_find(dataset_file_t *file, const char *key, record_t *raw, bool *found)
{
    MDB_txn *txn = file->read;
    int code = txn ? 0 : mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return lmdb_failed(file, "cannot read", code);
    MDB_val k = {strlen(key), (void *)key}, v;
    code = mdb_get(txn, file->dbi, &k, &v);
    status_t status = ST_OK;
    *found = code == 0;
    if (*found)
        status = verify_value(file, key, &v, raw);
    else if (code != MDB_NOTFOUND)
        status = lmdb_failed(file, "cannot read", code);
    if (!file->read)
        mdb_txn_abort(txn);
    return status;
}

status_t dataset_file_get(dataset_file_t *file, const char *key, record_t *raw)
{
    bool found = false;
    TRY(dataset_file_find(file, key, raw, &found));
    return found ? ST_OK : FAIL(ST_CORRUPT, "dataset %s: record %s is missing; import or generate it again", file->path, key);
}

status_t dataset_file_sync(dataset_file_t *file)
{
    int code = mdb_env_sync(file->env, 1);
    return code == 0 ? ST_OK : lmdb_failed(file, "cannot sync", code);
}
