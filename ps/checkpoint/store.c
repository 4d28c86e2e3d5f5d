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
 * first table of a store is appended without any search. Rows that are out of memory go from the spill to the store one by one.
 *
 * LMDB keeps no checksums of its pages. What is checked here: magic and version (LMDB), the file's length against its last
 * page (a shorter file would be a SIGBUS), the place and width of every row, and at the end of a scan the number and the
 * digest of each table's rows.                                                                                        */
#include "ps/checkpoint/store.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/lmdb_env.h"

#define FORMAT_VERSION 1u
#define MARK_BYTES_FIRST offsetof(store_mark_t, identity) /* of a mark before runs had ids */
#define MAP_BYTES_FIRST ((size_t)16 << 20)                /* doubles whenever it is full */
#define SPARE_PAGES 128                                   /* of a transaction: meta, branches, LMDB's list of free pages */
#define BATCH_ROWS 65536                                  /* of one transaction, and of one stretch of a scan ... */
#define BATCH_BYTES ((int64_t)64 << 20) /* ... but not more than this: a transaction's pages are held in memory */

/* A row's key as stored; big-endian, so that LMDB's order of bytes is the order of numbers. */
typedef struct __attribute__((packed)) row_key {
    uint16_t slot;
    uint32_t table;
    uint64_t key;
} stored_key_t;

/* The fixed part of a row's value. */
typedef struct stored_head {
    uint32_t version, count;
} stored_head_t;

/* A key of meta: the name, and the id of a table or 0. */
typedef struct __attribute__((packed)) meta_key {
    char name[8];
    uint32_t table; /* big-endian */
} meta_key_t;

static const char format_name[8] = "format", table_name[8] = "table", origin_name[8] = "origin", mark_name[8] = "mark";

typedef struct format_record {
    uint32_t version, slots;
} format_record_t;

typedef struct table_record {
    uint32_t payload_floats;
    uint32_t is_complete;
    int64_t rows;
    uint64_t digest_low, digest_high;
} table_record_t;

struct store {
    char *path;
    MDB_env *env;
    MDB_dbi rows, meta;
    size_t map_bytes;
    bool writable;

    /* Of a base. */
    uint32_t tables;
    table_record_t *records; /* [tables] as of the last commit */
    float *payload;          /* an aligned copy of a row that is replaced */
};

/* Log what LMDB or the system answered. `doing` completes "cannot ...". */
static status_t failed(const store_t *store, const char *doing, int rc)
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
                        "%s: cannot %s: %s; %llu MB are free there, less a quota or a limit of file size: make room, or choose "
                        "another place with --out",
                        store->path, doing, file_error_text(rc, text), (unsigned long long)fs.f_bavail * fs.f_frsize >> 20);
        break;
    case LMDB_OTHER:
        break;
    }
    return FAIL(ST_SYSTEM, "%s: cannot %s: %s", store->path, doing, mdb_strerror(rc));
}

#define TRY_MDB(store, doing, expr) \
    do { \
        int rc_ = (expr); \
        if (rc_ != MDB_SUCCESS) \
            return failed((store), (doing), rc_); \
    } while (0)

static meta_key_t meta_key(const char name[8], uint32_t table)
{
    meta_key_t key;
    memcpy(key.name, name, sizeof key.name);
    key.table = htobe32(table);
    return key;
}

static int meta_put(store_t *store, MDB_txn *txn, meta_key_t key, void *record, size_t bytes)
{
    MDB_val k = {sizeof key, &key}, v = {bytes, record};
    return mdb_put(txn, store->meta, &k, &v, 0);
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
        rc = meta_put(store, txn, meta_key(format_name, 0), &format, sizeof format);
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
    TRY_MDB(store, doing, mdb_env_open(store->env, store->path, flags | MDB_NOTLS, 0644));
    MDB_txn *txn;
    TRY_MDB(store, doing, mdb_txn_begin(store->env, NULL, 0, &txn));
    int rc = make_databases(store, txn);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return failed(store, doing, rc);
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
        return FAIL(ST_CORRUPT, "%s: data.mdb was cut short: %lld bytes of %lld; write the store again", store->path,
                    (long long)bytes, (long long)wanted);
    return ST_OK;
}

