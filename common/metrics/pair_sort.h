/* pair_sort.h - sorting pairs of 64-bit words in place: what groups a split's examples without another array as long as it. */
#ifndef SMELTER_PAIR_SORT_H
#define SMELTER_PAIR_SORT_H

#include <stdint.h>

/* pair_sort - by key, and by value where keys are equal, ascending.
 *
 * key    in/out [n]; NULL: all keys are equal
 * value  in/out [n]
 * Cannot fail.  Any thread.  Cost: a few passes for each byte in which words differ, less where n is small; 64 KiB of stack. */
void pair_sort(uint64_t *key, uint64_t *value, int64_t n);

#endif
