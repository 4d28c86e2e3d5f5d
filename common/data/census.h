/* census.h - what was counted while a dataset was written, and where its rows stood in the input.
 *
 * A record of its own, as origin.h: datasets that were made before it was kept have none, and nothing here is part of their
 * content. */
#ifndef SMELTER_CENSUS_H
#define SMELTER_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the whole numbers in the time column count. */
typedef enum time_unit {
    TIME_AS_GIVEN,   /* whole numbers, stored as they were */
    TIME_MILLIONTHS, /* numbers with a fraction, stored as millionths of the input's unit */
    TIME_ISO,        /* dates, stored as microseconds since 1970-01-01 00:00:00 UTC */
    TIME_UNITS
} time_unit_t;

/* From position on, rows of the dataset are rows of the input without a gap, the first of them `row`. */
typedef struct census_run {
    int64_t position, row;
} census_run_t;

typedef struct census {
    bool is_recorded;
    int64_t train_positives; /* of the positives, those of the training split */
    int64_t test_positives;  /* and of the test split */
    int64_t without_group;   /* rows whose query id is missing; 0 where there is no group column */
    int64_t without_time;    /* the same of the time */
    int64_t descents;        /* rows whose time is before that of the last row that has one */
    int64_t first_descent;   /* position of the first, or -1 */
    time_unit_t unit;
    census_run_t *runs; /* **owned** */
    size_t runs_count, runs_capacity;
    bool has_too_many; /* runs: there are none then, and rows of the input are not recorded */
} census_t;

void census_fini(census_t *census);

/* census_row - row `row` of the input (from 1) is stored at `position`; positions ascend by one. Of an input that is far out of
 * order, so that there are more runs than CENSUS_RUNS_MOST (64 MB), no row is recorded. */
#define CENSUS_RUNS_MOST ((size_t)4 << 20)
void census_row(census_t *census, int64_t position, int64_t row);

/* census_forget_rows - which row of the input any row is, is not known. */
void census_forget_rows(census_t *census);

/* census_input_row - the input's row of a position: the number of its data record, from 1. Records that were left out count, a
 * header, blank lines and comments do not. 0 where it is not recorded. */
int64_t census_input_row(const census_t *census, int64_t position);

#endif
