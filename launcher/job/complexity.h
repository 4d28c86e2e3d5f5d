/* complexity.h - how large a variant's model is, and variants scaled to the size of another (complexity.match).
 *
 * Pure arithmetic on a configuration and what the dataset says about its fields. Rank 0 works it out before the first run and
 * tells the other ranks, which need not have the dataset.                                                             */
#ifndef SMELTER_COMPLEXITY_H
#define SMELTER_COMPLEXITY_H

#include "common/cluster/cluster.h"
#include "common/config/config.h"
#include "common/config/table_plan.h"
#include "common/data/dataset.h"

/* complexity_count - size of a model: of all components, for complexity_measure_t.
 *   parameters  rows D (sets of tables) + K (the network's, without learned numbers of activations); rows: distinct values of
 *               all fields; D: the width of each one's
 *   flops       K (the network's per example); both of a network as model_size */
double complexity_count(const config_t *config, const dataset_info_t *info, int measure);

/* complexity_rows - rows of a table of a set, as far as the dataset tells: those of its field that has the most; of a cross no
 * more than its parts, its buckets or the dataset allow. */
double complexity_rows(const table_plan_t *plan, const dataset_info_t *info, int table);

/* complexity_scale - the embedding width, those of single fields and the hidden widths of `config`, scaled by about one factor
 * so that its size comes as near to `target` as whole numbers allow without bending its shape (complexity.c says how the two
 * are weighed); written into it. ST_INPUT where even widths of 1 are larger than the target. */
WARN_UNUSED status_t complexity_scale(config_t *config, const char *name, const dataset_info_t *info, double target);

/* complexity_agree - scale every variant that has complexity.match, on rank 0, and take its widths on all ranks; the log says
 * which. complexity.match is empty afterwards: what it led to is in the widths. Collective; every rank returns the same status.
 * After field_names_agree. ST_INPUT: a size that cannot be met, or a dataset that cannot be read. */
WARN_UNUSED status_t complexity_agree(cluster_t *cluster, experiment_t *experiment);

#endif
