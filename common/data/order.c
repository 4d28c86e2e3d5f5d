/* The order of visits.
 *
 * A shuffle is a keyed permutation (rng_permute), not a stored array: any position of any epoch is answered in constant
 * time and memory, so the cursor of a run is one number and every worker computes its own share. The key of a permutation
 * is drawn from (seed, epoch, window), so neighbouring seeds, epochs and windows have unrelated orders. Rejected: a
 * Fisher-Yates shuffle per epoch, 8 bytes per example on every worker, and serial.                                      */
#include "common/data/order.h"

#include "common/base/rng.h"
#include "common/base/status.h"

static int64_t within_split(const order_t *order, int64_t within_share)
{
    return order->shares > 1 ? within_share * order->shares + order->share : within_share;
}

static int64_t within_epoch(const order_t *order, int64_t epoch, int64_t position)
{
    int64_t start = 0, size = order->rows, window = 0;
    switch (order->kind) {
    case ORDER_CHRONOLOGICAL:
        return position;
    case ORDER_WINDOW:
        ASSERT(order->window > 0);
        window = position / order->window;
        start = window * order->window;
        size = order->rows - start < order->window ? order->rows - start : order->window;
        break;
    case ORDER_FULL:
        break;
    default:
        ASSERT(!"a known order");
    }
    const uint64_t key = rng_u64(order->seed, (uint64_t)epoch, (uint64_t)window);
    return start + (int64_t)rng_permute(key, (uint64_t)size, (uint64_t)(position - start));
}

int64_t order_index(const order_t *order, int64_t epoch, int64_t position)
{
    ASSERT(order->rows > 0);
    ASSERT(epoch >= 0 && position >= 0 && position < order->rows);
    return within_split(order, within_epoch(order, epoch, position));
}

void order_indices(const order_t *order, int64_t first, int n, int64_t *out)
{
    ASSERT(order->rows > 0);
    ASSERT(first >= 0 && n >= 0);
    int64_t epoch = first / order->rows, position = first % order->rows;
    for (int i = 0; i < n; i++) {
        out[i] = within_split(order, within_epoch(order, epoch, position));
        if (++position == order->rows) {
            position = 0;
            epoch++;
        }
    }
}
