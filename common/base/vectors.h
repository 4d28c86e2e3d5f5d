/* vectors.h - how wide vectors are: of the program, and of a second build of the loops for which wider ones pay.
 *
 * VECTOR_BYTES: what one register of the program's MARCH holds. Vector types of that size stay in registers; of a larger one
 * gcc makes element after element through memory, up to twenty times as slow.
 *
 * WIDE before a function: beside the build for MARCH there is one for x86-64-v4 (AVX-512), and the loader takes the one that
 * the processor can run, once, before main. Both are the same C under the same rules, so the bits are the same. A call costs
 * what a call into a library does: WIDE is for functions that go over a row or more, and docs/PERFORMANCE.md says for which it
 * pays. It is nothing in a build for one processor (MARCH=native, haswell ..), on other processors than x86-64, with other
 * compilers than gcc, and under sanitizers, which are not ready when the loader asks. */
#ifndef SMELTER_VECTORS_H
#define SMELTER_VECTORS_H

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if defined(__x86_64__) && defined(__k8) && !defined(__clang__) && !defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) /* __k8: a level of x86-64, and no processor's name, as MARCH */
#define HAS_WIDE 1
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "default")))
#else
#define HAS_WIDE 0
#define WIDE
#endif

#endif
