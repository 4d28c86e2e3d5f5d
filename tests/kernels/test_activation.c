/* test_activation - every kernel of the table equals its exact double form, from the corners of its pieces to +-1e4, huge
 * values and denormals, with clipping on and off; slopes are derivatives; the smooth ones have a continuous gradient at every
 * joint; slopes kept from forward to backward change no bit; their limits are what the paper says. SmeLU is ReLU convolved
 * with a box of width 2 beta. Learned gSmeLU computes what the fixed one does, and its gradient by the five numbers equals
 * finite differences. */
#include <math.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/config.h"
#include "common/kernels/activation.h"
#include "common/kernels/gsmelu.h"
#include "common/kernels/ref.h"
#include "tests/lib/testing.h"

#define N 8001
#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

static const double betas[] = {1e-6, 0.1, 0.5, 1.0, 3.0, 100.0};
static const float clips[] = {INFINITY, 6.0f, 0.5f};

/* Nothing symmetric, so that no two numbers can stand for one another. */
static const double knots[] = {-1.5, -0.5, 0.25, 2.0}, knot_slopes[] = {-0.125, 0.5, 0.25, 1.125};

static activation_shape_t shape_of(double beta, double clip)
{
    return (activation_shape_t){.beta = (float)beta, /* the kernels' beta is a float: compare with that very number */
                                .clip = clip,
                                .leak = 0.01,
                                .alpha = (float)(0.7 * beta),
                                .left = -0.25,
                                .right = 0.875,
                                .level = (float)(-0.3 * beta),
                                .knots = LEN(knots),
                                .knot = knots,
                                .slope = knot_slopes,
                                .rise = -0.125};
}

/* joints_of - where the pieces of a function meet; returns how many. */
static int joints_of(int kind, const activation_shape_t *shape, double joints[LEN(knots)])
{
    switch (kind) {
    case ACTIVATION_SMELU:
        joints[0] = -shape->beta;
        joints[1] = shape->beta;
        return 2;
    case ACTIVATION_GSMELU:
        joints[0] = -shape->alpha;
        joints[1] = shape->beta;
        return 2;
    case ACTIVATION_RESCU:
        for (int i = 0; i < LEN(knots); i++)
            joints[i] = shape->knot[i] * shape->beta;
        return LEN(knots);
    case ACTIVATION_RELU:
    case ACTIVATION_LEAKY_RELU:
    case ACTIVATION_ELU:
    case ACTIVATION_SELU:
    case ACTIVATION_CELU:
        joints[0] = 0.0;
        return 1;
    default:
        return 0;
    }
}

static bool has_continuous_slope(int kind, double beta)
{
    return kind != ACTIVATION_RELU && kind != ACTIVATION_LEAKY_RELU && kind != ACTIVATION_SELU &&
           (kind != ACTIVATION_ELU || beta == 1.0);
}

static void test_table_matches_the_configuration(void **state)
{
    (void)state;
#define CHECK_WORD(word, constant, doc) assert_string_equal(activation_get(constant)->name, #word);
    WORDS_ACTIVATION(CHECK_WORD)
}

static int put_with_neighbours(float *x, int n, float value)
{
    x[n++] = value;
    x[n++] = nextafterf(value, INFINITY);
    x[n++] = nextafterf(value, -INFINITY);
    return n;
}

/* Arguments: sweeps, fine, coarse and far out, the corners of the pieces and of the clip, huge values, denormals, zeros. */
static int fill_arguments(float *x, int kind, const activation_shape_t *shape)
{
    int n = 0;
    for (int i = -1000; i <= 1000; i++) {
        x[n++] = (float)i * 0.0101f * (float)(shape->beta > 1.0 ? shape->beta : 1.0);
        x[n++] = (float)i * 0.0101f / (float)shape->beta;
        x[n++] = (float)i * 10.0f;
    }
    for (int i = -45; i <= 4; i++) {
        x[n++] = powf(10.0f, (float)i);
        x[n++] = -powf(10.0f, (float)i);
    }
    double joints[LEN(knots)];
    const int count = joints_of(kind, shape, joints);
    for (int i = 0; i < count; i++)
        n = put_with_neighbours(x, n, (float)joints[i]);
    n = put_with_neighbours(x, n, 0.0f);
    n = put_with_neighbours(x, n, -0.0f);
    n = put_with_neighbours(x, n, isinf(shape->clip) ? 0.0f : (float)shape->clip);
    n = put_with_neighbours(x, n, isinf(shape->clip) ? 0.0f : (float)-shape->clip);
    x[n++] = 3e38f;
    x[n++] = -3e38f;
    return n;
}

