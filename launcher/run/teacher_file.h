/* teacher_file.h - a finished teacher's predictions of the training split: RUN/teacher.f32, little-endian f32 by number in the
 * split. Written after a teacher's training, before its manifest; read for every student. */
#ifndef SMELTER_TEACHER_FILE_H
#define SMELTER_TEACHER_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

WARN_UNUSED status_t teacher_file_write(const char *run_dir, const float *p, int64_t rows);

/* teacher_file_exists - is there one? It was written in one step, and its length is checked when it is read. */
bool teacher_file_exists(const char *run_dir);

/* teacher_file_read - *p is [rows], **owned**, mem_free. ST_INPUT: not there, or of another number of examples. */
WARN_UNUSED status_t teacher_file_read(const char *run_dir, int64_t rows, float **p);

#endif
