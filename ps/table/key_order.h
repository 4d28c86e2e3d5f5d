/* key_order.h - the two orders of keys that files and requests rely on, and sorting by them.
 *
 *     stored   by slot, then by key: of stores, deltas' bases and sums over slots
 *     mixed    by hash_mix(key): also slot by slot, and inside a slot as evenly spread as places that are calculated from a key
 *              have to be (ps/table/row_buckets.h)                                                                        */
#ifndef SMELTER_KEY_ORDER_H
#define SMELTER_KEY_ORDER_H

#include <stdint.h>

#include "common/base/hash.h"

/* A key and what the caller wants to find again beside it. */
typedef struct placed_key {
    uint64_t key;
    int64_t at;
} placed_key_t;

/* key_order_sort_stored, key_order_sort_mixed - ascending. scratch [n]. Cost: about 20 ns a key. */
void key_order_sort_stored(placed_key_t *keys, placed_key_t *scratch, int64_t n);
void key_order_sort_mixed(placed_key_t *keys, placed_key_t *scratch, int64_t n);

/* key_order_stored, key_order_mixed - the sign of a's place less b's. */
static inline int key_order_stored(uint64_t a, uint64_t b)
{
    const uint32_t slot_a = hash_slot(a), slot_b = hash_slot(b);
    return slot_a != slot_b ? (slot_a > slot_b) - (slot_a < slot_b) : (a > b) - (a < b);
}

static inline int key_order_mixed(uint64_t a, uint64_t b)
{
    const uint64_t mixed_a = hash_mix(a), mixed_b = hash_mix(b);
    return (mixed_a > mixed_b) - (mixed_a < mixed_b);
}

#endif
