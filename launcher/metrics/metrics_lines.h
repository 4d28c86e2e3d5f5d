/* metrics_lines.h - what is in the two files of lines that grow while a run trains, when the run goes on from a checkpoint.
 *
 *     RUN/metrics.jsonl    a line for each interval (progressive.h)
 *     RUN/steps.jsonl      lines about single steps (sink_steps_file.c)
 *
 * Runs of an older smelter have both kinds in metrics.jsonl, and one that goes on has its older lines there and its newer ones
 * in steps.jsonl. A line about an interval is told by its member "logloss". */
#ifndef SMELTER_METRICS_LINES_H
#define SMELTER_METRICS_LINES_H

#include "launcher/metrics/run_events.h"

/* metrics_lines_keep - leave the lines from before the cut before `step` in the text, which ends at *end then; a line that was
 * cut off by a crash goes too. A line about an interval ends with its step; what a step did is told by the shards when the
 * step is applied, `depth` steps later.
 *
 * path   names the text in errors
 * lines  out  the checksum of those about intervals: the sum of their hashes
 *
 * ST_CORRUPT: a line about a step is not as it was written. It is none that a crash has cut off, for it has its end; and which
 * step it was of nobody knows, so that it may be one of those to be kept. */
WARN_UNUSED status_t metrics_lines_keep(const char *path, int64_t step, int64_t depth, char *text, uint64_t *lines, char **end);

/* metrics_line_text - the line of an interval, with its newline; **owned**, mem_free. */
char *metrics_line_text(const event_metrics_t *metrics);

#endif
