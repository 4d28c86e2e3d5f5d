/* Proves that metrics by windows of time are those of the examples of each window (docs/MATH.md section 9): taken one after the
 * other they are what the exact ones of arrays are, but for AUC, which is near; they are the same bits when they were saved and
 * loaded between any two examples; and what is no save, or too many windows, does no harm. */
#include "common/metrics/time_windows.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/metrics/metrics.h"
#include "tests/lib/testing.h"

enum { N = 20000, LENGTH = 3600 };

typedef struct drawn {
    float p[N], w[N];
    uint8_t y[N];
    int64_t time[N];
} drawn_t;

/* Clicks are rare, as in advertising; times go up and down, from before 0 on. */
static void draw(drawn_t *d)
{
    for (uint64_t i = 0; i < N; i++) {
        const double z = -3.5 + 1.5 * rng_normal(1, 1, i);
        d->p[i] = (float)(1.0 / (1.0 + exp(-z)));
        d->y[i] = rng_uniform(2, 1, i) < (double)d->p[i];
        d->w[i] = (float)(rng_u64(3, 1, i) % 3);
        d->time[i] =
            rng_u64(4, 1, i) % 100 == 0 ? TIME_WINDOWS_NO_TIME : (int64_t)i - 3 * LENGTH + (int64_t)(rng_u64(5, 1, i) % 500);
    }
}

static void test_windows_start_at_multiples(void **state)
{
    (void)state;
    assert_int_equal(time_windows_start(0, 10), 0);
    assert_int_equal(time_windows_start(9, 10), 0);
    assert_int_equal(time_windows_start(-1, 10), -10);
    assert_int_equal(time_windows_start(-10, 10), -10);
    assert_int_equal(time_windows_start(-11, 10), -20);
    assert_int_equal(time_windows_start(TIME_WINDOWS_NO_TIME, 10), TIME_WINDOWS_NO_TIME);
    assert_true(time_windows_start(INT64_MIN + 3, 10) > TIME_WINDOWS_NO_TIME);
}

/* The exact ones against the metrics of the examples of one of them, by themselves. */
static void test_exact_windows(void **state)
{
    (void)state;
    static drawn_t d;
    time_window_t *window;
    static float p[N];
    static uint8_t y[N];
    int64_t all = 0;
    draw(&d);
    const int64_t n = time_windows_measure(&(timed_predictions_t){N, d.p, d.y, NULL, d.time}, LENGTH, &window);
    assert_true(n > 5 && window[0].start == TIME_WINDOWS_NO_TIME && window[1].start == -3 * LENGTH);
    for (int64_t i = 0; i < n; i++) {
        int64_t of = 0;
        double positives = 0.0;
        for (int64_t e = 0; e < N; e++)
            if (time_windows_start(d.time[e], LENGTH) == window[i].start) {
                p[of] = d.p[e];
                y[of++] = d.y[e];
                positives += d.y[e];
            }
        assert_int_equal(window[i].examples, of);
        assert_true(window[i].logloss == metrics_logloss(p, y, of) && window[i].calibration == metrics_calibration(p, y, of));
        assert_true(window[i].auc == 1.0 - metrics_auc_loss(p, y, of) && window[i].base_rate == positives / (double)of);
        all += of;
    }
    assert_int_equal(all, N);
    mem_free(window);
}

/* All of it, saved and loaded after every `piece` examples; 0: never. **Owned**. */
static time_window_t *put_all(const drawn_t *d, bool weighted, int64_t piece, int64_t *n)
{
    time_windows_t *windows = time_windows_create(LENGTH);
    time_window_t *out;
    for (int64_t i = 0; i < N; i++) {
        assert_true(time_windows_put(windows, d->time[i], d->p[i], d->y[i], weighted ? (double)d->w[i] : 1.0));
        if (!piece || i % piece)
            continue;
        int64_t bytes;
        void *saved = time_windows_save(windows, &bytes);
        time_windows_destroy(&windows);
        windows = time_windows_create(LENGTH);
        assert_false(time_windows_load(windows, saved, bytes - 1));
        assert_true(time_windows_load(windows, saved, bytes));
        mem_free(saved);
    }
    *n = time_windows_ended(windows, true, &out);
    time_windows_destroy(&windows);
    return out;
}

