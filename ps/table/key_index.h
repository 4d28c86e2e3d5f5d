/* key_index.h - key -> row number: an open-addressing index of 4 bytes a slot over the rows of a row_arena.
 *
 * A bucket is one cache line of 16 slots. A slot holds a row number in its low id_bits and, in the bits that the current
 * number of rows leaves free, a tag from the key's hash; all ones is an empty slot:
 *
 *     hash_mix(key)   63 .. 54 | 53 ............. 22 | 21 ........ 0
 *                     slot     | home bucket         | tag
 *
 * A lookup compares the tags of a bucket in one instruction and then looks at the key in the row itself, which has to be
 * fetched anyway; a wrong row is looked at about once in 100 lookups at 2 million rows. A full bucket overflows into
 * the next. The top ten bits are left out, because a shard owns a range of slots only and all its keys may agree in them.
 *
 * The keys being in the rows, the index can be rebuilt from them: growing frees the old slots first and reads the rows in
 * order of address. It therefore never needs memory for two indexes. It grows by a fifth when 7/8 full: 5.5 bytes a row
 * at worst. Rejected: keys in the index (12 bytes a slot, 16 with a row number, and the row's line is needed anyway),
 * linear probing without tags (4 rows looked at per hit at this load, 23 per miss), a byte of tag beside each slot
 * (1.3 bytes a row more, and fewer bits of tag up to 16 million rows), growing in place bit by bit (a pause of 20 ns a
 * row now and then does not hurt: at 100 million rows it is 2 s, well below any deadline).                             */
#ifndef SMELTER_KEY_INDEX_H
#define SMELTER_KEY_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "common/base/hash.h"
#include "ps/table/row_arena.h"

#define KEY_INDEX_WAYS 16                     /* slots of a bucket: 64 bytes */
#define KEY_INDEX_EMPTY UINT32_MAX            /* a slot without a row */
#define KEY_INDEX_NONE ((int64_t)-1)          /* no such key */
#define KEY_INDEX_ROWS_MAX ((int64_t)1 << 30) /* the 31 bits a row number may have, at 7/8 load and with room to grow */

typedef struct key_index {
    uint32_t *slots; /* [buckets][KEY_INDEX_WAYS] */
    uint64_t buckets;
    int64_t rows_limit; /* grow before holding more */
    uint32_t id_bits;   /* width of a row number in a slot */
} key_index_t;

/* key_index_init - an empty index that takes `rows` rows without growing. */
void key_index_init(key_index_t *index, int64_t rows);
void key_index_fini(key_index_t *index);

/* key_index_reserve - take `rows` rows in all without growing further; all rows of the arena have been added. Does nothing
 * where there is room. */
void key_index_reserve(key_index_t *index, const row_arena_t *arena, int64_t rows);

/* key_index_add - note that row number `id` of the arena, the last one, has this key, which must not be there yet. Grows the
 * index where needed, from the rows in the arena.  Cost: one cache miss; growing: about 20 ns a row, every time the table
 * has grown by a fifth. */
void key_index_add(key_index_t *index, const row_arena_t *arena, uint64_t key, int64_t id);

/* key_index_remove - forget a key that is there, as row number `id`. What overflowed past the place that becomes free moves
 * back, so that no mark has to stay behind. Reads rows of the arena, the one being removed included.  Cost: one cache miss, and
 * the keys of the next bucket where this one was full. */
void key_index_remove(key_index_t *index, const row_arena_t *arena, uint64_t key, int64_t id);

/* key_index_renumber - a key that is there as row number `from` is row number `to` from now on. */
void key_index_renumber(key_index_t *index, uint64_t key, int64_t from, int64_t to);

int64_t key_index_bytes(const key_index_t *index);

/* key_index_hash - what the functions below want: all bits useful for the index, best ones on top. */
static inline uint64_t key_index_hash(uint64_t key)
{
    uint64_t h = hash_mix(key);
    return h << 10 | h >> 54;
}

/* key_index_bucket - the home bucket of a hash: a multiplication instead of a mask, so that any number of buckets will do. */
static inline uint64_t key_index_bucket(const key_index_t *index, uint64_t hash)
{
    return (uint64_t)(((unsigned __int128)hash * index->buckets) >> 64);
}

/* key_index_tag - the tag of a hash, in place. All ones belongs to empty slots. */
static inline uint32_t key_index_tag(const key_index_t *index, uint64_t hash)
{
    uint32_t id_mask = (1u << index->id_bits) - 1;
    uint32_t tag = (uint32_t)(hash >> 10) << index->id_bits;
    return (tag | id_mask) == KEY_INDEX_EMPTY ? tag - (id_mask + 1) : tag;
}

/* key_index_match - bit i is set where (bucket[i] & mask) == value. */
static inline uint32_t key_index_match(const uint32_t *bucket, uint32_t mask, uint32_t value)
{
#if defined(__AVX512F__)
    __m512i slots = _mm512_load_si512(bucket);
    return _mm512_cmpeq_epi32_mask(_mm512_and_si512(slots, _mm512_set1_epi32((int)mask)), _mm512_set1_epi32((int)value));
#elif defined(__AVX2__)
    __m256i m = _mm256_set1_epi32((int)mask), v = _mm256_set1_epi32((int)value);
    __m256i low = _mm256_load_si256((const __m256i *)bucket), high = _mm256_load_si256((const __m256i *)bucket + 1);
    uint32_t low_bits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(low, m), v)));
    uint32_t high_bits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(high, m), v)));
    return low_bits | high_bits << 8;
#else
    uint32_t bits = 0;
    for (int i = 0; i < KEY_INDEX_WAYS; i++)
        bits |= (uint32_t)((bucket[i] & mask) == value) << i;
    return bits;
#endif
}

/* key_index_fetch - let the home bucket of a key come into the cache. */
static inline __attribute__((always_inline)) void key_index_fetch(const key_index_t *index, uint64_t key)
{
    __builtin_prefetch(index->slots + key_index_bucket(index, key_index_hash(key)) * KEY_INDEX_WAYS, 1);
}

/* key_index_guess - the row number that the home bucket suggests, or KEY_INDEX_NONE; touches the bucket only. */
static inline int64_t key_index_guess(const key_index_t *index, uint64_t hash)
{
    uint32_t id_mask = (1u << index->id_bits) - 1;
    const uint32_t *bucket = index->slots + key_index_bucket(index, hash) * KEY_INDEX_WAYS;
    uint32_t match = key_index_match(bucket, ~id_mask, key_index_tag(index, hash));
    return match ? (int64_t)(bucket[__builtin_ctz(match)] & id_mask) : KEY_INDEX_NONE;
}

/* key_index_find - the row number of a key, or KEY_INDEX_NONE. */
int64_t key_index_find(const key_index_t *index, const row_arena_t *arena, uint64_t key, uint64_t hash);

#endif
