#include "launcher/ingest/splits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/metrics/dense_ids.h"
#include "common/metrics/queries.h"

#define CHUNK 8192 /* examples fetched at once: a block's worth */
#define WORDS_BYTES 64
#define MAKE_IT_AGAIN \
    "set split.train_fraction in the schema (0.9, say; synth.train_fraction for generated data) and make the dataset again"
#define CACHE (1 << 20) /* bytes: every block is looked at once */

/* A split while it is looked at. */
typedef struct look {
    bool label[2], has_query, has_mixed_query;
    bool wants_queries;
    dense_ids_t *ids;
    uint8_t *labels; /* [queries] **owned**: bit y where an example of the query has label y */
    size_t cap;
} look_t;

/* A missing group id is no query. */
static void look_at_query(look_t *look, uint64_t group, uint8_t label)
{
    if (group == QUERY_NONE)
        return;
    const size_t id = (size_t)dense_ids_put(look->ids, group);
    MEM_GROW(look->labels, look->cap, id + 1);
    look->labels[id] |= (uint8_t)(1u << label);
    look->has_query = true;
    look->has_mixed_query = look->has_mixed_query || look->labels[id] == 3;
}

static bool is_done(const look_t *look)
{
    return look->label[0] && look->label[1] && (!look->wants_queries || look->has_mixed_query);
}

static status_t look_at_split(dataset_t *dataset, split_t split, look_t *look)
{
    const int64_t n = dataset_split_rows(dataset_info(dataset), split);
    int64_t *position = MEM_ARRAY(int64_t, CHUNK);
    dataset_example_t *example = MEM_ARRAY(dataset_example_t, CHUNK);
    status_t status = ST_OK;
    look->ids = dense_ids_create();
    for (int64_t first = 0; first < n && status == ST_OK && !is_done(look); first += CHUNK) {
        const int count = (int)(n - first < CHUNK ? n - first : CHUNK);
        for (int i = 0; i < count; i++)
            position[i] = dataset_position(dataset, split, first + i);
        status = dataset_fetch(dataset, position, count, example);
        for (int i = 0; i < count && status == ST_OK; i++) {
            const uint8_t label = example[i].block->label[example[i].row];
            if (label == DATASET_NO_LABEL)
                continue;
            look->label[label] = true;
            if (look->wants_queries)
                look_at_query(look, example[i].block->group[example[i].row], label);
        }
    }
    dense_ids_destroy(&look->ids);
    mem_free(look->labels);
    mem_free(position);
    mem_free(example);
    return status;
}

status_t splits_read(const char *path, const char *label, splits_t *out)
{
    dataset_t *dataset;
    TRY(dataset_open(path, CACHE, &dataset));
    const dataset_info_t *info = dataset_info(dataset);
    look_t train = {.wants_queries = false}, eval = {.wants_queries = info->has_group};
    status_t status;
    TRY_DONE(dataset_choose_label(dataset, label));
    TRY_DONE(look_at_split(dataset, SPLIT_TRAIN, &train));
    TRY_DONE(look_at_split(dataset, SPLIT_EVAL, &eval));
    *out = (splits_t){
        .train_rows = info->train_rows,
        .eval_rows = info->eval_rows,
        .test_rows = info->test_rows,
        .unlabelled = info->label_of[info->label].unlabelled,
        .train_label = {train.label[0], train.label[1]},
        .eval_label = {eval.label[0], eval.label[1]},
        .has_group = info->has_group,
        .has_query = eval.has_query,
        .has_mixed_query = eval.has_mixed_query,
    };
done:
    dataset_close(&dataset);
    return status;
}

/* ---- words ----------------------------------------------------------------------------------------------------------- */

static bool is_one_class(const bool label[2])
{
    return label[0] != label[1];
}

/* "all 120 training examples have", "the only evaluation example has". */
static const char *all_examples(int64_t n, const char *split, char text[WORDS_BYTES])
{
    if (n == 1)
        snprintf(text, WORDS_BYTES, "the only %s example has", split);
    else
        snprintf(text, WORDS_BYTES, "all %" PRId64 " %s examples have", n, split);
    return text;
}

/* ---- what cannot be done --------------------------------------------------------------------------------------------- */

status_t splits_check_training(const splits_t *splits, const char *path)
{
    if (splits->train_rows > 0)
        return ST_OK;
    return FAIL(ST_INPUT,
                "dataset %s: the training split is empty; give it a share of the rows (split in the schema) and import again",
                path);
}

status_t splits_check_evaluation(const splits_t *splits, const char *path, const char *who)
{
    if (splits->eval_rows > 0)
        return ST_OK;
    return FAIL(ST_INPUT, "dataset %s: the evaluation split is empty, and %s needs evaluation examples; " MAKE_IT_AGAIN, path,
                who);
}

