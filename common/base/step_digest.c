/* A server digests every row that it steps, so a row must cost little: one hash of the payload, one mix of the key. What is
 * summed modulo P is summed in 128 bits, and reduced once a step. Rows come some at a time, so that their hashes do not wait
 * for each other. Rejected: a hash of our own, of multiplications that do not wait for each other, inlined; XXH3 behind its
 * call is still faster at all widths. */
#include "common/base/step_digest.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/status.h"

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

void step_digest_rows(step_digest_t *digest, uint32_t table, const uint64_t *keys, const void *const *payloads, int n,
                      size_t bytes)
{
    ASSERT(n > 0 && n <= STEP_DIGEST_ROWS);
    uint64_t mixed[STEP_DIGEST_ROWS], seeds[STEP_DIGEST_ROWS], hashes[STEP_DIGEST_ROWS];
    for (int i = 0; i < n; i++) {
        mixed[i] = hash_mix(keys[i]);
        seeds[i] = mixed[i] + table * 0xd6e8feb86659fd93u;
    }
    hash64_each(hashes, payloads, bytes, seeds, n);
    unsigned __int128 sum = 0, low = 0, high = 0;
    counter_t *count = counters(digest->words);
    uint32_t table_count = 0;
    for (int i = 0; i < n; i++) {
        const uint64_t h = (hashes[i] & P) + (hashes[i] >> 61);
        sum += h;
        low += (unsigned __int128)h * (keys[i] & UINT32_MAX);
        high += (unsigned __int128)h * (keys[i] >> 32);
        count[(mixed[i] >> 54) / SLOTS_OF_GROUP] += (uint32_t)((hashes[i] * 0x9fb21c651e98df25u) >> 32);
        table_count += (uint32_t)((hashes[i] * 0xc2b2ae3d27d4eb4fu) >> 32);
    }
    count[STEP_DIGEST_GROUPS + table] += table_count;
    digest->sum += sum;
    digest->low += low;
    digest->high += high;
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
