/* smelter predict: the run's own configuration with another dataset, on a cluster of any size. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/cluster.h"
#include "common/cluster/launch.h"
#include "common/config/config_compare.h"
#include "common/config/yaml_tree.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/predict_files.h"
#include "launcher/commands/scores_file.h"
#include "launcher/ingest/stale.h"
#include "launcher/job/job.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/runs.h"

status_t predict_split_of(const options_t *options, split_t *out)
{
    const char *word = options->split ? options->split : "eval";
    return dataset_split_of(word, out) ? ST_OK : FAIL(ST_INPUT, "--split is \"%s\"; it must be train, eval, test or all", word);
}

/* What RUN stands for: a finished run; the newest checkpoint of one that is not; a checkpoint, by its folder. */
typedef struct predict_source {
    char *run_dir;                  /* **owned**, as all */
    run_reader_t run;               /* where it is finished, */
    checkpoint_resume_t checkpoint; /* where it is not */
} predict_source_t;

static void source_fini(predict_source_t *source)
{
    mem_free(source->run_dir);
    run_reader_fini(&source->run);
    checkpoint_resume_fini(&source->checkpoint);
}

static bool is_checkpoint(const char *path)
{
    const char *name = strrchr(path, '/');
    int64_t step;
    return name && checkpoint_step_of(name + 1, &step);
}

/* The folder of the run that RUN is, or is a checkpoint of: RUN/checkpoint/epoch-EEEE/step-S; **owned**. */
static char *run_of(const char *argument)
{
    char *dir = path_absolute(argument);
    for (int up = is_checkpoint(dir) ? 3 : 0; up > 0; up--) {
        char *slash = strrchr(dir, '/');
        *(slash ? slash : dir) = 0;
    }
    return dir;
}

static status_t source_open(const char *argument, predict_source_t *out)
{
    predict_source_t source = {.run_dir = path_absolute(argument)};
    bool found = false;
    status_t status = ST_OK;
    if (!file_exists(argument))
        status = FAIL(ST_INPUT, "%s does not exist; name the folder of a finished run, or of a checkpoint", argument);
    else if (is_checkpoint(source.run_dir))
        status = checkpoint_resume_open(disk_posix(), source.run_dir, &source.checkpoint);
    else
        status = run_reader_open(source.run_dir, RUN_CONFIG | RUN_INPUTS | RUN_DENSE, &source.run);
    if (status == ST_OK && !source.run.is_finished && !source.checkpoint.folder) {
        status = checkpoint_resume_find(disk_posix(), source.run_dir, &source.checkpoint, &found);
        if (status == ST_OK && !found)
            status = FAIL(ST_INPUT, "%s holds no finished run (there is no " FILE_MANIFEST ") and no checkpoint", argument);
    }
    if (status == ST_OK && source.checkpoint.folder) {
        mem_free(source.run_dir);
        source.run_dir = mem_strdup(source.checkpoint.run_dir);
    }
    if (status == ST_OK)
        *out = source;
    else
        source_fini(&source);
    return status;
}

/* A --set that changes what was learned would score another model than the one stored. Distillation is over, so that
 * its settings, which may name a variant of an experiment that is not here, do not count; nor does who trained which peer, so
 * that any number of workers may score; nor what a last batch was divided by, which a run of an older version does not say.
 * Which component's predictions count may be chosen: all of them are stored. */
static config_t trained_parts(const config_t *config, const config_t *trained)
{
    config_t same = *config;
    same.teacher = trained->teacher;
    same.objective.form = trained->objective.form;
    same.train.last_batch = trained->train.last_batch;
    same.model.deploy = trained->model.deploy;
    return same;
}

static status_t refuse_set(const predict_source_t *source)
{
    return FAIL(ST_INPUT, "--set changes the run in %s; scoring takes only cluster.*, data.cache_mb and model.deploy",
                source->run_dir);
}

