/* reduce.h - reductions in a fixed order that vectorises.
 *
 * Element i belongs to partial i mod 16; each partial adds its elements in ascending order; then partials are halved: 0..7 take
 * 8..15, 0..3 take 4..7, and so on. The bits depend on the numbers only, not on the vector width of the build: the 16 partials
 * are one AVX-512, two AVX or four SSE or NEON registers.                                                            */
#ifndef SMELTER_REDUCE_H
#define SMELTER_REDUCE_H

#include <stdint.h>

#include "common/base/vectors.h"

#define REDUCE_PARTIALS 16

/* Loads through this type may be unaligned and may look at floats. */
typedef float reduce_vector_t __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

/* reduce_halve - the sum of 16 partials, which are overwritten. */
static inline float reduce_halve(float partial[REDUCE_PARTIALS])
{
    for (int width = REDUCE_PARTIALS / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            partial[i] += partial[i + width];
    return partial[0];
}

/* REDUCE_SUM - result := sum over i in [0, n) of term, an expression in AT(array), which is array[i] or as many elements of it
 * as a register has. */
#define REDUCE_SUM(result, n, term) \
    do { \
        union { \
            reduce_vector_t of[REDUCE_PARTIALS * sizeof(float) / VECTOR_BYTES]; \
            float at[REDUCE_PARTIALS]; \
        } sum_; \
        int64_t i_ = 0; \
        REDUCE_WHOLE(n, term) \
        for (int j_ = 0; i_ < (n); i_++, j_++) \
            sum_.at[j_] += term(REDUCE_NARROW); \
        (result) = reduce_halve(sum_.at); \
    } while (0)
#define REDUCE_NARROW(array) ((array)[i_])
#define REDUCE_WIDE(array, k) (*(const reduce_vector_t *)((array) + i_ + (k) * (VECTOR_BYTES / (int)sizeof(float))))
#define REDUCE_0(array) REDUCE_WIDE(array, 0)
#define REDUCE_1(array) REDUCE_WIDE(array, 1)
#define REDUCE_2(array) REDUCE_WIDE(array, 2)
#define REDUCE_3(array) REDUCE_WIDE(array, 3)

/* Groups of 16. A variable for each register: those of an array the compiler would keep in memory. */
#if VECTOR_BYTES == 64
#define REDUCE_WHOLE(n, term) \
    reduce_vector_t s0_ = {0}; \
    for (; i_ + REDUCE_PARTIALS <= (n); i_ += REDUCE_PARTIALS) \
        s0_ += term(REDUCE_0); \
    sum_.of[0] = s0_;
#elif VECTOR_BYTES == 32
#define REDUCE_WHOLE(n, term) \
    reduce_vector_t s0_ = {0}, s1_ = {0}; \
    for (; i_ + REDUCE_PARTIALS <= (n); i_ += REDUCE_PARTIALS) { \
        s0_ += term(REDUCE_0); \
        s1_ += term(REDUCE_1); \
    } \
    sum_.of[0] = s0_; \
    sum_.of[1] = s1_;
#else
#define REDUCE_WHOLE(n, term) \
    reduce_vector_t s0_ = {0}, s1_ = {0}, s2_ = {0}, s3_ = {0}; \
    for (; i_ + REDUCE_PARTIALS <= (n); i_ += REDUCE_PARTIALS) { \
        s0_ += term(REDUCE_0); \
        s1_ += term(REDUCE_1); \
        s2_ += term(REDUCE_2); \
        s3_ += term(REDUCE_3); \
    } \
    sum_.of[0] = s0_; \
    sum_.of[1] = s1_; \
    sum_.of[2] = s2_; \
    sum_.of[3] = s3_;
#endif

#endif
