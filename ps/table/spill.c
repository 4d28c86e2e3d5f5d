#include "ps/table/spill.h"

#include <string.h>

#include "common/base/memory.h"
#include "ps/table/row_buckets.h"

/* Keys ahead of the one that is put or read: its bucket's tags and then its row are on their way into the cache. */
#define BUCKETS_AHEAD 16
#define ROWS_AHEAD 8

#define PAGE_KEYS (PAGE_POOL_PAGE / (int64_t)sizeof(uint64_t)) /* of a log */

typedef struct log_entry {
    uint32_t batch, n; /* keys */
} log_entry_t;

/* The keys of a table's entries, one after the other on pages that belong to it. */
typedef struct batch_log {
    log_entry_t *entries; /* ascending */
    uint32_t *pages;
    size_t n_entries, entries_capacity, n_pages, pages_capacity;
    int64_t first, n; /* keys on the first page that were dropped; keys behind them */
} batch_log_t;

typedef struct spilled_table {
    row_buckets_t *rows; /* NULL: none was put */
    batch_log_t log;
} spilled_table_t;

struct spill {
    page_pool_t *pool;
    spilled_table_t *tables; /* by number */
    size_t n_tables, tables_capacity;
    int64_t memory;   /* bytes of what rows and logs are found by */
    uint64_t *logged; /* a copy of a log entry */
    size_t logged_capacity;
    uint32_t *wanted; /* pages of a request's rows */
    size_t wanted_capacity;
};

status_t spill_open(const char *path, spill_t **out)
{
    page_pool_t *pool;
    TRY(page_pool_open(path, &pool));
    *out = MEM_NEW(spill_t);
    (*out)->pool = pool;
    return ST_OK;
}

void spill_close(spill_t **spill)
{
    spill_t *s = *spill;
    if (!s)
        return;
    for (size_t t = 0; t < s->n_tables; t++) {
        row_buckets_destroy(&s->tables[t].rows);
        mem_free(s->tables[t].log.entries);
        mem_free(s->tables[t].log.pages);
    }
    mem_free(s->tables);
    mem_free(s->logged);
    mem_free(s->wanted);
    page_pool_close(&s->pool);
    mem_free(s);
    *spill = NULL;
}

static spilled_table_t *table_at(spill_t *spill, uint32_t table)
{
    MEM_GROW(spill->tables, spill->tables_capacity, (size_t)table + 1);
    if (table >= spill->n_tables)
        spill->n_tables = table + 1;
    return &spill->tables[table];
}

static const row_buckets_t *rows_of(const spill_t *spill, uint32_t table)
{
    return table < spill->n_tables ? spill->tables[table].rows : NULL;
}

