/* progressive.h - what training examples were predicted as, each before the step that learns from it, as it comes from the
 * workers; one line of metrics.jsonl per interval.
 *
 * The first visit of an example is progressive validation: nothing of it was known. On later visits, in the epochs after the
 * first, its label has been learned from, and its loss is training loss. Every example's loss is in one of the two means, in an
 * interval that holds the end of the first pass too.
 *
 * Examples are put back into the order of the training data, step by step, so the numbers depend neither on the number of
 * workers nor on how they cut the run into messages. For a checkpoint what is known before a step is saved, the examples of the
 * interval that has just begun among it, so that the lines of a run that was resumed are those of one that never
 * stopped. */
#ifndef SMELTER_PROGRESSIVE_H
#define SMELTER_PROGRESSIVE_H

#include "common/config/lanes.h"
#include "common/net/net.h"

typedef struct progressive progressive_t;

typedef struct progressive_options {
    const char *path; /* of the lines; copied */
    net_t *net;       /* borrowed */
    int workers;      /* that report */
    lanes_t lanes;
    int64_t interval;     /* steps from line to line: lanes_interval */
    int64_t first_visits; /* positions of the first pass: examples of an epoch, of the reporting group's share */
    int64_t depth;        /* of the pipeline (metrics_lines.h) */
} progressive_options_t;

/* progressive_create - the file of the lines is replaced.  **owned**; progressive_destroy closes the file. */
WARN_UNUSED status_t progressive_create(const progressive_options_t *options, progressive_t **out);

/* progressive_resume - go on from what progressive_save gave, in a run with any number of workers. Lines of steps after the
 * save, and one that was cut off, leave the file.
 * where   names the origin of `saved` in errors
 * ST_CORRUPT: not what progressive_save gives for this run; or the lines of before the save are not in the file as they were
 * written (which what older programs have saved does not say): the file stays as it is then. */
WARN_UNUSED status_t progressive_resume(const progressive_options_t *options, const void *saved, int64_t bytes,
                                        const char *where, progressive_t **out);
void progressive_destroy(progressive_t **progressive);

/* progressive_put - take over a PROGRESS message of `worker`: its examples of whole steps, the first one `step` in the header.
 * Writes the lines of all intervals that are complete.  ST_MESSAGE where it does not fit the run. */
WARN_UNUSED status_t progressive_put(progressive_t *progressive, int worker, net_message_t *message, int64_t now_ns);

int64_t progressive_steps(const progressive_t *progressive);    /* of which all examples are here */
int64_t progressive_examples(const progressive_t *progressive); /* of these steps */

/* progressive_logloss - mean over the first visits of complete intervals; NaN before the first of them.
 * progressive_training_logloss - mean over all later visits; NaN before the first of them.
 * Both are NaN in a run that was resumed, past its first pass, from a checkpoint that an older smelter wrote, which did not
 * tell them apart. */
double progressive_logloss(const progressive_t *progressive);
double progressive_training_logloss(const progressive_t *progressive);

/* progressive_limit - take in no examples of `step` and later ones before another limit is set: a save before that step is due.
 * At first there is none (INT64_MAX). Writes lines as progressive_put does. */
WARN_UNUSED status_t progressive_limit(progressive_t *progressive, int64_t step, int64_t now_ns);

/* progressive_save - what is known before step progressive_steps, **owned** (mem_free), and how long it is. */
void *progressive_save(const progressive_t *progressive, int64_t now_ns, int64_t *bytes);

/* progressive_sync - return when the lines written so far survive a power cut. */
WARN_UNUSED status_t progressive_sync(progressive_t *progressive);

#endif
