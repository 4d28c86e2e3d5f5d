/* oracle.h - two trainers that are slow and plain, to compare the cluster with. One process, no messages, no threads, no
 * batches: rows of all tables in one hash map, inputs gathered value by value, gradients summed key by key.
 *
 * oracle_train uses the f32 network and optimizers of the cluster (their kernels have tests of their own), and writes out
 * the order of every sum: inside a lane in ascending examples, over lanes by recursion, lower half first. So its model must
 * equal the cluster's bit for bit. oracle_train_double shares nothing with the cluster but the initial values: its own
 * network, plain sums over the batch, in double precision. Its losses must be close. */
#ifndef SMELTER_ORACLE_H
#define SMELTER_ORACLE_H

#include "common/base/hash.h"
#include "common/config/config.h"
#include "tests/lib/sample.h"

typedef struct oracle_result {
    hash_digest_t digest; /* as in the manifest; oracle_train only */
    int64_t steps;
    double *loss;         /* [steps] mean loss of the batch before it was learned, over components */
    int64_t dense_floats; /* of a component: parameters and optimizer state */
    float **dense;        /* [components][dense_floats]; oracle_train only */
    int components;
} oracle_result_t;

/* The configuration decides as it does for the cluster: train, model, embedding, dense, data.order, seeds. Levels sync and
 * invariant; for oracle_train_double one component, AdaGrad for dense parameters, ReLU or SmeLU on hidden layers, no clipping
 * and no normalisation. */
void oracle_train(const config_t *config, const sample_t *sample, oracle_result_t *out);
void oracle_train_double(const config_t *config, const sample_t *sample, oracle_result_t *out);
void oracle_result_fini(oracle_result_t *result);

#endif
