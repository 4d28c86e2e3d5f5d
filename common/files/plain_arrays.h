/* plain_arrays.h - numbers for other programs: a folder of raw little-endian arrays, row-major, one file each, and a JSON
 * document that names type and shape of every one of them. NAME.TYPE is the file of array NAME. Nothing of ours is needed to
 * read it.
 *
 * One thread. The document is written last: where it is, the arrays are whole. */
#ifndef SMELTER_PLAIN_ARRAYS_H
#define SMELTER_PLAIN_ARRAYS_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/files/jsondoc.h"

typedef struct plain_arrays plain_arrays_t;

/* Type of the numbers, by the end of the file's name. */
typedef enum plain_type { PLAIN_U8, PLAIN_U64, PLAIN_I64, PLAIN_F32, PLAIN_TYPES } plain_type_t;

/* plain_arrays_create - into a folder that is empty or not there yet; **owned**. ST_INPUT: it holds something, or nothing can
 * be made there. */
WARN_UNUSED status_t plain_arrays_create(const char *folder, plain_arrays_t **out);
/* plain_arrays_destroy - where it was not finished, the folder is removed with what is in it: half of it is of no use. */
void plain_arrays_destroy(plain_arrays_t **arrays);

/* plain_arrays_put - write an array of [rows][columns] numbers, or of [rows] where columns is 0. `name` is unique.
 * Errors of file_write_atomic. */
WARN_UNUSED status_t plain_arrays_put(plain_arrays_t *arrays, const char *name, plain_type_t type, const void *data,
                                      int64_t rows, int64_t columns);

/* plain_arrays_finish - put the member "arrays" into `document`, {"NAME": {"type": "f32", "shape": [3, 4]}, ..}, and write it
 * as FOLDER/NAME. */
WARN_UNUSED status_t plain_arrays_finish(plain_arrays_t *arrays, jsondoc_t *document, const char *name);

/* Arrays and bytes put so far. */
int plain_arrays_count(const plain_arrays_t *arrays);
int64_t plain_arrays_bytes(const plain_arrays_t *arrays);

#endif
