#include "launcher/report/differences.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/t_test.h"

bool differences_compared(int n, compared_t *out)
{
    static const compared_t of[] = {
        {&quality_rows, 0, offsetof(variant_result_t, quality)},
        {&reproducibility_rows, 0, offsetof(variant_result_t, reproducibility)},
    };
    for (size_t s = 0; s < sizeof of / sizeof *of; s++)
        for (int i = 0; i < of[s].rows->n; i++)
            if (of[s].rows->row[i].show & SHOW_ERROR && n-- == 0) {
                *out = (compared_t){of[s].rows, i, of[s].numbers};
                return true;
            }
    return false;
}

const metric_t *differences_metric(const compared_t *compared)
{
    return &compared->rows->row[compared->i];
}

bool differences_is_loss(const compared_t *compared)
{
    return compared->rows == &quality_rows && differences_metric(compared)->show & SHOW_CHANGE;
}

double differences_value(const compared_t *compared, const variant_result_t *variant)
{
    return metric_value(compared->rows, compared->i, (const char *)variant + compared->numbers);
}

bool differences_has_reference(const experiment_result_t *result, int32_t b)
{
    return result->difference && (!result->reference || result->reference[b] >= 0);
}

static difference_t *difference_at(const experiment_result_t *result, int32_t a, int32_t b, int n)
{
    ASSERT(differences_has_reference(result, b) && n < result->compared);
    const int64_t row = result->reference ? result->reference[b] : b;
    return &result->difference[(row * result->variants + a) * result->compared + n];
}

const difference_t *differences_of(const experiment_result_t *result, int32_t a, int32_t b, int n)
{
    return difference_at(result, a, b, n);
}

/* All of them, unless they are too many for a matrix. Returns how many. */
static int32_t choose_references(experiment_result_t *result)
{
    const bool all = result->variants <= DIFFERENCES_MOST_VARIANTS;
    const variant_result_t *ensemble = result_ensemble(result);
    int32_t count = 0;
    mem_free(result->reference);
    result->reference = MEM_ARRAY(int32_t, result->variants);
    for (int32_t v = 0; v < result->variants; v++)
        result->reference[v] = all || v == result->baseline || &result->variant[v] == ensemble ? count++ : -1;
    return count;
}

/* A number of quality is a mean over replicas; without one of them it is that of the others. */
static void mean_without(const compared_t *compared, const variant_result_t *variant, double *without)
{
    const int32_t replicas = variant->replicas;
    for (int32_t out = 0; out < replicas; out++) {
        double sum = 0.0;
        for (int32_t r = 0; r < replicas; r++)
            if (r != out)
                sum += metric_value(compared->rows, compared->i, &variant->replica[r].quality);
        without[out] = sum / (replicas - 1);
    }
}

/* Without each replica; NaN below two. **owned** */
static double *without_each(const compared_t *compared, const variant_result_t *variant)
{
    double *without = MEM_ARRAY(double, variant->replicas);
    const double *pd = differences_metric(compared)->offset == offsetof(reproducibility_t, pd_relative)
                           ? variant->without.pd_relative
                           : variant->without.pd_levelled;
    if (compared->rows == &quality_rows)
        mean_without(compared, variant, without);
    else
        for (int32_t r = 0; r < variant->replicas; r++)
            without[r] = pd[r];
    return without;
}

static double error_of_change(const double *a, const double *b, int32_t replicas, bool as_share)
{
    double *change = MEM_ARRAY(double, replicas);
    for (int32_t r = 0; r < replicas; r++)
        change[r] = as_share ? a[r] / b[r] - 1.0 : a[r] - b[r];
    const double error = jackknife_error(change, replicas);
    mem_free(change);
    return error;
}

static difference_t measure(const compared_t *compared, const variant_result_t *a, const variant_result_t *b,
                            const double *without_a, const double *without_b)
{
    const bool is_loss = differences_is_loss(compared), is_paired = a->replicas == b->replicas && result_is_comparable(a, b);
    const double of_a = differences_value(compared, a), of_b = differences_value(compared, b);
    difference_t d = {of_a - of_b, NAN, is_loss ? of_a / of_b - 1.0 : NAN, NAN, NAN, NAN, NAN};
    if (is_paired) {
        d.error = error_of_change(without_a, without_b, a->replicas, false);
        d.p = t_test_p(d.value, d.error, a->replicas);
    }
    if (is_paired && is_loss) {
        d.change_error = error_of_change(without_a, without_b, a->replicas, true);
        d.replicas = t_test_replicas(d.change_error * sqrt(a->replicas), DIFFERENCES_DECIDE);
    }
    return d;
}

/* One number of all pairs; Holm's correction is over those that are set against the same variant. */
static void measure_number(experiment_result_t *result, int n, const compared_t *compared, double *const *without)
{
    const int32_t variants = result->variants;
    double *p = MEM_ARRAY(double, variants);
    for (int32_t b = 0; b < variants; b++) {
        if (!differences_has_reference(result, b))
            continue;
        for (int32_t a = 0; a < variants; a++) {
            difference_t *d = difference_at(result, a, b, n);
            *d = measure(compared, &result->variant[a], &result->variant[b], without[a], without[b]);
            p[a] = a == b ? NAN : d->p;
        }
        t_test_holm(p, variants, p);
        for (int32_t a = 0; a < variants; a++)
            difference_at(result, a, b, n)->p_holm = p[a];
    }
    mem_free(p);
}

static void set_error(variant_result_t *variant, const compared_t *compared, const double *without)
{
    const double error = jackknife_error(without, variant->replicas);
    if (compared->rows == &quality_rows)
        metric_set(&quality_rows, compared->i, &variant->quality_error, error);
    else if (differences_metric(compared)->offset == offsetof(reproducibility_t, pd_relative))
        variant->error.pd_relative = error;
    else
        variant->error.pd_levelled = error;
}

/* Those of PD from the baseline's are numbers of their own in every report. */
static void set_difference_errors(experiment_result_t *result)
{
    compared_t compared;
    for (int n = 0; differences_compared(n, &compared); n++)
        for (int32_t v = 0; v < result->variants && compared.rows == &reproducibility_rows; v++) {
            replica_errors_t *error = &result->variant[v].error;
            *(differences_metric(&compared)->offset == offsetof(reproducibility_t, pd_relative)
                  ? &error->pd_difference
                  : &error->pd_levelled_difference) = differences_of(result, v, result->baseline, n)->error;
        }
}

void differences_measure(experiment_result_t *result)
{
    compared_t compared;
    result->compared = 0;
    while (differences_compared(result->compared, &compared))
        result->compared++;
    mem_free(result->difference);
    const int64_t rows = choose_references(result);
    result->difference = MEM_ARRAY(difference_t, rows * result->variants * result->compared);
    double **without = MEM_ARRAY(double *, result->variants);
    for (int n = 0; differences_compared(n, &compared); n++) {
        for (int32_t v = 0; v < result->variants; v++) {
            without[v] = without_each(&compared, &result->variant[v]);
            set_error(&result->variant[v], &compared, without[v]);
        }
        measure_number(result, n, &compared, without);
        for (int32_t v = 0; v < result->variants; v++)
            mem_free(without[v]);
    }
    set_difference_errors(result);
    mem_free(without);
}
