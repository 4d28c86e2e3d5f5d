/* file_kind.h - what a file is that is no text: by its first bytes, so that it is called what it is and not a line that is too
 * long. */
#ifndef SMELTER_FILE_KIND_H
#define SMELTER_FILE_KIND_H

#include <stddef.h>

#define FILE_KIND_BYTES 264 /* first bytes by which all kinds are told */

typedef struct file_kind {
    const char *name;   /* "a Parquet file" */
    const char *remedy; /* "convert it to CSV first" */
} file_kind_t;

/* file_kind - NULL where the bytes are the beginning of none that is known. */
const file_kind_t *file_kind(const void *start, size_t bytes);

#endif
