/* test_real - the functions of real.h keep to the errors that their declarations name, against the C library's in long double,
 * over their whole range; their special cases are C's; a loop that becomes vectors has the bits of single calls. */
#include "common/math/real.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "common/kernels/loss_math.h"
#include "common/kernels/vector_math.h"
#include "tests/lib/testing.h"

/* A number of [from, to], evenly, or in its logarithm where `from` is above 0 and far from `to`. */
static double number(uint64_t i, double from, double to)
{
    const double share = (double)(hash_mix(i) >> 11) * 0x1p-53;
    if (from > 0.0 && to / from > 1e3)
        return fmin(fmax(exp(log(from) + share * (log(to) - log(from))), from), to);
    return from + share * (to - from);
}

/* Of the result, in the last place of the f64 next to what is exact. */
static double ulps(double found, long double exact)
{
    const double near = (double)exact;
    return (double)fabsl((long double)found - exact) / (nextafter(fabs(near), INFINITY) - fabs(near));
}

static double worst(double (*of)(double), long double (*exact)(long double), double from, double to)
{
    enum { POINTS = 60000 };
    double most = 0.0;
    for (uint64_t i = 0; i < POINTS; i++) {
        const double x = number(i, from, to);
        most = fmax(most, ulps(of(x), exact((long double)x)));
    }
    return most;
}

static const struct {
    const char *name;
    double (*of)(double);
    long double (*exact)(long double);
    double from, to, bound;
} cases[] = {
    {"exp", real_exp, expl, -708.0, 709.78, 0.55},       {"exp", real_exp, expl, -1.0, 1.0, 0.55},
    {"exp", real_exp, expl, -745.0, -708.0, 1.0},        {"expm1", real_expm1, expm1l, -60.0, 709.0, 0.55},
    {"expm1", real_expm1, expm1l, -2.0, 2.0, 0.6},       {"expm1", real_expm1, expm1l, 1e-300, 1.0, 0.55},
    {"log", real_log, logl, 1e-320, 1e308, 0.55},        {"log", real_log, logl, 0.4, 3.0, 0.55},
    {"log", real_log, logl, 1.0 - 1e-6, 1.0, 0.55},      {"log1p", real_log1p, log1pl, 1e-300, 1e300, 0.55},
    {"log1p", real_log1p, log1pl, -0.999999, 3.0, 0.55}, {"log1p", real_log1p, log1pl, -1e-9, 1e-9, 0.55},
    {"log2", real_log2, log2l, 1e-320, 1e308, 0.55},     {"log2", real_log2, log2l, 0.4, 3.0, 0.55},
    {"tanh", real_tanh, tanhl, -22.0, 22.0, 0.55},       {"tanh", real_tanh, tanhl, 1e-300, 1.0, 0.55},
    {"cosh", real_cosh, coshl, -709.0, 709.0, 1.2},      {"erfc", real_erfc, erfcl, -6.0, 1.5, 3.0},
    {"erfc", real_erfc, erfcl, 1.4, 26.5, 3.0},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const double most = worst(cases[c].of, cases[c].exact, cases[c].from, cases[c].to);
        if (getenv("SHOW"))
            print_message("%s on [%g, %g]: %.4f\n", cases[c].name, cases[c].from, cases[c].to, most);
        if (!(most <= cases[c].bound))
            fail_msg("%s is off by %.3f ulp on [%g, %g]", cases[c].name, most, cases[c].from, cases[c].to);
    }
}

static void test_pow(void **state)
{
    (void)state;
    double most = 0.0;
    for (uint64_t i = 0; i < 60000; i++) {
        const double x = number(2 * i, 1e-300, 1e300), near = number(2 * i, 0.5, 2.0), y = number(2 * i + 1, -1.0, 1.0);
        most = fmax(most, ulps(real_pow(x, y), powl(x, y)));
        most = fmax(most, ulps(real_pow(near, 1000.0 * y), powl(near, (long double)(1000.0 * y))));
    }
    if (getenv("SHOW"))
        print_message("pow: %.4f\n", most);
    assert_true(most <= 0.55);
    assert_true(real_pow(0.0, 2.0) == 0.0 && real_pow(0.0, -1.0) == INFINITY && real_pow(INFINITY, 2.0) == INFINITY);
    assert_true(real_pow(INFINITY, -1.0) == 0.0 && real_pow(0.5, 1e300) == 0.0 && real_pow(2.0, 1e300) == INFINITY);
    assert_true(real_pow(2.0, 1024.0) == INFINITY && real_pow(2.0, -1080.0) == 0.0 && real_pow(4.0, 0.5) == 2.0);
    assert_true(real_pow(NAN, 0.0) == 1.0 && real_pow(1.0, NAN) == 1.0 && isnan(real_pow(NAN, 1.0)) &&
                isnan(real_pow(-1.0, 2.0)));
    assert_true(isnan(real_pow(2.0, NAN)));
}

