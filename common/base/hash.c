#include "common/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/memory.h"

uint64_t hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

static inline __attribute__((always_inline)) void each(uint64_t *hashes, const void *const *data, size_t bytes,
                                                       const uint64_t *seeds, int n)
{
    for (int i = 0; i < n; i++)
        hashes[i] = XXH3_64bits_withSeed(data[i], bytes, seeds[i]);
}

void hash64_each(uint64_t *hashes, const void *const *data, size_t bytes, const uint64_t *seeds, int n)
{
    switch (bytes) { /* with a constant length nothing of it but multiplications is left */
    case 64:
        each(hashes, data, 64, seeds, n);
        break;
    case 128:
        each(hashes, data, 128, seeds, n);
        break;
    default:
        each(hashes, data, bytes, seeds, n);
    }
}

struct hash_stream {
    XXH3_state_t state; /* wants 64-byte alignment, which memory blocks have */
};

hash_stream_t *hash_stream_create(void)
{
    hash_stream_t *stream = MEM_NEW(hash_stream_t);
    XXH3_128bits_reset(&stream->state);
    return stream;
}

void hash_stream_destroy(hash_stream_t **stream)
{
    mem_free(*stream);
    *stream = NULL;
}

void hash_stream_add(hash_stream_t *stream, const void *data, size_t bytes)
{
    XXH3_128bits_update(&stream->state, data, bytes);
}

void hash_stream_value(const hash_stream_t *stream, uint64_t *low, uint64_t *high)
{
    XXH128_hash_t h = XXH3_128bits_digest(&stream->state);
    *low = h.low64;
    *high = h.high64;
}

static void put_text(XXH128_hash_t h, char text[HASH_TEXT_BYTES])
{
    snprintf(text, HASH_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
}

void hash128_text(const void *data, size_t bytes, char text[HASH_TEXT_BYTES])
{
    put_text(XXH3_128bits(data, bytes), text);
}

void hash_stream_text(const hash_stream_t *stream, char text[HASH_TEXT_BYTES])
{
    put_text(XXH3_128bits_digest(&stream->state), text);
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
    snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, digest->high, digest->low);
}

bool hash_digest_parse(const char *text, hash_digest_t *digest)
{
    char high[17] = {0};
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    memcpy(high, text, 16);
    digest->high = strtoull(high, NULL, 16);
    digest->low = strtoull(text + 16, NULL, 16);
    return true;
}