static int open_databases(store_t *store, MDB_txn *txn, format_record_t *format)
{
    int rc = mdb_dbi_open(txn, "rows", 0, &store->rows);
    if (rc == MDB_SUCCESS)
        rc = mdb_dbi_open(txn, "meta", 0, &store->meta);
    if (rc != MDB_SUCCESS)
        return rc;
    meta_key_t key = meta_key(format_name, 0);
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
        rc = mdb_env_open(store->env, store->path, MDB_RDONLY | MDB_NOTLS, 0644);
    if (rc == EACCES || rc == EROFS || rc == ENOSPC ||
        rc == EDQUOT) { /* no right or room for a lock file; then nobody writes here either */
        mdb_env_close(store->env);
        store->env = NULL;
        TRY_MDB(store, doing, mdb_env_create(&store->env));
        TRY_MDB(store, doing, mdb_env_set_maxdbs(store->env, 2));
        rc = mdb_env_open(store->env, store->path, MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0644);
    }
    if (rc != MDB_SUCCESS)
        return failed(store, doing, rc);
    TRY(check_length(store));
    MDB_txn *txn;
    TRY_MDB(store, doing, mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    format_record_t format = {0};
    rc = open_databases(store, txn, &format);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return failed(store, doing, rc);
    }
    TRY_MDB(store, doing, mdb_txn_commit(txn)); /* keeps the handles of the databases */
    if (format.version != FORMAT_VERSION || format.slots != HASH_SLOTS)
        return FAIL(ST_CORRUPT,
                    "%s: rows of format %u with %u slots; this build reads format %u with %d: use the build that wrote them",
                    store->path, format.version, format.slots, FORMAT_VERSION, HASH_SLOTS);
    return ST_OK;
}

static status_t env_create(const char *path, store_t **out)
{
    store_t *store = *out = MEM_NEW(store_t);
    store->path = mem_strdup(path);
    TRY_MDB(store, "open the store", mdb_env_create(&store->env));
    TRY_MDB(store, "open the store", mdb_env_set_maxdbs(store->env, 2));
    return ST_OK;
}

status_t store_open(const char *path, bool create, store_t **out)
{
    store_t *store;
    status_t status = env_create(path, &store);
    if (status == ST_OK)
        status = create ? open_new(store, MDB_NOSYNC) : open_present(store);
    if (status == ST_OK)
        *out = store;
    else
        store_close(&store);
    return status;
}

void store_close(store_t **store)
{
    store_t *s = *store;
    if (!s)
        return;
    if (s->env)
        mdb_env_close(s->env);
    mem_free(s->records);
    mem_free(s->payload);
    mem_free(s->path);
    mem_free(s);
    *store = NULL;
}

/* ---- put ------------------------------------------------------------------------------------------------------------- */

static stored_key_t row_key(uint32_t table, uint64_t key)
{
    return (stored_key_t){htobe16((uint16_t)hash_slot(key)), htobe32(table), htobe64(key)};
}

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
    TRY_MDB(store, "write rows", meta_put(store, put->txn, meta_key(table_name, put->table), &put->record, sizeof put->record));
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
    stored_key_t key = row_key(put->table, row->key);
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
    batch = batch < BATCH_ROWS ? batch : BATCH_ROWS;
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

/* ---- origin ---------------------------------------------------------------------------------------------------------- */

