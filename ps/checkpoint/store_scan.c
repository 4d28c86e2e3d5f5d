/* Reading a store: every row in key order, what it says of itself, and its size. Pages are checked as they are read
 * (common/files/lmdb_pages.h); here, the place and width of every row, and at the end of a scan the number and the digest of
 * each table's rows. */
#include "ps/checkpoint/store.h"

#include <inttypes.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "ps/checkpoint/store_impl.h"

status_t store_meta_get(const store_t *store, meta_key_t key, void *record, size_t least, size_t most, bool *found)
{
    lmdb_bytes_t value;
    TRY(lmdb_pages_get(store->pages, &store->meta_tree, (lmdb_bytes_t){(const uint8_t *)&key, sizeof key}, &value, found));
    if (*found && value.bytes != least && value.bytes != most)
        return FAIL(ST_CORRUPT, "%s: the record \"%.8s\" has %zu bytes, wanted are %zu; " STORE_ADVICE, store->path, key.name,
                    value.bytes, most);
    if (*found)
        memcpy(record, value.at, value.bytes);
    return ST_OK;
}

static status_t check_format(store_t *store)
{
    store_format_t format = {0};
    uint32_t version = 0;
    bool found;
    TRY(store_meta_get(store, store_meta_key("format", 0), &format, sizeof format, sizeof format, &found));
    if (format.version != STORE_FORMAT || format.slots != HASH_SLOTS)
        return FAIL(ST_CORRUPT,
                    "%s: rows of format %u with %u slots; this build reads format %u with %d: use the build that wrote them",
                    store->path, format.version, format.slots, STORE_FORMAT, HASH_SLOTS);
    TRY(store_meta_get(store, store_meta_key("sums", 0), &version, sizeof version, sizeof version, &found));
    return found ? lmdb_pages_need_sums(store->pages) : ST_OK;
}

status_t store_open_pages(store_t *store)
{
    char *file = mem_printf("%s/" LMDB_DATA, store->path);
    const int missing = file_missing(file);
    mem_free(file);
    if (missing)
        return FAIL(ST_INPUT, "%s: no stored rows there: %s; a run writes them when it ends", store->path, strerror(missing));
    TRY(lmdb_pages_open(disk_posix(), store->path, store->path, STORE_ADVICE, &store->pages));
    TRY(lmdb_pages_find_tree(store->pages, "rows", &store->row_tree));
    TRY(lmdb_pages_find_tree(store->pages, "meta", &store->meta_tree));
    return check_format(store);
}

/* What the store says of all of its tables' rows. */
typedef struct record_sum {
    const store_t *store;
    hash_digest_t digest;
} record_sum_t;

/* The record of a table, or nothing of another one. */
static status_t take_record(const store_t *store, const lmdb_node_t *node, uint32_t *id, table_record_t *record, bool *found)
{
    meta_key_t key;
    *found = store_is_table_key(node->key);
    if (!*found)
        return ST_OK;
    memcpy(&key, node->key.at, sizeof key);
    *id = be32toh(key.table);
    if (node->data.bytes != sizeof *record)
        return FAIL(ST_CORRUPT, "%s: the record of table %u has %zu bytes, wanted are %zu; " STORE_ADVICE, store->path, *id,
                    node->data.bytes, sizeof *record);
    memcpy(record, node->data.at, sizeof *record);
    return ST_OK;
}

static status_t sum_record(void *context, const lmdb_node_t *node)
{
    record_sum_t *sum = context;
    table_record_t record;
    uint32_t id;
    bool found;
    TRY(take_record(sum->store, node, &id, &record, &found));
    if (found)
        hash_digest_merge(&sum->digest, &(hash_digest_t){record.digest_low, record.digest_high, record.rows});
    return ST_OK;
}

status_t store_check(store_t *store, const store_origin_t *wanted, const hash_digest_t *digest)
{
    store_origin_t origin = {0};
    record_sum_t records = {.store = store};
    bool found_origin;
    TRY(store_meta_get(store, store_meta_key("origin", 0), &origin, sizeof origin, sizeof origin, &found_origin));
    TRY(lmdb_pages_scan(store->pages, &store->meta_tree, sum_record, &records));
    const hash_digest_t sum = records.digest;
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
    const store_t *store;
    scanned_table_t *tables; /* by ascending id */
    size_t n_tables, tables_capacity;
    float *payload; /* an aligned copy: LMDB aligns values to 2 bytes */
    size_t payload_capacity;
    store_visit_fn *visit;
    void *context;
} stored_scan_t;