/* How far the value may be off: rounding relative to itself; in the exponential tails relative to the argument of the
 * exponential as well, whose rounding is seen there (that of GELU is a square); in pieces relative to the terms they are sums
 * of. */
static double value_tolerance(int kind, double x, double value, const activation_shape_t *shape)
{
    const double rounding = 4e-7, z = shape->beta * x;
    switch (kind) {
    case ACTIVATION_SOFTPLUS:
    case ACTIVATION_SWISH:
    case ACTIVATION_GELU_SWISH:
    case ACTIVATION_MISH:
    case ACTIVATION_TANHEXP:
        return rounding * fabs(value) * (1.0 + fmin(fabs(z), 200.0)) + 1e-37 * (fabs(x) + 1.0 / shape->beta);
    case ACTIVATION_GELU:
        return rounding * fabs(value) * (1.0 + fmin(z * z, 200.0)) + 1e-37 * fabs(x);
    case ACTIVATION_GSMELU:
    case ACTIVATION_RESCU:
        return rounding * (fabs(x) + shape->beta);
    default:
        return rounding * fmax(fabs(value), shape->beta * 0x1p-24);
    }
}

static void test_kernels_equal_the_exact_form(void **state)
{
    (void)state;
    static float x[N], dy[N], y[N + 1], dx[N + 1];
    rng_fill_normal(dy, N, 1.0f, 1, 1, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int b = 0; b < LEN(betas); b++)
            for (int c = 0; c < LEN(clips); c++) {
                const activation_t *f = activation_get(kind);
                const activation_shape_t shape = shape_of(betas[b], clips[c]);
                const int n = fill_arguments(x, kind, &shape);
                assert_true(n <= N);
                y[n] = dx[n] = 77.0f;
                f->forward(y, x, n, &shape);
                f->backward(dx, dy, x, n, &shape);
                assert_true(y[n] == 77.0f && dx[n] == 77.0f);
                for (int i = 0; i < n; i++) {
                    double value, slope, free_value, free_slope;
                    ref_activate(&value, &slope, x[i], f, &shape);
                    f->exact(x[i], &shape, &free_value, &free_slope);
                    const double tolerance = value_tolerance(kind, x[i], free_value, &shape) + 0x1p-149; /* the last denormal */
                    if (!(fabs(y[i] - value) <= tolerance))
                        fail_msg("%s(%g), beta %g, clip %g: %.9g, exactly %.12g", f->name, x[i], betas[b], clips[c], y[i],
                                 value);
                    /* One step from the clip f32 may round onto it; there the two may disagree on which side they are. */
                    if (fabs(fabs(free_value) - shape.clip) > 1e-6 + tolerance &&
                        !(fabs(dx[i] - dy[i] * slope) <= 1e-6 * fmax(fabs(slope), 1.0) * fabs(dy[i])))
                        fail_msg("%s'(%g), beta %g, clip %g: %.9g, exactly %.12g", f->name, x[i], betas[b], clips[c],
                                 dx[i] / dy[i], slope);
                    if (fabsf(y[i]) >= clips[c])
                        assert_true(dx[i] == 0.0f && fabsf(y[i]) == clips[c]);
                }
            }
}

