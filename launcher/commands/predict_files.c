#include "launcher/commands/predict_files.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/config/bins.h"
#include "common/config/config_compare.h"
#include "common/data/dataset.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/weighted.h"
#include "common/process/descriptors.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/scores_file.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/sources.h"
#include "launcher/report/evaluation.h"
#include "launcher/run/runs.h"

#define CACHE (64ll << 20)
#define PIECE (1u << 20)

/* The models, each of which predicts all examples: replicas of a variant, or the components of a run. */
typedef struct scorers {
    char **run; /* **owned** [n] */
    int n;
    int components; /* of a single run, more than one: then predictions of each are wanted, too */
} scorers_t;

typedef struct file_scoring {
    const options_t *options;
    scorers_t scorers;
    const char *split;
    char *scratch;    /* **owned**, NULL: none */
    char *spooled;    /* **owned**, standard input as a file */
    char *dataset;    /* **owned** */
    schema_t *schema; /* of files */
    carried_t *carried;
    int64_t rows;
    uint8_t *label;
    uint64_t *group;
    float *weight; /* NULL: none */
    int64_t *row;
    float **p; /* [members] */
    int members;
    float *mean, *std, *pd;
} file_scoring_t;

/* ---- what it is ---- */

static char *replica_of(const char *folder, int replica)
{
    return mem_printf("%s/r%d", folder, replica);
}

static bool is_variant(const char *folder)
{
    char *first = replica_of(folder, 0);
    const bool is = file_exists(first);
    mem_free(first);
    return is;
}

bool predict_files_is(const options_t *options)
{
    const char *input = options->second;
    if (launch_read().kind != LAUNCH_NONE || dataset_exists(input))
        return is_variant(options->argument) || options->columns || options->schema;
    return strcmp(input, SOURCE_STDIN) == 0 || file_exists(input) || strpbrk(input, "*?[{");
}

/* A file of the run, also of one that a checkpoint's folder is of; **owned**. */
static char *run_file(const char *run, const char *file)
{
    char *dir = path_absolute(run), *name = strrchr(dir, '/');
    int64_t step;
    if (name && checkpoint_step_of(name + 1, &step))
        for (int up = 0; up < 3 && (name = strrchr(dir, '/')); up++)
            *name = 0;
    char *path = run_path(dir, file);
    mem_free(dir);
    return path;
}

static status_t find_scorers(const char *folder, scorers_t *out)
{
    int n = 0;
    if (!file_exists(folder))
        return FAIL(ST_INPUT,
                    "%s does not exist; name the folder of a finished run, of a checkpoint, or of a variant of an "
                    "experiment",
                    folder);
    if (!is_variant(folder)) {
        char *config = run_file(folder, FILE_CONFIG);
        const bool is_run = file_exists(config);
        mem_free(config);
        if (!is_run)
            return FAIL(ST_INPUT,
                        "%s is no run: it has no " FILE_CONFIG
                        "; name the folder of a finished run, of a checkpoint, or of a variant of an experiment",
                        folder);
        out->run = MEM_ARRAY(char *, 1);
        out->run[out->n++] = mem_strdup(folder);
        return ST_OK;
    }
    for (bool is_there = true; is_there; n += is_there) {
        char *path = replica_of(folder, n);
        is_there = file_exists(path);
        mem_free(path);
    }
    out->run = MEM_ARRAY(char *, n);
    for (; out->n < n; out->n++)
        out->run[out->n] = replica_of(folder, out->n);
    return ST_OK;
}

/* ---- the schema ---- */

static status_t run_config(const char *run, config_t **out)
{
    char *path = run_file(run, FILE_CONFIG);
    const status_t status = config_read_resolved(path, out);
    mem_free(path);
    return status;
}

/* The schema of the dataset that the run was trained on: as the dataset keeps it, or where it was; *out is NULL where neither
 * is there. */
