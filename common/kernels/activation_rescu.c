/* RESCU, gSmeLU with more pieces: the slope is given at knots x_1 < ... < x_n, linear between two of them and constant outside,
 * so f consists of parabolas between straight ends, with a continuous slope. Knots are in units of beta: f(x) = beta f_1(x /
 * beta).
 *
 * Each piece is f(x) = v + u (s + m u) with u = x - knot to its left (the left end takes the first knot); which piece an
 * element is in is found by going through the knots, a register of elements at a time. With knots [-1, 1] and slopes [0, 1] it
 * is SmeLU. */
#include <string.h>

#include "common/base/status.h"
#include "common/base/vectors.h"
#include "common/kernels/activation_loop.h"

/* Functions of this file hand groups to each other, also where the processor has no register as wide. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define KNOTS_MAX 64 /* no list of a configuration is longer */

typedef struct piece {
    float start, value, slope, half_bend; /* knot, v, s, m */
} piece_t;

typedef struct parabola_pieces {
    int count;
    piece_t at[KNOTS_MAX + 1];
} parabola_pieces_t;

static void prepare(const activation_shape_t *shape, parabola_pieces_t *pieces)
{
    const int n = shape->knots;
    ASSERT(n >= 1 && n <= KNOTS_MAX);
    const double beta = shape->beta;
    double value = shape->rise * beta;
    pieces->count = n + 1;
    pieces->at[0] = (piece_t){(float)(shape->knot[0] * beta), (float)value, (float)shape->slope[0], 0.0f};
    for (int i = 0; i < n; i++) {
        const double width = i + 1 < n ? (shape->knot[i + 1] - shape->knot[i]) * beta : 0.0;
        const double half_bend = i + 1 < n ? (shape->slope[i + 1] - shape->slope[i]) / (2.0 * width) : 0.0;
        pieces->at[i + 1] = (piece_t){(float)(shape->knot[i] * beta), (float)value, (float)shape->slope[i], (float)half_bend};
        value += width * (shape->slope[i] + half_bend * width);
    }
}

#define GROUP_BYTES VECTOR_BYTES
#define GROUPED(name) built_##name
#include "common/kernels/rescu_group.h"

#if HAS_WIDE
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define GROUP_BYTES 64
#define GROUPED(name) wide_##name
#include "common/kernels/rescu_group.h"
#pragma GCC pop_options
#define CHOOSE(verb) (__builtin_cpu_supports("x86-64-v4") ? wide_##verb : built_##verb)
#else
#define CHOOSE(verb) built_##verb
#endif

static void forward(float *y, const float *x, int64_t n, const activation_shape_t *shape)
{
    parabola_pieces_t pieces;
    prepare(shape, &pieces);
    CHOOSE(forward)(y, x, n, &pieces, (float)shape->clip);
}

static void backward(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape)
{
    parabola_pieces_t pieces;
    prepare(shape, &pieces);
    CHOOSE(backward)(dx, dy, x, n, &pieces, (float)shape->clip);
}

/* The integral of the slope from the first knot to x, piece by piece. */
static void exact(double x, const activation_shape_t *shape, double *value, double *slope)
{
    const double beta = shape->beta, first = shape->knot[0] * beta;
    *value = shape->rise * beta + (x < first ? shape->slope[0] * (x - first) : 0.0);
    *slope = shape->slope[0];
    for (int i = 0; i < shape->knots; i++) {
        const double from = shape->knot[i] * beta, to = i + 1 < shape->knots ? shape->knot[i + 1] * beta : x;
        const double end = x < to ? x : to;
        if (x < from)
            break;
        *slope = shape->slope[i];
        if (i + 1 < shape->knots)
            *slope += (shape->slope[i + 1] - shape->slope[i]) * (end - from) / (to - from);
        *value += 0.5 * (shape->slope[i] + *slope) * (end - from);
    }
}

const activation_t activation_rescu = {"rescu", BETA_WIDTH, forward, backward, exact, NULL};
