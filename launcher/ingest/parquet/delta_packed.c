/*     head    values of a block, miniblocks of a block, values in all, the first value
 *     block   the least difference, a width for each miniblock (u8), the miniblocks
 *
 * A miniblock is packed whole, but the last one with values need not be there whole, and those behind it not at all. */
#include "launcher/ingest/parquet/delta_packed.h"

#include <stdbool.h>

#include "launcher/ingest/parquet/bit_run.h"

#define BLOCK_MOST (UINT64_C(1) << 24)

static const char runs_out[] = "there are fewer values in the page than it says";

static bool read_varint(delta_packed_t *delta, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && delta->at < delta->end; shift += 7) {
        const uint8_t byte = *delta->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ -(value & 1);
}

const char *delta_packed_open(delta_packed_t *delta, const uint8_t *bytes, size_t count)
{
    uint64_t block, first;
    *delta = (delta_packed_t){.at = bytes, .end = bytes + count, .is_first = true};
    if (!read_varint(delta, &block) || !read_varint(delta, &delta->miniblocks) || !read_varint(delta, &delta->count) ||
        !read_varint(delta, &first))
        return "the head of its differences is cut short";
    if (block == 0 || block > BLOCK_MOST || delta->miniblocks == 0 || delta->miniblocks > block || block % delta->miniblocks ||
        block / delta->miniblocks % 8 || delta->count > INT32_MAX)
        return "the head of its differences has numbers that cannot be";
    delta->miniblock_values = block / delta->miniblocks;
    delta->miniblock = delta->miniblocks;
    delta->packed_next = delta->miniblock_values;
    delta->left = delta->count;
    delta->value = unzigzag(first);
    return NULL;
}

static const char *next_block(delta_packed_t *delta)
{
    uint64_t least;
    if (!read_varint(delta, &least) || (uint64_t)(delta->end - delta->at) < delta->miniblocks)
        return runs_out;
    delta->least = unzigzag(least);
    delta->widths = delta->at;
    delta->at += delta->miniblocks;
    delta->miniblock = 0;
    return NULL;
}

/* left: values that are still wanted, at least one of them from this miniblock. */
static const char *next_miniblock(delta_packed_t *delta, uint64_t left)
{
    if (delta->miniblock == delta->miniblocks) {
        const char *fault = next_block(delta);
        if (fault)
            return fault;
    }
    const uint64_t width = delta->widths[delta->miniblock++], there = (uint64_t)(delta->end - delta->at);
    const uint64_t whole = delta->miniblock_values * width / 8;
    const uint64_t values = left < delta->miniblock_values ? left : delta->miniblock_values;
    if (width > 64)
        return "its differences have more than 64 bits";
    if ((values * width + 7) / 8 > there)
        return runs_out;
    delta->packed = delta->at;
    delta->packed_next = 0;
    delta->at += whole < there ? whole : there;
    return NULL;
}

const char *delta_packed_read(delta_packed_t *delta, int64_t *out, int n)
{
    for (int i = 0; i < n; i++) {
        if (delta->left == 0)
            return runs_out;
        if (delta->is_first) {
            delta->is_first = false;
        } else {
            if (delta->packed_next == delta->miniblock_values) {
                const char *fault = next_miniblock(delta, delta->left);
                if (fault)
                    return fault;
            }
            const int width = delta->widths[delta->miniblock - 1];
            delta->value += delta->least + bits_at(delta->packed, delta->end, delta->packed_next++ * (uint64_t)width, width);
        }
        delta->left--;
        out[i] = (int64_t)delta->value;
    }
    return NULL;
}

const char *delta_packed_pass(delta_packed_t *delta, const uint8_t **at, uint64_t *total)
{
    *total = 0;
    while (delta->left > 0) {
        int64_t lengths[DELTA_PACKED_BATCH];
        const int n = delta->left < DELTA_PACKED_BATCH ? (int)delta->left : DELTA_PACKED_BATCH;
        const char *fault = delta_packed_read(delta, lengths, n);
        if (fault)
            return fault;
        for (int i = 0; i < n; i++) {
            if (lengths[i] < 0 || lengths[i] > INT32_MAX)
                return "the length of a value is negative or larger than the page";
            *total += (uint64_t)lengths[i];
        }
    }
    *at = delta->at;
    return NULL;
}