static status_t schema_of_dataset(const char *path, schema_t **out)
{
    dataset_t *dataset;
    char *yaml = NULL;
    *out = NULL;
    if (!dataset_exists(path))
        return ST_OK;
    TRY(dataset_open(path, 0, &dataset));
    const origin_t *origin = dataset_origin(dataset);
    status_t status = dataset_schema(dataset, &yaml);
    if (status == ST_OK && yaml)
        status = schema_parse(yaml, strlen(yaml), path, out);
    else if (status == ST_OK && origin->kind == ORIGIN_IMPORT && *origin->schema &&
             (*origin->schema != '/' || file_exists(origin->schema)))
        status = schema_load(origin->schema, out);
    mem_free(yaml);
    dataset_close(&dataset);
    return status;
}

/* The run's own; or, of a run of an older version, that of its dataset, or the file that was named. */
static status_t schema_of_run(const char *run, const config_t *config, schema_t **out)
{
    char *own = run_file(run, FILE_SCHEMA);
    const char *named = config->data.schema;
    status_t status;
    *out = NULL;
    if (file_exists(own)) {
        status = schema_load(own, out);
        goto done;
    }
    TRY_DONE(schema_of_dataset(config->data.path, out));
    if (!*out && *named && (*named != '/' || file_exists(named)))
        TRY_DONE(schema_load(named, out));
    status = ST_OK;
done:
    mem_free(own);
    return status;
}

/* Quantiles are those of the rows that the run was trained on, and not of those that are to be scored. */
static status_t check_bins(const schema_t *schema, const char *run)
{
    for (unsigned c = 0; c < schema->columns_count; c++) {
        bins_t bins;
        const char *fault = bins_parse(schema->columns[c].bins, &bins);
        const bool is_known = fault || bins.count == 0 || bins.edge;
        bins_fini(&bins);
        if (!is_known)
            return FAIL(
                ST_INPUT,
                "column '%s' of the schema asks for %s bins, whose edges are in the dataset that %s was trained on; leave "
                "--schema out, or give the edges",
                schema->columns[c].name, schema->columns[c].bins, run);
    }
    return ST_OK;
}

/* The format by the file's name, where that is another one of columns; Parquet is told by its first bytes. */
static void settle_format(schema_t *schema, const char *input)
{
    if (schema_rows(schema->format) != ROWS_OF_COLUMNS)
        return;
    const bool is_text = schema->format == FORMAT_CSV || schema->format == FORMAT_TSV;
    if (strstr(input, ".tsv"))
        schema->format = FORMAT_TSV;
    else if (strstr(input, ".csv") || !is_text)
        schema->format = FORMAT_CSV;
}

/* All rows are one split, whatever the schema makes of training data; so it is another schema than the file's. */
static void score_all(schema_t *schema)
{
    mem_free(schema->split_column);
    schema->split_column = mem_strdup("");
    schema->train_fraction = 1.0;
    schema->test_fraction = 0.0;
    schema->order = TIME_ORDER_NONE;
    schema->keep_mb = 0;
    if (schema_rows(schema->format) == ROWS_OF_COLUMNS)
        schema->unlabelled = UNLABELLED_ALLOW;
    schema->may_lack_weight = true;
    mem_free(schema->source);
    schema->source = NULL;
}

static status_t find_schema(file_scoring_t *f)
{
    const options_t *options = f->options;
    const char *run = f->scorers.run[0];
    config_t *config = NULL;
    status_t status;
    TRY_DONE(run_config(run, &config));
    TRY_DONE(options->schema ? schema_load(options->schema, &f->schema) : schema_of_run(run, config, &f->schema));
    if (!f->schema)
        TRY_DONE(FAIL(ST_INPUT,
                      "%s: the schema that its data were imported by is not where it was (data.schema, or that of the dataset "
                      "%s); name it with --schema",
                      run, config->data.path));
    TRY_DONE(check_bins(f->schema, run));
    settle_format(f->schema, options->second);
    score_all(f->schema);
done:
    config_destroy(&config);
    return status;
}

/* ---- the dataset ---- */

/* Beside the results, which all hosts see. */
static status_t make_scratch(file_scoring_t *f)
{
    char *scratch = mem_printf("%s.scoring-XXXXXX", f->options->out);
    if (!mkdtemp(scratch)) {
        const status_t status = FAIL(ST_INPUT, "%s cannot be made: %m; choose another --out", scratch);
        mem_free(scratch);
        return status;
    }
    f->scratch = scratch;
    return ST_OK;
}

