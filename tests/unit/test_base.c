/* Proves the foundations that everything stands on: random numbers equal to Random123's known answers and the same for ever,
 * a quantile that inverts the normal distribution, permutations, digests that do not depend on order, log lines, memory. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/identity.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pool.h"
#include "common/base/rng.h"
#include "common/base/text.h"

/* kat_vectors of Random123 (Salmon et al., SC 2011), philox4x32 10. */
static void test_philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint32_t out[4];
        rng_philox(vectors[i].counter, vectors[i].key, out);
        assert_memory_equal(out, vectors[i].expected, sizeof out);
    }
}

/* AS 241 promises about one part in 10^7; its worst is 1.17e-7, at p = 1.5e-9. */
#define QUANTILE_TOLERANCE 1.2e-7

/* The relative error of a quantile x < 0: one Newton step from x, with the C library's erfc. */
static double quantile_error(double p)
{
    double x = rng_normal_quantile(p);
    double density = exp(-0.5 * x * x) / sqrt(2.0 * M_PI), distribution = 0.5 * erfc(-x / sqrt(2.0));
    return fabs((distribution - p) / density / x);
}

static void test_quantile_inverts_the_distribution(void **state)
{
    (void)state;
    assert_true(rng_normal_quantile(0.5) == 0.0);
    for (int i = 1; i < 4096; i++) {
        double p = i / 8192.0;
        assert_true(quantile_error(p) < QUANTILE_TOLERANCE);
        assert_true(rng_normal_quantile(1.0 - p) == -rng_normal_quantile(p)); /* 1 - p is exact */
    }
    /* The tail, down to the smallest probability that a draw can have (2^-54). */
    for (double p = 1e-3; p >= 0x1p-54; p *= 0.9)
        assert_true(quantile_error(p) < QUANTILE_TOLERANCE);
}

static void test_variates_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    float *normal = MEM_ARRAY(float, N), *uniform = MEM_ARRAY(float, N);
    rng_fill_normal(normal, N, 2.0f, 7, 1, 0);
    rng_fill_uniform(uniform, N, 3.0f, 7, 2, 0);
    double moment[5] = {0}, uniform_mean = 0, uniform_square = 0;
    for (int i = 0; i < N; i++) {
        double z = (double)normal[i] / 2, u = (double)uniform[i] / 3;
        for (int k = 1; k <= 4; k++)
            moment[k] += pow(z, k) / N;
        uniform_mean += u / N;
        uniform_square += u * u / N;
        assert_true(fabs(u) < 1);
    }
    /* Five standard errors each. */
    assert_true(fabs(moment[1]) < 5 / sqrt(N));
    assert_true(fabs(moment[2] - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(moment[3]) < 5 * sqrt(15.0 / N));
    assert_true(fabs(moment[4] - 3) < 5 * sqrt(96.0 / N));
    assert_true(fabs(uniform_mean) < 5 * sqrt(1.0 / 3 / N));
    assert_true(fabs(uniform_square - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    mem_free(normal);
    mem_free(uniform);
}

static void test_values_are_functions_of_their_position(void **state)
{
    (void)state;
    float whole[32], part[8];
    rng_fill_normal(whole, 32, 1.0f, 5, 6, 0);
    rng_fill_normal(part, 8, 1.0f, 5, 6, 16);
    assert_memory_equal(part, whole + 16, sizeof part);
    rng_fill_normal(part, 3, 1.0f, 5, 6, 4); /* a length that is no multiple of a block */
    assert_memory_equal(part, whole + 4, 3 * sizeof *part);
    rng_fill_uniform(whole, 32, 1.0f, 5, 6, 0);
    rng_fill_uniform(part, 8, 1.0f, 5, 6, 8);
    assert_memory_equal(part, whole + 8, sizeof part);

    assert_true(rng_u64(1, 2, 3) == rng_u64(1, 2, 3));
    assert_true(rng_u64(1, 2, 3) != rng_u64(2, 2, 3) && rng_u64(1, 2, 3) != rng_u64(1, 3, 3));
    assert_true(rng_u64(1, 2, 3) != rng_u64(1, 2, 4) && rng_u64(1, 2, 3) != rng_u64(1, 2, 3 + (1ull << 32)));
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(rng_uniform(1, 2, i) > 0 && rng_uniform(1, 2, i) < 1);
}

static void test_permutation_is_a_bijection(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 1000, 4096, 65537};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint64_t n = sizes[s];
        uint8_t *seen = MEM_ARRAY(uint8_t, n);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t image = rng_permute(9, n, i);
            assert_true(image < n);
            assert_int_equal(seen[image]++, 0);
        }
        mem_free(seen);
    }
    /* It moves things, and another seed moves them elsewhere: fixed points and agreements are Poisson(1) distributed. */
    int fixed = 0, agreeing = 0;
    for (uint64_t i = 0; i < 65537; i++) {
        fixed += rng_permute(9, 65537, i) == i;
        agreeing += rng_permute(9, 65537, i) == rng_permute(10, 65537, i);
    }
    assert_true(fixed < 12);
    assert_true(agreeing < 12);
}

