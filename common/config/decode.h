/* decode.h - from a merged tree to a filled C struct. The only user of libcyaml. */
#ifndef SMELTER_DECODE_H
#define SMELTER_DECODE_H

#include "common/base/status.h"
#include "common/config/layout.h"

/* decode_tree - fill a struct of this layout from a tree that has every key of it.
 *
 * tree  in/out; numbers are checked first (layout_check_numbers). A value that is wrong is an error line that names its
 *       place, and its node is replaced by the default, so that one call reports everything
 * out   **owned**; layout_destroy. Written only where there were no errors.
 * ST_INPUT where a person's value is wrong. */
WARN_UNUSED status_t decode_tree(const layout_t *layout, yaml_t *tree, void **out);

#endif
