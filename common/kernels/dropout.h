/* dropout.h - which units of an example a step leaves out (docs/MATH.md eq. 3a): a pure function of a key and the unit, so that
 * any worker that computes the example leaves out the same ones. No calls, no state; any thread. */
#ifndef SMELTER_DROPOUT_H
#define SMELTER_DROPOUT_H

#include <stdint.h>

#include "common/base/hash.h"

typedef struct dropout {
    uint32_t bound; /* of 65,536 draws so many leave a unit out; 0: none is */
    float scale;    /* of those that stay */
} dropout_t;

static inline dropout_t dropout_of(double share)
{
    const uint32_t bound = (uint32_t)(share * 65536.0 + 0.5);
    return (dropout_t){bound, 65536.0f / (float)(65536u - bound)};
}

/* dropout_mask - mask [n] := 0 for a unit that is left out, else scale. A mixed word draws for four units. */
static inline void dropout_mask(float *restrict mask, int n, uint64_t key, dropout_t dropout)
{
    for (int j = 0; j < n; j += 4) {
        uint64_t draws = hash_mix(key + (uint64_t)(j / 4));
        for (int k = j; k < n && k < j + 4; k++, draws >>= 16)
            mask[k] = (draws & 0xffff) < dropout.bound ? 0.0f : dropout.scale;
    }
}

#endif
