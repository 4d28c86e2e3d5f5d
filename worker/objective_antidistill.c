/* Anti-distillation (Shamir and Coviello 2020; docs/MATH.md eq. 12d to 12f): components are pushed apart by making their
 * outputs uncorrelated over the n examples of a lane. h is a component's logit (width 1) or its last hidden output (width w):
 *
 *     x_ka = (h_ka - mean(h_ka)) / s_ka ;   s_ka = sqrt(var(h_ka) + 1e-6) for correlation, 1 for covariance
 *     C_kj = x_k^T x_j / n                                                        [w][w], over a pair of components
 *     extra = 2 / (K (K-1)) sum_{k<j} |C_kj|^2 / w^2                              the mean of squares, in [0, 1] for
 * correlation
 *
 * With c = 2 / (K (K-1) w^2), the gradient of n extra by h_ka (so that lanes count by their examples):
 *
 *     covariance    2 c sum_j x_j C_kj^T                 (columns of x_j have mean 0, so centring changes nothing)
 *     correlation   the same minus x_ka sum_b C_ab^2, divided by s_ka                                               */
#include <math.h>
#include <string.h>

#include "common/products/matrix.h"
#include "worker/objective.h"

#define VARIANCE_FLOOR 1e-6 /* keeps a unit that is constant over a lane (a dead one) from being divided by zero */

static bool uses_hidden(const config_t *config)
{
    return config->objective.decorrelate == DECORRELATE_HIDDEN;
}

/* The correlation of two examples is 1 or -1 and the covariance of one is 0, whatever the components are: their gradients are 0
 * but for VARIANCE_FLOOR, which multiplies rounding by up to a thousand. */
static int least_rows(const config_t *config)
{
    return config->objective.statistic == STATISTIC_CORRELATION ? 3 : 2;
}

static int width_of(const config_t *config, int hidden_width)
{
    return uses_hidden(config) ? hidden_width : 1;
}

static int64_t scratch_floats(const config_t *config, int lane_rows, int hidden_width)
{
    const int64_t w = width_of(config, hidden_width), k = config->model.components;
    return k * (lane_rows * w + 2 * w) + (int64_t)lane_rows * w + w * w;
}

/* x := standardised (or centred) columns of h [n][w];  inverse [w] := 1 / s. */
static void standardise(float *x, float *inverse, const float *h, int n, int w, bool correlation)
{
    for (int a = 0; a < w; a++) {
        double sum = 0.0, squares = 0.0;
        for (int i = 0; i < n; i++)
            sum += h[(int64_t)i * w + a];
        const double mean = sum / n;
        for (int i = 0; i < n; i++)
            squares += (h[(int64_t)i * w + a] - mean) * (h[(int64_t)i * w + a] - mean);
        const double one_over = correlation ? 1.0 / sqrt(squares / n + VARIANCE_FLOOR) : 1.0;
        inverse[a] = (float)one_over;
        for (int i = 0; i < n; i++)
            x[(int64_t)i * w + a] = (float)((h[(int64_t)i * w + a] - mean) * one_over);
    }
}

static void add_to(float *restrict sum, const float *restrict v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += v[i];
}

static void add(const config_t *config, const objective_lane_t *lane, int hidden_width, float scale, float *scratch,
                matrix_t *matrix)
{
    const int components = (int)config->model.components, n = lane->rows, w = width_of(config, hidden_width);
    const bool hidden = uses_hidden(config), correlation = config->objective.statistic == STATISTIC_CORRELATION;
    const int64_t block = (int64_t)n * w;
    float *x = scratch, *inverse = x + components * block, *squares = inverse + (int64_t)components * w;
    float *product = squares + (int64_t)components * w, *c = product + block;
    float *const *out = hidden ? lane->dhidden : lane->dz;
    memset(squares, 0, (size_t)components * (size_t)w * sizeof *squares);
    for (int k = 0; k < components; k++) {
        standardise(x + k * block, inverse + k * w, hidden ? lane->hidden[k] : lane->z[k], n, w, correlation);
        if (hidden)
            memset(out[k], 0, (size_t)block * sizeof(float));
    }
    const float factor = 4.0f * scale / ((float)(components * (components - 1)) * (float)w * (float)w);
    for (int k = 0; k < components; k++) {
        for (int j = 0; j < components; j++) {
            if (j == k)
                continue;
            matrix_weight_gradient(matrix, c, x + k * block, x + j * block, n);
            for (int64_t e = 0; e < (int64_t)w * w; e++) {
                c[e] /= (float)n;
                squares[k * w + e / w] += c[e] * c[e];
            }
            matrix_set(matrix, c);
            matrix_forward(matrix, product, x + j * block, NULL, n);
            for (int a = 0; a < w; a++)
                for (int i = 0; i < n; i++)
                    product[(int64_t)i * w + a] *= factor * inverse[k * w + a];
            add_to(out[k], product, block);
        }
        for (int i = 0; correlation && i < n; i++)
            for (int a = 0; a < w; a++)
                out[k][(int64_t)i * w + a] -=
                    factor * inverse[k * w + a] * squares[k * w + a] * x[k * block + (int64_t)i * w + a];
    }
}

const objective_kind_entry_t objective_antidistill = {.name = "antidistill",
                                                      .uses_hidden = uses_hidden,
                                                      .least_rows = least_rows,
                                                      .scratch_floats = scratch_floats,
                                                      .matrix_width = width_of,
                                                      .add = add};
