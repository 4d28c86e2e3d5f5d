/* Points are computed BLOCK at a time, side by side in vectors: every sum over a layer's inputs keeps its order, so
 * that no bit depends on the vectors' width. */
#include "launcher/figures/landscape.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/base/vectors.h"
#include "common/math/real.h"

#define LAYERS 6
#define WIDEST 256
#define LANES (VECTOR_BYTES / (int)sizeof(double)) /* doubles of a vector */
#define VECTORS 8
#define BLOCK (LANES * VECTORS)
#define STEPS_OF_RANGE 1e9 /* of landscape_minima */
#define NORM_EPSILON 1e-12 /* of the variance; below any that occurs */

static const int hidden[LAYERS - 1] = {WIDEST, 128, 64, 32, 16};

typedef double vector_t __attribute__((vector_size(VECTOR_BYTES)));

/* One number of every point of a block. */
typedef union points {
    vector_t v[VECTORS];
    double at[BLOCK];
} points_t;

typedef struct landscape_layer {
    int in, out;
    double *w, *b; /* [out][in], [out] */
} landscape_layer_t;

struct landscape {
    landscape_options_t o;
    landscape_layer_t layer[LAYERS];
    points_t *a, *f; /* [WIDEST] pre-activations and activated values of a block of points */
};

/* Weights and biases of layer l are streams 2 l and 2 l + 1 of the seed. */
static void init_layer(landscape_layer_t *layer, const landscape_options_t *o, int l)
{
    layer->w = MEM_ARRAY(double, layer->out * layer->in);
    layer->b = MEM_ARRAY(double, layer->out);
    for (int64_t i = 0; i < (int64_t)layer->out * layer->in; i++)
        layer->w[i] = o->weight_std * rng_normal(o->seed, (uint64_t)(2 * l), (uint64_t)i);
    for (int j = 0; j < layer->out; j++)
        layer->b[j] = o->bias_std * rng_normal(o->seed, (uint64_t)(2 * l + 1), (uint64_t)j);
    for (int j = 0; j < layer->out && o->norm == LANDSCAPE_WEIGHT_NORM; j++) {
        double *row = layer->w + (int64_t)j * layer->in, squares = 0;
        for (int k = 0; k < layer->in; k++)
            squares += row[k] * row[k];
        for (int k = 0; k < layer->in; k++)
            row[k] /= sqrt(squares);
    }
}

landscape_t *landscape_create(const landscape_options_t *options)
{
    ASSERT(options->inputs == 1 || options->inputs == 2);
    landscape_t *landscape = MEM_NEW(landscape_t);
    landscape->o = *options;
    for (int l = 0; l < LAYERS; l++) {
        landscape_layer_t *layer = &landscape->layer[l];
        layer->in = l ? hidden[l - 1] : options->inputs;
        layer->out = l < LAYERS - 1 ? hidden[l] : 1;
        init_layer(layer, options, l);
    }
    landscape->a = MEM_ARRAY(points_t, WIDEST);
    landscape->f = MEM_ARRAY(points_t, WIDEST);
    return landscape;
}

void landscape_destroy(landscape_t **landscape)
{
    landscape_t *l = *landscape;
    if (!l)
        return;
    for (int i = 0; i < LAYERS; i++) {
        mem_free(l->layer[i].w);
        mem_free(l->layer[i].b);
    }
    mem_free(l->a);
    mem_free(l->f);
    mem_free(l);
    *landscape = NULL;
}

/* a := W f + b for a block. */
static void multiply(const landscape_layer_t *layer, points_t *restrict a, const points_t *restrict f)
{
    for (int j = 0; j < layer->out; j++) {
        const double *w = layer->w + (int64_t)j * layer->in;
        vector_t sum[VECTORS];
        for (int i = 0; i < VECTORS; i++)
            sum[i] = (vector_t){0} + layer->b[j];
        for (int k = 0; k < layer->in; k++)
            for (int i = 0; i < VECTORS; i++)
                sum[i] += w[k] * f[k].v[i];
        memcpy(a[j].v, sum, sizeof sum);
    }
}

