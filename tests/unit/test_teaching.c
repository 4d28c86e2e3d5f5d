/* Proves distillation's account: a run that teaches is paid once, however many it teaches, with its scoring and its own teachers,
 * in equal parts; a student is set against its own network without a teacher; and on made-up curves, where it has come
 * down to that one's end, or that it does not. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "launcher/teaching.h"

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
    "  - {name: short_student, train: {max_steps: 3}, teacher: {variant: wide, replica: same}}\n";

enum { RELU, WIDE, STUDENT, SMOOTH, SMOOTH_STUDENT, SHORT_STUDENT, VARIANTS };
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
    teaching_measure_cost(&result);
    assert_int_equal(result.variant[RELU].teaching.runs, 0);
    assert_int_equal(result.variant[WIDE].teaching.runs, 0);

    /* One run of wide, 11 + 0.5 seconds, for two students of 21.5. */
    const teaching_t *one = &result.variant[STUDENT].teaching;
    assert_int_equal(one->runs, 1);
    assert_int_equal(one->teacher, WIDE);
    assert_true(one->teachers_cpu_seconds == 11.5 && one->teachers_wall_seconds == 22.25);
    assert_true(one->cpu_seconds_with_teacher == 21.5 + 11.5 / 2 && one->wall_seconds_with_teacher == 43 + 22.25 / 2);
    assert_near(one->rows_pulled_per_example_with_teacher, 2 + (1 * 100 + 50) / 2.0 / 100, 1e-12);

    /* Both students, and the one run above them. */
    const teaching_t *chain = &result.variant[SMOOTH_STUDENT].teaching;
    assert_int_equal(chain->runs, 3);
    assert_int_equal(chain->teacher, STUDENT);
    assert_true(chain->teachers_cpu_seconds == 21.5 + 22.5 + 11.5);
    assert_true(chain->cpu_seconds_with_teacher == 41.5 + 55.5 / 2);

    /* A teacher each. */
    const teaching_t *each = &result.variant[SHORT_STUDENT].teaching;
    assert_int_equal(each->runs, 2);
    assert_true(each->teachers_cpu_seconds == 11.5 + 12.5);
    assert_true(each->cpu_seconds_with_teacher == 51.5 + 12);
    result_fini(&result);
    experiment_destroy(&experiment);
}

/* A run's progressive logloss: 1 / i + level at step i of `points`, 10 examples and a second each, from `late` seconds on. */
static void write_curve(const char *variant, int replica, int points, double level, double late)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (int i = 1; i <= points; i++)
        fprintf(out, "{\"step\": %d, \"examples\": %d, \"logloss\": 1.0, \"progressive_logloss\": %.17g, \"seconds\": %.17g}\n",
                i, 10 * i, 1.0 / i + level, i + late);
    fclose(out);
    assert_int_equal(dir_create(test_path("%s/r%d", variant, replica)), ST_OK);
    assert_int_equal(file_write_atomic(test_path("%s/r%d/metrics.jsonl", variant, replica), text, bytes), ST_OK);
    free(text);
}

static void test_savings_of_an_experiment(void **state)
{
    (void)state;
    char *dir = mem_strdup(test_dir());
    experiment_t *experiment = load();
    experiment_result_t result = make_result(experiment);
    teaching_measure_cost(&result);
    for (int r = 0; r < REPLICAS; r++) {
        write_curve("relu", r, 20, 0.5, 0);
        write_curve("student", r, 20, r ? 0.525 : 0.425, 0); /* in the mean 1/40 below: 1/40 + 1/i = 1/20, so i is 40/3 */
        write_curve("smooth", r, 20, 0.25, 0);
        write_curve("smooth_student", r, 20, 0.251, 0);
        write_curve("short_student", r, 3, 0.25, 1);
    }
    assert_int_equal(teaching_measure_saving(&result, dir), ST_OK);
    const teaching_t *student = &result.variant[STUDENT].teaching, *smooth = &result.variant[SMOOTH_STUDENT].teaching;
    const teaching_t *brief = &result.variant[SHORT_STUDENT].teaching;
    assert_int_equal(student->without, RELU);
    assert_int_equal(student->saving, SAVING_REACHED);
    assert_true(student->reached_after_share_of_examples > 13.0 / 20 && student->reached_after_share_of_examples < 14.0 / 20);
    assert_near(student->reached_after_share_of_examples, student->reached_after_share_of_wall_seconds, 1e-12);
    assert_int_equal(smooth->without, SMOOTH); /* the same network, not the baseline */
    assert_int_equal(smooth->saving, SAVING_NEVER);
    assert_true(isnan(smooth->reached_after_share_of_examples));
    assert_int_equal(brief->without, RELU); /* no variant of 3 steps without a teacher: the baseline */
    assert_int_equal(brief->saving, SAVING_NEVER);

    /* A folder that was removed, then one that is damaged. */
    assert_int_equal(remove(test_path("relu/r1/metrics.jsonl")), 0);
    assert_int_equal(teaching_measure_saving(&result, dir), ST_OK);
    assert_int_equal(student->saving, SAVING_UNKNOWN);
    assert_int_equal(smooth->saving, SAVING_NEVER);
    test_write("relu/r1/metrics.jsonl", "{\"step\": 1, \"logloss\": 0.5}\n");
    catch_start();
    assert_int_equal(teaching_measure_saving(&result, dir), ST_CORRUPT);
    catch_stop();
    assert_caught("relu/r1/metrics.jsonl: \"examples\" is missing");
    mem_free(dir);
    result_fini(&result);
    experiment_destroy(&experiment);
}

