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

/* The examples among which the one at `position` is shuffled; a permutation of them leaves them where they are. */
typedef struct shuffled {
    int64_t start, size;
    uint64_t key;
} shuffled_t;

static shuffled_t piece_of(const order_t *order, int64_t epoch, int64_t position)
{
    int64_t start = 0, size = order->rows, window = 0;
    switch (order->kind) {
    case ORDER_WINDOW:
        ASSERT(order->window > 0);
        window = position / order->window;
        start = window * order->window;
        size = order->rows - start < order->window ? order->rows - start : order->window;
        break;
    case ORDER_FULL:
        break;
    default:
        ASSERT(!"an order that shuffles");
    }
    return (shuffled_t){start, size, rng_u64(order->seed, (uint64_t)epoch, (uint64_t)window)};
}

static int64_t within_epoch(const order_t *order, int64_t epoch, int64_t position)
{
    if (order->kind == ORDER_CHRONOLOGICAL)
        return position;
    const shuffled_t piece = piece_of(order, epoch, position);
    return piece.start + (int64_t)rng_permute(piece.key, (uint64_t)piece.size, (uint64_t)(position - piece.start));
}

int64_t order_example(const order_t *order, int64_t i)
{
    ASSERT(i >= 0 && i < order->rows);
    return within_split(order, i);
}

int64_t order_position(const order_t *order, int64_t epoch, int64_t i)
{
    ASSERT(epoch >= 0 && i >= 0 && i < order->rows);
    if (order->kind == ORDER_CHRONOLOGICAL)
        return i;
    const shuffled_t piece = piece_of(order, epoch, i);
    return piece.start + (int64_t)rng_unpermute(piece.key, (uint64_t)piece.size, (uint64_t)(i - piece.start));
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
