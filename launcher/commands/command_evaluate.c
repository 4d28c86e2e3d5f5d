/* smelter evaluate: what a run, or each run of a folder of replicas, predicts for a split of a dataset, and what that is worth.
 *
 * A run that was scored on this very split has its predictions; for any other a job of `smelter predict` is started, so
 * whatever that refuses is refused here, in its words. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/config/validation.h"
#include "common/data/dataset_times.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/predict_files.h"
#include "launcher/report/replica_evaluation.h"
#include "launcher/report/slices_report.h"
#include "launcher/report/window_series.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/runs.h"

#define CACHE (64ll << 20)

/* The examples of the split. */
typedef struct examples {
    int64_t n;
    uint8_t *label;  /* **owned** */
    uint64_t *group; /* **owned**; NULL where there is no group column */
    float *weight;   /* **owned**; NULL where there are no weights */
    int64_t *time;   /* **owned**; NULL where nobody asks for windows */
    dataset_window_t window;
} examples_t;

typedef struct evaluating {
    const options_t *options;
    const char *split; /* its word */
    int64_t seconds;   /* of a window; 0: none are wanted */
    examples_t examples;
    uint64_t content_hash;
    runs_list_t runs;
    float **p; /* **owned**, [runs.n] of [examples.n] */
} evaluating_t;

static status_t read_times(dataset_t *dataset, const char *path, split_t split, int64_t seconds, examples_t *out)
{
    if (seconds == 0)
        return ST_OK;
    TRY(dataset_times_window(dataset, path, "--by-window", seconds, &out->window));
    out->time = MEM_ARRAY(int64_t, out->n);
    return dataset_times_read(dataset, split, out->time);
}

static status_t read_examples(evaluating_t *e, split_t split)
{
    const char *dir = e->runs.folder[0], *path = e->options->second;
    examples_t *out = &e->examples;
    dataset_t *dataset;
    TRY(dataset_open(path, CACHE, &dataset));
    const dataset_info_t *info = dataset_info(dataset);
    e->content_hash = info->content_hash;
    out->n = dataset_split_rows(info, split);
    out->label = MEM_ARRAY(uint8_t, out->n);
    out->group = info->has_group ? MEM_ARRAY(uint64_t, out->n) : NULL;
    out->weight = info->has_weight ? MEM_ARRAY(float, out->n) : NULL;
    status_t status;
    TRY_DONE(run_reader_choose_label(dir, dataset));
    if (out->n == 0)
        TRY_DONE(FAIL(ST_INPUT, "dataset %s: the %s split is empty, so there is nothing to evaluate on", path,
                      dataset_split_name(split)));
    TRY_DONE(slices_report_labels(dataset, split, out->label, out->group, out->weight));
    status = read_times(dataset, path, split, e->seconds, out);
done:
    dataset_close(&dataset);
    return status;
}

/* In a folder that is gone afterwards. */
static status_t score(const evaluating_t *e, const char *run, float **out)
{
    const char *tmp = getenv("TMPDIR");
    char *scratch = mem_printf("%s/smelter-evaluate-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    status_t status;
    if (!mkdtemp(scratch)) {
        status = FAIL(ST_INPUT, "%s cannot be made: %m; choose another TMPDIR", scratch);
        mem_free(scratch);
        return status;
    }
    status = predict_scores(e->options, run, e->options->second, e->split, NULL, scratch, e->examples.n, out);
    const status_t removed = dir_remove_tree(scratch);
    mem_free(scratch);
    return status == ST_OK ? removed : status;
}

/* ---- what they are worth --------------------------------------------------------------------------------------------- */

static window_series_t measure_windows(const evaluating_t *e)
{
    const examples_t *x = &e->examples;
    window_sum_t sum = {.series = {.seconds = e->seconds}};
    for (int r = 0; r < e->runs.n && x->time; r++) {
        time_window_t *window;
        const timed_predictions_t of = {x->n, e->p[r], x->label, x->weight, x->time};
        const int64_t n = time_windows_measure(&of, x->window.length, &window);
        window_sum_put(&sum, window, n, x->window.ticks);
        mem_free(window);
    }
    return window_sum_end(&sum);
}

static jsondoc_t *measure_all(const evaluating_t *e)
{
    const examples_t *x = &e->examples;
    const evaluation_of_t of = {e->options->argument, e->options->second, e->split};
    const evaluated_examples_t examples = {x->n, e->p[0], x->label, x->weight, x->group};
    const bool json = e->options->json;
    if (e->runs.n == 1) {
        evaluation_t one;
        evaluation_measure(&examples, &one);
        if (json)
            return evaluation_object(&one, &of);
        evaluation_print(&one, &of, stdout);
        return NULL;
    }
    replica_evaluation_t all;
    replica_evaluation_measure(&examples, (const float *const *)e->p, e->runs.n, &all);
    if (json)
        return replica_evaluation_object(&all, &of);
    replica_evaluation_print(&all, &of, stdout);
    return NULL;
}

static void tell(const evaluating_t *e)
{
    jsondoc_t *doc = measure_all(e);
    window_series_t windows = measure_windows(e);
    if (doc) {
        if (windows.n > 0) {
            jsondoc_t *array = window_series_array(&windows);
            jsondoc_put(doc, "windows", &array);
        }
        char *text = jsondoc_text(doc, true);
        fputs(text, stdout);
        mem_free(text);
        jsondoc_destroy(&doc);
    } else if (windows.n > 0) {
        window_series_print(&windows, stdout);
    }
    window_series_fini(&windows);
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */

static status_t evaluate(evaluating_t *e, split_t split)
{
    TRY(runs_replicas(e->options->argument, &e->runs));
    TRY(read_examples(e, split));
    e->p = MEM_ARRAY(float *, e->runs.n);
    for (int r = 0; r < e->runs.n; r++) {
        TRY(run_reader_scores(e->runs.folder[r], e->content_hash, split, e->examples.n, &e->p[r]));
        if (!e->p[r])
            TRY(score(e, e->runs.folder[r], &e->p[r]));
    }
    tell(e);
    return ST_OK;
}

static void fini(evaluating_t *e)
{
    for (int r = 0; r < e->runs.n && e->p; r++)
        mem_free(e->p[r]);
    mem_free(e->p);
    mem_free(e->examples.label);
    mem_free(e->examples.group);
    mem_free(e->examples.weight);
    mem_free(e->examples.time);
    runs_list_fini(&e->runs);
}

status_t command_evaluate(const options_t *options)
{
    evaluating_t e = {.options = options,
                      .split = options->split ? options->split : dataset_split_word(SPLIT_EVAL),
                      .seconds = validation_window_seconds(options->by_window)};
    const char *path = options->second;
    split_t split;
    TRY(launch_check_none("smelter evaluate starts mpirun itself, where the run has to be scored; start it without one"));
    if (!dataset_split_of(e.split, &split))
        return FAIL(ST_INPUT, "--split is \"%s\"; it must be train, eval, test or all", e.split);
    if (e.seconds < 0)
        return FAIL(ST_INPUT, "--by-window is \"%s\"; it must be day, hour, or seconds from 1 to 1000000000",
                    options->by_window);
    if (!dataset_exists(path))
        return FAIL(ST_INPUT, "%s%s %s; make it with smelter import by the run's schema", file_exists(path) ? "" : "dataset ",
                    path, file_exists(path) ? "is no dataset" : "does not exist");
    const status_t status = evaluate(&e, split);
    fini(&e);
    return status;
}
