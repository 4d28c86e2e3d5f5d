/* Proves when a training has gone on long enough (evaluate.patience), from its numbers alone, wherever it was interrupted;
 * before which steps it is evaluated; that a checkpoint's step that is agreed on gives way to those of evaluations; and that a
 * curve in validation.jsonl is read back to the bit, up to a step, and not where it was changed. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/coordinator/early_stopping.h"
#include "launcher/metrics/run_events.h"
#include "worker/checkpoint_schedule.h"

/* Steps are 10, 20 ..; until it is over, or there are no more. */
static int64_t play(early_stopping_t *state, const double *value, int n)
{
    int64_t step = 0;
    for (int i = 0; i < n && !early_stopping_is_over(state); i++)
        early_stopping_put(state, step = 10 * (i + 1), value[i]);
    return step;
}

static void test_patience(void **state)
{
    (void)state;
    static const double falls[] = {0.5, 0.4, 0.45, 0.39, 0.391, 0.392, 0.38}, never[] = {NAN, NAN, NAN};
    early_stopping_t s = {.patience = 2};
    assert_int_equal(play(&s, falls, 7), 60);
    assert_true(early_stopping_is_over(&s));
    assert_int_equal(s.best_step, 40);
    assert_true(s.best == 0.39);
    s = (early_stopping_t){.patience = 3};
    assert_int_equal(play(&s, falls, 7), 70);
    assert_int_equal(s.best_step, 70);
    s = (early_stopping_t){.patience = 2, .min_delta = 0.05}; /* 0.39 is too little better than 0.4 */
    assert_int_equal(play(&s, falls, 7), 40);
    assert_int_equal(s.best_step, 20);
    s = (early_stopping_t){.patience = 0};
    assert_int_equal(play(&s, falls, 7), 70);
    assert_false(early_stopping_is_over(&s));
    s = (early_stopping_t){.patience = 3};
    assert_int_equal(play(&s, never, 3), 30);
    assert_false(early_stopping_is_over(&s)); /* there is nothing that it could end with */
    assert_int_equal(s.best_step, 0);
    static const double same[] = {0.5, 0.5, 0.5};
    s = (early_stopping_t){.patience = 2};
    assert_int_equal(play(&s, same, 3), 30); /* no better is no improvement */
    assert_int_equal(s.best_step, 10);
}

static void test_period(void **state)
{
    (void)state;
    config_t c = {.determinism = DETERMINISM_INVARIANT, .train = {.batch = 100, .pipeline_depth = 2}};
    assert_int_equal(validation_period(&c, 1000), 0);
    c.evaluate.every = 2;
    assert_int_equal(validation_period(&c, 1000), 2);
    c.evaluate.patience = 1; /* cuts are more than the depth apart */
    assert_int_equal(validation_period(&c, 1000), 3);
    c.evaluate.every = 0;
    c.evaluate.every_epochs = 0.5;
    assert_int_equal(validation_period(&c, 1000), 5);
    assert_int_equal(validation_period(&c, 1001), 6);
    assert_false(validation_is_due(5, 0, 20));
    assert_true(validation_is_due(5, 15, 20));
    assert_false(validation_is_due(5, 20, 20)); /* the end is evaluated anyway */
    assert_false(validation_is_due(0, 5, 20));
    c.evaluate.examples = 7;
    assert_int_equal(validation_examples(&c, 5), 5);
    assert_int_equal(validation_examples(&c, 9), 7);
}

/* A worker that is asked names no step from which a cut of an evaluation would be too near. */
static void test_agreed_steps_give_way(void **state)
{
    (void)state;
    assert_int_equal(validation_clear(10, 17, 2), 17);
    assert_int_equal(validation_clear(10, 18, 2), 20);
    assert_int_equal(validation_clear(10, 20, 2), 20);
    checkpoint_schedule_t plan = checkpoint_schedule_of(0, 100, 10, 1, 2);
    plan.whole = true;
    int cuts = 0;
    for (int64_t step = 0; step < 40; step++) {
        if (step == 6) {
            assert_int_equal(checkpoint_schedule_ask(&plan), 10);
            assert_true(checkpoint_schedule_tell(&plan, 10, false));
        }
        cuts += checkpoint_schedule_pull(&plan, step);
    }
    assert_int_equal(cuts, 3);
}

static validation_point_t point_at(int64_t step)
{
    validation_point_t point = {.step = step, .examples = 7};
    for (int i = 0; i < VALIDATION_NUMBERS; i++)
        point.number[i] = i == VALIDATION_pqauc_loss ? NAN : 1.0 / (double)(step + i);
    return point;
}

static void emit(run_events_t *events, const char *dir, int64_t from, int64_t end, line_sum_t *sum)
{
    uint64_t lines = 0;
    line_sum_t none[2];
    const event_train_t train = {
        .run_dir = dir, .resumed = from > 0, .step = from, .where = "here", .lines = &lines, .validations = *sum};
    assert_int_equal(run_events_emit(events, &(run_event_t){.kind = EVENT_TRAIN, .train = train}), ST_OK);
    for (int64_t step = from ? from : 10; step < end; step += 10) {
        const validation_point_t point = point_at(step);
        assert_int_equal(run_events_emit(events, &(run_event_t){.kind = EVENT_VALIDATION, .validation = {&point, false}}),
                         ST_OK);
    }
    const event_sync_t sync = {end, &none[0], &none[1], sum};
    assert_int_equal(run_events_emit(events, &(run_event_t){.kind = EVENT_SYNC, .sync = sync}), ST_OK);
}

static void test_curve_is_read_back(void **state)
{
    (void)state;
    const char *dir = test_dir();
    run_events_t *events = run_events_create(NULL);
    line_sum_t sum = {0};
    validation_curve_t curve;
    catch_start();
    emit(events, dir, 0, 30, &sum);
    assert_int_equal(sum.lines, 2);
    const line_sum_t before = sum;
    emit(events, dir, 30, 60, &sum); /* goes on */
    sum = before;
    emit(events, dir, 30, 50, &sum); /* and again, from the same checkpoint */
    catch_stop();
    assert_int_equal(validation_curve_read(dir, 40, &curve), ST_OK);
    assert_int_equal(curve.n, 3);
    for (int64_t i = 0; i < 3; i++) {
        const validation_point_t point = point_at(10 * (i + 1));
        assert_int_equal(curve.point[i].step, point.step);
        for (int k = 0; k < VALIDATION_NUMBERS; k++)
            assert_true(curve.point[i].number[k] == point.number[k] || k == VALIDATION_pqauc_loss);
        assert_true(isnan(curve.point[i].number[VALIDATION_pqauc_loss]));
    }
    validation_curve_fini(&curve);
    char *path = run_path(dir, FILE_VALIDATION), *text;
    assert_int_equal(file_read(path, &text, NULL), ST_OK);
    strstr(text, "0.05")[3] = '6'; /* 1 / 20 */
    assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
    catch_start();
    assert_int_equal(validation_curve_read(dir, 40, &curve), ST_CORRUPT);
    const event_train_t train = {
        .run_dir = dir, .resumed = true, .step = 20, .where = "here", .lines = &(uint64_t){0}, .validations = before};
    assert_int_equal(run_events_emit(events, &(run_event_t){.kind = EVENT_TRAIN, .train = train}), ST_CORRUPT);
    catch_stop();
    assert_caught(FILE_VALIDATION ": line 2 was changed after it was written");
    mem_free(path);
    mem_free(text);
    run_events_destroy(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_period),
        cmocka_unit_test(test_agreed_steps_give_way),
        cmocka_unit_test(test_curve_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