static void test_digest_is_of_a_set(void **state)
{
    (void)state;
    enum { N = 50 };
    hash_digest_t forward = {0}, backward = {0}, halves[2] = {{0}, {0}}, changed = {0};
    for (uint32_t i = 0; i < N; i++) {
        uint32_t j = N - 1 - i;
        uint64_t data[2] = {i * 7, i}, mirrored[2] = {j * 7, j}, other[2] = {i * 7, i + (i == 31)};
        hash_digest_add(&forward, &i, sizeof i, data, sizeof data);
        hash_digest_add(&backward, &j, sizeof j, mirrored, sizeof mirrored);
        hash_digest_add(&halves[i % 3 == 0], &i, sizeof i, data, sizeof data);
        hash_digest_add(&changed, &i, sizeof i, other, sizeof other);
    }
    char a[33], b[33];
    hash_digest_text(&forward, a);
    hash_digest_text(&backward, b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 32);
    hash_digest_merge(&halves[0], &halves[1]);
    hash_digest_text(&halves[0], b);
    assert_string_equal(a, b);
    assert_int_equal(halves[0].elements, N);
    hash_digest_text(&changed, b);
    assert_string_not_equal(a, b);

    /* The head belongs to the element: the same data under another key is another element. */
    hash_digest_t one = {0}, two = {0};
    hash_digest_add(&one, "1", 1, "data", 4);
    hash_digest_add(&two, "2", 1, "data", 4);
    assert_true(one.low != two.low && one.high != two.high);
}

static void test_slots_are_even(void **state)
{
    (void)state;
    int count[HASH_SLOTS] = {0};
    const int per_slot = 200;
    for (uint64_t key = 0; key < (uint64_t)HASH_SLOTS * per_slot; key++) {
        assert_true(hash_slot(key) < HASH_SLOTS);
        count[hash_slot(key)]++;
    }
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        assert_true(abs(count[slot] - per_slot) < 6 * sqrt(per_slot));
}

static void test_log_has_levels_and_a_sink(void **state)
{
    (void)state;
    catch_start();
    log_info("shown %d", 1);
    log_debug("not shown");
    log_set_level(LOG_TRACE);
    log_trace("shown %s", "too");
    log_set_level(LOG_INFO);
    catch_stop();
    assert_string_equal(catch_text(), "shown 1\nshown too\n");

    setenv("SMELTER_LOG", "loud", 1);
    catch_start();
    assert_int_equal(log_level_from_environment(), ST_INPUT);
    catch_stop();
    assert_caught("SMELTER_LOG is \"loud\"; it must be error, warn, info, debug or trace");
    setenv("SMELTER_LOG", "debug", 1);
    assert_int_equal(log_level_from_environment(), ST_OK);
    assert_true(log_enabled(LOG_DEBUG) && !log_enabled(LOG_TRACE));
    unsetenv("SMELTER_LOG");
    log_set_level(LOG_INFO);

    log_set_role("worker 3 on node2");
    assert_string_equal(log_role(), "worker 3 on node2");
    log_set_role("smelter");
}

static void test_a_long_line_is_cut_not_spilled(void **state)
{
    (void)state;
    char *text = mem_alloc(5000, 1);
    memset(text, 'x', 4999);
    catch_start();
    log_warn("%s", text);
    catch_stop();
    assert_int_equal(strlen(catch_text()), 2048); /* 2047 and the newline */
    mem_free(text);
}

static status_t forwards(status_t inner, int *steps)
{
    TRY(inner);
    ++*steps;
    return ST_OK;
}

static void test_status_is_forwarded_and_has_an_exit_code(void **state)
{
    (void)state;
    int steps = 0;
    assert_int_equal(forwards(ST_OK, &steps), ST_OK);
    assert_int_equal(forwards(ST_PEER, &steps), ST_PEER);
    assert_int_equal(steps, 1);
    assert_int_equal(status_exit_code(ST_OK), 0);
    assert_int_equal(status_exit_code(ST_INPUT), 2);
    assert_int_equal(status_exit_code(ST_SYSTEM), 1);
    assert_int_equal(status_exit_code(ST_STOPPED), 3);
    for (int s = ST_OK; s <= ST_DIFFERENT; s++)
        assert_string_not_equal(status_name((status_t)s), "unknown");
    assert_string_equal(status_name((status_t)99), "unknown");
}

static void test_status_remembers_the_last_reason(void **state)
{
    (void)state;
    catch_start();
    assert_int_equal(FAIL(ST_CORRUPT, "%s: is no store", "first"), ST_CORRUPT);
    assert_int_equal(FAIL(ST_CORRUPT, "part %d: is another run's", 2), ST_CORRUPT);
    catch_stop();
    char reason[STATUS_REASON_BYTES];
    status_reason(reason);
    assert_string_equal(reason, "part 2: is another run's");
    catch_start();
    assert_int_equal(FAIL(ST_CORRUPT, "block %d", 7), ST_CORRUPT);
    catch_stop();
    assert_string_equal(catch_text(), "block 7\n");
}

