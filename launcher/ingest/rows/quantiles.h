/* quantiles.h - edges that divide numbers into bins of equal counts, exactly, from any number of them.
 *
 * Of n numbers in order, x[0] .. x[n - 1], the edges of N bins are x[floor(i n / N)], i = 1 .. N - 1, without those that are
 * no larger than the one before, or than x[0]: where many numbers are equal there are fewer bins, and none is empty.
 *
 * Beyond a bound of memory numbers go to a file without a name in TMPDIR (or /var/tmp). One thread. */
#ifndef SMELTER_QUANTILES_H
#define SMELTER_QUANTILES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/bins.h"

typedef struct quantiles quantiles_t;

quantiles_t *quantiles_create(size_t memory);
void quantiles_destroy(quantiles_t **quantiles);

/* quantiles_put - a finite number.  quantiles_count - how many there are.  ST_INPUT, ST_SYSTEM: the file. */
WARN_UNUSED status_t quantiles_put(quantiles_t *quantiles, double number);
int64_t quantiles_count(const quantiles_t *quantiles);

/* quantiles_bins - at most `count` bins; *out is **owned**, bins_fini. Of no number it is one bin.
 * Cost: eight passes over the numbers. */
WARN_UNUSED status_t quantiles_bins(quantiles_t *quantiles, int count, bins_t *out);

#endif
