#include "common/kernels/ref.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/norm.h"
#include "common/math/real.h"

void ref_gemm_forward(double *a, const double *x, const double *w, int rows, int in, int out)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < out; j++) {
            a[r * out + j] = 0.0;
            for (int i = 0; i < in; i++)
                a[r * out + j] += x[r * in + i] * w[j * in + i];
        }
}

void ref_gemm_input_gradient(double *dx, const double *da, const double *w, int rows, int in, int out)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < in; i++) {
            dx[r * in + i] = 0.0;
            for (int j = 0; j < out; j++)
                dx[r * in + i] += da[r * out + j] * w[j * in + i];
        }
}

void ref_gemm_weight_gradient(double *dw, const double *da, const double *x, int rows, int in, int out)
{
    for (int j = 0; j < out; j++)
        for (int i = 0; i < in; i++) {
            dw[j * in + i] = 0.0;
            for (int r = 0; r < rows; r++)
                dw[j * in + i] += da[r * out + j] * x[r * in + i];
        }
}

void ref_linear_forward(double *z, const double *x, const double *w, double bias, int rows, int columns)
{
    for (int r = 0; r < rows; r++) {
        z[r] = bias;
        for (int i = 0; i < columns; i++)
            z[r] += x[r * columns + i] * w[i];
    }
}

void ref_linear_backward(double *dw, double *dbias, double *dx, const double *dz, const double *x, const double *w, int rows,
                         int columns)
{
    *dbias = 0.0;
    for (int i = 0; i < columns; i++)
        dw[i] = 0.0;
    for (int r = 0; r < rows; r++) {
        *dbias += dz[r];
        for (int i = 0; i < columns; i++) {
            dw[i] += dz[r] * x[r * columns + i];
            dx[r * columns + i] = dz[r] * w[i];
        }
    }
}

/* Element d of the vector of field or number i of an example. */
static double fm_element(const double *row, const double *v, int i, int d, int fields, int dim)
{
    return i < fields ? row[i * dim + d] : row[fields * dim + i - fields] * v[(i - fields) * dim + d];
}

void ref_fm_forward(double *z, const double *x, const double *v, int rows, int fields, int dim, int numeric)
{
    for (int r = 0; r < rows; r++) {
        const double *row = x + r * (fields * dim + numeric);
        z[r] = 0.0;
        for (int j = 0; j < fields + numeric; j++)
            for (int i = 0; i < j; i++)
                for (int d = 0; d < dim; d++)
                    z[r] += fm_element(row, v, i, d, fields, dim) * fm_element(row, v, j, d, fields, dim);
    }
}

void ref_fm_backward(double *dv, double *dx, const double *dz, const double *x, const double *v, int rows, int fields, int dim,
                     int numeric)
{
    const int columns = fields * dim + numeric;
    for (int i = 0; i < numeric * dim; i++)
        dv[i] = 0.0;
    for (int i = 0; i < rows * columns; i++)
        dx[i] = 0.0;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < fields + numeric; j++)
            for (int d = 0; d < dim; d++) {
                const double *row = x + r * columns;
                double others = 0.0;
                for (int i = 0; i < fields + numeric; i++)
                    others += i == j ? 0.0 : fm_element(row, v, i, d, fields, dim);
                if (j < fields) {
                    dx[r * columns + j * dim + d] += dz[r] * others;
                } else {
                    dx[r * columns + fields * dim + j - fields] += dz[r] * others * v[(j - fields) * dim + d];
                    dv[(j - fields) * dim + d] += dz[r] * others * row[fields * dim + j - fields];
                }
            }
}

void ref_cross_forward(double *y, const double *x0, const double *x, const double *w, const double *b, int rows, int width)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < width; i++) {
            double a = b[i];
            for (int j = 0; j < width; j++)
                a += w[i * width + j] * x[r * width + j];
            y[r * width + i] = x0[r * width + i] * a + x[r * width + i];
        }
}

void ref_cross_backward(double *dx0, double *dx, double *dw, double *db, const double *dy, const double *x0, const double *x,
                        const double *w, const double *b, int rows, int width)
{
    for (int i = 0; i < width * width; i++)
        dw[i] = 0.0;
    for (int i = 0; i < width; i++)
        db[i] = 0.0;
    for (int i = 0; i < rows * width; i++)
        dx[i] = dy[i];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < width; i++) {
            const int at = r * width + i;
            double a = b[i];
            for (int j = 0; j < width; j++)
                a += w[i * width + j] * x[r * width + j];
            dx0[at] = dy[at] * a;
            db[i] += dy[at] * x0[at];
            for (int j = 0; j < width; j++) {
                dw[i * width + j] += dy[at] * x0[at] * x[r * width + j];
                dx[r * width + j] += dy[at] * x0[at] * w[i * width + j];
            }
        }
}

