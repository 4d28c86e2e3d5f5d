/* A server digests every row that it steps, so a row must cost little: one hash of the payload, one mix of the key. What is
 * summed modulo P is summed in 128 bits, and reduced once a step. Rejected: a hash of our own, of multiplications that do not
 * wait for each other, inlined; XXH3 behind its call is still faster at all widths. */
#include "common/base/step_digest.h"

#include <string.h>

#include "common/base/hash.h"

#define P ((UINT64_C(1) << 61) - 1) /* a Mersenne prime: reduction is a shift and an addition */
#define SLOTS_OF_GROUP (HASH_SLOTS / STEP_DIGEST_GROUPS)

enum { SUM, LOW, HIGH };

static uint64_t reduce(unsigned __int128 x)
{
    uint64_t r = (uint64_t)(x & P) + (uint64_t)(x >> 61);
    return r >= P ? r - P : r;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    return reduce((unsigned __int128)a * b);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return reduce((unsigned __int128)a + b);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a >= b ? a - b : a + P - b;
}

/* a^(P - 2), which is 1 / a. */
static uint64_t inverse(uint64_t a)
{
    uint64_t result = 1;
    for (uint64_t e = P - 2; e; e >>= 1, a = times(a, a))
        if (e & 1)
            result = times(result, a);
    return result;
}

static uint64_t reduce_sum(unsigned __int128 x)
{
    return reduce((x & P) + (x >> 61));
}

/* The counters behind the sums, two to a word. */
typedef uint32_t __attribute__((may_alias)) counter_t;

static counter_t *counters(uint64_t *words)
{
    return (counter_t *)(words + STEP_DIGEST_SUMS);
}

static const counter_t *counters_in(const uint64_t *words)
{
    return (const counter_t *)(words + STEP_DIGEST_SUMS);
}

void step_digest_row(step_digest_t *digest, uint32_t table, uint64_t key, const void *payload, size_t bytes)
{
    const uint64_t mixed_key = hash_mix(key), hash = hash64(payload, bytes, mixed_key + table * 0xd6e8feb86659fd93u);
    const uint64_t h = (hash & P) + (hash >> 61);
    digest->sum += h;
    digest->low += (unsigned __int128)h * (key & UINT32_MAX);
    digest->high += (unsigned __int128)h * (key >> 32);
    counter_t *count = counters(digest->words);
    const uint32_t slot = (uint32_t)(mixed_key >> 54); /* hash_slot(key) */
    count[slot / SLOTS_OF_GROUP] += (uint32_t)((hash * 0x9fb21c651e98df25u) >> 32);
    count[STEP_DIGEST_GROUPS + table] += (uint32_t)((hash * 0xc2b2ae3d27d4eb4fu) >> 32);
}

void step_digest_end(step_digest_t *digest)
{
    uint64_t *w = digest->words;
    w[SUM] = plus(w[SUM], reduce_sum(digest->sum));
    w[LOW] = plus(w[LOW], reduce_sum(digest->low));
    w[HIGH] = plus(w[HIGH], reduce_sum(digest->high));
    digest->sum = digest->low = digest->high = 0;
}

void step_digest_merge(uint64_t *into, const uint64_t *from, uint32_t tables)
{
    for (int i = 0; i < STEP_DIGEST_SUMS; i++)
        into[i] = plus(into[i], reduce(from[i]));
    counter_t *a = counters(into);
    const counter_t *b = counters_in(from);
    for (uint32_t i = 0; i < STEP_DIGEST_GROUPS + tables; i++)
        a[i] += b[i];
}

/* How many of n counters differ, and the first that does. */
static int32_t differing(const counter_t *a, const counter_t *b, uint32_t n, int32_t *first)
{
    int32_t different = 0;
    for (uint32_t i = n; i-- > 0;)
        if (a[i] != b[i]) {
            *first = (int32_t)i;
            different++;
        }
    return different;
}

/* The only row that differs, where there is one: its key follows from the sums, and must lie in the one group that differs. */
static bool find_row(const uint64_t *a, const uint64_t *b, step_difference_t *d)
{
    const uint64_t sum = minus(a[SUM], b[SUM]);
    if (sum == 0 || d->tables != 1 || d->groups != 1)
        return false;
    const uint64_t one = inverse(sum);
    const uint64_t low = times(minus(a[LOW], b[LOW]), one), high = times(minus(a[HIGH], b[HIGH]), one);
    if (low > UINT32_MAX || high > UINT32_MAX)
        return false;
    d->key = high << 32 | low;
    const int32_t slot = (int32_t)hash_slot(d->key);
    if (slot < d->first_slot || slot > d->last_slot)
        return false;
    d->first_slot = d->last_slot = slot;
    return true;
}

bool step_digest_compare(const uint64_t *a, const uint64_t *b, uint32_t tables, step_difference_t *out)
{
    const size_t bytes = sizeof *a * (size_t)step_digest_words(tables);
    *out = (step_difference_t){.first_table = -1, .first_slot = -1, .last_slot = -1};
    if (memcmp(a, b, bytes) == 0)
        return false;
    const counter_t *ca = counters_in(a), *cb = counters_in(b);
    int32_t group = -1;
    out->groups = differing(ca, cb, STEP_DIGEST_GROUPS, &group);
    out->tables = differing(ca + STEP_DIGEST_GROUPS, cb + STEP_DIGEST_GROUPS, tables, &out->first_table);
    if (group >= 0) {
        out->first_slot = group * SLOTS_OF_GROUP;
        out->last_slot = out->first_slot + SLOTS_OF_GROUP - 1;
    }
    out->one_row = find_row(a, b, out);
    return true;
}
