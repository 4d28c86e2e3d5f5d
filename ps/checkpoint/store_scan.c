/* Reading a store: every row in key order, what it says of itself, and its size.
 *
 * LMDB keeps no checksums of its pages. What is checked: magic and version (LMDB), the file's length against its last page (a
 * shorter file would be a SIGBUS), the place and width of every row, and at the end of a scan the number and the digest of each
 * table's rows. */
#include "ps/checkpoint/store.h"

#include <inttypes.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "ps/checkpoint/store_impl.h"

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
        if (!store_is_table_key(&k))
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
    int rc = store_meta_get(store, txn, store_meta_key("origin", 0), &origin, sizeof origin, sizeof origin);
    if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
        rc = sum_records(store, txn, &sum);
    mdb_txn_abort(txn);
    TRY_MDB(store, "find where it comes from", rc);
    TRY(identity_check(store->path, origin.identity, wanted->identity));
    if (wanted->identity && (origin.incarnation != wanted->incarnation || origin.shard != wanted->shard))
        return FAIL(ST_CORRUPT,
                    "%s: is of shard %d, written by start %u of the run; shard %d of start %u is wanted: files were mixed up; "
                    "put that one in its place",
                    store->path, origin.shard, origin.incarnation, wanted->shard, wanted->incarnation);
    char found[33], should[33];
    hash_digest_text(&sum, found);
    if (!digest || (sum.low == digest->low && sum.high == digest->high && sum.elements == digest->elements))
        return ST_OK;
    hash_digest_text(digest, should);
    return FAIL(ST_CORRUPT,
                "%s: holds %" PRId64 " rows with digest %s, the run's manifest says %" PRId64
                " with %s: it is not what the run ended with",
                store->path, sum.elements, found, digest->elements, should);
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
        if (!store_is_table_key(&k))
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
        return store_failed(store, "read the store", rc);
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
        return FAIL(ST_CORRUPT, "%s: row %" PRIu64 " is of table %u, which the store does not have; write the store again",
                    scan->store->path, row_number, be32toh(key.table));
    const size_t payload_bytes = (size_t)table->record.payload_floats * sizeof(float);
    if (be16toh(key.slot) != hash_slot(row_number) || v->mv_size != sizeof head + payload_bytes)
        return FAIL(ST_CORRUPT,
                    "%s: table %u: row %" PRIu64 " has slot %u, %zu bytes; wanted slot %u, %zu bytes: write the store again",
                    scan->store->path, table->id, row_number, be16toh(key.slot), v->mv_size, hash_slot(row_number),
                    sizeof head + payload_bytes);
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
        if (++rows % STORE_BATCH_ROWS == 0)
            rc = scan_renew(scan, &k, &v);
        else
            rc = mdb_cursor_get(scan->cursor, &k, &v, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND)
        return store_failed(store, "read rows", rc);
    for (size_t i = 0; i < scan->n_tables; i++) {
        const scanned_table_t *t = &scan->tables[i];
        if (t->digest.elements != t->record.rows || t->digest.low != t->record.digest_low ||
            t->digest.high != t->record.digest_high)
            return FAIL(ST_CORRUPT,
                        "%s: table %u: %" PRId64 " rows that differ from the %" PRId64
                        " rows written; the file is damaged: write it again",
                        store->path, t->id, t->digest.elements, t->record.rows);
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
        store_failed(store, "count rows", rc);
        return -1;
    }
    return (int64_t)stat.ms_entries;
}

int64_t store_bytes(store_t *store)
{
    int64_t bytes, needed;
    const int rc = lmdb_length(store->env, &bytes, &needed);
    if (rc != MDB_SUCCESS) {
        store_failed(store, "measure the store", rc);
        return -1;
    }
    return bytes;
}

int64_t store_table_rows(store_t *store, uint32_t table)
{
    MDB_txn *txn;
    table_record_t record = {0};
    meta_key_t key = store_meta_key("table", table);
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