/* ---- curves ---------------------------------------------------------------------------------------------------------- */

enum { MOST = 6 };

/* Points of 100 examples and 2 seconds each; ends at the first loss that is 0. */
static curve_t make_curve(curve_point_t point[MOST], const double loss[MOST])
{
    curve_t curve = {.point = point};
    for (int i = 0; i < MOST && loss[i] != 0.0; i++)
        point[curve.points++] = (curve_point_t){
            .step = i + 1, .examples = 100 * (i + 1), .logloss = 9, .progressive = loss[i], .seconds = 2 * (i + 1)};
    return curve;
}

static void test_reach(void **state)
{
    (void)state;
    static const struct {
        double student[MOST], without[MOST];
        saving_t saving;
        double share; /* of both examples and seconds */
    } cases[] = {
        {{0.9, 0.8, 0.6, 0.5}, {0.9, 0.9, 0.8, 0.7}, SAVING_REACHED, 2.5 / 4},      /* half-way between two points */
        {{0.9, 0.8, 0.7, 0.6}, {0.9, 0.9, 0.8, 0.7}, SAVING_REACHED, 3.0 / 4},      /* at a point */
        {{0.6, 0.9, 0.8, 0.5}, {0.9, 0.9, 0.8, 0.7}, SAVING_REACHED, 3.333333 / 4}, /* a lucky start does not count */
        {{0.7, 0.6, 0.5, 0.4}, {0.9, 0.9, 0.8, 0.7}, SAVING_REACHED, 1.0 / 4},      /* before the first point: at most */
        {{0.9, 0.8, 0.7}, {0.9, 0.9, 0.8, 0.7}, SAVING_REACHED, 3.0 / 4},           /* a shorter training, to the point */
        {{0.9, 0.9, 0.9, 0.9, 0.8, 0.6}, {0.9, 0.7}, SAVING_REACHED, 5.5 / 2},      /* a longer one that takes longer */
        {{0.9, 0.6, 0.6, 0.71}, {0.9, 0.9, 0.8, 0.7}, SAVING_NEVER, NAN},           /* there once, and lost again */
        {{0.9, 0.8}, {0.9, 0.9, 0.8, 0.7}, SAVING_NEVER, NAN},
        {{0.9, NAN, 0.6}, {0.9, 0.9, 0.7}, SAVING_UNKNOWN, NAN},
        {{0.9, 0.6}, {0.9, NAN}, SAVING_UNKNOWN, NAN},
        {{0}, {0.9, 0.7}, SAVING_UNKNOWN, NAN},
        {{0.9, 0.7}, {0}, SAVING_UNKNOWN, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        curve_point_t a[MOST], b[MOST];
        const curve_t student = make_curve(a, cases[i].student), without = make_curve(b, cases[i].without);
        double examples = NAN, seconds = NAN;
        assert_int_equal(teaching_reach(&student, &without, 1, &examples, &seconds), cases[i].saving);
        if (cases[i].saving == SAVING_REACHED) {
            assert_near(examples, cases[i].share, 1e-6);
            assert_near(seconds, cases[i].share, 1e-6);
        } else {
            assert_true(isnan(examples) && isnan(seconds));
        }
    }
}

/* Time is the student's own: twice as slow, it saves no time with half of the examples. */
static void test_time_is_not_examples(void **state)
{
    (void)state;
    static const double fast[MOST] = {0.9, 0.7, 0.6, 0.5}, plain[MOST] = {0.9, 0.9, 0.8, 0.7};
    curve_point_t a[MOST], b[MOST];
    const curve_t student = make_curve(a, fast), without = make_curve(b, plain);
    for (int i = 0; i < 4; i++)
        a[i].seconds *= 2;
    double examples, seconds;
    assert_int_equal(teaching_reach(&student, &without, 1, &examples, &seconds), SAVING_REACHED);
    assert_near(examples, 0.5, 1e-12);
    assert_near(seconds, 1.0, 1e-12);
}

/* The mean of the replicas is compared; those of unequal examples have none. */
static void test_replicas_are_averaged(void **state)
{
    (void)state;
    static const double low[MOST] = {0.8, 0.6, 0.4}, high[MOST] = {1.0, 0.8, 0.6}, plain[MOST] = {0.9, 0.9, 0.6};
    curve_point_t a[MOST], b[MOST], c[MOST], d[MOST];
    const curve_t student[] = {make_curve(a, low), make_curve(b, high)},
                  without[] = {make_curve(c, plain), make_curve(d, plain)};
    double examples, seconds;
    assert_int_equal(teaching_reach(student, without, 2, &examples, &seconds), SAVING_REACHED);
    assert_near(examples, 2.5 / 3, 1e-12); /* 0.9, 0.7, 0.5 */
    b[1].examples++;
    assert_int_equal(teaching_reach(student, without, 2, &examples, &seconds), SAVING_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_teacher_is_paid_once),
        cmocka_unit_test(test_savings_of_an_experiment),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_time_is_not_examples),
        cmocka_unit_test(test_replicas_are_averaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
