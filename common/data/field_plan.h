/* field_plan.h - the table plan of a run whose fields are known: by a dataset, or by what a run has recorded of its inputs.
 *
 * The names in section `fields` of a configuration become numbers here. */
#ifndef SMELTER_FIELD_PLAN_H
#define SMELTER_FIELD_PLAN_H

#include "common/config/table_plan.h"
#include "common/data/dataset.h"

/* The fields of a network's input without crosses, in the order of a dataset. */
typedef struct known_fields {
    const dataset_field_t *fields; /* [numeric + single + multi], borrowed */
    int32_t numeric, single, multi;
    const char *where;   /* "dataset x", for messages; so is the next */
    const char *variant; /* whose configuration it is; NULL: none, or known from elsewhere */
} known_fields_t;

/* field_plan_init - out **owned**, table_plan_fini.
 *
 * ST_INPUT: a name in the configuration is that of no field, or of one that is not fit for it; said. out is all zero then. */
WARN_UNUSED status_t field_plan_init(table_plan_t *out, const config_t *config, const known_fields_t *known);

/* field_plan_of - with the fields of a dataset; `path` is its name. */
WARN_UNUSED status_t field_plan_of(table_plan_t *out, const config_t *config, const dataset_info_t *info, const char *path);
WARN_UNUSED status_t field_plan_of_variant(table_plan_t *out, const config_t *config, const dataset_info_t *info,
                                           const char *path, const char *variant);

/* field_plan_is_named - the configuration names fields, so that there is something to be refused. */
bool field_plan_is_named(const config_t *config);

#endif
