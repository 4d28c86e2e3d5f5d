#include "common/metrics/pd.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/math/real.h"
#include "common/metrics/weighted.h"

#define P_FLOOR 1e-7 /* as in metrics_logloss: an f32 probability rounds to 0 or 1 long before its logit is infinite */

/* Two zeros do not differ. */
static double relative_difference(double a, double b)
{
    return a + b > 0.0 ? 2.0 * fabs(a - b) / (a + b) : 0.0;
}

static bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0; /* false for NaN */
}

/* The terms of one example; p [replicas] are its predictions, logit [replicas] is scratch. */
static void example_terms(const double *p, double *logit, int32_t replicas, double term[PD_COUNT])
{
    double sum = 0.0, distance = 0.0, squares = 0.0, relative = 0.0, symkl = 0.0;
    for (int32_t r = 0; r < replicas; r++) {
        double kept = fmin(fmax(p[r], P_FLOOR), 1.0 - P_FLOOR);
        logit[r] = real_log_of_normal(kept / (1.0 - kept));
        sum += p[r];
    }
    const double mean = sum / replicas;
    for (int32_t r = 0; r < replicas; r++) {
        distance += fabs(p[r] - mean);
        squares += (p[r] - mean) * (p[r] - mean);
        for (int32_t s = r + 1; s < replicas; s++) {
            relative += relative_difference(p[r], p[s]);
            symkl += 0.5 * (p[r] - p[s]) * (logit[r] - logit[s]);
        }
    }
    const double pairs = pd_pairs(replicas);
    term[PD_RELATIVE] = relative / pairs;
    term[PD_L1] = mean > 0.0 ? distance / replicas / mean : 0.0;
    term[PD_L2] = mean > 0.0 ? sqrt(squares / replicas) / mean : 0.0;
    term[PD_STD] = sqrt(squares / (replicas - 1));
    term[PD_SYMKL] = symkl / pairs;
}

void pd_examples(const float *const *p, int32_t replicas, int64_t n, double *term)
{
    double *of_example = MEM_ARRAY(double, replicas), *logit = MEM_ARRAY(double, replicas);
    for (int64_t t = 0; t < n; t++) {
        bool defined = replicas >= 2;
        for (int32_t r = 0; r < replicas; r++) {
            of_example[r] = (double)p[r][t];
            defined = defined && is_probability(of_example[r]);
        }
        if (defined)
            example_terms(of_example, logit, replicas, term + t * PD_COUNT);
        else
            for (int m = 0; m < PD_COUNT; m++)
                term[t * PD_COUNT + m] = NAN;
    }
    mem_free(of_example);
    mem_free(logit);
}

void pd_relative_examples(const float *const *p, int32_t replicas, int64_t n, double *term)
{
    const double pairs = pd_pairs(replicas);
    for (int64_t t = 0; t < n; t++) {
        bool defined = replicas >= 2;
        double relative = 0.0;
        for (int32_t r = 0; r < replicas; r++) {
            defined = defined && is_probability((double)p[r][t]);
            for (int32_t s = r + 1; s < replicas; s++)
                relative += relative_difference((double)p[r][t], (double)p[s][t]);
        }
        term[t] = defined ? relative / pairs : NAN;
    }
}

void pd_sum_add(pd_sum_t *sum, const float *a, const float *b, const float *w, int64_t n)
{
    double total = sum->sum, weight = sum->weight;
    bool defined = true;
    for (int64_t t = 0; t < n; t++) {
        defined = defined && is_probability((double)a[t]) && is_probability((double)b[t]);
        total += weighted_of(w, t) * relative_difference((double)a[t], (double)b[t]);
        weight += weighted_of(w, t);
    }
    *sum = (pd_sum_t){total, weight, sum->is_bad || !defined};
}

double pd_sum_mean(const pd_sum_t *sum)
{
    return sum->weight > 0.0 && !sum->is_bad ? sum->sum / sum->weight : NAN;
}

double pd_of_pair(const float *a, const float *b, int64_t n)
{
    pd_sum_t sum = {0};
    pd_sum_add(&sum, a, b, NULL, n);
    return pd_sum_mean(&sum);
}

double pd_mean(const double *term, int64_t n, pd_measure_t measure)
{
    ASSERT(measure < PD_COUNT);
    double sum = 0.0;
    for (int64_t t = 0; t < n; t++)
        sum += term[t * PD_COUNT + measure];
    return n ? sum / (double)n : NAN;
}

/* A short sorted list by insertion: after the first few examples almost none enters it. */
int pd_most_put(int64_t *index, double *value, int count, int most, const double *number, int stride, int64_t n, int64_t first)
{
    ASSERT(most > 0);
    for (int64_t k = 0; k < n; k++) {
        const double own = number[k * stride];
        if (!(own > 0.0) || (count == most && own <= value[most - 1]))
            continue;
        int at = count < most ? count++ : most - 1;
        for (; at > 0 && value[at - 1] < own; at--) {
            index[at] = index[at - 1];
            value[at] = value[at - 1];
        }
        index[at] = first + k;
        value[at] = own;
    }
    return count;
}

int pd_most_different(const double *term, int64_t n, int64_t *index, int most)
{
    double *value = MEM_ARRAY(double, most);
    const int count = pd_most_put(index, value, 0, most, term + PD_RELATIVE, PD_COUNT, n, 0);
    mem_free(value);
    return count;
}
