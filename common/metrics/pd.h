/* pd.h - prediction difference: how far the predictions of R replicas of one model lie apart (docs/MATH.md section 9).
 *
 * Every measure is a mean over examples, so what is computed here is each example's own term. Means over all examples,
 * over the examples of a slice and over resampled queries then come from the same terms. Pure functions, any thread. */
#ifndef SMELTER_PD_H
#define SMELTER_PD_H

#include <stdbool.h>
#include <stdint.h>

/* The measures: X(NAME, name, "what it is"). */
#define PD_MEASURES(X) \
    X(RELATIVE, relative, "2 |p1 - p2| / (p1 + p2), mean over pairs of replicas (eq. 35)") \
    X(L1, l1, "mean distance from the replicas' mean prediction, relative to it (eq. 36)") \
    X(L2, l2, "root mean square distance from the replicas' mean prediction, relative to it (eq. 37)") \
    X(STD, std, "standard deviation over replicas, not relative (eq. 38)") \
    X(SYMKL, symkl, "symmetrised Kullback-Leibler divergence, mean over pairs of replicas (eq. 39)")

#define PD_NAME(NAME, name, doc) PD_##NAME,
typedef enum pd_measure { PD_MEASURES(PD_NAME) PD_COUNT } pd_measure_t;
#undef PD_NAME

/* pd_pairs - R (R-1) / 2, the pairs that a mean over pairs runs over. */
static inline int32_t pd_pairs(int32_t replicas)
{
    return replicas * (replicas - 1) / 2;
}

/* pd_examples - every example's term of every measure.
 *
 * p         in   [replicas][n], replica r's prediction of example t is p[r][t]
 * term      out  [n][PD_COUNT], row-major; the terms of an example are NaN below two replicas, and where a prediction
 *                of it is not in [0, 1]: a diverged model must not look reproducible
 * Cannot fail.  Cost: replicas logarithms and replicas^2 / 2 divisions an example. */
void pd_examples(const float *const *p, int32_t replicas, int64_t n, double *term);

/* pd_relative_examples - every example's term of the relative PD alone, [n], the same bits; without a logarithm. */
void pd_relative_examples(const float *const *p, int32_t replicas, int64_t n, double *term);

/* pd_of_pair - relative PD of two models over n examples (eq. 34); NaN without an example, and where a prediction is not in
 * [0, 1]. Cost: a division an example. */
double pd_of_pair(const float *a, const float *b, int64_t n);

/* The same in pieces: pd_sum_add the examples in their order, from {0} on, then pd_sum_mean.  w [n] what each counts; NULL:
 * 1. */
typedef struct pd_sum {
    double sum, weight;
    bool is_bad; /* a prediction was not in [0, 1] */
} pd_sum_t;
void pd_sum_add(pd_sum_t *sum, const float *a, const float *b, const float *w, int64_t n);
double pd_sum_mean(const pd_sum_t *sum);

/* pd_mean - mean of one measure's terms; NaN without an example. */
double pd_mean(const double *term, int64_t n, pd_measure_t measure);

/* pd_most_put - the examples with the largest of some number, largest first, ties by index, as they come in their order.
 * Numbers that are not above 0 are left out.
 *
 * index, value  in/out [most], of which `count` are there
 * number        in number[k * stride] is that of example first + k, k < n
 * Returns how many are there now.  Cost: one pass; n most at worst. */
int pd_most_put(int64_t *index, double *value, int count, int most, const double *number, int stride, int64_t n, int64_t first);

/* pd_most_different - the examples with the largest relative PD, largest first, ties by index; examples whose PD is not
 * defined or 0 are left out.  index  out [most].  Returns how many there are.  Cost: one pass; n most at worst. */
int pd_most_different(const double *term, int64_t n, int64_t *index, int most);

#endif
