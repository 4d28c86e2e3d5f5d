/* differences.h - how sure replicas make us of a variant's numbers, and of the differences between any two variants.
 *
 * Replica r of all variants has the same seeds of what varies, so that differences are paired: what an order of the data did to
 * both cancels. Errors are by jackknife (docs/MATH.md eq. 43 and 46), significance by Student's t, with Holm's correction over
 * all variants that are set against the same one (eq. 47). */
#ifndef SMELTER_DIFFERENCES_H
#define SMELTER_DIFFERENCES_H

#include "launcher/report/result.h"

#define DIFFERENCES_MOST_VARIANTS 64 /* of more, others are set against the baseline and the ensemble alone */
#define DIFFERENCES_DECIDE 0.002     /* of a loss: a change that is asked for how many replicas decide it */

/* A number that is compared: a row of quality or of reproducibility. */
typedef struct compared {
    const metric_rows_t *rows;
    int i;
    size_t numbers; /* of the struct of the rows, in variant_result_t */
} compared_t;

/* differences_compared - the n-th number that has an error over replicas; false behind the last. */
bool differences_compared(int n, compared_t *out);

/* differences_metric - its row. differences_is_loss - are changes of it told as a share? differences_value - of a variant. */
const metric_t *differences_metric(const compared_t *compared);
bool differences_is_loss(const compared_t *compared);
double differences_value(const compared_t *compared, const variant_result_t *variant);

/* differences_measure - fills, in every variant, quality_error and error, and result->difference. After means and
 * reproducibility_measure; for result_summarise. Errors take three replicas, and differences as many of both variants; NaN
 * where they are not known. */
void differences_measure(experiment_result_t *result);

/* differences_has_reference - are there differences from variant b? differences_of - of variant a from it, of the n-th number.
 * Borrowed. */
bool differences_has_reference(const experiment_result_t *result, int32_t b);
const difference_t *differences_of(const experiment_result_t *result, int32_t a, int32_t b, int n);

#endif
