/* smelter check - what would go wrong with a configuration, all of it, without training. Each thing is looked at by the
 * very function that would refuse it later, so that it is said in the same words; what needs another thing that is wrong is
 * left out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/lanes.h"
#include "common/config/table_plan.h"
#include "common/config/validation.h"
#include "common/data/dataset_times.h"
#include "common/data/field_plan.h"
#include "common/files/file.h"
#include "common/files/file_system.h"
#include "common/files/scratch_folder.h"
#include "common/kernels/optimizer.h"
#include "launcher/commands/commands.h"
#include "launcher/coordinator/schedule_check.h"
#include "launcher/coordinator/warm_start.h"
#include "launcher/ingest/sources.h"
#include "launcher/ingest/splits.h"
#include "launcher/ingest/stale.h"
#include "launcher/init/head_import.h"
#include "launcher/job/complexity.h"
#include "launcher/job/job.h"
#include "launcher/ranks/roster.h"
#include "launcher/run/outdir.h"
#include "launcher/run/run_reader.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

#define ROW_BYTES_BESIDE 48 /* of a row in memory: key, version, count, its place in the index */
#define MB 1048576.0

typedef struct checking {
    const experiment_t *experiment;
    const options_t *options;
    bool compares;
    int found;           /* things that would go wrong */
    double memory, disk; /* bytes that the largest run needs on this host, and all of them in --out */
    bool is_sized;       /* both are known */
    scratch_folder_t *scratch;
} checking_t;

static void look(checking_t *c, status_t status)
{
    c->found += status != ST_OK;
}

static const config_t *variant(const checking_t *c, int v)
{
    return c->experiment->variants ? c->experiment->configs[v] : c->experiment->base;
}

static const char *variant_name(const checking_t *c, int v)
{
    return c->experiment->variants ? c->experiment->names[v] : c->experiment->base->name;
}

static int variants_of(const checking_t *c)
{
    return c->experiment->variants ? c->experiment->variants : 1;
}

/* ---- a dataset ---------------------------------------------------------------------------------------------------------- */

static status_t check_stale(const config_t *config)
{
    char *difference = NULL, *unknown = NULL;
    if (!*config->data.input && !*config->data.schema && !config->synth.rows)
        TRY(stale_input(config->data.path, &difference));
    else
        TRY(stale_check(config, &difference, &unknown));
    status_t status = ST_OK;
    if (difference)
        status = FAIL(ST_INPUT,
                      "dataset %s is not what the configuration asks for: %s; make it again by --reimport, or choose "
                      "another data.path",
                      config->data.path, difference);
    mem_free(difference);
    mem_free(unknown);
    return status;
}

static void check_splits(checking_t *c, const config_t *config)
{
    splits_t splits;
    const char *path = config->data.path;
    if (splits_read(path, config->data.label, &splits) != ST_OK) {
        c->found++;
        return;
    }
    look(c, splits_check_labelled(splits.unlabelled, splits.train_rows + splits.eval_rows + splits.test_rows, path));
    look(c, splits_check_training(&splits, path));
    const int before = c->found;
    if (c->compares)
        look(c, splits_check_evaluation(&splits, path, "compare"));
    if (c->found == before)
        splits_warn(&splits, path);
}

/* The first rows of the first of the files that data.input names, as the dataset `path`. */
static status_t import_head(checking_t *c, const config_t *config, const char *path)
{
    char *input = NULL, **specs = NULL;
    schema_t *schema = NULL;
    sources_t sources = {0};
    int n = 0;
    status_t status, named;
    named = config_expand(config->data.input, "data.input", &input);
    status = schema_load(config->data.schema, &schema);
    c->found += named != ST_OK && status != ST_OK; /* both are said */
    TRY_DONE(named != ST_OK ? named : status);
    specs = sources_lines(input, &n);
    for (int i = 0; i < n; i++)
        if (strcmp(specs[i], SOURCE_STDIN) == 0)
            TRY_DONE(FAIL(ST_INPUT, "%s: data.input is -, and standard input is read by smelter import alone; import it first",
                          c->options->argument));
    TRY_DONE(sources_find((const char *const *)specs, n, &sources));
    TRY_DONE(head_import(sources.paths[0], schema, scratch_folder_path(c->scratch), path));
    log_info("dataset %s: is not there; it will be imported from %s, whose first rows the schema reads", config->data.path,
             sources.paths[0]);
done:
    sources_fini(&sources);
    if (specs)
        mem_free(specs[0]);
    mem_free(specs);
    schema_destroy(&schema);
    mem_free(input);
    return status;
}