/* What is read twice cannot come from a pipe. */
static status_t spool(file_scoring_t *f)
{
    f->spooled = mem_printf("%s/input", f->scratch);
    FILE *out = fopen(f->spooled, "w");
    if (!out)
        return FAIL(file_blame(errno), "%s: cannot be made: %m", f->spooled);
    char *piece = MEM_ARRAY(char, PIECE);
    ssize_t n;
    bool is_written = true;
    while (is_written && ((n = read(STDIN_FILENO, piece, PIECE)) > 0 || (n < 0 && errno == EINTR)))
        is_written = n < 0 || fwrite(piece, 1, (size_t)n, out) == (size_t)n;
    mem_free(piece);
    is_written = fclose(out) == 0 && is_written;
    return is_written ? ST_OK : FAIL(ST_SYSTEM, "%s: cannot be written: %m", f->spooled);
}

static status_t import_input(file_scoring_t *f)
{
    const char *input = f->options->second;
    TRY(find_schema(f));
    if (strcmp(input, SOURCE_STDIN) == 0 && f->options->columns) {
        TRY(spool(f));
        input = f->spooled;
    }
    f->dataset = mem_printf("%s/dataset", f->scratch);
    /* What there is to remark on training data is of no interest here. */
    const log_level_t level = log_level();
    if (f->schema->max_bad_rows == 0 && level > LOG_ERROR)
        log_set_level(LOG_ERROR);
    const status_t status = import_files(&input, 1, f->schema, f->dataset, false, false);
    log_set_level(level);
    TRY(status);
    return f->options->columns ? carried_read(&input, 1, f->schema, f->options->columns, &f->carried) : ST_OK;
}

static status_t read_rows(file_scoring_t *f, dataset_t *dataset, split_t split)
{
    for (int64_t i = 0; i < f->rows; i++) {
        const int64_t position = dataset_position(dataset, split, i);
        dataset_example_t example;
        TRY(dataset_fetch(dataset, &position, 1, &example));
        f->label[i] = example.block->label[example.row];
        if (f->group)
            f->group[i] = example.block->group[example.row];
        if (f->weight)
            f->weight[i] = example.block->weight[example.row];
        f->row[i] = census_input_row(dataset_census(dataset), position);
    }
    return ST_OK;
}

static status_t read_examples(file_scoring_t *f)
{
    dataset_t *dataset;
    split_t split;
    TRY(predict_split_of(&(options_t){.split = f->split}, &split));
    TRY(dataset_open(f->dataset, CACHE, &dataset));
    f->rows = dataset_split_rows(dataset_info(dataset), split);
    f->label = MEM_ARRAY(uint8_t, f->rows);
    f->group = dataset_info(dataset)->has_group ? MEM_ARRAY(uint64_t, f->rows) : NULL;
    f->weight = dataset_info(dataset)->has_weight ? MEM_ARRAY(float, f->rows) : NULL;
    f->row = MEM_ARRAY(int64_t, f->rows);
    status_t status =
        f->rows ? read_rows(f, dataset, split)
                : FAIL(ST_INPUT, "dataset %s: the %s split is empty, so there is nothing to score", f->dataset, f->split);
    if (status == ST_OK && f->options->columns && !f->carried)
        status = carried_of_dataset(dataset, split, f->options->columns, &f->carried);
    dataset_close(&dataset);
    return status;
}

/* ---- scores ---- */

static status_t predict_command(const options_t *options, const char *run, const char *dataset, const char *split,
                                const char *deploy, const char *stem)
{
    options_t o = {.argument = run, .second = dataset, .out = stem, .split = split, .mode = options->mode};
    char **argv = MEM_ARRAY(char *, 2 * options->n_sets + 16);
    const char *const words[] = {options->argv[0], "predict", run,      dataset,      "--out", stem,
                                 "--split",        split,     "--mode", options->mode};
    int n = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (i < 6 || words[i | 1]) /* an option and its value, or neither */
            argv[n++] = (char *)(uintptr_t)words[i];
    for (int i = 0; i < options->n_sets + (deploy != NULL); i++) {
        o.sets[o.n_sets++] = i < options->n_sets ? options->sets[i] : deploy;
        argv[n++] = "--set";
        argv[n++] = (char *)(uintptr_t)o.sets[o.n_sets - 1];
    }
    o.argv = argv;
    int saved;
    status_t status = descriptors_divert("/dev/null", &saved); /* where its files are is of no interest */
    if (status == ST_OK) {
        status = command_predict(&o);
        descriptors_restore(saved);
    }
    mem_free(argv);
    return status;
}

