/* A delta file (ps/checkpoint/delta.h). The first byte says which of its checksums are made right before it is read: without
 * that every change would end at the first of them, and never reach what a file says that was made on purpose.
 *
 *     u8 {bit 0: the head's, bit 1: the blocks', bit 2: the end's}, the file                                                 */
#include <stddef.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "ps/checkpoint/delta.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"

#define FILE_MOST 4096
#define NAME "delta"
enum { MEND_HEAD = 1, MEND_BLOCKS = 2, MEND_END = 4 };

/* Offsets of the layout that delta.c draws. */
enum { HEAD_FORMAT = 8, HEAD_TABLES = 12, HEAD_1 = 56, HEAD_2 = 80, BLOCK_HEAD = 32, BLOCK_BYTES = 20, END_RECORD = 40 };

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void mend(uint8_t *file, size_t bytes, unsigned what)
{
    if (bytes < HEAD_1)
        return;
    const size_t fixed = u32_at(file + HEAD_FORMAT) == 1 ? HEAD_1 : HEAD_2;
    const uint64_t tables = u32_at(file + HEAD_TABLES);
    if (bytes < fixed || tables > (bytes - fixed) / sizeof(delta_width_t))
        return;
    const size_t first = fixed + tables * sizeof(delta_width_t);
    if (what & MEND_HEAD)
        put_u64(file + fixed - 8, hash64(file + fixed, first - fixed, hash64(file, fixed - 8, 0)));
    for (size_t at = first; bytes - at >= BLOCK_HEAD;) {
        const uint64_t records = u32_at(file + at + BLOCK_BYTES);
        if (records > bytes - at - BLOCK_HEAD)
            return;
        if (u32_at(file + at) == DELTA_END && records == END_RECORD && what & MEND_END) {
            hash_stream_t *hash = hash_stream_create();
            uint64_t low, high;
            hash_stream_add(hash, file, at);
            hash_stream_value(hash, &low, &high);
            hash_stream_destroy(&hash);
            put_u64(file + at + BLOCK_HEAD + 24, low);
            put_u64(file + at + BLOCK_HEAD + 32, high);
        }
        if (what & MEND_BLOCKS)
            put_u64(file + at + 24, hash64(file + at + BLOCK_HEAD, records, hash64(file + at, 24, 0)));
        at += BLOCK_HEAD + records;
    }
}

typedef struct seen {
    int64_t rows, pending, removed;
    double sum; /* every float is read */
} seen_t;

static status_t see_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    seen_t *seen = context;
    (void)table;
    seen->rows++;
    for (int64_t i = 0; i < payload_floats; i++)
        seen->sum += row->payload[i];
    return ST_OK;
}

static status_t see_pending(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key, const float *g)
{
    seen_t *seen = context;
    (void)table;
    (void)key;
    ASSERT(step >= 0 && sender >= 0);
    seen->pending++;
    for (int64_t i = 0; i < dim; i++)
        seen->sum += g[i];
    return ST_OK;
}

static status_t see_removed(void *context, uint32_t table, uint64_t key)
{
    seen_t *seen = context;
    (void)table;
    (void)key;
    seen->removed++;
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    size_t bytes;
    const unsigned what = fuzz_byte(&in);
    uint8_t *file = fuzz_rest(&in, FILE_MOST, &bytes);
    mend(file, bytes, what);
    fuzz_file(NAME, file, bytes);
    delta_reader_t *reader = NULL;
    const delta_head_t expected = {.incarnation = 1, .shard = 2, .step = 30};
    status_t status = delta_reader_create(fuzz_disk(), "/" NAME, what & 8 ? &expected : NULL, &reader);
    if (status == ST_OK) {
        seen_t seen = {0};
        const delta_visitor_t visitor = {see_row, see_pending, see_removed, &seen};
        const delta_totals_t *totals = delta_reader_totals(reader);
        status = delta_reader_visit(reader, &visitor);
        ASSERT(status == ST_OK); /* a reader checks all of it before it hands anything over */
        ASSERT(seen.rows == totals->rows && seen.pending == totals->pending && seen.removed == totals->removed);
        int64_t rows = 0;
        for (uint32_t t = 0; t < delta_reader_head(reader)->tables; t++)
            rows += delta_reader_rows(reader, t);
        ASSERT(rows == seen.rows && totals->bytes == (int64_t)bytes);
        const hash128_t other = {1, 2};
        status = delta_reader_check(reader, what & 16 ? &other : NULL, NULL);
    }
    delta_reader_destroy(&reader);
    fuzz_files_forget();
    mem_free(file);
    return 0;
}

static void put_block(delta_writer_t *writer, pool_t *pool, delta_kind_t kind, int n)
{
    static const float numbers[16] = {1, 2, 3};
    delta_block_t *block = delta_block_create(pool, kind, kind == DELTA_PENDING ? 29 : 0, kind == DELTA_PENDING ? 3 : 0);
    for (int i = 0; i < n; i++) {
        const table_row_t row = {(uint64_t)i, 1, 1, numbers};
        const bool put = kind == DELTA_ROWS      ? delta_block_row(block, (uint32_t)i % 2, i % 2 ? 4 : 2, &row)
                         : kind == DELTA_PENDING ? delta_block_pending(block, 0, 1, (uint64_t)i, numbers)
                                                 : delta_block_removed(block, 1, (uint64_t)i);
        ASSERT(put);
    }
    const status_t status = delta_writer_put(writer, block);
    ASSERT(status == ST_OK);
    delta_block_destroy(&block);
}

static void seed(const char *name, bool rows, bool pending, bool removed)
{
    static const delta_width_t widths[] = {{1, 2}, {2, 4}};
    const delta_head_t head = {
        .incarnation = 1, .shard = 2, .step = 30, .previous = 20, .depth = 1, .tables = 2, .widths = widths};
    delta_writer_t *writer = NULL;
    delta_totals_t totals;
    pool_t *pool = pool_create();
    status_t status = delta_writer_create(fuzz_disk(), "/" NAME, &head, &writer);
    ASSERT(status == ST_OK);
    if (removed)
        put_block(writer, pool, DELTA_REMOVED, 2);
    if (rows)
        put_block(writer, pool, DELTA_ROWS, 3);
    if (pending)
        put_block(writer, pool, DELTA_PENDING, 2);
    status = delta_writer_finish(writer, &totals);
    ASSERT(status == ST_OK);
    delta_writer_destroy(&writer);
    pool_destroy(&pool);
    size_t bytes;
    const void *data = fuzz_disk_written(&bytes);
    const uint8_t mends = MEND_HEAD | MEND_BLOCKS | MEND_END;
    fuzz_seed_with(name, &mends, 1, data, bytes);
}

void fuzz_seeds(void)
{
    seed("empty", false, false, false);
    seed("rows", true, false, false);
    seed("pending", false, true, false);
    seed("whole", true, true, true);
}
