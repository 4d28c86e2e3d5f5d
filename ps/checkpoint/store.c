/* Writing a store. Choices of LMDB's flags:
 *
 * MDB_NOSYNC     a commit does not wait for the disk. Rows are worth something only when the last of them is there, and
 *                store_sync waits for that; a machine that loses power before leaves a store that its run never finished.
 *                Not for a base of checkpoints: there every commit waits, because the delta it takes in is deleted then.
 * no WRITEMAP    with it a full disk is a SIGBUS on touching a page of the sparse file; without it, an error code from a write.
 *                It would save one copy of each page, a few per cent of writing a table.
 *
 * Rows are written in key order, which is that of table_scan: neighbours land on the same page, a page is written once, and the
 * first table of a store is appended without any search. Rows that are out of memory go from the spill to the store one by
 * one. */
#include "ps/checkpoint/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "ps/checkpoint/store_impl.h"

#define MAP_BYTES_FIRST ((size_t)16 << 20) /* doubles whenever it is full */
#define SPARE_PAGES 128                    /* of a transaction: meta, branches, LMDB's list of free pages */
#define BATCH_BYTES ((int64_t)64 << 20)    /* of a transaction, at most: its pages are held in memory */

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

int store_put_sums(store_t *store, MDB_txn *txn)
{
    const uint32_t version = STORE_SUMS_VERSION;
    return store_meta_put(store, txn, store_meta_key("sums", 0), &version, sizeof version);
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
    static const char *const names[] = {LMDB_SUMS ".tmp", LMDB_SUMS, LMDB_DATA, "lock.mdb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
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
    store_format_t format = {STORE_FORMAT, HASH_SLOTS};
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
    TRY_MDB(store, doing, mdb_env_create(&store->env));
    TRY_MDB(store, doing, mdb_env_set_maxdbs(store->env, 2));
    TRY_MDB(store, doing, mdb_env_set_mapsize(store->env, store->map_bytes));
    TRY_MDB(store, doing, lmdb_reserve_lock(store->path));
    TRY_MDB(store, doing, mdb_env_open(store->env, store->path, flags, 0666));
    MDB_txn *txn;
    TRY_MDB(store, doing, mdb_txn_begin(store->env, NULL, 0, &txn));
    int rc = make_databases(store, txn);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return store_failed(store, doing, rc);
    }
    TRY_MDB(store, doing, mdb_txn_commit(txn));
    return ST_OK;
}

/* A new environment, or the one that is there. */
static status_t open_store(const char *path, bool create, unsigned flags, store_t **out)
{
    store_t *store = MEM_NEW(store_t);
    store->path = mem_strdup(path);
    const status_t status = create ? open_new(store, flags) : store_open_pages(store);
    if (status == ST_OK)
        *out = store;
    else
        store_close(&store);
    return status;
}

status_t store_open(const char *path, bool create, store_t **out)
{
    return open_store(path, create, MDB_NOSYNC, out);
}

status_t store_create(const char *path, unsigned flags, store_t **out)
{
    return open_store(path, true, flags, out);
}

void store_close(store_t **store)
{
    store_t *s = *store;
    if (!s)
        return;
    lmdb_pages_close(&s->pages);
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
    ASSERT(store->env);
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

static status_t put_sums(store_t *store)
{
    MDB_txn *txn;
    TRY_MDB(store, "write rows", mdb_txn_begin(store->env, NULL, 0, &txn));
    TRY_MDB(store, "write rows", store_commit(txn, store_put_sums(store, txn)));
    return ST_OK;
}

status_t store_finish(store_t **store)
{
    store_t *s = *store;
    ASSERT(s->env);
    status_t status;
    TRY_DONE(put_sums(s));
    const int rc = mdb_env_sync(s->env, 1);
    TRY_DONE(rc == MDB_SUCCESS ? ST_OK : store_failed(s, "sync the store", rc));
    mdb_env_close(s->env);
    s->env = NULL;
    TRY_DONE(lmdb_pages_seal(disk_posix(), s->path, s->path));
done:
    store_close(store);
    return status;
}

status_t store_put_origin(store_t *store, const store_origin_t *origin)
{
    ASSERT(store->env);
    MDB_txn *txn;
    store_origin_t copy = *origin;
    TRY_MDB(store, "write rows", mdb_txn_begin(store->env, NULL, 0, &txn));
    const int rc = store_meta_put(store, txn, store_meta_key("origin", 0), &copy, sizeof copy);
    TRY_MDB(store, "write rows", store_commit(txn, rc));
    return ST_OK;
}
