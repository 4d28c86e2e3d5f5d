/* product_tile.h - the one body of all micro-kernels, for the file that includes it and says before how wide its vectors are
 * and how they multiply and add:
 *
 *     LANES       floats of a vector
 *     VECTORS     vectors of a tile's row: a panel is LANES * VECTORS wide, a narrow one half as wide
 *     TILE_ROWS   rows of the largest tile; TILE_CASES(T) is T(1) T(2) ... T(TILE_ROWS)
 *     FUSED(sum, a, b)   sum := fma(a, b, sum) for a float a, element by element
 *
 * A tile's sums stay in registers over the whole depth. Each number of rows has a tile of its own, and rows are shared out
 * evenly, so that no tile is much smaller than the others. */
#include <string.h>

typedef float vector_t __attribute__((vector_size(4 * LANES)));
typedef float loose_vector_t __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED(i, rows, v, vectors) \
    _Pragma("GCC unroll 16") for (int i = 0; i < (rows); i++) _Pragma("GCC unroll 16") for (int v = 0; v < (vectors); v++)

enum { PANEL_WIDTH = LANES * VECTORS };

/* Where a is. BY_ROWS also means that b is packed. */
enum { BY_ROWS, BY_COLUMNS, BY_TILES };

INLINE void run_tile(const product_panel_t *p, float *c, int64_t c_row, const float *start, int64_t start_row, const float *a,
                     const int rows, const int vectors, const int order)
{
    vector_t sum[TILE_ROWS][VECTORS];
    if (start)
        UNROLLED (i, rows, v, vectors)
            sum[i][v] = (vector_t) * (const loose_vector_t *)(start + i * start_row + v * LANES);
    else
        UNROLLED (i, rows, v, vectors)
            sum[i][v] = (vector_t){0};
    UNROLLED (i, rows, v, vectors)
        __builtin_prefetch(c + i * c_row + v * LANES, 1); /* there by the time it is written */
    const float *b = p->b;
    const int64_t a_row = order == BY_ROWS ? p->a_row : 1;
    const int64_t a_step = order == BY_ROWS ? 1 : order == BY_TILES ? rows : p->a_step;
    const int64_t b_step = order == BY_COLUMNS ? p->b_step : vectors * LANES;
    for (int k = p->depth; k > 0; k--, a += a_step, b += b_step) {
        vector_t right[VECTORS];
        UNROLLED (one, 1, v, vectors)
            right[v] = (vector_t) * (const loose_vector_t *)(b + v * LANES);
        UNROLLED (i, rows, v, vectors)
            FUSED(sum[i][v], a[i * a_row], right[v]);
    }
    UNROLLED (i, rows, v, vectors)
        *(loose_vector_t *)(c + i * c_row + v * LANES) = sum[i][v];
}

INLINE void copy_rows(float *to, int64_t to_row, const float *from, int64_t from_row, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[i * to_row + j] = from[i * from_row + j];
}

/* A tile; where columns are fewer than the panel is wide, it is made beside. */
INLINE void run_some(const product_panel_t *p, float *c, const float *start, const float *a, const int rows, const int vectors,
                     const int order)
{
    if (p->columns == vectors * LANES) {
        run_tile(p, c, p->c_row, start, p->start_row, a, rows, vectors, order);
        return;
    }
    float beside[TILE_ROWS * PANEL_WIDTH] = {0};
    if (start)
        copy_rows(beside, PANEL_WIDTH, start, p->start_row, rows, p->columns);
    run_tile(p, beside, PANEL_WIDTH, beside, PANEL_WIDTH, a, rows, vectors, order);
    copy_rows(c, p->c_row, beside, PANEL_WIDTH, rows, p->columns);
}

/* From a row of a to the next, of those that begin tiles. */
INLINE int64_t row_of(const product_panel_t *p, const int order)
{
    return order == BY_ROWS ? p->a_row : order == BY_TILES ? p->depth : 1;
}

INLINE void run_rows(const product_panel_t *p, const int vectors, const int order)
{
    const int tiles = (p->rows + TILE_ROWS - 1) / TILE_ROWS, least = p->rows / tiles, larger = p->rows % tiles;
    float *c = p->c;
    const float *start = p->start, *a = p->a;
    for (int t = 0; t < tiles; t++) {
        const int rows = t < larger ? least + 1 : least;
        switch (rows) {
#define TILE_CASE(n) \
    case n: \
        run_some(p, c, start, a, n, vectors, order); \
        break;
            TILE_CASES(TILE_CASE)
        }
        c += rows * p->c_row;
        a += rows * row_of(p, order);
        if (start)
            start += rows * p->start_row;
    }
}

#define RUN(name, vectors, order) \
    static void name(const product_panel_t *p) \
    { \
        run_rows(p, vectors, order); \
    }
RUN(run_wide_by_rows, VECTORS, BY_ROWS)
RUN(run_wide_by_columns, VECTORS, BY_COLUMNS)
RUN(run_wide_by_tiles, VECTORS, BY_TILES)
RUN(run_narrow_by_rows, VECTORS / 2, BY_ROWS)
RUN(run_narrow_by_columns, VECTORS / 2, BY_COLUMNS)
RUN(run_narrow_by_tiles, VECTORS / 2, BY_TILES)

static int order_of(const product_panel_t *p)
{
    return p->by_rows ? BY_ROWS : p->a_step ? BY_COLUMNS : BY_TILES;
}

static void run_panel(const product_panel_t *p)
{
    static void (*const runs[2][3])(const product_panel_t *) = {
        {run_wide_by_rows, run_wide_by_columns, run_wide_by_tiles},
        {run_narrow_by_rows, run_narrow_by_columns, run_narrow_by_tiles},
    };
    runs[p->is_narrow][order_of(p)](p);
}

