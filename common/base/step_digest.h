/* step_digest.h - what one training step did to embedding rows, in a few hundred bytes: equal for equal steps, whatever the
 * cluster, and able to say where two unequal ones part.
 *
 * Every row that a step updates is hashed (table, key, new weights and optimizer state) to h < P = 2^61 - 1, and four sums are
 * kept, which do not depend on the order of rows or on the shard that holds them:
 *
 *     sum   = sum of h                 mod P
 *     low   = sum of h * (key mod 2^32) mod P      high  = sum of h * (key div 2^32) mod P
 *     group[slot / 32], table[t]  = sums of two halves of another mix of h, mod 2^32
 *
 * Where exactly one row differs between two runs, (low - low') / (sum - sum') mod P is its key's lower half, and so for the
 * upper one: two 61-bit numbers name the key among all 2^64. Where more rows differ the quotients are no 32-bit numbers, but
 * once in 2^29, and the groups of slots and the tables say where to look.
 *
 * Rejected: a digest per slot (8 KB a step); hashing gradients in place of rows (blind to whatever is wrong with the
 * update). */
#ifndef SMELTER_STEP_DIGEST_H
#define SMELTER_STEP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_DIGEST_GROUPS 32 /* of 32 slots each */
#define STEP_DIGEST_SUMS 3

/* Plain numbers: sums, groups two to a word, then tables two to a word; so it travels and merges as an array of u64. */
typedef struct step_digest {
    uint64_t *words; /* [step_digest_words(tables)]; borrowed */
    uint32_t tables;
    unsigned __int128 sum, low, high; /* not yet in words; zero at the start, and after step_digest_end */
} step_digest_t;

/* step_digest_words - length of the array for this number of tables. All zeros is the digest of nothing. */
static inline int64_t step_digest_words(uint32_t tables)
{
    return STEP_DIGEST_SUMS + STEP_DIGEST_GROUPS / 2 + (tables + 1) / 2;
}

/* step_digest_rows - 1 to STEP_DIGEST_ROWS rows of table number `table` < tables that the step has updated; payloads of `bytes`
 * bytes each. As many at a time as there are cost less than one by one. */
#define STEP_DIGEST_ROWS 8
void step_digest_rows(step_digest_t *digest, uint32_t table, const uint64_t *keys, const void *const *payloads, int n,
                      size_t bytes);

/* step_digest_end - after the step's rows, of which there are fewer than 2^34: the words are complete. */
void step_digest_end(step_digest_t *digest);

/* step_digest_merge - add the digest of other rows (another shard's) of the same step. */
void step_digest_merge(uint64_t *into, const uint64_t *from, uint32_t tables);

/* Where two digests of the same step part. */
typedef struct step_difference {
    int32_t tables;                /* how many tables differ */
    int32_t first_table;           /* the first of them */
    int32_t groups;                /* how many groups of 32 slots differ */
    int32_t first_slot, last_slot; /* one slot where one row differs, else the range of the first group that differs */
    bool one_row;                  /* exactly one row differs: */
    uint64_t key;                  /* its key */
} step_difference_t;

/* step_digest_compare - false where the digests are equal. */
bool step_digest_compare(const uint64_t *a, const uint64_t *b, uint32_t tables, step_difference_t *out);

#endif
