/* step_line.h - the check that a line about one step ends with in steps.jsonl and probes.jsonl: a digit that was flipped would
 * be a difference of two runs that are equal. Whose lines they are is known by line_sums.h. Lines of older versions have no
 * check. */
#ifndef SMELTER_STEP_LINE_H
#define SMELTER_STEP_LINE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"

#define STEP_LINE_CHECK ", \"check\": \"%08" PRIx32 "\"}"
#define STEP_LINE_CHECK_BYTES (sizeof ", \"check\": \"01234567\"}" - 1)

/* step_line_check - the check, where `hash` is the hash64 of what comes before it. */
static inline uint32_t step_line_check(uint64_t hash)
{
    return (uint32_t)hash;
}

/* step_line_hash - the hash64 of what comes before the check, or of all where there is none; `line` without its newline. */
static inline uint64_t step_line_hash(const char *line, size_t bytes)
{
    const bool has_check = bytes > STEP_LINE_CHECK_BYTES && memmem(line + bytes - STEP_LINE_CHECK_BYTES, 9, ", \"check\"", 9);
    return hash64(line, has_check ? bytes - STEP_LINE_CHECK_BYTES : bytes, 0);
}

/* step_line_is_whole - `line`, without its newline, is as it was written, or has no check. */
static inline bool step_line_is_whole(const char *line, size_t bytes)
{
    if (!memmem(line, bytes, "\"check\"", 7))
        return true;
    char wanted[STEP_LINE_CHECK_BYTES + 1];
    const size_t before = bytes > STEP_LINE_CHECK_BYTES ? bytes - STEP_LINE_CHECK_BYTES : 0;
    snprintf(wanted, sizeof wanted, STEP_LINE_CHECK, step_line_check(hash64(line, before, 0)));
    return before && memcmp(line + before, wanted, STEP_LINE_CHECK_BYTES) == 0;
}

#endif
