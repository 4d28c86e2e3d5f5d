/* step.h - the compute of one training step on one worker: K networks over the worker's lanes, objective, backward, gradients.
 *
 * No messages and no time: rows come in and gradients go out through memory, so the cluster's worker and a single-process
 * trainer share it. One thread.                                                                                           */
#ifndef SMELTER_STEP_H
#define SMELTER_STEP_H

#include "worker/batch.h"
#include "worker/network/model.h"

typedef struct step step_t;

/* Where a step gets its rows from and what it does between lanes. */
typedef struct step_io {
    void *context;
    /* row[u] := pointer to the weights of unique u in a set of tables (table_plan_t), valid until the step is over. */
    void (*rows)(void *context, const batch_t *batch, int set, const float **row);
    /* Called between lanes; anything but ST_OK ends the step. May be NULL. */
    status_t (*poll)(void *context);
} step_io_t;

/* step_create - models of all components with their initial values. config, plan: of the run, borrowed until step_destroy;
 * lanes: lanes of this worker; lane_rows: rows of a full lane. */
WARN_UNUSED status_t step_create(const config_t *config, const table_plan_t *plan, const dataset_info_t *info, int lanes,
                                 int lane_rows, int shards, step_t **out);
void step_destroy(step_t **step);

/* step_train_only - train components [first, end), which have tables of their own, and leave the others as they are: those go
 * forward only, for what the objective makes of their predictions. Before the first step; without it, all are trained. */
void step_train_only(step_t *step, int first, int end);

/* step_train - forward, objective and backward of a batch. divisor: what the sum of its examples' losses is divided by
 * (lanes_divisor). Where batch->taught, batch->teacher has the teacher's probabilities.
 * gradient  [shards] where the embedding gradients of each shard go: for each part of the batch [sets of tables that are
 *           trained][batch_weights of what the part pushes]
 * After it: step_predictions, step_train_weights.  ST_INPUT where the loss is not finite (the training diverged). */
WARN_UNUSED status_t step_train(step_t *step, const batch_t *batch, int64_t divisor, const step_io_t *io,
                                float *const *gradient);

/* step_train_weights - the rest of the backward pass. Where the next step waits for this one's push (pipeline_depth 0),
 * that is the gradients of weights for the batch's last lane, to be computed while the push and the answer are on their way;
 * else nothing. After it: step_dense. */
void step_train_weights(step_t *step);

/* step_predict - forward of the deployed components only; lanes of at most lane_rows rows. */
WARN_UNUSED status_t step_predict(step_t *step, const batch_t *batch, const step_io_t *io);

/* Deployed prediction (model.deploy, model.combine) of every row of the last batch, [rows]. */
const float *step_predictions(const step_t *step);

/* Dense gradient of component k, one of those that are trained, summed over the lanes of each of the batch's parts: [parts]
 * [model_parameters], to be summed over workers into the first. */
float *step_dense(step_t *step, int component);

/* step_add_noise - multiply every dense gradient by 1 + r 2^-23 with r of -1, 0, 1: the size of a rounding error, drawn by
 * (seed, step, component, position), so that all workers add the same. It shows how far rounding alone drives two trainings
 * apart. */
void step_add_noise(step_t *step, uint64_t seed, int64_t at_step);

/* step_apply - one optimizer step of every component that is trained from step_dense. */
void step_apply(step_t *step);

/* step_is_elementwise - step_apply can be shared out among workers: pieces of each component's step by model_apply_some;
 * step_end when all parameters of all components that are trained are new. */
bool step_is_elementwise(const step_t *step);
void step_end(step_t *step);

int step_components(const step_t *step);
model_t *step_model(step_t *step, int component);
int64_t step_flops(
    const step_t *step); /* per example: forward and backward of the components that are trained, forward of the others */
int64_t step_parameters(const step_t *step); /* dense, all components */

#endif
