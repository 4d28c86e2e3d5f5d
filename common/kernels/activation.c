#include "common/kernels/activation.h"

#include "common/base/status.h"

static const activation_t *const table[] = {
    &activation_relu,
    &activation_smelu,
    &activation_identity,
};

const activation_t *activation_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}
