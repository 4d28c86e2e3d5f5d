/* Choices of LMDB's flags.
 *
 * MDB_NOSYNC     a commit does not wait for the disk. Rows are worth something only when the last of them is there, and
 *                store_sync waits for that; a machine that loses power before leaves a store that its run never finished.
 *                Not for a base of checkpoints: there every commit waits, because the delta it takes in is deleted then.
 * no WRITEMAP    with it a full disk is a SIGBUS on touching a page of the sparse file; without it, an error code from a write.
 *                It would save one copy of each page, a few per cent of writing a table.
 * MDB_NOTLS      a read transaction belongs to its object, not to its thread: a server's threads own one store each.
 *
 * Rows are written in key order, which is that of table_scan: neighbours land on the same page, a page is written once, and the
 * first table of a store is appended without any search. Rows that are out of memory go from the spill to the store one by
 * one. */
#include "ps/checkpoint/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "ps/checkpoint/store_impl.h"

#define FORMAT_VERSION 1u
#define MAP_BYTES_FIRST ((size_t)16 << 20) /* doubles whenever it is full */
#define SPARE_PAGES 128                    /* of a transaction: meta, branches, LMDB's list of free pages */
#define BATCH_BYTES ((int64_t)64 << 20)    /* of a transaction, at most: its pages are held in memory */

typedef struct format_record {
    uint32_t version, slots;
} format_record_t;

status_t store_failed(const store_t *store, const char *doing, int rc)
{
    struct statvfs fs;
    char text[FILE_ERROR_TEXT];
    switch (lmdb_error_of(rc)) {
    case LMDB_DAMAGED:
        return FAIL(ST_CORRUPT, "%s: cannot %s: %s; this is no store of embedding rows, or it is damaged: write it again",
                    store->path, doing, mdb_strerror(rc));
    case LMDB_NO_ROOM:
        if (statvfs(store->path, &fs) == 0)
            return FAIL(ST_SYSTEM,
                        "%s: cannot %s: %s; %" PRIu64
                        " MB are free there, less a quota or a limit of file size: make room, or choose "
                        "another place with --out",
                        store->path, doing, file_error_text(rc, text), fs.f_bavail * fs.f_frsize >> 20);
        break;
    case LMDB_OTHER:
        break;
    }
    return FAIL(ST_SYSTEM, "%s: cannot %s: %s", store->path, doing, mdb_strerror(rc));
}

int store_meta_put(store_t *store, MDB_txn *txn, meta_key_t key, const void *record, size_t bytes)
{
    MDB_val k = {sizeof key, &key}, v = {bytes, (void *)(uintptr_t)record};
    return mdb_put(txn, store->meta, &k, &v, 0);
}

int store_meta_get(const store_t *store, MDB_txn *txn, meta_key_t key, void *record, size_t least, size_t most)
{
    MDB_val k = {sizeof key, &key}, v;
    int rc = mdb_get(txn, store->meta, &k, &v);
    if (rc == MDB_SUCCESS && v.mv_size != least && v.mv_size != most)
        rc = MDB_CORRUPTED;
    if (rc == MDB_SUCCESS)
        memcpy(record, v.mv_data, v.mv_size);
    return rc;
}

int store_commit(MDB_txn *txn, int rc)
{
    if (rc == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* ---- open and close -------------------------------------------------------------------------------------------------- */

/* Remove what an earlier run left, whatever its state. */
static status_t remove_files(const store_t *store)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (int i = 0; i < 2; i++) {
        char *file = mem_printf("%s/%s", store->path, names[i]);
        int rc = unlink(file) == 0 || errno == ENOENT ? 0 : errno;
        mem_free(file);
        if (rc != 0)
            return FAIL(ST_INPUT, "%s: cannot remove the old store: %s; choose another place with --out", store->path,
                        strerror(rc));
    }
    return ST_OK;
}

static int make_databases(store_t *store, MDB_txn *txn)
{
    format_record_t format = {FORMAT_VERSION, HASH_SLOTS};
    int rc = mdb_dbi_open(txn, "rows", MDB_CREATE, &store->rows);
    if (rc == MDB_SUCCESS)
        rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &store->meta);
    if (rc == MDB_SUCCESS)
        rc = store_meta_put(store, txn, store_meta_key("format", 0), &format, sizeof format);
    return rc;
}

static status_t open_new(store_t *store, unsigned flags)
{
    static const char doing[] = "create the store";
    TRY(dir_create(store->path));
    TRY(dir_check_writable(store->path));
    TRY(remove_files(store));
    store->map_bytes = MAP_BYTES_FIRST;
    TRY_MDB(store, doing, mdb_env_set_mapsize(store->env, store->map_bytes));
    TRY_MDB(store, doing, lmdb_reserve_lock(store->path));
    TRY_MDB(store, doing, mdb_env_open(store->env, store->path, flags | MDB_NOTLS, 0666));
    MDB_txn *txn;
    TRY_MDB(store, doing, mdb_txn_begin(store->env, NULL, 0, &txn));
    int rc = make_databases(store, txn);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return store_failed(store, doing, rc);
    }
    TRY_MDB(store, doing, mdb_txn_commit(txn));
    store->writable = true;
    return ST_OK;
}

