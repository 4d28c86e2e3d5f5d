/* The right side of a product is read in panels, [panel][depth][width], of which the last may be narrow; what is behind its
 * last column is 0. The left side is read where it is by rows, and packed by tiles where it is read by columns.
 *
 *     forward          x        by rows       w^T, packed when the weights have changed     depth in
 *     input gradient   da       by rows       w, the same                                   depth out
 *     weight gradient  da^T     by columns    x, panel by panel                             depth rows
 *
 * Depth and rows are cut, so that a piece of the left side stays in the second-level cache while all panels go over it, and a
 * panel's piece in the first-level cache. */
#include "common/products/matrix.h"

#include "common/base/memory.h"
#include "common/products/gemm.h"

#define DEPTH_MOST 512 /* of a piece */
#define ROWS_MOST 240

#define COLUMNS_DEPTH_MOST 256 /* of a piece of a product by columns */
#define COLUMNS_ROWS_MOST 512

#define LOW_TILES 4 /* a product by columns of no more tiles than these packs as little as it can */

struct matrix {
    const product_kernel_t *kernel;
    int in, out;
    const float *w;
    float *forward, *backward; /* panels, allocated by the first use, as is the next */
    float *pieces;             /* of both sides of a weight gradient */
    bool has_forward, has_backward;
};

matrix_t *matrix_create(const product_kernel_t *kernel, int in, int out)
{
    matrix_t *m = MEM_NEW(matrix_t);
    *m = (matrix_t){.kernel = kernel, .in = in, .out = out};
    return m;
}

void matrix_destroy(matrix_t **matrix)
{
    matrix_t *m = *matrix;
    if (!m)
        return;
    mem_free(m->forward);
    mem_free(m->backward);
    mem_free(m->pieces);
    mem_free(m);
    *matrix = NULL;
}

void matrix_set(matrix_t *m, const float *w)
{
    m->w = w;
    m->has_forward = m->has_backward = false;
}

/* ---- panels ---------------------------------------------------------------------------------------------------------- */

/* Columns of the panel at column `at` of a matrix with `columns`. */
static int panel_width(const product_kernel_t *kernel, int columns, int at)
{
    return columns - at <= kernel->width / 2 ? kernel->width / 2 : kernel->width;
}

static float *panels_create(const product_kernel_t *kernel, int columns, int64_t depth)
{
    return MEM_ARRAY(float, depth *(columns + kernel->width));
}

/* All panels of b [depth][columns], or, where is_transposed, of its transpose: then b is [columns][depth]. */
static void pack(const product_kernel_t *kernel, float *out, const float *b, int columns, int depth, bool is_transposed)
{
    for (int at = 0; at < columns; at += kernel->width) {
        const int width = panel_width(kernel, columns, at), n = columns - at < width ? columns - at : width;
        if (is_transposed)
            kernel->pack_transposed(out, b + (int64_t)at * depth, n, width < kernel->width, depth);
        else
            kernel->pack_right(out, b + at, columns, n, width < kernel->width, depth);
        out += (int64_t)width * depth;
    }
}

/* ---- products -------------------------------------------------------------------------------------------------------- */

/* Pieces of at most `most`, as equal as can be: the size of each but perhaps the last. */
static int piece(int n, int most)
{
    const int pieces = (n + most - 1) / most;
    return (n + pieces - 1) / pieces;
}

/* The piece of `all` from row and depth k on; its left side is where it is. */
static product_panel_t piece_of(const product_panel_t *all, int row, int rows, int k, int depth)
{
    product_panel_t p = *all;
    p.rows = all->rows - row < rows ? all->rows - row : rows;
    p.depth = all->depth - k < depth ? all->depth - k : depth;
    p.c = all->c + row * all->c_row;
    p.start = k ? p.c : all->start ? all->start + row * all->start_row : NULL;
    p.start_row = k ? all->c_row : all->start_row;
    p.a = all->by_rows ? all->a + row * all->a_row + k : all->a + row + k * all->a_step;
    return p;
}

static void set_panel(const product_kernel_t *kernel, product_panel_t *p, const product_panel_t *piece, int columns, int at)
{
    const int width = panel_width(kernel, columns, at);
    p->columns = columns - at < width ? columns - at : width;
    p->is_narrow = width < kernel->width;
    p->b_step = width;
    p->c = piece->c + at;
    p->start = piece->start ? piece->start + at : NULL;
}

