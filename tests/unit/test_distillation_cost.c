/* Proves distillation's account: a run that teaches is paid once, however many it teaches, with its scoring and its own
 * teachers, in equal parts; a student is set against its own network without a teacher, on held-out examples; and on made-up
 * curves, where it has come down to that one's end, or that it does not. */
#include "tests/lib/testing.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "launcher/report/distillation_cost.h"

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

/* ---- an experiment --------------------------------------------------------------------------------------------------- */

/* first: its first run teaches all of students; chain: each run of it learned from one of students, of the same number. */
static const char experiment_text[] =
    "data: {path: /nowhere}\n"
    "experiment: {replicas: 2, baseline: relu}\n"
    "variants:\n"
    "  - {name: relu}\n"
    "  - {name: wide, model: {hidden: [64]}}\n"
    "  - {name: student, teacher: {variant: wide, replica: first}}\n"
    "  - {name: smooth, model: {activation: smelu}}\n"
    "  - {name: smooth_student, model: {activation: smelu}, teacher: {variant: student, replica: same}}\n"
    "  - {name: short_student, train: {max_steps: 3}, teacher: {variant: wide, replica: same}}\n"
    "  - {name: half, train: {max_steps: 5}, teacher: {variant: wide, replica: first}}\n"
    "  - {name: most, train: {max_steps: 8}, teacher: {variant: wide, replica: first}}\n"
    "  - {name: relu_half, train: {max_steps: 5}}\n"
    "  - {name: early, teacher: {variant: wide, replica: first, predictions: progressive}}\n";

enum { RELU, WIDE, STUDENT, SMOOTH, SMOOTH_STUDENT, SHORT_STUDENT, HALF, MOST_OF_IT, RELU_HALF, EARLY, VARIANTS };
enum { REPLICAS = 2 };

static experiment_t *load(void)
{
    experiment_t *experiment;
    assert_int_equal(experiment_load(test_write("e.yaml", experiment_text), NULL, 0, &experiment), ST_OK);
    assert_int_equal(experiment->variants, VARIANTS);
    return experiment;
}

/* CPU seconds are 10 v + r + 1, wall seconds twice that; 100 examples with v rows each; scoring 0.5, 0.25 and 50 rows. */
static experiment_result_t make_result(const experiment_t *experiment)
{
    experiment_result_t result = {.variants = VARIANTS, .variant = MEM_ARRAY(variant_result_t, VARIANTS)};
    for (int v = 0; v < VARIANTS; v++) {
        variant_result_t *variant = &result.variant[v];
        *variant = (variant_result_t){.name = experiment->names[v], .config = experiment->configs[v], .replicas = REPLICAS};
        variant->replica = MEM_ARRAY(replica_result_t, REPLICAS);
        for (int r = 0; r < REPLICAS; r++)
            variant->replica[r] = (replica_result_t){.replica = r,
                                                     .cost = {.cpu_seconds = 10 * v + r + 1,
                                                              .wall_seconds = 2 * (10 * v + r + 1),
                                                              .rows_pulled_per_example = v,
                                                              .flops_per_example = 1000 * v,
                                                              .examples = 100,
                                                              .teaching_cpu_seconds = 0.5,
                                                              .teaching_wall_seconds = 0.25,
                                                              .teaching_rows_pulled = 50}};
        variant->cost = variant->replica[0].cost;
        variant->cost.cpu_seconds += 0.5; /* the mean of both */
        variant->cost.wall_seconds += 1;
    }
    return result;
}

