#include "common/kernels/ref.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/kernels/norm.h"

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

void ref_activate(double *y, double *slope, double x, activation_exact_fn *exact, double beta, double clip)
{
    exact(x, beta, y, slope);
    if (fabs(*y) >= clip) {
        *y = *y > 0.0 ? clip : -clip;
        *slope = 0.0;
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
        sum += pow(fabs(w[i]), p);
    return pow(sum, 1.0 / p);
}

void ref_norm_weight_forward(double *used, const double *w, int n, double v, double p)
{
    double norm = norm_of_order(w, n, p);
    for (int i = 0; i < n; i++)
        used[i] = v * w[i] / norm;
}

void ref_norm_weight_backward(double *dw, const double *dused, const double *w, int n, double v, double p)
{
    /* dw_k = sum_i d_i v ((i == k) / N - w_i / N^2 dN/dw_k),  dN/dw_k = sign(w_k) (|w_k| / N)^(p-1), term by term. */
    double norm = norm_of_order(w, n, p);
    for (int k = 0; k < n; k++) {
        double dnorm = copysign(pow(fabs(w[k]) / norm, p - 1.0), w[k]);
        dw[k] = 0.0;
        for (int i = 0; i < n; i++)
            dw[k] += dused[i] * v * ((i == k) / norm - w[i] / (norm * norm) * dnorm);
    }
}

double ref_probability(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

double ref_loss(double z, double y)
{
    return fmax(z, 0.0) - y * z + log1p(exp(-fabs(z)));
}

void ref_adagrad(double *w, double *s, const double *g, int n, double rate, double epsilon)
{
    for (int i = 0; i < n; i++) {
        s[i] += g[i] * g[i];
        w[i] -= rate * g[i] / (sqrt(s[i]) + epsilon);
    }
}

void ref_adagrad_row(double *w, double *s, const double *g, int n, double rate, double epsilon)
{
    double squares = 0.0;
    for (int i = 0; i < n; i++)
        squares += g[i] * g[i];
    s[0] += squares / n;
    for (int i = 0; i < n; i++)
        w[i] -= rate * g[i] / (sqrt(s[0]) + epsilon);
}

void ref_sgd(double *w, const double *g, int n, double rate)
{
    for (int i = 0; i < n; i++)
        w[i] -= rate * g[i];
}

/* ---- the whole network ----------------------------------------------------------------------------------------------- */

typedef struct ref_layer {
    int in, out;
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
    int64_t n = 0;
    for (int l = 0; l < net->layers; l++)
        n += (int64_t)net->widths[l] * net->widths[l + 1] + (is_affine(net, l) ? 3 : 1) * net->widths[l + 1];
    return n;
}

static void open_layer(const ref_network_t *net, int l, const double **parameters, int rows, ref_layer_t *layer)
{
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

static void run_forward(const ref_network_t *net, ref_layer_t *layer, const double *below, int rows)
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
        ref_activate(&layer->activated[i], &layer->slope[i], layer->pre[i], net->exact, net->beta, net->clip);
}

/* d holds the gradient of the layer's output; gradients go to the layer's place in dparameters. */
static void run_backward(const ref_network_t *net, ref_layer_t *layer, const double *below, double *dparameters, int rows)
{
    const int out = layer->out;
    double *dw = dparameters, *db = dw + layer->in * out, *dgain = db + out, *dshift = dgain + out;
    double *row_dx = MEM_ARRAY(double, out), *row_dgain = MEM_ARRAY(double, out), *row_dshift = MEM_ARRAY(double, out);
    for (int j = 0; j < out; j++) {
        db[j] = 0.0;
        if (layer->gain)
            dgain[j] = dshift[j] = 0.0;
    }
    for (int r = 0; r < rows; r++) {
        double *d = layer->d + r * out;
        for (int j = 0; layer->hidden && j < out; j++)
            d[j] *= layer->slope[r * out + j];
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
            ref_activate(&input[i], &input_slope[i], x[i], net->exact, net->beta, net->clip);
    }

    ref_layer_t *layers = MEM_ARRAY(ref_layer_t, net->layers);
    const double *next = parameters;
    for (int l = 0; l < net->layers; l++) {
        open_layer(net, l, &next, rows, &layers[l]);
        run_forward(net, &layers[l], l > 0 ? layers[l - 1].activated : input, rows);
    }
    for (int r = 0; r < rows; r++)
        logits[r] = layers[net->layers - 1].pre[r];

    if (dlogits) {
        for (int r = 0; r < rows; r++)
            layers[net->layers - 1].d[r] = dlogits[r];
        double *dinput = MEM_ARRAY(double, rows *inputs);
        for (int l = net->layers - 1; l >= 0; l--) {
            const double *below = l > 0 ? layers[l - 1].activated : input;
            run_backward(net, &layers[l], below, dparameters + (layers[l].w - parameters), rows);
            ref_gemm_input_gradient(l > 0 ? layers[l - 1].d : dinput, layers[l].d, layers[l].used, rows, layers[l].in,
                                    layers[l].out);
        }
        for (int i = 0; dx && i < rows * inputs; i++)
            dx[i] = dinput[i] * input_slope[i];
        mem_free(dinput);
    }
    for (int l = 0; l < net->layers; l++)
        close_layer(&layers[l]);
    mem_free(layers);
    mem_free(input);
    mem_free(input_slope);
}