/* The first key of which a score depends and that two configurations of a run do not agree on; keys that a resume may change do
 * not matter, since config.yaml has those of the last start. */
static bool differ(const config_t *before, const config_t *now, char *text, size_t bytes)
{
    config_difference_t *differences;
    int n, at = 0;
    config_compare(before, now, &differences, &n);
    while (at < n && differences[at].change != CLASS_IDENTITY)
        at++;
    if (at < n)
        snprintf(text, bytes, "%s: %s, %s", differences[at].name, differences[at].before, differences[at].now);
    config_differences_destroy(&differences, n);
    return at < n;
}

static status_t check_checkpoint_config(const predict_source_t *source, const config_t *config)
{
    const char *text = source->checkpoint.from.config;
    char *path = run_path(source->run_dir, FILE_CONFIG), difference[512];
    config_t *trained = NULL, *beside = NULL;
    status_t status;
    TRY_DONE(config_from_text(text, strlen(text), source->checkpoint.folder, &trained));
    TRY_DONE(config_read_resolved(path, &beside));
    const config_t here = trained_parts(beside, trained), asked = trained_parts(config, trained);
    if (differ(trained, &here, difference, sizeof difference))
        status = FAIL(
            ST_CORRUPT,
            "%s: is not the configuration of the run that made the checkpoint in %s (%s): files were mixed up; put that one in "
            "its place",
            path, source->checkpoint.folder, difference);
    else if (differ(trained, &asked, difference, sizeof difference))
        status = refuse_set(source);
done:
    config_destroy(&trained);
    config_destroy(&beside);
    mem_free(path);
    return status;
}

static status_t check_config(predict_source_t *source, const config_t *config)
{
    if (!source->run.is_finished)
        return check_checkpoint_config(source, config);
    TRY(run_reader_config(&source->run));
    TRY(run_reader_check_config(&source->run));
    const config_t same = trained_parts(config, source->run.config);
    return manifest_has_config(&source->run.manifest, &same) ? ST_OK : refuse_set(source);
}

/* An empty file of predictions would be taken for an answer. */
static status_t check_split(const char *path, split_t split)
{
    dataset_t *dataset;
    TRY(dataset_open(path, 1 << 20, &dataset));
    const bool is_empty = dataset_split_rows(dataset_info(dataset), split) == 0;
    dataset_close(&dataset);
    if (!is_empty)
        return ST_OK;
    return FAIL(
        ST_INPUT,
        "dataset %s: the %s split is empty, so there is nothing to score; --split %s or --split all scores what is there", path,
        dataset_split_name(split), split == SPLIT_EVAL ? "train" : "eval");
}

/* What is scored is the dataset, whole as it is; but its text may be what a person means. */
static status_t warn_of_stale_input(const char *dataset)
{
    char *difference;
    TRY(stale_input(dataset, &difference));
    if (difference && !getenv(LAUNCH_BY_SMELTER))
        log_warn("dataset %s: %s; what is scored is the dataset as it was imported", dataset, difference);
    mem_free(difference);
    return ST_OK;
}

static status_t prepare(const experiment_t *experiment, const options_t *options)
{
    predict_source_t source = {0};
    split_t split = SPLIT_EVAL;
    status_t status;
    TRY_DONE(predict_split_of(options, &split));
    TRY_DONE(source_open(options->run, &source));
    TRY_DONE(check_config(&source, experiment->base));
    if (!dataset_exists(options->second))
        TRY_DONE(FAIL(ST_INPUT, "%s%s %s; make it with smelter import by the run's schema",
                      file_exists(options->second) ? "" : "dataset ", options->second,
                      file_exists(options->second) ? "is no dataset" : "does not exist"));
    TRY_DONE(check_split(options->second, split));
    TRY_DONE(warn_of_stale_input(options->second));
    TRY_DONE(scores_file_prepare(options->out));
done:
    source_fini(&source);
    return status;
}

