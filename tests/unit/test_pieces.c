/* test_pieces - pieces of an answer: whole rows, equally many each but for the last, at most 32 of about 256 KiB, and both ends
 * find the same ones, whatever the segments are. */
#include "common/net/pieces.h"

#include "common/base/rng.h"
#include "tests/lib/testing.h"

#define SEGMENTS_MOST 40

static void check(const int64_t *counts, const int64_t *widths, int segments, int64_t bytes_each)
{
    int64_t rows = 0, weights = 0;
    for (int i = 0; i < segments; i++) {
        rows += counts[i];
        weights += counts[i] * widths[i];
    }
    pieces_t p;
    pieces_begin(&p, rows, weights);
    for (int i = 0; i < segments; i++)
        pieces_add(&p, counts[i], widths[i]);
    assert_in_range(p.n, 1, PIECES_MOST);
    assert_true(p.n <= weights * 4 / bytes_each || p.n == 1);
    assert_int_equal(p.rows, rows);
    int64_t sum = 0, row = 0, weight = 0;
    for (int i = 0, segment = 0, in_segment = 0; i < p.n; i++) {
        assert_true(pieces_rows(&p, i) == p.each || i == p.n - 1);
        assert_true(pieces_rows(&p, i) > 0 || rows == 0);
        assert_int_equal(pieces_first_weight(&p, i), weight);
        for (sum += pieces_rows(&p, i); row < sum; row++) {
            for (; in_segment == counts[segment]; in_segment = 0)
                segment++;
            weight += widths[segment];
            in_segment++;
        }
        assert_int_equal(p.end[i], weight);
        assert_int_equal(pieces_weights(&p, i), weight - pieces_first_weight(&p, i));
    }
    assert_int_equal(row, rows);
    assert_int_equal(weight, weights);
}

static void test_pieces_of_any_segments(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        int64_t counts[SEGMENTS_MOST], widths[SEGMENTS_MOST];
        const int segments = (int)(rng_u64(seed, 0, 0) % (SEGMENTS_MOST + 1));
        for (int i = 0; i < segments; i++) {
            counts[i] = (int64_t)(rng_u64(seed, 1, (uint64_t)i) % 4) * (int64_t)(rng_u64(seed, 2, (uint64_t)i) % 9);
            widths[i] = 1 + (int64_t)(rng_u64(seed, 3, (uint64_t)i) % 20);
        }
        const int64_t bytes = 1 + (int64_t)(rng_u64(seed, 4, 0) % 500);
        pieces_set_bytes(bytes);
        check(counts, widths, segments, bytes);
    }
    pieces_set_bytes(0);
}

static void test_small_answers_stay_whole(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, width;
        int n;
    } cases[] = {{0, 1, 1}, {1, 1 << 20, 1}, {8191, 16, 1}, {8192, 16, 2}, {20000, 16, 4}, {1000000, 16, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pieces_t p;
        pieces_begin(&p, cases[i].rows, cases[i].rows * cases[i].width);
        assert_int_equal(p.n, cases[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_any_segments),
        cmocka_unit_test(test_small_answers_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