/* LMDB reads through the map and would crash behind the end of a file that was cut. */
static status_t check_length(store_t *store)
{
    int64_t bytes, wanted;
    TRY_MDB(store, "read the store", lmdb_length(store->env, &bytes, &wanted));
    if (bytes < wanted)
        return FAIL(ST_CORRUPT, "%s: data.mdb was cut short: %" PRId64 " bytes of %" PRId64 "; write the store again",
                    store->path, bytes, wanted);
    return ST_OK;
}

static int open_databases(store_t *store, MDB_txn *txn, format_record_t *format)
{
    int rc = mdb_dbi_open(txn, "rows", 0, &store->rows);
    if (rc == MDB_SUCCESS)
        rc = mdb_dbi_open(txn, "meta", 0, &store->meta);
    if (rc != MDB_SUCCESS)
        return rc;
    meta_key_t key = store_meta_key("format", 0);
    MDB_val k = {sizeof key, &key}, v;
    rc = mdb_get(txn, store->meta, &k, &v);
    if (rc != MDB_SUCCESS)
        return rc;
    if (v.mv_size != sizeof *format)
        return MDB_INVALID;
    memcpy(format, v.mv_data, sizeof *format);
    return MDB_SUCCESS;
}

static status_t open_present(store_t *store)
{
    static const char doing[] = "open the store";
    char *file = mem_printf("%s/data.mdb", store->path);
    struct stat st;
    int missing = stat(file, &st) == 0 ? 0 : errno;
    mem_free(file);
    if (missing)
        return FAIL(ST_INPUT, "%s: no stored rows there: %s; a run writes them when it ends", store->path, strerror(missing));
    if (st.st_size == 0) /* which LMDB would take for a new store */
        return FAIL(ST_CORRUPT, "%s: data.mdb is empty; write the store again", store->path);
    int rc = lmdb_reserve_lock(store->path);
    if (rc == 0)
        rc = mdb_env_open(store->env, store->path, MDB_RDONLY | MDB_NOTLS, 0666);
    if (rc == EACCES || rc == EROFS || rc == ENOSPC ||
        rc == EDQUOT) { /* no right or room for a lock file; then no process writes here either */
        mdb_env_close(store->env);
        store->env = NULL;
        TRY_MDB(store, doing, mdb_env_create(&store->env));
        TRY_MDB(store, doing, mdb_env_set_maxdbs(store->env, 2));
        rc = mdb_env_open(store->env, store->path, MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0666);
    }
    if (rc != MDB_SUCCESS)
        return store_failed(store, doing, rc);
    TRY(check_length(store));
    MDB_txn *txn;
    TRY_MDB(store, doing, mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    format_record_t format = {0};
    rc = open_databases(store, txn, &format);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return store_failed(store, doing, rc);
    }
    TRY_MDB(store, doing, mdb_txn_commit(txn)); /* keeps the handles of the databases */
    if (format.version != FORMAT_VERSION || format.slots != HASH_SLOTS)
        return FAIL(ST_CORRUPT,
                    "%s: rows of format %u with %u slots; this build reads format %u with %d: use the build that wrote them",
                    store->path, format.version, format.slots, FORMAT_VERSION, HASH_SLOTS);
    return ST_OK;
}

static status_t create_env(const char *path, store_t **out)
{
    store_t *store = *out = MEM_NEW(store_t);
    store->path = mem_strdup(path);
    TRY_MDB(store, "open the store", mdb_env_create(&store->env));
    TRY_MDB(store, "open the store", mdb_env_set_maxdbs(store->env, 2));
    return ST_OK;
}

/* A new environment, or the one that is there. */
static status_t open_env(const char *path, bool create, unsigned flags, store_t **out)
{
    store_t *store;
    status_t status = create_env(path, &store);
    if (status == ST_OK)
        status = create ? open_new(store, flags) : open_present(store);
    if (status == ST_OK)
        *out = store;
    else
        store_close(&store);
    return status;
}

status_t store_open(const char *path, bool create, store_t **out)
{
    return open_env(path, create, MDB_NOSYNC, out);
}

status_t store_create(const char *path, unsigned flags, store_t **out)
{
    return open_env(path, true, flags, out);
}

void store_close(store_t **store)
{
    store_t *s = *store;
    if (!s)
        return;
    if (s->env)
        mdb_env_close(s->env);
    mem_free(s->path);
    mem_free(s);
    *store = NULL;
}

/* ---- put ------------------------------------------------------------------------------------------------------------- */

