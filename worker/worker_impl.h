/* worker_impl.h - the run that a worker is in: what its parts (worker.c, train.c, worker_send.c) share. Belongs to worker.c,
 * which makes and ends it. */
#ifndef SMELTER_WORKER_IMPL_H
#define SMELTER_WORKER_IMPL_H

#include "common/cluster/cluster.h"
#include "common/config/lanes.h"
#include "common/config/peer_group.h"
#include "common/config/run_folders.h"
#include "common/config/table_plan.h"
#include "common/net/heartbeat.h"
#include "common/net/message.h"
#include "common/net/step_batch.h"
#include "worker/checkpoint_schedule.h"
#include "worker/client.h"
#include "worker/loader.h"
#include "worker/step.h"
#include "worker/step_times.h"
#include "worker/teacher_predictions.h"

/* Predictions of training examples since the last PROGRESS. */
typedef struct kept {
    float *p;
    uint8_t *y;
    uint64_t *words; /* [examples][about.words] */
    message_about_t about;
    size_t p_cap, y_cap, words_cap, examples;
    int64_t first_step; /* of the interval */
} kept_t;

/* What pulls have cost. */
typedef struct traffic {
    int64_t rows_pulled, bytes_sent, bytes_received;
} traffic_t;

typedef struct probe probe_t;         /* worker/probe.h */
typedef struct validator validator_t; /* worker/validator.h */

/* How far the run is. */
typedef enum worker_phase { WORKER_IDLE, WORKER_BEGUN, WORKER_TRAINED } worker_phase_t;

typedef struct worker_run {
    /* Of the worker, in all of its runs. */
    int rank, worker;
    net_t *net;
    heartbeat_t *heartbeat;
    client_t *client;
    cluster_t *cluster;

    config_t *config; /* **owned**, as are plan, loader, step and teacher; NULL between runs */
    table_plan_t plan;
    worker_phase_t phase;
    run_purpose_t purpose;
    int workers; /* that take part in the run */
    peer_group_t group;
    bool reports; /* the group's predictions are the run's progressive validation */
    dataset_t *dataset;
    loader_t *loader;
    step_t *step;
    teacher_predictions_t *teacher; /* where the run has one */
    lanes_t lanes;
    tree_shares_t shares;  /* of the group */
    bool shares_optimizer; /* of dense parameters, among the workers of the group */
    int lane_rows;
    int64_t now_step;
    probe_t *probe;         /* **owned**; NULL where there are none */
    validator_t *validator; /* likewise */
    traffic_t probed;       /* by probes: no cost of the training's steps */
    int64_t dense_before;   /* bytes of dense values that had come when the run began */
    step_times_t times;
    double cpu_start;

    checkpoint_schedule_t cuts;
    kept_t kept;
    step_batch_t digests; /* of dense parameters after each step; off where the worker does not lead its group */
    bool warned_of_clipping;
} worker_run_t;

/* run_header - a message of the run to the coordinator. */
static inline wire_header_t run_header(const worker_run_t *run, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, run->heartbeat->run_id, run->heartbeat->incarnation, (uint32_t)run->rank, step, count);
}

/* run_leads - one worker speaks for all of its group where they hold the same. */
static inline bool run_leads(const worker_run_t *run)
{
    return run->worker == run->group.first_worker;
}

/* run_lanes - lanes that each worker of the run has, at least: so many are scored at once, because a batch has fewer different
 * rows than its lanes have one by one, and costs as many messages as one of them. */
static inline int run_lanes(const worker_run_t *run)
{
    return run->lanes.lanes / run->group.workers;
}

/* MPI's rank of worker 0. */
static inline int run_first_rank(const worker_run_t *run)
{
    return run->rank - run->worker;
}

/* run_batch - the loader's next batch, hearing messages and sending heartbeats while it is awaited; NULL at the end. */
static inline WARN_UNUSED status_t run_batch(worker_run_t *run, batch_t **out)
{
    for (;;) {
        status_t status = loader_next(run->loader, 100, out);
        if (status != ST_TIMEOUT)
            return status;
        TRY(client_poll(run->client, run->now_step));
    }
}

/* run_io - where a step gets its rows from and what it does between lanes. */
step_io_t run_io(worker_run_t *run);

#endif
