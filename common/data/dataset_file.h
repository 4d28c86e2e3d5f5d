/* dataset_file.h - checksummed, optionally compressed records in an LMDB environment. */
#ifndef SMELTER_DATASET_FILE_H
#define SMELTER_DATASET_FILE_H

#include <stdbool.h>

#include "common/base/compress.h"
#include "common/base/status.h"
#include "common/data/record.h"

typedef struct dataset_file dataset_file_t;

/* dataset_file_names - of the files in a dataset's folder, also of those that are there only while it is written. */
#define DATASET_TEXTS "data.texts" /* optional: what values read as (common/texts) */
#define DATASET_FILES 4
extern const char *const dataset_file_names[DATASET_FILES];

/* dataset_file_create - a new environment in the existing empty folder `path`. */
WARN_UNUSED status_t dataset_file_create(const char *path, bool compress, dataset_file_t **out);

/* dataset_file_open - open for reading; several readers, also in one process, do not disturb each other.
 * ST_INPUT: there is none; ST_CORRUPT: it is no LMDB file, cut short, or its checksums of pages are missing. */
WARN_UNUSED status_t dataset_file_open(const char *path, dataset_file_t **out);
void dataset_file_close(dataset_file_t **file);

/* dataset_file_put - store a record; the map grows as needed.  hash  of the raw bytes, whatever the compression. */
WARN_UNUSED status_t dataset_file_put(dataset_file_t *file, const char *key, const record_t *raw, uint64_t *hash);

/* A record as it is stored, hashed and compressed: dataset_file_put is pack and put_packed, and takes far longer for the first
 * than for the second. Empty at first (all zero), and may be used again; dataset_packed_fini. */
typedef struct dataset_packed {
    record_t stored;
    uint64_t hash; /* of the raw bytes */
    compressor_t *compressor;
} dataset_packed_t;

/* dataset_file_pack - any thread, at any time.  Cannot fail.
 * dataset_file_put_packed - one thread at a time. */
void dataset_file_pack(const dataset_file_t *file, const record_t *raw, dataset_packed_t *out);
WARN_UNUSED status_t dataset_file_put_packed(dataset_file_t *file, const char *key, const dataset_packed_t *packed);
void dataset_packed_fini(dataset_packed_t *packed);

/* dataset_file_get - read a record into `raw` (its storage is reused) and verify it.  The creator sees all that it has put.
 * ST_CORRUPT where it is missing, fails its checksum, or a page on the way to it does. */
WARN_UNUSED status_t dataset_file_get(dataset_file_t *file, const char *key, record_t *raw);

/* dataset_file_find - the same of a record that may be missing; *found tells. */
WARN_UNUSED status_t dataset_file_find(dataset_file_t *file, const char *key, record_t *raw, bool *found);

/* dataset_file_verify - of a file that was opened: check every page, also those that no record needs. ST_CORRUPT names one. */
WARN_UNUSED status_t dataset_file_verify(dataset_file_t *file);

/* dataset_file_finish - everything put so far is durable, with the checksums of its pages in a file beside it. Closes the file;
 * after an error it may be open. */
WARN_UNUSED status_t dataset_file_finish(dataset_file_t **file);

#endif
