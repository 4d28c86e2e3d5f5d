/* Everything is asked of the code that trains: a network is made as a worker makes it, rows are looked up in an empty table as
 * a shard has it, and the order is the one that a loader takes. So what is exported is what a training starts from, and nothing
 * is told twice. */
#include "launcher/commands/initial_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/config/lanes.h"
#include "common/data/cross_key.h"
#include "common/data/field_plan.h"
#include "common/data/order.h"
#include "common/files/plain_arrays.h"
#include "common/files/run_paths.h"
#include "launcher/run/manifest.h"
#include "ps/table/table.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

#define FORMAT 1
#define DOCUMENT "initial.json"
#define FETCHED_AT_ONCE 4096 /* examples, whose blocks are in memory together */
#define NAME_BYTES 64

/* The values of a multi-valued field, example after example. */
typedef struct plain_lists {
    int64_t *first; /* [rows + 1] */
    uint64_t *key;
    float *weight;
    size_t keys, weights; /* capacities */
} plain_lists_t;

/* A split as columns. */
typedef struct plain_split {
    const char *name;
    int64_t rows;
    uint8_t *label;
    float *numeric;   /* [rows][numeric] */
    uint64_t *single; /* [rows][single] */
    plain_lists_t *multi;
} plain_split_t;

typedef struct initial {
    manifest_t run;
    config_t *config;
    table_plan_t plan;
    dataset_t *dataset;
    const dataset_info_t *info; /* borrowed */
    plain_split_t splits[2];
    plain_arrays_t *arrays;
    jsondoc_t *document;
} initial_t;

/* ---- the run and its data ------------------------------------------------------------------------------------------------ */

static status_t read_config(initial_t *e, const char *run_dir)
{
    char *path = run_path(run_dir, FILE_CONFIG);
    status_t status = config_read_resolved(path, &e->config);
    if (status == ST_OK && !manifest_has_config(&e->run, e->config))
        status = FAIL(ST_CORRUPT, "%s: is not the configuration of the run beside it; it changed after training", path);
    mem_free(path);
    if (status == ST_OK && *e->config->warm_start)
        status = FAIL(ST_INPUT, "%s started from the parameters of %s (warm_start), and not from initial values", run_dir,
                      e->config->warm_start);
    return status;
}

/* Numbers as the run's network saw them. */
static status_t scale_as_run(dataset_t *dataset, const char *run_dir)
{
    input_fields_t inputs;
    if (!input_fields_exist(run_dir))
        return ST_OK;
    TRY(input_fields_read(run_dir, &inputs));
    double *scaling = MEM_ARRAY(double, 2 * inputs.numeric);
    for (int f = 0; f < inputs.numeric; f++) {
        scaling[2 * f] = inputs.fields[f].mean;
        scaling[2 * f + 1] = inputs.fields[f].scale;
    }
    dataset_standardise(dataset, scaling);
    mem_free(scaling);
    input_fields_fini(&inputs);
    return ST_OK;
}

static status_t open_run(initial_t *e, const char *run_dir)
{
    bool found;
    TRY(manifest_read(run_dir, &e->run, &found));
    if (!found)
        return FAIL(ST_INPUT, "%s holds no finished run (there is no " FILE_MANIFEST ")", run_dir);
    TRY(manifest_check_files(&e->run, run_dir, RUN_CONFIG | RUN_INPUTS));
    TRY(read_config(e, run_dir));
    TRY(dataset_open(e->config->data.path, e->config->data.cache_mb << 20, &e->dataset));
    TRY(dataset_choose_label(e->dataset, e->config->data.label));
    e->info = dataset_info(e->dataset);
    if (e->info->content_hash != e->run.dataset_hash)
        return FAIL(ST_INPUT,
                    "dataset %s is not the one that %s was trained on: its content has hash %016" PRIx64
                    ", the run's %016" PRIx64,
                    e->config->data.path, run_dir, e->info->content_hash, e->run.dataset_hash);
    TRY(field_plan_of(&e->plan, e->config, e->info, e->config->data.path));
    return scale_as_run(e->dataset, run_dir);
}

/* ---- examples ------------------------------------------------------------------------------------------------------------ */

