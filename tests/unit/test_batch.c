/* test_batch - "every occurrence mapped to its unique key, and the way back for gradients" (worker/batch.h), against naive
 * loops over random datasets: single- and multi-valued fields, weights, empty fields, 1 to 5 shards with random slots,
 * buffers that are used again for larger, smaller and empty batches. */
#include "worker/batch.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"

#define ROWS_MOST 300

/* Which field and shard the segments say that a unique belongs to. */
typedef struct table_place {
    int field, shard;
} table_place_t;

/* Segments: ascending fields, none empty, counts that cover a shard's uniques; shards cover all uniques. */
static table_place_t *check_segments(const batch_t *batch, int shards, const uint16_t *slot_shard)
{
    table_place_t *place = MEM_ARRAY(table_place_t, batch->uniques);
    int32_t u = 0;
    assert_int_equal(batch->shard_first[0], 0);
    assert_int_equal(batch->segment_first[0], 0);
    for (int s = 0; s < shards; s++) {
        assert_int_equal(batch->shard_first[s], u);
        int last = -1;
        for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++) {
            const wire_segment_t *segment = &batch->segments[i];
            assert_true((int)segment->table > last && (int)segment->table < batch->single + batch->multi);
            assert_true(segment->count > 0);
            last = (int)segment->table;
            const int32_t first = u;
            for (; u < first + (int32_t)segment->count; u++) {
                assert_true(u < batch->uniques);
                place[u] = (table_place_t){last, s};
                assert_int_equal(slot_shard[hash_slot(batch->keys[u])], s);
                for (int32_t v = first; v < u; v++)
                    assert_true(batch->keys[v] != batch->keys[u]);
            }
        }
    }
    assert_int_equal(batch->shard_first[shards], batch->uniques);
    assert_int_equal(u, batch->uniques);
    return place;
}

/* The list of uses of every unique, from a scan of all occurrences in ascending rows. */
static void check_uses(const batch_t *batch, const sample_t *sample, const int64_t *positions, const table_place_t *place)
{
    assert_int_equal(batch->use_first[0], 0);
    for (int32_t u = 0; u < batch->uniques; u++) {
        uint32_t at = batch->use_first[u];
        for (int r = 0; r < batch->rows; r++) {
            const sample_row_t *row = &sample->row[positions[r]];
            const int f = place[u].field, m = f - batch->single;
            const int n = m < 0 ? 1 : row->count[m];
            for (int i = 0; i < n; i++) {
                if ((m < 0 ? row->single[f] : row->key[m][i]) != batch->keys[u])
                    continue;
                assert_true(at < batch->use_first[u + 1]);
                assert_int_equal(batch->use_row[at], r);
                const float scale = m < 0 ? 1.0f : sample_scale(row, m, i);
                assert_memory_equal(&batch->use_scale[at], &scale, sizeof scale);
                at++;
            }
        }
        assert_true(at > batch->use_first[u]); /* no unique without a use */
        assert_int_equal(at, batch->use_first[u + 1]);
    }
}

static void check_batch(const batch_t *batch, const sample_t *sample, const int64_t *positions, int rows, int shards,
                        const uint16_t *slot_shard)
{
    assert_int_equal(batch->rows, rows);
    assert_int_equal(batch->single, sample->o.single);
    assert_int_equal(batch->multi, sample->o.multi);
    assert_int_equal(batch->numeric, sample->o.numeric);
    table_place_t *place = check_segments(batch, shards, slot_shard);
    for (int r = 0; r < rows; r++) {
        const sample_row_t *row = &sample->row[positions[r]];
        assert_int_equal(batch->label[r], row->label);
        assert_int_equal(batch->group[r], row->group);
        if (batch->numeric)
            assert_memory_equal(batch->values + r * batch->numeric, row->numeric, sizeof(float) * (size_t)batch->numeric);
        for (int f = 0; f < batch->single; f++) {
            const uint32_t u = batch->single_unique[r * batch->single + f];
            assert_true(u < (uint32_t)batch->uniques);
            assert_int_equal(place[u].field, f);
            assert_true(batch->keys[u] == row->single[f]);
        }
        for (int m = 0; m < batch->multi; m++) {
            const uint32_t *at = &batch->multi_at[m * rows + r];
            assert_int_equal(at[1] - at[0], row->count[m]);
            for (int i = 0; i < row->count[m]; i++) {
                const uint32_t u = batch->multi_unique[at[0] + (uint32_t)i];
                assert_true(u < (uint32_t)batch->uniques);
                assert_int_equal(place[u].field, batch->single + m);
                assert_true(batch->keys[u] == row->key[m][i]);
                const float scale = sample_scale(row, m, i);
                assert_memory_equal(&batch->multi_scale[at[0] + (uint32_t)i], &scale, sizeof scale);
            }
        }
    }
    check_uses(batch, sample, positions, place);
    mem_free(place);
}

static void run(const sample_options_t *options, int shards)
{
    sample_t *sample = sample_create(options);
    uint16_t slot_shard[HASH_SLOTS];
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        slot_shard[slot] = (uint16_t)(rng_u64(options->seed, 1, (uint64_t)slot) % (uint64_t)shards);
    dataset_t *dataset;
    assert_int_equal(dataset_open(options->path, 1 << 20, &dataset), ST_OK);
    batch_builder_t *builder = batch_builder_create(dataset, shards, slot_shard, NULL);
    batch_t batch = {0};
    static const int sizes[] = {17, 1, ROWS_MOST, 0, 40, 3, 128};
    int64_t positions[ROWS_MOST];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int r = 0; r < sizes[i]; r++)
            positions[r] = (int64_t)(rng_u64(options->seed, 2 + i, (uint64_t)r) % (uint64_t)options->rows);
        assert_int_equal(batch_build(builder, positions, sizes[i], (int64_t)i * 7, &batch), ST_OK);
        assert_int_equal(batch.step, i * 7);
        check_batch(&batch, sample, positions, sizes[i], shards, slot_shard);
    }
    batch_reset(&batch);
    assert_null(batch.keys);
    batch_builder_destroy(&builder);
    dataset_close(&dataset);
    sample_destroy(&sample);
}

static void test_against_naive_loops(void **state)
{
    (void)state;
    static const int shapes[][3] = {{3, 2, 2}, {1, 0, 0}, {0, 1, 0}, {0, 3, 1}, {4, 4, 4}, {2, 0, 3}, {0, 0, 2}};
    test_dir();
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int shards = 1; shards <= 5; shards++, seed++) {
            const sample_options_t options = {
                .path = test_path("data-%d", (int)seed),
                .seed = seed,
                .rows = 500,
                .single = shapes[i][0],
                .multi = shapes[i][1],
                .numeric = shapes[i][2],
                .values = seed % 2 ? 40 : 2000,
                .train_fraction = 0.7,
                .weights = seed % 3 != 0,
            };
            run(&options, shards);
        }
}

/* The same key in every field and row: one unique per field, used by every row, by some rows several times. */
static void test_one_value_everywhere(void **state)
{
    (void)state;
    test_dir();
    const sample_options_t options = {.path = test_path("one"), .seed = 9, .rows = 60, .single = 2, .multi = 2, .values = 1};
    run(&options, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive_loops),
        cmocka_unit_test(test_one_value_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
