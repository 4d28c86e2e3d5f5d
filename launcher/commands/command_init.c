/* smelter init - look at a file, and write a schema and an experiment that work at once. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/init/init_files.h"
#include "launcher/run/runs.h"

/* What a person may have changed since is not written over. */
static status_t check_free(const char *path)
{
    if (!file_exists(path))
        return ST_OK;
    return FAIL(ST_INPUT, "%s is there already, and may have been edited; remove it, or choose another --out", path);
}

/* Both load: what was written is what the other commands read. */
static status_t check_written(const char *schema_path, const char *experiment_path)
{
    schema_t *schema = NULL;
    experiment_t *experiment = NULL;
    status_t status;
    TRY_DONE(schema_load(schema_path, &schema));
    TRY_DONE(experiment_load(experiment_path, NULL, 0, &experiment));
done:
    schema_destroy(&schema);
    experiment_destroy(&experiment);
    return status;
}

static status_t write_files(const sample_t *sample, const guess_t *guess, const char *input, const char *dir)
{
    char *schema_path = mem_printf("%s/schema.yaml", dir), *experiment_path = mem_printf("%s/experiment.yaml", dir);
    char *schema = init_schema_text(sample, guess, input), *experiment = init_experiment_text(sample, guess, input);
    status_t status;
    TRY_DONE(check_free(schema_path));
    TRY_DONE(check_free(experiment_path));
    TRY_DONE(dir_create(dir));
    TRY_DONE(file_write_atomic(schema_path, schema, strlen(schema)));
    TRY_DONE(file_write_atomic(experiment_path, experiment, strlen(experiment)));
    TRY_DONE(check_written(schema_path, experiment_path));
done:
    mem_free(schema_path);
    mem_free(experiment_path);
    mem_free(schema);
    mem_free(experiment);
    return status;
}

status_t command_init(const options_t *options)
{
    sample_t sample;
    guess_t guess = {0};
    if (!options->out)
        return FAIL(ST_INPUT, "smelter init needs --out DIR, where schema.yaml and experiment.yaml go");
    TRY(sample_read(options->argument, &sample));
    char *input = path_absolute(options->argument);
    status_t status;
    TRY_DONE(guess_make(&sample, options->argument, options->label, &guess));
    TRY_DONE(write_files(&sample, &guess, input, options->out));
    init_print(&sample, &guess, options->argument, options->out);
done:
    guess_free(&sample, &guess);
    sample_free(&sample);
    mem_free(input);
    return status;
}