static spilled_t seen(const bucket_row_t *row)
{
    return (spilled_t){row->key, row->batch, row->version, row->count, row->payload};
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* The rows of some keys are about to be touched, and page_pool_end is to be called then. */
static void begin(spill_t *spill, const row_buckets_t *rows, const placed_key_t *keys, int64_t n)
{
    if (!page_pool_begin(spill->pool))
        return;
    int64_t wanted = 0;
    MEM_GROW(spill->wanted, spill->wanted_capacity, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t page = row_buckets_home(rows, keys[i].key);
        if (page != PAGE_POOL_NONE)
            spill->wanted[wanted++] = page;
    }
    page_pool_want(spill->pool, rows->run, spill->wanted, wanted);
}

static void fetch_first(const row_buckets_t *rows, const placed_key_t *keys, int64_t n)
{
    for (int64_t i = 0; i < BUCKETS_AHEAD && i < n; i++)
        row_buckets_fetch(rows, keys[i].key);
    for (int64_t i = 0; i < ROWS_AHEAD && i < n; i++)
        row_buckets_fetch_row(rows, keys[i].key);
}

static inline void fetch_ahead(const row_buckets_t *rows, const placed_key_t *keys, int64_t n, int64_t i)
{
    if (i + BUCKETS_AHEAD < n)
        row_buckets_fetch(rows, keys[i + BUCKETS_AHEAD].key);
    if (i + ROWS_AHEAD < n)
        row_buckets_fetch_row(rows, keys[i + ROWS_AHEAD].key);
}

static status_t put_rows(row_buckets_t *rows, const placed_key_t *keys, int64_t n, spill_give_fn *give, void *context)
{
    fetch_first(rows, keys, n);
    for (int64_t i = 0; i < n; i++) {
        fetch_ahead(rows, keys, n, i);
        const spilled_t given = give(context, i);
        bucket_row_t *row = row_buckets_find(rows, given.key);
        if (!row)
            TRY(row_buckets_add(rows, given.key, &row));
        row->batch = given.batch;
        row->version = given.version;
        row->count = given.count;
        memcpy(row->payload, given.payload, (size_t)rows->payload_floats * sizeof *row->payload);
    }
    return ST_OK;
}

status_t spill_put(spill_t *spill, uint32_t table, int64_t payload_floats, const placed_key_t *keys, int64_t n,
                   spill_give_fn *give, void *context)
{
    spilled_table_t *t = table_at(spill, table);
    if (!t->rows) {
        t->rows = row_buckets_create(spill->pool, payload_floats);
        spill->memory += row_buckets_memory(t->rows);
    }
    ASSERT(t->rows->payload_floats == payload_floats);
    spill->memory -= row_buckets_memory(t->rows);
    begin(spill, t->rows, keys, n);
    const status_t status = put_rows(t->rows, keys, n, give, context);
    page_pool_end(spill->pool, n);
    spill->memory += row_buckets_memory(t->rows);
    return status;
}

status_t spill_remove(spill_t *spill, uint32_t table, const uint64_t *keys, int64_t n)
{
    spilled_table_t *t = table_at(spill, table);
    status_t status = ST_OK;
    if (!t->rows)
        return ST_OK;
    spill->memory -= row_buckets_memory(t->rows);
    for (int64_t i = 0; i < n && status == ST_OK; i++)
        status = row_buckets_remove(t->rows, keys[i]);
    spill->memory += row_buckets_memory(t->rows);
    return status;
}

void spill_read(spill_t *spill, uint32_t table, const placed_key_t *keys, int64_t n, spill_read_fn *visit, void *context)
{
    const row_buckets_t *rows = rows_of(spill, table);
    if (!rows)
        return;
    begin(spill, rows, keys, n);
    fetch_first(rows, keys, n);
    for (int64_t i = 0; i < n; i++) {
        fetch_ahead(rows, keys, n, i);
        const bucket_row_t *row = row_buckets_find(rows, keys[i].key);
        if (!row)
            continue;
        const spilled_t spilled = seen(row);
        visit(context, i, &spilled);
    }
    page_pool_end(spill->pool, n);
}

typedef struct spill_scanning {
    spill_scan_fn *visit;
    void *context;
} spill_scanning_t;

static bool visit_scanned(void *context, const bucket_row_t *row)
{
    const spill_scanning_t *scanning = context;
    const spilled_t spilled = seen(row);
    return scanning->visit(scanning->context, &spilled);
}

void spill_scan(const spill_t *spill, uint32_t table, const uint64_t *after, spill_scan_fn *visit, void *context)
{
    const row_buckets_t *rows = rows_of(spill, table);
    if (rows)
        row_buckets_scan_mixed(rows, after, visit_scanned, &(spill_scanning_t){visit, context});
}

void spill_scan_stored(const spill_t *spill, uint32_t table, spill_scan_fn *visit, void *context)
{
    const row_buckets_t *rows = rows_of(spill, table);
    if (rows)
        row_buckets_scan_stored(rows, visit_scanned, &(spill_scanning_t){visit, context});
}

/* ---- logs ------------------------------------------------------------------------------------------------------------ */

/* The place of a log's key number `at`, counted from the first page on, and how many of `n` keys lie on that page. */
static uint64_t *logged_keys(const spill_t *spill, const batch_log_t *log, int64_t at, int64_t *n)
{
    const int64_t left = PAGE_KEYS - at % PAGE_KEYS;
    *n = *n < left ? *n : left;
    return (uint64_t *)page_pool_at(spill->pool, log->pages[at / PAGE_KEYS]) + at % PAGE_KEYS;
}

status_t spill_log(spill_t *spill, uint32_t table, uint32_t batch, const uint64_t *keys, int64_t n)
{
    batch_log_t *log = &table_at(spill, table)->log;
    ASSERT(n > 0 && n <= UINT32_MAX && (log->n_entries == 0 || log->entries[log->n_entries - 1].batch < batch));
    for (int64_t done = 0, some; done < n; done += some, log->n += some) {
        const int64_t at = log->first + log->n;
        if ((size_t)(at / PAGE_KEYS) == log->n_pages) {
            MEM_GROW(log->pages, log->pages_capacity, log->n_pages + 1);
            TRY(page_pool_get(spill->pool, 1, &log->pages[log->n_pages]));
            log->n_pages++;
            spill->memory += (int64_t)sizeof *log->pages;
        }
        some = n - done;
        uint64_t *place = logged_keys(spill, log, at, &some);
        memcpy(place, keys + done, (size_t)some * sizeof *keys);
    }
    MEM_GROW(log->entries, log->entries_capacity, log->n_entries + 1);
    log->entries[log->n_entries++] = (log_entry_t){batch, (uint32_t)n};
    spill->memory += (int64_t)sizeof *log->entries;
    return ST_OK;
}

void spill_log_next(spill_t *spill, uint32_t table, uint32_t *batch, uint32_t end, const uint64_t **keys, int64_t *n)
{
    const batch_log_t *log = &table_at(spill, table)->log;
    int64_t at = log->first;
    size_t i = 0;
    for (; i < log->n_entries && log->entries[i].batch < *batch; i++)
        at += log->entries[i].n;
    *n = 0;
    if (i == log->n_entries || log->entries[i].batch >= end)
        return;
    *batch = log->entries[i].batch;
    *n = log->entries[i].n;
    MEM_GROW(spill->logged, spill->logged_capacity, (size_t)*n);
    for (int64_t done = 0, some; done < *n; done += some) {
        some = *n - done;
        const uint64_t *place = logged_keys(spill, log, at + done, &some);
        memcpy(spill->logged + done, place, (size_t)some * sizeof *place);
    }
    *keys = spill->logged;
}

void spill_log_drop(spill_t *spill, uint32_t table, uint32_t end)
{
    batch_log_t *log = &table_at(spill, table)->log;
    size_t entries = 0;
    for (; entries < log->n_entries && log->entries[entries].batch < end; entries++) {
        log->first += log->entries[entries].n;
        log->n -= log->entries[entries].n;
    }
    if (entries == 0)
        return;
    const size_t pages = log->n > 0 ? (size_t)(log->first / PAGE_KEYS) : log->n_pages;
    for (size_t i = 0; i < pages; i++)
        page_pool_put(spill->pool, 1, log->pages[i]);
    log->first = log->n > 0 ? log->first % PAGE_KEYS : 0;
    log->n_entries -= entries;
    log->n_pages -= pages;
    memmove(log->entries, log->entries + entries, log->n_entries * sizeof *log->entries);
    if (pages > 0)
        memmove(log->pages, log->pages + pages, log->n_pages * sizeof *log->pages);
    spill->memory -= (int64_t)(entries * sizeof *log->entries + pages * sizeof *log->pages);
}

/* ---- state ----------------------------------------------------------------------------------------------------------- */

int64_t spill_bytes(const spill_t *spill)
{
    return page_pool_bytes(spill->pool);
}

int64_t spill_memory(const spill_t *spill)
{
    return spill->memory;
}
