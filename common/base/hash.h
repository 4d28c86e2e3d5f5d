/* hash.h - the only user of xxHash: keys, slots, checksums, digests. */
#ifndef SMELTER_HASH_H
#define SMELTER_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_SLOTS 1024 /* virtual shards; fixed for ever, because file layout depends on it */

/* hash64 - XXH3 of a byte string; checksums and the key of a categorical value. */
uint64_t hash64(const void *data, size_t bytes, uint64_t seed);

/* hash64_each - hashes[i] := hash64(data[i], bytes, seeds[i]) for n byte strings of one length. Cheaper than as many calls: the
 * length is looked at once, and the multiplications of one string do not wait for those of another. */
void hash64_each(uint64_t *hashes, const void *const *data, size_t bytes, const uint64_t *seeds, int n);

/* hash_mix - a cheap bijective mix of 64 bits (the finaliser of SplitMix64), for open-addressing indexes. */
static inline uint64_t hash_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* hash_slot - the slot of a key: depends on the key alone, so the K components of an ensemble share the partition. */
static inline uint32_t hash_slot(uint64_t key)
{
    return (uint32_t)(hash_mix(key) >> 54);
}

/* A checksum of 128 bits, as of a whole file. */
typedef struct hash128 {
    uint64_t low, high;
} hash128_t;

static inline bool hash128_same(hash128_t a, hash128_t b)
{
    return a.low == b.low && a.high == b.high;
}

/* The 128-bit XXH3 of a byte string that comes in pieces; how it is cut into pieces does not matter. */
typedef struct hash_stream hash_stream_t;
hash_stream_t *hash_stream_create(void); /* **owned**; cannot fail */
void hash_stream_destroy(hash_stream_t **stream);
void hash_stream_add(hash_stream_t *stream, const void *data, size_t bytes);
void hash_stream_value(const hash_stream_t *stream, uint64_t *low, uint64_t *high); /* of what was added so far */

/* hash128_text - the 128-bit XXH3 of a byte string as 32 hex digits and a NUL, in the order of `xxhsum -H2`. hash_stream_text -
 * the same of what was added to a stream so far. */
#define HASH_TEXT_BYTES 33
void hash128_text(const void *data, size_t bytes, char text[HASH_TEXT_BYTES]);
void hash_stream_text(const hash_stream_t *stream, char text[HASH_TEXT_BYTES]);

/* A digest over a set: each element is hashed to 128 bits and the hashes are summed, so the order of elements and the
 * way they are spread over shards do not matter. */
typedef struct hash_digest {
    uint64_t low, high;
    int64_t elements;
} hash_digest_t;

_Static_assert(sizeof(hash_digest_t) == 24 && sizeof(hash128_t) == 16, "as they travel");

void hash_digest_add(hash_digest_t *digest, const void *head, size_t head_bytes, const void *data, size_t bytes);
void hash_digest_merge(hash_digest_t *into, const hash_digest_t *from);
/* hash_digest_text - 32 hex digits and a NUL. */
void hash_digest_text(const hash_digest_t *digest, char text[33]);
/* hash_digest_parse - what hash_digest_text gave, but for the number of elements, which stays; false: it is not that. */
bool hash_digest_parse(const char *text, hash_digest_t *digest);

#endif
