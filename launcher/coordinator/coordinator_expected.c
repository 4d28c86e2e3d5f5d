/* What a run of this job would be, before it runs: its configuration and its dataset. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/field_plan.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/schedule_check.h"
#include "worker/network/model.h"

static status_t choose_examples(const coordinator_t *c, const config_t *config, bool trains)
{
    TRY(dataset_train_since(c->dataset, trains ? config->data.since : ""));
    return dataset_choose_label(c->dataset, config->data.label);
}

status_t coordinator_open_dataset(coordinator_t *c, const config_t *config, bool trains)
{
    if (c->dataset && strcmp(config->data.path, c->dataset_path) == 0)
        return choose_examples(c, config, trains);
    dataset_close(&c->dataset);
    mem_free(c->dataset_path);
    c->dataset_path = mem_strdup(config->data.path);
    TRY(dataset_open(config->data.path, 1 << 20, &c->dataset));
    return choose_examples(c, config, trains);
}

status_t coordinator_read_weights(coordinator_t *c, split_t split, float **out)
{
    enum { PIECE = 8192 };
    const dataset_info_t *info = dataset_info(c->dataset);
    const int64_t rows = dataset_split_rows(info, split);
    *out = NULL;
    if (!info->has_weight)
        return ST_OK;
    float *weight = MEM_ARRAY(float, rows);
    int64_t *position = MEM_ARRAY(int64_t, PIECE);
    dataset_example_t *example = MEM_ARRAY(dataset_example_t, PIECE);
    status_t status = ST_OK;
    for (int64_t first = 0; first < rows && status == ST_OK; first += PIECE) {
        const int n = (int)(rows - first < PIECE ? rows - first : PIECE);
        for (int i = 0; i < n; i++)
            position[i] = dataset_position(c->dataset, split, first + i);
        status = dataset_fetch(c->dataset, position, n, example);
        for (int i = 0; i < n && status == ST_OK; i++)
            weight[first + i] = example[i].block->weight[example[i].row];
    }
    mem_free(position);
    mem_free(example);
    if (status == ST_OK)
        *out = weight;
    else
        mem_free(weight);
    return status;
}

status_t coordinator_plan_tables(coordinator_t *c, const config_t *config)
{
    return field_plan_of(&c->plan, config, dataset_info(c->dataset), c->dataset_path);
}

const config_t *coordinator_config(const coordinator_t *c, int variant)
{
    return variant < 0 ? c->o.experiment->base : c->o.experiment->configs[variant];
}

/* The hash of what a run computes: where no batch is short, train.last_batch is no part of it, and runs of versions without
 * that key are what they were. config.yaml has the key as it was given. */
static uint64_t hash_of(const config_t *config, bool left_over)
{
    config_t computed = *config;
    if (!left_over)
        computed.train.last_batch = LAST_BATCH_OWN;
    return config_hash(&computed);
}

/* Said before anything is trained, and before an earlier run in the folder is touched. */
static status_t check_dropped(const config_t *config, const char *variant, int64_t left_over, const lanes_t *lanes)
{
    if (config->train.last_batch != LAST_BATCH_DROP || !left_over || lanes->total > 0)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: train.last_batch drop leaves nothing to train: all epochs have %" PRId64
                " examples%s, fewer than train.batch %" PRId64 "; "
                "use a smaller batch or train.last_batch scaled",
                variant, left_over, config_groups(config) > 1 ? " for each peer" : "", lanes->batch);
}

static bool stops_early(const experiment_t *experiment)
{
    bool any = experiment->base->evaluate.patience > 0;
    for (int v = 0; v < experiment->variants; v++)
        any = any || experiment->configs[v]->evaluate.patience > 0;
    return any;
}

/* One split for all runs of the job: they are compared. */
static split_t scored_split(const coordinator_t *c, const config_t *config)
{
    const bool has_test = dataset_info(c->dataset)->test_rows > 0;
    if (config->evaluate.split == SCORED_AUTO)
        return has_test && stops_early(c->o.experiment) ? SPLIT_TEST : SPLIT_EVAL;
    return config->evaluate.split == SCORED_TEST ? SPLIT_TEST : SPLIT_EVAL;
}

status_t coordinator_expected(coordinator_t *c, int variant, int replica, manifest_t *out)
{
    config_t *config;
    TRY(config_for_replica(coordinator_config(c, variant), replica, &config));
    status_t status = coordinator_open_dataset(c, config, true);
    if (status == ST_OK) {
        const roster_t *roster = c->o.roster;
        const split_t scored = scored_split(c, config);
        char build[32];
        snprintf(build, sizeof build, "%016" PRIx64, roster->entries[0].build);
        const int64_t train_rows = dataset_info(c->dataset)->train_rows, left_over = lanes_left_over(config, train_rows);
        const lanes_t lanes = lanes_of(config, train_rows);
        *out = (manifest_t){
            .experiment = mem_strdup(c->o.experiment->base->name),
            .variant = mem_strdup(variant < 0 ? c->o.experiment->base->name : c->o.experiment->names[variant]),
            .determinism = mem_strdup(config_determinism_word((determinism_t)config->determinism)),
            .build = mem_strdup(build),
            .kernels = mem_strdup(product_kernel_text(model_kernel(config))),
            .config_hash = hash_of(config, left_over > 0),
            .dataset_hash = dataset_info(c->dataset)->content_hash,
            .workers = config_active_workers(config, roster->workers),
            .servers = roster->servers,
            .shards_per_server = roster->shards_per_server,
            .steps = lanes_steps(&lanes),
            .scored = scored,
            .predictions = dataset_split_rows(dataset_info(c->dataset), scored),
            .left_over = left_over > 0,
            .processors = processors_of(roster, 0),
            .result = {.replica = replica, .init_seed = config->seed, .order_seed = config->data.order_seed},
            .continued = continued_of(config, c->dataset),
            .inputs = input_fields_of(dataset_info(c->dataset)),
        };
        status = check_dropped(config, out->variant, left_over, &lanes);
        if (status == ST_OK)
            status = schedule_check(config, out->variant, out->steps);
        if (status == ST_OK)
            status = coordinator_mix_teacher(c, config, replica, out);
        if (status == ST_OK) {
            input_fields_name(&out->inputs, config);
            out->config = config;
            config = NULL;
        } else {
            manifest_fini(out);
        }
    }
    config_destroy(&config);
    return status;
}

status_t coordinator_dataset(coordinator_t *c, dataset_t **out)
{
    TRY(coordinator_open_dataset(c, c->o.experiment->base, false));
    *out = c->dataset;
    return ST_OK;
}