void ref_activate(double *y, double *slope, double x, const activation_t *function, const activation_shape_t *shape)
{
    function->exact(x, shape, y, slope);
    if (fabs(*y) >= shape->clip) {
        *y = *y > 0.0 ? shape->clip : -shape->clip;
        *slope = 0.0;
    }
}

void ref_gsmelu_gradient(double d[5], double x, const activation_shape_t *shape)
{
    const double alpha = shape->alpha, beta = shape->beta, left = shape->left, right = shape->right;
    const double w = alpha + beta, s = x + alpha;
    d[GSMELU_LEVEL] = 1.0;
    if (x <= -alpha) { /* y = t + g- (x + alpha) */
        d[GSMELU_ALPHA] = left;
        d[GSMELU_BETA] = 0.0;
        d[GSMELU_LEFT] = s;
        d[GSMELU_RIGHT] = 0.0;
    } else if (x < beta) { /* y = t + g- s + (g+ - g-) s^2 / (2 w) */
        d[GSMELU_ALPHA] = left + (right - left) * (s / w - s * s / (2.0 * w * w));
        d[GSMELU_BETA] = -(right - left) * s * s / (2.0 * w * w);
        d[GSMELU_LEFT] = s - s * s / (2.0 * w);
        d[GSMELU_RIGHT] = s * s / (2.0 * w);
    } else { /* y = t + (g- + g+) w / 2 + g+ (x - beta) */
        d[GSMELU_ALPHA] = (left + right) / 2.0;
        d[GSMELU_BETA] = (left - right) / 2.0;
        d[GSMELU_LEFT] = w / 2.0;
        d[GSMELU_RIGHT] = w / 2.0 + x - beta;
    }
}

static void moments(const double *x, int n, double *mean, double *rstd)
{
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *rstd = 1.0 / sqrt(squares / n + (double)NORM_LAYER_EPSILON);
}

void ref_norm_layer_forward(double *y, const double *x, const double *gain, const double *shift, int n)
{
    double mean, rstd;
    moments(x, n, &mean, &rstd);
    for (int i = 0; i < n; i++)
        y[i] = (gain ? gain[i] : 1.0) * ((x[i] - mean) * rstd) + (shift ? shift[i] : 0.0);
}

void ref_norm_layer_backward(double *dx, double *dgain, double *dshift, const double *dy, const double *x, const double *gain,
                             int n)
{
    /* dx_k = sum_i d_i dxhat_i/dx_k with dxhat_i/dx_k = rstd ((i == k) - 1/n - xhat_i xhat_k / n), term by term. */
    double mean, rstd;
    moments(x, n, &mean, &rstd);
    for (int k = 0; k < n; k++) {
        double xhat_k = (x[k] - mean) * rstd;
        dx[k] = 0.0;
        for (int i = 0; i < n; i++) {
            double xhat_i = (x[i] - mean) * rstd, d = dy[i] * (gain ? gain[i] : 1.0);
            dx[k] += d * rstd * ((i == k) - 1.0 / n - xhat_i * xhat_k / n);
        }
        if (gain) {
            dgain[k] = dy[k] * xhat_k;
            dshift[k] = dy[k];
        }
    }
}

static double norm_of_order(const double *w, int n, double p)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++)
        sum += real_pow(fabs(w[i]), p);
    return real_pow(sum, 1.0 / p);
}

void ref_norm_weight_forward(double *used, const double *w, int n, double v, double p)
{
    double norm = norm_of_order(w, n, p);
    for (int i = 0; i < n; i++)
        used[i] = v * w[i] / norm;
}

void ref_norm_weight_backward(double *dw, const double *dused, const double *w, int n, double v, double p)
{
    /* dw_k = sum_i d_i v ((i == k) / a - w_i / a^2 da/dw_k),  da/dw_k = sign(w_k) (|w_k| / a)^(p-1), term by term. */
    double norm = norm_of_order(w, n, p);
    for (int k = 0; k < n; k++) {
        double dnorm = copysign(real_pow(fabs(w[k]) / norm, p - 1.0), w[k]);
        dw[k] = 0.0;
        for (int i = 0; i < n; i++)
            dw[k] += dused[i] * v * ((i == k) / norm - w[i] / (norm * norm) * dnorm);
    }
}

double ref_probability(double z)
{
    return 1.0 / (1.0 + real_exp(-z));
}

/* ---- the whole network ----------------------------------------------------------------------------------------------- */

