/* replica_evaluation.h - what the predictions of several replicas of a model are worth: each metric's mean and its standard
 * error over replicas, and how far they lie apart: what `smelter evaluate` prints of a folder of runs. */
#ifndef SMELTER_REPLICA_EVALUATION_H
#define SMELTER_REPLICA_EVALUATION_H

#include "common/metrics/spread.h"
#include "launcher/report/evaluation.h"

/* Over replicas: mean, standard error (NaN below three), the lowest and the highest. NaN: not defined. */
typedef struct replica_number {
    double mean, error, low, high;
} replica_number_t;

typedef struct replica_evaluation {
    int32_t replicas;
    int64_t examples, queries;
    bool has_weights;
    replica_number_t number[EVALUATION_COUNT];
    spread_t spread;
} replica_evaluation_t;

/* replica_evaluation_measure - p [replicas][of->n]; of->p is not looked at.  Cost: that of EVALUATION_METRICS for each, and of
 * spread_measure. */
void replica_evaluation_measure(const evaluated_examples_t *of, const float *const *p, int32_t replicas,
                                replica_evaluation_t *out);

/* replica_evaluation_print - as a table.  replica_evaluation_object - as an object, **owned**. */
void replica_evaluation_print(const replica_evaluation_t *evaluation, const evaluation_of_t *of, FILE *out);
jsondoc_t *replica_evaluation_object(const replica_evaluation_t *evaluation, const evaluation_of_t *of);

#endif