static void take_lists(plain_split_t *split, int64_t i, const dataset_example_t *example, int multi)
{
    const dataset_block_t *block = example->block;
    for (int m = 0; m < multi; m++) {
        plain_lists_t *lists = &split->multi[m];
        const uint32_t *from = &block->multi_at[(int64_t)example->row * multi + m];
        const int64_t first = lists->first[i], n = from[1] - from[0];
        lists->first[i + 1] = first + n;
        MEM_GROW(lists->key, lists->keys, (size_t)(first + n));
        MEM_GROW(lists->weight, lists->weights, (size_t)(first + n));
        for (int64_t v = 0; v < n; v++) {
            lists->key[first + v] = block->multi_key[from[0] + v];
            lists->weight[first + v] = block->multi_weight[from[0] + v];
        }
    }
}

static void take_example(plain_split_t *split, int64_t i, const dataset_example_t *example, const dataset_info_t *info)
{
    const dataset_block_t *block = example->block;
    const int64_t row = example->row;
    split->label[i] = block->label[row];
    for (int f = 0; f < info->numeric; f++)
        split->numeric[i * info->numeric + f] = block->numeric[row * info->numeric + f];
    for (int f = 0; f < info->single; f++)
        split->single[i * info->single + f] = block->single[row * info->single + f];
    take_lists(split, i, example, info->multi);
}

static status_t read_split(const initial_t *e, split_t which, plain_split_t *split)
{
    const dataset_info_t *info = e->info;
    const int64_t rows = split->rows = dataset_split_rows(info, which);
    split->name = which == SPLIT_TRAIN ? "train" : "eval";
    split->label = MEM_ARRAY(uint8_t, rows);
    split->numeric = MEM_ARRAY(float, rows * info->numeric);
    split->single = MEM_ARRAY(uint64_t, rows * info->single);
    split->multi = MEM_ARRAY(plain_lists_t, info->multi);
    for (int m = 0; m < info->multi; m++)
        split->multi[m].first = MEM_ARRAY(int64_t, rows + 1);
    int64_t positions[FETCHED_AT_ONCE];
    dataset_example_t examples[FETCHED_AT_ONCE];
    for (int64_t first = 0; first < rows; first += FETCHED_AT_ONCE) {
        const int n = rows - first < FETCHED_AT_ONCE ? (int)(rows - first) : FETCHED_AT_ONCE;
        for (int i = 0; i < n; i++)
            positions[i] = dataset_position(e->dataset, which, first + i);
        TRY(dataset_fetch(e->dataset, positions, n, examples));
        for (int i = 0; i < n; i++)
            take_example(split, first + i, &examples[i], info);
    }
    return ST_OK;
}

static status_t put(const initial_t *e, const char *split, const char *what, plain_type_t type, const void *data, int64_t rows,
                    int64_t columns)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s-%s", split, what);
    return plain_arrays_put(e->arrays, name, type, data, rows, columns);
}

static status_t put_split(const initial_t *e, const plain_split_t *split)
{
    char what[NAME_BYTES / 2];
    TRY(put(e, split->name, "label", PLAIN_U8, split->label, split->rows, 0));
    if (e->info->numeric)
        TRY(put(e, split->name, "numeric", PLAIN_F32, split->numeric, split->rows, e->info->numeric));
    if (e->info->single)
        TRY(put(e, split->name, "single", PLAIN_U64, split->single, split->rows, e->info->single));
    for (int m = 0; m < e->info->multi; m++) {
        const plain_lists_t *lists = &split->multi[m];
        const int64_t values = lists->first[split->rows];
        snprintf(what, sizeof what, "multi-%d-first", m);
        TRY(put(e, split->name, what, PLAIN_I64, lists->first, split->rows + 1, 0));
        snprintf(what, sizeof what, "multi-%d-key", m);
        TRY(put(e, split->name, what, PLAIN_U64, lists->key, values, 0));
        snprintf(what, sizeof what, "multi-%d-weight", m);
        TRY(put(e, split->name, what, PLAIN_F32, lists->weight, values, 0));
    }
    return ST_OK;
}

/* ---- order --------------------------------------------------------------------------------------------------------------- */