status_t predict_scores(const options_t *options, const char *run, const char *dataset, const char *split, const char *deploy,
                        const char *scratch, int64_t n, float **p)
{
    char *stem = mem_printf("%s/scores", scratch), *raw = mem_printf("%s.f32", stem), *data = NULL;
    size_t bytes = 0;
    status_t status;
    TRY_DONE(predict_command(options, run, dataset, split, deploy, stem));
    TRY_DONE(file_read(raw, &data, &bytes));
    if (bytes != (size_t)n * sizeof **p)
        TRY_DONE(FAIL(ST_CORRUPT, "%s has %zu bytes and not %" PRId64 " floats; was it changed meanwhile?", raw, bytes, n));
    *p = (float *)(void *)data; /* as aligned as all of mem_alloc */
    data = NULL;
done:
    mem_free(data);
    mem_free(stem);
    mem_free(raw);
    return status;
}

static status_t score(file_scoring_t *f, const char *run, const char *deploy)
{
    TRY(predict_scores(f->options, run, f->dataset, f->split, deploy, f->scratch, f->rows, &f->p[f->members]));
    f->members++;
    return ST_OK;
}

static status_t count_components(file_scoring_t *f)
{
    config_t *config;
    TRY(run_config(f->scorers.run[0], &config));
    f->scorers.components = f->scorers.n == 1 ? (int)config_peers(config) : 1;
    config_destroy(&config);
    return ST_OK;
}

/* Of a variant, its replicas; of a run of several components what it predicts, which stays the prediction, and each of them. */
static status_t score_members(file_scoring_t *f)
{
    TRY(count_components(f));
    f->p = MEM_ARRAY(float *, f->scorers.n + f->scorers.components + 1);
    for (int r = 0; r < f->scorers.n; r++)
        TRY(score(f, f->scorers.run[r], NULL));
    for (int k = 0; k < f->scorers.components && f->scorers.components > 1; k++) {
        char deploy[48];
        snprintf(deploy, sizeof deploy, "model.deploy=%d", k);
        TRY(score(f, f->scorers.run[0], deploy));
    }
    return ST_OK;
}

/* Mean, standard deviation (n - 1) and mean relative difference of all pairs, of example i. */
static void spread(const file_scoring_t *f, int first, int64_t i, double *mean, double *std, double *pd)
{
    const int n = f->members - first;
    double sum = 0.0, squares = 0.0, apart = 0.0;
    for (int a = first; a < f->members; a++)
        sum += (double)f->p[a][i];
    for (int a = first; a < f->members; a++) {
        const double p = (double)f->p[a][i];
        squares += (p - sum / n) * (p - sum / n);
        for (int b = first; b < a; b++) {
            const double q = (double)f->p[b][i];
            apart += p + q > 0.0 ? 2.0 * fabs(p - q) / (p + q) : 0.0;
        }
    }
    *mean = sum / n;
    *std = sqrt(squares / (n - 1));
    *pd = apart / (0.5 * n * (n - 1));
}

static void combine(file_scoring_t *f)
{
    const bool has_components = f->scorers.components > 1;
    const int first = has_components ? 1 : 0;
    if (f->members - first < 2)
        return;
    f->mean = MEM_ARRAY(float, f->rows);
    f->std = MEM_ARRAY(float, f->rows);
    f->pd = MEM_ARRAY(float, f->rows);
    for (int64_t i = 0; i < f->rows; i++) {
        double mean, std, pd;
        spread(f, first, i, &mean, &std, &pd);
        f->mean[i] = has_components ? f->p[0][i] : (float)mean;
        f->std[i] = (float)std;
        f->pd[i] = (float)pd;
    }
}

