/* A plain ensemble: every component has its own loss, and their gradients never meet. */
#include <stddef.h>

#include "worker/objective.h"

const objective_kind_entry_t objective_independent = {"independent", NULL, NULL, NULL, NULL};
