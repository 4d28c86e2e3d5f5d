#include "common/kernels/row_step.h"

#include <math.h>

/* In double, where no square of a float overflows; in order, which rows are short enough for. */
static float clip_share(const float *g, int64_t n, float most)
{
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++)
        squares += (double)g[i] * g[i];
    const double norm = sqrt(squares);
    return norm > most ? (float)(most / norm) : 1.0f;
}

static void apply_shaped(float *restrict w, float *restrict s, const float *restrict g, int64_t n,
                         const optimizer_settings_t *settings)
{
    const row_step_t *step = (const row_step_t *)settings;
    const float l2 = settings->l2, decay = settings->learning_rate * settings->weight_decay;
    const float keep = decay < 1.0f ? 1.0f - decay : 0.0f;
    float scale = step->scale, *restrict shaped = step->scratch;
    if (settings->clip_norm > 0.0f)
        scale *= clip_share(g, n, settings->clip_norm / scale);
    for (int64_t i = 0; i < n; i++)
        shaped[i] = scale * g[i] + l2 * w[i];
    for (int64_t i = 0; keep < 1.0f && i < n; i++)
        w[i] *= keep;
    step->optimizer->apply(w, s, shaped, n, settings);
}

bool row_step_is_plain(const optimizer_settings_t *settings)
{
    return settings->l2 == 0.0f && settings->weight_decay == 0.0f && settings->clip_norm == 0.0f;
}

void row_step_init(row_step_t *step, const optimizer_t *optimizer, const optimizer_settings_t *settings, bool scales,
                   float *scratch)
{
    const bool plain = row_step_is_plain(settings) && !scales;
    *step = (row_step_t){
        .settings = *settings,
        .apply = plain ? optimizer->apply : apply_shaped,
        .optimizer = optimizer,
        .scale = 1.0f,
        .scratch = scratch,
    };
}
