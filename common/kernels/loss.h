/* loss.h - logistic loss and its gradient, computed stably from the logit z; p = sigma(z) = 1 / (1 + exp(-z)).
 *
 * Arrays of n f32. Targets are floats in [0, 1], so that another model's probability can be one. exp and log are our own,
 * from IEEE additions, products and divisions in double: the same bits with every C library. Stateless, vectorised,
 * any thread.                                                                                                        */
#ifndef SMELTER_LOSS_H
#define SMELTER_LOSS_H

#include <stdint.h>

/* loss_probability - p := sigma(z).  p may be z. */
void loss_probability(float *p, const float *z, int64_t n);

/* loss_logistic - loss := -y log p - (1-y) log(1-p) = max(z, 0) - y z + log(1 + exp(-|z|)), finite for every finite z. */
void loss_logistic(float *restrict loss, const float *restrict z, const float *restrict y, int64_t n);

/* loss_gradient - dz := (p - y) scale, the gradient of scale * loss by the logit.  dz may be p.
 * scale is 1 / (examples of the global batch), so that lanes and workers add up to the mean. */
void loss_gradient(float *dz, const float *p, const float *y, int64_t n, float scale);

#endif
