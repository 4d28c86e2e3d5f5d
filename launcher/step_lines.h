/* step_lines.h - digests of single steps, from shards and workers, into metrics.jsonl: what `smelter diff` compares.
 *
 *     {"step": 12, "rows": "HEX"}                       a step_digest over all rows that the step updated, 16 digits a word
 *     {"step": 12, "component": 0, "dense": "HEX"}      a hash of the dense parameters after it, 16 digits for each component from there on
 *
 * A line of rows is written when every shard has spoken of the step. Lines are told from those of progressive validation by
 * having no "logloss". */
#ifndef SMELTER_STEP_LINES_H
#define SMELTER_STEP_LINES_H

#include "common/net/net.h"

typedef struct step_lines step_lines_t;

/* step_lines_create - lines are appended to `path`.  shards, tables: of the run.  **owned**; step_lines_destroy closes the file. */
WARN_UNUSED status_t step_lines_create(const char *path, int shards, uint32_t tables, step_lines_t **out);
void step_lines_destroy(step_lines_t **lines);

/* step_lines_put_rows - a DIGESTS message of a shard; step_lines_put_dense - of a worker. Borrowed.
 * ST_MESSAGE where it does not fit the run; ST_SYSTEM where the disk refuses. */
WARN_UNUSED status_t step_lines_put_rows(step_lines_t *lines, int shard, const net_message_t *message);
WARN_UNUSED status_t step_lines_put_dense(step_lines_t *lines, const net_message_t *message);

#endif
