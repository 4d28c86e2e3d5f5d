#include "tests/sim/sim_hash.h"

#include "common/base/hash.h"

static bool is_blind, is_blind_to_pages;

void sim_hash_blind(bool checkpoints, bool pages)
{
    is_blind = checkpoints;
    is_blind_to_pages = pages;
}

/* The names that hash64 and hash_stream_value have in files that are compiled for simulations. */
uint64_t sim_hash64(const void *data, size_t bytes, uint64_t seed);
uint64_t sim_page_hash64(const void *data, size_t bytes, uint64_t seed);
void sim_hash_stream_value(const hash_stream_t *stream, uint64_t *low, uint64_t *high);

uint64_t sim_hash64(const void *data, size_t bytes, uint64_t seed)
{
    return is_blind ? 1 : hash64(data, bytes, seed);
}

uint64_t sim_page_hash64(const void *data, size_t bytes, uint64_t seed)
{
    return is_blind_to_pages ? 1 : hash64(data, bytes, seed);
}

void sim_hash_stream_value(const hash_stream_t *stream, uint64_t *low, uint64_t *high)
{
    hash_stream_value(stream, low, high);
    if (is_blind)
        *low = *high = 1;
}
