/* test_cut_plan - before which steps a training is cut (docs/PROTOCOL.md, Checkpoints): "its multiples but 0, before the end,
 * and not where the training itself began", "rounded up to a multiple of objective.exchange_steps", "at least d + 1 steps
 * apart"; and the promise: whatever workers pull between asking and telling, all of them mark the step that is told, and the
 * same ones else. */
#include "worker/checkpoint_schedule.h"

#include "common/base/rng.h"
#include "tests/lib/testing.h"

static void test_periods(void **state)
{
    (void)state;
    for (int64_t first = 0; first < 30; first += 7)
        for (int64_t end = first; end < 60; end += 13)
            for (int64_t every = 0; every <= 12; every++)
                for (int64_t round = 1; round <= 7; round++)
                    for (int64_t depth = 0; depth <= 8; depth += 2) {
                        int64_t period = every;
                        while (every && (period <= depth || period % round))
                            period++;
                        checkpoint_schedule_t plan = checkpoint_schedule_of(first, end, every, round, depth);
                        for (int64_t step = first; step < end; step++)
                            assert_int_equal(checkpoint_schedule_pull(&plan, step),
                                             every && step > first && step % period == 0);
                    }
}

/* As the coordinator does: the greatest promise, rounded up. */
static int64_t agree(const int64_t *promises, int workers, int64_t round)
{
    int64_t step = 0;
    for (int w = 0; w < workers; w++)
        step = promises[w] > step ? promises[w] : step;
    return (step + round - 1) / round * round;
}

enum { WORKERS = 3, END = 60 };

typedef struct player {
    checkpoint_schedule_t plan;
    bool marked[END];
} player_t;

static bool pull(player_t *p)
{
    const int64_t step = p->plan.next;
    if (step >= p->plan.end || !checkpoint_schedule_may_pull(&p->plan, step))
        return false;
    p->marked[step] = checkpoint_schedule_pull(&p->plan, step);
    return true;
}

static int draw(uint64_t seed, uint64_t *n, int of)
{
    return (int)(rng_u64(seed, 1, (*n)++) % (uint64_t)of);
}

/* One seed's game, and what the games of all seeds have met. */
typedef struct game {
    uint64_t seed, n; /* numbers drawn so far */
    int64_t round, first, every, depth;
    player_t player[WORKERS];
} game_t;

typedef struct met {
    int saves, stops, waits, near;
} met_t;

static int draw_next(game_t *game, int of)
{
    return draw(game->seed, &game->n, of);
}

static game_t begin_game(uint64_t seed)
{
    game_t game = {.seed = seed};
    game.round = 1 + draw_next(&game, 4);
    game.first = game.round * draw_next(&game, 3);
    game.every = draw_next(&game, 12);
    game.depth = draw_next(&game, 9);
    for (int w = 0; w < WORKERS; w++)
        game.player[w].plan = checkpoint_schedule_of(game.first, END, game.every, game.round, game.depth);
    return game;
}

/* The step that all workers agree on: pulls of each worker, asking and telling in any order. */
static int64_t play_request(game_t *game, bool stop, met_t *met)
{
    int64_t promise[WORKERS], step = -1;
    for (int before = draw_next(game, 20); before > 0; before--)
        (void)pull(&game->player[draw_next(game, WORKERS)]);
    int asked = 0, told = 0;
    while (told < WORKERS) {
        player_t *p = &game->player[draw_next(game, WORKERS)];
        const int what = draw_next(game, 4);
        if (what == 0 && asked < WORKERS) {
            const int64_t next = game->player[asked].plan.next;
            promise[asked] = checkpoint_schedule_ask(&game->player[asked].plan);
            met->near += promise[asked++] > next + 2;
        } else if (what == 1 && asked == WORKERS) {
            step = agree(promise, WORKERS, game->round);
            assert_true(checkpoint_schedule_tell(&game->player[told++].plan, step, stop));
        } else {
            met->waits += !pull(p);
        }
    }
    return step;
}

