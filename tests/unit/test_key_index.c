/* test_key_index - "a full bucket overflows into the next", "a guess is only a hint": keys made to meet in one bucket with one
 * tag are still told apart, and an index that grows keeps every key.                                                    */
#include "common/base/hash.h"
#include "common/base/rng.h"
#include "ps/table/key_index.h"
#include "ps/table/row_arena.h"
#include "tests/lib/testing.h"

typedef struct fixture {
    row_arena_t arena;
    key_index_t index;
} fixture_t;

static void fixture_init(fixture_t *f, int64_t rows)
{
    row_arena_init(&f->arena, 1, false);
    key_index_init(&f->index, rows);
}

static void fixture_fini(fixture_t *f)
{
    key_index_fini(&f->index);
    row_arena_fini(&f->arena);
}

static void add(fixture_t *f, uint64_t key)
{
    int64_t id = f->arena.rows;
    row_arena_add(&f->arena)->key = key;
    key_index_add(&f->index, &f->arena, key, id);
}

static int64_t find(const fixture_t *f, uint64_t key)
{
    return key_index_find(&f->index, &f->arena, key, key_index_hash(key));
}

/* The key whose hash_mix is h: each step of the mix undone, last one first. */
static uint64_t unmix(uint64_t h)
{
    h = h ^ h >> 31 ^ h >> 62;
    h *= 0x319642b2d24d8ec3u;
    h = h ^ h >> 27 ^ h >> 54;
    h *= 0x96de1b173f119089u;
    h = h ^ h >> 30 ^ h >> 60;
    return h - 0x9e3779b97f4a7c15u;
}

static void test_unmix_is_the_inverse(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(hash_mix(unmix(rng_u64(1, 0, i))), rng_u64(1, 0, i));
}

/* Tags of all ones, which mark empty slots, included. */
static void test_keys_of_one_bucket_and_one_tag(void **state)
{
    (void)state;
    enum { N = 500 };
    const uint64_t tags[] = {0, 0x2aaaaa, 0x3fffff};
    for (int t = 0; t < 3; t++) {
        fixture_t f;
        fixture_init(&f, 0);
        for (uint64_t i = 0; i < N; i++) /* they differ in the ten bits of the slot only, which the index leaves out */
            add(&f, unmix(i << 54 | 0x15ull << 49 | tags[t]));
        uint64_t home = key_index_bucket(&f.index, key_index_hash(row_arena_at(&f.arena, 0)->key));
        for (int64_t i = 0; i < N; i++) {
            uint64_t key = row_arena_at(&f.arena, i)->key;
            assert_int_equal(key_index_bucket(&f.index, key_index_hash(key)), home);
            assert_int_equal(find(&f, key), i);
        }
        assert_int_equal(find(&f, unmix(1023ull << 54 | 0x15ull << 49 | tags[t])), KEY_INDEX_NONE);
        fixture_fini(&f);
    }
}

/* The last bucket overflows into the first. */
static void test_the_last_bucket_wraps(void **state)
{
    (void)state;
    fixture_t f;
    fixture_init(&f, 0);
    for (uint64_t i = 0; i < 100; i++)
        add(&f, unmix(i << 54 | ((1ull << 54) - 1)));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(find(&f, unmix(i << 54 | ((1ull << 54) - 1))), i);
    assert_int_equal(find(&f, unmix(100ull << 54 | ((1ull << 54) - 1))), KEY_INDEX_NONE);
    fixture_fini(&f);
}

static void test_growth_keeps_every_key(void **state)
{
    (void)state;
    enum { N = 200000 };
    fixture_t f;
    fixture_init(&f, 0);
    uint64_t buckets = f.index.buckets;
    int growths = 0, right_guesses = 0;
    for (uint64_t i = 0; i < N; i++) {
        add(&f, i);
        if (f.index.buckets == buckets)
            continue;
        assert_true(f.index.buckets <= buckets + buckets / 5 + 64); /* in smaller steps than doubling */
        buckets = f.index.buckets;
        growths++;
        for (uint64_t key = 0; key <= i; key += 97)
            assert_int_equal(find(&f, key), key);
    }
    assert_true(growths > 10);
    assert_true((double)N / (double)(buckets * KEY_INDEX_WAYS) > 0.69);
    for (uint64_t key = 0; key < N; key++) {
        assert_int_equal(find(&f, key), key);
        right_guesses += key_index_guess(&f.index, key_index_hash(key)) == (int64_t)key;
        assert_int_equal(find(&f, key + N), KEY_INDEX_NONE);
    }
    assert_true(right_guesses > N / 100 * 85);
    fixture_fini(&f);
}

