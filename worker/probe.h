/* probe.h - what the model predicts for the probe set, the first examples of the evaluation split, between two steps of a
 * training: parameters are read and nothing is written, so that a training is the same, bit for bit, with probes and without.
 *
 * What a probe before step s sees (docs/PROTOCOL.md, "Probes"): the dense parameters that step s - 1 has left, and, at sync and
 * invariant, exactly the rows that the pushes of steps < s have left, or of steps < s - d + 1 where the pipeline is deeper than
 * one step. At bounded and async, what is there when each worker comes to the step. */
#ifndef SMELTER_PROBE_H
#define SMELTER_PROBE_H

#include "worker/worker_impl.h"

/* probe_create - this worker's share of the probe set, decoded and kept in memory until probe_destroy; *out is NULL where the
 * configuration has no probes, or no evaluation split. After the run's scaling is known, and while the loader has no plan: the
 * dataset is read here.  slot_shard: as for loader_create.  **owned**; the dataset's error where it cannot be read. */
WARN_UNUSED status_t probe_create(const worker_run_t *run, int shards, const uint16_t *slot_shard, probe_t **out);
void probe_destroy(probe_t **probe);

/* probe_is_due - is there a probe before the step? Every evaluate.probe_every steps, not before the first of all; for groups
 * only where all copies of peers are fresh, as with checkpoints. NULL: never. */
bool probe_is_due(const probe_t *probe, int64_t step);

/* probe_take - predict the share, and send it (PROBED). The pull of `step`, and of no later step, is on its way. All workers of
 * the run call it before the same steps.  Errors are those of client_wait, cluster_tree_sum and net_send. */
WARN_UNUSED status_t probe_take(worker_run_t *run, int64_t step);

/* ---- for who else predicts between two steps (validator.c) ------------------------------------------------------------- */

#define PROBE_BEYOND (INT64_C(1) << 62) /* the first example's number as a step; more steps than a run can have */

/* probe_settle - until the rows are those that a probe is to see; those of the step are here. */
WARN_UNUSED status_t probe_settle(worker_run_t *run);

/* probe_traffic - what pulls have cost so far; probe_add_traffic - since then they were no cost of the training's steps. */
traffic_t probe_traffic(const client_t *client);
void probe_add_traffic(worker_run_t *run, const traffic_t *before);

#endif
