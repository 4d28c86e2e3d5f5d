/* activated_layers.h - what was seen of the activated layers of a run while it trained: how far its pre-activations spread, and
 * how much of them the activation bends or clips. A sample, of the first examples of every step since the run's last start
 * (docs/MATH.md, section 3), which is the same for any number of workers. */
#ifndef SMELTER_ACTIVATED_LAYERS_H
#define SMELTER_ACTIVATED_LAYERS_H

#include <stddef.h>

#include "common/base/status.h"
#include "common/files/jsondoc.h"
#include "common/net/message.h"

typedef struct activated_layer {
    int component, layer; /* layer 0 is that of the inputs */
    double beta;          /* that it ended with; NaN where it has none, or units have learned their own */
    double spread;        /* standard deviation of pre-activations */
    double inside_share;  /* of them, inside [-beta, beta]; NaN where the activation has no beta */
    double clipped_share; /* of values */
} activated_layer_t;

typedef struct activated_layers {
    activated_layer_t *at; /* **owned**, [n], by component and layer */
    size_t cap;
    int n; /* 0: not recorded, or nothing is activated */
} activated_layers_t;

/* activated_layers_add - of one component, its layers from 0 on; components come in any order. A layer whose spread is NaN is
 * not activated, and is left out. */
void activated_layers_add(activated_layers_t *layers, int component, const message_activated_t *seen, const float *clipped,
                          int n);

/* activated_layers_put / activated_layers_get - as the member "activated_layers"; nothing where there are none. get: out is
 * empty where the member is missing, as in what older programs wrote; ST_CORRUPT names `where` and what is wrong.  **owned** */
void activated_layers_put(jsondoc_t *object, const activated_layers_t *layers);
WARN_UNUSED status_t activated_layers_get(const jsondoc_t *object, const char *where, activated_layers_t *out);

/* activated_layers_print - a line each, for a person. */
void activated_layers_print(const activated_layers_t *layers);

void activated_layers_fini(activated_layers_t *layers);

#endif