static void test_length_place_and_aliasing_change_no_bit(void **state)
{
    (void)state;
    float x[128], dy[128], y[128], dx[128], moved_x[128 + 16], moved_dy[128 + 16], inplace[128 + 16];
    rng_fill_normal(x, 128, 2.0f, 1, 1, 0);
    rng_fill_normal(dy, 128, 2.0f, 1, 2, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        const activation_t *f = activation_get(kind);
        const activation_shape_t shape = shape_of(0.7, 1.5);
        f->forward(y, x, 128, &shape);
        f->backward(dx, dy, x, 128, &shape);
        for (int n = 0; n <= 40; n++)
            for (int offset = 0; offset < 16; offset++) {
                memcpy(moved_x + offset, x, (size_t)n * sizeof *x);
                memcpy(inplace + offset, x, (size_t)n * sizeof *x);
                f->forward(inplace + offset, inplace + offset, n, &shape);
                assert_memory_equal(inplace + offset, y, (size_t)n * sizeof *y);
                memcpy(moved_dy + offset, dy, (size_t)n * sizeof *dy);
                f->backward(moved_dy + offset, moved_dy + offset, moved_x + offset, n, &shape);
                assert_memory_equal(moved_dy + offset, dx, (size_t)n * sizeof *dx);
            }
    }
}

/* Behind an exact form that is right, and at the arguments that it was compared at. */
static void test_kept_slopes_change_no_bit(void **state)
{
    (void)state;
    static float x[N], dy[N], y[N], dx[N], kept_y[N], kept_dx[N], slope[N + 1];
    int keeping = 0;
    rng_fill_normal(dy, N, 1.0f, 1, 1, 0);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) {
        const activation_t *f = activation_get(kind);
        keeping += f->forward_keeping != NULL;
        for (int b = 0; b < LEN(betas) && f->forward_keeping; b++)
            for (int c = 0; c < LEN(clips); c++) {
                const activation_shape_t shape = shape_of(betas[b], clips[c]);
                const int all = fill_arguments(x, kind, &shape);
                for (int n = all - 20; n <= all; n++) {
                    const size_t bytes = (size_t)n * sizeof *x;
                    f->forward(y, x, n, &shape);
                    f->backward(dx, dy, x, n, &shape);
                    memcpy(kept_y, x, bytes);
                    memcpy(kept_dx, dy, bytes);
                    slope[n] = 77.0f;
                    f->forward_keeping(kept_y, slope, kept_y, n, &shape); /* both in place */
                    activation_backward_kept(kept_dx, kept_dx, slope, n);
                    assert_memory_equal(kept_y, y, bytes);
                    assert_memory_equal(kept_dx, dx, bytes);
                    assert_true(slope[n] == 77.0f);
                }
                x[0] = NAN;
                f->forward_keeping(y, slope, x, 1, &shape);
                activation_backward_kept(dx, dy, slope, 1);
                assert_true(isnan(y[0]) && isnan(dx[0]));
            }
    }
    assert_int_equal(keeping, 5);
}

static void test_nan_is_not_hidden(void **state)
{
    (void)state;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int c = 0; c < 3; c++) {
            const activation_shape_t shape = shape_of(1.0, clips[c]);
            float x[19], y[19], one[19], dx[19];
            for (int i = 0; i < 19; i++) {
                x[i] = NAN;
                one[i] = 1.0f;
            }
            activation_get(kind)->forward(y, x, 19, &shape);
            for (int i = 0; i < 19; i++) {
                assert_true(isnan(y[i]));
                x[i] = 0.25f;
            }
            one[3] = one[18] = NAN;
            activation_get(kind)->backward(dx, one, x, 19, &shape);
            double value, slope;
            activation_get(kind)->exact(0.25, &shape, &value, &slope);
            for (int i = 0; i < 19; i++)
                assert_true(isnan(dx[i]) == ((i == 3 || i == 18) && fabs(value) < clips[c]));
        }
}

