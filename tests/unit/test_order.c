/* Proves: "order_index - which training example is visited at `position` of `epoch`. A bijection per epoch"; windows stay
 * windows; every epoch, window and seed has an order of its own; chronological is the stored order; "share s is the examples s,
 * s + S, s + 2 S, .. of the split, the same in every epoch". */
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/data/order.h"

static void assert_bijection(const order_t *order, int64_t epoch)
{
    uint8_t *seen = MEM_ARRAY(uint8_t, order->rows);
    for (int64_t p = 0; p < order->rows; p++) {
        const int64_t i = order_index(order, epoch, p);
        assert_true(i >= 0 && i < order->rows);
        assert_int_equal(seen[i], 0);
        seen[i] = 1;
        assert_int_equal(order_position(order, epoch, i), p);
        if (order->kind == ORDER_WINDOW)
            assert_int_equal(i / order->window, p / order->window);
        if (order->kind == ORDER_CHRONOLOGICAL)
            assert_int_equal(i, p);
    }
    mem_free(seen);
}

static void test_bijection(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 16, 17, 100, 1023, 4096, 4097, 50000};
    static const int64_t windows[] = {1, 2, 10, 1000, 65536};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            assert_bijection(&(order_t){.kind = ORDER_CHRONOLOGICAL, .seed = 1, .rows = sizes[s]}, epoch);
            assert_bijection(&(order_t){.kind = ORDER_FULL, .seed = 7, .rows = sizes[s]}, epoch);
            for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
                assert_bijection(&(order_t){.kind = ORDER_WINDOW, .seed = 7, .rows = sizes[s], .window = windows[w]}, epoch);
        }
}

/* Positions at which two orders agree; a random pair of permutations agrees at about one. */
static int64_t agreements(const order_t *a, int64_t epoch_a, const order_t *b, int64_t epoch_b)
{
    int64_t same = 0;
    for (int64_t p = 0; p < a->rows; p++)
        same += order_index(a, epoch_a, p) == order_index(b, epoch_b, p);
    return same;
}

static void test_orders_differ(void **state)
{
    (void)state;
    const order_t identity = {.kind = ORDER_CHRONOLOGICAL, .rows = 10000};
    const order_t full = {.kind = ORDER_FULL, .seed = 1, .rows = 10000};
    for (uint64_t seed = 1; seed < 6; seed++) {
        const order_t other = {.kind = ORDER_FULL, .seed = seed, .rows = 10000};
        assert_true(agreements(&full, 0, &other, 1) < 12);
        assert_true(agreements(&other, 0, &identity, 0) < 12);
        if (seed != 1)
            assert_true(agreements(&full, 0, &other, 0) < 12);
    }
    const order_t window = {.kind = ORDER_WINDOW, .seed = 1, .rows = 10000, .window = 100};
    assert_true(agreements(&window, 0, &window, 1) < 200); /* 1 of 100 expected */
    int64_t alike = 0;                                     /* two windows must not repeat one another's order */
    for (int64_t p = 0; p < 100; p++)
        alike += order_index(&window, 0, p) == order_index(&window, 0, 100 + p) - 100;
    assert_true(alike < 12);
}

/* Where an example is visited is uniform: the mean position of each tenth is in the middle. */
static void test_full_is_spread_out(void **state)
{
    (void)state;
    const order_t order = {.kind = ORDER_FULL, .seed = 3, .rows = 100000};
    for (int tenth = 0; tenth < 10; tenth++) {
        double sum = 0.0;
        for (int64_t p = 0; p < 10000; p++)
            sum += (double)order_index(&order, 0, tenth * 10000 + p);
        assert_true(sum / 10000 > 48500 && sum / 10000 < 51500); /* standard error 290 */
    }
}

static void test_indices_cross_epochs(void **state)
{
    (void)state;
    enum { N = 250 };
    int64_t out[N];
    for (int kind = 0; kind < ORDER_COUNT; kind++) {
        const order_t order = {.kind = (data_order_t)kind, .seed = 9, .rows = 97, .window = 10};
        for (int64_t first = 0; first < 300; first += 37) {
            memset(out, 0xff, sizeof out);
            order_indices(&order, first, N, out);
            for (int i = 0; i < N; i++)
                assert_int_equal(out[i], order_index(&order, (first + i) / 97, (first + i) % 97));
        }
    }
}

/* The shares of a split are apart from each other, whole in every epoch, and have the order of a split of their length. */
static void test_shares(void **state)
{
    (void)state;
    enum { SHARES = 3, ROWS = 97, EPOCHS = 2 };
    for (int kind = 0; kind < ORDER_COUNT; kind++) {
        int seen[SHARES * ROWS] = {0};
        const order_t alone = {.kind = (data_order_t)kind, .seed = 9, .rows = ROWS, .window = 10};
        for (int s = 0; s < SHARES; s++) {
            order_t order = alone;
            order.share = s;
            order.shares = SHARES;
            int64_t out[EPOCHS * ROWS];
            order_indices(&order, 0, EPOCHS * ROWS, out);
            for (int i = 0; i < EPOCHS * ROWS; i++) {
                assert_true(out[i] >= 0 && out[i] < SHARES * ROWS);
                seen[out[i]]++;
                assert_int_equal(out[i] % SHARES, s);
                assert_int_equal(out[i] / SHARES, order_index(&alone, i / ROWS, i % ROWS));
                assert_int_equal(out[i], order_index(&order, i / ROWS, i % ROWS));
            }
        }
        for (int i = 0; i < SHARES * ROWS; i++)
            assert_int_equal(seen[i], EPOCHS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bijection),
        cmocka_unit_test(test_orders_differ),
        cmocka_unit_test(test_full_is_spread_out),
        cmocka_unit_test(test_indices_cross_epochs),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
