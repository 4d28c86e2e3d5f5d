/* progressive.h - what training examples were predicted as, each before the step that learns from it, as it comes from the
 * workers; an EVENT_METRICS per interval.
 *
 * The first visit of an example is progressive validation: nothing of it was known. On later visits, in the epochs after the
 * first, its label has been learned from, and its loss is training loss. Every example's loss is in one of the two means, in an
 * interval that holds the end of the first pass too.
 *
 * Examples are put back into the order of the training data, step by step, so the numbers depend neither on the number of
 * workers nor on how they cut the run into messages. For a checkpoint what is known before a step is saved, the examples of the
 * interval that has just begun among it, so that the lines of a run that was resumed are those of one that never
 * stopped; and all first visits, where they are kept.
 *
 * With windows of time, an interval also tells of every window that had first visits before and has none in it, and that at the
 * end of the first pass of all that are left (common/metrics/time_windows.h). Where a window goes on after that, it is told of
 * again, whole. */
#ifndef SMELTER_PROGRESSIVE_H
#define SMELTER_PROGRESSIVE_H

#include "common/config/lanes.h"
#include "common/net/net.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/run_events.h"

typedef struct progressive progressive_t;

typedef struct progressive_options {
    run_events_t *events; /* borrowed, as the next */
    net_t *net;
    int workers; /* that report */
    lanes_t lanes;
    int64_t interval;     /* steps from line to line: lanes_interval */
    int64_t first_visits; /* positions of the first pass: examples of an epoch, of the reporting group's share */
    bool has_weight;      /* examples come with their weights, which they count by */
    int64_t window;       /* ... and with their times: metrics by windows of so many of what times count; 0: none */
    int64_t ticks;        /* which are a second; starts of windows are told in seconds */
    bool keeps;           /* all predictions of the first pass, 4 bytes each, in memory and in what is saved */
} progressive_options_t;

/* progressive_create - **owned**, progressive_destroy. */
progressive_t *progressive_create(const progressive_options_t *options);

/* progressive_resume - go on from what progressive_save gave, in a run with any number of workers.
 * where   names the origin of `saved` in errors
 * With windows of another length than those of `saved`, or with none there, they begin with what comes.
 * ST_CORRUPT: not what progressive_save gives for this run.  ST_INPUT: first visits are to be kept, and were not before the
 * save. */
WARN_UNUSED status_t progressive_resume(const progressive_options_t *options, const void *saved, int64_t bytes,
                                        const char *where, progressive_t **out);
void progressive_destroy(progressive_t **progressive);

/* progressive_put - take over a PROGRESS message of `worker`: its examples of whole steps, the first one `step` in the header.
 * Tells of all intervals that are complete.  REFUSEs what does not fit the run: that stays the caller's. */
WARN_UNUSED status_t progressive_put(progressive_t *progressive, int worker, net_message_t *message, int64_t now_ns);

/* progressive_has - are all examples of a worker's steps before this one here? */
bool progressive_has(const progressive_t *progressive, int worker, int64_t step);

/* progressive_first - what the examples at positions 0 .. *n - 1 of the first pass were predicted as, those of the steps that
 * are here; borrowed until the next progressive_put. For one that keeps them. */
const float *progressive_first(const progressive_t *progressive, int64_t *n);

int64_t progressive_steps(const progressive_t *progressive);    /* of which all examples are here */
int64_t progressive_examples(const progressive_t *progressive); /* of these steps */

/* progressive_logloss - mean over the first visits of complete intervals; NaN before the first of them.
 * progressive_training_logloss - mean over all later visits; NaN before the first of them.
 * Both are NaN in a run that was resumed, past its first pass, from a checkpoint that an older smelter wrote, which did not
 * tell them apart, and where examples have weights and an older smelter did not know them. */
double progressive_logloss(const progressive_t *progressive);
double progressive_training_logloss(const progressive_t *progressive);

/* progressive_limit - take in no examples of `step` and later ones before another limit is set: a save before that step is due.
 * At first there is none (INT64_MAX). Tells of intervals as progressive_put does. */
WARN_UNUSED status_t progressive_limit(progressive_t *progressive, int64_t step, int64_t now_ns);

/* progressive_save - what is known before step progressive_steps, **owned** (mem_free), and how long it is. */
void *progressive_save(const progressive_t *progressive, int64_t now_ns, int64_t *bytes);

/* progressive_lines - the checksum of the lines of all intervals so far (metrics_lines.h), which is saved too; false where
 * an older program has saved none: then progressive_set_lines says what it was. */
bool progressive_lines(const progressive_t *progressive, uint64_t *lines);
void progressive_set_lines(progressive_t *progressive, uint64_t lines);

#endif