/* The dataset as it is, or its first rows as they would become: where, **owned**, or NULL: neither. */
static char *find_dataset(checking_t *c, const config_t *config, int v)
{
    const struct config_data *data = &config->data;
    if (!*data->path) {
        look(c, FAIL(ST_INPUT, "%s: data.path is empty; name a dataset, or one that is to be made", c->options->argument));
        return NULL;
    }
    if (dataset_exists(data->path)) {
        look(c, check_stale(config));
        check_splits(c, config);
        return mem_strdup(data->path);
    }
    if (config->synth.rows) {
        log_info("dataset %s: is not there; it will be generated", data->path);
        return NULL;
    }
    if (!*data->input) {
        look(c, FAIL(ST_INPUT,
                     "dataset %s does not exist; make it with smelter import or smelter synth, or set data.input or synth.rows",
                     data->path));
        return NULL;
    }
    char *path = mem_printf("%s/dataset%d", scratch_folder_path(c->scratch), v);
    const status_t status = import_head(c, config, path);
    if (status == ST_OK && dataset_exists(path))
        return path;
    c->found += status != ST_OK;
    mem_free(path);
    return NULL;
}

/* ---- a variant ---------------------------------------------------------------------------------------------------------- */

static status_t check_run(const char *key, const char *dir, const char *name)
{
    run_reader_t run;
    char *before = mem_printf("variant %s: %s: ", name, key);
    status_t status;
    TRY_DONE(run_reader_open(dir, 0, &run));
    status = run_reader_need_finished(&run, before, "; name the folder of a run that has ended, such as out/NAME/VARIANT/r0");
    run_reader_fini(&run);
done:
    mem_free(before);
    return status;
}

/* Bytes of the rows of a run: each value of each field, with its optimizer's state. */
static double row_bytes(const config_t *config, const dataset_info_t *info)
{
    table_plan_t plan;
    double bytes = 0.0;
    if (field_plan_of(&plan, config, info, config->data.path) != ST_OK)
        return 0.0;
    for (int t = 0; t < plan.set_tables; t++) {
        const set_table_t *table = &plan.table[t];
        const optimizer_t *optimizer = optimizer_get((optimizer_kind_t)table->optimizer);
        const double floats = (double)(table->width + optimizer->state_floats(table->width));
        bytes += complexity_rows(&plan, info, t) * (4.0 * floats + ROW_BYTES_BESIDE);
    }
    bytes *= plan.sets;
    table_plan_fini(&plan);
    return bytes;
}

/* What a run of this variant needs, once its dataset is whole. */
static void add_needs(checking_t *c, const config_t *config, const dataset_info_t *info)
{
    const struct config_cluster *cluster = &config->cluster;
    const double rows = row_bytes(config, info),
                 examples = (double)info->rows * (info->numeric + 2.0 * info->single + 8.0 * info->multi) * 4.0;
    const double shards = (double)((cluster->servers ? cluster->servers : 1) * cluster->shards_per_server);
    const double cache = fmin(examples, (double)config->data.cache_mb * MB),
                 workers = (double)(cluster->workers ? cluster->workers : 1);
    const double bounded = cluster->memory_mb ? fmin(rows, shards * (double)cluster->memory_mb * MB) : rows;
    const double kept = 1.0 + (config->checkpoint.keep > 1 ? 1.0 : 0.0); /* a base and what is written of the next one */
    const double runs = c->compares ? (double)config->experiment.replicas : 1.0;
    c->memory = fmax(c->memory, bounded + workers * cache);
    c->disk += runs * rows + kept * rows;
}

