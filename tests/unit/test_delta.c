/* Proves of delta.h: what is written reads back, record by record; a file under its own name is whole; any flipped bit, any
 * cut, a block that is missing, doubled or moved, another format and another checkpoint's file are found before a record is
 * handed over, and named with the place. */
#include "ps/checkpoint/delta.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define TABLES 3
#define ROWS 700 /* of each table; enough for several blocks */

static const delta_width_t widths[TABLES] = {{1, 2}, {4, 9}, {500, 1000}};
static const delta_head_t head = {.incarnation = 5,
                                  .shard = 2,
                                  .step = 120,
                                  .previous = 100,
                                  .depth = 2,
                                  .tables = TABLES,
                                  .widths = widths,
                                  .identity = 0xabc,
                                  .follows = {3, 4}};

/* The i-th value of a row or gradient. */
static float value(uint64_t key, uint32_t table, int64_t i)
{
    return (float)(key * 7 + table * 3) + (float)i * 0.25f;
}

/* Blocks are handed to the writer when they are full, in turn for all tables. */
typedef struct pen {
    pool_t *pool;
    delta_writer_t *writer;
    delta_block_t *block;
    int blocks;
} pen_t;

static void put_block(pen_t *pen)
{
    assert_int_equal(delta_writer_put(pen->writer, pen->block), ST_OK);
    delta_block_destroy(&pen->block);
    pen->blocks++;
}

static void write_delta(const char *path, int rows, delta_totals_t *totals)
{
    pen_t pen = {.pool = pool_create()};
    float floats[1000];
    assert_int_equal(delta_writer_create(disk_posix(), path, &head, &pen.writer), ST_OK);
    pen.block = delta_block_create(pen.pool, DELTA_REMOVED, 0, 0);
    for (uint64_t key = 0; key < 3; key++)
        assert_true(delta_block_removed(pen.block, 1, key + 5000));
    put_block(&pen);
    pen.block = delta_block_create(pen.pool, DELTA_ROWS, 0, 0);
    for (int i = 0; i < rows * TABLES; i++) {
        const uint32_t t = (uint32_t)i % TABLES;
        const uint64_t key = (uint64_t)i / TABLES;
        for (int64_t f = 0; f < widths[t].payload_floats; f++)
            floats[f] = value(key, t, f);
        const table_row_t row = {key, t + 1, t + 2, floats};
        if (!delta_block_row(pen.block, t, widths[t].payload_floats, &row)) {
            put_block(&pen);
            pen.block = delta_block_create(pen.pool, DELTA_ROWS, 0, 0);
            assert_true(delta_block_row(pen.block, t, widths[t].payload_floats, &row));
        }
    }
    put_block(&pen);
    for (int64_t step = 118; step < 120; step++) {
        pen.block = delta_block_create(pen.pool, DELTA_PENDING, step, (int)(119 - step));
        for (uint64_t key = 0; key < 10; key++) {
            for (int64_t f = 0; f < 4; f++)
                floats[f] = value(key, (uint32_t)step, f);
            assert_true(delta_block_pending(pen.block, 1, 4, key, floats));
        }
        put_block(&pen);
    }
    assert_false(file_exists(path));
    assert_int_equal(delta_writer_finish(pen.writer, totals), ST_OK);
    delta_writer_destroy(&pen.writer);
    pool_destroy(&pen.pool);
    if (rows == ROWS)
        assert_true(pen.blocks > 5);
}

typedef struct seen {
    int rows, pending, removed;
    status_t after_rows; /* said after the 10th row */
} seen_t;

static status_t see_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    seen_t *seen = context;
    assert_int_equal(seen->removed, 3); /* keys are removed first */
    assert_int_equal(table, seen->rows % TABLES);
    assert_int_equal(row->key, seen->rows / TABLES);
    assert_int_equal(payload_floats, widths[table].payload_floats);
    assert_int_equal(row->version, table + 1);
    assert_int_equal(row->count, table + 2);
    for (int64_t f = 0; f < payload_floats; f++)
        assert_true(row->payload[f] == value(row->key, table, f));
    return ++seen->rows == 10 ? seen->after_rows : ST_OK;
}

