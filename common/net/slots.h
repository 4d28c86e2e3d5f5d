/* slots.h - which shard owns a slot: contiguous ranges of slots, as even as they go.
 *
 * Workers route keys by it, and a shard that takes rows from a finished run takes those of its own slots. It depends on
 * the number of shards alone, so any cluster can tell where another one has put a row. */
#ifndef SMELTER_SLOTS_H
#define SMELTER_SLOTS_H

#include "common/base/hash.h"

/* slots_shard - the owner of a slot among `shards` shards. */
static inline int slots_shard(int slot, int shards)
{
    return slot * shards / HASH_SLOTS;
}

/* slots_first - the first slot of a shard; those of shard s end where those of s + 1 begin. */
static inline int slots_first(int shard, int shards)
{
    return (shard * HASH_SLOTS + shards - 1) / shards;
}

#endif