static void test_special_cases(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_true(isnan(cases[c].of(NAN)));
    assert_true(real_tanh(INFINITY) == 1.0 && real_tanh(-30.0) == -1.0 && signbit(real_tanh(-0.0)));
    assert_true(real_cosh(0.0) == 1.0 && real_cosh(INFINITY) == INFINITY);
    assert_true(real_erfc(0.0) == 1.0 && real_erfc(INFINITY) == 0.0 && real_erfc(-INFINITY) == 2.0);
}

static void test_special_cases_of_exp_and_log(void **state)
{
    (void)state;
    assert_true(real_exp(0.0) == 1.0 && real_exp(-INFINITY) == 0.0 && real_exp(INFINITY) == INFINITY &&
                real_exp(1e4) == INFINITY);
    assert_true(real_exp(-1e4) == 0.0 && real_exp(-745.1) == exp(-745.1));
    assert_true(real_expm1(0.0) == 0.0 && signbit(real_expm1(-0.0)) && real_expm1(-INFINITY) == -1.0);
    assert_true(real_expm1(INFINITY) == INFINITY && real_expm1(1e-310) == 1e-310);
    assert_true(real_log(1.0) == 0.0 && real_log(0.0) == -INFINITY && real_log(-0.0) == -INFINITY && isnan(real_log(-1.0)));
    assert_true(real_log(INFINITY) == INFINITY && real_log(5e-324) == log(5e-324));
    assert_true(real_log1p(-1.0) == -INFINITY && isnan(real_log1p(-1.5)) && real_log1p(INFINITY) == INFINITY);
    assert_true(real_log1p(1e-310) == 1e-310 && signbit(real_log1p(-0.0)));
    for (int k = -1070; k < 1024; k += 7)
        assert_true(real_log2(ldexp(1.0, k)) == k);
}

static void test_loops_have_the_bits_of_calls(void **state)
{
    (void)state;
    enum { N = 4099 };
    static double x[N], y[N];
    for (uint64_t i = 0; i < N; i++)
        x[i] = i % 3 ? number(i, 1e-7, 1.0) : number(i, 1e-300, 1e300);
    for (int i = 0; i < N; i++)
        y[i] = real_log_of_normal(x[i]);
    for (int i = 0; i < N; i++)
        assert_memory_equal(&y[i], &(double){real_log(x[i])}, sizeof *y);
}

/* The same everywhere: a change of any bit is a change of what runs have computed. Also of the functions of f32 and of losses,
 * and of random normal numbers. */
static void test_bits_are_those_of_always(void **state)
{
    (void)state;
    uint64_t hash = 0;
    for (int i = 0; i < 5000; i++) {
        const double share = (double)((i * 7919 + 104729) % 20011) / 20011.0;
        const double x = 40.0 * share - 20.0, y = x * x * x + 1e-9;
        const double values[] = {
            real_exp(x),        real_expm1(x / 8.0),       real_log(fabs(y)),      real_log1p(fabs(y)),
            real_log2(fabs(y)), real_pow(fabs(y), x),      real_tanh(x / 8.0),     real_cosh(x),
            real_erfc(x / 4.0), exp_of_negative(-fabs(x)), log_of_one_plus(share), rng_normal(3, 5, (uint64_t)i)};
        const vm_tail_t tail = vm_normal_tail((float)fabs(x));
        const float floats[] = {vm_exp((float)x), vm_expm1((float)x), vm_log1p((float)share), tail.tail, tail.bell};
        hash = hash64(values, sizeof values, hash);
        hash = hash64(floats, sizeof floats, hash);
    }
    assert_int_equal(hash, 0x9f03a6c58c68931f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_special_cases),
        cmocka_unit_test(test_special_cases_of_exp_and_log),
        cmocka_unit_test(test_loops_have_the_bits_of_calls),
        cmocka_unit_test(test_bits_are_those_of_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