static status_t see_pending(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key, const float *g)
{
    seen_t *seen = context;
    assert_int_equal(table, 1);
    assert_int_equal(dim, 4);
    assert_int_equal(step, 118 + seen->pending / 10);
    assert_int_equal(sender, 119 - step);
    assert_int_equal(key, seen->pending % 10);
    for (int64_t f = 0; f < dim; f++)
        assert_true(g[f] == value(key, (uint32_t)step, f));
    seen->pending++;
    return ST_OK;
}

static status_t see_removed(void *context, uint32_t table, uint64_t key)
{
    seen_t *seen = context;
    assert_int_equal(table, 1);
    assert_int_equal(key, 5000 + seen->removed++);
    return ST_OK;
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("a.delta");
    delta_totals_t totals;
    write_delta(path, ROWS, &totals);
    assert_false(file_exists(test_path("a.delta.tmp")));
    assert_int_equal(totals.rows, ROWS * TABLES);
    assert_int_equal(totals.pending, 20);
    assert_int_equal(totals.removed, 3);
    char *data;
    size_t bytes;
    assert_int_equal(file_read(path, &data, &bytes), ST_OK);
    assert_int_equal(totals.bytes, bytes);
    mem_free(data);

    delta_reader_t *reader = NULL;
    assert_int_equal(delta_reader_create(disk_posix(), path, &head, &reader), ST_OK);
    assert_memory_equal(delta_reader_totals(reader), &totals, sizeof totals);
    for (uint32_t t = 0; t <= TABLES; t++)
        assert_int_equal(delta_reader_rows(reader, t), t < TABLES ? ROWS : 0);
    const delta_head_t *found = delta_reader_head(reader);
    assert_int_equal(found->previous, 100);
    assert_int_equal(found->depth, 2);
    assert_int_equal(found->tables, TABLES);
    assert_memory_equal(found->widths, widths, sizeof widths);
    for (int round = 0; round < 2; round++) { /* it can be visited again */
        seen_t seen = {0};
        const delta_visitor_t visitor = {see_row, see_pending, see_removed, &seen};
        assert_int_equal(delta_reader_visit(reader, &visitor), ST_OK);
        assert_int_equal(seen.rows, totals.rows);
        assert_int_equal(seen.pending, totals.pending);
    }
    seen_t stopped = {.after_rows = ST_STOPPED};
    const delta_visitor_t visitor = {see_row, see_pending, see_removed, &stopped};
    assert_int_equal(delta_reader_visit(reader, &visitor), ST_STOPPED);
    assert_int_equal(stopped.rows, 10);
    delta_reader_destroy(&reader);
    assert_null(reader);
}

static void expect_damage(const char *path, const char *data, size_t bytes, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    delta_reader_t *reader = NULL;
    catch_start();
    assert_int_equal(delta_reader_create(disk_posix(), path, NULL, &reader), ST_CORRUPT);
    catch_stop();
    assert_null(reader);
    assert_caught(text);
}

