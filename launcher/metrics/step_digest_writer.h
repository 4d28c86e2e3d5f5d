/* step_digest_writer.h - digests of single steps, from shards and workers, into RUN/steps.jsonl: what `smelter diff` compares.
 *
 *     {"step": 12, "rows": "HEX", "check": "HEX"}       a step_digest over all rows that the step updated, 16 digits a word
 *     {"step": 12, "component": 0, "dense": "HEX", "check": "HEX"}
 *                                                       a hash of the dense parameters after it, 16 digits for each component
 *                                                       from there on
 *
 * A line of rows is written when every shard has spoken of the step. Lines hold a check of themselves (step_line.h). */
#ifndef SMELTER_STEP_DIGEST_WRITER_H
#define SMELTER_STEP_DIGEST_WRITER_H

#include "common/net/net.h"

typedef struct step_lines step_digest_writer_t;

/* step_digest_writer_cut - of a run that goes on from the checkpoint before `step`: lines of later steps leave the file, and
 * one that was cut off; nothing where there is no file.  Errors of metrics_lines_keep, which leave the file as it is. */
WARN_UNUSED status_t step_digest_writer_cut(const char *path, int64_t step, int64_t depth);

/* step_digest_writer_create - lines are appended to `path`, which is made durably where it is not there.  shards, tables: of
 * the run.  **owned**; step_digest_writer_destroy closes the file. */
WARN_UNUSED status_t step_digest_writer_create(const char *path, int shards, uint32_t tables, step_digest_writer_t **out);
void step_digest_writer_destroy(step_digest_writer_t **lines);

/* step_digest_writer_put_rows - a DIGESTS message of a shard; step_digest_writer_put_dense - of a worker. Borrowed.
 * ST_MESSAGE where it does not fit the run; ST_SYSTEM where the disk refuses. */
WARN_UNUSED status_t step_digest_writer_put_rows(step_digest_writer_t *lines, int shard, const net_message_t *message);
WARN_UNUSED status_t step_digest_writer_put_dense(step_digest_writer_t *lines, const net_message_t *message);

/* step_digest_writer_sync - return when the lines written so far survive a power cut. */
WARN_UNUSED status_t step_digest_writer_sync(step_digest_writer_t *lines);

#endif