typedef struct ref_layer {
    int index, in, out; /* its activation is that of activated layer index + 1 */
    bool hidden;
    const double *w, *b, *gain, *shift; /* gain and shift NULL unless affine and hidden */
    double *used;                       /* [out][in] */
    double *raw;                        /* [rows][out] before the norm */
    double *pre;                        /* [rows][out] after it */
    double *activated, *slope;          /* [rows][out] of pre */
    double *d;                          /* [rows][out] gradient of activated, then of raw */
} ref_layer_t;

static bool is_affine(const ref_network_t *net, int l)
{
    return net->layer_norm && net->affine && l < net->layers - 1;
}

int64_t ref_network_parameters(const ref_network_t *net)
{
    int64_t n = net->set_parameters;
    for (int l = 0; l < net->layers; l++)
        n += (int64_t)net->widths[l] * net->widths[l + 1] + (is_affine(net, l) ? 3 : 1) * net->widths[l + 1];
    return n;
}

static void open_layer(const ref_network_t *net, int l, const double **parameters, int rows, ref_layer_t *layer)
{
    layer->index = l;
    layer->in = net->widths[l];
    layer->out = net->widths[l + 1];
    layer->hidden = l < net->layers - 1;
    layer->w = *parameters;
    layer->b = layer->w + layer->in * layer->out;
    *parameters = layer->b + layer->out;
    if (is_affine(net, l)) {
        layer->gain = *parameters;
        layer->shift = layer->gain + layer->out;
        *parameters = layer->shift + layer->out;
    }
    layer->used = MEM_ARRAY(double, layer->in * layer->out);
    for (int i = 0; i < layer->in * layer->out; i++)
        layer->used[i] = layer->w[i];
    for (int j = 0; net->weight_norm > 0.0 && j < layer->out; j++)
        ref_norm_weight_forward(layer->used + j * layer->in, layer->w + j * layer->in, layer->in, net->weight_norm,
                                net->weight_norm_p);
    layer->raw = MEM_ARRAY(double, rows * layer->out);
    layer->pre = MEM_ARRAY(double, rows * layer->out);
    layer->activated = MEM_ARRAY(double, rows * layer->out);
    layer->slope = MEM_ARRAY(double, rows * layer->out);
    layer->d = MEM_ARRAY(double, rows * layer->out);
}

static void close_layer(ref_layer_t *layer)
{
    mem_free(layer->used);
    mem_free(layer->raw);
    mem_free(layer->pre);
    mem_free(layer->activated);
    mem_free(layer->slope);
    mem_free(layer->d);
}

/* The shape of unit j behind activated layer l, with its learned numbers where there are any. */
static activation_shape_t shape_of(const ref_network_t *net, int l, int j, const double *parameters)
{
    activation_shape_t shape = net->shapes[l];
    const int units = net->set_units[l];
    if (units) {
        const double *number = parameters + net->set[l] + (units > 1 ? j : 0);
        shape.alpha = number[GSMELU_ALPHA * units];
        shape.beta = number[GSMELU_BETA * units];
        shape.left = number[GSMELU_LEFT * units];
        shape.right = number[GSMELU_RIGHT * units];
        shape.level = number[GSMELU_LEVEL * units];
    }
    return shape;
}

static void activate(const ref_network_t *net, int l, int j, const double *parameters, double *y, double *slope, double x)
{
    const activation_shape_t shape = shape_of(net, l, j, parameters);
    ref_activate(y, slope, x, net->functions[l], &shape);
}

/* dy is the gradient of the activated value of x. */
static void add_set_gradient(const ref_network_t *net, int l, int j, const double *parameters, double *dparameters, double x,
                             double dy)
{
    const int units = net->set_units[l];
    double value, slope, d[GSMELU_NUMBERS];
    if (!units)
        return;
    const activation_shape_t shape = shape_of(net, l, j, parameters);
    net->functions[l]->exact(x, &shape, &value, &slope);
    ref_gsmelu_gradient(d, x, &shape);
    for (int k = 0; k < GSMELU_NUMBERS && fabs(value) < shape.clip; k++)
        dparameters[net->set[l] + k * units + (units > 1 ? j : 0)] += dy * d[k];
}

static void run_forward(const ref_network_t *net, ref_layer_t *layer, const double *below, const double *parameters, int rows)
{
    const int out = layer->out;
    ref_gemm_forward(layer->raw, below, layer->used, rows, layer->in, out);
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < out; j++)
            layer->pre[r * out + j] = layer->raw[r * out + j] += layer->b[j];
        if (net->layer_norm && layer->hidden)
            ref_norm_layer_forward(layer->pre + r * out, layer->raw + r * out, layer->gain, layer->shift, out);
    }
    for (int i = 0; layer->hidden && i < rows * out; i++)
        activate(net, layer->index + 1, i % out, parameters, &layer->activated[i], &layer->slope[i], layer->pre[i]);
}

