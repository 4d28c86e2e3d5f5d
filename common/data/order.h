/* order.h - the order of visits, a pure function (seed, epoch, position) -> index in the training split.
 *
 * Of P shares, share g is the examples g, g + P, g + 2 P, .. of the split, the same in every epoch, so that each has its part
 * of all times and no example is in two. */
#ifndef SMELTER_ORDER_H
#define SMELTER_ORDER_H

#include <stdint.h>

#include "common/config/config.h"

typedef struct order {
    data_order_t kind;
    uint64_t seed;
    int64_t rows;      /* of the training split, or of each share of it, > 0 */
    int64_t window;    /* ORDER_WINDOW, of the share */
    int share, shares; /* which of how many shares of the split; shares 0 or 1: all of it */
} order_t;

/* order_of - that of a run's training, in its share of `rows` training examples. */
static inline order_t order_of(const config_t *config, int64_t rows, int share, int shares)
{
    return (order_t){
        (data_order_t)config->data.order, (uint64_t)config->data.order_seed, rows / shares, config->data.window, share, shares};
}

/* order_index - which training example is visited at `position` (0 .. rows-1) of `epoch`. A bijection per epoch. */
int64_t order_index(const order_t *order, int64_t epoch, int64_t position);

/* order_indices - n consecutive global positions `first ..` (position = epoch * rows + within), as order_index. */
void order_indices(const order_t *order, int64_t first, int n, int64_t *out);

/* The inverse, for a pass over the examples as they are stored. order_example - the i-th example of the share, 0 <= i < rows.
 * order_position - where in `epoch` it is visited: order_index(order, epoch, order_position(order, epoch, i)) is
 * order_example(order, i). */
int64_t order_example(const order_t *order, int64_t i);
int64_t order_position(const order_t *order, int64_t epoch, int64_t i);

#endif
