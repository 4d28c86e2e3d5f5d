/* gsmelu_print.h - the learned numbers of a run's activations, for a person. */
#ifndef SMELTER_GSMELU_PRINT_H
#define SMELTER_GSMELU_PRINT_H

#include "common/base/status.h"

/* gsmelu_print - print the learned gSmeLU sets of all components of a finished run, a line each; nothing where none are
 * learned. dir is the run's folder, with config.yaml and dense-K.f32. ST_CORRUPT where the two do not fit. */
WARN_UNUSED status_t gsmelu_print(const char *dir);

#endif
