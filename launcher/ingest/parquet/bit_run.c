#include "launcher/ingest/parquet/bit_run.h"

#include <string.h>

#define WIDTH_MOST 32

static const char runs_out[] = "there are fewer values in the page than it says";

bit_run_t bit_run_hybrid(const uint8_t *bytes, size_t count, int width)
{
    return (bit_run_t){.at = bytes, .end = bytes + count, .width = width};
}

bit_run_t bit_run_old(const uint8_t *bytes, size_t count, int width)
{
    return (bit_run_t){.at = bytes + count,
                       .end = bytes + count,
                       .width = width,
                       .is_old = true,
                       .packed = bytes,
                       .packed_end = width ? (uint64_t)count * 8 / (uint64_t)width : UINT64_MAX};
}

uint64_t bits_at(const uint8_t *bytes, const uint8_t *end, uint64_t bit, int width)
{
    uint64_t word = 0;
    const uint8_t *at = bytes + bit / 8;
    const int shift = (int)(bit % 8);
    if (width == 0 || at >= end)
        return 0;
    const size_t there = (size_t)(end - at);
    memcpy(&word, at, there < sizeof word ? there : sizeof word);
    word >>= shift;
    if (shift + width > 64 && there > sizeof word)
        word |= (uint64_t)at[8] << (64 - shift);
    return width == 64 ? word : word & ((UINT64_C(1) << width) - 1);
}

static uint32_t old_at(const bit_run_t *run, uint64_t index)
{
    uint32_t value = 0;
    for (int i = 0; i < run->width; i++) {
        const uint64_t bit = index * (uint64_t)run->width + (uint64_t)i;
        value = value << 1 | (run->packed[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
}

static const char *read_head(bit_run_t *run, uint64_t *head)
{
    *head = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (run->at == run->end)
            return runs_out;
        const uint8_t byte = *run->at++;
        *head |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return NULL;
    }
    return "the head of a run of values is none";
}

static const char *start_packed(bit_run_t *run, uint64_t groups)
{
    const uint64_t there = (uint64_t)(run->end - run->at), width = (uint64_t)run->width;
    run->packed = run->at;
    run->packed_next = 0;
    if (width == 0) {
        run->packed_end = groups > UINT32_MAX ? 0 : groups * 8;
        return groups > UINT32_MAX ? "the head of a run of values is none" : NULL;
    }
    /* The last run of a page may be cut behind its last value. */
    const bool is_whole = groups <= there / width;
    run->packed_end = is_whole ? groups * 8 : there * 8 / width;
    run->at += is_whole ? groups * width : there;
    return NULL;
}

static const char *start_equal(bit_run_t *run, uint64_t count)
{
    const size_t bytes = ((size_t)run->width + 7) / 8;
    if ((size_t)(run->end - run->at) < bytes)
        return runs_out;
    run->value = 0;
    for (size_t i = 0; i < bytes; i++)
        run->value |= (uint32_t)run->at[i] << (8 * i);
    run->at += bytes;
    run->equal = count;
    return run->width < WIDTH_MOST && run->value >> run->width ? "a value has more bits than values of its column have" : NULL;
}

static const char *next_run(bit_run_t *run)
{
    uint64_t head;
    if (run->is_old)
        return runs_out;
    const char *fault = read_head(run, &head);
    if (fault)
        return fault;
    return head & 1 ? start_packed(run, head >> 1) : start_equal(run, head >> 1);
}

int bit_run_take(bit_run_t *run, uint32_t *out, int n)
{
    const uint64_t left = run->equal > 0 ? run->equal : run->packed_end - run->packed_next;
    const int take = left < (uint64_t)n ? (int)left : n;
    if (run->equal > 0) {
        for (int i = 0; i < take; i++)
            out[i] = run->value;
        run->equal -= (uint64_t)take;
        return take;
    }
    for (int i = 0; i < take; i++) {
        const uint64_t index = run->packed_next + (uint64_t)i;
        out[i] = run->is_old ? old_at(run, index)
                             : (uint32_t)bits_at(run->packed, run->end, index * (uint64_t)run->width, run->width);
    }
    run->packed_next += (uint64_t)take;
    return take;
}

const char *bit_run_read(bit_run_t *run, uint32_t *out, int n)
{
    for (int done = 0; done < n;) {
        const int take = bit_run_take(run, out + done, n - done);
        const char *fault = take ? NULL : next_run(run);
        if (fault)
            return fault;
        done += take;
    }
    return NULL;
}
