/* row_diff.h - the first row in which two runs differ, by what they have stored. */
#ifndef SMELTER_ROW_DIFF_H
#define SMELTER_ROW_DIFF_H

#include <stdbool.h>

#include "common/base/status.h"
#include "launcher/run/manifest.h"

/* Which rows are looked at. */
typedef struct key_range {
    uint32_t table;
    int first_slot, last_slot;
} key_range_t;

typedef struct stored_row {
    bool is_there;
    uint32_t version, count;
    double norm; /* of the weights and the optimizer state together */
} stored_row_t;

typedef struct row_diff {
    int64_t rows, different; /* rows looked at, of either run, and how many of them differ */
    uint64_t key;            /* of the first that does, by slot and key */
    stored_row_t a, b;
} row_diff_t;

/* row_diff_find - compare the stored rows of two finished runs, by folder and manifest, in one table and a range of slots;
 * found where ->different > 0.  ST_INPUT, ST_CORRUPT: a store is not there, is damaged, or is not the one that the manifest
 * has. */
WARN_UNUSED status_t row_diff_find(const char *dir_a, const manifest_t *a, const char *dir_b, const manifest_t *b,
                                   const key_range_t *range, row_diff_t *out);

#endif
