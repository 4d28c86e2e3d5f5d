/* line_sums.h - what a checkpoint knows of a file of lines about steps (steps.jsonl, probes.jsonl): how many of its lines were
 * about steps before the cut when it was committed, and the sum of their hashes.
 *
 * Which lines are in such a file at a commit depends on time, but never their order: a run that goes on cuts the later ones
 * off and appends. So the lines that were counted are the first ones that a cut at the same step leaves, for ever. */
#ifndef SMELTER_LINE_SUMS_H
#define SMELTER_LINE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct line_sum {
    int64_t lines;     /* 0: none, or not recorded */
    uint64_t checksum; /* the sum of their step_line_hash */
} line_sum_t;

typedef struct line_sums line_sums_t;

/* line_sums_create - of an empty file.  **owned**, line_sums_destroy. */
line_sums_t *line_sums_create(void);
void line_sums_destroy(line_sums_t **sums);

/* line_sums_put - a line was appended; a cut before any step above `step` leaves it. hash: step_line_hash. */
void line_sums_put(line_sums_t *sums, int64_t step, uint64_t hash);

/* line_sums_at - of the lines that a cut before `step` leaves. Steps never descend from one call to the next. */
line_sum_t line_sums_at(line_sums_t *sums, int64_t step);

/* line_sums_resume - the file begins with text[bytes], whole lines, which is what a cut before `step` has left, and `saved` is
 * what a checkpoint before that step knows of it.
 *
 * path, where   name the file and the checkpoint in errors
 *
 * ST_CORRUPT: it has fewer lines, or its first ones are others; nothing has changed then. */
WARN_UNUSED status_t line_sums_resume(line_sums_t *sums, const char *path, const char *text, size_t bytes, int64_t step,
                                      line_sum_t saved, const char *where);

#endif
