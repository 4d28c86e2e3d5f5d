/* A base's tables have records of their own number and digest of rows, as any store's. A change brings them up to date by
 * subtracting the row that it replaces and adding the new one, in the transaction that changes the row: so they are exact after
 * every transaction, at the cost of the rows that change.
 *
 * Of a transaction the pages that LMDB will read are checked before, and the checksums of those that it wrote are stored after
 * (common/files/live_sums.h). So a change is durable when its sums are: until then a reader finds the base as it was before. */
#include "ps/checkpoint/base.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/disk.h"
#include "common/files/live_sums.h"
#include "ps/checkpoint/store_impl.h"

#define MARK_BYTES_FIRST offsetof(base_mark_t, identity) /* of a mark before runs had ids */

struct base {
    store_t *store;
    live_sums_t *sums;
    uint32_t tables;
    table_record_t *records; /* [tables] as of the last commit */
    float *payload;          /* an aligned copy of a row that is replaced */
};

static int put_mark(store_t *store, MDB_txn *txn, const base_mark_t *mark)
{
    base_mark_t copy = *mark;
    return store_meta_put(store, txn, store_meta_key("mark", 0), &copy, sizeof copy);
}

static int put_records(const base_t *base, MDB_txn *txn, const table_record_t *records, const bool *touched)
{
    int rc = MDB_SUCCESS;
    for (uint32_t t = 0; t < base->tables && rc == MDB_SUCCESS; t++)
        if (!touched || touched[t])
            rc = store_meta_put(base->store, txn, store_meta_key("table", t), &records[t], sizeof *records);
    return rc;
}

/* The records of tables without rows, that there are checksums, and the mark. */
static int put_first(const base_t *base, const base_mark_t *mark)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(base->store->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = put_records(base, txn, base->records, NULL);
    if (rc == MDB_SUCCESS)
        rc = store_put_sums(base->store, txn);
    if (rc == MDB_SUCCESS)
        rc = put_mark(base->store, txn, mark);
    return store_commit(txn, rc);
}

status_t base_create(const char *path, const int64_t *payload_floats, uint32_t tables, const base_mark_t *mark, base_t **out)
{
    store_t *store;
    TRY(store_create(path, 0, &store));
    base_t *base = MEM_NEW(base_t);
    *base = (base_t){.store = store, .tables = tables, .records = MEM_ARRAY(table_record_t, tables)};
    int64_t widest = 0;
    for (uint32_t t = 0; t < tables; t++) {
        base->records[t] = (table_record_t){.payload_floats = (uint32_t)payload_floats[t], .is_complete = 1};
        widest = payload_floats[t] > widest ? payload_floats[t] : widest;
    }
    base->payload = MEM_ARRAY(float, widest);
    base->sums = live_sums_create(disk_posix(), path, path, STORE_ADVICE);
    const int rc = put_first(base, mark);
    status_t status = rc == MDB_SUCCESS ? ST_OK : store_failed(store, "create the base", rc);
    if (status == ST_OK)
        status = live_sums_commit(base->sums);
    if (status == ST_OK)
        *out = base;
    else
        base_destroy(&base);
    return status;
}

void base_destroy(base_t **base)
{
    base_t *b = *base;
    if (!b)
        return;
    live_sums_destroy(&b->sums);
    store_close(&b->store);
    mem_free(b->records);
    mem_free(b->payload);
    mem_free(b);
    *base = NULL;
}

static int compare_changes(const void *left, const void *right)
{
    const base_change_t *a = left, *b = right;
    const stored_key_t ka = store_row_key(a->table, a->row.key), kb = store_row_key(b->table, b->row.key);
    return memcmp(&ka, &kb, sizeof ka);
}

/* Take the row at the cursor, if there is one, out of its table's record. */
static int forget_row(base_t *base, table_record_t *record, const base_change_t *change, MDB_val *v)
{
    const size_t payload_bytes = (size_t)record->payload_floats * sizeof(float);
    hash_digest_t old = {0};
    if (v->mv_size != sizeof(stored_head_t) + payload_bytes)
        return MDB_CORRUPTED;
    memcpy(base->payload, (const char *)v->mv_data + sizeof(stored_head_t), payload_bytes);
    const table_row_t row = {.key = change->row.key, .payload = base->payload};
    table_digest_row(change->table, record->payload_floats, &row, &old);
    record->rows--;
    record->digest_low -= old.low;
    record->digest_high -= old.high;
    return MDB_SUCCESS;
}

static int change_row(base_t *base, MDB_cursor *cursor, table_record_t *record, const base_change_t *change)
{
    stored_key_t key = store_row_key(change->table, change->row.key);
    MDB_val k = {sizeof key, &key}, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    const bool is_there = rc == MDB_SUCCESS;
    if (is_there)
        rc = forget_row(base, record, change, &v);
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

static int change_rows(base_t *base, MDB_txn *txn, table_record_t *records, bool *touched, const base_change_t *changes,
                       int64_t n)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, base->store->rows, &cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    for (int64_t i = 0; i < n && rc == MDB_SUCCESS; i++) {
        ASSERT(changes[i].table < base->tables);
        touched[changes[i].table] = true;
        rc = change_row(base, cursor, &records[changes[i].table], &changes[i]);
    }
    mdb_cursor_close(cursor);
    return rc;
}

