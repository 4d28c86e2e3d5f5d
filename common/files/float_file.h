/* float_file.h - a file of little-endian f32 that is read block by block, and stays what it was when it was opened.
 *
 * Opening it reads it once and keeps a checksum of every block; each block that is read later is compared. A file that is cut,
 * written to or replaced meanwhile is one error and no wrong number, and no SIGBUS, since nothing is mapped. One owner, one
 * thread. */
#ifndef SMELTER_FLOAT_FILE_H
#define SMELTER_FLOAT_FILE_H

#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/disk.h"

#define FLOAT_FILE_BLOCK 16384 /* floats */

typedef struct float_file float_file_t;

/* float_file_open - *n is how many floats it holds.  **owned**, float_file_close. Errors of the disk; ST_CORRUPT where its
 * length is not that of floats.  Cost: the file is read once; 8 bytes of memory a block. */
WARN_UNUSED status_t float_file_open(disk_t *disk, const char *path, float_file_t **out, int64_t *n);
void float_file_close(float_file_t **file);

/* float_file_checksum - of the whole file, as hash128_text. Borrowed. */
const char *float_file_checksum(const float_file_t *file);

/* float_file_read - floats first .. first + count - 1, which are one whole block (the last may be shorter), into out.
 * ST_CORRUPT: they are not what they were. */
WARN_UNUSED status_t float_file_read(float_file_t *file, int64_t first, int64_t count, float *out);

#endif
