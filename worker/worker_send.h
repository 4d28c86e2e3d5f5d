/* worker_send.h - what a worker tells the coordinator of its run. Every function fails as net_send does. */
#ifndef SMELTER_WORKER_SEND_H
#define SMELTER_WORKER_SEND_H

#include "worker/worker_impl.h"

/* worker_send_batch - PREDICTIONS of the batch just scored. */
WARN_UNUSED status_t worker_send_batch(const worker_run_t *run, const batch_t *batch);

/* worker_send_trained - a step was trained: its predictions, made before it was learned, are kept; PROGRESS at the end of an
 * interval and after the last step. */
WARN_UNUSED status_t worker_send_trained(worker_run_t *run, const batch_t *batch);

/* worker_send_step - note the hashes of the dense parameters after a step, if they are wanted; DIGESTS now and then, and with
 * each PROGRESS. */
WARN_UNUSED status_t worker_send_step(worker_run_t *run, int64_t step);

/* worker_send_progress - PROGRESS of what is left of the interval that ends before `step`; nothing where no step is. */
WARN_UNUSED status_t worker_send_progress(worker_run_t *run, int64_t step);

/* worker_send_counters - TRAINED, CUT or EVALUATED: work done since the run began here, `examples` of them in the phase that
 * began at start_ns (clock_now_ns). */
WARN_UNUSED status_t worker_send_counters(const worker_run_t *run, wire_type_t type, int64_t step, int64_t examples,
                                          int64_t start_ns);

/* worker_send_dense - DENSE or CUT_DENSE: dense parameters and optimizer state of the components that the worker's group
 * trains, if it leads its group. */
WARN_UNUSED status_t worker_send_dense(const worker_run_t *run, wire_type_t type, int64_t step);

/* worker_send_clipped - CLIPPED: how much of each activated layer was clipped in training, and how far what went into it
 * spread, if it leads its group. */
WARN_UNUSED status_t worker_send_clipped(const worker_run_t *run);

#endif