static void assert_request_is_met(game_t *game, int64_t step, bool stop)
{
    const int64_t until = step < END ? step + (stop ? 0 : 1) : END;
    for (int w = 0; w < WORKERS; w++) {
        player_t *p = &game->player[w];
        while (p->plan.next < until)
            assert_true(pull(p));
        assert_true(step >= END || stop || p->marked[step]);
        assert_true(step >= END || !stop || (p->plan.end == step && !pull(p)));
    }
}

static void assert_same_marks(const game_t *game)
{
    const player_t *player = game->player;
    int64_t last = -1;
    for (int64_t t = 0; t < END; t++) {
        for (int w = 0; w < WORKERS; w++)
            if (t < player[w].plan.next && t < player[0].plan.next)
                assert_int_equal(player[w].marked[t], player[0].marked[t]);
        if (!player[0].marked[t])
            continue;
        assert_true(t > game->first && t % game->round == 0);
        assert_true(last < 0 || t - last > game->depth);
        last = t;
    }
}

static void test_workers_mark_the_same_steps(void **state)
{
    (void)state;
    met_t met = {0};
    for (uint64_t seed = 0; seed < 20000; seed++) {
        game_t game = begin_game(seed);
        for (int requests = 0; requests < 2; requests++) { /* one after the other, as soon as the step told was pulled */
            const bool stop = requests == 1 && draw_next(&game, 2);
            const int64_t step = play_request(&game, stop, &met);
            assert_request_is_met(&game, step, stop);
            met.saves += step < END;
            met.stops += step < END && stop;
        }
        assert_same_marks(&game);
    }
    assert_true(met.saves > 10000 && met.stops > 3000 && met.waits > 1000 && met.near > 1000);
}

static void test_a_wrong_word_changes_nothing(void **state)
{
    (void)state;
    checkpoint_schedule_t plan = checkpoint_schedule_of(0, 20, 4, 4, 3);
    for (int64_t t = 0; t < 6; t++)
        assert_int_equal(checkpoint_schedule_pull(&plan, t), t == 4);
    assert_int_equal(checkpoint_schedule_ask(&plan), 8);
    assert_false(checkpoint_schedule_tell(&plan, 4, true)); /* pulled before */
    assert_false(checkpoint_schedule_tell(&plan, 9, true)); /* copies are stale there */
    plan.depth = 4;
    assert_false(checkpoint_schedule_tell(&plan, 8, true)); /* the cut before 4 waits for the pull of step 8 */
    assert_int_equal(plan.end, 20);
    assert_false(checkpoint_schedule_may_pull(&plan, 8));
    assert_true(checkpoint_schedule_may_pull(&plan, 7));
    assert_true(checkpoint_schedule_tell(&plan, 12, true));
    assert_int_equal(plan.told, 12);
    assert_int_equal(plan.end, 12);
}

static void test_near_the_end_there_may_be_nothing_to_promise(void **state)
{
    (void)state;
    checkpoint_schedule_t plan = checkpoint_schedule_of(0, 5, 0, 3, 1);
    for (int64_t t = 0; t < 4; t++)
        assert_false(checkpoint_schedule_pull(&plan, t));
    assert_int_equal(checkpoint_schedule_ask(&plan), 5);
    assert_true(checkpoint_schedule_may_pull(&plan, 4));
    assert_true(checkpoint_schedule_tell(&plan, 6, true)); /* rounded up, beyond the end */
    assert_int_equal(plan.end, 5);
    assert_false(checkpoint_schedule_pull(&plan, 4));
    assert_int_equal(checkpoint_schedule_ask(&plan), 5); /* all is pulled */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_workers_mark_the_same_steps),
        cmocka_unit_test(test_a_wrong_word_changes_nothing),
        cmocka_unit_test(test_near_the_end_there_may_be_nothing_to_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
