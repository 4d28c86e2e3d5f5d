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

#define GROUP (VECTOR_BYTES / (int)sizeof(float)) /* elements that go through the knots together: a register */
#define KNOTS_MAX 64                              /* no list of a configuration is longer */

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

typedef float floats_t __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t bits_t __attribute__((vector_size(VECTOR_BYTES)));

/* a where the mask is set, else b: written with bits, because a conditional in a loop over knots becomes a branch. */
static inline floats_t choose(bits_t mask, floats_t a, floats_t b)
{
    return (floats_t)((mask & (bits_t)a) | (~mask & (bits_t)b));
}

typedef struct knot_group {
    floats_t value, slope;
} knot_group_t;

static inline knot_group_t evaluate(floats_t x, const parabola_pieces_t *pieces)
{
    floats_t start = pieces->at[0].start - (floats_t){0}, value = pieces->at[0].value - (floats_t){0};
    floats_t slope = pieces->at[0].slope - (floats_t){0}, half_bend = {0};
    for (int i = 1; i < pieces->count; i++) {
        const floats_t all = {0};
        const piece_t piece = pieces->at[i];
        const bits_t past = x >= piece.start;
        start = choose(past, piece.start - all, start);
        value = choose(past, piece.value - all, value);
        slope = choose(past, piece.slope - all, slope);
        half_bend = choose(past, piece.half_bend - all, half_bend);
    }
    const floats_t u = x - start, bent = half_bend * u;
    return (knot_group_t){value + u * (slope + bent), slope + (bent + bent)};
}

/* The last group may be short: what is beyond it is computed from zeros and dropped. */
static inline floats_t load(const float *at, int64_t left)
{
    floats_t group = {0};
    if (left >= GROUP)
        memcpy(&group, at, sizeof group);
    else
        memcpy(&group, at, (size_t)left * sizeof *at);
    return group;
}

static inline void store(float *at, floats_t group, int64_t left)
{
    if (left >= GROUP)
        memcpy(at, &group, sizeof group);
    else
        memcpy(at, &group, (size_t)left * sizeof *at);
}

WIDE static void forward(float *y, const float *x, int64_t n, const activation_shape_t *shape)
{
    parabola_pieces_t pieces;
    prepare(shape, &pieces);
    const floats_t clip = (float)shape->clip - (floats_t){0};
    for (int64_t i = 0; i < n; i += GROUP) {
        floats_t f = evaluate(load(x + i, n - i), &pieces).value;
        f = choose(f > clip, clip, f);
        store(y + i, choose(f < -clip, -clip, f), n - i);
    }
}

WIDE static void backward(float *dx, const float *dy, const float *x, int64_t n, const activation_shape_t *shape)
{
    parabola_pieces_t pieces;
    prepare(shape, &pieces);
    const floats_t clip = (float)shape->clip - (floats_t){0}, zero = {0};
    for (int64_t i = 0; i < n; i += GROUP) {
        const knot_group_t f = evaluate(load(x + i, n - i), &pieces);
        const bits_t clipped = (f.value >= clip) | (f.value <= -clip);
        store(dx + i, choose(clipped, zero, load(dy + i, n - i) * f.slope), n - i);
    }
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