static status_t scan_table(void *context, const lmdb_node_t *node)
{
    stored_scan_t *scan = context;
    scanned_table_t table = {0};
    bool found;
    TRY(take_record(scan->store, node, &table.id, &table.record, &found));
    if (found && !table.record.is_complete)
        return FAIL(ST_CORRUPT, "%s: table %u was not written to its end; its run was cut off, or is still writing",
                    scan->store->path, table.id);
    if (found) {
        MEM_GROW(scan->tables, scan->tables_capacity, scan->n_tables + 1);
        scan->tables[scan->n_tables++] = table;
    }
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

static status_t scan_row(void *context, const lmdb_node_t *node)
{
    stored_scan_t *scan = context;
    const lmdb_bytes_t k = node->key, v = node->data;
    stored_key_t key;
    stored_head_t head;
    if (k.bytes != sizeof key)
        return FAIL(ST_CORRUPT, "%s: a key of %zu bytes, wanted %zu; write the store again", scan->store->path, k.bytes,
                    sizeof key);
    memcpy(&key, k.at, sizeof key);
    const uint64_t row_number = be64toh(key.key);
    scanned_table_t *table = find_table(scan, be32toh(key.table));
    if (!table)
        return FAIL(ST_CORRUPT, "%s: row %" PRIu64 " is of table %u, which the store does not have; write the store again",
                    scan->store->path, row_number, be32toh(key.table));
    const size_t payload_bytes = (size_t)table->record.payload_floats * sizeof(float);
    if (be16toh(key.slot) != hash_slot(row_number) || v.bytes != sizeof head + payload_bytes)
        return FAIL(ST_CORRUPT,
                    "%s: table %u: row %" PRIu64 " has slot %u, %zu bytes; wanted slot %u, %zu bytes: write the store again",
                    scan->store->path, table->id, row_number, be16toh(key.slot), v.bytes, hash_slot(row_number),
                    sizeof head + payload_bytes);
    MEM_GROW(scan->payload, scan->payload_capacity, table->record.payload_floats);
    memcpy(&head, v.at, sizeof head);
    memcpy(scan->payload, v.at + sizeof head, payload_bytes);
    table_row_t row = {row_number, head.version, head.count, scan->payload};
    table_digest_row(table->id, table->record.payload_floats, &row, &table->digest);
    return scan->visit(scan->context, table->id, table->record.payload_floats, &row);
}

static status_t scan_all(stored_scan_t *scan)
{
    const store_t *store = scan->store;
    TRY(lmdb_pages_scan(store->pages, &store->meta_tree, scan_table, scan));
    TRY(lmdb_pages_scan(store->pages, &store->row_tree, scan_row, scan));
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
    stored_scan_t scan = {.store = store, .visit = visit, .context = context};
    ASSERT(store->pages);
    const status_t status = scan_all(&scan);
    mem_free(scan.tables);
    mem_free(scan.payload);
    return status;
}

status_t store_verify(store_t *store)
{
    return lmdb_pages_verify(store->pages);
}

int64_t store_rows(const store_t *store)
{
    return (int64_t)store->row_tree.entries;
}

int64_t store_bytes(const store_t *store)
{
    return lmdb_pages_bytes(store->pages);
}

int64_t store_table_rows(store_t *store, uint32_t table)
{
    table_record_t record = {0};
    bool found;
    if (store_meta_get(store, store_meta_key("table", table), &record, sizeof record, sizeof record, &found) != ST_OK || !found)
        return 0;
    const int64_t row_bytes = (int64_t)(sizeof(stored_key_t) + sizeof(stored_head_t) + record.payload_floats * sizeof(float));
    const int64_t most = store_bytes(store) / row_bytes; /* of a store without checksums the number may be any */
    return record.rows < 0 ? 0 : record.rows < most ? record.rows : most;
}
