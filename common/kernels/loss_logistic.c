/* Logistic loss: -y log p - (1-y) log(1-p) = max(z, 0) - y z + log(1 + exp(-|z|)), whose gradient is p - y. */
#include <math.h>

#include "common/base/vectors.h"
#include "common/kernels/loss.h"
#include "common/kernels/loss_math.h"
#include "common/math/real.h"

WIDE static void value(float *restrict loss, const float *restrict z, const float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double logit = z[i], e = exp_of_negative(-__builtin_fabs(logit));
        loss[i] = (float)((logit < 0.0 ? 0.0 : logit) - y[i] * logit + log_of_one_plus(e));
    }
}

static void gradient(float *dz, const float *z, const float *p, const float *y, int64_t n, float scale)
{
    (void)z;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        dz[i] = (p[i] - y[i]) * scale;
}

static void exact(double z, double y, double *loss, double *slope)
{
    *loss = fmax(z, 0.0) - y * z + real_log1p(real_exp(-fabs(z)));
    *slope = 1.0 / (1.0 + real_exp(-z)) - y;
}

const loss_t loss_logistic = {"logistic", value, gradient, exact};
