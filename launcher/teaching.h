/* teaching.h - distillation's account: what a student costs with its teacher, and how much of a training the teacher saves. */
#ifndef SMELTER_TEACHING_H
#define SMELTER_TEACHING_H

#include <stdbool.h>

#include "common/base/status.h"
#include "launcher/curve.h"
#include "launcher/result.h"

/* teaching_measure_cost - fills `teaching` of every variant that has a teacher among the variants, but for its saving. A run that
 * taught one replica or many is counted once, with its scoring of the training data, and so are its own teachers; the replicas of
 * the student bear equal parts. For result_summarise, after the variants' own costs. */
void teaching_measure_cost(experiment_result_t *result);

/* teaching_measure_saving - the rest of `teaching`, from DIR/VARIANT/rN/metrics.jsonl; SAVING_UNKNOWN where one is not there, or
 * where the curves of a variant's replicas do not have the same points.  ST_CORRUPT: one is damaged. */
WARN_UNUSED status_t teaching_measure_saving(experiment_result_t *result, const char *dir);

/* teaching_reach - where the progressive logloss of a student has come down to what `without` ends with, and stays there:
 *
 *   mean over replicas of both; the first point from which on the student's is never above; linear between points
 *
 * student, without  in  [replicas]
 * examples, seconds out of the student there, as a share of all of `without`'s, where SAVING_REACHED is returned
 * SAVING_UNKNOWN: a curve without points, replicas whose points differ in their examples, or a logloss that is no number. */
saving_t teaching_reach(const curve_t *student, const curve_t *without, int32_t replicas, double *examples, double *seconds);

#endif
