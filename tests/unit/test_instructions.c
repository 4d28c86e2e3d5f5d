/* Proves of instructions.h: "whether this processor has the instructions that the program was built with", by what cpuid and
 * the system answer, and that the line says which are missing and what to build. */
#include "common/process/instructions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

#define BIT(id) ((instructions_t)1 << INSTRUCTIONS_##id)

/* A system that does not save a register takes its instructions away. */
static void test_decode(void **state)
{
    (void)state;
    uint32_t word[CPUID_WORDS] = {0};
    assert_int_equal(instructions_decode(word, ~0ull), 0);
    word[CPUID_7_EBX] = 1u << 5 | 1u << 8 | 1u << 16;
    assert_int_equal(instructions_decode(word, 0xe7), BIT(AVX2) | BIT(BMI2) | BIT(AVX512F));
    assert_int_equal(instructions_decode(word, 0x07), BIT(AVX2) | BIT(BMI2));
    assert_int_equal(instructions_decode(word, 0x03), BIT(BMI2));
    word[CPUID_EXTENDED_ECX] = 1u << 16;
    assert_int_equal(instructions_decode(word, 0x07), BIT(AVX2) | BIT(BMI2) | BIT(FMA4));
}

/* The kernel lists what the processor has and it saves, under the same names. */
static void test_this_processor(void **state)
{
    (void)state;
    static const char *const names[] = {
#define NAME(id, name, macro, word, bit, saves) name,
        INSTRUCTIONS(NAME)
#undef NAME
    };
    char *text;
    assert_int_equal(file_read("/proc/cpuinfo", &text, NULL), ST_OK);
    char *flags = strstr(text, "\nflags");
    if (!flags) { /* another architecture */
        mem_free(text);
        skip();
    }
    *strchr(flags + 1, '\n') = ' ';
    for (int i = 0; i < INSTRUCTIONS_N; i++) {
        char word[64];
        snprintf(word, sizeof word, " %s ", names[i]);
        const char *end = strchr(flags + 1, '\n'), *found = strstr(flags, word);
        if ((found && (!end || found < end)) != (instructions_here() >> i & 1))
            fail_msg("%s is%s in /proc/cpuinfo", names[i], found ? "" : " not");
    }
    mem_free(text);
    assert_int_equal(instructions_check(instructions_built(), instructions_here()), ST_OK);
}

/* This file is built with the flags of the program. */
static void test_built(void **state)
{
    (void)state;
    bool avx2 = false, fma4 = false;
#ifdef __AVX2__
    avx2 = true;
#endif
#ifdef __FMA4__
    fma4 = true;
#endif
    assert_int_equal((instructions_built() & BIT(AVX2)) != 0, avx2);
    assert_int_equal((instructions_built() & BIT(FMA4)) != 0, fma4);
    assert_string_not_equal(instructions_march(), "unknown");
}

static void check(instructions_t built, instructions_t here, const char *lacks, const char *march)
{
    catch_start();
    const status_t status = instructions_check(built, here);
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_caught(lacks);
    assert_caught(march);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    const instructions_t level_2 = BIT(CX16) | BIT(LAHF) | BIT(POPCNT) | BIT(SSE3) | BIT(SSSE3) | BIT(SSE4_1) | BIT(SSE4_2);
    const instructions_t level_3 =
        level_2 | BIT(AVX) | BIT(AVX2) | BIT(BMI1) | BIT(BMI2) | BIT(F16C) | BIT(FMA) | BIT(LZCNT) | BIT(MOVBE);
    check(level_3 | BIT(AVX512F) | BIT(AVX512VL), level_3, "lacks what it uses of that: avx512f, avx512vl; build",
          "make MARCH=x86-64-v3");
    check(level_3, level_2 | BIT(AVX), "avx2", "make MARCH=x86-64-v2");
    check(BIT(FMA4), 0, "lacks what it uses of that: fma4; build", "is make MARCH=x86-64");
    assert_int_equal(instructions_check(level_2, level_3), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_this_processor),
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
