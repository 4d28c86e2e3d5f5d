/* reproducibility.h - how far the replicas of each variant of an experiment differ, with confidence intervals. */
#ifndef SMELTER_REPRODUCIBILITY_H
#define SMELTER_REPRODUCIBILITY_H

#include "launcher/report/result.h"

/* reproducibility_measure - fills, in every variant: reproducibility, pd_difference, pd_levelled_difference, without,
 * pd_pairs, most_different; and what result says of queries. result->group is given up. All variants are measured over the same
 * resamples of the same queries. Errors of reading predictions. For result_summarise. */
WARN_UNUSED status_t reproducibility_measure(experiment_result_t *result);

#endif
