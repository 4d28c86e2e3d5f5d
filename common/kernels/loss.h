/* loss.h - the table of losses to the label: one line here and one file, loss_WORD.c, each; and the probability of a logit,
 * p = sigma(z) = 1 / (1 + exp(-z)), which is what every loss trains.
 *
 * A loss has a logit z and a target y: a label, or another model's probability, in [0, 1]. It is what components minimise
 * (train.loss). Two others are always logistic: logloss, the metric (common/metrics/metrics.h), so that models that were
 * trained by different losses can be compared; and the cross-entropies to a teacher and between peers (worker/objective.h),
 * which are losses to a distribution and not to what happened. Arrays of n f32. Of the C library no function: see
 * loss_math.h. Stateless, vectorised, any thread. */
#ifndef SMELTER_LOSS_H
#define SMELTER_LOSS_H

#include <stdint.h>

/* W(word of train.loss, constant, "meaning"); each is `loss_WORD`. */
#define WORDS_LOSS(W) W(logistic, LOSS_LOGISTIC, "-y log p - (1 - y) log(1 - p), whose mean is the metric logloss")

typedef struct loss {
    const char *name; /* its word */
    /* loss := of each example, finite for every finite z */
    void (*value)(float *restrict loss, const float *restrict z, const float *restrict y, int64_t n);
    /* dz := the gradient of scale * loss by z, where p is loss_probability of z.  dz may be p.  scale is 1 / (examples of the
     * global batch), so that lanes and workers add up to the mean, times the weight of the label. */
    void (*gradient)(float *dz, const float *z, const float *p, const float *y, int64_t n, float scale);
    /* Both in double for one example, the oracle of the tests. */
    void (*exact)(double z, double y, double *loss, double *slope);
} loss_t;

#define LOSS_EXTERN(word, constant, meaning) extern const loss_t loss_##word;
WORDS_LOSS(LOSS_EXTERN)

/* loss_get - by the value of loss_kind_t (passed as int: kernels do not know the configuration). */
const loss_t *loss_get(int kind);

/* loss_probability - p := sigma(z).  p may be z. */
void loss_probability(float *p, const float *z, int64_t n);

#endif