static void test_a_teacher_is_paid_once(void **state)
{
    (void)state;
    test_dir();
    experiment_t *experiment = load();
    experiment_result_t result = make_result(experiment);
    distillation_cost_measure(&result);
    assert_int_equal(result.variant[RELU].teaching.runs, 0);
    assert_int_equal(result.variant[WIDE].teaching.runs, 0);

    /* One run of wide, 11 + 0.5 seconds, for two students of 21.5. */
    const distillation_cost_t *one = &result.variant[STUDENT].teaching;
    assert_int_equal(one->runs, 1);
    assert_int_equal(one->teacher, WIDE);
    assert_true(one->teachers_cpu_seconds == 11.5 && one->teachers_wall_seconds == 22.25);
    assert_true(one->cpu_seconds_with_teacher == 21.5 + 11.5 / 2 && one->wall_seconds_with_teacher == 43 + 22.25 / 2);
    assert_near(one->rows_pulled_per_example_with_teacher, 2 + (1 * 100 + 50) / 2.0 / 100, 1e-12);
    assert_near(one->flops_per_example_with_teacher, 2000 + 1000 / 2.0, 1e-12);

    /* Both students, and the one run above them. */
    const distillation_cost_t *chain = &result.variant[SMOOTH_STUDENT].teaching;
    assert_int_equal(chain->runs, 3);
    assert_int_equal(chain->teacher, STUDENT);
    assert_true(chain->teachers_cpu_seconds == 21.5 + 22.5 + 11.5);
    assert_true(chain->cpu_seconds_with_teacher == 41.5 + 55.5 / 2);

    /* A teacher each. */
    const distillation_cost_t *each = &result.variant[SHORT_STUDENT].teaching;
    assert_int_equal(each->runs, 2);
    assert_true(each->teachers_cpu_seconds == 11.5 + 12.5);
    assert_true(each->cpu_seconds_with_teacher == 51.5 + 12);

    /* Predictions from before the teacher learned are there without scoring. */
    const distillation_cost_t *early = &result.variant[EARLY].teaching;
    assert_int_equal(early->runs, 1);
    assert_true(early->teachers_cpu_seconds == 11 && early->teachers_wall_seconds == 22);
    assert_near(early->rows_pulled_per_example_with_teacher, EARLY + 1 * 100 / 2.0 / 100, 1e-12);
    result_fini(&result);
    experiment_destroy(&experiment);
}

/* A variant's end: its examples, its seconds and its loss on the evaluation split. */
static void set_end(experiment_result_t *result, int v, int64_t examples, double logloss)
{
    result->variant[v].cost.examples = examples;
    result->variant[v].cost.wall_seconds = (double)examples / 50;
    result->variant[v].quality.logloss = logloss;
}

static void test_savings_of_an_experiment(void **state)
{
    (void)state;
    test_dir();
    experiment_t *experiment = load();
    experiment_result_t result = make_result(experiment);
    distillation_cost_measure(&result);
    set_end(&result, RELU, 100, 0.60);
    set_end(&result, STUDENT, 100, 0.57);
    set_end(&result, HALF, 50, 0.63);
    set_end(&result, MOST_OF_IT, 80, 0.58); /* the student is at .60 after 50 + 3/5 30 = 68 examples */
    set_end(&result, RELU_HALF, 50, 0.62);
    set_end(&result, SMOOTH, 100, 0.5);
    set_end(&result, SMOOTH_STUDENT, 100, 0.55);
    set_end(&result, SHORT_STUDENT, 30, 0.59);
    distillation_cost_measure_saving(&result);

    const distillation_cost_t *student = &result.variant[STUDENT].teaching, *half = &result.variant[HALF].teaching;
    const distillation_cost_t *smooth = &result.variant[SMOOTH_STUDENT].teaching,
                              *brief = &result.variant[SHORT_STUDENT].teaching;
    assert_int_equal(student->without, RELU);
    assert_int_equal(student->held_out_saving, SAVING_REACHED);
    assert_int_equal(student->held_out_points, 3); /* short_student has a teacher for every replica, and is no part of it */
    assert_true(student->is_whole);
    assert_near(student->held_out_share_of_examples, 0.68, 1e-12);
    assert_near(student->held_out_share_of_wall_seconds, 0.68, 1e-12);
    assert_near(student->held_out_logloss_change, -0.05, 1e-12);

    assert_int_equal(half->without, RELU_HALF); /* of the same length, and no longer curve than its own */
    assert_int_equal(half->held_out_saving, SAVING_NEVER);
    assert_int_equal(half->held_out_points, 1);
    assert_false(half->is_whole);
    assert_true(isnan(half->held_out_share_of_examples));

    assert_int_equal(smooth->without, SMOOTH); /* the same network, not the baseline */
    assert_int_equal(smooth->held_out_saving, SAVING_NEVER);
    assert_near(smooth->held_out_logloss_change, 0.1, 1e-12);
    assert_int_equal(brief->without, RELU); /* no variant of 3 steps without a teacher: the baseline */
    assert_int_equal(brief->held_out_saving, SAVING_AT_MOST);
    assert_near(brief->held_out_share_of_examples, 0.3, 1e-12);

    set_end(&result, HALF, 50, NAN);
    distillation_cost_measure_saving(&result);
    assert_int_equal(student->held_out_saving, SAVING_UNKNOWN);

    set_end(&result, HALF, 50, 0.63); /* 30 % positives: a constant has 0.6109 */
    result.eval_examples = 10;
    result.label = MEM_ARRAY(uint8_t, 10);
    result.label[1] = result.label[4] = result.label[7] = 1;
    distillation_cost_measure_saving(&result);
    assert_int_equal(student->held_out_saving, SAVING_REACHED);
    result.label[7] = 0; /* 20 %: 0.5004, below relu's 0.60, and above smooth's 0.5 */
    distillation_cost_measure_saving(&result);
    assert_int_equal(student->held_out_saving, SAVING_UNKNOWN);
    assert_int_equal(smooth->held_out_saving, SAVING_NEVER);
    result_fini(&result);
    experiment_destroy(&experiment);
}

