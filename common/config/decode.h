/* decode.h - from a merged tree to a filled C struct, by a layout. */
#ifndef SMELTER_DECODE_H
#define SMELTER_DECODE_H

#include "common/base/status.h"
#include "common/config/layout.h"

/* decode_tree - fill a struct of this layout from a tree that has every key of it.
 *
 * tree  every value that is wrong, and every wrong element of a list, is an error line that names its place, what is there
 *       and what is allowed
 * out   **owned**; layout_destroy. Written only where there were no errors.
 * ST_INPUT where a person's value is wrong. */
WARN_UNUSED status_t decode_tree(const layout_t *layout, const yaml_t *tree, void **out);

#endif
