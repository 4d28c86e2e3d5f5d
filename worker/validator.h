/* validator.h - the evaluation split, predicted between two steps of a training (evaluate.every): parameters are read and
 * nothing is written, so that a training is the same, bit for bit, with evaluations and without. What they see is what a probe
 * sees (probe.h). Examples come by a loader and a reading of the dataset of their own, a few batches at a time. */
#ifndef SMELTER_VALIDATOR_H
#define SMELTER_VALIDATOR_H

#include "worker/worker_impl.h"

/* validator_create - for the run's share of the split; *out is NULL where the configuration has no evaluations, or there is no
 * evaluation split. After the run's scaling is known.  slot_shard: as for loader_create.  **owned**; the dataset's error where
 * it cannot be read. */
WARN_UNUSED status_t validator_create(const worker_run_t *run, int shards, const uint16_t *slot_shard, validator_t **out);
void validator_destroy(validator_t **validator);

/* validator_is_due - is there an evaluation before the step? NULL: never. */
bool validator_is_due(const validator_t *validator, int64_t step);

/* validator_take - predict the share, send it (VALIDATED), and, with evaluate.patience, await the coordinator's VERDICT:
 * *stops. The pull of `step`, and of no later step, is on its way. All workers of the run call it before the same steps. Errors
 * are those of client_wait, cluster_tree_sum and net_send. */
WARN_UNUSED status_t validator_take(worker_run_t *run, int64_t step, bool *stops);

/* validator_verdict - a VERDICT has come; REFUSEs one that is not awaited. */
WARN_UNUSED status_t validator_verdict(worker_run_t *run, const wire_header_t *verdict);

#endif