status_t splits_check_labelled(int64_t unlabelled, int64_t rows, const char *path)
{
    if (unlabelled == 0)
        return ST_OK;
    return FAIL(ST_INPUT,
                "dataset %s: %" PRId64 " of %" PRId64
                " rows have no label, and can be scored by smelter predict alone; import the others for training and "
                "evaluation",
                path, unlabelled, rows);
}

status_t splits_check_labels(const splits_t *splits, const char *path)
{
    char words[WORDS_BYTES];
    if (!is_one_class(splits->eval_label))
        return ST_OK;
    return FAIL(ST_INPUT, "dataset %s: %s label %d; no model is better than saying so, and none can be chosen", path,
                all_examples(splits->eval_rows, "evaluation", words), splits->eval_label[1]);
}

/* What early stopping is to look at must be a number. */
static status_t check_metric(const splits_t *splits, const config_t *config)
{
    const char *path = config->data.path;
    const bool needs_queries = config->evaluate.metric == VALIDATED_PQAUC_LOSS;
    if (!config->evaluate.patience || config->evaluate.metric == VALIDATED_LOGLOSS)
        return ST_OK;
    if (needs_queries && !splits->has_mixed_query)
        return FAIL(
            ST_INPUT,
            "dataset %s: evaluate.metric pqauc_loss is no number: %s; name the query column (group in the schema) or use "
            "another metric",
            path, splits->has_group ? "no query of the evaluation split has both labels" : "the dataset has no group column");
    if (is_one_class(splits->eval_label))
        return FAIL(ST_INPUT,
                    "dataset %s: evaluate.metric is no number, because all evaluation examples have label %d; use logloss",
                    path, splits->eval_label[1]);
    return ST_OK;
}

status_t splits_check_config(const config_t *config)
{
    const struct config_evaluate *e = &config->evaluate;
    const bool evaluates = e->every || e->every_epochs > 0.0;
    splits_t splits;
    if (!evaluates && e->split != SCORED_TEST)
        return ST_OK;
    TRY(splits_read(config->data.path, config->data.label, &splits));
    if (evaluates)
        TRY(splits_check_evaluation(&splits, config->data.path, e->every ? "evaluate.every" : "evaluate.every_epochs"));
    if (e->split == SCORED_TEST && splits.test_rows == 0)
        return FAIL(ST_INPUT,
                    "dataset %s: the test split is empty, and evaluate.split is test; set split.test_fraction in the schema "
                    "(synth.test_fraction for generated data) and make the dataset again, or use evaluate.split eval",
                    config->data.path);
    return check_metric(&splits, config);
}

status_t splits_check_same_label(const config_t *a, const char *name_a, const config_t *b, const char *name_b)
{
    if (strcmp(a->data.label, b->data.label) == 0)
        return ST_OK;
    return FAIL(
        ST_INPUT,
        "variants %s and %s have different labels (data.label '%s' and '%s'); predictions can be compared over one only",
        name_a, name_b, a->data.label, b->data.label);
}

static status_t check_dataset(const config_t *config, const char *who)
{
    const char *path = config->data.path;
    splits_t splits;
    TRY(splits_read(path, config->data.label, &splits));
    TRY(splits_check_training(&splits, path));
    return splits_check_evaluation(&splits, path, who);
}

status_t splits_check_experiment(const experiment_t *experiment, const char *who)
{
    const char *base = experiment->base->data.path;
    TRY(check_dataset(experiment->base, who));
    TRY(splits_check_config(experiment->base));
    for (int v = 0; v < experiment->variants; v++)
        if (strcmp(experiment->configs[v]->data.path, base) != 0)
            TRY(check_dataset(experiment->configs[v], who));
    for (int v = 0; v < experiment->variants; v++)
        TRY(splits_check_config(experiment->configs[v]));
    return ST_OK;
}

/* ---- what will be missing -------------------------------------------------------------------------------------------- */

void splits_warn(const splits_t *splits, const char *path)
{
    char words[WORDS_BYTES];
    if (is_one_class(splits->train_label))
        log_warn("dataset %s: %s label %d; there is nothing to learn but that", path,
                 all_examples(splits->train_rows, "training", words), splits->train_label[1]);
    if (splits->eval_rows == 0)
        log_warn("dataset %s: the evaluation split is empty: there will be no evaluation metrics; " MAKE_IT_AGAIN, path);
    else if (is_one_class(splits->eval_label))
        log_warn("dataset %s: %s label %d: there will be no AUC loss and no PQAUC loss", path,
                 all_examples(splits->eval_rows, "evaluation", words), splits->eval_label[1]);
    else if (splits->has_group && !splits->has_query)
        log_warn(
            "dataset %s: no evaluation example says its query (the group column is empty): there will be no PQAUC loss and "
            "no swap rate",
            path);
    else if (splits->has_group && !splits->has_mixed_query)
        log_warn("dataset %s: no query of the evaluation split has both labels: there will be no PQAUC loss", path);
}
