#include "common/products/gemm.h"

#include <cblas.h>
#include <stdio.h>

void gemm_init(void)
{
    openblas_set_num_threads(1);
}

const char *gemm_kernel_name(void)
{
    static char name[256];
    if (!name[0])
        snprintf(name, sizeof name, "%s, kernel %s", openblas_get_config(), openblas_get_corename());
    return name;
}

void gemm_forward(float *restrict a, const float *restrict x, const float *restrict w, int rows, int in, int out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, out, in, 1.0f, x, in, w, in, 0.0f, a, out);
}

void gemm_input_gradient(float *restrict dx, const float *restrict da, const float *restrict w, int rows, int in, int out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, in, out, 1.0f, da, out, w, in, 0.0f, dx, in);
}

void gemm_add_input_gradient(float *restrict dx, const float *restrict da, const float *restrict w, int rows, int in, int out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, in, out, 1.0f, da, out, w, in, 1.0f, dx, in);
}

void gemm_weight_gradient(float *restrict dw, const float *restrict da, const float *restrict x, int rows, int in, int out)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, rows, 1.0f, da, out, x, in, 0.0f, dw, in);
}