/* a by rows, b in panels of the whole depth. */
static void multiply_by_rows(const product_kernel_t *kernel, const product_panel_t *all)
{
    const int depth = piece(all->depth, DEPTH_MOST), rows = piece(all->rows, ROWS_MOST);
    for (int row = 0; row < all->rows; row += rows)
        for (int k = 0; k < all->depth; k += depth) {
            const product_panel_t part = piece_of(all, row, rows, k, depth);
            product_panel_t p = part;
            const float *panel = all->b;
            for (int at = 0; at < all->columns; at += kernel->width) {
                set_panel(kernel, &p, &part, all->columns, at);
                p.b = panel + k * p.b_step;
                kernel->panel(&p);
                panel += all->depth * p.b_step;
            }
        }
}

/* a by columns, b as it is. */
static void multiply_by_columns(const product_kernel_t *kernel, const product_panel_t *all, float *scratch)
{
    const bool is_low = all->rows <= LOW_TILES * kernel->rows;
    const int depth = piece(all->depth, COLUMNS_DEPTH_MOST), rows = piece(all->rows, COLUMNS_ROWS_MOST);
    float *left = scratch, *right = scratch + (int64_t)rows * depth;
    for (int k = 0; k < all->depth; k += depth)
        for (int row = 0; row < all->rows; row += rows) {
            product_panel_t part = piece_of(all, row, rows, k, depth);
            if (!is_low)
                kernel->pack_left(left, &part);
            product_panel_t p = part;
            for (int at = 0; at < all->columns; at += kernel->width) {
                set_panel(kernel, &p, &part, all->columns, at);
                const float *b = all->b + (int64_t)k * all->columns + at;
                if (is_low && p.columns == p.b_step) {
                    p.b = b;
                    p.b_step = all->columns;
                } else {
                    kernel->pack_right(right, b, all->columns, p.columns, p.is_narrow, p.depth);
                    p.b = right;
                }
                kernel->panel(&p);
            }
        }
}

void matrix_forward(matrix_t *m, float *a, const float *x, const float *bias, int rows)
{
    if (!m->kernel) {
        ASSERT(!bias);
        gemm_forward(a, x, m->w, rows, m->in, m->out);
        return;
    }
    if (!m->forward)
        m->forward = panels_create(m->kernel, m->out, m->in);
    if (!m->has_forward)
        pack(m->kernel, m->forward, m->w, m->out, m->in, true);
    m->has_forward = true;
    const product_panel_t all = {.c = a,
                                 .c_row = m->out,
                                 .start = bias,
                                 .a = x,
                                 .a_row = m->in,
                                 .by_rows = true,
                                 .b = m->forward,
                                 .rows = rows,
                                 .columns = m->out,
                                 .depth = m->in};
    multiply_by_rows(m->kernel, &all);
}

static void input_gradient(matrix_t *m, float *dx, const float *da, int rows, bool adds)
{
    if (!m->backward)
        m->backward = panels_create(m->kernel, m->in, m->out);
    if (!m->has_backward)
        pack(m->kernel, m->backward, m->w, m->in, m->out, false);
    m->has_backward = true;
    const product_panel_t all = {.c = dx,
                                 .c_row = m->in,
                                 .start = adds ? dx : NULL,
                                 .start_row = m->in,
                                 .a = da,
                                 .a_row = m->out,
                                 .by_rows = true,
                                 .b = m->backward,
                                 .rows = rows,
                                 .columns = m->in,
                                 .depth = m->out};
    multiply_by_rows(m->kernel, &all);
}

void matrix_input_gradient(matrix_t *m, float *dx, const float *da, int rows)
{
    if (m->kernel)
        input_gradient(m, dx, da, rows, false);
    else
        gemm_input_gradient(dx, da, m->w, rows, m->in, m->out);
}

void matrix_add_input_gradient(matrix_t *m, float *dx, const float *da, int rows)
{
    if (m->kernel)
        input_gradient(m, dx, da, rows, true);
    else
        gemm_add_input_gradient(dx, da, m->w, rows, m->in, m->out);
}

void matrix_weight_gradient(matrix_t *m, float *dw, const float *da, const float *x, int rows)
{
    if (!m->kernel) {
        gemm_weight_gradient(dw, da, x, rows, m->in, m->out);
        return;
    }
    if (!m->pieces)
        m->pieces = MEM_ARRAY(
            float, COLUMNS_DEPTH_MOST *((int64_t)(m->out < COLUMNS_ROWS_MOST ? m->out : COLUMNS_ROWS_MOST) + m->kernel->width));
    const product_panel_t all = {
        .c = dw, .c_row = m->in, .a = da, .a_step = m->out, .b = x, .rows = m->out, .columns = m->in, .depth = rows};
    multiply_by_columns(m->kernel, &all, m->pieces);
}
