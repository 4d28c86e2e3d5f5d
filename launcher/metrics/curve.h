/* curve.h - a run's losses over its training as they were written to RUN/metrics.jsonl: one point per interval
 * (progressive.h). */
#ifndef SMELTER_CURVE_H
#define SMELTER_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct curve_point {
    int64_t step, examples; /* at the end of the interval; examples grow from point to point */
    double logloss;         /* of the interval's examples; NaN where a prediction was no number */
    int64_t first_visits;   /* of the examples so far; -1 in files of an older smelter, which does not say */
    double progressive;     /* mean over the first visits so far; over all visits where they are not told apart */
    double training;        /* mean over the later visits so far; NaN where there are none, or they are not told apart */
    double seconds;         /* since the training began */
} curve_point_t;

typedef struct curve {
    int64_t points;
    curve_point_t *point; /* **owned**, [points] */
} curve_t;

/* curve_read - *found is false, and out untouched, where the folder has no metrics.jsonl; else out is **owned**, curve_fini.
 * ST_CORRUPT: a line is not JSON or lacks a member, or examples do not grow. */
WARN_UNUSED status_t curve_read(const char *run_dir, curve_t *out, bool *found);
void curve_fini(curve_t *curve);

#endif
