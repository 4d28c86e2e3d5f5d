#include "ps/table/key_order.h"

#include <string.h>

/* Digits of the radix sort. */
#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)
#define SORT_SMALL 48 /* below, inserting is faster */

/* The parts of a key that a pass may look at. */
typedef enum key_part { PART_KEY, PART_MIXED, PART_SLOT } key_part_t;

static inline uint32_t digit_of(uint64_t key, key_part_t part, int shift)
{
    switch (part) {
    case PART_KEY:
        return (uint32_t)(key >> shift) & (DIGITS - 1);
    case PART_MIXED:
        return (uint32_t)(hash_mix(key) >> shift) & (DIGITS - 1);
    default:
        return hash_slot(key);
    }
}

/* One stable pass by a digit. Returns where the keys are then: a digit that all share moves nothing. */
static inline __attribute__((always_inline)) placed_key_t *sort_pass(placed_key_t *from, placed_key_t *to, int64_t n,
                                                                     key_part_t part, int shift)
{
    int64_t start[DIGITS] = {0};
    for (int64_t i = 0; i < n; i++)
        start[digit_of(from[i].key, part, shift)]++;
    if (start[digit_of(from[0].key, part, shift)] == n)
        return from;
    int64_t sum = 0;
    for (int d = 0; d < DIGITS; d++) {
        const int64_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++)
        to[start[digit_of(from[i].key, part, shift)]++] = from[i];
    return to;
}

static void insertion_sort(placed_key_t *keys, int64_t n, int (*compare)(uint64_t a, uint64_t b))
{
    for (int64_t i = 1; i < n; i++) {
        const placed_key_t key = keys[i];
        int64_t at = i;
        for (; at > 0 && compare(keys[at - 1].key, key.key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

void key_order_sort_stored(placed_key_t *keys, placed_key_t *scratch, int64_t n)
{
    if (n <= SORT_SMALL) {
        insertion_sort(keys, n, key_order_stored);
        return;
    }
    placed_key_t *at = keys;
    for (int shift = 0; shift < 64; shift += DIGIT_BITS)
        at = sort_pass(at, at == keys ? scratch : keys, n, PART_KEY, shift);
    at = sort_pass(at, at == keys ? scratch : keys, n, PART_SLOT, 0);
    if (at != keys)
        memcpy(keys, at, (size_t)n * sizeof *keys);
}

void key_order_sort_mixed(placed_key_t *keys, placed_key_t *scratch, int64_t n)
{
    if (n <= SORT_SMALL) {
        insertion_sort(keys, n, key_order_mixed);
        return;
    }
    placed_key_t *at = keys;
    for (int shift = 0; shift < 64; shift += DIGIT_BITS)
        at = sort_pass(at, at == keys ? scratch : keys, n, PART_MIXED, shift);
    if (at != keys)
        memcpy(keys, at, (size_t)n * sizeof *keys);
}
