/* pieces.h - how the rows of an answer are shared out to the messages that bring them.
 *
 * A large answer travels in pieces, each a message of its own, so that rows are gathered while those before them are in the
 * socket. Both ends work out the same pieces from what was asked for: equally many whole rows each, but for the last. A small
 * answer is one piece. */
#ifndef SMELTER_PIECES_H
#define SMELTER_PIECES_H

#include <stdint.h>

#define PIECES_MOST 32           /* more overlap no better, and each costs its message */
#define PIECES_BYTES_EACH 262144 /* of weights, about: longer to gather than a message costs to send, and a part of L2 */

typedef struct pieces {
    int n;
    int64_t rows, each;       /* of all pieces, of each but the last */
    int64_t end[PIECES_MOST]; /* [n] weights up to the end of each, complete when all rows were added */
    int64_t added, weights;   /* rows so far, and their weights */
} pieces_t;

/* pieces_begin - of an answer of `rows` rows with `weights` weights in all; there is one, empty, of no rows. pieces_add - the
 * next rows of the answer, of `width` weights each. */
void pieces_begin(pieces_t *pieces, int64_t rows, int64_t weights);
void pieces_add(pieces_t *pieces, int64_t rows, int64_t width);

/* pieces_rows, pieces_weights - of piece i < n. */
static inline int64_t pieces_rows(const pieces_t *pieces, int i)
{
    return i + 1 < pieces->n ? pieces->each : pieces->rows - i * pieces->each;
}

static inline int64_t pieces_first_weight(const pieces_t *pieces, int i)
{
    return i > 0 ? pieces->end[i - 1] : 0;
}

static inline int64_t pieces_weights(const pieces_t *pieces, int i)
{
    return pieces->end[i] - pieces_first_weight(pieces, i);
}

/* pieces_set_bytes - of each, from here on, in this process; for tests, whose answers are small. 0: the usual. */
void pieces_set_bytes(int64_t bytes);

#endif
