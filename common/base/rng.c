#include "common/base/rng.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/status.h"

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t round_key[2] = {key[0], key[1]};
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int round = 0; round < RNG_PHILOX_ROUNDS; round++) {
        rng_philox_round(&out[0], &out[1], &out[2], &out[3], round_key);
        rng_philox_next_key(round_key);
    }
}

static void philox_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    rng_philox(counter, key, out);
}

uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t out[4];
    philox_block(seed, stream, index, out);
    return (uint64_t)out[0] << 32 | out[1];
}

double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return ((double)(rng_u64(seed, stream, index) >> 11) + 0.5) * 0x1p-53;
}

/* ln(x) for 0 < x < 1 with plain IEEE operations: x = m 2^e, m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m-1)/(m+1)). */
static double portable_log(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2.0;
        e--;
    }
    double t = (m - 1.0) / (m + 1.0), t2 = t * t, sum = 0.0;
    for (int k = 19; k >= 1; k -= 2)
        sum = sum * t2 + 1.0 / k;
    return 2.0 * t * sum + e * 0.69314718055994531;
}

double rng_normal_quantile(double p)
{
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
               (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
    }
    double r = sqrt(-portable_log(q < 0.0 ? p : 1.0 - p)), x;
    if (r <= 5.0) {
        r -= 1.6;
        x = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
            ((0.12021132975 * r + 0.73700164250) * r + 1.0);
    } else {
        r -= 5.0;
        x = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) /
            ((0.012258202635 * r + 0.24197894225) * r + 1.0);
    }
    return q < 0.0 ? -x : x;
}

double rng_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    return rng_normal_quantile(rng_uniform(seed, stream, index));
}

void rng_fill_normal(float *out, int64_t n, float scale, uint64_t seed, uint64_t stream, uint64_t first)
{
    ASSERT(first % 4 == 0);
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t bits[4];
        philox_block(seed, stream, (first + (uint64_t)i) / 4, bits);
        for (int64_t j = 0; j < 4 && i + j < n; j++)
            out[i + j] = scale * (float)rng_normal_quantile(((double)bits[j] + 0.5) * 0x1p-32);
    }
}

void rng_fill_uniform(float *out, int64_t n, float scale, uint64_t seed, uint64_t stream, uint64_t first)
{
    ASSERT(first % 4 == 0);
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t bits[4];
        philox_block(seed, stream, (first + (uint64_t)i) / 4, bits);
        for (int64_t j = 0; j < 4 && i + j < n; j++)
            out[i + j] = scale * (float)(((double)bits[j] + 0.5) * 0x1p-31 - 1.0);
    }
}

#define PERMUTE_ROUNDS 6

/* Bits of one half of the block that is permuted: the smallest that holds n. */
static int half_bits_of(uint64_t n)
{
    int half_bits = 1;
    while (half_bits < 32 && (1ull << (2 * half_bits)) < n)
        half_bits++;
    return half_bits;
}

uint64_t rng_permute(uint64_t seed, uint64_t n, uint64_t i)
{
    ASSERT(i < n);
    const int half_bits = half_bits_of(n);
    const uint64_t mask = (1ull << half_bits) - 1;
    do {
        uint64_t left = i >> half_bits, right = i & mask;
        for (uint64_t round = 0; round < PERMUTE_ROUNDS; round++) {
            uint64_t f = hash_mix(right ^ hash_mix(seed + round)) & mask;
            uint64_t next = left ^ f;
            left = right;
            right = next;
        }
        i = left << half_bits | right;
    } while (i >= n);
    return i;
}

uint64_t rng_unpermute(uint64_t seed, uint64_t n, uint64_t image)
{
    ASSERT(image < n);
    const int half_bits = half_bits_of(n);
    const uint64_t mask = (1ull << half_bits) - 1;
    do {
        uint64_t left = image >> half_bits, right = image & mask;
        for (uint64_t round = PERMUTE_ROUNDS; round-- > 0;) {
            const uint64_t before = right ^ (hash_mix(left ^ hash_mix(seed + round)) & mask);
            right = left;
            left = before;
        }
        image = left << half_bits | right;
    } while (image >= n);
    return image;
}
