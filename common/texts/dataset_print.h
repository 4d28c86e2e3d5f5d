/* dataset_print.h - a dataset as `smelter inspect` shows it. To standard output. */
#ifndef SMELTER_DATASET_PRINT_H
#define SMELTER_DATASET_PRINT_H

#include "common/data/dataset.h"

/* dataset_print - rows, positives, splits, per-field cardinality and most frequent values, first rows. */
WARN_UNUSED status_t dataset_print(const char *path, int first_rows);
/* dataset_print_rules - how the values of fields came about, one line for all fields of which it is the same. */
void dataset_print_rules(const dataset_field_t *fields, int n);

#endif
