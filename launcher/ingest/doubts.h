/* doubts.h - what a dataset has that makes a training worse than it could be, said before it begins: numbers of a size that a
 * network takes badly, and an evaluation split that is of another time than a person would think. Nothing of it is an error. */
#ifndef SMELTER_DOUBTS_H
#define SMELTER_DOUBTS_H

#include "common/base/status.h"
#include "common/data/dataset.h"

/* doubts_say - one line of the log for each doubt about the dataset at `path`.
 * Cost: six rows, the first, the middle and the last one of each split.  Errors of reading the dataset. */
WARN_UNUSED status_t doubts_say(const char *path);

/* doubts_numbers - the same, of the sizes of numeric fields: `text` becomes "numeric field a reaches 9e+06, b ..", or "" where
 * there is no doubt.  Fields as a network gets them, with their mean and scale. */
void doubts_numbers(const dataset_info_t *info, char *text, size_t bytes);

#endif
