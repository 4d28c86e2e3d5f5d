/* smelter predict: the run's own configuration with another dataset, on a cluster of any size. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/cluster.h"
#include "common/config/config_compare.h"
#include "launcher/commands.h"
#include "launcher/job.h"

static const char *const split_words[] = {[SPLIT_TRAIN] = "train", [SPLIT_EVAL] = "eval", [SPLIT_ALL] = "all"};

static status_t split_of(const options_t *options, split_t *out)
{
    const char *word = options->split ? options->split : "eval";
    for (int s = SPLIT_TRAIN; s <= SPLIT_ALL; s++)
        if (strcmp(word, split_words[s]) == 0) {
            *out = (split_t)s;
            return ST_OK;
        }
    return FAIL(ST_INPUT, "--split is \"%s\"; it must be train, eval or all", word);
}

/* The folder of the run whose config.yaml is `config_path`; **owned**. */
static char *run_of(const char *config_path)
{
    char *dir = mem_strdup(config_path);
    *strrchr(dir, '/') = 0;
    return dir;
}

static status_t read_manifest(const char *run_dir, manifest_t *out)
{
    bool found;
    if (!file_exists(run_dir))
        return FAIL(ST_INPUT, "%s does not exist; name the folder of a finished run", run_dir);
    TRY(manifest_read(run_dir, out, &found));
    return found ? ST_OK : FAIL(ST_INPUT, "%s holds no finished run (there is no manifest.json)", run_dir);
}

/* A --set that changes what was learned would score another model than the one stored. Distillation is over, so that
 * its settings, which may name a variant of an experiment that is not here, do not count; nor does who trained which peer, so
 * that any number of workers may score. */
static status_t check_config(const char *run_dir, const manifest_t *run, const config_t *config)
{
    char *path = mem_printf("%s/config.yaml", run_dir);
    config_t *trained = NULL;
    status_t status;
    TRY_DONE(config_read_resolved(path, &trained));
    if (config_hash(trained) != run->config_hash) {
        status = FAIL(ST_CORRUPT, "%s: is not the configuration of the run beside it; it changed after training", path);
        goto done;
    }
    config_t same = *config;
    same.teacher = trained->teacher;
    same.objective.form = trained->objective.form;
    if (config_hash(&same) != run->config_hash)
        status = FAIL(ST_INPUT, "--set changes the run in %s; scoring takes only cluster.* and data.cache_mb", run_dir);
done:
    config_destroy(&trained);
    mem_free(path);
    return status;
}

static status_t prepare(const experiment_t *experiment, const options_t *options)
{
    char *run_dir = run_of(options->argument);
    manifest_t run = {0};
    split_t split = SPLIT_EVAL;
    status_t status;
    TRY_DONE(split_of(options, &split));
    TRY_DONE(read_manifest(run_dir, &run));
    TRY_DONE(check_config(run_dir, &run, experiment->base));
    if (!dataset_exists(options->second))
        status = FAIL(ST_INPUT, "dataset %s does not exist; make it with smelter import by the schema of the run's",
                      options->second);
done:
    manifest_fini(&run);
    mem_free(run_dir);
    return status;
}

/* --out FILE, FILE.tsv or FILE.f32: the name without its ending; **owned**. */
static char *stem_of(const char *out)
{
    char *stem = mem_strdup(out), *end = strrchr(stem, '.');
    if (end && (strcmp(end, ".tsv") == 0 || strcmp(end, ".f32") == 0))
        *end = 0;
    return stem;
}

static status_t write_tsv(const char *path, const predictions_t *p)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    fputs("index\tlabel\tgroup\tprediction\n", out);
    for (int64_t i = 0; i < p->rows; i++) /* 9 digits read back to the same float */
        fprintf(out, "%" PRId64 "\t%d\t%" PRIu64 "\t%.9g\n", i, p->label[i], p->group[i], (double)p->p[i]);
    status_t status = fclose(out) == 0 ? file_write_atomic(path, text, bytes)
                                       : FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    free(text);
    return status;
}

static status_t write_predictions(const char *out, const predictions_t *p)
{
    char *stem = stem_of(out), *raw = mem_printf("%s.f32", stem), *tsv = mem_printf("%s.tsv", stem);
    status_t status = file_write_atomic(raw, p->p, (size_t)p->rows * sizeof *p->p);
    if (status == ST_OK)
        status = write_tsv(tsv, p);
    if (status == ST_OK)
        printf("%s  %s\n", raw, tsv);
    mem_free(stem);
    mem_free(raw);
    mem_free(tsv);
    return status;
}

static status_t lead_predict(coordinator_t *coordinator, const experiment_t *experiment, const options_t *options,
                             progress_t *progress)
{
    (void)experiment;
    (void)progress;
    char *run_dir = run_of(options->argument);
    manifest_t run = {0};
    predictions_t predictions = {0};
    split_t split = SPLIT_EVAL;
    status_t status;
    TRY_DONE(split_of(options, &split));
    TRY_DONE(read_manifest(run_dir, &run));
    TRY_DONE(coordinator_predict(coordinator, run_dir, &run, split, &predictions));
    log_info("%" PRId64 " examples of %s scored by %s", predictions.rows, options->second, run_dir);
    status = write_predictions(options->out, &predictions);
done:
    predictions_fini(&predictions);
    manifest_fini(&run);
    mem_free(run_dir);
    return status;
}

status_t command_predict(const options_t *options)
{
    options_t o = *options;
    manifest_t run;
    if (!options->out)
        return FAIL(ST_INPUT, "smelter predict needs --out FILE");
    if (!cluster_is_launched()) { /* before config.yaml of a folder that is none is asked for; under mpirun rank 0 says it */
        TRY(read_manifest(options->argument, &run));
        manifest_fini(&run);
    }
    if (o.n_sets + 5 > OPTIONS_MOST)
        return FAIL(ST_INPUT, "more than %d --set arguments", OPTIONS_MOST - 5);
    char *config = mem_printf("%s/config.yaml", options->argument), *path = mem_printf("data.path=%s", options->second);
    o.argument = config;
    o.sets[o.n_sets++] = path;
    o.sets[o.n_sets++] = "teacher.variant=\"\"";
    o.sets[o.n_sets++] = "objective.form=joint";
    o.sets[o.n_sets++] = "complexity.match=\"\"";
    o.sets[o.n_sets++] = "experiment.baseline=\"\"";
    status_t status = job_run_prepared(&o, prepare, lead_predict);
    mem_free(config);
    mem_free(path);
    return status;
}
