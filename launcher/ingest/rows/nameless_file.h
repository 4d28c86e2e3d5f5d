/* nameless_file.h - bytes on a disk of this host, in TMPDIR (or /var/tmp), in a file that has no name: it is gone with the
 * process, however that ends. One thread. */
#ifndef SMELTER_NAMELESS_FILE_H
#define SMELTER_NAMELESS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct nameless_file nameless_file_t;

/* ST_INPUT, ST_SYSTEM, after a line that names the folder and TMPDIR: the disk. */
WARN_UNUSED status_t nameless_file_create(nameless_file_t **out);
void nameless_file_close(nameless_file_t **file);
WARN_UNUSED status_t nameless_file_append(nameless_file_t *file, const void *bytes, size_t count);

/* nameless_file_read - `count` bytes that were appended, from `at` on. */
WARN_UNUSED status_t nameless_file_read(nameless_file_t *file, int64_t at, void *bytes, size_t count);

#endif