/* Whether a key lies behind everything stored, so that ascending keys from there on can be appended. */
static int is_behind_last(MDB_cursor *cursor, stored_key_t key, bool *behind)
{
    MDB_val k, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    *behind = rc == MDB_NOTFOUND || (rc == MDB_SUCCESS && k.mv_size == sizeof key && memcmp(k.mv_data, &key, sizeof key) < 0);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* A table on its way into the store. */
typedef struct put {
    store_t *store;
    uint32_t table;
    int64_t payload_floats, batch;
    table_record_t record;
    hash_digest_t digest;
    MDB_txn *txn; /* the batch begun */
    MDB_cursor *cursor;
    int64_t rows; /* of the batch */
    bool append;
} put_t;

/* The map is large enough for a transaction before it begins, because its rows may not come a second time: rows that are out of
 * memory are read once. Address space costs nothing; the file takes what is written. */
static status_t make_room(store_t *store, int64_t rows, int64_t payload_floats)
{
    MDB_envinfo info;
    MDB_stat stat;
    TRY_MDB(store, "look at the map", mdb_env_info(store->env, &info));
    TRY_MDB(store, "look at the map", mdb_env_stat(store->env, &stat));
    /* A row may touch a leaf of its own, split it, and lie on pages of its own. */
    const size_t pages = 4 + (size_t)payload_floats * sizeof(float) / stat.ms_psize;
    const size_t needed = (info.me_last_pgno + SPARE_PAGES + (size_t)rows * pages) * stat.ms_psize;
    while (store->map_bytes < needed)
        store->map_bytes *= 2;
    TRY_MDB(store, "enlarge the map", mdb_env_set_mapsize(store->env, store->map_bytes));
    return ST_OK;
}

static status_t begin_batch(put_t *put)
{
    store_t *store = put->store;
    TRY(make_room(store, put->batch, put->payload_floats));
    TRY_MDB(store, "write rows", mdb_txn_begin(store->env, NULL, 0, &put->txn));
    put->rows = 0;
    TRY_MDB(store, "write rows", mdb_cursor_open(put->txn, store->rows, &put->cursor));
    return ST_OK;
}

/* Commit the batch and the table's record at that moment. */
static status_t end_batch(put_t *put)
{
    store_t *store = put->store;
    mdb_cursor_close(put->cursor);
    put->cursor = NULL;
    TRY_MDB(store, "write rows",
            store_meta_put(store, put->txn, store_meta_key("table", put->table), &put->record, sizeof put->record));
    MDB_txn *txn = put->txn;
    put->txn = NULL;
    TRY_MDB(store, "write rows", mdb_txn_commit(txn));
    return ST_OK;
}

static status_t put_row(void *context, const table_row_t *row)
{
    put_t *put = context;
    const size_t payload_bytes = (size_t)put->payload_floats * sizeof(float);
    if (put->rows == put->batch) {
        TRY(end_batch(put));
        TRY(begin_batch(put));
    }
    stored_key_t key = store_row_key(put->table, row->key);
    stored_head_t head = {row->version, row->count};
    if (put->rows++ == 0)
        TRY_MDB(put->store, "write rows", is_behind_last(put->cursor, key, &put->append));
    MDB_val k = {sizeof key, &key}, v = {sizeof head + payload_bytes, NULL};
    TRY_MDB(put->store, "write rows", mdb_cursor_put(put->cursor, &k, &v, MDB_RESERVE | (put->append ? MDB_APPEND : 0)));
    memcpy(v.mv_data, &head, sizeof head);
    memcpy((char *)v.mv_data + sizeof head, row->payload, payload_bytes);
    table_digest_row(put->table, put->payload_floats, row, &put->digest);
    return ST_OK;
}

static status_t put_all(put_t *put, const table_t *table)
{
    TRY(begin_batch(put));
    TRY(table_scan(table, put_row, put));
    put->record.is_complete = 1;
    put->record.digest_low = put->digest.low;
    put->record.digest_high = put->digest.high;
    return end_batch(put);
}

status_t store_put_table(store_t *store, const table_t *table)
{
    ASSERT(store->writable);
    const int64_t payload_floats = table_payload_floats(table);
    int64_t batch = BATCH_BYTES / (int64_t)(payload_floats * (int64_t)sizeof(float)) + 1;
    batch = batch < STORE_BATCH_ROWS ? batch : STORE_BATCH_ROWS;
    put_t put = {
        .store = store,
        .table = table_options(table)->id,
        .payload_floats = payload_floats,
        .batch = batch,
        .record = {.payload_floats = (uint32_t)payload_floats, .rows = table_rows(table)},
    };
    const status_t status = put_all(&put, table);
    if (put.cursor)
        mdb_cursor_close(put.cursor);
    if (put.txn)
        mdb_txn_abort(put.txn);
    ASSERT(status != ST_OK || put.digest.elements == table_rows(table));
    return status;
}

status_t store_sync(store_t *store)
{
    ASSERT(store->writable);
    TRY_MDB(store, "sync the store", mdb_env_sync(store->env, 1));
    return ST_OK;
}

status_t store_put_origin(store_t *store, const store_origin_t *origin)
{
    ASSERT(store->writable);
    MDB_txn *txn;
    store_origin_t copy = *origin;
    TRY_MDB(store, "write rows", mdb_txn_begin(store->env, NULL, 0, &txn));
    const int rc = store_meta_put(store, txn, store_meta_key("origin", 0), &copy, sizeof copy);
    TRY_MDB(store, "write rows", store_commit(txn, rc));
    return ST_OK;
}