static void test_one_example_after_the_other(void **state)
{
    (void)state;
    static drawn_t d;
    draw(&d);
    for (int weighted = 0; weighted < 2; weighted++) {
        time_window_t *exact, *again;
        int64_t n, n_again;
        time_window_t *window = put_all(&d, weighted, 0, &n);
        again = put_all(&d, weighted, 1777, &n_again);
        assert_int_equal(n, n_again);
        assert_memory_equal(window, again, (size_t)n * sizeof *window);
        assert_int_equal(
            n, time_windows_measure(&(timed_predictions_t){N, d.p, d.y, weighted ? d.w : NULL, d.time}, LENGTH, &exact));
        for (int64_t i = 0; i < n; i++) {
            assert_true(window[i].start == exact[i].start && window[i].examples == exact[i].examples);
            assert_float_equal(window[i].logloss, exact[i].logloss, 1e-12);
            assert_float_equal(window[i].calibration, exact[i].calibration, 1e-12);
            assert_float_equal(window[i].base_rate, exact[i].base_rate, 1e-12);
            assert_float_equal(window[i].auc, exact[i].auc, window[i].examples > 1000 ? 2e-4 : 1e-3);
        }
        mem_free(window);
        mem_free(again);
        mem_free(exact);
    }
}

/* A window is told of once nothing comes to it, and again, whole, where something comes after all. */
static void test_windows_that_have_ended(void **state)
{
    (void)state;
    time_windows_t *windows = time_windows_create(10);
    time_window_t *out;
    time_windows_put(windows, 5, 0.5f, 1, 1.0);
    assert_int_equal(time_windows_ended(windows, false, &out), 0);
    assert_null(out);
    time_windows_put(windows, 15, 0.5f, 1, 1.0);
    assert_int_equal(time_windows_ended(windows, false, &out), 1);
    assert_true(out[0].start == 0 && out[0].examples == 1);
    mem_free(out);
    time_windows_put(windows, 6, 0.25f, 0, 1.0);
    assert_int_equal(time_windows_ended(windows, true, &out), 2);
    assert_true(out[0].start == 0 && out[0].examples == 2 && out[0].auc == 1.0 && out[0].calibration == 0.75);
    assert_true(out[1].start == 10 && isnan(out[1].auc));
    mem_free(out);
    assert_int_equal(time_windows_ended(windows, true, &out), 0);
    time_windows_put(windows, 30, NAN, 0, 1.0);
    assert_int_equal(time_windows_ended(windows, true, &out), 1);
    assert_true(isnan(out[0].logloss) && isnan(out[0].auc) && isnan(out[0].calibration) && out[0].base_rate == 0.0);
    mem_free(out);
    time_windows_destroy(&windows);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    time_windows_t *windows = time_windows_create(1);
    time_window_t *out;
    int64_t bytes;
    for (int64_t i = 0; i < TIME_WINDOWS_MOST; i++)
        assert_true(time_windows_put(windows, i, 0.5f, 0, 1.0));
    assert_false(time_windows_put(windows, TIME_WINDOWS_MOST, 0.5f, 0, 1.0));
    assert_true(time_windows_put(windows, 7, 0.5f, 0, 1.0));
    assert_int_equal(time_windows_ended(windows, true, &out), TIME_WINDOWS_MOST + 1);
    assert_true(out[0].start == TIME_WINDOWS_NO_TIME && out[0].examples == 1 && out[8].examples == 2);
    mem_free(out);
    time_windows_destroy(&windows);
    windows = time_windows_create(1);
    for (int64_t i = 0; i < 8; i++)
        assert_true(time_windows_put(windows, i % 3, (float)i / 8.0f, i % 2, 1.0));
    char *saved = time_windows_save(windows, &bytes);
    time_windows_t *other = time_windows_create(2);
    assert_true(time_windows_load(windows, saved, bytes));
    assert_true(time_windows_load(other, saved, bytes)); /* of another length: none */
    assert_int_equal(time_windows_ended(other, true, &out), 0);
    for (int64_t at = 0; at < bytes; at++) {
        saved[at] ^= (char)0xff;
        if (time_windows_load(other, saved, bytes))
            assert_true(at >= 8);
        saved[at] ^= (char)0xff;
    }
    assert_false(time_windows_load(other, saved, 10));
    mem_free(saved);
    time_windows_destroy(&windows);
    time_windows_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_start_at_multiples),  cmocka_unit_test(test_exact_windows),
        cmocka_unit_test(test_one_example_after_the_other), cmocka_unit_test(test_windows_that_have_ended),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