/* Slopes are derivatives: central differences of the exact value, away from the corners. */
static void test_exact_slopes_are_derivatives(void **state)
{
    (void)state;
    const double h = 1e-6;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int b = 1; b < LEN(betas); b++) {
            const activation_shape_t shape = shape_of(betas[b], INFINITY);
            double joints[LEN(knots)];
            const int count = joints_of(kind, &shape, joints);
            for (int i = 0; i < 1000; i++) {
                double left, right, value, slope, unused;
                /* Both widths: those of the functions where a larger beta is wider, and of the others. */
                double x = (i % 2 ? 4.0 * betas[b] : 4.0 / betas[b]) * (2.0 * rng_uniform(1, 1, (uint64_t)i) - 1.0);
                bool near = false;
                for (int j = 0; j < count; j++)
                    near |= fabs(x - joints[j]) < 2.0 * h;
                if (near)
                    continue;
                const activation_t *f = activation_get(kind);
                f->exact(x - h, &shape, &left, &unused);
                f->exact(x + h, &shape, &right, &unused);
                f->exact(x, &shape, &value, &slope);
                if (!(fabs((right - left) / (2 * h) - slope) < 1e-7 * fmax(1.0, fabs(slope))))
                    fail_msg("%s'(%g), beta %g: %.12g, by differences %.12g", f->name, x, betas[b], slope,
                             (right - left) / (2 * h));
            }
        }
}

/* f(x) = 1/(2 beta) integral of max(x + t, 0) over |t| <= beta: another definition, summed by the midpoint rule. */
static void test_smelu_is_relu_convolved_with_a_box(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    for (int b = 1; b < 5; b++) {
        const activation_shape_t shape = {.beta = betas[b], .clip = INFINITY};
        for (double x = -2.0 * betas[b]; x <= 2.0 * betas[b]; x += 0.19 * betas[b]) {
            double integral = 0.0, value, slope;
            for (int i = 0; i < STEPS; i++)
                integral += fmax(x + betas[b] * ((2.0 * i + 1.0) / STEPS - 1.0), 0.0) / STEPS;
            activation_smelu.exact(x, &shape, &value, &slope);
            assert_true(fabs(integral - value) < 1e-8 * betas[b]);
            const float x_f = (float)x;
            float y;
            activation_smelu.forward(&y, &x_f, 1, &shape);
            assert_true(fabs(integral - y) < 1e-6 * fmax(fabs(x), betas[b]));
        }
    }
}

/* gSmeLU and RESCU by their definition: the value at the first joint and the integral of a slope that is linear between
 * joints. */
static void test_pieces_are_integrals_of_their_slopes(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    const activation_shape_t shape = shape_of(0.5, INFINITY);
    for (int i = 0; i < 200; i++) {
        const double x = 0.02 * (i - 100);
        double gsmelu = shape.level, rescu = shape.rise * shape.beta, value, slope;
        for (int s = 0; s < STEPS; s++) {
            const double u = ((double)s + 0.5) / STEPS;
            double at = -shape.alpha + (x + shape.alpha) * u; /* from -alpha to x */
            const double share = fmin(fmax((at + shape.alpha) / (shape.alpha + shape.beta), 0.0), 1.0);
            gsmelu += (x + shape.alpha) / STEPS * (shape.left + (shape.right - shape.left) * share);
            const double from = knots[0] * shape.beta;
            at = (from + (x - from) * u) / shape.beta;
            double here = at < knots[0] ? knot_slopes[0] : knot_slopes[LEN(knots) - 1];
            for (int k = 0; k + 1 < LEN(knots); k++)
                if (at >= knots[k] && at < knots[k + 1])
                    here = knot_slopes[k] + (knot_slopes[k + 1] - knot_slopes[k]) * (at - knots[k]) / (knots[k + 1] - knots[k]);
            rescu += (x - from) / STEPS * here;
        }
        activation_gsmelu.exact(x, &shape, &value, &slope);
        assert_true(fabs(value - gsmelu) < 1e-7);
        activation_rescu.exact(x, &shape, &value, &slope);
        assert_true(fabs(value - rescu) < 1e-7);
    }
}

/* Largest distance of two functions' values and slopes over a sweep of [-most, most]; slopes are compared from `corner` on,
 * where the limit has none. */
