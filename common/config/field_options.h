/* field_options.h - what a configuration says of fields by their names (section `fields`).
 *
 *     fields:
 *       widths: {user_id: 32, tab: 4}          # the rows of these are as wide, all others embedding.dim
 *       share: {history: user_id}              # history has its rows in the table of user_id
 *       crosses:                               # fields "user_id x tab" and "user_id x hour"
 *         - [user_id, tab]
 *         - {of: [user_id, hour], width: 4, buckets: 100000}
 *
 * Which fields there are only a dataset knows: what can be said without one is checked here, the rest by field_plan.h. */
#ifndef SMELTER_FIELD_OPTIONS_H
#define SMELTER_FIELD_OPTIONS_H

#include "common/config/config.h"
#include "common/config/table_plan.h"
#include "common/config/yaml_tree.h"

#define FIELD_WIDTH_MAX 4096 /* as embedding.dim (config_keys.h) */
#define FIELD_CROSSES_MAX 64
#define FIELD_BUCKETS_MAX (INT64_C(1) << 40)
#define FIELD_NAME_MAX 63 /* bytes: as a dataset keeps it (dataset.h) */

typedef struct field_width {
    char *name;
    int32_t width;
} field_width_t;

typedef struct field_share {
    char *name, *owner;
} field_share_t;

typedef struct field_cross {
    char *name; /* "user_id x tab" */
    char *part[CROSS_PARTS_MAX];
    int parts;
    int32_t width;   /* 0: embedding.dim */
    int64_t buckets; /* 0: no limit */
} field_cross_t;

typedef struct field_options {
    int widths, shares, crosses;
    field_width_t *width; /* **owned**, as all */
    field_share_t *share;
    field_cross_t *cross;
} field_options_t;

/* field_options_check - an error line for all that is wrong in the section of a merged tree; returns how many. */
int field_options_check(const yaml_t *tree);

/* field_options_of - of a configuration, which has been checked; **owned**, field_options_fini. */
void field_options_of(const config_t *config, field_options_t *out);
void field_options_fini(field_options_t *options);

/* field_options_owner - the name of the field whose table has the rows of a field: mostly its own.
 * field_options_width - the width of the rows of a field, which is that of the owner. */
const char *field_options_owner(const field_options_t *options, const char *name);
int32_t field_options_width(const field_options_t *options, const config_t *config, const char *name);

/* field_options_scale - every width that is given is multiplied by factor, as field_options_scaled does it. */
void field_options_scale(config_t *config, double factor);

/* field_options_scaled - round(width * factor), but 1 at least and FIELD_WIDTH_MAX at most. */
int32_t field_options_scaled(int64_t width, double factor);

#endif
