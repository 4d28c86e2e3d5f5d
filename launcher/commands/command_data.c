#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/sources.h"
#include "launcher/ingest/splits.h"
#include "launcher/ingest/stale.h"
#include "launcher/ingest/synth.h"
#include "launcher/run/runs.h"

static status_t parse_count(const char *option, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno || *end || end == text || value < 0)
        return FAIL(ST_INPUT, "--%s is \"%s\"; it must be a whole number, 0 or more", option, text);
    *out = value;
    return ST_OK;
}

/* ---- the datasets of a configuration ------------------------------------------------------------------------------------ */

static status_t import_configured(const config_t *config, const char *config_path, const char *path)
{
    char *input = NULL;
    char **inputs = NULL;
    schema_t *schema = NULL;
    int n = 0;
    status_t status;
    if (!*config->data.schema)
        return FAIL(ST_INPUT, "%s: data.schema is empty, but data.input is to be imported; name a schema file or a preset",
                    config_path);
    TRY_DONE(config_expand(config->data.input, "data.input", &input));
    TRY_DONE(schema_load(config->data.schema, &schema)); /* a preset, or a path that was resolved with the configuration */
    inputs = sources_lines(input, &n);
    for (int i = 0; i < n; i++) {
        if (strcmp(inputs[i], SOURCE_STDIN) == 0)
            TRY_DONE(FAIL(ST_INPUT, "%s: data.input is -, and standard input is read by smelter import alone; import it first",
                          config_path));
        log_info("dataset %s: importing %s", config->data.path, inputs[i]);
    }
    TRY_DONE(import_files((const char *const *)inputs, n, schema, path, true, true));
done:
    if (inputs)
        mem_free(inputs[0]);
    mem_free(inputs);
    schema_destroy(&schema);
    mem_free(input);
    return status;
}

/* Make the dataset of a configuration at `path`. */
static status_t make_dataset(const config_t *config, const char *config_path, const char *path)
{
    if (config->synth.rows) {
        log_info("dataset %s: generating %" PRId64 " synthetic rows", config->data.path, config->synth.rows);
        return synth_dataset(&config->synth, path, true);
    }
    if (*config->data.input)
        return import_configured(config, config_path, path);
    return FAIL(
        ST_INPUT,
        "dataset %s cannot be made: neither data.input nor synth.rows says of what; use smelter import or smelter synth",
        config->data.path);
}

/* How many files data.input names. */
static status_t count_inputs(const config_t *config, int *count)
{
    char *input = NULL, **specs = NULL;
    sources_t sources = {0};
    int n = 0;
    status_t status;
    *count = 0;
    TRY_DONE(config_expand(config->data.input, "data.input", &input));
    specs = sources_lines(input, &n);
    if (*input)
        TRY_DONE(sources_find((const char *const *)specs, n, &sources));
    *count = sources.count;
done:
    sources_fini(&sources);
    if (specs)
        mem_free(specs[0]);
    mem_free(specs);
    mem_free(input);
    return status;
}

/* Rows that were appended are made again only where data.input names their files, too. */
static status_t check_appended(const config_t *config, const char *path)
{
    dataset_t *dataset;
    int inputs = 0;
    TRY(dataset_open(path, 0, &dataset));
    const day_list_t *days = dataset_days(dataset);
    const origin_t *origin = dataset_origin(dataset);
    const int64_t rows = days->n ? days->day[days->n - 1].rows - days->day[0].rows : 0;
    int files = origin->files_count ? origin->files_count : 1;
    for (int d = 0; d < days->n; d++)
        files += days->day[d].files_count;
    dataset_close(&dataset);
    if (rows == 0)
        return ST_OK;
    TRY(count_inputs(config, &inputs));
    return inputs >= files ? ST_OK
                           : FAIL(ST_INPUT,
                                  "dataset %s: --reimport would lose the %" PRId64
                                  " rows that were appended to it, as data.input names %d of its %d files; name all, or remove "
                                  "the dataset first",
                                  path, rows, inputs, files);
}

/* The new one is made beside the old and takes its place in one step, so that there is a whole one at any moment; a job that
 * reads the old one keeps it. */
static status_t make_again(const config_t *config, const char *config_path)
{
    char *path = path_absolute(config->data.path); /* where a link leads */
    char *fresh = mem_printf("%s.again.%ld", path, (long)getpid());
    status_t status;
    TRY_DONE(check_appended(config, path));
    TRY_DONE(make_dataset(config, config_path, fresh));
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
        TRY_DONE(FAIL(ST_SYSTEM, "the new dataset %s cannot take the place of %s: %s; the old one is as it was", fresh, path,
                      strerror(errno)));
    TRY_DONE(dir_remove_tree(fresh));
done:
    mem_free(fresh);
    mem_free(path);
    return status;
}

/* What a person should know, once: where smelter has started the ranks, it has said so itself. */
static void note(const char *path, const char *text)
{
    log_write(getenv(LAUNCH_BY_SMELTER) ? LOG_DEBUG : LOG_INFO, "dataset %s: %s", path, text);
}

static status_t check_order(const config_t *config)
{
    dataset_t *dataset;
    TRY(dataset_open(config->data.path, 0, &dataset));
    status_t status = dataset_train_since(dataset, config->data.since);
    if (status == ST_OK)
        status = dataset_choose_label(dataset, config->data.label);
    const dataset_info_t *info = dataset_info(dataset);
    const int64_t descents = dataset_census(dataset)->descents;
    if (status == ST_OK)
        status = splits_check_labelled(info->label_of[info->label].unlabelled, info->rows, config->data.path);
    if (config->data.order == ORDER_CHRONOLOGICAL && descents > 0 && !getenv(LAUNCH_BY_SMELTER))
        log_warn("dataset %s: data.order is chronological, but %" PRId64
                 " row%s earlier than the row before (smelter inspect names the "
                 "first); rows are visited as they are stored",
                 config->data.path, descents, descents == 1 ? " is" : "s are");
    dataset_close(&dataset);
    return status;
}