static status_t lead_predict(coordinator_t *coordinator, const experiment_t *experiment, const options_t *options,
                             progress_t *progress)
{
    (void)experiment;
    (void)progress;
    predict_source_t source = {0};
    predictions_t predictions = {0};
    split_t split = SPLIT_EVAL;
    status_t status;
    TRY_DONE(predict_split_of(options, &split));
    TRY_DONE(source_open(options->run, &source));
    const coordinator_source_t from = {source.run_dir, source.run.is_finished ? &source.run.manifest : NULL,
                                       source.run.is_finished ? NULL : &source.checkpoint};
    TRY_DONE(coordinator_predict(coordinator, &from, split, &predictions));
    log_info("%" PRId64 " examples of %s scored by %s", predictions.rows, options->second,
             source.run.is_finished ? source.run_dir : source.checkpoint.folder);
    dataset_t *dataset;
    TRY_DONE(coordinator_dataset(coordinator, &dataset));
    int64_t *row = MEM_ARRAY(int64_t, predictions.rows);
    for (int64_t i = 0; i < predictions.rows; i++)
        row[i] = census_input_row(dataset_census(dataset), dataset_position(dataset, split, i));
    status = scores_file_write(
        options->out,
        &(scores_file_t){
            .rows = predictions.rows, .p = predictions.p, .label = predictions.label, .group = predictions.group, .row = row});
    mem_free(row);
done:
    predictions_fini(&predictions);
    source_fini(&source);
    return status;
}

/* KEY=TEXT as an argument of --set, whatever characters the text has; **owned**. */
static char *set_text(const char *key, const char *value)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    fprintf(out, "%s=", key);
    yaml_write_string(out, value);
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *set = mem_strdup(text);
    free(text);
    return set;
}

/* The run's warm start as an argument, which is not looked for beside config.yaml: where it was found once is part of what the
 * run is. What is wrong with the file is said when it is loaded. **Owned**. */
static char *warm_start_of(const char *config_path)
{
    config_t *trained = NULL;
    const log_level_t level = log_level();
    log_set_level(LOG_NONE);
    const bool is_read = config_read_resolved(config_path, &trained) == ST_OK;
    log_set_level(level);
    char *set = set_text("warm_start", is_read ? trained->warm_start : "");
    config_destroy(&trained);
    return set;
}

status_t command_predict(const options_t *options)
{
    options_t o = *options;
    predict_source_t source;
    if (!options->out)
        return FAIL(ST_INPUT, "smelter predict needs --out FILE");
    if (predict_files_is(options))
        return predict_files(options);
    if (!cluster_is_launched()) { /* before config.yaml of a folder that is none is asked for; under mpirun rank 0 says it */
        TRY(source_open(options->argument, &source));
        source_fini(&source);
    }
    if (o.n_sets + 9 > OPTIONS_MOST)
        return FAIL(ST_INPUT, "more than %d --set arguments", OPTIONS_MOST - 9);
    char *run_dir = run_of(options->argument), *config = run_path(run_dir, FILE_CONFIG),
         *path = set_text("data.path", options->second);
    char *warm_start = warm_start_of(config);
    o.run = options->argument;
    o.run_dir = run_dir;
    o.argument = config;
    o.sets[o.n_sets++] = path;
    o.sets[o.n_sets++] = "data.input=\"\"";
    o.sets[o.n_sets++] = "data.schema=\"\"";
    o.sets[o.n_sets++] = warm_start;
    o.sets[o.n_sets++] = "teacher.variant=\"\"";
    o.sets[o.n_sets++] = "teacher.run=\"\"";
    o.sets[o.n_sets++] = "objective.form=joint";
    o.sets[o.n_sets++] = "complexity.match=\"\"";
    o.sets[o.n_sets++] = "experiment.baseline=\"\"";
    static const job_kind_t kind = {prepare, lead_predict, false};
    const status_t status = job_run(&o, &kind);
    mem_free(run_dir);
    mem_free(config);
    mem_free(path);
    mem_free(warm_start);
    return status;
}
