/* validation_line.h - RUN/validation.jsonl, what a run is worth on the evaluation split while it trains (evaluate.every), a
 * line for each evaluation:
 *
 *     {"step": 200, "examples": 2000, "logloss": 0.53, "auc": .., .., "check": "HEX"}
 *
 * step: it was before the step, so after as many; examples: that were predicted; check: step_line.h. A number that is not
 * defined is null. */
#ifndef SMELTER_VALIDATION_LINE_H
#define SMELTER_VALIDATION_LINE_H

#include "common/base/status.h"

/* X(name): rows of QUALITY_METRICS (launcher/run/run_result.h) */
#define VALIDATION_METRICS(X) \
    X(logloss) X(auc) X(auc_loss) X(pqauc_loss) X(pqauc_query_mean) X(calibration) X(normalised_entropy)

#define VALIDATION_NUMBER(name) VALIDATION_##name,
enum { VALIDATION_METRICS(VALIDATION_NUMBER) VALIDATION_NUMBERS };

typedef struct validation_point {
    int64_t step, examples;
    double number[VALIDATION_NUMBERS]; /* NaN: not defined */
} validation_point_t;

typedef struct validation_curve {
    validation_point_t *point; /* **owned**, [n], ascending steps */
    int64_t n;                 /* 0: none, or there is no such file */
    char *lines;               /* **owned**, those of these points, as they are; NULL where there is no file */
} validation_curve_t;

/* validation_line_write - without its check and the newline: `line` has room for it. */
#define VALIDATION_LINE_BYTES 512
void validation_line_write(const validation_point_t *point, char line[VALIDATION_LINE_BYTES]);

/* validation_curve_read - the evaluations before steps < end. A line that was cut off is none, and what comes from `end` on is
 * not looked at: a crash may have left anything there.  out **owned**, validation_curve_fini.
 * ST_CORRUPT: a line is not as it was written. */
WARN_UNUSED status_t validation_curve_read(const char *run_dir, int64_t end, validation_curve_t *out);
void validation_curve_fini(validation_curve_t *curve);

#endif
