/* A configuration: an experiment's file, or the resolved text of one run, as CONFIG brings it and a run's folder keeps it.
 *
 *     u8 {bit 0: resolved, bit 1: with a --set}, the text; where there is a --set, its line is the text's first              */
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/config/field_options.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"

#define TEXT_MOST 4096
#define PATH "/fuzz.yaml"

/* What was accepted is written and read back to itself. */
static void check_config(const config_t *config)
{
    char *text;
    config_t *again = NULL;
    status_t status = config_text(config, &text);
    ASSERT(status == ST_OK);
    status = config_from_text(text, strlen(text), "again", &again);
    ASSERT(status == ST_OK && config_hash(again) == config_hash(config));
    config_destroy(&again);
    mem_free(text);
    field_options_t fields;
    field_options_of(config, &fields);
    field_options_fini(&fields);
    int first, last;
    config_deploy(config, &first, &last);
    ASSERT(first >= 0 && first < last && last <= config->model.components);
    for (int workers = 1; workers <= 8; workers *= 2) {
        status = config_check_workers(config, workers);
        ASSERT(config_active_workers(config, workers) >= 1 && config_active_workers(config, workers) <= workers);
    }
}

static void load_experiment(char *text, size_t bytes, bool set)
{
    const char *overrides[1] = {text};
    char *newline = set ? memchr(text, '\n', bytes) : NULL, *file = text;
    if (newline) {
        *newline = 0;
        file = newline + 1;
    }
    fuzz_file(PATH, file, bytes - (size_t)(file - text));
    experiment_t *experiment = NULL;
    if (experiment_load("/tmp" PATH, overrides, newline ? 1 : 0, &experiment) == ST_OK) {
        for (int v = 0; v < experiment->variants; v++)
            ASSERT(config_variant(experiment, experiment->names[v]) == v);
        config_t *replica = NULL;
        const config_t *config = experiment->variants ? experiment->configs[experiment->variants - 1] : experiment->base;
        check_config(config);
        if (config_for_replica(config, 3, &replica) == ST_OK)
            check_config(replica);
        config_destroy(&replica);
    }
    experiment_destroy(&experiment);
    fuzz_files_forget();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    size_t bytes;
    char *text = fuzz_rest_text(&in, TEXT_MOST, &bytes);
    config_t *config = NULL;
    if (!(what & 1))
        load_experiment(text, bytes, what & 2);
    else if (config_from_text(text, bytes, "resolved", &config) == ST_OK)
        check_config(config);
    config_destroy(&config);
    mem_free(text);
    return 0;
}

#define HEAD "name: e\ndata: {path: d, input: '${HOME}/x.csv', schema: criteo}\n"

static void seed(const char *name, uint8_t what, const char *text)
{
    fuzz_seed_with(name, &what, 1, text, strlen(text));
}

void fuzz_seeds(void)
{
    seed("least", 0, HEAD);
    seed("sections", 0,
         HEAD "seed: 3\ndeterminism: sync\ncluster: {workers: 2, servers: 1, transport: tcp}\n"
              "train: {batch: 128, lanes: 4, epochs: 2}\nmodel: {hidden: [16, 8], activation: smelu, beta: 1.5}\n"
              "embedding: {dim: 4, dims: [4, 8], optimizer: sgd}\ndense: {learning_rate: 1e-3}\n");
    seed("variants", 0,
         HEAD "experiment: {replicas: 2, vary: [init, order], baseline: a}\nvariants:\n  - {name: a}\n"
              "  - name: b\n    model: {activation: smelu}\n    sweep: {model.beta: [0.5, 1]}\n"
              "  - {name: c, model: {components: 2}, objective: {kind: codistill}, complexity: {match: a}}\n"
              "  - {name: d, teacher: {variant: a, weight: 0.5}}\n");
    seed("fields", 0,
         HEAD "fields: {widths: {user_id: 32, \"a tab\": 4}, share: {history: user_id},\n"
              "  crosses: [[user_id, hour], {of: [hour, day, \"a tab\"], width: 4, buckets: 100}]}\n"
              "variants: [{name: a, fields: {widths: {tab: 0}}}]\n");
    seed("set", 2, "train.batch=64\n" HEAD);
    seed("mistakes", 0, "name: [a\ntrane: {batch: x}\n&anchor\n--- \n\"\\u00e9\": |\n  text\n");
    experiment_t *experiment = NULL;
    char *text;
    fuzz_file(PATH, HEAD, sizeof HEAD - 1);
    status_t status = experiment_load("/tmp" PATH, NULL, 0, &experiment);
    fuzz_files_forget();
    ASSERT(status == ST_OK);
    status = config_text(experiment->base, &text);
    ASSERT(status == ST_OK);
    seed("resolved", 1, text);
    mem_free(text);
    experiment_destroy(&experiment);
}