static int commit_or_abort(MDB_txn *txn, int rc)
{
    if (rc == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

status_t store_put_origin(store_t *store, const store_origin_t *origin)
{
    ASSERT(store->writable);
    MDB_txn *txn;
    store_origin_t copy = *origin;
    TRY_MDB(store, "write rows", mdb_txn_begin(store->env, NULL, 0, &txn));
    const int rc = meta_put(store, txn, meta_key(origin_name, 0), &copy, sizeof copy);
    TRY_MDB(store, "write rows", commit_or_abort(txn, rc));
    return ST_OK;
}

/* A record of meta of at most `most` bytes into *record, whose rest stays as it is; MDB_NOTFOUND: there is none. */
static int meta_get(const store_t *store, MDB_txn *txn, meta_key_t key, void *record, size_t least, size_t most)
{
    MDB_val k = {sizeof key, &key}, v;
    int rc = mdb_get(txn, store->meta, &k, &v);
    if (rc == MDB_SUCCESS && v.mv_size != least && v.mv_size != most)
        rc = MDB_CORRUPTED;
    if (rc == MDB_SUCCESS)
        memcpy(record, v.mv_data, v.mv_size);
    return rc;
}

/* ---- scan ------------------------------------------------------------------------------------------------------------ */

/* What the store says of all of its tables' rows. */
static int sum_records(const store_t *store, MDB_txn *txn, hash_digest_t *sum)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn, store->meta, &cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        table_record_t record;
        if (k.mv_size != sizeof(meta_key_t) || memcmp(k.mv_data, table_name, sizeof table_name) != 0)
            continue;
        if (v.mv_size != sizeof record) {
            rc = MDB_CORRUPTED;
            break;
        }
        memcpy(&record, v.mv_data, sizeof record);
        hash_digest_merge(sum, &(hash_digest_t){record.digest_low, record.digest_high, record.rows});
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

status_t store_check(store_t *store, const store_origin_t *wanted, const hash_digest_t *digest)
{
    MDB_txn *txn;
    store_origin_t origin = {0};
    hash_digest_t sum = {0};
    TRY_MDB(store, "read the store", mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    int rc = meta_get(store, txn, meta_key(origin_name, 0), &origin, sizeof origin, sizeof origin);
    if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
        rc = sum_records(store, txn, &sum);
    mdb_txn_abort(txn);
    TRY_MDB(store, "find where it comes from", rc);
    TRY(identity_check(store->path, origin.identity, wanted->identity));
    if (wanted->identity && (origin.epoch != wanted->epoch || origin.shard != wanted->shard))
        return FAIL(ST_CORRUPT,
                    "%s: is of shard %d, written by start %u of the run; shard %d of start %u is wanted: files were mixed up; "
                    "put that one in its place",
                    store->path, origin.shard, origin.epoch, wanted->shard, wanted->epoch);
    char found[33], should[33];
    hash_digest_text(&sum, found);
    if (!digest || (sum.low == digest->low && sum.high == digest->high && sum.elements == digest->elements))
        return ST_OK;
    hash_digest_text(digest, should);
    return FAIL(ST_CORRUPT,
                "%s: holds %lld rows with digest %s, the run's manifest says %lld with %s: it is not what the run ended with",
                store->path, (long long)sum.elements, found, (long long)digest->elements, should);
}

/* What a table should have, and what has been seen of it. */
typedef struct scanned_table {
    uint32_t id;
    table_record_t record;
    hash_digest_t digest;
} scanned_table_t;

typedef struct stored_scan {
    store_t *store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    scanned_table_t *tables; /* by ascending id */
    size_t n_tables, tables_capacity;
    float *payload; /* an aligned copy: LMDB aligns values to 2 bytes */
    size_t payload_capacity;
} stored_scan_t;

static status_t scan_tables(stored_scan_t *scan)
{
    const store_t *store = scan->store;
    MDB_cursor *cursor;
    MDB_val k, v;
    TRY_MDB(store, "read the store", mdb_cursor_open(scan->txn, store->meta, &cursor));
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        meta_key_t key;
        if (k.mv_size != sizeof key || memcmp(k.mv_data, table_name, sizeof table_name) != 0)
            continue;
        if (v.mv_size != sizeof(table_record_t)) {
            rc = MDB_CORRUPTED;
            break;
        }
        MEM_GROW(scan->tables, scan->tables_capacity, scan->n_tables + 1);
        scanned_table_t *table = &scan->tables[scan->n_tables++];
        memcpy(&key, k.mv_data, sizeof key);
        *table = (scanned_table_t){.id = be32toh(key.table)};
        memcpy(&table->record, v.mv_data, sizeof table->record);
        MEM_GROW(scan->payload, scan->payload_capacity, table->record.payload_floats);
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return failed(store, "read the store", rc);
    for (size_t i = 0; i < scan->n_tables; i++)
        if (!scan->tables[i].record.is_complete)
            return FAIL(ST_CORRUPT, "%s: table %u was not written to its end; its run was cut off, or is still writing",
                        store->path, scan->tables[i].id);
    return ST_OK;
}

static scanned_table_t *find_table(stored_scan_t *scan, uint32_t id)
{
    size_t low = 0, high = scan->n_tables;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (scan->tables[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < scan->n_tables && scan->tables[low].id == id ? &scan->tables[low] : NULL;
}

static status_t scan_row(stored_scan_t *scan, const MDB_val *k, const MDB_val *v, store_visit_fn *visit, void *context)
{
    stored_key_t key;
    stored_head_t head;
    if (k->mv_size != sizeof key)
        return FAIL(ST_CORRUPT, "%s: a key of %zu bytes, wanted %zu; write the store again", scan->store->path, k->mv_size,
                    sizeof key);
    memcpy(&key, k->mv_data, sizeof key);
    const uint64_t row_number = be64toh(key.key);
    scanned_table_t *table = find_table(scan, be32toh(key.table));
    if (!table)
        return FAIL(ST_CORRUPT, "%s: row %llu is of table %u, which the store does not have; write the store again",
                    scan->store->path, (unsigned long long)row_number, be32toh(key.table));
    const size_t payload_bytes = (size_t)table->record.payload_floats * sizeof(float);
    if (be16toh(key.slot) != hash_slot(row_number) || v->mv_size != sizeof head + payload_bytes)
        return FAIL(ST_CORRUPT,
                    "%s: table %u: row %llu has slot %u, %zu bytes; wanted slot %u, %zu bytes: write the store again",
                    scan->store->path, table->id, (unsigned long long)row_number, be16toh(key.slot), v->mv_size,
                    hash_slot(row_number), sizeof head + payload_bytes);
    memcpy(&head, v->mv_data, sizeof head);
    memcpy(scan->payload, (const char *)v->mv_data + sizeof head, payload_bytes);
    table_row_t row = {row_number, head.version, head.count, scan->payload};
    table_digest_row(table->id, table->record.payload_floats, &row, &table->digest);
    return visit(context, table->id, table->record.payload_floats, &row);
}

/* Between stretches the snapshot is renewed, so that a long scan beside a writer does not keep all replaced pages alive. */
static int scan_renew(stored_scan_t *scan, MDB_val *k, MDB_val *v)
{
    stored_key_t last;
    ASSERT(k->mv_size == sizeof last);
    memcpy(&last, k->mv_data, sizeof last);
    mdb_txn_reset(scan->txn);
    int rc = mdb_txn_renew(scan->txn);
    if (rc == MDB_SUCCESS)
        rc = mdb_cursor_renew(scan->txn, scan->cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    *k = (MDB_val){sizeof last, &last};
    rc = mdb_cursor_get(scan->cursor, k, v, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS && k->mv_size == sizeof last && memcmp(k->mv_data, &last, sizeof last) == 0)
        rc = mdb_cursor_get(scan->cursor, k, v, MDB_NEXT);
    return rc;
}

static status_t scan_all(stored_scan_t *scan, store_visit_fn *visit, void *context)
{
    const store_t *store = scan->store;
    MDB_val k, v;
    int64_t rows = 0;
    TRY(scan_tables(scan));
    TRY_MDB(store, "read rows", mdb_cursor_open(scan->txn, store->rows, &scan->cursor));
    int rc = mdb_cursor_get(scan->cursor, &k, &v, MDB_FIRST);
    while (rc == MDB_SUCCESS) {
        TRY(scan_row(scan, &k, &v, visit, context));
        if (++rows % BATCH_ROWS == 0)
            rc = scan_renew(scan, &k, &v);
        else
            rc = mdb_cursor_get(scan->cursor, &k, &v, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND)
        return failed(store, "read rows", rc);
    for (size_t i = 0; i < scan->n_tables; i++) {
        const scanned_table_t *t = &scan->tables[i];
        if (t->digest.elements != t->record.rows || t->digest.low != t->record.digest_low ||
            t->digest.high != t->record.digest_high)
            return FAIL(ST_CORRUPT,
                        "%s: table %u: %lld rows that differ from the %lld rows written; the file is damaged: write it again",
                        store->path, t->id, (long long)t->digest.elements, (long long)t->record.rows);
    }
    return ST_OK;
}

status_t store_scan(store_t *store, store_visit_fn *visit, void *context)
{
    stored_scan_t scan = {.store = store};
    TRY_MDB(store, "read the store", mdb_txn_begin(store->env, NULL, MDB_RDONLY, &scan.txn));
    status_t status = scan_all(&scan, visit, context);
    if (scan.cursor)
        mdb_cursor_close(scan.cursor);
    mdb_txn_abort(scan.txn);
    mem_free(scan.tables);
    mem_free(scan.payload);
    return status;
}

int64_t store_rows(store_t *store)
{
    MDB_txn *txn;
    MDB_stat stat = {0};
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc == MDB_SUCCESS) {
        rc = mdb_stat(txn, store->rows, &stat);
        mdb_txn_abort(txn);
    }
    if (rc != MDB_SUCCESS) {
        failed(store, "count rows", rc);
        return -1;
    }
    return (int64_t)stat.ms_entries;
}

int64_t store_bytes(store_t *store)
{
    int64_t bytes, needed;
    const int rc = lmdb_length(store->env, &bytes, &needed);
    if (rc != MDB_SUCCESS) {
        failed(store, "measure the store", rc);
        return -1;
    }
    return bytes;
}

int64_t store_table_rows(store_t *store, uint32_t table)
{
    MDB_txn *txn;
    table_record_t record = {0};
    meta_key_t key = meta_key(table_name, table);
    MDB_val k = {sizeof key, &key}, v;
    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
        return 0;
    if (mdb_get(txn, store->meta, &k, &v) == MDB_SUCCESS && v.mv_size == sizeof record)
        memcpy(&record, v.mv_data, sizeof record);
    mdb_txn_abort(txn);
    const int64_t row_bytes = (int64_t)(sizeof(stored_key_t) + sizeof(stored_head_t) + record.payload_floats * sizeof(float));
    const int64_t most = store_bytes(store) / row_bytes; /* LMDB's pages have no checksums: the number may be any */
    return record.rows < 0 || most < 0 ? 0 : record.rows < most ? record.rows : most;
}

/* ---- the base of checkpoints ------------------------------------------------------------------------------------------ */

static int put_mark(store_t *store, MDB_txn *txn, const store_mark_t *mark)
{
    store_mark_t copy = *mark;
    return meta_put(store, txn, meta_key(mark_name, 0), &copy, sizeof copy);
}

static int put_records(store_t *store, MDB_txn *txn, table_record_t *records, const bool *touched)
{
    int rc = MDB_SUCCESS;
    for (uint32_t t = 0; t < store->tables && rc == MDB_SUCCESS; t++)
        if (!touched || touched[t])
            rc = meta_put(store, txn, meta_key(table_name, t), &records[t], sizeof *records);
    return rc;
}

status_t store_open_base(const char *path, const int64_t *payload_floats, uint32_t tables, const store_mark_t *mark,
                         store_t **out)
{
    static const char doing[] = "create the base";
    store_t *store;
    MDB_txn *txn;
    int64_t widest = 0;
    status_t status = env_create(path, &store);
    if (status == ST_OK)
        status = open_new(store, 0);
    TRY_DONE(status);
    store->tables = tables;
    store->records = MEM_ARRAY(table_record_t, tables);
    for (uint32_t t = 0; t < tables; t++) {
        store->records[t] = (table_record_t){.payload_floats = (uint32_t)payload_floats[t], .is_complete = 1};
        widest = payload_floats[t] > widest ? payload_floats[t] : widest;
    }
    store->payload = MEM_ARRAY(float, widest);
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc == MDB_SUCCESS) {
        rc = put_records(store, txn, store->records, NULL);
        if (rc == MDB_SUCCESS)
            rc = put_mark(store, txn, mark);
        rc = commit_or_abort(txn, rc);
    }
    if (rc != MDB_SUCCESS) {
        status = failed(store, doing, rc);
        goto done;
    }
    *out = store;
    return ST_OK;
done:
    store_close(&store);
    return status;
}

static int compare_changes(const void *left, const void *right)
{
    const store_change_t *a = left, *b = right;
    const stored_key_t ka = row_key(a->table, a->row.key), kb = row_key(b->table, b->row.key);
    return memcmp(&ka, &kb, sizeof ka);
}

/* Take the row at the cursor, if there is one, out of its table's record. */
static int forget_row(store_t *store, table_record_t *record, const store_change_t *change, MDB_val *v)
{
    const size_t payload_bytes = (size_t)record->payload_floats * sizeof(float);
    hash_digest_t old = {0};
    if (v->mv_size != sizeof(stored_head_t) + payload_bytes)
        return MDB_CORRUPTED;
    memcpy(store->payload, (const char *)v->mv_data + sizeof(stored_head_t), payload_bytes);
    const table_row_t row = {.key = change->row.key, .payload = store->payload};
    table_digest_row(change->table, record->payload_floats, &row, &old);
    record->rows--;
    record->digest_low -= old.low;
    record->digest_high -= old.high;
    return MDB_SUCCESS;
}

static int change_row(store_t *store, MDB_cursor *cursor, table_record_t *record, const store_change_t *change)
{
    stored_key_t key = row_key(change->table, change->row.key);
    MDB_val k = {sizeof key, &key}, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    const bool is_there = rc == MDB_SUCCESS;
    if (is_there)
        rc = forget_row(store, record, change, &v);
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
        return rc;
    if (!change->row.payload)
        return is_there ? mdb_cursor_del(cursor, 0) : MDB_SUCCESS;

    const size_t payload_bytes = (size_t)record->payload_floats * sizeof(float);
    const stored_head_t head = {change->row.version, change->row.count};
    k = (MDB_val){sizeof key, &key};
    v = (MDB_val){sizeof head + payload_bytes, NULL};
    rc = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE);
    if (rc != MDB_SUCCESS)
        return rc;
    memcpy(v.mv_data, &head, sizeof head);
    memcpy((char *)v.mv_data + sizeof head, change->row.payload, payload_bytes);
    hash_digest_t added = {0};
    table_digest_row(change->table, record->payload_floats, &change->row, &added);
    record->rows++;
    record->digest_low += added.low;
    record->digest_high += added.high;
    return MDB_SUCCESS;
}

static int change_rows(store_t *store, MDB_txn *txn, table_record_t *records, bool *touched, const store_change_t *changes,
                       int64_t n)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, store->rows, &cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    for (int64_t i = 0; i < n && rc == MDB_SUCCESS; i++) {
        ASSERT(changes[i].table < store->tables);
        touched[changes[i].table] = true;
        rc = change_row(store, cursor, &records[changes[i].table], &changes[i]);
    }
    mdb_cursor_close(cursor);
    return rc;
}

/* One attempt; the records are the caller's copy, because a transaction that fails has not changed anything. */
static int try_change(store_t *store, const store_change_t *changes, int64_t n, const store_mark_t *mark,
                      table_record_t *records, bool *touched)
{
    MDB_txn *txn;
    memcpy(records, store->records, store->tables * sizeof *records);
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = change_rows(store, txn, records, touched, changes, n);
    if (rc == MDB_SUCCESS)
        rc = put_records(store, txn, records, touched);
    if (rc == MDB_SUCCESS)
        rc = put_mark(store, txn, mark);
    return commit_or_abort(txn, rc);
}

status_t store_change(store_t *store, store_change_t *changes, int64_t n, const store_mark_t *mark)
{
    ASSERT(store->records);
    if (n > 0)
        qsort(changes, (size_t)n, sizeof *changes, compare_changes);
    table_record_t *records = MEM_ARRAY(table_record_t, store->tables);
    bool *touched = MEM_ARRAY(bool, store->tables);
    status_t status = ST_OK;
    int rc;
    while ((rc = try_change(store, changes, n, mark, records, touched)) == MDB_MAP_FULL) {
        rc = lmdb_double_map(store->env, &store->map_bytes);
        if (rc != MDB_SUCCESS)
            break;
    }
    if (rc == MDB_SUCCESS)
        memcpy(store->records, records, store->tables * sizeof *records);
    else
        status = failed(store, "take in rows", rc);
    mem_free(records);
    mem_free(touched);
    return status;
}

status_t store_mark(store_t *store, store_mark_t *out)
{
    MDB_txn *txn;
    store_mark_t mark = {0};
    TRY_MDB(store, "read the store", mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    const int rc = meta_get(store, txn, meta_key(mark_name, 0), &mark, MARK_BYTES_FIRST, sizeof mark);
    mdb_txn_abort(txn);
    TRY_MDB(store, "find which checkpoint it holds", rc);
    *out = mark;
    return ST_OK;
}

status_t store_check_mark(store_t *store, const store_mark_t *wanted, store_mark_t *out)
{
    store_mark_t mark;
    TRY(store_mark(store, &mark));
    TRY(identity_check(store->path, mark.identity, wanted->identity));
    if (mark.epoch != wanted->epoch || mark.shard != wanted->shard)
        return FAIL(ST_CORRUPT,
                    "%s: is of epoch %u, shard %d, not of epoch %u, shard %d: files were mixed up; put that one in its place",
                    store->path, mark.epoch, mark.shard, wanted->epoch, wanted->shard);
    const int64_t newest = mark.folding_to > mark.step ? mark.folding_to : mark.step;
    if (newest > wanted->step)
        return FAIL(ST_CORRUPT,
                    "%s: has rows of the checkpoint before step %lld, and that before step %lld is wanted: it was dropped; "
                    "resume from a newer one",
                    store->path, (long long)newest, (long long)wanted->step);
    *out = mark;
    return ST_OK;
}

status_t store_check_delta(const store_t *store, const store_mark_t *mark, hash128_t wanted)
{
    if (!mark->identity || hash128_same(mark->delta, wanted))
        return ST_OK;
    return FAIL(
        ST_CORRUPT,
        "%s: took in a delta of step %lld with checksum %016llx%016llx, the manifest says %016llx%016llx: it is not the base "
        "that the checkpoint was made with; put that one in its place",
        store->path, (long long)mark->step, (unsigned long long)mark->delta.high, (unsigned long long)mark->delta.low,
        (unsigned long long)wanted.high, (unsigned long long)wanted.low);
}
