/* metric.h - a metric is one row: what a number of a run is called, how it is shown, since when it is recorded, and what it
 * means. Rows are declared in run_result.h (what a training is worth, what it cost) and in report/result.h (how replicas
 * differ, what students cost); members of structs, JSON, CSV, means over replicas, the table on the terminal, the page,
 * docs/METRICS.md and the reading of older manifests follow from them. */
#ifndef SMELTER_METRIC_H
#define SMELTER_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/files/jsondoc.h"
#include "common/metrics/bootstrap.h"

typedef enum metric_unit {
    UNIT_NUMBER,  /* as it is */
    UNIT_SHARE,   /* of 1; shown in % */
    UNIT_COUNT,   /* a whole number, as it is shown */
    UNIT_BYTES,   /* likewise */
    UNIT_MEMORY,  /* bytes; shown in MiB on the terminal */
    UNIT_SECONDS, /* shown in minutes and hours in the page */
} metric_unit_t;

typedef enum metric_type { METRIC_DOUBLE, METRIC_INT64, METRIC_ESTIMATE } metric_type_t;

/* How replicas become one number. */
typedef enum metric_combine {
    COMBINE_MEAN,  /* their sum through their number */
    COMBINE_PARTS, /* the sum of what each adds to the mean; rounds as costs always did */
    COMBINE_MAX,
} metric_combine_t;

/* What stands beside a value in the tables of terminal and page, and where it stands. */
enum {
    SHOW_CHANGE = 1,   /* from the baseline, in % of its value */
    SHOW_INTERVAL = 2, /* over queries */
    SHOW_ERROR = 4,    /* over replicas */
    SHOW_TOLD = 8,     /* in sentences, by its title, as after a training and by inspect */
    SHOW_IF_KNOWN = 16 /* the page leaves the column out where no variant has the number */
};

typedef struct metric {
    const char *name;    /* in JSON, CSV and the struct */
    const char *meaning; /* in a few words */
    metric_type_t type;  /* of the member, which is at */
    size_t offset;
    int since;         /* format of manifests in which it came; 0: it was always there */
    const char *group; /* of the page's columns */
    metric_combine_t combine;
    double (*measure)(const float *p, const uint8_t *y, const float *w,
                      int64_t n);          /* of the evaluation split (weighted.h); or NULL */
    double (*derive)(const void *numbers); /* from members of rows above it; or NULL */
    const char *undefined;                 /* why it may have no value */
    bool needs_both_labels;                /* and that a single kind of them may be why */

    const char *heading;      /* of its column, of one line or two */
    const char *page_heading; /* NULL: the same; the page has units in its cells */
    const char *title;        /* in a sentence, and above a chart */
    const char *note;         /* below the title, in the page; NULL: the meaning */
    metric_unit_t unit;
    int digits;      /* behind the point, in tables; of the number in % of a share */
    int told_digits; /* the same in sentences */
    int column;      /* its place in the tables of terminal and page, from 1; 0: in none */
    bool is_off_page;
    int detail; /* its place among the page's bars (cost) or further measures (replicas), from 1; 0: in none */
    unsigned show;
} metric_t;

/* The rows of one struct. */
typedef struct metric_rows {
    const metric_t *row;
    int n;
    ptrdiff_t not_recorded; /* of the struct's uint64_t of bits, one per row that an older file lacked; -1: it has none */
} metric_rows_t;

#define METRIC_NO_BITS (-1)

/* One row of a table of rows: METRIC_ROW(struct, METRIC_DOUBLE, member, what else is to be said of it). */
#define METRIC_ROW(owner, kind, member, ...) \
    { \
        .name = #member, .type = METRIC_##kind, .offset = offsetof(owner, member), __VA_ARGS__ \
    }
#define METRIC_MEMBER_DOUBLE double
#define METRIC_MEMBER_INT64 int64_t
#define METRIC_MEMBER_ESTIMATE estimate_t

/* metric_value - the number of row i in `numbers`, the struct that the rows are of; an estimate's value. NaN: not defined, or
 * not recorded. metric_is_recorded - false where the file that it was read from is older than the row. */
double metric_value(const metric_rows_t *rows, int i, const void *numbers);
bool metric_is_recorded(const metric_rows_t *rows, int i, const void *numbers);

/* metric_set - the number of row i, which is no estimate; it is recorded then. */
void metric_set(const metric_rows_t *rows, int i, void *numbers, double value);

/* metric_find - the row of a member; there must be one. */
int metric_find(const metric_rows_t *rows, const char *name);

/* metric_at_column / metric_at_detail - the row at a place (from 1); -1 behind the last. */
int metric_at_column(const metric_rows_t *rows, int column);
int metric_at_detail(const metric_rows_t *rows, int detail);

/* metric_put_all - members of an open JSON object, in the order of the rows; NaN is null.
 * metric_get_all - reads them back into `out`, zeroed by the caller. A row that came later than the file is not recorded there.
 * ST_CORRUPT names `where` and the member: one that was always there is missing, or it is no number. */
void metric_put_all(jsondoc_t *object, const metric_rows_t *rows, const void *numbers);
WARN_UNUSED status_t metric_get_all(const jsondoc_t *object, const char *where, const metric_rows_t *rows, void *out);

/* metric_put_beside - the member NAME_SUFFIX: what stands beside a number, such as its interval or its error. */
void metric_put_beside(jsondoc_t *object, const char *name, const char *suffix, double value);

/* metric_combine_all - what n structs, `stride` bytes apart, become as one. In their order, so that the same runs give the same
 * bits. */
void metric_combine_all(const metric_rows_t *rows, const void *first, size_t stride, int32_t n, void *out);

/* metric_text - a value as the table on the terminal shows it; "-" where it is not defined. */
#define METRIC_TEXT_BYTES 40
const char *metric_text(const metric_t *metric, double value, char text[METRIC_TEXT_BYTES]);

/* metric_row_object - the row as the page needs it; **owned**. */
jsondoc_t *metric_row_object(const metric_t *metric);

#endif