/* d holds the gradient of the layer's output; gradients go to the layer's place in dparameters, those of a learned gSmeLU to
 * its set's. */
static void run_backward(const ref_network_t *net, ref_layer_t *layer, const double *below, const double *parameters,
                         double *dparameters, int rows)
{
    const int out = layer->out;
    double *dw = dparameters + (layer->w - parameters), *db = dw + layer->in * out, *dgain = db + out, *dshift = dgain + out;
    double *row_dx = MEM_ARRAY(double, out), *row_dgain = MEM_ARRAY(double, out), *row_dshift = MEM_ARRAY(double, out);
    for (int j = 0; j < out; j++) {
        db[j] = 0.0;
        if (layer->gain)
            dgain[j] = dshift[j] = 0.0;
    }
    for (int r = 0; r < rows; r++) {
        double *d = layer->d + r * out;
        for (int j = 0; layer->hidden && j < out; j++) {
            add_set_gradient(net, layer->index + 1, j, parameters, dparameters, layer->pre[r * out + j], d[j]);
            d[j] *= layer->slope[r * out + j];
        }
        if (net->layer_norm && layer->hidden) {
            ref_norm_layer_backward(row_dx, row_dgain, row_dshift, d, layer->raw + r * out, layer->gain, out);
            for (int j = 0; j < out; j++) {
                d[j] = row_dx[j];
                if (layer->gain) {
                    dgain[j] += row_dgain[j];
                    dshift[j] += row_dshift[j];
                }
            }
        }
        for (int j = 0; j < out; j++)
            db[j] += d[j];
    }
    double *dused = MEM_ARRAY(double, layer->in *out);
    ref_gemm_weight_gradient(dused, layer->d, below, rows, layer->in, out);
    for (int i = 0; i < layer->in * out; i++)
        dw[i] = dused[i];
    for (int j = 0; net->weight_norm > 0.0 && j < out; j++)
        ref_norm_weight_backward(dw + j * layer->in, dused + j * layer->in, layer->w + j * layer->in, layer->in,
                                 net->weight_norm, net->weight_norm_p);
    mem_free(dused);
    mem_free(row_dx);
    mem_free(row_dgain);
    mem_free(row_dshift);
}

void ref_network_run(const ref_network_t *net, const double *parameters, const double *x, int rows, double *logits,
                     const double *dlogits, double *dparameters, double *dx)
{
    ASSERT(net->layers >= 1 && net->widths[net->layers] == 1);
    const int inputs = net->widths[0];
    double *input = MEM_ARRAY(double, rows *inputs), *input_slope = MEM_ARRAY(double, rows *inputs);
    for (int i = 0; i < rows * inputs; i++) {
        input[i] = x[i];
        input_slope[i] = 1.0;
        if (net->activate_inputs)
            activate(net, 0, i % inputs, parameters, &input[i], &input_slope[i], x[i]);
    }

    ref_layer_t *layers = MEM_ARRAY(ref_layer_t, net->layers);
    const double *next = parameters + net->set_parameters;
    for (int l = 0; l < net->layers; l++) {
        open_layer(net, l, &next, rows, &layers[l]);
        run_forward(net, &layers[l], l > 0 ? layers[l - 1].activated : input, parameters, rows);
    }
    for (int r = 0; r < rows; r++)
        logits[r] = layers[net->layers - 1].pre[r];

    if (dlogits) {
        for (int r = 0; r < rows; r++)
            layers[net->layers - 1].d[r] = dlogits[r];
        for (int64_t i = 0; i < net->set_parameters; i++)
            dparameters[i] = 0.0;
        double *dinput = MEM_ARRAY(double, rows *inputs);
        for (int l = net->layers - 1; l >= 0; l--) {
            const double *below = l > 0 ? layers[l - 1].activated : input;
            run_backward(net, &layers[l], below, parameters, dparameters, rows);
            ref_gemm_input_gradient(l > 0 ? layers[l - 1].d : dinput, layers[l].d, layers[l].used, rows, layers[l].in,
                                    layers[l].out);
        }
        for (int i = 0; i < rows * inputs; i++) {
            if (net->activate_inputs)
                add_set_gradient(net, 0, i % inputs, parameters, dparameters, x[i], dinput[i]);
            if (dx)
                dx[i] = dinput[i] * input_slope[i];
        }
        mem_free(dinput);
    }
    for (int l = 0; l < net->layers; l++)
        close_layer(&layers[l]);
    mem_free(layers);
    mem_free(input);
    mem_free(input_slope);
}