/* Are the fields that the configuration names those of the dataset, and can a network be made of them? */
static status_t check_fields(const config_t *config, const dataset_info_t *info, const char *name)
{
    table_plan_t plan;
    TRY(field_plan_of_variant(&plan, config, info, config->data.path, name));
    const input_shape_t input = embedding_shape(&plan, info->numeric);
    table_plan_fini(&plan);
    return model_check(config, input);
}

/* Against the length of the training. */
static void check_schedule(checking_t *c, const config_t *config, const dataset_info_t *info, const char *name)
{
    const lanes_t lanes = lanes_of(config, info->train_rows);
    const int64_t steps = lanes_steps(&lanes);
    const status_t status = steps > 0 ? schedule_check(config, name, steps) : ST_OK;
    look(c, status);
    if (status == ST_OK && steps > 0)
        schedule_warn(config, name, steps);
}

/* What is asked of the dataset, but for its fields. */
static void check_data(checking_t *c, const config_t *config, const dataset_info_t *info, bool is_whole, const char *name)
{
    if (info && validation_window_seconds(config->evaluate.window) > 0)
        look(c, dataset_times_check(info, config->data.path, "evaluate.window"));
    if (is_whole) {
        check_schedule(c, config, info, name);
        look(c, splits_check_config(config));
    }
    if (c->compares)
        look(c, splits_check_same_label(variant(c, 0), variant_name(c, 0), config, name));
}

static void check_variant(checking_t *c, int v, const dataset_info_t *info, bool is_whole)
{
    const config_t *config = variant(c, v);
    const char *name = variant_name(c, v);
    check_data(c, config, info, is_whole, name);
    if (info && check_fields(config, info, name) != ST_OK) {
        c->found++;
        info = NULL; /* what follows is about its fields */
    }
    config_t *first = NULL;
    if (*config->warm_start && info && config_for_replica(config, 0, &first) == ST_OK)
        look(c, warm_start_check(first, info));
    else if (*config->warm_start)
        look(c, check_run("warm_start", config->warm_start, name));
    config_destroy(&first);
    if (*config->teacher.run)
        look(c, check_run("teacher.run", config->teacher.run, name));
    if (*config->complexity.match && info) {
        const config_t *other = variant(c, config_variant(c->experiment, config->complexity.match));
        config_t *scaled = NULL;
        if (check_fields(other, info, config->complexity.match) == ST_OK && config_for_replica(config, 0, &scaled) == ST_OK)
            look(c, complexity_scale(scaled, name, info, complexity_count(other, info, config->complexity.by)));
        if (scaled && is_whole)
            add_needs(c, scaled, info);
        config_destroy(&scaled);
    } else if (info && is_whole) {
        add_needs(c, config, info);
    }
    c->is_sized = c->is_sized && is_whole;
}

static bool is_same_data(const config_t *a, const config_t *b)
{
    return strcmp(a->data.path, b->data.path) == 0 && strcmp(a->data.input, b->data.input) == 0 &&
           strcmp(a->data.schema, b->data.schema) == 0;
}

/* Each dataset once, with all variants that have it. */
static void check_variants(checking_t *c)
{
    const int n = variants_of(c);
    c->is_sized = true;
    for (int v = 0; v < n; v++) {
        bool is_first = true;
        for (int other = 0; other < v; other++)
            is_first = is_first && !is_same_data(variant(c, other), variant(c, v));
        if (!is_first)
            continue;
        const config_t *config = variant(c, v);
        char *path = find_dataset(c, config, v);
        dataset_t *dataset = NULL;
        if (path && dataset_open(path, 1 << 20, &dataset) != ST_OK)
            c->found++;
        const dataset_info_t *info = dataset ? dataset_info(dataset) : NULL;
        const bool is_whole = info && strcmp(path, config->data.path) == 0;
        for (int other = v; other < n; other++)
            if (is_same_data(variant(c, other), config)) {
                check_variant(c, other, info, is_whole);
                if (is_whole)
                    look(c, dataset_train_since(dataset, variant(c, other)->data.since));
            }
        dataset_close(&dataset);
        mem_free(path);
    }
}

