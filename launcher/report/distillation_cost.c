/* What is compared is held out. Losses of training examples would not do: a student is told of an example's label, and of the
 * labels of all later ones, by a teacher that has learned from them, so that its progressive loss is low where it has learned
 * nothing of use.
 *
 * A training of fewer steps is a point of the curve that costs no machinery in the cluster: in one pass it is, to the bit, what
 * the longer one was at that step. (Rejected: to score a part of the evaluation split while the training goes on. All workers
 * would wait at that step until all pushes are applied, and every table be pulled, once for each point.) */
#include "launcher/report/distillation_cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

/* ---- cost ------------------------------------------------------------------------------------------------------------ */

static int32_t find_variant(const experiment_result_t *result, const char *name)
{
    for (int32_t v = 0; v < result->variants; v++)
        if (strcmp(result->variant[v].name, name) == 0)
            return v;
    return -1;
}

/* The variant that teaches v, or -1. */
static int32_t teacher_of(const experiment_result_t *result, int32_t v)
{
    const config_t *config = result->variant[v].config;
    return config && *config->teacher.variant ? find_variant(result, config->teacher.variant) : -1;
}

/* What of a run a student's account has. Progressive predictions come with the training, and are not scored for. */
typedef enum part_paid { TRAINING_PAID = 1, SCORING_PAID = 2 } part_paid_t;

/* All runs that stand above one of a student; paid [variants][replicas] of the student's number of replicas. */
static void mark_teachers(const experiment_result_t *result, int32_t v, int32_t r, unsigned *paid)
{
    const int32_t replicas = result->variant[v].replicas;
    for (int32_t t = teacher_of(result, v); t >= 0; v = t, t = teacher_of(result, v)) {
        if (result->variant[v].config->teacher.replica == TEACHER_REPLICA_FIRST)
            r = 0;
        if (r < result->variant[t].replicas)
            paid[t * replicas + r] |=
                TRAINING_PAID | (result->variant[v].config->teacher.predictions == SOFT_LABELS_FINAL ? SCORING_PAID : 0);
    }
}

static void measure_student(const experiment_result_t *result, int32_t v, variant_result_t *student)
{
    const int32_t replicas = student->replicas;
    unsigned *paid = MEM_ARRAY(unsigned, result->variants *replicas);
    distillation_cost_t teaching = {.teacher = teacher_of(result, v),
                                    .without = -1,
                                    .held_out_logloss_change = NAN,
                                    .held_out_share_of_examples = NAN,
                                    .held_out_share_of_wall_seconds = NAN};
    double rows = 0.0, flops = 0.0;
    for (int32_t r = 0; r < replicas; r++)
        mark_teachers(result, v, r, paid);
    for (int32_t i = 0; i < result->variants * replicas; i++) {
        if (!paid[i])
            continue;
        const cost_t *cost = &result->variant[i / replicas].replica[i % replicas].cost;
        const int scored = (paid[i] & SCORING_PAID) != 0;
        teaching.runs++;
        teaching.teachers_cpu_seconds += cost->cpu_seconds + scored * cost->teaching_cpu_seconds;
        teaching.teachers_wall_seconds += cost->wall_seconds + scored * cost->teaching_wall_seconds;
        flops += (double)cost->flops_per_example * (double)cost->examples;
        rows += cost->rows_pulled_per_example * (double)cost->examples + scored * (double)cost->teaching_rows_pulled;
    }
    teaching.cpu_seconds_with_teacher = student->cost.cpu_seconds + teaching.teachers_cpu_seconds / replicas;
    teaching.wall_seconds_with_teacher = student->cost.wall_seconds + teaching.teachers_wall_seconds / replicas;
    teaching.rows_pulled_per_example_with_teacher =
        student->cost.rows_pulled_per_example + rows / replicas / (double)student->cost.examples;
    teaching.flops_per_example_with_teacher =
        (double)student->cost.flops_per_example + flops / replicas / (double)student->cost.examples;
    student->teaching = teaching;
    mem_free(paid);
}

void distillation_cost_measure(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++)
        if (teacher_of(result, v) >= 0)
            measure_student(result, v, &result->variant[v]);
}

/* ---- saving ---------------------------------------------------------------------------------------------------------- */