static void compare_functions(const activation_t *f, const activation_shape_t *f_shape, const activation_t *g,
                              const activation_shape_t *g_shape, float most, float corner, float value_limit, float slope_limit)
{
    static float x[N], ones[N], f_y[N], g_y[N], f_slope[N], g_slope[N];
    for (int i = 0; i < N; i++) {
        x[i] = most * (float)(i - N / 2) / (float)(N / 2);
        ones[i] = 1.0f;
    }
    f->forward(f_y, x, N, f_shape);
    g->forward(g_y, x, N, g_shape);
    f->backward(f_slope, ones, x, N, f_shape);
    g->backward(g_slope, ones, x, N, g_shape);
    for (int i = 0; i < N; i++) {
        if (!(fabsf(f_y[i] - g_y[i]) <= value_limit))
            fail_msg("at %g %s is %.9g and %s is %.9g", x[i], f->name, f_y[i], g->name, g_y[i]);
        if (fabsf(x[i]) > corner && !(fabsf(f_slope[i] - g_slope[i]) <= slope_limit))
            fail_msg("at %g the slope of %s is %.9g and that of %s %.9g", x[i], f->name, f_slope[i], g->name, g_slope[i]);
    }
}

static void test_limits_are_relu(void **state)
{
    (void)state;
    activation_shape_t relu = {.beta = 1.0, .clip = INFINITY}, narrow = {.beta = 1e-6, .clip = INFINITY};
    compare_functions(&activation_smelu, &narrow, &activation_relu, &relu, 4.0f, 1e-6f, 0.2501e-6f, 0.0f);
    compare_functions(&activation_celu, &narrow, &activation_relu, &relu, 4.0f, 1e-4f, 1.001e-6f, 0.0f);
    /* With these a larger beta is narrower; log(2) / beta is SoftPlus at 0, and no other is further from ReLU. */
    const activation_t *const steep[] = {&activation_softplus,   &activation_swish, &activation_gelu,
                                         &activation_gelu_swish, &activation_mish,  &activation_tanhexp};
    const activation_shape_t shape = {.beta = 1e6, .clip = INFINITY};
    for (int i = 0; i < LEN(steep); i++)
        compare_functions(steep[i], &shape, &activation_relu, &relu, 4.0f, 1e-4f, 0.7e-6f, 0.0f);
}

static void test_special_cases_are_smelu(void **state)
{
    (void)state;
    const double two_knots[] = {-1.0, 1.0}, two_slopes[] = {0.0, 1.0};
    for (int b = 1; b < LEN(betas); b++)
        for (int c = 0; c < LEN(clips); c++) {
            const float beta = (float)betas[b];
            const activation_shape_t shape = {.beta = beta,
                                              .clip = clips[c],
                                              .alpha = beta,
                                              .right = 1.0,
                                              .knots = 2,
                                              .knot = two_knots,
                                              .slope = two_slopes};
            /* The clip may be met a rounding earlier; slopes are compared where it is off. */
            const float slope_limit = isinf(clips[c]) ? 1e-6f : 1.0f;
            compare_functions(&activation_gsmelu, &shape, &activation_smelu, &shape, 3.0f * beta, 0.0f, 1e-6f * beta,
                              slope_limit);
            compare_functions(&activation_rescu, &shape, &activation_smelu, &shape, 3.0f * beta, 0.0f, 1e-6f * beta,
                              slope_limit);
        }
    const activation_shape_t swish = {.beta = 2.0 * sqrt(8.0 / M_PI), .clip = INFINITY}, gelu = {.beta = 2.0, .clip = INFINITY};
    compare_functions(&activation_gelu_swish, &gelu, &activation_swish, &swish, 10.0f, 0.0f, 0.0f, 0.0f);
    /* An approximation: the paper's beta' makes the two slopes agree at 0, and no value is off by more than this. */
    compare_functions(&activation_gelu_swish, &gelu, &activation_gelu, &gelu, 10.0f, 0.0f, 0.02f, 0.07f);
}

