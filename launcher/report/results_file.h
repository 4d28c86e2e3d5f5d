/* results_file.h - an experiment's results.json as its readers want it: unchanged since it was written, and made from the very
 * runs that lie beside it. It is written by
 * report.h. */
#ifndef SMELTER_RESULTS_FILE_H
#define SMELTER_RESULTS_FILE_H

#include "common/base/status.h"
#include "common/files/jsondoc.h"
#include "launcher/run/run_reader.h"

#define RESULTS_ADVICE "run smelter compare again"

/* results_read - the document, its checksum found right; one of before there was a checksum is read as it is.
 * ST_INPUT: no such file; ST_CORRUPT: it was changed, or is not JSON.  *out **owned**, jsondoc_destroy. */
WARN_UNUSED status_t results_read(const char *path, jsondoc_t **out);

/* results_put_files - the member "files": checksums of results.csv and verdict.txt, which lie beside the file `path` that is to
 * be written.
 * results_check_files - are they still those? And the page, report.html, which `smelter report` writes again, holds one of its
 * own. True of what is gone, or was written before there were checksums. ST_CORRUPT names the one that was changed. */
WARN_UNUSED status_t results_put_files(jsondoc_t *results, const char *path);
WARN_UNUSED status_t results_check_files(const jsondoc_t *results, const char *path);

/* results_variant - name and replicas of a variant, both borrowed. ST_CORRUPT: not there, or the name is none of a folder. */
WARN_UNUSED status_t results_variant(const jsondoc_t *variant, const char *path, const char **name, const jsondoc_t **replicas);

/* results_run - the run of a replica in `folder`, which lies beside results.json: *found is false where the folder is gone,
 * which is no error, since results.json holds all numbers. Else it is read, and all of its files are checked.
 * ST_CORRUPT: it is not finished, or another than the results were made from, or its files were changed.  out **owned**,
 * run_reader_fini. */
WARN_UNUSED status_t results_run(const jsondoc_t *replica, const char *path, const char *folder, run_reader_t *out,
                                 bool *found);

/* results_check_runs - results_run of all replicas. */
WARN_UNUSED status_t results_check_runs(const jsondoc_t *results, const char *path);

#endif