/* ---- metrics ---- */

/* Of the examples that have a label. */
static void print_metrics(const file_scoring_t *f, const float *p)
{
    float *scored = MEM_ARRAY(float, f->rows);
    uint8_t *label = MEM_ARRAY(uint8_t, f->rows);
    uint64_t *group = f->group ? MEM_ARRAY(uint64_t, f->rows) : NULL;
    float *weight = f->weight ? MEM_ARRAY(float, f->rows) : NULL;
    double pd = 0.0, weights = 0.0;
    int64_t n = 0;
    for (int64_t i = 0; i < f->rows; i++) {
        pd += f->pd ? weighted_of(f->weight, i) * (double)f->pd[i] : 0.0;
        if (f->label[i] == DATASET_NO_LABEL)
            continue;
        scored[n] = p[i];
        label[n] = f->label[i];
        if (group)
            group[n] = f->group[i];
        if (weight)
            weight[n] = f->weight[i];
        weights += weighted_of(f->weight, i);
        n++;
    }
    if (f->pd && weighted_sum(f->weight, f->rows) > 0.0)
        printf("%d %s, mean relative prediction difference %.5f\n", f->members - (f->scorers.components > 1),
               f->scorers.components > 1 ? "components" : "replicas", pd / weighted_sum(f->weight, f->rows));
    if (weights > 0.0) {
        evaluation_t evaluation;
        const evaluation_of_t of = {f->options->argument, f->options->second, f->split};
        evaluation_measure(&(evaluated_examples_t){n, scored, label, weight, group}, &evaluation);
        evaluation_print(&evaluation, &of, stdout);
    } else {
        printf("%" PRId64 " rows scored; none has a label%s, so there are no metrics\n", f->rows, n ? " and a weight" : "");
    }
    mem_free(scored);
    mem_free(label);
    mem_free(group);
    mem_free(weight);
}

/* ---- all ---- */

static status_t run_all(file_scoring_t *f)
{
    const options_t *options = f->options;
    const bool is_dataset = dataset_exists(options->second);
    if (is_dataset && options->schema)
        return FAIL(ST_INPUT, "%s is a dataset, which is scored as it was imported: --schema is for files", options->second);
    TRY(find_scorers(options->argument, &f->scorers));
    f->split = options->split ? options->split : is_dataset ? "eval" : "all";
    TRY(scores_file_prepare(options->out));
    TRY(make_scratch(f));
    if (is_dataset)
        f->dataset = mem_strdup(options->second);
    else
        TRY(import_input(f));
    TRY(read_examples(f));
    TRY(score_members(f));
    combine(f);
    const float *p = f->mean ? f->mean : f->p[0];
    TRY(scores_file_write(options->out,
                          &(scores_file_t){f->rows, p, f->label, f->group, f->row, f->std, f->pd, f->carried, is_dataset}));
    print_metrics(f, p);
    return ST_OK;
}

static void fini(file_scoring_t *f)
{
    for (int r = 0; r < f->scorers.n; r++)
        mem_free(f->scorers.run[r]);
    for (int m = 0; m < f->members; m++)
        mem_free(f->p[m]);
    mem_free(f->scorers.run);
    mem_free(f->scratch);
    mem_free(f->spooled);
    mem_free(f->dataset);
    schema_destroy(&f->schema);
    carried_destroy(&f->carried);
    mem_free(f->label);
    mem_free(f->group);
    mem_free(f->weight);
    mem_free(f->row);
    mem_free(f->p);
    mem_free(f->mean);
    mem_free(f->std);
    mem_free(f->pd);
}

status_t predict_files(const options_t *options)
{
    TRY(launch_check_none("smelter predict starts mpirun itself where it scores files, or the replicas of a variant; start it "
                          "without one"));
    if (!options->out)
        return FAIL(ST_INPUT, "smelter predict needs --out FILE");
    file_scoring_t f = {.options = options};
    status_t status = run_all(&f);
    const status_t removed = f.scratch ? dir_remove_tree(f.scratch) : ST_OK;
    fini(&f);
    return status == ST_OK ? removed : status;
}
