#include "common/base/hash.h"

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

void hash_digest_add(hash_digest_t *digest, const void *head, size_t head_bytes, const void *data, size_t bytes)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(data, bytes, XXH3_64bits(head, head_bytes));
    digest->low += h.low64;
    digest->high += h.high64;
    digest->elements++;
}

void hash_digest_merge(hash_digest_t *into, const hash_digest_t *from)
{
    into->low += from->low;
    into->high += from->high;
    into->elements += from->elements;
}

void hash_digest_text(const hash_digest_t *digest, char text[33])
{
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)digest->high, (unsigned long long)digest->low);
}