static void test_memory_is_aligned_zeroed_and_grows(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        uint8_t *block = mem_alloc(n, 1);
        assert_int_equal((uintptr_t)block % MEM_ALIGN, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0xff, n);
        mem_free(block);
    }
    int32_t *list = NULL;
    size_t capacity = 0;
    for (int32_t i = 0; i < 1000; i++) {
        MEM_GROW(list, capacity, (size_t)i + 1);
        assert_int_equal(list[i], 0);
        list[i] = i;
    }
    for (int32_t i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    assert_true(capacity >= 1000 && capacity < 4000);
    mem_free(list);

    char *copy = mem_strdup("text"), *printed = mem_printf("%s %d", "text", 5);
    assert_string_equal(copy, "text");
    assert_string_equal(printed, "text 5");
    mem_free(copy);
    mem_free(printed);
}

static void test_numbers_for_people(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    assert_string_equal(text_count(0, text), "0");
    assert_string_equal(text_count(999, text), "999");
    assert_string_equal(text_count(1000, text), "1,000");
    assert_string_equal(text_count(-123456, text), "-123,456");
    assert_string_equal(text_count(INT64_MIN, text), "-9,223,372,036,854,775,808");
    assert_string_equal(text_duration(0.4, text), "0:00");
    assert_string_equal(text_duration(75, text), "1:15");
    assert_string_equal(text_duration(3725, text), "1:02:05");
    assert_string_equal(text_duration(NAN, text), "?");
    assert_string_equal(text_duration(-1, text), "?");
    assert_string_equal(text_duration(1e30, text), "?");
}

static void test_command_lines_for_a_shell(void **state)
{
    (void)state;
    static const char *const words[] = {"smelter", "--set", "a=b", "two words", "it's", "", "$HOME;*"};
    char *command = text_command(words, sizeof words / sizeof *words);
    assert_string_equal(command, "smelter --set a=b 'two words' 'it'\\''s' '' '$HOME;*'");
    mem_free(command);
}

/* A buffer returns to its pool when its last holder lets go, not before. */
static void test_pool_counts_holders(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    char *a = pool_take(pool, 100);
    pool_keep(a);
    pool_keep(a);
    pool_give(a);
    pool_give(a);
    char *b = pool_take(pool, 100);
    assert_ptr_not_equal(b, a);
    pool_give(a);
    assert_ptr_equal(pool_take(pool, 100), a); /* and has one holder again */
    pool_give(a);
    assert_ptr_equal(pool_take(pool, 100), a);
    pool_destroy(&pool);
    pool_give(a);
    pool_give(b);
}

/* A buffer given back is used again; one that comes back after pool_destroy is still whole (asan sees what is freed twice, too
 * early or never). */
static void test_pool_outlives_its_last_buffer(void **state)
{
    (void)state;
    pool_t *pool = pool_create();
    char *a = pool_take(pool, 100), *b = pool_take(pool, 100);
    assert_ptr_not_equal(a, b);
    assert_int_equal((uintptr_t)a % MEM_ALIGN, 0);
    pool_give(a);
    assert_ptr_equal(pool_take(pool, 4096), a);
    pool_destroy(&pool);
    assert_null(pool);
    memset(a, 1, 4096);
    pool_give(a);
    memset(b, 2, 100);
    pool_give(b);
    pool_destroy(&pool);
}

static void test_identities(void **state)
{
    (void)state;
    char text[IDENTITY_BYTES];
    const uint64_t one = identity_draw(), other = identity_draw();
    assert_true(one && other && one != other); /* by chance equal once in 10^19 times */
    assert_string_equal(identity_text(0x12, text), "0000000000000012");
    assert_string_equal(identity_text(0, text), "not recorded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_quantile_inverts_the_distribution),
        cmocka_unit_test(test_variates_have_their_moments),
        cmocka_unit_test(test_values_are_functions_of_their_position),
        cmocka_unit_test(test_permutation_is_a_bijection),
        cmocka_unit_test(test_digest_is_of_a_set),
        cmocka_unit_test(test_slots_are_even),
        cmocka_unit_test(test_log_has_levels_and_a_sink),
        cmocka_unit_test(test_a_long_line_is_cut_not_spilled),
        cmocka_unit_test(test_status_is_forwarded_and_has_an_exit_code),
        cmocka_unit_test(test_status_remembers_the_last_reason),
        cmocka_unit_test(test_memory_is_aligned_zeroed_and_grows),
        cmocka_unit_test(test_numbers_for_people),
        cmocka_unit_test(test_command_lines_for_a_shell),
        cmocka_unit_test(test_pool_counts_holders),
        cmocka_unit_test(test_pool_outlives_its_last_buffer),
        cmocka_unit_test(test_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