static void remove_row(fixture_t *f, int64_t id)
{
    const int64_t last = f->arena.rows - 1;
    key_index_remove(&f->index, &f->arena, row_arena_at(&f->arena, id)->key, id);
    if (id != last)
        key_index_renumber(&f->index, row_arena_at(&f->arena, last)->key, last, id);
    row_arena_remove(&f->arena, id);
}

/* Rows come and go at random while the index is at its fullest and many buckets overflow; a plain array says where each key is.
 * Keys of a few buckets, of the last and first ones too, make long chains. */
static void test_removal_against_a_plain_map(void **state)
{
    (void)state;
    enum { KEYS = 1200, OPERATIONS = 30000 };
    static uint64_t keys[KEYS];
    static bool there[KEYS];
    for (int crowded = 0; crowded < 2; crowded++) {
        fixture_t f;
        fixture_init(&f, KEYS / 2);
        for (uint64_t i = 0; i < KEYS; i++) {
            const uint64_t bucket =
                crowded ? rng_u64(1, 0, i) % 4 + 62 : rng_u64(1, 0, i) % 64; /* of the 64 or more of a page */
            keys[i] = unmix((i % 1024) << 54 | ((bucket % 64) * ((1ull << 54) / 64) + (i / 1024 * 7919 + i % 5)));
            there[i] = false;
        }
        int64_t rows = 0, removals = 0;
        for (uint64_t o = 0; o < OPERATIONS; o++) {
            const int64_t i = (int64_t)(rng_u64(2, 0, o) % KEYS);
            const int64_t id = find(&f, keys[i]);
            assert_int_equal(id != KEY_INDEX_NONE, there[i]);
            if (there[i]) {
                assert_true(row_arena_at(&f.arena, id)->key == keys[i]);
                remove_row(&f, id);
                removals++;
                rows--;
            } else if (rows < f.index.rows_limit) {
                add(&f, keys[i]);
                rows++;
            } else {
                continue;
            }
            there[i] = !there[i];
            assert_int_equal(f.arena.rows, rows);
            if (o % 500 == 0)
                for (int64_t k = 0; k < KEYS; k++)
                    assert_int_equal(find(&f, keys[k]) != KEY_INDEX_NONE, there[k]);
        }
        assert_true(removals > OPERATIONS / 4);
        while (f.arena.rows > 0)
            remove_row(&f, f.arena.rows / 2);
        for (uint64_t s = 0; s < f.index.buckets * KEY_INDEX_WAYS; s++)
            assert_int_equal(f.index.slots[s], KEY_INDEX_EMPTY); /* nothing stays behind */
        row_arena_trim(&f.arena);
        assert_true(row_arena_bytes(&f.arena) < 4096);
        fixture_fini(&f);
    }
}

/* A hint spares growth: no key moves the slots. */
static void test_expected_rows_fit(void **state)
{
    (void)state;
    const int64_t rows[] = {1, 895, 896, 897, 100000};
    for (int r = 0; r < 5; r++) {
        fixture_t f;
        fixture_init(&f, rows[r]);
        const uint32_t *slots = f.index.slots;
        const uint64_t buckets = f.index.buckets;
        for (int64_t i = 0; i < rows[r]; i++)
            add(&f, (uint64_t)i);
        assert_ptr_equal(f.index.slots, slots);
        assert_int_equal(f.index.buckets, buckets);
        fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unmix_is_the_inverse),        cmocka_unit_test(test_keys_of_one_bucket_and_one_tag),
        cmocka_unit_test(test_the_last_bucket_wraps),       cmocka_unit_test(test_growth_keeps_every_key),
        cmocka_unit_test(test_removal_against_a_plain_map), cmocka_unit_test(test_expected_rows_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