/* ---- curves ---------------------------------------------------------------------------------------------------------- */

enum { MOST = 6 };

/* Points of 100 examples and 2 seconds each; ends at the first loss that is 0. */
static int32_t make_curve(held_out_t point[MOST], const double loss[MOST])
{
    int32_t n = 0;
    for (; n < MOST && loss[n] != 0.0; n++)
        point[n] = (held_out_t){.examples = 100 * (n + 1), .logloss = loss[n], .seconds = 2 * (n + 1)};
    return n;
}

static void test_reach(void **state)
{
    (void)state;
    static const struct {
        double student[MOST];
        int32_t points; /* of the training without a teacher, which ends at 0.7 */
        saving_t saving;
        double share; /* of both examples and seconds */
    } cases[] = {
        {{0.9, 0.8, 0.6, 0.5}, 4, SAVING_REACHED, 2.5 / 4},           /* half-way between two points */
        {{0.9, 0.8, 0.7, 0.6}, 4, SAVING_REACHED, 3.0 / 4},           /* at a point */
        {{0.6, 0.9, 0.8, 0.5}, 4, SAVING_REACHED, 3.333333 / 4},      /* a lucky start does not count */
        {{0.7, 0.6, 0.5, 0.4}, 4, SAVING_AT_MOST, 1.0 / 4},           /* before the first point */
        {{0.6}, 1, SAVING_AT_MOST, 1.0},                              /* the end is all that is known */
        {{0.9, 0.8, 0.7}, 4, SAVING_REACHED, 3.0 / 4},                /* a shorter training, to the point */
        {{0.9, 0.9, 0.9, 0.9, 0.8, 0.6}, 2, SAVING_REACHED, 5.5 / 2}, /* a longer one that takes longer */
        {{0.9, 0.6, 0.6, 0.71}, 4, SAVING_NEVER, NAN},                /* there once, and lost again */
        {{0.9, 0.8}, 4, SAVING_NEVER, NAN},
        {{0.9, NAN, 0.6}, 3, SAVING_UNKNOWN, NAN},
        {{0}, 2, SAVING_UNKNOWN, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        held_out_t point[MOST];
        const held_out_t without = {.examples = 100 * cases[i].points, .seconds = 2 * cases[i].points, .logloss = 0.7};
        const int32_t n = make_curve(point, cases[i].student);
        double examples = NAN, seconds = NAN;
        assert_int_equal(distillation_cost_reach(point, n, &without, &examples, &seconds), cases[i].saving);
        if (isfinite(cases[i].share)) {
            assert_near(examples, cases[i].share, 1e-6);
            assert_near(seconds, cases[i].share, 1e-6);
        } else {
            assert_true(isnan(examples) && isnan(seconds));
        }
    }
    const held_out_t point = {100, 2, 0.6}, diverged = {100, 2, NAN};
    double examples, seconds;
    assert_int_equal(distillation_cost_reach(&point, 1, &diverged, &examples, &seconds), SAVING_UNKNOWN);
}

/* Time is the student's own: twice as slow, it saves no time with half of the examples. */
static void test_time_is_not_examples(void **state)
{
    (void)state;
    static const double fast[MOST] = {0.9, 0.7, 0.6, 0.5};
    held_out_t point[MOST];
    const held_out_t without = {.examples = 400, .seconds = 8, .logloss = 0.7};
    const int32_t n = make_curve(point, fast);
    for (int i = 0; i < n; i++)
        point[i].seconds *= 2;
    double examples, seconds;
    assert_int_equal(distillation_cost_reach(point, n, &without, &examples, &seconds), SAVING_REACHED);
    assert_near(examples, 0.5, 1e-12);
    assert_near(seconds, 1.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_teacher_is_paid_once),
        cmocka_unit_test(test_savings_of_an_experiment),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_time_is_not_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
