/* coordinator_impl.h - the coordinator from inside: for the files launcher/coordinator*.c alone.
 *
 *     coordinator.c           its life, and waiting for messages
 *     coordinator_messages.c  messages as they come
 *     coordinator_expected.c  what a run would be, before it runs
 *     coordinator_teacher.c   who teaches a run, and what it predicts
 *     coordinator_send.c      what workers and shards are told before they begin
 *     coordinator_validation.c  evaluations while it trains, and ending with the best of them
 *     coordinator_train.c     a run;   coordinator_predict.c  scoring with an earlier one */
#ifndef SMELTER_COORDINATOR_IMPL_H
#define SMELTER_COORDINATOR_IMPL_H

#include "common/base/hash.h"
#include "common/config/lanes.h"
#include "common/config/peer_group.h"
#include "common/config/run_folders.h"
#include "common/config/table_plan.h"
#include "common/files/jsondoc.h"
#include "common/net/message.h"
#include "launcher/checkpoint/checkpointer.h"
#include "launcher/coordinator/coordinator.h"
#include "launcher/coordinator/failure_detector.h"
#include "launcher/coordinator/roll_call.h"
#include "launcher/coordinator/validation_merger.h"
#include "launcher/metrics/probe_merger.h"
#include "launcher/metrics/progressive.h"
#include "launcher/metrics/run_events.h"
#include "launcher/metrics/step_digest_merger.h"
#include "launcher/run/run_totals.h"

#define COMPONENTS_MOST WIRE_COMPONENTS_MOST

/* Who was told to do something and has not said that it is done: READY, FLUSHED, LOADED of shards; READY, TRAINED, EVALUATED of
 * workers. */
#define ROLL_CALLS(X) X(shards_ready) X(flushed) X(loading) X(workers_ready) X(training) X(scoring)

struct coordinator {
    coordinator_options_t o;
    run_events_t *events;
    failure_detector_t detector;
    uint64_t run_id;      /* of messages */
    uint64_t identity;    /* of the run, in all of its files (common/base/identity.h) */
    uint32_t incarnation; /* which start of the run this is; 0 where nothing is trained */
    disk_t *disk;

    /* The dataset of the runs so far. */
    char *dataset_path;
    dataset_t *dataset;

    /* The run in progress. */
    table_plan_t plan;
    const config_t *config; /* **owned** by coordinator_train; NULL where nothing is trained */
    int workers;            /* that take part */
    lanes_t lanes;          /* of the training */
    int64_t chunk;          /* examples that a worker scores at a time */
    int64_t dense_floats;   /* parameters and optimizer state of a component */
    const char *run_dir;
    peer_group_t reporting;              /* its workers send what progressive takes */
    jsondoc_t *clipped[COMPONENTS_MOST]; /* the share of clipped values of each layer */
    activated_layers_t layers;           /* and what else was seen of them */
    int components, n_clipped;
    double clipped_most;
    progressive_t *progressive;
    step_digest_merger_t *steps;      /* NULL where steps are not digested */
    probe_merger_t *probes;           /* NULL where there are none */
    validation_merger_t *validations; /* NULL where there are none */
    float *validation_weight;         /* what each example counts in them; NULL: 1 */
    int64_t verdict;                  /* the step before which workers await the coordinator's word; 0: none do */
    int64_t stopped_at;               /* the training ended before this step; 0: not before its last */
    checkpointer_t *checkpointer;     /* while it trains */
    bool told_to_stop;                /* the checkpointer was */
    bool saved_to_stop;               /* and it has */
    run_totals_t earlier;             /* of its starts before this one */
    uint64_t teacher_checksum;        /* of its teacher's predictions; 0: it has none */
    uint64_t teacher_before;          /* in the checkpoint that it goes on from; 0: none, or not recorded */
    hash_digest_t digest;
    hash_digest_t *stores;                                 /* [shards] what each has stored at the end */
    message_counters_t shards, trained, evaluated, loaded; /* sums over ranks; seconds: the longest */
    int64_t peak_rss_bytes;
#define ROLL_CALL(call) roll_call_t call;
    ROLL_CALLS(ROLL_CALL)
    int64_t loading_step;            /* the checkpoint's, or 0 */
    const places_t *loading_from;    /* while shards load: where what they load is, borrowed; of a checkpoint, */
    uint32_t loading_incarnation;    /* of this start */
    bool has_dense[COMPONENTS_MOST]; /* DENSE has come */
    predictions_t predictions;       /* of the split being scored */
    uint8_t *is_scored;              /* [predictions.rows] */
    int64_t scored;
    int64_t *scored_by; /* [workers of the job] of them */

    /* What the run in `asked` predicts for the training split of the dataset `asked_of`, for all students of it in this job,
     * with matrix products of our own or without. */
    char *asked;
    uint64_t asked_of;
    soft_labels_t asked_for;
    bool asked_own;
    float *answers; /* [train_rows] */
};

/* ---- coordinator.c ----------------------------------------------------------------------------------------------------- */

/* coordinator_clear - forget the run before this one. */
void coordinator_clear(coordinator_t *c);

