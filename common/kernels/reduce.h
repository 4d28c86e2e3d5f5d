/* reduce.h - reductions in a fixed order that vectorises.
 *
 * Element i belongs to partial i mod 16; each partial adds its elements in ascending order; then partials are halved: 0..7 take
 * 8..15, 0..3 take 4..7, and so on. The bits depend on the numbers only, not on the vector width of the build: GNU
 * vectors of 16 floats become one AVX-512, two AVX or four SSE registers.                                            */
#ifndef SMELTER_REDUCE_H
#define SMELTER_REDUCE_H

#include <stdint.h>

#define REDUCE_PARTIALS 16

/* Loads through this type may be unaligned and may look at floats. */
typedef float reduce_vector_t __attribute__((vector_size(REDUCE_PARTIALS * sizeof(float)), aligned(4), may_alias));

/* reduce_halve - the sum of 16 partials, which are overwritten. */
static inline float reduce_halve(float partial[REDUCE_PARTIALS])
{
    for (int width = REDUCE_PARTIALS / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            partial[i] += partial[i + width];
    return partial[0];
}

/* REDUCE_SUM - result := sum over i in [0, n) of term, an expression in AT(array), which is array[i] or 16 elements of it. */
#define REDUCE_SUM(result, n, term) \
    do { \
        union { \
            reduce_vector_t all; \
            float at[REDUCE_PARTIALS]; \
        } sum_ = {{0}}; \
        int64_t i_ = 0; \
        for (; i_ + REDUCE_PARTIALS <= (n); i_ += REDUCE_PARTIALS) \
            sum_.all += term(REDUCE_WIDE); \
        for (int j_ = 0; i_ < (n); i_++, j_++) \
            sum_.at[j_] += term(REDUCE_NARROW); \
        (result) = reduce_halve(sum_.at); \
    } while (0)
#define REDUCE_WIDE(array) (*(const reduce_vector_t *)((array) + i_))
#define REDUCE_NARROW(array) ((array)[i_])

#endif
