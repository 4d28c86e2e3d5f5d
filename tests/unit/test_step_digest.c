/* test_step_digest - "equal for equal steps, whatever the cluster, and able to say where two unequal ones part": order and
 * spreading over shards do not matter, a single row that differs is named by table, slot and key, whatever key it is, and
 * rows that differ in numbers are never mistaken for one. The digests of runs are kept and compared for years: their words are
 * computed again from the definition in the header, for rows of all widths. */
#include "common/base/step_digest.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define TABLES 7
#define ROWS 500
#define DIM 6
#define WORDS_MOST 64

typedef struct row {
    uint32_t table;
    uint64_t key;
    float payload[DIM];
} row_t;

static void make_rows(row_t *rows, uint64_t seed)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i].table = (uint32_t)(rng_u64(seed, 1, i) % TABLES);
        rows[i].key = rng_u64(seed, 2, i) >> (rng_u64(seed, 3, i) % 64); /* of all magnitudes */
        rng_fill_normal(rows[i].payload, DIM, 1.0F, seed, 4 + i, 0);
    }
}

static void digest_of(const row_t *rows, int first, int end, uint64_t *words)
{
    step_digest_t d = {.words = words, .tables = TABLES};
    for (int i = first; i < end; i++)
        step_digest_rows(&d, rows[i].table, &rows[i].key, &(const void *){rows[i].payload}, 1, sizeof rows[i].payload);
    step_digest_end(&d);
}

static void test_order_and_shards_do_not_matter(void **state)
{
    (void)state;
    row_t rows[ROWS], reversed[ROWS];
    make_rows(rows, 1);
    for (int i = 0; i < ROWS; i++)
        reversed[i] = rows[ROWS - 1 - i];
    uint64_t whole[WORDS_MOST] = {0}, other[WORDS_MOST] = {0}, part[WORDS_MOST] = {0}, merged[WORDS_MOST] = {0};
    assert_true(step_digest_words(TABLES) <= WORDS_MOST);
    digest_of(rows, 0, ROWS, whole);
    digest_of(reversed, 0, ROWS, other);
    assert_memory_equal(whole, other, sizeof whole);
    digest_of(rows, 0, 170, part);
    step_digest_merge(merged, part, TABLES);
    memset(part, 0, sizeof part);
    digest_of(rows, 170, ROWS, part);
    step_digest_merge(merged, part, TABLES);
    assert_memory_equal(whole, merged, sizeof whole);
    step_difference_t d;
    assert_false(step_digest_compare(whole, merged, TABLES, &d));
}

static void test_one_row_is_named(void **state)
{
    (void)state;
    row_t rows[ROWS];
    for (uint64_t seed = 1; seed <= 200; seed++) {
        make_rows(rows, seed);
        uint64_t a[WORDS_MOST] = {0}, b[WORDS_MOST] = {0};
        digest_of(rows, 0, ROWS, a);
        row_t *row = &rows[seed * 37 % ROWS];
        if (seed % 10 == 0)
            row->key = seed % 20 ? 0 : UINT64_MAX;
        if (seed % 10 == 0) {
            memset(a, 0, sizeof a);
            digest_of(rows, 0, ROWS, a);
        }
        uint32_t bits;
        memcpy(&bits, &row->payload[seed % DIM], sizeof bits);
        bits ^= 1; /* the last bit of one weight */
        memcpy(&row->payload[seed % DIM], &bits, sizeof bits);
        digest_of(rows, 0, ROWS, b);
        step_difference_t d;
        assert_true(step_digest_compare(a, b, TABLES, &d));
        assert_true(d.one_row);
        assert_true(d.key == row->key);
        assert_int_equal(d.tables, 1);
        assert_int_equal(d.first_table, row->table);
        assert_int_equal(d.first_slot, hash_slot(row->key));
        assert_int_equal(d.last_slot, hash_slot(row->key));
    }
}

/* A row that one run updates and the other does not is one row, too. */
static void test_a_missing_row_is_named(void **state)
{
    (void)state;
    row_t rows[ROWS];
    make_rows(rows, 9);
    uint64_t a[WORDS_MOST] = {0}, b[WORDS_MOST] = {0};
    digest_of(rows, 0, ROWS, a);
    digest_of(rows, 1, ROWS, b);
    step_difference_t d;
    assert_true(step_digest_compare(a, b, TABLES, &d));
    assert_true(d.one_row && d.key == rows[0].key);
}

