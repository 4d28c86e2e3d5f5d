/* delta_packed.h - whole numbers as differences from the one before, packed with as many bits as a block of them needs
 * (DELTA_BINARY_PACKED in Encodings.md). Read a few at a time. Not thread-safe. */
#ifndef SMELTER_DELTA_PACKED_H
#define SMELTER_DELTA_PACKED_H

#include <stddef.h>
#include <stdint.h>

#define DELTA_PACKED_BATCH 64

typedef struct delta_packed {
    const uint8_t *at, *end;
    uint64_t count, left;      /* values in all, and not read yet */
    uint64_t miniblock_values; /* in a miniblock */
    uint64_t miniblocks;       /* in a block */
    uint64_t value;            /* the last one; sums wrap */
    uint64_t least;            /* difference of the block */
    const uint8_t *widths;     /* of the block's miniblocks */
    uint64_t miniblock;        /* which of them */
    const uint8_t *packed;
    uint64_t packed_next; /* which value of the miniblock */
    int is_first;
} delta_packed_t;

/* delta_packed_open - NULL, or what is wrong. bytes are borrowed. */
const char *delta_packed_open(delta_packed_t *delta, const uint8_t *bytes, size_t count);

/* delta_packed_read - the next n values: NULL, or what is wrong. */
const char *delta_packed_read(delta_packed_t *delta, int64_t *out, int n);

/* delta_packed_pass - all that are left, which are lengths; *at: behind them, *total: their sum. */
const char *delta_packed_pass(delta_packed_t *delta, const uint8_t **at, uint64_t *total);

#endif
