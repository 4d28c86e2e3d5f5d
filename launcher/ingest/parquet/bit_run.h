/* bit_run.h - small numbers of a fixed number of bits: levels, indices into a dictionary, booleans. Two forms:
 *
 *     hybrid   runs, each either one value many times or values packed from the lowest bit on (RLE in Encodings.md)
 *     old      values packed from the highest bit on, nothing else (BIT_PACKED, of levels in old files)
 *
 * Values are read a few at a time, so that a run takes no memory however long it claims to be. Not thread-safe. */
#ifndef SMELTER_BIT_RUN_H
#define SMELTER_BIT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bit_run {
    const uint8_t *at, *end; /* what comes next */
    int width;               /* bits of a value, 0 to 32 */
    bool is_old;
    uint64_t equal; /* how many of `value` are left */
    uint32_t value;
    const uint8_t *packed;            /* the packed run, */
    uint64_t packed_next, packed_end; /* and which of its values are left */
} bit_run_t;

bit_run_t bit_run_hybrid(const uint8_t *bytes, size_t count, int width);
bit_run_t bit_run_old(const uint8_t *bytes, size_t count, int width);

/* bit_run_read - the next n values: NULL, or what is wrong. */
const char *bit_run_read(bit_run_t *run, uint32_t *out, int n);

/* bit_run_take - up to n values of the run that the last one was of; how many. */
int bit_run_take(bit_run_t *run, uint32_t *out, int n);

/* bits_at - `width` bits, 0 to 64, from this bit on of bytes that end at `end`; zeros behind it. */
uint64_t bits_at(const uint8_t *bytes, const uint8_t *end, uint64_t bit, int width);

#endif
