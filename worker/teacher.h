/* teacher.h - what a teacher predicts for every training example, as it arrives from the coordinator, by number in the training
 * split. Owned by the worker of a run; the loader's thread only reads it, once it is complete. */
#ifndef SMELTER_TEACHER_H
#define SMELTER_TEACHER_H

#include <stdint.h>

#include "common/base/status.h"

typedef struct teacher teacher_t;

teacher_t *teacher_create(int64_t rows); /* **owned**; teacher_destroy */
void teacher_destroy(teacher_t **teacher);

/* teacher_put - the next piece: probabilities of examples first .. first + n - 1, in order and without gaps.
 * ST_MESSAGE: it does not follow the piece before, is too long, or holds something that is no probability; nothing is taken. */
WARN_UNUSED status_t teacher_put(teacher_t *teacher, int64_t first, const float *p, int64_t n);

/* teacher_all - the probabilities of all examples, [rows], borrowed. ST_MESSAGE where some have not come. */
WARN_UNUSED status_t teacher_all(const teacher_t *teacher, const float **out);

#endif
