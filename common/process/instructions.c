/* Built for the oldest processor, as all that runs before the check has come to an end: calls nothing of ours but FAIL. */
#include "common/process/instructions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#ifndef SMELTER_MARCH /* the Makefile's */
#define SMELTER_MARCH "unknown"
#endif

#define SAVES_YMM 0x06 /* bits of XCR0: xmm, ymm */
#define SAVES_ZMM 0xe6 /* and masks, and both parts of zmm */
#define OSXSAVE (1u << 27)

#define BIT(id) ((instructions_t)1 << INSTRUCTIONS_##id)

/* The levels that the x86-64 ABI names, each with all below it. */
#define LEVEL_2 (BIT(CX16) | BIT(LAHF) | BIT(POPCNT) | BIT(SSE3) | BIT(SSSE3) | BIT(SSE4_1) | BIT(SSE4_2))
#define LEVEL_3 (LEVEL_2 | BIT(AVX) | BIT(AVX2) | BIT(BMI1) | BIT(BMI2) | BIT(F16C) | BIT(FMA) | BIT(LZCNT) | BIT(MOVBE))
#define LEVEL_4 (LEVEL_3 | BIT(AVX512F) | BIT(AVX512BW) | BIT(AVX512CD) | BIT(AVX512DQ) | BIT(AVX512VL))

typedef struct instructions_row {
    const char *name;
    uint8_t word, bit, saves;
} instructions_row_t;

static const instructions_row_t rows[] = {
#define ROW(id, name, macro, word, bit, saves) {name, word, bit, saves},
    INSTRUCTIONS(ROW)
#undef ROW
};

const char *instructions_march(void)
{
    return SMELTER_MARCH;
}

instructions_t instructions_decode(const uint32_t word[CPUID_WORDS], uint64_t saved)
{
    instructions_t has = 0;
    for (int i = 0; i < INSTRUCTIONS_N; i++)
        if (word[rows[i].word] >> rows[i].bit & 1 && (saved & rows[i].saves) == rows[i].saves)
            has |= (instructions_t)1 << i;
    return has;
}

#ifdef __x86_64__
/* Of registers that the system saves; it lets none be asked for where it saves none. */
static uint64_t read_xcr0(uint32_t cpuid_1_ecx)
{
    uint32_t low = 0, high = 0;
    if (cpuid_1_ecx & OSXSAVE)
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

instructions_t instructions_here(void)
{
    uint32_t word[CPUID_WORDS] = {0}, a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d))
        word[CPUID_1_ECX] = c;
    uint32_t subleaves = 0;
    if (__get_cpuid_count(7, 0, &subleaves, &b, &c, &d)) {
        word[CPUID_7_EBX] = b;
        word[CPUID_7_ECX] = c;
        word[CPUID_7_EDX] = d;
    }
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        word[CPUID_7_1_EAX] = a;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        word[CPUID_EXTENDED_ECX] = c;
    return instructions_decode(word, read_xcr0(word[CPUID_1_ECX]));
}
#else
instructions_t instructions_here(void)
{
    return ~(instructions_t)0;
}
#endif

instructions_t instructions_built(void)
{
    instructions_t built = 0;
    for (int i = 0; i < INSTRUCTIONS_N; i++)
        if (instructions_macro[i][0] == '1')
            built |= (instructions_t)1 << i;
    return built;
}

/* The newest level that all of them have. */
static const char *level_of(instructions_t here)
{
    return (here & LEVEL_4) == LEVEL_4   ? "x86-64-v4"
           : (here & LEVEL_3) == LEVEL_3 ? "x86-64-v3"
           : (here & LEVEL_2) == LEVEL_2 ? "x86-64-v2"
                                         : "x86-64";
}

static bool is_first_here(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return strcmp(getenv(names[i]), "0") == 0;
    return true;
}

status_t instructions_check(instructions_t built, instructions_t here)
{
    const instructions_t missing = built & ~here;
    if (!missing)
        return ST_OK;
    char host[256] = "", text[512] = "";
    size_t length = 0;
    gethostname(host, sizeof host - 1);
    for (int i = 0; i < INSTRUCTIONS_N; i++)
        if (missing >> i & 1 && length < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? ", " : "", rows[i].name);
    if (!is_first_here()) {
        log_set_level(LOG_NONE);
        sleep(1); /* a launcher ends the job when one rank has ended; the first is to have said why */
    }
    return FAIL(
        ST_INPUT,
        "this smelter was built with MARCH=%s, and the processor of %s lacks what it uses of that: %s; build it for the "
        "oldest processor of the cluster, which for this one is make MARCH=%s",
        instructions_march(), host, text, level_of(here));
}
