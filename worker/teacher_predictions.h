/* teacher_predictions.h - what a teacher predicts for every training example, as it arrives from the coordinator, by number in
 * the training split. Owned by the worker of a run; the loader's thread only reads it, once it is complete. */
#ifndef SMELTER_TEACHER_PREDICTIONS_H
#define SMELTER_TEACHER_PREDICTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct teacher_predictions teacher_predictions_t;

/* teacher_predictions_create - with_gaps: examples may have none, NaN.  **owned**; teacher_predictions_destroy */
teacher_predictions_t *teacher_predictions_create(int64_t rows, bool with_gaps);
void teacher_predictions_destroy(teacher_predictions_t **teacher);

/* teacher_predictions_put - the next piece: probabilities of examples first .. first + n - 1, in order and without gaps.
 * ST_MESSAGE: it does not follow the piece before, is too long, or holds something that is no probability; nothing is taken. */
WARN_UNUSED status_t teacher_predictions_put(teacher_predictions_t *teacher, int64_t first, const float *p, int64_t n);

/* teacher_predictions_all - the probabilities of all examples, [rows], borrowed. ST_MESSAGE where some have not come. */
WARN_UNUSED status_t teacher_predictions_all(const teacher_predictions_t *teacher, const float **out);

#endif
