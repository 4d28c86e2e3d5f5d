/* config_paths.h - what a relative path in a configuration means: beside the file that says it. One that was given as an
 * argument (--set) is relative to the current folder, as a shell would have it. */
#ifndef SMELTER_CONFIG_PATHS_H
#define SMELTER_CONFIG_PATHS_H

#include "common/config/yaml_tree.h"

/* config_paths_join - data.input, where a list is given, becomes one text with a line for each. Returns the number of
 * errors. */
int config_paths_join(yaml_t *tree);

/* config_paths_resolve - make data.path, data.input, data.schema, warm_start and teacher.run of a merged tree absolute.
 *
 * A warm_start or teacher.run that was given as an argument stays as it is written, because it is part of what a run is
 * (config_hash). Once paths in a file were relative to the current folder: one that names nothing beside the file and
 * something in the current folder is an error that names both. Returns the number of errors. */
int config_paths_resolve(yaml_t *tree);

#endif
