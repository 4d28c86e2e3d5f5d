/* remarks.h - what a person should know about a dataset before something is trained on it: a split that is empty or has one
 * class, rows without a query, times that go back. */
#ifndef SMELTER_REMARKS_H
#define SMELTER_REMARKS_H

#include "common/data/dataset.h"

#define REMARK_BYTES 320

typedef void remark_fn(void *context, const char *text);

/* remarks_make - call `say` with each, a sentence without a full stop; of a dataset without a census, with what is known. */
void remarks_make(const dataset_info_t *info, const census_t *census, remark_fn *say, void *context);

#endif