/* One attempt; the records are the caller's copy, because a transaction that fails has not changed anything. */
static int try_change(base_t *base, const base_change_t *changes, int64_t n, const base_mark_t *mark, table_record_t *records,
                      bool *touched)
{
    MDB_txn *txn;
    memcpy(records, base->records, base->tables * sizeof *records);
    int rc = mdb_txn_begin(base->store->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = change_rows(base, txn, records, touched, changes, n);
    if (rc == MDB_SUCCESS)
        rc = put_records(base, txn, records, touched);
    if (rc == MDB_SUCCESS)
        rc = put_mark(base->store, txn, mark);
    return store_commit(txn, rc);
}

/* The pages that the changes will need; `changes` are in order. */
static status_t check_pages(base_t *base, const base_change_t *changes, int64_t n)
{
    status_t status;
    TRY_DONE(live_sums_begin(base->sums, "rows"));
    for (int64_t i = 0; i < n; i++) {
        const stored_key_t key = store_row_key(changes[i].table, changes[i].row.key);
        TRY_DONE(live_sums_check(base->sums, (lmdb_bytes_t){(const uint8_t *)&key, sizeof key}, !changes[i].row.payload));
    }
done:
    live_sums_end(base->sums);
    return status;
}

status_t base_change(base_t *base, base_change_t *changes, int64_t n, const base_mark_t *mark)
{
    if (n > 0)
        qsort(changes, (size_t)n, sizeof *changes, compare_changes);
    TRY(check_pages(base, changes, n));
    table_record_t *records = MEM_ARRAY(table_record_t, base->tables);
    bool *touched = MEM_ARRAY(bool, base->tables);
    status_t status;
    int rc;
    while ((rc = try_change(base, changes, n, mark, records, touched)) == MDB_MAP_FULL) {
        rc = lmdb_double_map(base->store->env, &base->store->map_bytes);
        if (rc != MDB_SUCCESS)
            break;
    }
    if (rc == MDB_SUCCESS) {
        memcpy(base->records, records, base->tables * sizeof *records);
        status = live_sums_commit(base->sums);
    } else {
        status = store_failed(base->store, "take in rows", rc);
    }
    mem_free(records);
    mem_free(touched);
    return status;
}

/* The names of copies sort by step. */
static void take_copy(void *context, const char *name)
{
    char **newest = context;
    int64_t step;
    int end = 0;
    if (sscanf(name, DIR_BASE "-%18" SCNd64 "%n", &step, &end) != 1 || name[end] != 0)
        return;
    mem_free(*newest);
    *newest = mem_strdup(name);
}

char *base_find(const char *run_dir, uint32_t incarnation, int shard)
{
    char *folder = checkpoint_shard_path(run_dir, incarnation, shard), *newest = NULL;
    const status_t listed = disk_list(disk_posix(), folder, take_copy, &newest);
    (void)listed; /* said; whoever opens the base finds out the same */
    char *path = newest ? run_path(folder, newest) : checkpoint_base_path(run_dir, incarnation, shard);
    mem_free(newest);
    mem_free(folder);
    return path;
}

status_t base_mark(store_t *store, base_mark_t *out)
{
    base_mark_t mark = {0};
    bool found;
    TRY(store_meta_get(store, store_meta_key("mark", 0), &mark, MARK_BYTES_FIRST, sizeof mark, &found));
    if (!found)
        return FAIL(ST_CORRUPT, "%s: does not say which checkpoint it holds; " STORE_ADVICE, store->path);
    *out = mark;
    return ST_OK;
}

status_t base_check_mark(store_t *store, const base_mark_t *wanted, base_mark_t *out)
{
    base_mark_t mark;
    TRY(base_mark(store, &mark));
    TRY(identity_check(store->path, mark.identity, wanted->identity));
    if (mark.incarnation != wanted->incarnation || mark.shard != wanted->shard)
        return FAIL(ST_CORRUPT,
                    "%s: is of incarnation %u, shard %d, not of incarnation %u, shard %d: files were mixed up; put that one in "
                    "its place",
                    store->path, mark.incarnation, mark.shard, wanted->incarnation, wanted->shard);
    const int64_t newest = mark.compacting_to > mark.step ? mark.compacting_to : mark.step;
    if (newest > wanted->step)
        return FAIL(ST_CORRUPT,
                    "%s: has rows of the checkpoint before step %" PRId64 ", and that before step %" PRId64
                    " is wanted: it was dropped; "
                    "resume from a newer one",
                    store->path, newest, wanted->step);
    *out = mark;
    return ST_OK;
}

status_t base_check_delta(const store_t *store, const base_mark_t *mark, hash128_t wanted)
{
    if (!mark->identity || hash128_same(mark->delta, wanted))
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: took in a delta of step %" PRId64 " with checksum %016" PRIx64 "%016" PRIx64
                ", the manifest says %016" PRIx64 "%016" PRIx64 ": it is not the base "
                "that the checkpoint was made with; put that one in its place",
                store->path, mark->step, mark->delta.high, mark->delta.low, wanted.high, wanted.low);
}
