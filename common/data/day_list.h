/* day_list.h - what was appended to a dataset after its import, day by day: what the dataset was after each, and of which files
 * the rows came.
 *
 * A record of its own, as origin.h; a dataset to which nothing was appended has none. The first day is the import itself, whose
 * files are in the origin. A run knows the content hash of the dataset that it was trained on: it says how many of the days the
 * run has seen. */
#ifndef SMELTER_DAY_LIST_H
#define SMELTER_DAY_LIST_H

#include "common/data/origin.h"
#include "common/data/record.h"

typedef struct day_label {
    int64_t positives, train_positives, test_positives;
} day_label_t;

/* The whole dataset as it was after a day. */
typedef struct dataset_day {
    char *date; /* **owned**: of the clock when it was appended (clock_utc) */
    uint64_t content_hash;
    int64_t rows, train_rows, test_rows, bad_rows;
    day_label_t *label;   /* **owned** [labels of the list] */
    origin_file_t *files; /* **owned** [files_count] that were appended */
    int files_count;
} dataset_day_t;

typedef struct day_list {
    dataset_day_t *day; /* **owned** [n], in order; the last is the dataset as it is */
    int n;              /* 0: nothing was appended */
    int labels;
    size_t capacity;
} day_list_t;

void day_list_fini(day_list_t *list);
day_list_t day_list_copy(const day_list_t *list);

/* day_list_add - one day more, of no files; labels of all days are equally many. */
dataset_day_t *day_list_add(day_list_t *list, int labels);

/* day_list_add_file - a file that the last day's rows came from; copied. */
void day_list_add_file(day_list_t *list, const origin_file_t *file);

/* day_list_find - the day after which the dataset had this content, or -1. */
int day_list_find(const day_list_t *list, uint64_t content_hash);

/* day_list_encode / decode - the stored form; false where it is none, and *out is empty then. */
void day_list_encode(const day_list_t *list, record_t *out);
WARN_UNUSED bool day_list_decode(const record_t *raw, day_list_t *out);

#endif
