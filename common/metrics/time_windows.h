/* time_windows.h - what predictions are worth by windows of time (days, hours), example after example, without keeping them:
 * docs/MATH.md section 9.
 *
 * A window is the times [k length, (k + 1) length) for a whole number k; examples without a time are one of their own. Sums run
 * in double in the order in which examples are put, so that the same order gives the same bits. AUC is of predictions in bins,
 * 64 to each halving of the odds, ties inside of a bin counting 1/2; the rest is exact. One owner, one thread. */
#ifndef SMELTER_TIME_WINDOWS_H
#define SMELTER_TIME_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct time_windows time_windows_t;

#define TIME_WINDOWS_MOST 4096         /* 32 KB each */
#define TIME_WINDOWS_NO_TIME INT64_MIN /* that an example has none; and the start of their window, which is the first */

/* X(name, heading, digits, "what it is"): numbers of a window. */
#define TIME_WINDOW_METRICS(X) \
    X(logloss, "logloss", 5, "mean logistic loss") \
    X(auc, "AUC", 5, "share of rightly ordered pairs") \
    X(calibration, "calibr.", 4, "sum of predictions / sum of labels") \
    X(base_rate, "base rate", 5, "share of positive labels")

#define TIME_WINDOW_MEMBER(name, heading, digits, doc) double name;
typedef struct time_window {
    int64_t start; /* the first time of it, or TIME_WINDOWS_NO_TIME */
    int64_t examples;
    TIME_WINDOW_METRICS(TIME_WINDOW_MEMBER) /* NaN: not defined */
} time_window_t;

/* time_windows_start - of the window that a time is in. */
static inline int64_t time_windows_start(int64_t time, int64_t length)
{
    const int64_t rest = time % length;
    return time == TIME_WINDOWS_NO_TIME            ? time
           : rest < 0 && time < INT64_MIN + length ? INT64_MIN + 1
                                                   : time - rest - (rest < 0 ? length : 0);
}

/* time_windows_create - length: of a window, above 0.  **owned**, time_windows_destroy. */
time_windows_t *time_windows_create(int64_t length);
void time_windows_destroy(time_windows_t **windows);

/* time_windows_put - an example; weight: what it counts.  False, and the example is with those that have no time, where it
 * would begin one window too many. */
bool time_windows_put(time_windows_t *windows, int64_t time, float p, uint8_t y, double weight);

/* time_windows_ended - the windows that have examples that were not told of, and none since the last call; is_end: whether they
 * have or not. They are told of then.  *out [number returned], **owned**, ascending starts; NULL: none. */
int64_t time_windows_ended(time_windows_t *windows, bool is_end, time_window_t **out);

/* time_windows_save - as bytes, **owned** (mem_free).  time_windows_load - from some that it has given: false, and nothing
 * changes, where they are not. Bytes of windows of another length are taken for none. */
void *time_windows_save(const time_windows_t *windows, int64_t *bytes);
WARN_UNUSED bool time_windows_load(time_windows_t *windows, const void *saved, int64_t bytes);

/* Predictions of examples whose times are known; all borrowed. */
typedef struct timed_predictions {
    int64_t n;
    const float *p;
    const uint8_t *y;
    const float *weight; /* NULL: 1 */
    const int64_t *time;
} timed_predictions_t;

/* time_windows_measure - all windows of a split, exactly: AUC too is what metrics.h makes of each.  *out [number returned],
 * **owned**, ascending starts.  Cost: two sorts; 33 bytes an example. */
int64_t time_windows_measure(const timed_predictions_t *of, int64_t length, time_window_t **out);

#endif
