#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "launcher/commands.h"
#include "worker/data/dataset.h"
#include "worker/data/import.h"
#include "worker/data/synth.h"

static status_t parse_count(const char *option, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end == text || value < 0)
        return FAIL(ST_INPUT, "--%s is \"%s\"; it must be a whole number, 0 or more", option, text);
    *out = value;
    return ST_OK;
}

static status_t import_configured(const config_t *config, const char *config_path)
{
    char *input = NULL;
    schema_t *schema = NULL;
    status_t status;
    if (!*config->data.schema)
        return FAIL(ST_INPUT, "%s: data.schema is empty, but data.input is to be imported; name a schema file or a preset", config_path);
    TRY_DONE(config_expand(config->data.input, "data.input", &input));
    TRY_DONE(schema_load(config->data.schema, &schema)); /* a preset, or a path that was resolved with the configuration */
    log_info("dataset %s is not there: importing %s", config->data.path, input);
    TRY_DONE(import_text(input, schema, config->data.path, true, true));
done:
    schema_destroy(&schema);
    mem_free(input);
    return status;
}

/* A generated dataset carries its settings in a file beside its blocks, so that one made by other settings is not taken for it. */
static status_t check_settings(const char *marker, const char *wanted, const char *dataset)
{
    char *found;
    if (!file_exists(marker))
        return ST_OK; /* made by a person with smelter synth or import: theirs to vouch for */
    TRY(file_read(marker, &found, NULL));
    const char *a = found, *b = wanted;
    while (*a && *a == *b) {
        a++;
        b++;
    }
    status_t status = ST_OK;
    if (*a || *b) {
        while (a > found && a[-1] != '\n') {
            a--;
            b--;
        }
        status = FAIL(ST_INPUT, "dataset %s was generated with other settings (%.*s there, %.*s here); remove it or choose another data.path",
                      dataset, (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
    }
    mem_free(found);
    return status;
}

static status_t synth_configured(const config_t *config)
{
    char *settings = synth_settings(&config->synth), *marker = mem_printf("%s/synth.settings", config->data.path);
    status_t status;
    if (dataset_exists(config->data.path)) {
        status = check_settings(marker, settings, config->data.path);
    } else {
        log_info("dataset %s is not there: generating %lld synthetic rows", config->data.path, (long long)config->synth.rows);
        status = synth_dataset(&config->synth, config->data.path, true);
        if (status == ST_OK)
            status = file_write_atomic(marker, settings, strlen(settings));
    }
    mem_free(settings);
    mem_free(marker);
    return status;
}

static status_t prepare_one(const config_t *config, const char *config_path)
{
    if (!*config->data.path)
        return FAIL(ST_INPUT, "%s: data.path is empty; name a dataset made by smelter import or smelter synth", config_path);
    if (config->synth.rows)
        return synth_configured(config);
    if (dataset_exists(config->data.path))
        return ST_OK;
    if (*config->data.input)
        return import_configured(config, config_path);
    return FAIL(ST_INPUT, "dataset %s does not exist; make it with smelter import or smelter synth, or set data.input or synth.rows",
                config->data.path);
}

status_t prepare_data(const experiment_t *experiment, const char *config_path)
{
    TRY(prepare_one(experiment->base, config_path));
    for (int v = 0; v < experiment->variants; v++)
        TRY(prepare_one(experiment->configs[v], config_path));
    return ST_OK;
}

status_t command_import(const options_t *options)
{
    if (!options->out)
        return FAIL(ST_INPUT, "smelter import needs --out DIR, where the dataset goes");
    if (!options->schema)
        return FAIL(ST_INPUT, "smelter import needs --schema, a YAML file or one of criteo, avazu, libsvm");
    schema_t *schema;
    TRY(schema_load(options->schema, &schema));
    status_t status = options->max_bad_rows ? parse_count("max-bad-rows", options->max_bad_rows, &schema->max_bad_rows) : ST_OK;
    if (status == ST_OK)
        status = import_text(options->argument, schema, options->out, !options->no_compress, true);
    schema_destroy(&schema);
    return status;
}

status_t command_synth(const options_t *options)
{
    experiment_t *experiment;
    if (!options->argument && !options->out)
        return FAIL(ST_INPUT, "smelter synth needs --out DIR, where the dataset goes, or a configuration with data.path");
    TRY(experiment_load(options->argument ? options->argument : "/dev/null", options->sets, options->n_sets, &experiment));
    struct config_synth *settings = &experiment->base->synth;
    const char *path = options->out ? options->out : experiment->base->data.path;
    status_t status = options->rows ? parse_count("rows", options->rows, &settings->rows) : ST_OK;
    if (status == ST_OK && settings->rows == 0)
        status = FAIL(ST_INPUT, "no rows asked for; give --rows N or synth.rows");
    if (status == ST_OK && !*path)
        status = FAIL(ST_INPUT, "smelter synth needs --out DIR, where the dataset goes, or data.path in the configuration");
    if (status == ST_OK)
        status = synth_dataset(settings, path, true);
    experiment_destroy(&experiment);
    return status;
}
