/* smelter churn: what changes from one version of a model to the next.
 *
 * The two are compared on predictions of the same examples. A run that was evaluated on this very dataset has them already;
 * for any other a job of `smelter predict` is started, one after the other, because two versions are two configurations, and a
 * job has one. So whatever predict refuses is refused here, in its words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/cluster/launch.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/predict_files.h"
#include "launcher/report/churn_report.h"
#include "launcher/report/slices_report.h"
#include "launcher/run/run_reader.h"

#define CACHE (64ll << 20)

/* The evaluation split that a version is scored on. */
typedef struct evaluated {
    const char *path;
    dataset_t *dataset;
    experiment_result_t split; /* label, group and weight */
} evaluated_t;

typedef struct scored_version {
    const char *folder; /* borrowed */
    int32_t replicas, scored;
    char **run; /* **owned**, [replicas] */
    float **p;  /* **owned**, [replicas] */
} scored_version_t;

/* ---- datasets -------------------------------------------------------------------------------------------------------- */

static status_t open_evaluated(const char *path, const scored_version_t *version, evaluated_t *out)
{
    out->path = path;
    if (!dataset_exists(path))
        return FAIL(ST_INPUT, "%s%s %s; make it with smelter import by the run's schema", file_exists(path) ? "" : "dataset ",
                    path, file_exists(path) ? "is no dataset" : "does not exist");
    TRY(dataset_open(path, CACHE, &out->dataset));
    if (version->replicas > 0)
        TRY(run_reader_choose_label(version->run[0], out->dataset));
    out->split.eval_examples = dataset_info(out->dataset)->eval_rows;
    if (out->split.eval_examples == 0)
        return FAIL(ST_INPUT, "dataset %s: the evaluation split is empty, so there is nothing to compare on", path);
    return slices_report_read(out->dataset, &out->split);
}

static void close_evaluated(evaluated_t *evaluated)
{
    result_fini(&evaluated->split);
    dataset_close(&evaluated->dataset);
}