static void test_more_rows_are_ranged(void **state)
{
    (void)state;
    row_t rows[ROWS];
    for (uint64_t seed = 1; seed <= 300; seed++) {
        make_rows(rows, seed);
        uint64_t a[WORDS_MOST] = {0}, b[WORDS_MOST] = {0};
        digest_of(rows, 0, ROWS, a);
        const int changed = 2 + (int)(seed % 3);
        bool tables[TABLES] = {false};
        int first_group = STEP_DIGEST_GROUPS, groups = 0, n_tables = 0, first_table = TABLES;
        bool group_seen[STEP_DIGEST_GROUPS] = {false};
        for (int i = 0; i < changed; i++) {
            row_t *row = &rows[i * 100];
            row->payload[0] += 1.0F;
            const int group = (int)hash_slot(row->key) / (HASH_SLOTS / STEP_DIGEST_GROUPS);
            n_tables += !tables[row->table];
            tables[row->table] = true;
            groups += !group_seen[group];
            group_seen[group] = true;
            first_group = group < first_group ? group : first_group;
            first_table = (int)row->table < first_table ? (int)row->table : first_table;
        }
        digest_of(rows, 0, ROWS, b);
        step_difference_t d;
        assert_true(step_digest_compare(a, b, TABLES, &d));
        assert_false(d.one_row);
        assert_int_equal(d.tables, n_tables);
        assert_int_equal(d.first_table, first_table);
        assert_int_equal(d.groups, groups);
        assert_int_equal(d.first_slot, first_group * 32);
        assert_int_equal(d.last_slot, first_group * 32 + 31);
    }
}

/* The words by their definition, a row at a time. */
static void add_by_definition(uint64_t *words, uint32_t table, uint64_t key, const void *payload, size_t bytes)
{
    const uint64_t prime = (UINT64_C(1) << 61) - 1;
    const uint64_t hash = hash64(payload, bytes, hash_mix(key) + table * 0xd6e8feb86659fd93u);
    const uint64_t h = (hash & prime) + (hash >> 61);
    words[0] = (uint64_t)((words[0] + (unsigned __int128)h) % prime);
    words[1] = (uint64_t)((words[1] + (unsigned __int128)h * (key & UINT32_MAX)) % prime);
    words[2] = (uint64_t)((words[2] + (unsigned __int128)h * (key >> 32)) % prime);
    uint32_t counters[STEP_DIGEST_GROUPS + TABLES];
    memcpy(counters, words + STEP_DIGEST_SUMS, sizeof counters);
    counters[hash_slot(key) / 32] += (uint32_t)((hash * 0x9fb21c651e98df25u) >> 32);
    counters[STEP_DIGEST_GROUPS + table] += (uint32_t)((hash * 0xc2b2ae3d27d4eb4fu) >> 32);
    memcpy(words + STEP_DIGEST_SUMS, counters, sizeof counters);
}

static void test_words_are_those_of_the_definition(void **state)
{
    (void)state;
    float payloads[STEP_DIGEST_ROWS][100];
    for (size_t floats = 1; floats <= 100; floats++) {
        uint64_t words[WORDS_MOST] = {0}, wanted[WORDS_MOST] = {0}, keys[STEP_DIGEST_ROWS];
        step_digest_t d = {.words = words, .tables = TABLES};
        for (int n = 1; n <= STEP_DIGEST_ROWS; n++) {
            const uint32_t table = (uint32_t)((size_t)n + floats) % TABLES;
            const void *at[STEP_DIGEST_ROWS];
            for (int i = 0; i < n; i++) {
                keys[i] = rng_u64(floats, (uint64_t)n, (uint64_t)i) >> (i * 9);
                rng_fill_normal(payloads[i], (int64_t)floats, 1.0F, floats, (uint64_t)(n * 16 + i), 0);
                at[i] = payloads[i];
                add_by_definition(wanted, table, keys[i], payloads[i], floats * sizeof(float));
            }
            step_digest_rows(&d, table, keys, at, n, floats * sizeof(float));
        }
        step_digest_end(&d);
        assert_memory_equal(words, wanted, sizeof words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_shards_do_not_matter),
        cmocka_unit_test(test_one_row_is_named),
        cmocka_unit_test(test_a_missing_row_is_named),
        cmocka_unit_test(test_more_rows_are_ranged),
        cmocka_unit_test(test_words_are_those_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
