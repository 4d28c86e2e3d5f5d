#include "common/kernels/loss.h"

#include "common/base/status.h"
#include "common/base/vectors.h"
#include "common/kernels/loss_math.h"

#define LOSS_ENTRY(word, constant, meaning) &loss_##word,
static const loss_t *const table[] = {WORDS_LOSS(LOSS_ENTRY)};

const loss_t *loss_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}

WIDE void loss_probability(float *p, const float *z, int64_t n)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        double e = exp_of_negative(-__builtin_fabs((double)z[i]));
        p[i] = (float)((z[i] < 0.0f ? e : 1.0) / (1.0 + e));
    }
}
