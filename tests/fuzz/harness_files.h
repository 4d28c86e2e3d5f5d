/* harness_files.h - files that are inputs of a fuzz target, without a disk: file_read and file_exists (common/files/file.h)
 * find them by the end of their path, and so does a disk_t. While there is one, no other file is there. One thread. */
#ifndef SMELTER_HARNESS_FILES_H
#define SMELTER_HARNESS_FILES_H

#include "common/files/disk.h"

/* fuzz_file - the file whose path ends with `name` has these bytes, borrowed until fuzz_files_forget.
 * fuzz_files_forget - of all; the process' own files are there again. */
void fuzz_file(const char *name, const void *data, size_t bytes);
void fuzz_files_forget(void);

/* fuzz_disk - reads these files, and refuses the rest. fuzz_disk_written - a disk that keeps the one file that was appended to
 * last, whatever its name: *data is borrowed until the next call. */
disk_t *fuzz_disk(void);
const void *fuzz_disk_written(size_t *bytes);

#endif
