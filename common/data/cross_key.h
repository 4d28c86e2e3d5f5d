/* cross_key.h - the key of a cross: a hash of the keys of its parts (docs/MATH.md, crosses). */
#ifndef SMELTER_CROSS_KEY_H
#define SMELTER_CROSS_KEY_H

#include "common/base/hash.h"
#include "common/config/table_plan.h"

/* cross_key - k := mix(.. mix(mix(k1) + k2) .. + kn), or, of N buckets, the number floor(k N / 2^64).
 *
 * single  keys of an example's single-valued fields.  Cost: a few multiplications for each part. */
static inline uint64_t cross_key(const planned_cross_t *cross, const uint64_t *single)
{
    uint64_t key = hash_mix(single[cross->part[0]]);
    for (int i = 1; i < cross->parts; i++)
        key = hash_mix(key + single[cross->part[i]]);
    return cross->buckets ? (uint64_t)(((unsigned __int128)key * (uint64_t)cross->buckets) >> 64) : key;
}

#endif
