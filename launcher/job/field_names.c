#include "launcher/job/field_names.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/field_plan.h"

/* Is there anything to look up? The same on every rank. */
static bool is_asked(const experiment_t *e)
{
    bool asked = field_plan_is_named(e->base);
    for (int v = 0; v < e->variants; v++)
        asked = asked || field_plan_is_named(e->configs[v]);
    return asked;
}

static status_t check(const config_t *config, const char *variant)
{
    dataset_t *dataset;
    table_plan_t plan;
    if (!field_plan_is_named(config))
        return ST_OK;
    TRY(dataset_open(config->data.path, 1 << 20, &dataset));
    const status_t status = field_plan_of_variant(&plan, config, dataset_info(dataset), config->data.path, variant);
    if (status == ST_OK)
        table_plan_fini(&plan);
    dataset_close(&dataset);
    return status;
}

static status_t check_all(const experiment_t *e)
{
    if (e->variants == 0)
        return check(e->base, NULL);
    for (int v = 0; v < e->variants; v++)
        TRY(check(e->configs[v], e->names[v]));
    return ST_OK;
}

status_t field_names_agree(cluster_t *cluster, const experiment_t *e)
{
    if (!is_asked(e))
        return ST_OK;
    const int32_t mine = cluster_rank(cluster) == 0 ? (int32_t)check_all(e) : 0;
    int32_t *all = MEM_ARRAY(int32_t, cluster_size(cluster));
    status_t status = cluster_gather_all(cluster, &mine, sizeof mine, all);
    if (status == ST_OK)
        status = (status_t)all[0]; /* who has said what is wrong */
    mem_free(all);
    return status;
}
