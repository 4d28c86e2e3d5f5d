/* row_step.h - the step of a row as a run makes it: its optimizer, and what is done before it, of which most runs want nothing:
 *
 *     g := scale g ;   g := g min(1, clip_norm / |g|) ;   g := g + l2 w ;   w := w - lr weight_decay w ;   the optimizer's step
 *
 * Where nothing of it is asked for, `apply` is the optimizer's own. One thread per row_step, because of its scratch. */
#ifndef SMELTER_ROW_STEP_H
#define SMELTER_ROW_STEP_H

#include "common/kernels/optimizer.h"

typedef struct row_step {
    optimizer_settings_t settings; /* of the next step; the first member, by which apply finds the rest */
    optimizer_apply_fn *apply;     /* to be called with &settings */
    const optimizer_t *optimizer;
    float scale;    /* of gradients, before all else */
    float *scratch; /* [n] the longest row's gradient; borrowed */
} row_step_t;

/* row_step_init - scales: gradients will be scaled, by row_step.scale, which is 1 until the caller changes it.
 * scratch: [n] for the longest row, borrowed; NULL where row_step_is_plain. */
void row_step_init(row_step_t *step, const optimizer_t *optimizer, const optimizer_settings_t *settings, bool scales,
                   float *scratch);

/* row_step_is_plain - do these settings ask for nothing but the optimizer's own step? */
bool row_step_is_plain(const optimizer_settings_t *settings);

#endif
