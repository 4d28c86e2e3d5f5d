/* shown_example.h - an example of a dataset as a person reads it: which row of the input it was, its query's own id, and what
 * each of its fields holds. */
#ifndef SMELTER_SHOWN_EXAMPLE_H
#define SMELTER_SHOWN_EXAMPLE_H

#include "common/texts/shown_values.h"

typedef struct shown_example {
    int64_t row;  /* of the input, from 1; 0 where that is not known */
    char *group;  /* **owned**; NULL: the dataset has no queries */
    char **value; /* **owned**, [fields]; a number as it was before transform and scaling, several values between spaces */
    int32_t fields;
} shown_example_t;

/* shown_example_read - the i-th of a split.  out **owned**, shown_example_fini.  ST_CORRUPT: a block is damaged. */
WARN_UNUSED status_t shown_example_read(dataset_t *dataset, shown_values_t *shown, split_t split, int64_t i,
                                        shown_example_t *out);
void shown_example_fini(shown_example_t *example);

/* shown_field_names - of all fields, printable; **owned**, [fields] as each of them. */
char **shown_field_names(const dataset_t *dataset, int32_t *fields);

#endif
