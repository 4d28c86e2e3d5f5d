/* run_files.h - size and checksum of every file that a finished run has beside its manifest.json, which holds them, and whether
 * the files are still those.
 *
 * Not here: the tables in store/, which may be on other hosts, hold digests of their own and are part of the run's digest; and
 * checkpoints, which have manifests of their own.                                                                          */
#ifndef SMELTER_RUN_FILES_H
#define SMELTER_RUN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"

/* X(KIND, how the names begin). */
#define RUN_FILE_KINDS(X) \
    X(CONFIG, FILE_CONFIG) \
    X(INPUTS, FILE_INPUTS) \
    X(METRICS, FILE_METRICS) \
    X(STEPS, FILE_STEPS) \
    X(PROBES, FILE_PROBES) \
    X(PROBE_STEPS, FILE_PROBE_STEPS) \
    X(VALIDATION, FILE_VALIDATION) \
    X(PREDICTIONS, FILE_PREDICTIONS) \
    X(CLIPPED, FILE_CLIPPED) \
    X(TEACHER, FILE_TEACHER) \
    X(PROGRESSIVE, FILE_PROGRESSIVE) \
    X(SCHEMA, FILE_SCHEMA) \
    X(DENSE, FILE_DENSE)

#define RUN_FILE_NUMBER(KIND, begin) RUN_FILE_NUMBER_##KIND,
#define RUN_FILE_BIT(KIND, begin) RUN_##KIND = 1u << RUN_FILE_NUMBER_##KIND,
enum { RUN_FILE_KINDS(RUN_FILE_NUMBER) };
typedef enum run_file_kind {
    RUN_FILE_KINDS(RUN_FILE_BIT) RUN_REST =
        1u << 31, /* of all others, also those that a newer program lists, the files that are there */
    /* What published numbers are made of; the rest may have been left behind where a run was copied for its numbers. */
    RUN_PUBLISHED = RUN_CONFIG | RUN_METRICS | RUN_PREDICTIONS | RUN_REST,
    /* All; only that a teacher's predictions may be gone, since only its students need them. */
    RUN_WHOLE = RUN_PUBLISHED | RUN_STEPS | RUN_PROBES | RUN_PROBE_STEPS | RUN_VALIDATION | RUN_INPUTS | RUN_CLIPPED |
                RUN_SCHEMA | RUN_DENSE,
} run_file_kind_t;

#define RUN_FILE_NAME_BYTES 64

typedef struct run_file {
    char name[RUN_FILE_NAME_BYTES];
    int64_t bytes;
    char checksum[HASH_TEXT_BYTES]; /* hash128_text of its content */
} run_file_t;

typedef struct run_files {
    run_file_t *file; /* **owned**, [n] */
    int n;            /* 0: not recorded, as in manifests from before format 6 */
} run_files_t;

/* run_files_seal - of what lies in the run's folder now, each made durable first.  out **owned**, run_files_fini.
 * ST_INPUT, ST_SYSTEM: a file cannot be read or synced.  Cost: every byte is read once. */
WARN_UNUSED status_t run_files_seal(const char *folder, run_files_t *out);

/* run_files_seal_named - of the files of these names that are there: what an experiment has beside its results.json. */
WARN_UNUSED status_t run_files_seal_named(const char *folder, const char *const *wanted, int n, run_files_t *out);

/* run_files_check - are the files of these kinds (bits of run_file_kind_t) what was sealed? True of all that was not recorded.
 * ST_CORRUPT names the first that is missing, has another length or other bytes, or was not there when the run ended, and what
 * to do. */
WARN_UNUSED status_t run_files_check(const run_files_t *files, const char *folder, uint32_t kinds);

/* run_files_check_sum - the same of one file, path, that was read otherwise and has this checksum. */
WARN_UNUSED status_t run_files_check_sum(const run_files_t *files, const char *path, const char *name, const char *checksum);

/* run_files_check_results - the same of what run_files_seal_named sealed, for an experiment: a file that is gone is not missed,
 * since results.json has its numbers. advice ends the error's line. */
WARN_UNUSED status_t run_files_check_results(const run_files_t *files, const char *folder, const char *advice);

/* run_files_put / run_files_get - as the member "files" of a manifest or of results.json. get: ST_CORRUPT names `where` and
 * what is wrong. */
void run_files_put(jsondoc_t *manifest, const run_files_t *files);
WARN_UNUSED status_t run_files_get(const jsondoc_t *manifest, const char *where, run_files_t *out);

void run_files_fini(run_files_t *files);

#endif
