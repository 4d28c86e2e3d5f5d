/* config_check.h - combinations of values, each allowed by itself, that cannot work together. */
#ifndef SMELTER_CONFIG_CHECK_H
#define SMELTER_CONFIG_CHECK_H

#include "common/config/config.h"
#include "common/config/yaml_tree.h"

#define COMPLAINT_KEYS 3
#define COMPLAINTS_MAX 29

typedef struct complaint {
    const char *keys[COMPLAINT_KEYS]; /* involved, the likeliest to be changed first; the rest NULL */
    char *text;                       /* what is wrong and what to use; **owned** */
} complaint_t;

/* config_complaints - everything that is wrong with a decoded configuration; returns how many were written. */
int config_complaints(const config_t *config, complaint_t out[COMPLAINTS_MAX]);

/* config_unused_settings - how many settings of a merged tree, which has been decoded, the optimizer of their section does not
 * know; each an error line. One that was said before the optimizer was (in the file, and a variant or --set then took another
 * optimizer) is no error, nor are initial_accumulator and epsilon, which always were allowed beside any. */
int config_unused_settings(const yaml_t *tree);

#endif
