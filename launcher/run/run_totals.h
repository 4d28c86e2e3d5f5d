/* run_totals.h - what a run has done and cost, summed over all ranks and over all of its starts. */
#ifndef SMELTER_RUN_TOTALS_H
#define SMELTER_RUN_TOTALS_H

#include "common/files/jsondoc.h"
#include "common/net/message.h"

/* X(kind of JSON value, type, name, "what it is"). */
#define TOTALS_FIELDS(X) \
    X(integer, int64_t, examples, "trained") \
    X(integer, int64_t, rows_pulled, "by all workers") \
    X(integer, int64_t, rows_pushed, "by all workers") \
    X(integer, int64_t, bytes_sent, "by workers to shards") \
    X(integer, int64_t, bytes_received, "by workers from shards and from each other") \
    X(integer, int64_t, peak_rss_bytes, "sum over ranks, of the start where that was largest") \
    X(integer, int64_t, checkpoints, "committed") \
    X(number, double, train_seconds, "in the training loop") \
    X(number, double, wall_seconds, "in all") \
    X(number, double, cpu_seconds, "of all ranks")

#define TOTALS_MEMBER(kind, type, name, doc) type name;
typedef struct run_totals {
    TOTALS_FIELDS(TOTALS_MEMBER)
} run_totals_t;

/* run_totals_add_worker - what a worker's TRAINED or CUT says; workers train side by side, so the longest time counts. */
void run_totals_add_worker(run_totals_t *totals, const message_counters_t *counters);

/* run_totals_add_start - an earlier start of the run: everything is summed but the peak. */
void run_totals_add_start(run_totals_t *totals, const run_totals_t *earlier);

/* run_totals_put / run_totals_get - members of an open JSON object. ST_CORRUPT names `where` and the member. */
void run_totals_put(jsondoc_t *object, const run_totals_t *totals);
WARN_UNUSED status_t run_totals_get(const jsondoc_t *object, const char *where, run_totals_t *out);

#endif