/* ---- this host ---------------------------------------------------------------------------------------------------------- */

static double available_memory(void)
{
    char *text, *line;
    double bytes = INFINITY;
    if (file_read("/proc/meminfo", &text, NULL) != ST_OK)
        return bytes;
    if ((line = strstr(text, "MemAvailable:")))
        bytes = 1024.0 * atof(line + strlen("MemAvailable:"));
    mem_free(text);
    return bytes;
}

/* Free bytes where the folder is, or will be. */
static double available_disk(const char *dir)
{
    struct statvfs facts;
    char *path = mem_strdup(*dir ? dir : ".");
    while (statvfs(path, &facts) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            mem_free(path);
            path = mem_strdup(slash ? "/" : ".");
            if (statvfs(path, &facts) != 0) {
                mem_free(path);
                return INFINITY;
            }
            break;
        }
        *slash = 0;
    }
    mem_free(path);
    return (double)facts.f_bavail * (double)facts.f_frsize;
}

static void check_room(checking_t *c, const char *dir)
{
    const double memory = available_memory(), disk = available_disk(dir);
    if (!c->is_sized) {
        log_info("memory and disk: how much is needed is known once the dataset is there");
        return;
    }
    log_info("memory: about %.0f MB of rows and examples, where %.0f MB are available", c->memory / MB, memory / MB);
    log_info("disk: about %.0f MB of rows in %s, where %.0f MB are free", c->disk / MB, dir, disk / MB);
    if (c->memory > memory)
        look(c, FAIL(ST_INPUT,
                     "a run needs about %.0f MB of memory and this host has %.0f MB available; cluster.memory_mb bounds rows, "
                     "data.cache_mb examples",
                     c->memory / MB, memory / MB));
    if (c->disk > disk)
        look(c, FAIL(ST_INPUT,
                     "%s: the runs need about %.0f MB of disk, and %.0f MB are free; choose another --out, or fewer replicas",
                     dir, c->disk / MB, disk / MB));
}

static void check_host(checking_t *c)
{
    const config_t *base = c->experiment->base;
    char *dir = job_out_dir(c->options, c->experiment);
    const int ranks = roster_ranks(base, 1);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int workers = base->cluster.workers ? (int)base->cluster.workers : 1;
    for (int v = 0; v < variants_of(c); v++)
        look(c, config_check_workers(variant(c, v), workers));
    if (ranks - 1 > cores)
        log_warn("%d workers and servers on the %ld processors of this host take turns; fewer of them are as fast here",
                 ranks - 1, cores);
    look(c, outdir_check(dir, c->compares ? "compare" : "train", base->name));
    look(c, file_system_check(dir, base->cluster.scratch));
    check_room(c, dir);
    mem_free(dir);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static status_t conclude(const checking_t *c)
{
    if (c->found)
        return FAIL(ST_INPUT, "%s: %d thing%s would go wrong, as said above", c->options->argument, c->found,
                    c->found == 1 ? "" : "s");
    char steps[TEXT_BYTES];
    const int runs = variants_of(c) * (c->compares ? (int)c->experiment->base->experiment.replicas : 1);
    printf("%s: nothing would go wrong; %s %s\n", c->options->argument, text_count(runs, steps),
           runs == 1 ? "run to train" : "runs to train");
    return ST_OK;
}

status_t command_check(const options_t *options)
{
    experiment_t *experiment = NULL;
    checking_t c = {.options = options};
    const char *temporary = getenv("TMPDIR");
    status_t status;
    TRY(experiment_load(options->argument, options->sets, options->n_sets, &experiment));
    c.experiment = experiment;
    c.compares = experiment->variants > 0;
    TRY_DONE(scratch_folder_create(temporary && *temporary ? temporary : "/var/tmp", "TMPDIR", &c.scratch));
    if (c.compares)
        look(&c, check_pd_possible(experiment, options->argument));
    check_variants(&c);
    check_host(&c);
    status = conclude(&c);
done:
    scratch_folder_destroy(&c.scratch);
    experiment_destroy(&experiment);
    return status;
}