/* A configuration that names a dataset alone gets it as it is; but the text that it was imported from may be what a person
 * means. */
static status_t check_own_input(const config_t *config, const char *config_path, bool reimport)
{
    char *difference;
    TRY(stale_input(config->data.path, &difference));
    status_t status = ST_OK;
    if (difference && reimport)
        status = make_again(config, config_path);
    else if (difference && !getenv(LAUNCH_BY_SMELTER))
        log_warn("dataset %s: %s; it is used as it was imported (with data.input and data.schema in the configuration, such a "
                 "change stops the job, and --reimport follows it)",
                 config->data.path, difference);
    mem_free(difference);
    return status;
}

static status_t check_existing(const config_t *config, const char *config_path, bool reimport)
{
    char *difference, *unknown;
    if (!*config->data.input && !*config->data.schema && !config->synth.rows)
        return check_own_input(config, config_path, reimport);
    TRY(stale_check(config, &difference, &unknown));
    status_t status = ST_OK;
    if (unknown)
        note(config->data.path, unknown);
    if (difference && !reimport) {
        status = FAIL(ST_INPUT,
                      "dataset %s is not what the configuration asks for: %s; make it again by --reimport, choose another "
                      "data.path, or set "
                      "the configuration back",
                      config->data.path, difference);
    } else if (difference) {
        note(config->data.path, difference);
        status = make_again(config, config_path);
    }
    mem_free(difference);
    mem_free(unknown);
    return status;
}

static status_t prepare_one(const config_t *config, const char *config_path, bool reimport)
{
    if (!*config->data.path)
        return FAIL(ST_INPUT, "%s: data.path is empty; name a dataset made by smelter import or smelter synth", config_path);
    if (dataset_exists(config->data.path))
        TRY(check_existing(config, config_path, reimport));
    else if (config->synth.rows || *config->data.input)
        TRY(make_dataset(config, config_path, config->data.path));
    else
        return FAIL(ST_INPUT, "%s%s %s; make it with smelter import or smelter synth, or set data.input or synth.rows",
                    file_exists(config->data.path) ? "" : "dataset ", config->data.path,
                    file_exists(config->data.path) ? "is no dataset" : "does not exist");
    return check_order(config);
}

/* Do two configurations ask for the same dataset? */
static bool is_same_data(const config_t *a, const config_t *b)
{
    char *of_a = synth_settings(&a->synth), *of_b = synth_settings(&b->synth);
    const bool is_same = strcmp(a->data.path, b->data.path) == 0 && strcmp(a->data.input, b->data.input) == 0 &&
                         strcmp(a->data.schema, b->data.schema) == 0 && a->data.order == b->data.order &&
                         strcmp(of_a, of_b) == 0;
    mem_free(of_a);
    mem_free(of_b);
    return is_same;
}

status_t prepare_data(const experiment_t *experiment, const options_t *options)
{
    TRY(prepare_one(experiment->base, options->argument, options->reimport));
    for (int v = 0; v < experiment->variants; v++)
        if (!is_same_data(experiment->configs[v], experiment->base))
            TRY(prepare_one(experiment->configs[v], options->argument, options->reimport));
    return ST_OK;
}

/* ---- import and synth
 * ----------------------------------------------------------------------------------------------------- */

static status_t load_schema(const options_t *options, schema_t **out)
{
    *out = NULL;
    if (!options->schema && options->append)
        return ST_OK; /* the dataset keeps its own */
    if (!options->schema)
        return FAIL(ST_INPUT, "smelter import needs --schema, a YAML file or one of criteo, avazu, libsvm, libffm");
    return schema_load(options->schema, out);
}

status_t command_import(const options_t *options)
{
    schema_t *schema = NULL;
    int64_t bad_rows = -1;
    status_t status;
    if (options->append && options->out)
        return FAIL(ST_INPUT, "--append adds rows to a dataset that is there, and --out makes a new one; give one of them");
    if (!options->out && !options->append)
        return FAIL(ST_INPUT, "smelter import needs --out DIR, where the dataset goes");
    TRY_DONE(load_schema(options, &schema));
    if (options->max_bad_rows)
        TRY_DONE(parse_count("max-bad-rows", options->max_bad_rows, &bad_rows));
    if (options->append) {
        TRY_DONE(import_append(options->arguments, options->n_arguments, schema, bad_rows, options->append,
                               !options->no_compress, true));
    } else {
        schema->max_bad_rows = bad_rows >= 0 ? bad_rows : schema->max_bad_rows;
        TRY_DONE(import_files(options->arguments, options->n_arguments, schema, options->out, !options->no_compress, true));
    }
done:
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
    status_t status;
    TRY_DONE(options->rows ? parse_count("rows", options->rows, &settings->rows) : ST_OK);
    if (settings->rows == 0)
        TRY_DONE(FAIL(ST_INPUT, "no rows asked for; give --rows N or synth.rows"));
    if (!*path)
        TRY_DONE(FAIL(ST_INPUT, "smelter synth needs --out DIR, where the dataset goes, or data.path in the configuration"));
    TRY_DONE(synth_dataset(settings, path, true));
done:
    experiment_destroy(&experiment);
    return status;
}
