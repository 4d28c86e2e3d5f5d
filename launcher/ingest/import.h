/* import.h - text files into a dataset: CSV, TSV, libsvm/libfm, libffm; plain, .gz, .zst. */
#ifndef SMELTER_IMPORT_H
#define SMELTER_IMPORT_H

#include "common/base/status.h"
#include "common/config/config.h"

/* import_files - read the files that specs [n] name (sources.h) by `schema`, one after the other, and write the dataset at
 * `path`.
 *
 * Every bad row is reported as "FILE:LINE: column NAME: what, value seen" and counted; more than schema->max_bad_rows ends
 * the import with ST_INPUT and leaves nothing behind. progress: shows a line on standard error every few seconds. */
WARN_UNUSED status_t import_files(const char *const *specs, int n, const schema_t *schema, const char *path, bool compress,
                                  bool progress);

/* import_text - the same of one. */
WARN_UNUSED status_t import_text(const char *input, const schema_t *schema, const char *path, bool compress, bool progress);

#endif