INLINE void pack_tile(float *out, const float *a, int64_t a_step, int depth, const int rows)
{
    for (int k = 0; k < depth; k++)
        memcpy(out + (int64_t)k * rows, a + k * a_step, (size_t)rows * sizeof *out);
}

/* The rows of tiles are those of run_rows. Some of the depth at a time, which is read along its rows. */
static void pack_left(float *out, product_panel_t *p)
{
    enum { SOME = 16 };
    const int tiles = (p->rows + TILE_ROWS - 1) / TILE_ROWS, least = p->rows / tiles, larger = p->rows % tiles;
    for (int k = 0; k < p->depth; k += SOME) {
        const int depth = p->depth - k < SOME ? p->depth - k : SOME;
        int row = 0;
        for (int t = 0; t < tiles; t++) {
            const int rows = t < larger ? least + 1 : least;
            float *tile = out + (int64_t)row * p->depth + k * rows;
            const float *a = p->a + row + k * p->a_step;
            switch (rows) {
#define PACK_CASE(n) \
    case n: \
        pack_tile(tile, a, p->a_step, depth, n); \
        break;
                TILE_CASES(PACK_CASE)
            }
            row += rows;
        }
    }
    p->a = out;
    p->a_step = 0;
}

INLINE void pack_columns(float *out, const float *b, int64_t b_row, int columns, int depth, const int width)
{
    if (columns == width) {
        for (int k = 0; k < depth; k++)
            memcpy(out + (int64_t)k * width, b + k * b_row, (size_t)width * sizeof *out);
        return;
    }
    for (int k = 0; k < depth; k++)
        for (int j = 0; j < width; j++)
            out[(int64_t)k * width + j] = j < columns ? b[k * b_row + j] : 0.0f;
}

static void pack_right(float *out, const float *b, int64_t b_row, int columns, bool is_narrow, int depth)
{
    if (is_narrow)
        pack_columns(out, b, b_row, columns, depth, PANEL_WIDTH / 2);
    else
        pack_columns(out, b, b_row, columns, depth, PANEL_WIDTH);
}

/* [4][GROUP] of out from [GROUP][4] of in, rows in_row apart; out_row a constant. */
typedef float four_t __attribute__((vector_size(16), aligned(4), may_alias));

#if LANES >= 8
#define GROUP 8
typedef float eight_t __attribute__((vector_size(32), aligned(4), may_alias));

INLINE eight_t rows_of(const float *in, int64_t in_row)
{
    return __builtin_shufflevector(*(const four_t *)in, *(const four_t *)(in + 4 * in_row), 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE void transpose(float *out, const int64_t out_row, const float *in, int64_t in_row)
{
    const eight_t a = rows_of(in, in_row), b = rows_of(in + in_row, in_row), c = rows_of(in + 2 * in_row, in_row),
                  d = rows_of(in + 3 * in_row, in_row);
    const eight_t ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13),
                  cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
    const eight_t more_ab = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15),
                  more_cd = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
    *(eight_t *)out = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13);
    *(eight_t *)(out + out_row) = __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
    *(eight_t *)(out + 2 * out_row) = __builtin_shufflevector(more_ab, more_cd, 0, 1, 8, 9, 4, 5, 12, 13);
    *(eight_t *)(out + 3 * out_row) = __builtin_shufflevector(more_ab, more_cd, 2, 3, 10, 11, 6, 7, 14, 15);
}
#else
#define GROUP 4
INLINE void transpose(float *out, const int64_t out_row, const float *in, int64_t in_row)
{
    const four_t a = *(const four_t *)in, b = *(const four_t *)(in + in_row), c = *(const four_t *)(in + 2 * in_row),
                 d = *(const four_t *)(in + 3 * in_row);
    const four_t ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const four_t more_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), more_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(four_t *)out = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(four_t *)(out + out_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(four_t *)(out + 2 * out_row) = __builtin_shufflevector(more_ab, more_cd, 0, 1, 4, 5);
    *(four_t *)(out + 3 * out_row) = __builtin_shufflevector(more_ab, more_cd, 2, 3, 6, 7);
}
#endif

/* Some of the depth at a time, which stay in the first-level cache until all columns are there. */
INLINE void pack_rows(float *out, const float *b, int columns, int depth, const int width)
{
    enum { SOME = 16 };
    if (columns < width)
        memset(out, 0, (size_t)width * (size_t)depth * sizeof *out);
    for (int first = 0; first < depth; first += SOME) {
        const int end = first + SOME < depth ? first + SOME : depth;
        for (int j = 0; j < columns; j += GROUP) {
            const float *from = b + (int64_t)j * depth + first;
            float *to = out + (int64_t)first * width + j;
            if (j + GROUP <= columns && first + SOME <= depth) {
#pragma GCC unroll 4
                for (int k = 0; k < SOME; k += 4)
                    transpose(to + k * width, width, from + k, depth);
                continue;
            }
            for (int k = 0; k < end - first; k++)
                for (int i = 0; i < GROUP && j + i < columns; i++)
                    to[k * width + i] = from[(int64_t)i * depth + k];
        }
    }
}

static void pack_transposed(float *out, const float *b, int columns, bool is_narrow, int depth)
{
    if (is_narrow)
        pack_rows(out, b, columns, depth, PANEL_WIDTH / 2);
    else
        pack_rows(out, b, columns, depth, PANEL_WIDTH);
}

#define PRODUCT_KERNEL(name) \
    const product_kernel_t product_##name = {#name,     PRODUCT_OWN #name, PANEL_WIDTH, TILE_ROWS,      is_here, \
                                             run_panel, pack_left,         pack_right,  pack_transposed}