wire_header_t coordinator_header(const coordinator_t *c, wire_type_t type, int64_t count);

/* coordinator_expect - a training of this many examples by these workers comes next: what they may send. config: borrowed until
 * coordinator_clear.
 * coordinator_wait - handle messages until *count, one of the coordinator's, reaches `wanted`. coordinator_wait_trained - until
 * all workers have trained and what they saved meanwhile is committed; ST_STOPPED, said, where they saved to stop.  Errors: a
 * rank failed, is silent or gone; a message does not fit; a signal asked for the end. */
void coordinator_expect(coordinator_t *c, const config_t *config, int64_t train_rows, int numeric);
WARN_UNUSED status_t coordinator_wait(coordinator_t *c, const int *count, int wanted);
WARN_UNUSED status_t coordinator_wait_trained(coordinator_t *c);

/* coordinator_score - the workers score a split with the parameters of the run in progress: c->predictions. */
WARN_UNUSED status_t coordinator_score(coordinator_t *c, split_t split);

/* ---- coordinator_messages.c -------------------------------------------------------------------------------------------- */

/* coordinator_dispatch - to the function that takes the message, and release it. What does not fit a sender's role, the run, or
 * what its sender was asked for is answered with an ERROR, counted, and changes nothing.  Errors are of whatever the message
 * is for, or that a rank cannot go on or has refused what it was told; logged, and fatal for the job. */
WARN_UNUSED status_t coordinator_dispatch(coordinator_t *c, net_message_t *message);

/* ---- coordinator_validation.c ------------------------------------------------------------------------------------------- */

/* coordinator_open_validation - after the files of the run's metrics are opened: what is evaluated from step `first` on, after
 * what earlier starts have evaluated.  ST_CORRUPT: the file of those is not as it was written.
 * coordinator_validated - a worker has told of its share: the checkpoint of the best is pinned.  coordinator_tell_verdict - to
 * the workers that await it, unless checkpoints are to be waited for; a few times a second.
 * coordinator_settle - after the training: the run has the parameters that it ends with, in shards and workers, and its dense
 * files and c->digest are those. Of a run that ends with its last step the evaluation split may have been scored on the way
 * (*scored). */
WARN_UNUSED status_t coordinator_open_validation(coordinator_t *c, const config_t *config, int64_t first);
WARN_UNUSED status_t coordinator_validated(coordinator_t *c, int worker, const net_message_t *message);
WARN_UNUSED status_t coordinator_tell_verdict(coordinator_t *c);
WARN_UNUSED status_t coordinator_settle(coordinator_t *c, const coordinator_run_t *run, manifest_t *manifest, bool *scored);

/* ---- coordinator_expected.c
 * ------------------------------------------------------------------------------------------------ */

/* coordinator_config - of a variant, -1: the base; borrowed.  coordinator_open_dataset - a configuration's, unless it is open;
 * trains: its training split is what data.since says, else all of it. */
const config_t *coordinator_config(const coordinator_t *c, int variant);
WARN_UNUSED status_t coordinator_open_dataset(coordinator_t *c, const config_t *config, bool trains);

/* coordinator_read_weights - of the examples of a split of the dataset, **owned**; NULL where it has none.  Errors of reading
 * it. */
WARN_UNUSED status_t coordinator_read_weights(coordinator_t *c, split_t split, float **out);

/* coordinator_plan_tables - c->plan becomes that of the configuration with the dataset that is open; once for a run, after
 * coordinator_clear. Errors of field_plan_of. */
WARN_UNUSED status_t coordinator_plan_tables(coordinator_t *c, const config_t *config);

/* ---- coordinator_teacher.c ----------------------------------------------------------------------------------------------- */

/* coordinator_is_teacher - are its predictions of this kind wanted, by students in this experiment or, by its configuration, in
 * others?  coordinator_teach - a teacher's last duty, while its tables are live: to write those that are. */
bool coordinator_is_teacher(const coordinator_t *c, int variant, int replica, soft_labels_t kind);
WARN_UNUSED status_t coordinator_teach(coordinator_t *c, int variant, int replica, const config_t *config, cost_t *cost);

/* coordinator_mix_teacher - what a student ends with depends on its teacher: student->teacher_hash.  ST_INPUT: a variant that
 * was trained on other examples; a run that is not finished, or whose inputs are not the dataset's fields. */
WARN_UNUSED status_t coordinator_mix_teacher(coordinator_t *c, const config_t *config, int replica, manifest_t *student);

/* coordinator_ask_teacher - before the run of `config`, whose number is this one but for its purpose, begins: its teacher,
 * where that is another experiment's run, scores the training split on this cluster, or has left what is wanted, unless it has
 * for another run of this job.  Errors of coordinator_predict. coordinator_send_teacher - what the teacher of the run in
 * progress, if it has one, predicts, to every worker.  ST_CORRUPT also: not what the run began with. */
WARN_UNUSED status_t coordinator_ask_teacher(coordinator_t *c, const config_t *config, run_number_t number);
WARN_UNUSED status_t coordinator_send_teacher(coordinator_t *c, const config_t *config, int replica);

#endif
