#include "common/products/product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return FAIL(ST_INPUT, "%s is %s, which %s; this processor can run %s", PRODUCT_ENVIRONMENT, wanted(),
                kernel ? "needs instructions that are not here" : "is no kernel of matrix products", here);
}
