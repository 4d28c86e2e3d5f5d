/* head_import.h - the first rows of an input as a dataset, to see whether a schema reads them and what comes out of it. */
#ifndef SMELTER_HEAD_IMPORT_H
#define SMELTER_HEAD_IMPORT_H

#include "common/base/status.h"
#include "common/config/config.h"

#define HEAD_LINES 2000

/* head_import - import the first HEAD_LINES lines of `input` (one or a few more, where a quoted text goes on) into the dataset
 * `path`, with files beside it in `folder`. Errors and warnings of import are said as of the input; what it says of the whole,
 * such as that it has no groups, is not. Of a Parquet file so many rows are read.  ST_INPUT: the input or its first rows cannot
 * be read. */
WARN_UNUSED status_t head_import(const char *input, const schema_t *schema, const char *folder, const char *path);

#endif
