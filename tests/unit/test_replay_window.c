/* test_window - "a shard keeps, per worker, a window of the last 64 sequence numbers of pushes" (docs/PROTOCOL.md, exactly
 * once): every short history of numbers around the window's edges, against a model that remembers all of them. */
#include "common/net/replay_window.h"

#include <string.h>

#include "tests/lib/testing.h"

#define NUMBERS_MOST 300
#define LENGTH 5

/* All numbers ever accepted. */
typedef struct model {
    bool accepted[NUMBERS_MOST];
    int top;
} model_t;

static bool model_has(const model_t *m, int n)
{
    return n <= m->top && (n <= m->top - REPLAY_WINDOW_NUMBERS || m->accepted[n]);
}

static int model_floor(const model_t *m)
{
    int n = m->top > REPLAY_WINDOW_NUMBERS ? m->top - REPLAY_WINDOW_NUMBERS : 0;
    while (n < m->top && m->accepted[n + 1])
        n++;
    return n;
}

/* Whatever is in reach takes no number that is still missing out of the window. */
static bool model_reaches(const model_t *m, int n)
{
    return n >= 1 && (n <= m->top || n <= model_floor(m) + REPLAY_WINDOW_NUMBERS);
}

static int histories;

static void check_all(const replay_window_t *window, const model_t *model)
{
    assert_int_equal(replay_window_floor(window), model_floor(model));
    for (int n = 1; n < NUMBERS_MOST; n++) {
        assert_int_equal(replay_window_has(window, (uint64_t)n), model_has(model, n));
        assert_int_equal(replay_window_reaches(window, (uint64_t)n), model_reaches(model, n));
    }
}

/* Try every number as the next one. */
static void extend(const replay_window_t *window, const model_t *model, int length)
{
    static const int numbers[] = {1, 2, 3, 63, 64, 65, 66, 128, 129, 190, 255};
    check_all(window, model);
    if (length == LENGTH) {
        histories++;
        return;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int n = numbers[i];
        replay_window_t next_window = *window;
        model_t next_model = *model;
        const bool fresh = !model_has(model, n);
        assert_int_equal(replay_window_accept(&next_window, (uint64_t)n), fresh);
        if (!fresh)
            assert_memory_equal(&next_window, window, sizeof *window); /* a duplicate leaves no trace */
        next_model.accepted[n] = true;
        next_model.top = n > model->top ? n : model->top;
        extend(&next_window, &next_model, length + 1);
    }
}

static void test_every_short_history(void **state)
{
    (void)state;
    replay_window_t window = {0};
    model_t model = {0};
    histories = 0;
    extend(&window, &model, 0);
    assert_int_equal(histories, 11 * 11 * 11 * 11 * 11);
}

static void test_zero_and_the_largest_numbers_do_not_follow(void **state)
{
    (void)state;
    replay_window_t window = {0};
    assert_false(replay_window_reaches(&window, 0));
    assert_true(replay_window_reaches(&window, 1));
    assert_false(replay_window_reaches(&window, UINT64_MAX));
    assert_true(replay_window_accept(&window, 1));
    assert_false(replay_window_reaches(&window, 0));
    assert_true(replay_window_reaches(&window, 65));
    assert_false(replay_window_reaches(&window, 66));
    window = (replay_window_t){UINT64_MAX - 1, ~0ull};
    assert_true(replay_window_reaches(&window, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_history),
        cmocka_unit_test(test_zero_and_the_largest_numbers_do_not_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
