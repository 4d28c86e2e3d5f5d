#include "common/kernels/processor.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/vectors.h"
#include "common/products/gemm.h"

enum { ROWS = 37, IN = 53, OUT = 29, POINTS = 4096 }; /* with a few hundred points the variants of exp agree in all of them */

/* glibc chooses by the processor among variants of exp, log, pow and others; the fused multiply-add of the first rounds once
 * where the others round twice. */
static const char *libm_variant(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2") ? "fma"
           : __builtin_cpu_supports("fma4")                                ? "fma4"
           : __builtin_cpu_supports("avx")                                 ? "avx"
                                                                           : "sse2";
#else
    return "of one variant";
#endif
}

/* Of our own kernels here. */
static int vector_bits(void)
{
#if HAS_WIDE
    if (__builtin_cpu_supports("x86-64-v4"))
        return 512;
#endif
    return 8 * VECTOR_BYTES;
}

/* Numbers without a pattern, the same everywhere: of (-1, 1). */
static double number(int i)
{
    return (double)((i * 7919 + 104729) % 20011) / 10007.0 - 1.0;
}

static uint64_t probe_gemm(uint64_t hash)
{
    float x[ROWS * IN], w[OUT * IN], a[ROWS * OUT], dx[ROWS * IN], dw[OUT * IN];
    for (int i = 0; i < ROWS * IN; i++)
        x[i] = (float)number(i);
    for (int i = 0; i < OUT * IN; i++)
        w[i] = (float)number(i + 5000);
    gemm_forward(a, x, w, ROWS, IN, OUT);
    gemm_input_gradient(dx, a, w, ROWS, IN, OUT);
    gemm_weight_gradient(dw, a, x, ROWS, IN, OUT);
    hash = hash64(a, sizeof a, hash);
    hash = hash64(dx, sizeof dx, hash);
    return hash64(dw, sizeof dw, hash);
}

static uint64_t probe_libm(uint64_t hash)
{
    for (int i = 0; i < POINTS; i++) {
        const double x = 5.0 * number(i), y = fabs(x) + 1e-3;
        const double values[] = {exp(x), log(y), log1p(y), pow(y, x), tanh(x), erf(x), sin(x), cos(x), cosh(x)};
        const float floats[] = {expf((float)x), logf((float)y), powf((float)y, (float)x)};
        hash = hash64(values, sizeof values, hash);
        hash = hash64(floats, sizeof floats, hash);
    }
    return hash;
}

const processor_t *processor_here(void)
{
    static processor_t here;
    if (here.name[0])
        return &here;
    const char *blas = gemm_kernel_name(), *kernel = strstr(blas, ", kernel ");
    int words = (int)strcspn(blas, " ,");
    words += blas[words] == ' ' ? 1 + (int)strcspn(blas + words + 1, " ,") : 0; /* "OpenBLAS 0.3.21" */
    snprintf(here.name, sizeof here.name, "%.*s kernel %.24s, glibc %s %s, %d-bit vectors", words < 32 ? words : 32, blas,
             kernel ? kernel + strlen(", kernel ") : "unknown", gnu_get_libc_version(), libm_variant(), vector_bits());
    gemm_init();
    here.probe = probe_libm(probe_gemm(0));
    return &here;
}

/* The width of vectors, which changes no bit, is the last of a name, and left out. */
static size_t counting(const char *name)
{
    const char *last = strrchr(name, ',');
    return last && strstr(last, "-bit vectors") ? (size_t)(last - name) : strlen(name);
}

bool processor_is_same(const processor_t *a, const processor_t *b)
{
    const size_t length = counting(a->name);
    return length == counting(b->name) && memcmp(a->name, b->name, length) == 0 && a->probe == b->probe;
}

const char *processor_text(const processor_t *processor, char text[PROCESSOR_TEXT_BYTES])
{
    snprintf(text, PROCESSOR_TEXT_BYTES, "%s, probe %08" PRIx64, processor->name, processor->probe >> 32);
    return text;
}
