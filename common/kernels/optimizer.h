/* optimizer.h - the table of optimizers: one line here and one file, optimizer_WORD.c, each. Used by the servers on embedding
 * rows and by the workers on dense parameters. Stateless, vectorised, any thread.
 *
 * Kernels are plain loops over restrict pointers that the compiler turns into vectors. g may be all there is of a row (dim 3
 * or 8), so there is no set-up before the loop. A zero denominator (no accumulator, no epsilon and a gradient that is zero or
 * whose square underflows) means no step instead of 0/0.
 *
 * All that a row must remember between two steps is in its state, which is stored, hashed, saved and restored with its weights.
 * That holds for the number of its steps, too, where an optimizer needs it (a correction for a mean that starts at 0): it is a
 * float of the state. Rejected: to give the number of the training's step. A row that occurs in one batch of ten has made a
 * tenth of those steps, and at async no step is known; a row's own count is right there, too, and at sync and invariant it is
 * the same however pushes were spread over workers and servers. Of the C library, only sqrtf, whose bits IEEE fixes, may decide
 * about a weight: a correction by 1 - b^t keeps just that, as c := b c + (1 - b), which starts at 0 and is exact to rounding
 * from the first step on, where b^t, near 1, would leave few bits of 1 - b^t.
 *
 * So on embedding rows every optimizer is lazy: a row makes a step when it occurs in a batch, and none in between. Rejected: an
 * Adam whose moments fall, and whose weights drift, in the steps that a row does not occur in, as they do for dense parameters.
 * What a row is would depend on when it is looked at: each pull, probe, evaluation, checkpoint, digest and expiry would have to
 * bring it up to the step first, by a loop over the steps it missed (the drift has no closed form with epsilon in it), and at
 * async and bounded there is no such step. */
#ifndef SMELTER_OPTIMIZER_H
#define SMELTER_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

/* W(word of embedding.optimizer and dense.optimizer, constant, "meaning"); each is `optimizer_WORD`. */
#define WORDS_OPTIMIZER(W) \
    W(adagrad, OPTIMIZER_ADAGRAD, "AdaGrad, one accumulator per weight") \
    W(adagrad_row, OPTIMIZER_ADAGRAD_ROW, "AdaGrad, one accumulator per row (mean of squares)") \
    W(sgd, OPTIMIZER_SGD, "plain stochastic gradient descent") \
    W(momentum, OPTIMIZER_MOMENTUM, "gradient descent with momentum: a heavy ball, or Nesterov's") \
    W(adam, OPTIMIZER_ADAM, \
      "Adam; on embedding rows the lazy one: a row makes a step, and counts it, where it occurs in a batch") \
    W(ftrl, OPTIMIZER_FTRL, "FTRL-proximal: AdaGrad's rates, with L1 and L2 that make weights exactly 0")

/* The numbers of CONFIG_OPTIMIZER_SETTINGS in config_keys.h and the learning rate; each optimizer takes those it knows. */
typedef struct optimizer_settings {
    float learning_rate, initial_accumulator, epsilon;
    float momentum, beta1, beta2;
    float ftrl_beta, ftrl_l1, ftrl_l2;
    float l2, weight_decay, clip_norm; /* of row_step.h, whatever the optimizer */
    bool nesterov;
} optimizer_settings_t;

/* w, s in/out; g in; n weights; not aliased. s has optimizer.state_floats(n) floats. */
typedef void optimizer_apply_fn(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                                const optimizer_settings_t *settings);

typedef struct optimizer {
    const char *name;                   /* its word */
    const char *knows;                  /* the keys that it takes and another may not, a space behind each */
    int64_t (*state_floats)(int64_t n); /* of a row of n weights: a + b n, for some a and b */
    /* s := the state of a row that has made no step from its first weights w [n] */
    void (*init)(float *s, const float *w, int64_t n, const optimizer_settings_t *settings);
    optimizer_apply_fn *apply;
    /* The same step in double, written naively: the oracle of the tests. */
    void (*exact)(double *w, double *s, const double *g, int64_t n, const optimizer_settings_t *settings);
    bool elementwise; /* a weight and the float of its state, if it has one, depend on its own gradient alone */
} optimizer_t;

#define OPTIMIZER_EXTERN(word, constant, meaning) extern const optimizer_t optimizer_##word;
WORDS_OPTIMIZER(OPTIMIZER_EXTERN)

/* optimizer_get - by the value of optimizer_kind_t (passed as int: kernels do not know the configuration). */
const optimizer_t *optimizer_get(int kind);

#endif