/* Across every joint, float by float, value and slope move by no more than the spacing of floats explains; the slope of ReLU
 * jumps by 1 at 0. */
static void test_smooth_functions_have_a_continuous_gradient(void **state)
{
    (void)state;
    enum { HALF = 500, COUNT = 2 * HALF + 1 };
    int checked = 0;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (int b = 1; b < LEN(betas); b++) {
            const activation_t *f = activation_get(kind);
            const activation_shape_t shape = shape_of(betas[b], INFINITY);
            double joints[LEN(knots)];
            const int count = has_continuous_slope(kind, betas[b]) ? joints_of(kind, &shape, joints) : 0;
            for (int joint = 0; joint < count; joint++, checked++) {
                float x[COUNT], ones[COUNT], y[COUNT], slope[COUNT];
                /* Around 0 floats are so dense that their neighbours say nothing: there the steps are those around beta. */
                const float around = (float)joints[joint], step = around == 0.0f ? 1e-7f * (float)betas[b] : 0.0f;
                for (int i = 0; i < COUNT; i++) {
                    ones[i] = 1.0f;
                    x[i] = step * (float)(i - HALF);
                }
                if (around != 0.0f) {
                    x[0] = around;
                    for (int i = 0; i < HALF; i++)
                        x[0] = nextafterf(x[0], -INFINITY);
                    for (int i = 1; i < COUNT; i++)
                        x[i] = nextafterf(x[i - 1], INFINITY);
                }
                assert_true(x[0] < around && x[COUNT - 1] > around);
                f->forward(y, x, COUNT, &shape);
                f->backward(slope, ones, x, COUNT, &shape);
                for (int i = 1; i < COUNT; i++) {
                    if (!(fabsf(slope[i] - slope[i - 1]) <= 1e-6f) || !(fabsf(y[i] - y[i - 1]) <= 2e-6f * (float)betas[b]))
                        fail_msg("%s, beta %g, from %.9g to %.9g: value %.9g to %.9g, slope %.9g to %.9g", f->name, betas[b],
                                 x[i - 1], x[i], y[i - 1], y[i], slope[i - 1], slope[i]);
                }
            }
        }
    assert_int_equal(checked, 5 * (2 + 2 + LEN(knots) + 1) + 1); /* smelu, gsmelu, rescu, celu; elu at beta 1 */
    const float x[2] = {0.0f, 1e-42f}, ones[2] = {1.0f, 1.0f};
    const activation_shape_t shape = shape_of(1.0, INFINITY);
    float slope[2];
    activation_relu.backward(slope, ones, x, 2, &shape);
    assert_true(slope[0] == 0.0f && slope[1] == 1.0f);
}

/* ---- learned gSmeLU -------------------------------------------------------------------------------------------------- */

#define UNITS 37

/* Sets that differ from unit to unit. */
static void fill_sets(float *set, activation_shape_t *shapes, double clip)
{
    for (int j = 0; j < UNITS; j++) {
        const double u = rng_uniform(3, 1, (uint64_t)j), v = rng_uniform(3, 2, (uint64_t)j), w = rng_uniform(3, 3, (uint64_t)j);
        set[GSMELU_ALPHA * UNITS + j] = (float)(0.1 + 2.0 * u);
        set[GSMELU_BETA * UNITS + j] = (float)(0.1 + 3.0 * v);
        set[GSMELU_LEFT * UNITS + j] = (float)(w - 0.5);
        set[GSMELU_RIGHT * UNITS + j] = (float)(w + u);
        set[GSMELU_LEVEL * UNITS + j] = (float)-v;
        shapes[j] = (activation_shape_t){.beta = set[GSMELU_BETA * UNITS + j],
                                         .clip = clip,
                                         .alpha = set[GSMELU_ALPHA * UNITS + j],
                                         .left = set[GSMELU_LEFT * UNITS + j],
                                         .right = set[GSMELU_RIGHT * UNITS + j],
                                         .level = set[GSMELU_LEVEL * UNITS + j]};
    }
}

