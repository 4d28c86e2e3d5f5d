/* schema_layout.h - the keys of an import schema, for decoding and for documentation. */
#ifndef SMELTER_SCHEMA_LAYOUT_H
#define SMELTER_SCHEMA_LAYOUT_H

#include "common/config/layout.h"

extern const layout_t schema_layout;        /* of schema_t, but for its columns */
extern const layout_t schema_column_layout; /* of schema_column_t: one entry of `columns:` */

#endif
