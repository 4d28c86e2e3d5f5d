/* Proves the counts behind `inspect`: exact against a plain array, the most frequent first, and texts that stay bounded in
 * number and are still there for every frequent value. */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/value_count.h"

enum { VALUES = 5000 };

static const value_text_t no_text = VALUE_TEXT_NONE;

static uint64_t key_of(uint64_t value)
{
    return value * 0x9e3779b97f4a7c15u; /* 0 is a key too */
}

static void test_counts_are_exact(void **state)
{
    (void)state;
    value_count_t *counts = value_count_create();
    int64_t *plain = MEM_ARRAY(int64_t, VALUES), total = 0, distinct = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        const double u = rng_uniform(1, 1, i);
        const uint64_t value = (uint64_t)(u * u * u * VALUES); /* skewed to small values */
        const uint32_t times = (uint32_t)(rng_u64(1, 2, i) % 3);
        const uint64_t key = key_of(value);
        value_count_add(counts, 1, &key, &times, &no_text, NULL, NULL);
        plain[value] += times;
        total += times;
    }
    for (uint64_t value = 0; value < VALUES; value++) {
        assert_int_equal(value_count_of(counts, key_of(value)), plain[value]);
        distinct += plain[value] > 0;
    }
    assert_int_equal(value_count_total(counts), total);
    assert_int_equal(value_count_distinct(counts), distinct);

    value_top_t top[20];
    assert_int_equal(value_count_top(counts, top, 20), 20);
    for (int i = 0; i < 20; i++) { /* by repeated search for the largest */
        uint64_t best = 0;
        for (uint64_t value = 1; value < VALUES; value++)
            if (plain[value] > plain[best] || (plain[value] == plain[best] && key_of(value) < key_of(best)))
                best = value;
        assert_true(top[i].key == key_of(best));
        assert_int_equal(top[i].count, plain[best]);
        assert_false(top[i].named);
        plain[best] = -1;
    }
    mem_free(plain);
    value_count_destroy(&counts);
    assert_null(counts);
    value_count_destroy(&counts);
}

/* Values at once are counted as they are one by one, also while the table grows. */
static void test_many_values_at_once(void **state)
{
    (void)state;
    enum { BLOCK = 700 };
    value_count_t *counts = value_count_create(), *plain = value_count_create();
    uint64_t keys[BLOCK];
    uint32_t times[BLOCK];
    value_text_t texts[BLOCK];
    for (uint64_t block = 0; block < 20; block++) {
        for (uint64_t i = 0; i < BLOCK; i++) {
            keys[i] = key_of(block * 300 + i);
            times[i] = (uint32_t)(rng_u64(2, block, i) % 4);
            texts[i] = no_text;
            value_count_add(plain, 1, &keys[i], &times[i], &no_text, NULL, NULL);
        }
        value_count_add(counts, BLOCK, keys, times, texts, NULL, NULL);
    }
    assert_int_equal(value_count_total(counts), value_count_total(plain));
    assert_int_equal(value_count_distinct(counts), value_count_distinct(plain));
    for (uint64_t value = 0; value < 20 * 300 + BLOCK; value++)
        assert_int_equal(value_count_of(counts, key_of(value)), value_count_of(plain, key_of(value)));
    value_count_destroy(&counts);
    value_count_destroy(&plain);
}

static void add_text(value_count_t *counts, uint64_t key, uint32_t times, const char *text)
{
    const value_text_t at = {0, strlen(text)};
    value_count_add(counts, 1, &key, &times, &at, text, NULL);
}

static void test_texts_are_cut(void **state)
{
    (void)state;
    value_count_t *counts = value_count_create();
    add_text(counts, 5, 0, "five");
    assert_int_equal(value_count_distinct(counts), 0);
    value_top_t top[2];
    assert_int_equal(value_count_top(counts, top, 2), 0);
    add_text(counts, 5, 2, "five");
    add_text(counts, 6, 1, "a text that is longer than what is kept of any text, by far");
    assert_int_equal(value_count_top(counts, top, 2), 2);
    assert_string_equal(top[0].text, "five");
    assert_string_equal(top[1].text, "a text that is longer than what is kept of any ");
    value_count_destroy(&counts);
}

/* A value that becomes frequent only after very many others were named still gets its text. */
static void test_late_but_frequent_values_are_named(void **state)
{
    (void)state;
    value_count_t *counts = value_count_create();
    char text[32];
    for (uint64_t i = 1; i <= 200000; i++) {
        sprintf(text, "rare %" PRIu64, i);
        add_text(counts, key_of(i), 1, text);
    }
    for (int i = 0; i < 3000; i++)
        add_text(counts, key_of(1000000), 1, "late");
    value_top_t top[1];
    assert_int_equal(value_count_top(counts, top, 1), 1);
    assert_int_equal(top[0].count, 3000);
    assert_true(top[0].named);
    assert_string_equal(top[0].text, "late");
    value_count_destroy(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_exact),
        cmocka_unit_test(test_many_values_at_once),
        cmocka_unit_test(test_texts_are_cut),
        cmocka_unit_test(test_late_but_frequent_values_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
