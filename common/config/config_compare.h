/* config_compare.h - in what two configurations differ, key by key, and what each difference means.
 *
 * For code that continues what was begun with another configuration: a run from its checkpoint, an experiment in its folder. It
 * says what the keys' classes say (config_keys.h) and decides nothing: that at determinism sync a run needs the same ranks
 * again is the caller's rule.  Any thread.                                                                            */
#ifndef SMELTER_CONFIG_COMPARE_H
#define SMELTER_CONFIG_COMPARE_H

#include "common/config/config.h"
#include "common/config/layout.h"

typedef struct config_difference {
    char *name; /* "embedding.dim" */
    key_class_t change;
    char *before, *now; /* as in a resolved configuration: 8, [128, 64], relu, "text" */
} config_difference_t;

/* config_compare - all keys with different values, in the order of config_keys.h.
 *
 * out  [*n] **owned**, config_differences_destroy
 * Cannot fail. */
void config_compare(const config_t *before, const config_t *now, config_difference_t **out, int *n);
void config_differences_destroy(config_difference_t **differences, int n);

/* config_read_resolved - the config.yaml in the folder of a run, as config_from_text reads it; **owned**, config_destroy.
 * ST_INPUT, ST_SYSTEM: said. */
WARN_UNUSED status_t config_read_resolved(const char *path, config_t **out);

/* layout_compare - config_compare for the structs of any layout; layout_hash - config_hash likewise. */
void layout_compare(const layout_t *layout, const void *before, const void *now, config_difference_t **out, int *n);
uint64_t layout_hash(const layout_t *layout, const void *value);

#endif
