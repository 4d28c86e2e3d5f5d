/* processor.h - what the bits of a result depend on, beside program, data and configuration: which matrix kernels the BLAS
 * library has chosen for this processor. One more is compared with it, which decides nothing since elementary functions are
 * our own (common/math) but did in builds that a run may have been begun with: which variants of its functions the C library
 * has. The width of the vectors of our own kernels is shown, and not compared: no bit depends on it.
 *
 * Names alone may be the same where results are not (a patched library, GLIBC_TUNABLES), so a probe goes with them: a hash over
 * what the functions return for fixed arguments. */
#ifndef SMELTER_PROCESSOR_H
#define SMELTER_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESSOR_NAME_BYTES 112
#define PROCESSOR_TEXT_BYTES 160

/* Plain bytes, zero behind the name, so that it can be sent as it is. */
typedef struct processor {
    char name[PROCESSOR_NAME_BYTES]; /* "OpenBLAS 0.3.21 kernel Haswell, glibc 2.36 fma, 512-bit vectors" */
    uint64_t probe;
} processor_t;

/* processor_here - of this process. Cost: 2 ms, once. Main thread. */
const processor_t *processor_here(void);

/* processor_is_same - bits may be expected to be equal. */
bool processor_is_same(const processor_t *a, const processor_t *b);

/* processor_text - its name, and the probe's hash, which tells two of the same name apart; returns text. */
const char *processor_text(const processor_t *processor, char text[PROCESSOR_TEXT_BYTES]);

#endif