static double between(double a, double b, double share)
{
    return a + share * (b - a);
}

saving_t distillation_cost_reach(const held_out_t *point, int32_t n, const held_out_t *without, double *examples,
                                 double *seconds)
{
    int32_t above = n; /* the points up to the last one that is above the target */
    if (n == 0 || isnan(without->logloss))
        return SAVING_UNKNOWN;
    for (int32_t i = 0; i < n; i++)
        if (isnan(point[i].logloss))
            return SAVING_UNKNOWN;
    while (above > 0 && point[above - 1].logloss <= without->logloss)
        above--;
    if (above == n)
        return SAVING_NEVER;
    const held_out_t *at = &point[above];
    double reached_examples = (double)at->examples, reached_seconds = at->seconds;
    if (above > 0) {
        const held_out_t *before = &point[above - 1];
        const double share = (before->logloss - without->logloss) / (before->logloss - at->logloss);
        reached_examples = between((double)before->examples, reached_examples, share);
        reached_seconds = between(before->seconds, reached_seconds, share);
    }
    *examples = reached_examples / (double)without->examples;
    *seconds = reached_seconds / without->seconds;
    return above > 0 ? SAVING_REACHED : SAVING_AT_MOST;
}

/* Do two variants differ in their length alone? */
static bool is_same_but_shorter(const config_t *a, const config_t *b)
{
    config_t same = *a;
    same.train.max_steps = b->train.max_steps;
    return config_hash(&same) == config_hash(b) && a->experiment.vary == b->experiment.vary;
}

/* Is b what a would be without its teacher, or with b's? */
static bool is_same_but_taught(const config_t *a, const config_t *b)
{
    config_t untaught = *a;
    untaught.teacher = b->teacher;
    return config_hash(&untaught) == config_hash(b) && a->experiment.vary == b->experiment.vary;
}

static int32_t without_teacher(const experiment_result_t *result, int32_t student)
{
    for (int32_t v = 0; v < result->variants; v++)
        if (result->variant[v].config && !config_is_taught(result->variant[v].config) &&
            is_same_but_taught(result->variant[student].config, result->variant[v].config))
            return v;
    return result->baseline == student ? -1 : result->baseline;
}

static held_out_t end_of(const variant_result_t *variant)
{
    return (held_out_t){variant->cost.examples, variant->cost.wall_seconds, variant->quality.logloss};
}

static int by_examples(const void *a, const void *b)
{
    const held_out_t *x = a, *y = b;
    return (x->examples > y->examples) - (x->examples < y->examples);
}

/* The student and its shorter trainings; [*n] **owned**. *is_whole: no other training of it is longer. */
static held_out_t *curve_of(const experiment_result_t *result, const variant_result_t *student, int32_t *n, bool *is_whole)
{
    held_out_t *point = MEM_ARRAY(held_out_t, result->variants);
    *n = 0;
    *is_whole = true;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (!variant->config || !is_same_but_shorter(variant->config, student->config))
            continue;
        if (variant->cost.examples > student->cost.examples)
            *is_whole = false;
        else if (variant == student || variant->cost.examples < student->cost.examples)
            point[(*n)++] = end_of(variant);
    }
    qsort(point, (size_t)*n, sizeof *point, by_examples);
    return point;
}

void distillation_cost_measure_saving(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *student = &result->variant[v];
        distillation_cost_t *teaching = &student->teaching;
        if (teaching->runs == 0)
            continue;
        teaching->without = without_teacher(result, v);
        if (teaching->without < 0)
            continue;
        const held_out_t without = end_of(&result->variant[teaching->without]);
        held_out_t *point = curve_of(result, student, &teaching->held_out_points, &teaching->is_whole);
        teaching->held_out_logloss_change = student->quality.logloss / without.logloss - 1.0;
        teaching->held_out_saving = SAVING_UNKNOWN;
        if (result_beats_constant(result, &result->variant[teaching->without])) /* else there is nothing to reach */
            teaching->held_out_saving =
                distillation_cost_reach(point, teaching->held_out_points, &without, &teaching->held_out_share_of_examples,
                                        &teaching->held_out_share_of_wall_seconds);
        mem_free(point);
    }
}
