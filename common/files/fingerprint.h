/* fingerprint.h - is a file still the one that was read? Size, time of the last change, and a hash of the bytes.
 *
 * Size and time are a look at the folder; the hash is a pass over the file, which is made only where they leave room for
 * doubt. */
#ifndef SMELTER_FINGERPRINT_H
#define SMELTER_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/status.h"

typedef struct fingerprint {
    int64_t bytes, modified_ns; /* modified_ns: since 1970 */
    uint64_t low, high;         /* XXH3, 128 bits, of all bytes */
} fingerprint_t;

/* fingerprint_stat - bytes and modified_ns, the hash left 0; false for what is no regular file (a pipe has nothing to
 * compare). */
bool fingerprint_stat(const struct stat *st, fingerprint_t *out);

typedef enum fingerprint_state { FINGERPRINT_SAME, FINGERPRINT_CHANGED, FINGERPRINT_MISSING } fingerprint_state_t;

/* fingerprint_check - does `path` hold the bytes that `then` was taken of?
 *
 * moved  the file was another path then, so that an equal size and time prove nothing
 * now    out: what it is now; the hash is 0 where size alone, or size and time, gave the answer
 * FINGERPRINT_MISSING: nothing is there that can be compared.  ST_SYSTEM, ST_INPUT: it is there and cannot be read. */
WARN_UNUSED status_t fingerprint_check(const char *path, const fingerprint_t *then, bool moved, fingerprint_state_t *state,
                                       fingerprint_t *now);

#define FINGERPRINT_TEXT 96
/* fingerprint_text - "1,234 bytes of 2024-05-01 12:00:00" in local time. */
const char *fingerprint_text(const fingerprint_t *fingerprint, char text[FINGERPRINT_TEXT]);

#endif
