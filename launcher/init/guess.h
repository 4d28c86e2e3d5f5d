/* guess.h - what the columns of a file are for, by their names and by what they hold, and why.
 *
 * What it is unsure of is a question for a person; the guess beside it works meanwhile. */
#ifndef SMELTER_GUESS_H
#define SMELTER_GUESS_H

#include "launcher/init/facts.h"
#include "launcher/init/sample.h"

#define GUESS_ROWS_LEAST 20 /* fewer leave nothing to evaluate on */

/* What becomes of a column as an input. */
typedef enum column_input { INPUT_NOT, INPUT_CATEGORICAL, INPUT_NUMERIC, INPUT_MULTI } column_input_t;

typedef struct column_guess {
    column_input_t input;
    column_transform_t transform;
    char separator; /* of INPUT_MULTI */
    char *why;      /* what it holds, or why it is left out; **owned** */
    char *question; /* **owned**, or NULL */
} column_guess_t;

typedef struct guess {
    column_guess_t *column; /* [sample->columns] */
    int label, group, time; /* columns; -1: none */
    char *label_rule;       /* as YAML; NULL: it holds 0 and 1; **owned**, as all texts */
    char *label_why, *group_why, *time_why, *split_why;
    char *label_question, *group_question, *time_question, *split_question; /* **owned**, or NULL */
    double train_max;                                                       /* NaN: by share of the rows */
    bool is_sorted;                                                         /* by time, on import: they come in another order */
    double positive;                                                        /* share of rows whose label is 1 */
    int64_t max_bad_rows;                                                   /* allowed, because so many were seen */
    char *bad_why;
} guess_t;

/* guess_make - path is for messages. label: the column that a person names, or NULL.
 * ST_INPUT: no column can be the label, there are too few rows, or no input is left.  **owned**; guess_free. */
WARN_UNUSED status_t guess_make(const sample_t *sample, const char *path, const char *label, guess_t *out);
void guess_free(const sample_t *sample, guess_t *guess);

#endif