static void test_damage_is_found_and_named(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("a.delta");
    delta_totals_t totals;
    char *data;
    size_t bytes;
    write_delta(path, 4, &totals);
    assert_int_equal(file_read(path, &data, &bytes), ST_OK);

    for (size_t at = 0; at < bytes; at += at < 400 || at + 400 > bytes ? 1 : 97) { /* a flipped bit */
        const char bit = (char)(1 << rng_u64(1, 2, at) % 8);
        data[at] ^= bit;
        expect_damage(path, data, bytes, "a.delta: ");
        data[at] ^= bit;
    }
    for (size_t length = 0; length < bytes; length += length < 400 || length + 400 > bytes ? 1 : 97) /* a cut */
        expect_damage(path, data, length, "cut short");

    const size_t first = 80 + TABLES * 8, removed = 32 + 3 * 12; /* the block of removed keys, and where it is */
    char *other = MEM_ARRAY(char, bytes + removed + 1);
    memcpy(other, data, bytes); /* one byte more */
    expect_damage(path, other, bytes + 1, "goes on for 1 bytes behind its end block");
    memcpy(other, data, first); /* a block is missing */
    memcpy(other + first, data + first + removed, bytes - first - removed);
    expect_damage(path, other, bytes - removed, "blocks are missing, doubled or out of place");
    memcpy(other, data, first + removed); /* doubled */
    memcpy(other + first + removed, data + first, bytes - first);
    expect_damage(path, other, bytes + removed, "blocks are missing, doubled or out of place");

    memcpy(other, data, bytes);
    other[first + removed + 32 + 40]++;
    char *text = mem_printf("bytes at byte %zu differs from its checksum: the file is damaged", first + removed);
    expect_damage(path, other, bytes, text);
    mem_free(text);
    memcpy(other, data, bytes);
    other[8] = DELTA_FORMAT + 1;
    expect_damage(path, other, bytes, "is of format 3; this build reads formats 1 to 2: use the build that wrote it");
    expect_damage(path, "some other file, which is longer than the head of a delta is", 60,
                  "is no shard's part of a checkpoint");
    mem_free(other);
    mem_free(data);
}

static void test_files_are_not_mixed_up(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("a.delta");
    delta_totals_t totals;
    write_delta(path, 4, &totals);
    delta_reader_t *reader = NULL;
    for (int i = 0; i < 4; i++) {
        delta_head_t expected = head;
        expected.incarnation += i == 0;
        expected.shard += i == 1;
        expected.step += i == 2;
        expected.identity += i == 3;
        catch_start();
        assert_int_equal(delta_reader_create(disk_posix(), path, &expected, &reader), ST_CORRUPT);
        catch_stop();
        assert_caught(i == 0   ? "is of incarnation 5, shard 2, step 120; incarnation 6, shard 2, step 120 is wanted"
                      : i == 1 ? "incarnation 5, shard 3, step 120 is wanted"
                      : i == 2 ? "incarnation 5, shard 2, step 121 is wanted"
                               : "a.delta: its run id is 0000000000000abc, that of the run is 0000000000000abd");
        assert_null(reader);
    }
    catch_start();
    assert_int_equal(delta_reader_create(disk_posix(), test_path("b.delta"), NULL, &reader), ST_INPUT);
    catch_stop();
    assert_caught("b.delta: cannot open: No such file or directory");
}

static void test_a_full_disk_is_an_error(void **state)
{
    (void)state;
    test_dir();
    delta_writer_t *writer = NULL;
    catch_start();
    assert_int_equal(symlink("/dev/full", test_path("a.delta.tmp")), 0);
    assert_int_equal(delta_writer_create(disk_posix(), test_path("a.delta"), &head, &writer), ST_SYSTEM);
    catch_stop();
    assert_null(writer);
    assert_caught("a.delta.tmp: cannot write: No space left on device");
    assert_false(file_exists(test_path("a.delta.tmp")));
    assert_false(file_exists(test_path("a.delta")));
}

/* A folder has the name that the file is to get. */
static void test_a_name_that_is_taken(void **state)
{
    (void)state;
    test_dir();
    delta_writer_t *writer;
    delta_totals_t totals;
    assert_int_equal(dir_create(test_path("taken.delta")), ST_OK);
    assert_int_equal(delta_writer_create(disk_posix(), test_path("taken.delta"), &head, &writer), ST_OK);
    catch_start();
    assert_int_equal(delta_writer_finish(writer, &totals), ST_INPUT);
    catch_stop();
    assert_caught("taken.delta.tmp: cannot rename to ");
    delta_writer_destroy(&writer);
    assert_false(file_exists(test_path("taken.delta.tmp")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_reads_back), cmocka_unit_test(test_damage_is_found_and_named),
        cmocka_unit_test(test_files_are_not_mixed_up),     cmocka_unit_test(test_a_full_disk_is_an_error),
        cmocka_unit_test(test_a_name_that_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
