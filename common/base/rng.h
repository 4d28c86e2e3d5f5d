/* rng.h - counter-based random numbers: a value is a pure function of (seed, stream, counter).
 *
 * Philox 4x32-10 (Salmon et al., SC 2011). Nothing here has state, so initial values of rows and the order of the data
 * do not depend on arrival order, worker count or restarts. Normal variates use Wichura's AS 241 rational
 * approximation with our own logarithm, so they are bit-identical on every IEEE machine, whatever its libm.         */
#ifndef SMELTER_RNG_H
#define SMELTER_RNG_H

#include <stdint.h>

/* rng_philox - four 32-bit words for a 128-bit counter and a 64-bit key. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The same in pieces, for loops over many counters side by side: a round is applied to all, then the key to the next round. */
#define RNG_PHILOX_ROUNDS 10
static inline void rng_philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, const uint32_t key[2])
{
    const uint64_t p0 = (uint64_t)0xD2511F53u * *c0, p1 = (uint64_t)0xCD9E8D57u * *c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ *c1 ^ key[0], n2 = (uint32_t)(p0 >> 32) ^ *c3 ^ key[1];
    *c1 = (uint32_t)p1;
    *c3 = (uint32_t)p0;
    *c0 = n0;
    *c2 = n2;
}

static inline void rng_philox_next_key(uint32_t key[2])
{
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
}

/* rng_u64 - 64 uniform bits for (seed, stream, index). */
uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* rng_uniform - uniform in (0, 1), 53 bits, never 0 or 1. */
double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* rng_normal - standard normal variate. */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* rng_fill_normal / rng_fill_uniform - out[i] := scale * variate(seed, stream, first + i); uniform is in (-1, 1).
 * `first` must be a multiple of 4: one Philox block yields four 32-bit draws. */
void rng_fill_normal(float *out, int64_t n, float scale, uint64_t seed, uint64_t stream, uint64_t first);
void rng_fill_uniform(float *out, int64_t n, float scale, uint64_t seed, uint64_t stream, uint64_t first);

/* rng_normal_quantile - inverse of the standard normal distribution function at p in (0, 1); relative error < 1.2e-7. */
double rng_normal_quantile(double p);

/* rng_permute - the image of `i` under a pseudo-random permutation of [0, n): a balanced Feistel network on the next
 * even power of two with cycle walking. Pure function of (seed, n, i); expected cost below 4 rounds of walking. */
uint64_t rng_permute(uint64_t seed, uint64_t n, uint64_t i);

/* rng_unpermute - its inverse, at the same cost. */
uint64_t rng_unpermute(uint64_t seed, uint64_t n, uint64_t image);

#endif