/* a := (a - mean) / std over the units of the layer, point by point. */
static void normalise_layer(points_t *a, int units)
{
    for (int p = 0; p < BLOCK; p++) {
        double mean = 0, variance = 0;
        for (int j = 0; j < units; j++)
            mean += a[j].at[p];
        mean /= units;
        for (int j = 0; j < units; j++)
            variance += (a[j].at[p] - mean) * (a[j].at[p] - mean);
        const double scale = 1 / sqrt(variance / units + NORM_EPSILON);
        for (int j = 0; j < units; j++)
            a[j].at[p] = (a[j].at[p] - mean) * scale;
    }
}

static void activate(const landscape_options_t *o, points_t *f, const points_t *a, int units)
{
    const double clip = o->shape->clip;
    for (int j = 0; j < units; j++)
        for (int p = 0; p < BLOCK; p++) {
            double value, slope;
            o->activation(a[j].at[p], o->shape, &value, &slope);
            f[j].at[p] = fmin(fmax(value, -clip), clip);
        }
}

void landscape_score(landscape_t *landscape, double *s, const double *x, int64_t n)
{
    const landscape_options_t *o = &landscape->o;
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int points = n - first < BLOCK ? (int)(n - first) : BLOCK;
        for (int k = 0; k < o->inputs; k++)
            for (int p = 0; p < BLOCK; p++)
                landscape->f[k].at[p] = p < points ? x[(first + p) * o->inputs + k] : 0;
        for (int l = 0; l < LAYERS; l++) {
            const landscape_layer_t *layer = &landscape->layer[l];
            multiply(layer, landscape->a, landscape->f);
            if (l == LAYERS - 1)
                break;
            if (o->norm == LANDSCAPE_LAYER_NORM)
                normalise_layer(landscape->a, layer->out);
            activate(o, landscape->f, landscape->a, layer->out);
        }
        memcpy(s + first, landscape->a[0].at, (size_t)points * sizeof *s);
    }
}

static double softplus(double s)
{
    return (s > 0 ? s : 0) + real_log1p(real_exp(-fabs(s)));
}

double landscape_logistic(double s, double p1)
{
    return p1 * softplus(-s) + (1 - p1) * softplus(s);
}

void landscape_normalise(double *loss, int64_t n)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, loss[i]);
        high = fmax(high, loss[i]);
    }
    for (int64_t i = 0; i < n; i++)
        loss[i] = high > low ? (loss[i] - low) / (high - low) : 0;
}

/* ---- minima ---------------------------------------------------------------------------------------------------------- */

typedef struct loss_grid {
    int rows, columns;
    int64_t *level; /* values in steps */
    bool *seen;
    int64_t *stack;
} loss_grid_t;

/* The plateau around a point: marked as seen. Is it a minimum? */
static bool is_minimum(loss_grid_t *g, int64_t start)
{
    const int64_t level = g->level[start];
    bool minimum = true;
    int64_t depth = 0;
    g->stack[depth++] = start;
    g->seen[start] = true;
    while (depth > 0) {
        const int64_t at = g->stack[--depth];
        const int row = (int)(at / g->columns), column = (int)(at % g->columns);
        for (int r = row - 1; r <= row + 1; r++)
            for (int c = column - 1; c <= column + 1; c++) {
                if (g->rows == 1 && r != row)
                    continue;
                if (r < 0 || r >= g->rows || c < 0 || c >= g->columns) {
                    minimum = false;
                    continue;
                }
                const int64_t next = (int64_t)r * g->columns + c;
                if (g->level[next] < level)
                    minimum = false;
                if (g->level[next] == level && !g->seen[next]) {
                    g->seen[next] = true;
                    g->stack[depth++] = next;
                }
            }
    }
    return minimum;
}

int64_t landscape_minima(const double *loss, int rows, int columns)
{
    const int64_t n = (int64_t)rows * columns;
    loss_grid_t g = {rows, columns, MEM_ARRAY(int64_t, n), MEM_ARRAY(bool, n), MEM_ARRAY(int64_t, n)};
    for (int64_t i = 0; i < n; i++)
        g.level[i] = llrint(loss[i] * STEPS_OF_RANGE);
    int64_t minima = 0;
    for (int64_t i = 0; i < n; i++)
        if (!g.seen[i])
            minima += is_minimum(&g, i);
    mem_free(g.level);
    mem_free(g.seen);
    mem_free(g.stack);
    return minima;
}
