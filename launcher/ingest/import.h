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

/* import_append - append the rows of files to the dataset at `path`: by its own schema, with its scaling and its bins, each day
 * split as the schema says by itself. The new dataset takes the place of the former one in one step; until then, and where that
 * fails, the former one is as it was, and who reads it keeps it.
 *
 * schema        that it was imported by, for datasets that do not keep it; NULL: its own. ST_INPUT where it is another
 * max_bad_rows  of the new rows; -1: as the schema says
 * ST_INPUT: there is no such dataset, or it was generated; another import appends to it; rows come before those that are there,
 * and they are to be in order. */
WARN_UNUSED status_t import_append(const char *const *specs, int n, const schema_t *schema, int64_t max_bad_rows,
                                   const char *path, bool compress, bool progress);

/* import_text - import_files of one. */
WARN_UNUSED status_t import_text(const char *input, const schema_t *schema, const char *path, bool compress, bool progress);

/* import_head - of the first so many rows of a file of columns, for a look at it: the dataset does not know what it is of. */
WARN_UNUSED status_t import_head(const char *input, const schema_t *schema, const char *path, int64_t rows);

#endif
