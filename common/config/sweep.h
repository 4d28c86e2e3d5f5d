/* sweep.h - one entry of `variants:` that stands for many.
 *
 *     - name: smelu
 *       model: {activation: smelu}
 *       sweep: {model.beta: [0.5, 1, 2]}        # becomes smelu-beta0.5, smelu-beta1, smelu-beta2
 *
 * Several keys give every combination of their values. */
#ifndef SMELTER_SWEEP_H
#define SMELTER_SWEEP_H

#include "common/config/yaml_tree.h"

/* sweep_expand - replace every entry of the list that has a `sweep` by its variants, in the order of the values. list  in/out,
 * **owned**; anything but a list is left alone (its reader reports it).  ST_INPUT with one line per error. */
WARN_UNUSED status_t sweep_expand(yaml_t **list);

#endif