/* Which training example each position of each group visits. */
static status_t put_order(const initial_t *e)
{
    const config_t *c = e->config;
    const int groups = (int)config_groups(c);
    const int64_t total = lanes_of(c, e->info->train_rows).total;
    int64_t *index = MEM_ARRAY(int64_t, groups * total);
    for (int g = 0; g < groups; g++) {
        const order_t order = {c->data.order, (uint64_t)c->data.order_seed, e->info->train_rows / groups, c->data.window, g,
                               groups};
        for (int64_t first = 0; first < total; first += FETCHED_AT_ONCE)
            order_indices(&order, first, (int)(total - first < FETCHED_AT_ONCE ? total - first : FETCHED_AT_ONCE),
                          index + g * total + first);
    }
    const status_t status = plain_arrays_put(e->arrays, "order", PLAIN_I64, index, groups, total);
    mem_free(index);
    return status;
}

/* ---- initial values ------------------------------------------------------------------------------------------------------ */

static int by_key(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The values of a field in a split, behind the *n that are there. */
static void add_keys(const initial_t *e, const plain_split_t *split, int field, uint64_t **keys, size_t *capacity, int64_t *n)
{
    const int single = e->info->single, cross = field - e->plan.first_cross, multi = field - single - e->plan.crosses;
    const plain_lists_t *lists = multi < 0 ? NULL : &split->multi[multi];
    const int64_t values = lists ? lists->first[split->rows] : split->rows;
    MEM_GROW(*keys, *capacity, (size_t)(*n + values));
    for (int64_t i = 0; i < values; i++) {
        const uint64_t *row = lists ? NULL : split->single + i * single;
        (*keys)[(*n)++] = lists ? lists->key[i] : cross >= 0 ? cross_key(&e->plan.cross[cross], row) : row[field];
    }
}

/* All values of the fields of a table in both splits, each once, ascending; **owned**. */
static uint64_t *keys_of(const initial_t *e, int table, int64_t *distinct)
{
    uint64_t *keys = NULL;
    size_t capacity = 0;
    int64_t n = 0;
    for (int f = 0; f < e->plan.fields; f++)
        for (int s = 0; s < 2 && e->plan.field[f].table == table; s++)
            add_keys(e, &e->splits[s], f, &keys, &capacity, &n);
    if (n)
        qsort(keys, (size_t)n, sizeof *keys, by_key);
    *distinct = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || keys[i] != keys[i - 1])
            keys[(*distinct)++] = keys[i];
    return keys;
}

static status_t put_rows(const initial_t *e, int set, int table_number, const uint64_t *keys, int64_t n)
{
    const table_options_t options = {
        .id = table_plan_id(&e->plan, set, table_number),
        .dim = e->plan.table[table_number].width,
        .optimizer = e->plan.table[table_number].optimizer,
        .linear = e->plan.linear,
        .linear_optimizer = e->plan.linear_optimizer,
        .init_std = (float)e->config->embedding.init_std,
        .seed = (uint64_t)e->config->seed,
    };
    char name[NAME_BYTES];
    table_t *table;
    TRY(table_create(&options, &table));
    float *rows = MEM_ARRAY(float, n *options.dim);
    table_peek(table, keys, n, rows);
    snprintf(name, sizeof name, "rows-%d-%d", set, table_number);
    const status_t status = plain_arrays_put(e->arrays, name, PLAIN_F32, rows, n, options.dim);
    mem_free(rows);
    table_destroy(&table);
    return status;
}

static status_t put_tables(const initial_t *e)
{
    for (int t = 0; t < e->plan.set_tables; t++) {
        int64_t n;
        char name[NAME_BYTES];
        uint64_t *keys = keys_of(e, t, &n);
        snprintf(name, sizeof name, "keys-%d", t);
        status_t status = plain_arrays_put(e->arrays, name, PLAIN_U64, keys, n, 0);
        for (int set = 0; set < e->plan.sets && status == ST_OK; set++)
            status = put_rows(e, set, t, keys, n);
        mem_free(keys);
        TRY(status);
    }
    return ST_OK;
}

/* Where each block of a network is in the array of its parameters; the same in all components. */
static void describe_blocks(const initial_t *e, const model_t *model)
{
    jsondoc_t *blocks = jsondoc_array();
    model_block_t block;
    for (int i = 0; model_block(model, i, &block); i++) {
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", block.name);
        jsondoc_put_integer(one, "first", block.values);
        jsondoc_put_integer(one, "rows", block.rows);
        jsondoc_put_integer(one, "width", block.width);
        jsondoc_append(blocks, &one);
    }
    jsondoc_put(e->document, "blocks", &blocks);
}

