/* carried.h - texts of some columns of the files that a dataset was imported from, by the number of the row: what scores are
 * joined to other tables by. All of them are in memory. Not thread-safe. */
#ifndef SMELTER_CARRIED_H
#define SMELTER_CARRIED_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/data/dataset.h"

typedef struct carried carried_t;

/* carried_read - of the rows of the same files, in the same order, as import_files reads.
 *
 * names  columns, with commas between
 * ST_INPUT: no such column, or the files have rows of features. out **owned**, carried_destroy. */
WARN_UNUSED status_t carried_read(const char *const *specs, int n, const schema_t *schema, const char *names, carried_t **out);
void carried_destroy(carried_t **carried);

/* carried_of_dataset - of the examples of a split, by their number from 1: fields by name, and group_id. A value whose text is
 * not kept is #KEY in hex; numbers are as they were before transform and scaling; several values have bars between them.
 * ST_INPUT: no such field, or the dataset keeps no texts; ST_CORRUPT: a block is damaged. */
WARN_UNUSED status_t carried_of_dataset(dataset_t *dataset, split_t split, const char *names, carried_t **out);

int carried_columns(const carried_t *carried);
const char *carried_name(const carried_t *carried, int column);

/* carried_text - of the row, counted from 1 over all files; empty where there is no such row. A list has bars between its
 * values. Borrowed, NUL-terminated. */
const char *carried_text(const carried_t *carried, int64_t row, int column);

#endif
