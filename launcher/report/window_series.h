/* window_series.h - metrics by windows of time of the replicas of one model, as one table: means over replicas, with their
 * standard errors (docs/MATH.md eq. 43). */
#ifndef SMELTER_WINDOW_SERIES_H
#define SMELTER_WINDOW_SERIES_H

#include <stdio.h>

#include "common/files/jsondoc.h"
#include "common/metrics/time_windows.h"

#define WINDOW_NUMBER(name, heading, digits, doc) WINDOW_##name,
enum { TIME_WINDOW_METRICS(WINDOW_NUMBER) WINDOW_NUMBERS };

typedef struct window_row {
    int64_t start; /* in seconds; or TIME_WINDOWS_NO_TIME */
    int64_t examples;
    double value[WINDOW_NUMBERS], error[WINDOW_NUMBERS]; /* NaN: not defined, or below three replicas */
} window_row_t;

typedef struct window_series {
    int64_t seconds;   /* of a window */
    int64_t n;         /* 0: none */
    window_row_t *row; /* **owned**, [n], ascending starts */
} window_series_t;

/* window_sum_put - the windows of one more replica, starts in ticks of which `ticks` are a second.
 * window_sum_end - after the last: **owned**, window_series_fini. A window that one of the replicas lacks is left out.
 * A sum begins as {.series.seconds = ..}, and after window_sum_end it is empty. */
typedef struct window_sum {
    window_series_t series; /* values are sums, errors sums of squares */
    int32_t *heard;         /* [n] replicas that have the window */
    size_t row_capacity, heard_capacity;
    int32_t replicas;
} window_sum_t;

void window_sum_put(window_sum_t *sum, const time_window_t *window, int64_t n, int64_t ticks);
window_series_t window_sum_end(window_sum_t *sum);
void window_series_fini(window_series_t *series);

/* window_series_print - as a table.  window_series_array - as JSON, **owned**; errors where there are any. */
void window_series_print(const window_series_t *series, FILE *out);
jsondoc_t *window_series_array(const window_series_t *series);

/* window_series_text - the start of a window of so many seconds as a person reads it: a day, or a day and a time, UTC; a number
 * where it is none since 1970. */
#define WINDOW_TEXT 48
const char *window_series_text(int64_t start, int64_t seconds, char text[WINDOW_TEXT]);

#endif
