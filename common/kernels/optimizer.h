/* optimizer.h - the table of optimizers: one line here and one kernel each. Used by the servers on embedding rows and by the
 * workers on dense parameters. Stateless, vectorised, any thread. */
#ifndef SMELTER_OPTIMIZER_H
#define SMELTER_OPTIMIZER_H

#include <stdint.h>

typedef struct optimizer_settings {
    float learning_rate, initial_accumulator, epsilon;
} optimizer_settings_t;

/* w, s in/out; g in; n weights; not aliased. s has optimizer.state_floats(n) floats. */
typedef void optimizer_apply_fn(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                                const optimizer_settings_t *settings);

typedef struct optimizer {
    const char *name;
    int64_t (*state_floats)(int64_t n);
    void (*init)(float *s, int64_t n, const optimizer_settings_t *settings);
    optimizer_apply_fn *apply;
} optimizer_t;

/* optimizer_get - by the value of optimizer_kind_t. */
const optimizer_t *optimizer_get(int kind);

#endif