static double *number_of(activation_shape_t *shape, int k)
{
    double *const numbers[GSMELU_NUMBERS] = {[GSMELU_ALPHA] = &shape->alpha,
                                             [GSMELU_BETA] = &shape->beta,
                                             [GSMELU_LEFT] = &shape->left,
                                             [GSMELU_RIGHT] = &shape->right,
                                             [GSMELU_LEVEL] = &shape->level};
    return numbers[k];
}

static void test_gradient_of_the_five_numbers_by_differences(void **state)
{
    (void)state;
    const double h = 1e-6;
    float set[GSMELU_NUMBERS * UNITS];
    activation_shape_t shapes[UNITS];
    fill_sets(set, shapes, INFINITY);
    for (int j = 0; j < UNITS; j++)
        for (int i = -60; i <= 60; i++) {
            const double x = 0.1003 * i;
            if (fabs(x + shapes[j].alpha) < 4 * h || fabs(x - shapes[j].beta) < 4 * h)
                continue;
            double d[GSMELU_NUMBERS], left, right, slope;
            ref_gsmelu_gradient(d, x, &shapes[j]);
            for (int k = 0; k < GSMELU_NUMBERS; k++) {
                activation_shape_t moved = shapes[j];
                *number_of(&moved, k) += h;
                activation_gsmelu.exact(x, &moved, &right, &slope);
                *number_of(&moved, k) -= 2.0 * h;
                activation_gsmelu.exact(x, &moved, &left, &slope);
                if (!(fabs((right - left) / (2.0 * h) - d[k]) < 1e-8))
                    fail_msg("unit %d, x %g, number %d: %.12g, by differences %.12g", j, x, k, d[k],
                             (right - left) / (2.0 * h));
            }
        }
}

static void test_learned_sets_equal_fixed_ones(void **state)
{
    (void)state;
    for (int c = 0; c < LEN(clips); c++) {
        float set[GSMELU_NUMBERS * UNITS], dset[GSMELU_NUMBERS * UNITS] = {0}, x[UNITS], dy[UNITS], y[UNITS], dx[UNITS];
        double expected[GSMELU_NUMBERS * UNITS] = {0};
        activation_shape_t shapes[UNITS];
        fill_sets(set, shapes, clips[c]);
        rng_fill_normal(dy, UNITS, 1.0f, 4, 2, 0);
        for (int row = 0; row < 50; row++) {
            rng_fill_normal(x, UNITS, row % 10 == 9 ? 1e4f : 3.0f, 4, 1, (uint64_t)row * 64);
            gsmelu_forward(y, x, set, UNITS, clips[c]);
            memcpy(dx, dy, sizeof dx);
            gsmelu_backward(dx, dset, dx, x, set, UNITS, clips[c]);
            for (int j = 0; j < UNITS; j++) {
                double value, slope, d[GSMELU_NUMBERS];
                ref_activate(&value, &slope, x[j], &activation_gsmelu, &shapes[j]);
                assert_true(fabs(y[j] - value) <= 1e-6 * (fabs(x[j]) + 3.0));
                assert_true(fabs(dx[j] - dy[j] * slope) <= 1e-6 * fabs(dy[j]));
                ref_gsmelu_gradient(d, x[j], &shapes[j]);
                for (int k = 0; k < GSMELU_NUMBERS && fabs(value) < clips[c]; k++)
                    expected[k * UNITS + j] += dy[j] * d[k];
            }
        }
        for (int i = 0; i < GSMELU_NUMBERS * UNITS; i++)
            if (!(fabs(dset[i] - expected[i]) <= 3e-6 * (fabs(expected[i]) + (isinf(clips[c]) ? 1e4 : 30.0))))
                fail_msg("clip %g, number %d of unit %d: %.9g, exactly %.9g", clips[c], i / UNITS, i % UNITS, dset[i],
                         expected[i]);
    }
    float nan = NAN, y, dx, one = 1.0f, set[GSMELU_NUMBERS] = {1, 1, 0, 1, 0}, dset[GSMELU_NUMBERS] = {0};
    gsmelu_forward(&y, &nan, set, 1, 6.0f);
    gsmelu_backward(&dx, dset, &one, &nan, set, 1, 6.0f);
    assert_true(isnan(y) && isnan(dx) && isnan(dset[GSMELU_ALPHA]));
}

