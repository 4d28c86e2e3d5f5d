#include "common/kernels/optimizer.h"

#include "common/base/status.h"

#define OPTIMIZER_ENTRY(word, constant, meaning) &optimizer_##word,
static const optimizer_t *const table[] = {WORDS_OPTIMIZER(OPTIMIZER_ENTRY)};

const optimizer_t *optimizer_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}
