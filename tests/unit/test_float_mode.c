/* test_float_mode - rounding and denormals are what they should be after a library has changed them, on threads as well. */
#include "common/process/float_mode.h"

#include <fenv.h>
#include <pthread.h>

#include "tests/lib/testing.h"

static volatile float least_normal = 0x1p-126f, half = 0.5f, third = 3.0f;

/* What libraries with -ffast-math do as they are loaded, and worse. */
static void spoil(void)
{
    fesetround(FE_DOWNWARD);
#ifdef __x86_64__
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
    __builtin_aarch64_set_fpcr(__builtin_aarch64_get_fpcr() | 1u << 24);
#endif
}

__attribute__((noinline)) static void *compute(void *out)
{
    ((float *)out)[0] = least_normal * half;
    ((float *)out)[1] = 1.0f / third;
    return NULL;
}

static void test_denormals_and_rounding(void **state)
{
    (void)state;
    float spoiled[2], here[2], there[2];
    pthread_t thread;
    spoil();
    compute(spoiled);
    float_mode_set();
    compute(here);
    assert_int_equal(pthread_create(&thread, NULL, compute, there), 0);
    pthread_join(thread, NULL);
    assert_true(spoiled[1] == 0x1.555554p-2f);
#if defined(__x86_64__) || defined(__aarch64__)
    assert_true(spoiled[0] == 0.0f);
#endif
    assert_true(here[0] == 0x1p-127f && here[1] == 0x1.555556p-2f);
    assert_true(there[0] == 0x1p-127f && there[1] == 0x1.555556p-2f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_denormals_and_rounding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
