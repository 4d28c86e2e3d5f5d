/* teacher_file.h - a finished teacher's predictions of the training split, little-endian f32 by number in the split:
 * RUN/teacher.f32 of the finished model, RUN/progressive.f32 of each example's first visit (NaN: never visited). Written after
 * a teacher's training, before its manifest; read for every student. */
#ifndef SMELTER_TEACHER_FILE_H
#define SMELTER_TEACHER_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"

/* teacher_file_name - in the run's folder, a constant. */
const char *teacher_file_name(soft_labels_t kind);

WARN_UNUSED status_t teacher_file_write(const char *run_dir, soft_labels_t kind, const float *p, int64_t rows);

/* teacher_file_exists - is there one? It was written in one step, and its length is checked when it is read. */
bool teacher_file_exists(const char *run_dir, soft_labels_t kind);

/* teacher_file_read - *p is [rows], **owned**, mem_free. ST_INPUT: not there, or of another number of examples. */
WARN_UNUSED status_t teacher_file_read(const char *run_dir, soft_labels_t kind, int64_t rows, float **p);

#endif
