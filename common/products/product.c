#include "common/products/product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/products/gemm.h"
#include "common/products/product_kernels.h"

static const product_kernel_t *const kernels[] = {
#if defined(__x86_64__)
    &product_avx512,
    &product_avx2,
#elif defined(__aarch64__)
    &product_neon,
#endif
    &product_plain,
};

#define KERNELS ((int)(sizeof kernels / sizeof *kernels))

const product_kernel_t *product_kernel_at(int i)
{
    return i < KERNELS ? kernels[i] : NULL;
}

/* The kernel of that name, or NULL. */
static const product_kernel_t *named(const char *name)
{
    for (int i = 0; i < KERNELS; i++)
        if (strcmp(kernels[i]->name, name) == 0)
            return kernels[i];
    return NULL;
}

static const char *wanted(void)
{
    const char *name = getenv(PRODUCT_ENVIRONMENT);
    return name && *name ? name : NULL;
}

const product_kernel_t *product_kernel_here(void)
{
    const product_kernel_t *kernel = wanted() ? named(wanted()) : NULL;
    for (int i = 0; i < KERNELS && !kernel; i++)
        if (kernels[i]->is_here())
            kernel = kernels[i];
    return kernel;
}

const char *product_kernel_text(const product_kernel_t *kernel)
{
    return kernel ? kernel->text : gemm_kernel_name();
}

bool product_is_slow(const product_kernel_t *kernel)
{
    static const char *const fused[] = {"Haswell",  "Zen",        "SkylakeX",    "Cooperlake",
                                        "Sapphire", "Piledriver", "Steamroller", "Excavator"};
    const char *core = strstr(gemm_kernel_name(), ", kernel ");
    for (size_t i = 0; core && i < sizeof fused / sizeof *fused; i++)
        if (strncasecmp(core + strlen(", kernel "), fused[i], strlen(fused[i])) == 0)
            return false;
#if defined(__x86_64__)
    const bool is_fused_here = product_avx2.is_here();
#else
    const bool is_fused_here = false; /* OpenBLAS has no other kernels there */
#endif
    return !kernel && is_fused_here;
}

bool product_texts_agree(const char *a, const char *b)
{
    const size_t own = strlen(PRODUCT_OWN);
    return strcmp(a, b) == 0 || (strncmp(a, PRODUCT_OWN, own) == 0 && strncmp(b, PRODUCT_OWN, own) == 0);
}

status_t product_kernel_check(void)
{
    if (!wanted())
        return ST_OK;
    const product_kernel_t *kernel = named(wanted());
    if (kernel && kernel->is_here())
        return ST_OK;
    char here[128] = "";
    for (int i = 0; i < KERNELS; i++)
        if (kernels[i]->is_here())
            snprintf(here + strlen(here), sizeof here - strlen(here), "%s%s", *here ? ", " : "", kernels[i]->name);
    if (kernel)
        return FAIL(ST_INPUT,
                    PRODUCT_ENVIRONMENT " is %s, which needs instructions that are not here; this processor can run %s",
                    wanted(), here);
    return FAIL(ST_INPUT, PRODUCT_ENVIRONMENT " is %s, which is no kernel of matrix products; this processor can run %s",
                wanted(), here);
}
