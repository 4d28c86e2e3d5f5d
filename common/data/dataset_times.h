/* dataset_times.h - the times of a dataset's examples, for metrics by windows of time (evaluate.window). */
#ifndef SMELTER_DATASET_TIMES_H
#define SMELTER_DATASET_TIMES_H

#include "common/data/dataset.h"

/* How time is cut: a window is `length` of what times count, `ticks` of which are a second. */
typedef struct dataset_window {
    int64_t length, ticks;
} dataset_window_t;

/* dataset_times_check - ST_INPUT where the dataset at `path` has no times, which `key` wants. */
WARN_UNUSED status_t dataset_times_check(const dataset_info_t *info, const char *path, const char *key);

/* dataset_times_window - windows of so many seconds (0: none, and {0, 1}) of the dataset at `path`. What its times count is
 * told by its first one (time_ticks).
 * Errors of dataset_times_check where there are some.  ST_CORRUPT, ST_SYSTEM: it cannot be read. */
WARN_UNUSED status_t dataset_times_window(dataset_t *dataset, const char *path, const char *key, int64_t seconds,
                                          dataset_window_t *out);

/* dataset_times_read - of all examples of a split, time [dataset_split_rows] out; DATASET_NO_TIME where one has none. Errors of
 * reading it. */
WARN_UNUSED status_t dataset_times_read(dataset_t *dataset, split_t split, int64_t *time);

#endif