/* Two datasets with other fields of the same examples. */
static status_t check_same_examples(const evaluated_t *a, const evaluated_t *b)
{
    const experiment_result_t *x = &a->split, *y = &b->split;
    if (x->eval_examples != y->eval_examples)
        return FAIL(ST_INPUT,
                    "%s has %" PRId64 " evaluation examples and %s %" PRId64
                    "; churn is over examples that both versions score",
                    a->path, x->eval_examples, b->path, y->eval_examples);
    for (int64_t i = 0; i < x->eval_examples; i++)
        if (x->label[i] != y->label[i] || (x->group && y->group && x->group[i] != y->group[i]))
            return FAIL(ST_INPUT,
                        "%s and %s do not hold the same examples: %s of evaluation example %" PRId64
                        " differs; import both from the same rows, in the same order",
                        a->path, b->path, x->label[i] != y->label[i] ? "the label" : "the query", i);
    return ST_OK;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

/* A folder with an r0 is a variant of an experiment: its runs are r0, r1, .. */
static status_t find_runs(const char *folder, scored_version_t *out)
{
    int32_t n = 0;
    bool is_there = true;
    if (!file_exists(folder))
        return FAIL(ST_INPUT, "%s does not exist; name the folder of a run, of a checkpoint, or of a variant of an experiment",
                    folder);
    for (char *path; is_there; n += is_there) {
        path = mem_printf("%s/r%d", folder, n);
        is_there = file_exists(path);
        mem_free(path);
    }
    out->folder = folder;
    out->replicas = n > 0 ? n : 1;
    out->run = MEM_ARRAY(char *, out->replicas);
    out->p = MEM_ARRAY(float *, out->replicas);
    for (int32_t r = 0; r < out->replicas; r++)
        out->run[r] = n > 0 ? mem_printf("%s/r%d", folder, r) : mem_strdup(folder);
    return ST_OK;
}

static void fini_version(scored_version_t *version)
{
    for (int32_t r = 0; r < version->replicas; r++) {
        mem_free(version->run[r]);
        mem_free(version->p[r]);
    }
    mem_free(version->run);
    mem_free(version->p);
}

/* The first n replicas. */
static status_t score(scored_version_t *version, int32_t n, const evaluated_t *evaluated, const char *scratch,
                      const options_t *options)
{
    const dataset_info_t *info = dataset_info(evaluated->dataset);
    for (int32_t r = 0; r < n; r++) {
        TRY(run_reader_scores(version->run[r], info->content_hash, SPLIT_EVAL, info->eval_rows, &version->p[r]));
        if (version->p[r])
            continue;
        version->scored++;
        TRY(predict_scores(options, version->run[r], evaluated->path, NULL, NULL, scratch, info->eval_rows, &version->p[r]));
    }
    return ST_OK;
}

/* Both are scored, on a scratch folder that is gone afterwards: beside the results, which all hosts see, or of this machine. */
static status_t score_both(scored_version_t version[2], int32_t n, const evaluated_t *const evaluated[2],
                           const options_t *options)
{
    const char *tmp = getenv("TMPDIR");
    char *scratch = mem_printf("%s/smelter-churn-XXXXXX", options->out ? options->out : tmp ? tmp : "/tmp");
    status_t status = options->out ? dir_create(options->out) : ST_OK;
    if (status == ST_OK && !mkdtemp(scratch))
        status = FAIL(ST_INPUT, "%s cannot be made: %m; choose another --out, or TMPDIR", scratch);
    if (status == ST_OK) {
        for (int v = 0; v < 2 && status == ST_OK; v++)
            status = score(&version[v], n, evaluated[v], scratch, options);
        const status_t removed = dir_remove_tree(scratch);
        if (status == ST_OK)
            status = removed;
    }
    mem_free(scratch);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */

static int32_t common_replicas(const scored_version_t version[2])
{
    const int32_t a = version[0].replicas, b = version[1].replicas, n = a < b ? a : b;
    if (a != b)
        log_warn("%s has %d run%s and %s %d; the first %s compared", version[0].folder, a, a == 1 ? "" : "s", version[1].folder,
                 b, n == 1 ? "is" : "ones are");
    return n;
}

static status_t report(const evaluated_t *evaluated, const scored_version_t version[2], int32_t n, const options_t *options)
{
    const churn_input_t input = {
        .replicas = n,
        .before = (const float *const *)version[0].p,
        .after = (const float *const *)version[1].p,
        .label = evaluated->split.label,
        .group = evaluated->split.group,
        .weight = evaluated->split.weight,
        .examples = evaluated->split.eval_examples,
    };
    churn_t churn;
    churn_measure(&input, &churn);
    churn_report_t found = {
        .dataset = evaluated->path,
        .before = {version[0].folder, version[0].scored},
        .after = {version[1].folder, version[1].scored},
    };
    status_t status = churn_report_make(evaluated->dataset, &input, &churn, &found);
    if (status == ST_OK && options->out)
        status = churn_report_write(&found, options->out);
    if (status == ST_OK)
        churn_report_print(&found, stdout);
    churn_report_fini(&found);
    churn_fini(&churn);
    return status;
}

status_t command_churn(const options_t *options)
{
    TRY(launch_check_none("smelter churn starts mpirun itself, where a run has to be scored; start it without one"));
    evaluated_t after = {0}, before = {0};
    scored_version_t version[2] = {{0}, {0}};
    status_t status;
    TRY_DONE(find_runs(options->argument, &version[0]));
    TRY_DONE(find_runs(options->second, &version[1]));
    TRY_DONE(open_evaluated(options->third, &version[1], &after));
    if (options->dataset_a) {
        TRY_DONE(open_evaluated(options->dataset_a, &version[0], &before));
        TRY_DONE(check_same_examples(&before, &after));
    }
    if (options->out)
        TRY_DONE(dir_check_creatable(options->out));
    const int32_t n = common_replicas(version);
    const evaluated_t *evaluated[] = {options->dataset_a ? &before : &after, &after};
    TRY_DONE(score_both(version, n, evaluated, options));
    status = report(&after, version, n, options);
done:
    fini_version(&version[0]);
    fini_version(&version[1]);
    close_evaluated(&before);
    close_evaluated(&after);
    return status;
}
