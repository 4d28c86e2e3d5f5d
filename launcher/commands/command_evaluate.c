/* smelter evaluate: what a run predicts for a split of a dataset, and what that is worth.
 *
 * A run that was scored on this very split has its predictions; for any other a job of `smelter predict` is started, so
 * whatever that refuses is refused here, in its words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/predict_files.h"
#include "launcher/report/evaluation.h"
#include "launcher/report/slices_report.h"
#include "launcher/run/run_reader.h"

#define CACHE (64ll << 20)

/* The examples of the split. */
typedef struct examples {
    int64_t n;
    uint8_t *label;  /* **owned** */
    uint64_t *group; /* **owned**; NULL where there is no group column */
    float *weight;   /* **owned**; NULL where there are no weights */
    float *p;        /* **owned** */
} examples_t;

/* The label that the run was trained on. */
static status_t choose_label(const char *dir, dataset_t *dataset)
{
    run_reader_t run;
    if (dataset_info(dataset)->labels == 1)
        return ST_OK;
    TRY(run_reader_open(dir, RUN_CONFIG, &run));
    status_t status = run_reader_config(&run);
    if (status == ST_OK)
        status = dataset_choose_label(dataset, run.config->data.label);
    run_reader_fini(&run);
    return status;
}

static status_t read_examples(const char *dir, const char *path, split_t split, examples_t *out, uint64_t *content_hash)
{
    dataset_t *dataset;
    TRY(dataset_open(path, CACHE, &dataset));
    const dataset_info_t *info = dataset_info(dataset);
    *content_hash = info->content_hash;
    out->n = dataset_split_rows(info, split);
    out->label = MEM_ARRAY(uint8_t, out->n);
    out->group = info->has_group ? MEM_ARRAY(uint64_t, out->n) : NULL;
    out->weight = info->has_weight ? MEM_ARRAY(float, out->n) : NULL;
    status_t status;
    TRY_DONE(choose_label(dir, dataset));
    if (out->n == 0)
        TRY_DONE(FAIL(ST_INPUT, "dataset %s: the %s split is empty, so there is nothing to evaluate on", path,
                      dataset_split_name(split)));
    status = slices_report_labels(dataset, split, out->label, out->group, out->weight);
done:
    dataset_close(&dataset);
    return status;
}

/* What the run itself has predicted for these examples; *out stays NULL where it has not. */
static status_t own_predictions(const char *dir, uint64_t content_hash, split_t split, int64_t n, float **out)
{
    run_reader_t run;
    char *manifest = run_path(dir, FILE_MANIFEST);
    const bool is_finished = file_exists(manifest);
    status_t status = ST_OK;
    mem_free(manifest);
    if (!is_finished)
        return ST_OK;
    TRY(run_reader_open(dir, 0, &run));
    if (run.is_finished && run.manifest.dataset_hash == content_hash && run.manifest.scored == split &&
        run.manifest.predictions == n) {
        float *p = MEM_ARRAY(float, n);
        status = manifest_open_predictions(&run.manifest, dir);
        if (status == ST_OK) {
            const scores_t scores = replica_scores(&run.manifest.result, n);
            status = scores_load(&scores, p);
        }
        if (status == ST_OK)
            *out = p;
        else
            mem_free(p);
    }
    run_reader_fini(&run);
    return status;
}

static status_t read_scores(const char *path, examples_t *out)
{
    char *data;
    size_t bytes;
    TRY(file_read(path, &data, &bytes));
    out->p = (float *)(void *)data; /* as aligned as all of mem_alloc */
    return bytes == (size_t)out->n * sizeof *out->p
               ? ST_OK
               : FAIL(ST_CORRUPT, "%s has %zu bytes and not %" PRId64 " floats; was it changed meanwhile?", path, bytes,
                      out->n);
}

/* In a folder that is gone afterwards. */
static status_t score(const options_t *options, const char *split, examples_t *out)
{
    const char *tmp = getenv("TMPDIR");
    char *scratch = mem_printf("%s/smelter-evaluate-XXXXXX", tmp && *tmp ? tmp : "/tmp"), *stem = NULL, *raw = NULL;
    status_t status;
    if (!mkdtemp(scratch)) {
        status = FAIL(ST_INPUT, "%s cannot be made: %m; choose another TMPDIR", scratch);
        mem_free(scratch);
        return status;
    }
    stem = mem_printf("%s/scores", scratch);
    raw = mem_printf("%s.f32", stem);
    status = predict_command(options, options->argument, options->second, split, NULL, stem);
    if (status == ST_OK)
        status = read_scores(raw, out);
    const status_t removed = dir_remove_tree(scratch);
    mem_free(scratch);
    mem_free(stem);
    mem_free(raw);
    return status == ST_OK ? removed : status;
}

status_t command_evaluate(const options_t *options)
{
    const char *word = options->split ? options->split : dataset_split_word(SPLIT_EVAL), *path = options->second;
    examples_t examples = {0};
    uint64_t content_hash = 0;
    split_t split;
    status_t status;
    TRY(launch_check_none("smelter evaluate starts mpirun itself, where the run has to be scored; start it without one"));
    if (!dataset_split_of(word, &split))
        return FAIL(ST_INPUT, "--split is \"%s\"; it must be train, eval, test or all", word);
    if (!dataset_exists(path))
        return FAIL(ST_INPUT, "%s%s %s; make it with smelter import by the schema of the run's",
                    file_exists(path) ? "" : "dataset ", path, file_exists(path) ? "is no dataset" : "does not exist");
    TRY_DONE(read_examples(options->argument, path, split, &examples, &content_hash));
    TRY_DONE(own_predictions(options->argument, content_hash, split, examples.n, &examples.p));
    if (!examples.p)
        TRY_DONE(score(options, word, &examples));
    evaluation_t evaluation;
    const evaluation_of_t of = {options->argument, path, word};
    evaluation_measure(&(evaluated_examples_t){examples.n, examples.p, examples.label, examples.weight, examples.group},
                       &evaluation);
    (options->json ? evaluation_print_json : evaluation_print)(&evaluation, &of, stdout);
done:
    mem_free(examples.label);
    mem_free(examples.group);
    mem_free(examples.weight);
    mem_free(examples.p);
    return status;
}
