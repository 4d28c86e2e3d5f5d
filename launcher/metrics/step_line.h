/* step_line.h - the check that a line about one step ends with in steps.jsonl. Where a checkpoint is cut, which of these
 * lines are in the file depends on time, so that no checksum of the checkpoint's can cover them; and a digit that was flipped
 * would be a difference of two runs that are equal. Lines of older versions have none. */
#ifndef SMELTER_STEP_LINE_H
#define SMELTER_STEP_LINE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"

#define STEP_LINE_CHECK ", \"check\": \"%08" PRIx32 "\"}"
#define STEP_LINE_CHECK_BYTES (sizeof ", \"check\": \"01234567\"}" - 1)

/* step_line_check - of what comes before the check. */
static inline uint32_t step_line_check(const char *line, size_t bytes)
{
    return (uint32_t)hash64(line, bytes, 0);
}

/* step_line_is_whole - `line`, without its newline, is as it was written, or has no check. */
static inline bool step_line_is_whole(const char *line, size_t bytes)
{
    if (!memmem(line, bytes, "\"check\"", 7))
        return true;
    char wanted[STEP_LINE_CHECK_BYTES + 1];
    const size_t before = bytes > STEP_LINE_CHECK_BYTES ? bytes - STEP_LINE_CHECK_BYTES : 0;
    snprintf(wanted, sizeof wanted, STEP_LINE_CHECK, step_line_check(line, before));
    return before && memcmp(line + before, wanted, STEP_LINE_CHECK_BYTES) == 0;
}

#endif
