#include "common/kernels/activation.h"

#include "common/base/status.h"

/* clang-format off */
static const activation_t *const table[] = {
    &activation_relu,
    &activation_leaky_relu,
    &activation_elu,
    &activation_selu,
    &activation_celu,
    &activation_softplus,
    &activation_swish,
    &activation_gelu,
    &activation_gelu_swish,
    &activation_mish,
    &activation_tanhexp,
    &activation_smelu,
    &activation_gsmelu,
    &activation_rescu,
    &activation_identity,
};
/* clang-format on */

const activation_t *activation_get(int kind)
{
    ASSERT(kind >= 0 && kind < (int)(sizeof table / sizeof *table));
    return table[kind];
}
