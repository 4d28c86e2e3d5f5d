/* A plain ensemble: every component has its own loss, and their gradients never meet. */
#include "worker/objective.h"

const objective_kind_entry_t objective_independent = {.name = "independent"};