static status_t put_networks(const initial_t *e)
{
    const input_shape_t input = embedding_shape(&e->plan, e->info->numeric);
    for (int k = 0; k < e->config->model.components; k++) {
        model_t *model;
        char name[NAME_BYTES];
        TRY(model_create(e->config, k, input, 1, &model));
        snprintf(name, sizeof name, "network-%d", k);
        const status_t status = plain_arrays_put(e->arrays, name, PLAIN_F32, model_values(model), model_parameters(model), 0);
        if (k == 0)
            describe_blocks(e, model);
        model_destroy(&model);
        TRY(status);
    }
    return ST_OK;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------- */

/* What a cross is made of, by numbers of single-valued fields. */
static void describe_cross(jsondoc_t *one, const planned_cross_t *cross)
{
    jsondoc_t *of = jsondoc_array();
    for (int i = 0; i < cross->parts; i++)
        jsondoc_append_integer(of, cross->part[i]);
    jsondoc_put(one, "of", &of);
    jsondoc_put_integer(one, "buckets", cross->buckets);
}

static void describe_fields(const initial_t *e)
{
    jsondoc_t *fields = jsondoc_array();
    for (int f = 0; f < e->info->numeric; f++) {
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", e->info->fields[f].name);
        jsondoc_put_text(one, "kind", "numeric");
        jsondoc_append(fields, &one);
    }
    for (int f = 0; f < e->plan.fields; f++) {
        const int cross = f - e->plan.first_cross, multi = cross - e->plan.crosses;
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", e->plan.name[f]);
        jsondoc_put_text(one, "kind", multi >= 0 ? "multi" : cross >= 0 ? "cross" : "single");
        jsondoc_put_integer(one, "table", e->plan.field[f].table);
        if (multi >= 0) {
            const pooling_t pooling = e->info->fields[e->info->numeric + e->info->single + multi].pooling;
            jsondoc_put_text(one, "pooling", pooling == POOLING_MEAN ? "mean" : "sum");
        } else if (cross >= 0) {
            describe_cross(one, &e->plan.cross[cross]);
        }
        jsondoc_append(fields, &one);
    }
    jsondoc_put(e->document, "fields", &fields);
}

static status_t write_all(initial_t *e, const char *folder)
{
    TRY(read_split(e, SPLIT_TRAIN, &e->splits[0]));
    TRY(read_split(e, SPLIT_EVAL, &e->splits[1]));
    TRY(plain_arrays_create(folder, &e->arrays));
    e->document = jsondoc_object();
    jsondoc_put_integer(e->document, "format", FORMAT);
    jsondoc_put_hash(e->document, "run_id", e->run.run_id);
    describe_fields(e);
    TRY(put_networks(e));
    TRY(put_tables(e));
    TRY(put_order(e));
    for (int s = 0; s < 2; s++)
        TRY(put_split(e, &e->splits[s]));
    return plain_arrays_finish(e->arrays, e->document, DOCUMENT);
}

static void fini(initial_t *e)
{
    for (int s = 0; s < 2; s++) {
        plain_split_t *split = &e->splits[s];
        for (int m = 0; split->multi && m < e->info->multi; m++) {
            mem_free(split->multi[m].first);
            mem_free(split->multi[m].key);
            mem_free(split->multi[m].weight);
        }
        mem_free(split->multi);
        mem_free(split->label);
        mem_free(split->numeric);
        mem_free(split->single);
    }
    plain_arrays_destroy(&e->arrays);
    jsondoc_destroy(&e->document);
    table_plan_fini(&e->plan);
    dataset_close(&e->dataset);
    config_destroy(&e->config);
    manifest_fini(&e->run);
}

status_t initial_export(const char *run_dir, const char *folder)
{
    initial_t e = {0};
    status_t status = open_run(&e, run_dir);
    if (status == ST_OK)
        status = write_all(&e, folder);
    if (status == ST_OK)
        printf("%s: %d arrays, %.1f MB, in %s\n", run_dir, plain_arrays_count(e.arrays),
               (double)plain_arrays_bytes(e.arrays) * 1e-6, folder);
    fini(&e);
    return status;
}
