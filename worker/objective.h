/* objective.h - from the logits of K components on one lane to the gradients that go back into them: the loss to label and
 * teacher, and what binds components together. One line in objective.c and one file per kind (docs/MATH.md section 4).
 *
 * Statistics over examples (correlation, covariance) are those of one lane, never of the batch: a lane is the largest set of
 * examples that is the same for every number of workers. The last lane of a short last batch may have too few for any: it then
 * has its loss to label and teacher alone (but with train.last_batch own). Pure arithmetic in a fixed order; one thread per
 * objective_t.                                                                                                       */
#ifndef SMELTER_OBJECTIVE_H
#define SMELTER_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/products/matrix.h"

/* One lane. Rows are contiguous; arrays of K pointers, one per component. */
typedef struct objective_lane {
    int rows;
    int64_t step;
    float scale;                /* 1 / what the sum over the batch's examples is divided by: lanes_divisor */
    const float *y;             /* [rows] labels */
    const float *weight;        /* [rows] of each example's losses, 1 in the mean; or NULL: 1 */
    const float *teacher;       /* [rows] probabilities, NaN: of this example there is none; or NULL */
    const float *const *z;      /* [K][rows] logits */
    const float *const *hidden; /* [K][rows][hidden_width] last hidden outputs; read where objective_uses_hidden */
    float *const *p;            /* [K][rows] out: sigma(z) */
    float *const *dz;           /* [K][rows] out: gradient by the logits */
    float *const *dhidden;      /* [K][rows][hidden_width] out where objective_uses_hidden: gradient by the hidden outputs */
} objective_lane_t;

typedef struct objective objective_t;

/* objective_create - of config (borrowed); steps: all steps of the run, which schedules are shares of. lane_rows: most rows of
 * a lane; hidden_width: units of the last hidden layer.  **owned**; objective_destroy. */
objective_t *objective_create(const config_t *config, int64_t steps, int lane_rows, int hidden_width);
void objective_destroy(objective_t **objective);

/* objective_uses_hidden - does it need hidden outputs and give gradients by them? */
bool objective_uses_hidden(const objective_t *objective);

/* objective_least_rows - fewest examples of a lane over which the objective's statistic can differ from what it is for any: a
 * correlation over two is always 1 or -1. 1 where it takes none. */
int objective_least_rows(const config_t *config);

/* objective_apply - p, dz and dhidden of a lane. ST_INPUT where a component's loss is not finite (the training diverged). */
WARN_UNUSED status_t objective_apply(objective_t *objective, const objective_lane_t *lane);

/* objective_share - how far a scheduled loss is switched on at a step, 0 .. 1: nothing before burn_in, then a line of length
 * ramp up to 1, nothing from `until` on; all three are shares of `steps`. */
double objective_share(double burn_in, double ramp, double until, int64_t step, int64_t steps);

/* ---- for the kinds ---- */

/* What a kind adds to the gradients that objective_apply has written: dz += scale * d extra / dz, and dhidden := likewise. */
typedef struct objective_kind_entry {
    const char *name;    /* the word of objective.kind */
    bool is_of_examples; /* a sum over examples, each of which counts by its weight; else a statistic, which has none */
    bool (*uses_hidden)(const config_t *config);
    int (*least_rows)(const config_t *config); /* objective_least_rows; NULL: 1 */
    int64_t (*scratch_floats)(const config_t *config, int lane_rows, int hidden_width);
    int (*matrix_width)(const config_t *config, int hidden_width); /* [width][width] of its matrix; NULL: it has none */
    /* scale: of the lane, times the weight at this step */
    void (*add)(const config_t *config, const objective_lane_t *lane, int hidden_width, float scale, float *scratch,
                matrix_t *matrix);
} objective_kind_entry_t;

extern const objective_kind_entry_t objective_independent, objective_codistill, objective_antidistill;

#endif
