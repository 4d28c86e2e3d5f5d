#include "common/kernels/activation.h"

#include "common/base/status.h"
#include "common/base/vectors.h"

#define ACTIVATION_ENTRY(word, constant, meaning) &activation_##word,
static const activation_t *const table[] = {WORDS_ACTIVATION(ACTIVATION_ENTRY)};

const activation_t *activation_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}

WIDE void activation_backward_kept(float *dx, const float *dy, const float *slope, int64_t n)
{
    _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) dx[i] = slope[i] == ACTIVATION_CLIPPED ? 0.0f : dy[i] * slope[i];
}
