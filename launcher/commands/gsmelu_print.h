/* gsmelu_print.h - the learned numbers of a run's activations, for a person. */
#ifndef SMELTER_GSMELU_PRINT_H
#define SMELTER_GSMELU_PRINT_H

#include "launcher/run/run_reader.h"

/* gsmelu_print - print the learned gSmeLU sets of all components of a finished run, a line each; nothing where none are
 * learned. run: opened for its configuration and its dense
 * parameters; ST_CORRUPT where the two do not fit. */
WARN_UNUSED status_t gsmelu_print(run_reader_t *run);

#endif
