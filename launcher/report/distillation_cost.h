/* distillation_cost.h - distillation's account: what a student costs with its teacher, and how much of a training the teacher
 * saves. */
#ifndef SMELTER_DISTILLATION_COST_H
#define SMELTER_DISTILLATION_COST_H

#include "launcher/report/result.h"

/* distillation_cost_measure - fills `teaching` of every variant that has a teacher among the variants, but for its saving. A
 * run that taught one replica or many is counted once, with its scoring of the training data, and so are its own teachers; the
 * replicas of the student bear equal parts. For result_summarise, after the variants' own costs. */
void distillation_cost_measure(experiment_result_t *result);

/* distillation_cost_measure_saving - the rest of `teaching`: after which share of the examples of a training without the
 * teacher a student ends with a held-out logloss that is no higher. Its held-out curve has a point for every variant that
 * differs from it in train.max_steps alone and is no longer than it: what a shorter training with that teacher ends with.
 * SAVING_UNKNOWN where the training without the teacher is no better than a constant: a loss that needs no training. For
 * result_summarise, after distillation_cost_measure. */
void distillation_cost_measure_saving(experiment_result_t *result);

/* A point of a held-out curve. */
typedef struct held_out {
    int64_t examples; /* trained */
    double seconds;
    double logloss; /* on the evaluation split; mean over replicas */
} held_out_t;

/* distillation_cost_reach - where a curve has come down to the logloss of `without`, and stays there: the first point from
 * which on none is above it; linear between points.
 *
 * point              in   [n], ascending in examples
 * examples, seconds  out  of the curve there, as a share of all of `without`'s, where SAVING_REACHED is returned, and
 * SAVING_AT_MOST:
 *                         it is the first point
 * SAVING_UNKNOWN: no point, or a logloss that is no number. */
saving_t distillation_cost_reach(const held_out_t *point, int32_t n, const held_out_t *without, double *examples,
                                 double *seconds);

#endif
