/* run_events.h - what happens while a run trains, as a stream of events: who knows of something says it once, and sinks take
 * it, each what it wants, for a person (the live line, the log) or for later (the files of lines).
 *
 *     coordinator, progressive metrics, checkpointer ... -> run_events_emit -> every sink of EVENT_SINKS, in this order
 *
 * A new sink is a file, launcher/metrics/sink_NAME.c, and a line in EVENT_SINKS. Sinks live as long as the coordinator, through
 * all runs of a job, and have one run at a time. One thread, that of the coordinator. */
#ifndef SMELTER_RUN_EVENTS_H
#define SMELTER_RUN_EVENTS_H

#include <stdbool.h>

#include "common/metrics/time_windows.h"
#include "launcher/metrics/line_sums.h"
#include "launcher/metrics/progress.h"
#include "launcher/metrics/validation_line.h"

/* X(NAME, member, what it says). Texts and arrays are borrowed until the event was taken. */
#define RUN_EVENTS(X) \
    X(BEGIN, begin, "ranks are told to begin a run; nothing of an earlier one is removed yet") \
    X(TRAIN, train, "training comes next: files of the run may be written from here on") \
    X(PROGRESS, progress, "more steps are complete") \
    X(NUMBER, number, "a number of the training as it stands, by its name") \
    X(METRICS, metrics, "the metrics of an interval") \
    X(DIGEST, digest, "what a step did") \
    X(PROBE, probe, "what is predicted for the probe set before a step") \
    X(VALIDATION, validation, "what the run is worth on the evaluation split before a step, or after the last") \
    X(SYNC, sync, "a checkpoint is made: what was said so far has to survive a power cut") \
    X(CHECKPOINT, checkpoint, "a checkpoint is committed") \
    X(STALL, stall, "shards make a checkpoint wait") \
    X(TROUBLE, trouble, "an error or a warning of the job comes next in the log: ranks are missing, a message is refused") \
    X(STOPPED, stopped, "the run was saved and stopped, as a signal asked") \
    X(END, nothing, "all steps are made, and the evaluation split is scored")

typedef struct event_begin {
    const progress_run_t *run;
} event_begin_t;

typedef struct event_train {
    const char *run_dir;
    bool resumed;                          /* from a checkpoint before */
    int64_t step;                          /* this one; else it is 0, and what is there is of an earlier run */
    int64_t depth;                         /* of the pipeline (metrics_lines.h) */
    double base_rate;                      /* share of positives of the training split; NaN: not recorded */
    const char *where;                     /* the checkpoint's name in errors */
    uint64_t *lines;                       /* the checksum of the lines of metrics up to that step: in, */
    bool lines_known;                      /* or out, where the checkpoint is of an older program and does not hold it */
    line_sum_t steps, probes, validations; /* what the checkpoint knows of the lines about each */
} event_train_t;

typedef struct event_progress {
    int64_t step, examples; /* examples of this start */
} event_progress_t;

typedef struct event_number {
    const char *name; /* a constant */
    double value;     /* NaN: it is not told any more */
} event_number_t;

typedef struct event_metrics {
    int64_t step, examples;                            /* at the end of the interval */
    int64_t interval_examples;                         /* of them in it */
    int64_t first_visits;                              /* of all examples */
    double logloss, auc_loss, pqauc_loss, calibration; /* of the interval; NaN: undefined */
    double progressive_logloss, training_logloss;      /* of all first and of all later visits */
    double seconds;
    const time_window_t *window; /* [windows] of first visits, that are told of with this interval */
    int64_t windows;
} event_metrics_t;

typedef struct event_digest {
    int64_t step;
    int64_t component;     /* the first one of `words`, a hash each; -1: words are a step_digest of rows */
    const uint64_t *words; /* [n] */
    int64_t n;
    bool more; /* another one follows at once */
} event_digest_t;

typedef struct event_probe {
    int64_t step;
    const float *p; /* [n], by number in the evaluation split */
    int64_t n;
} event_probe_t;

typedef struct event_validation {
    const validation_point_t *point;
    bool is_best; /* the best so far, where a run ends with the best */
} event_validation_t;

typedef struct event_sync {
    int64_t step;                             /* the checkpoint is before it */
    line_sum_t *steps, *probes, *validations; /* out: of the lines about each that a cut before it leaves */
} event_sync_t;

typedef struct event_checkpoint {
    int64_t step, rows, bytes;
    double seconds;
} event_checkpoint_t;

typedef struct event_stall {
    int64_t step;        /* the checkpoint is before it */
    int missing, shards; /* shards that have not written their rows, of all */
    int first;           /* the first of them */
} event_stall_t;

typedef struct event_trouble {
    const char *text; /* ranks or a reason; "": not known */
} event_trouble_t;

typedef struct event_stopped {
    int64_t step;
} event_stopped_t;

typedef struct event_nothing {
    char unused;
} event_nothing_t;

#define RUN_EVENT_KIND(NAME, member, doc) EVENT_##NAME,
typedef enum run_event_kind { RUN_EVENTS(RUN_EVENT_KIND) EVENT_KINDS } run_event_kind_t;

typedef struct run_event {
    run_event_kind_t kind;
    int64_t now_ns;
    union {
        event_begin_t begin;
        event_train_t train;
        event_progress_t progress;
        event_number_t number;
        event_metrics_t metrics;
        event_digest_t digest;
        event_probe_t probe;
        event_validation_t validation;
        event_sync_t sync;
        event_checkpoint_t checkpoint;
        event_stall_t stall;
        event_trouble_t trouble;
        event_stopped_t stopped;
        event_nothing_t nothing;
    };
} run_event_t;

/* The live line comes first: it gives way to what the log says. */
#define EVENT_SINKS(X) X(progress_line) X(metrics_file) X(steps_file) X(probe_file) X(validation_file) X(log)

typedef struct event_sink {
    void *(*create)(progress_t *line); /* **owned**, destroy; of a job */
    /* take - errors are those of writing; what cannot be written ends the job. */
    status_t (*take)(void *sink, const run_event_t *event);
    void (*destroy)(void *sink);
} event_sink_t;

#define EVENT_SINK(name) extern const event_sink_t sink_##name;
EVENT_SINKS(EVENT_SINK)
#undef EVENT_SINK

typedef struct run_events run_events_t;

/* run_events_create - all sinks; line is borrowed.  **owned**, run_events_destroy. */
run_events_t *run_events_create(progress_t *line);
void run_events_destroy(run_events_t **events);

/* run_events_emit - to every sink; the first error, if any, after all had it, but for EVENT_SYNC and EVENT_TRAIN, which end
 * with the first. Nothing where events is NULL.
 * run_events_trouble - EVENT_TROUBLE, before an error that is going to be said: no sink's own error matters then. */
WARN_UNUSED status_t run_events_emit(run_events_t *events, const run_event_t *event);
void run_events_trouble(run_events_t *events, const char *text);

#endif
