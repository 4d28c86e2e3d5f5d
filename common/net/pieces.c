#include "common/net/pieces.h"

#include "common/base/status.h"

static int64_t bytes_each = PIECES_BYTES_EACH;

void pieces_set_bytes(int64_t bytes)
{
    bytes_each = bytes > 0 ? bytes : PIECES_BYTES_EACH;
}

void pieces_begin(pieces_t *pieces, int64_t rows, int64_t weights)
{
    ASSERT(rows >= 0 && weights >= rows);
    int64_t n = weights * (int64_t)sizeof(float) / bytes_each;
    n = n < PIECES_MOST ? n : PIECES_MOST;
    n = n < rows ? n : rows;
    const int64_t each = n > 1 ? (rows + n - 1) / n : rows;
    pieces->n = each > 0 ? (int)((rows + each - 1) / each) : 1;
    pieces->rows = rows;
    pieces->each = each;
    pieces->end[0] = 0;
    pieces->added = pieces->weights = 0;
}

void pieces_add(pieces_t *pieces, int64_t rows, int64_t width)
{
    ASSERT(pieces->added + rows <= pieces->rows);
    while (rows > 0) {
        const int64_t at = pieces->added / pieces->each, left = (at + 1) * pieces->each - pieces->added,
                      some = rows < left ? rows : left;
        pieces->added += some;
        pieces->weights += some * width;
        pieces->end[at] = pieces->weights;
        rows -= some;
    }
}