static void assert_allowed(const float set[GSMELU_NUMBERS])
{
    assert_true(set[GSMELU_ALPHA] >= (float)GSMELU_LEAST_WIDTH && set[GSMELU_BETA] >= (float)GSMELU_LEAST_WIDTH);
    assert_true(fabsf(set[GSMELU_LEFT]) <= GSMELU_MOST_SLOPE && fabsf(set[GSMELU_RIGHT]) <= GSMELU_MOST_SLOPE);
    assert_true(set[GSMELU_RIGHT] - set[GSMELU_LEFT] >= (float)GSMELU_LEAST_RISE);
    assert_true(set[GSMELU_LEVEL] <= 0.0f);
}

static void test_projection_keeps_the_constraints(void **state)
{
    (void)state;
    static const float starts[][GSMELU_NUMBERS] = {
        {-1, 2, 0, 1, -1},
        {1, -2, 0, 1, 0},
        {1, 1, 0.5f, 0.5f, 0},
        {1, 1, 1, 0, 0},
        {1, 1, 0, 1, 2},
        {0, 0, 0, 0, 1},
        {1, 1, 100, 100, 0},
        {1, 1, -100, -100, 0},
        {1, 1, 1e9f, -1e9f, 1e9f},
        {1, 1, 2e9f, 1e9f, 0},
        {1, 1, -2e9f, -1e9f, 0},
        {1, 1, 0, 5e8f, 0},
        {-1e9f, -1e9f, -5e8f, 0, 0},
    };
    for (int i = 0; i < LEN(starts); i++) {
        float set[GSMELU_NUMBERS], again[GSMELU_NUMBERS];
        memcpy(set, starts[i], sizeof set);
        gsmelu_project(set, 1);
        assert_allowed(set);
        memcpy(again, set, sizeof set);
        gsmelu_project(again, 1);
        assert_memory_equal(again, set, sizeof set);
    }
    /* What is allowed stays as it is, in every unit. */
    float set[GSMELU_NUMBERS * UNITS], before[GSMELU_NUMBERS * UNITS];
    activation_shape_t shapes[UNITS];
    fill_sets(set, shapes, INFINITY);
    memcpy(before, set, sizeof set);
    gsmelu_project(set, UNITS);
    assert_memory_equal(set, before, sizeof set);
    /* Slopes that have crossed meet where they crossed. */
    float crossed[GSMELU_NUMBERS] = {1, 1, 0.75f, 0.25f, 0};
    gsmelu_project(crossed, 1);
    assert_true(fabsf(crossed[GSMELU_LEFT] - 0.5f) < 1e-3f && fabsf(crossed[GSMELU_RIGHT] - 0.5f) < 1e-3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_matches_the_configuration),
        cmocka_unit_test(test_kernels_equal_the_exact_form),
        cmocka_unit_test(test_length_place_and_aliasing_change_no_bit),
        cmocka_unit_test(test_kept_slopes_change_no_bit),
        cmocka_unit_test(test_nan_is_not_hidden),
        cmocka_unit_test(test_exact_slopes_are_derivatives),
        cmocka_unit_test(test_smelu_is_relu_convolved_with_a_box),
        cmocka_unit_test(test_pieces_are_integrals_of_their_slopes),
        cmocka_unit_test(test_limits_are_relu),
        cmocka_unit_test(test_special_cases_are_smelu),
        cmocka_unit_test(test_smooth_functions_have_a_continuous_gradient),
        cmocka_unit_test(test_gradient_of_the_five_numbers_by_differences),
        cmocka_unit_test(test_learned_sets_equal_fixed_ones),
        cmocka_unit_test(test_projection_keeps_the_constraints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
