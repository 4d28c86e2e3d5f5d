/* step_digest_writer.h - digests of single steps, from shards and workers, into metrics.jsonl: what `smelter diff` compares.
 *
 *     {"step": 12, "rows": "HEX", "check": "HEX"}       a step_digest over all rows that the step updated, 16 digits a word
 *     {"step": 12, "component": 0, "dense": "HEX", "check": "HEX"}
 *                                                       a hash of the dense parameters after it, 16 digits for each component
 *                                                       from there on
 *
 * A line of rows is written when every shard has spoken of the step. Lines are told from those of progressive validation by
 * having no "logloss", and hold a check of themselves (step_line.h). */
#ifndef SMELTER_STEP_DIGEST_WRITER_H
#define SMELTER_STEP_DIGEST_WRITER_H

#include "common/net/net.h"

typedef struct step_lines step_digest_writer_t;

/* step_digest_writer_create - lines are appended to `path`.  shards, tables: of the run.  **owned**; step_digest_writer_destroy
 * closes the file. */
WARN_UNUSED status_t step_digest_writer_create(const char *path, int shards, uint32_t tables, step_digest_writer_t **out);
void step_digest_writer_destroy(step_digest_writer_t **lines);

/* step_digest_writer_put_rows - a DIGESTS message of a shard; step_digest_writer_put_dense - of a worker. Borrowed.
 * ST_MESSAGE where it does not fit the run; ST_SYSTEM where the disk refuses. */
WARN_UNUSED status_t step_digest_writer_put_rows(step_digest_writer_t *lines, int shard, const net_message_t *message);
WARN_UNUSED status_t step_digest_writer_put_dense(step_digest_writer_t *lines, const net_message_t *message);

#endif
