/* The progressive logloss is the mean over all examples so far, not over the last ones: single intervals differ by more than a
 * teacher changes. Curves of replicas are averaged before they are compared, since replica r of student and partner sees the
 * same order, whose noise the averages share. */
#include "launcher/teaching.h"

#include <math.h>
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

/* All runs that stand above one of a student; used [variants][replicas] of the student's number of replicas. */
static void mark_teachers(const experiment_result_t *result, int32_t v, int32_t r, bool *used)
{
    const int32_t replicas = result->variant[v].replicas;
    for (int32_t t = teacher_of(result, v); t >= 0; v = t, t = teacher_of(result, v)) {
        if (result->variant[v].config->teacher.replica == TEACHER_REPLICA_FIRST)
            r = 0;
        if (r < result->variant[t].replicas)
            used[t * replicas + r] = true;
    }
}

static void measure_student(const experiment_result_t *result, int32_t v, variant_result_t *student)
{
    const int32_t replicas = student->replicas;
    bool *used = MEM_ARRAY(bool, result->variants *replicas);
    teaching_t teaching = {.teacher = teacher_of(result, v),
                           .without = -1,
                           .reached_after_share_of_examples = NAN,
                           .reached_after_share_of_wall_seconds = NAN};
    double rows = 0.0;
    for (int32_t r = 0; r < replicas; r++)
        mark_teachers(result, v, r, used);
    for (int32_t i = 0; i < result->variants * replicas; i++) {
        if (!used[i])
            continue;
        const cost_t *cost = &result->variant[i / replicas].replica[i % replicas].cost;
        teaching.runs++;
        teaching.teachers_cpu_seconds += cost->cpu_seconds + cost->teaching_cpu_seconds;
        teaching.teachers_wall_seconds += cost->wall_seconds + cost->teaching_wall_seconds;
        rows += cost->rows_pulled_per_example * (double)cost->examples + (double)cost->teaching_rows_pulled;
    }
    teaching.cpu_seconds_with_teacher = student->cost.cpu_seconds + teaching.teachers_cpu_seconds / replicas;
    teaching.wall_seconds_with_teacher = student->cost.wall_seconds + teaching.teachers_wall_seconds / replicas;
    teaching.rows_pulled_per_example_with_teacher =
        student->cost.rows_pulled_per_example + rows / replicas / (double)student->cost.examples;
    student->teaching = teaching;
    mem_free(used);
}

void teaching_measure_cost(experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++)
        if (teacher_of(result, v) >= 0)
            measure_student(result, v, &result->variant[v]);
}

/* ---- saving ---------------------------------------------------------------------------------------------------------- */

/* The point-wise mean of curves that have the same examples; no points where they do not. **owned** */
static curve_t mean_curve(const curve_t *curve, int32_t replicas)
{
    curve_t mean = {.points = curve[0].points, .point = MEM_ARRAY(curve_point_t, curve[0].points)};
    for (int32_t r = 0; r < replicas; r++) {
        bool same = curve[r].points == curve[0].points;
        for (int64_t i = 0; i < mean.points && same; i++) {
            const curve_point_t *point = &curve[r].point[i];
            same = point->examples == curve[0].point[i].examples;
            mean.point[i].examples = point->examples;
            mean.point[i].progressive += point->progressive / replicas;
            mean.point[i].seconds += point->seconds / replicas;
        }
        if (!same)
            mean.points = 0;
    }
    return mean;
}

static double between(double a, double b, double share)
{
    return a + share * (b - a);
}

/* Both curves have points. */
static saving_t reach(const curve_t *student, const curve_t *without, double *examples, double *seconds)
{
    const curve_point_t *end = &without->point[without->points - 1];
    int64_t above = student->points; /* the points up to the last one that is above the target */
    while (above > 0 && student->point[above - 1].progressive <= end->progressive)
        above--;
    for (int64_t i = 0; i < student->points; i++)
        if (isnan(student->point[i].progressive) || isnan(end->progressive))
            return SAVING_UNKNOWN;
    if (above == student->points)
        return SAVING_NEVER;
    curve_point_t at = student->point[above];
    if (above > 0) {
        const curve_point_t *before = &student->point[above - 1];
        const double share = (before->progressive - end->progressive) / (before->progressive - at.progressive);
        *examples = between((double)before->examples, (double)at.examples, share) / (double)end->examples;
        *seconds = between(before->seconds, at.seconds, share) / end->seconds;
    } else {
        *examples = (double)at.examples / (double)end->examples;
        *seconds = at.seconds / end->seconds;
    }
    return SAVING_REACHED;
}

saving_t teaching_reach(const curve_t *student, const curve_t *without, int32_t replicas, double *examples, double *seconds)
{
    curve_t of_student = mean_curve(student, replicas), of_without = mean_curve(without, replicas);
    const bool known = of_student.points > 0 && of_without.points > 0;
    const saving_t saving = known ? reach(&of_student, &of_without, examples, seconds) : SAVING_UNKNOWN;
    curve_fini(&of_student);
    curve_fini(&of_without);
    return saving;
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
        if (result->variant[v].config && !*result->variant[v].config->teacher.variant &&
            is_same_but_taught(result->variant[student].config, result->variant[v].config))
            return v;
    return result->baseline == student ? -1 : result->baseline;
}

static void free_curves(curve_t *curves, int32_t n)
{
    for (int32_t r = 0; r < n; r++)
        curve_fini(&curves[r]);
    mem_free(curves);
}

/* [replicas] **owned**; those that are not there have no points. */
static status_t read_curves(const variant_result_t *variant, const char *dir, curve_t **out)
{
    curve_t *curves = MEM_ARRAY(curve_t, variant->replicas);
    status_t status = ST_OK;
    for (int32_t r = 0; r < variant->replicas && status == ST_OK; r++) {
        bool found;
        char *run_dir = mem_printf("%s/%s/r%d", dir, variant->name, variant->replica[r].replica);
        status = curve_read(run_dir, &curves[r], &found);
        mem_free(run_dir);
    }
    if (status == ST_OK)
        *out = curves;
    else
        free_curves(curves, variant->replicas);
    return status;
}

static status_t measure_saving(const variant_result_t *student, const variant_result_t *without, const char *dir,
                               teaching_t *teaching)
{
    curve_t *of_student = NULL, *of_without = NULL;
    status_t status = ST_OK;
    if (student->replicas != without->replicas)
        return ST_OK;
    TRY_DONE(read_curves(student, dir, &of_student));
    TRY_DONE(read_curves(without, dir, &of_without));
    teaching->saving = teaching_reach(of_student, of_without, student->replicas, &teaching->reached_after_share_of_examples,
                                      &teaching->reached_after_share_of_wall_seconds);
done:
    if (of_student)
        free_curves(of_student, student->replicas);
    if (of_without)
        free_curves(of_without, student->replicas);
    return status;
}

status_t teaching_measure_saving(experiment_result_t *result, const char *dir)
{
    for (int32_t v = 0; v < result->variants; v++) {
        variant_result_t *student = &result->variant[v];
        if (student->teaching.runs == 0)
            continue;
        student->teaching.without = without_teacher(result, v);
        if (student->teaching.without >= 0)
            TRY(measure_saving(student, &result->variant[student->teaching.without], dir, &student->teaching));
    }
    return ST_OK;
}
