/* instructions.h - whether this processor has the instructions that the program was built with; without them the program would
 * end with SIGILL, somewhere.
 *
 * instructions.c, main.c and what they call to say an error are built for the oldest processor (the Makefile's OLDEST); the
 * check comes before anything that is not. On other processors than x86-64 nothing is checked. */
#ifndef SMELTER_INSTRUCTIONS_H
#define SMELTER_INSTRUCTIONS_H

#include <stdint.h>

#include "common/base/status.h"

/* X(id, name as in /proc/cpuinfo, macro that a compiler may use it by, word of cpuid, bit there, registers that the system must
 * save): what a compiler emits for plain C on its own account. What programs must ask for (AES, SHA, AMX ...) is not here. */
#define INSTRUCTIONS(X) \
    X(SSE3, "pni", __SSE3__, CPUID_1_ECX, 0, 0) \
    X(SSSE3, "ssse3", __SSSE3__, CPUID_1_ECX, 9, 0) \
    X(FMA, "fma", __FMA__, CPUID_1_ECX, 12, SAVES_YMM) \
    X(CX16, "cx16", __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16, CPUID_1_ECX, 13, 0) \
    X(SSE4_1, "sse4_1", __SSE4_1__, CPUID_1_ECX, 19, 0) \
    X(SSE4_2, "sse4_2", __SSE4_2__, CPUID_1_ECX, 20, 0) \
    X(MOVBE, "movbe", __MOVBE__, CPUID_1_ECX, 22, 0) \
    X(POPCNT, "popcnt", __POPCNT__, CPUID_1_ECX, 23, 0) \
    X(AVX, "avx", __AVX__, CPUID_1_ECX, 28, SAVES_YMM) \
    X(F16C, "f16c", __F16C__, CPUID_1_ECX, 29, SAVES_YMM) \
    X(BMI1, "bmi1", __BMI__, CPUID_7_EBX, 3, 0) \
    X(AVX2, "avx2", __AVX2__, CPUID_7_EBX, 5, SAVES_YMM) \
    X(BMI2, "bmi2", __BMI2__, CPUID_7_EBX, 8, 0) \
    X(AVX512F, "avx512f", __AVX512F__, CPUID_7_EBX, 16, SAVES_ZMM) \
    X(AVX512DQ, "avx512dq", __AVX512DQ__, CPUID_7_EBX, 17, SAVES_ZMM) \
    X(AVX512IFMA, "avx512ifma", __AVX512IFMA__, CPUID_7_EBX, 21, SAVES_ZMM) \
    X(AVX512CD, "avx512cd", __AVX512CD__, CPUID_7_EBX, 28, SAVES_ZMM) \
    X(AVX512BW, "avx512bw", __AVX512BW__, CPUID_7_EBX, 30, SAVES_ZMM) \
    X(AVX512VL, "avx512vl", __AVX512VL__, CPUID_7_EBX, 31, SAVES_ZMM) \
    X(AVX512VBMI, "avx512vbmi", __AVX512VBMI__, CPUID_7_ECX, 1, SAVES_ZMM) \
    X(AVX512VBMI2, "avx512_vbmi2", __AVX512VBMI2__, CPUID_7_ECX, 6, SAVES_ZMM) \
    X(GFNI, "gfni", __GFNI__, CPUID_7_ECX, 8, 0) \
    X(AVX512VNNI, "avx512_vnni", __AVX512VNNI__, CPUID_7_ECX, 11, SAVES_ZMM) \
    X(AVX512BITALG, "avx512_bitalg", __AVX512BITALG__, CPUID_7_ECX, 12, SAVES_ZMM) \
    X(AVX512VPOPCNTDQ, "avx512_vpopcntdq", __AVX512VPOPCNTDQ__, CPUID_7_ECX, 14, SAVES_ZMM) \
    X(AVX512FP16, "avx512_fp16", __AVX512FP16__, CPUID_7_EDX, 23, SAVES_ZMM) \
    X(AVXVNNI, "avx_vnni", __AVXVNNI__, CPUID_7_1_EAX, 4, SAVES_YMM) \
    X(LAHF, "lahf_lm", __LAHF_SAHF__, CPUID_EXTENDED_ECX, 0, 0) \
    X(LZCNT, "abm", __LZCNT__, CPUID_EXTENDED_ECX, 5, 0) \
    X(SSE4A, "sse4a", __SSE4A__, CPUID_EXTENDED_ECX, 6, 0) \
    X(XOP, "xop", __XOP__, CPUID_EXTENDED_ECX, 11, SAVES_YMM) \
    X(FMA4, "fma4", __FMA4__, CPUID_EXTENDED_ECX, 16, SAVES_YMM) \
    X(TBM, "tbm", __TBM__, CPUID_EXTENDED_ECX, 21, 0)

enum {
#define INSTRUCTIONS_ID(id, name, macro, word, bit, saves) INSTRUCTIONS_##id,
    INSTRUCTIONS(INSTRUCTIONS_ID)
#undef INSTRUCTIONS_ID
        INSTRUCTIONS_N
};

/* Sets of instructions: bit INSTRUCTIONS_AVX and so on. */
typedef uint64_t instructions_t;

enum { CPUID_1_ECX, CPUID_7_EBX, CPUID_7_ECX, CPUID_7_EDX, CPUID_7_1_EAX, CPUID_EXTENDED_ECX, CPUID_WORDS };

/* instructions_decode - what a processor has that answers so, with a system that saves these registers (XCR0).
 * instructions_here - what this one has.  instructions_built - what the program was built with. */
instructions_t instructions_decode(const uint32_t word[CPUID_WORDS], uint64_t saved);
instructions_t instructions_here(void);
instructions_t instructions_built(void);

/* instructions_check - ST_INPUT where `built` has more than `here`: the line names what, on which host, and what to build. Of
 * the ranks that a launcher has started on a host, only the first says it. */
WARN_UNUSED status_t instructions_check(instructions_t built, instructions_t here);

/* instructions_march - the MARCH that the program was built with: "x86-64-v3", or "native (cooperlake)". For ever. */
const char *instructions_march(void);

/* instructions_built.c: the text "1" at the beginning where the compiler may use it, else the name of its macro. Data alone. */
#define INSTRUCTIONS_MACRO_BYTES 40
extern const char instructions_macro[INSTRUCTIONS_N][INSTRUCTIONS_MACRO_BYTES];

#endif
