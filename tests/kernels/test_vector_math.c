/* test_vector_math - the functions of vector_math.h keep to the errors that their comments name, against libm in double, over
 * their whole range; NaN stays NaN; what underflows is 0. */
#include <math.h>

#include "common/kernels/vector_math.h"
#include "tests/lib/testing.h"

static double worst_error(float (*fast)(float), double (*exact)(double), double from, double to, int steps)
{
    double worst = 0.0;
    for (int i = 0; i <= steps; i++) {
        const float x = (float)(from + (to - from) * i / steps);
        const double wanted = exact(x);
        if (wanted != 0.0)
            worst = fmax(worst, fabs(fast(x) - wanted) / fabs(wanted));
        else
            assert_true(fast(x) == 0.0f);
    }
    return worst;
}

static float fast_exp(float x)
{
    return vm_exp(x);
}
static float fast_expm1(float x)
{
    return vm_expm1(x);
}
static float fast_log1p(float x)
{
    return vm_log1p(x);
}

static void test_exp(void **state)
{
    (void)state;
    const double worst = worst_error(fast_exp, exp, -87.0, 88.0, 1000003);
    if (!(worst < 1.3e-7))
        fail_msg("exp is off by %.3g", worst);
    assert_true(vm_exp(0.0f) == 1.0f && vm_exp(-0.0f) == 1.0f && vm_exp(1e-42f) == 1.0f);
    assert_true(vm_exp(-87.01f) == 0.0f && vm_exp(-1e4f) == 0.0f && vm_exp(-3e38f) == 0.0f && vm_exp(-INFINITY) == 0.0f);
    assert_true(isnan(vm_exp(NAN)) && isnan(vm_expm1(NAN)) && isnan(vm_log1p(NAN)));
}

static void test_expm1(void **state)
{
    (void)state;
    double worst = worst_error(fast_expm1, expm1, -100.0, 88.0, 1000003);
    worst = fmax(worst, worst_error(fast_expm1, expm1, -1.0, 1.0, 1000003));
    worst = fmax(worst, worst_error(fast_expm1, expm1, -1e-6, 1e-6, 20001));
    if (!(worst < 3e-7))
        fail_msg("expm1 is off by %.3g", worst);
    assert_true(vm_expm1(0.0f) == 0.0f && vm_expm1(-1e-42f) == -1e-42f && vm_expm1(-INFINITY) == -1.0f);
}

static void test_log1p(void **state)
{
    (void)state;
    double worst = worst_error(fast_log1p, log1p, 0.0, 1.0, 1000003);
    worst = fmax(worst, worst_error(fast_log1p, log1p, 0.0, 1e-6, 20001));
    if (!(worst < 2.5e-7))
        fail_msg("log1p is off by %.3g", worst);
    assert_true(vm_log1p(0.0f) == 0.0f && vm_log1p(1e-42f) == 1e-42f);
}

static void test_normal_tail(void **state)
{
    (void)state;
    double worst = 0.0, worst_bell = 0.0;
    for (int i = 0; i <= 1300000; i++) {
        const float a = (float)i * 1e-5f;
        const vm_tail_t q = vm_normal_tail(a);
        const double tail = 0.5 * erfc(a * M_SQRT1_2), bell = exp(-0.5 * (double)a * a);
        worst = fmax(worst, fabs(q.tail - tail) / tail / (1.0 + (double)a * a));
        worst_bell = fmax(worst_bell, fabs(q.bell - bell) / bell / (1.0 + (double)a * a));
    }
    if (!(worst < 2.5e-7 && worst_bell < 1.3e-7))
        fail_msg("the normal tail is off by %.3g, the bell by %.3g", worst, worst_bell);
    assert_true(vm_normal_tail(14.0f).tail == 0.0f && vm_normal_tail(1e4f).tail == 0.0f &&
                vm_normal_tail(INFINITY).bell == 0.0f);
    assert_true(isnan(vm_normal_tail(NAN).tail) && isnan(vm_normal_tail(NAN).bell));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_expm1),
        cmocka_unit_test(test_log1p),
        cmocka_unit_test(test_normal_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
