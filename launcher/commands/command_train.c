#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/files/file.h"
#include "common/files/file_system.h"
#include "common/files/run_paths.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/commands/commands.h"
#include "launcher/coordinator/warm_start.h"
#include "launcher/ingest/doubts.h"
#include "launcher/ingest/splits.h"
#include "launcher/job/job.h"
#include "launcher/report/html_report.h"
#include "launcher/report/probe_curve.h"
#include "launcher/report/report.h"
#include "launcher/report/report_table.h"
#include "launcher/report/slices_report.h"
#include "launcher/report/window_report.h"
#include "launcher/run/outdir.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/runs.h"
#include "launcher/run/teacher_file.h"

/* ---- train ------------------------------------------------------------------------------------------------------------ */

/* Losses of training examples, as far as they are numbers. */
static void print_training(const quality_t *quality)
{
    if (isfinite(quality->progressive_logloss))
        printf("progressive    logloss %.5f, of training examples before they were seen for the first time\n",
               quality->progressive_logloss);
    if (isfinite(quality->training_logloss))
        printf("training       logloss %.5f, of their later visits\n", quality->training_logloss);
}

static void print_ending(const manifest_t *m)
{
    if (m->stopped_at)
        printf("stopped        before step %" PRId64 " of %" PRId64 ", having got no better since step %" PRId64 "\n",
               m->stopped_at, m->steps, m->best_step);
    if (m->best_step)
        printf("parameters     those before step %" PRId64 ", the best evaluation\n", m->best_step);
}

static void print_run(const manifest_t *m, const char *dir)
{
    const cost_t *c = &m->result.cost;
    printf("run            %s in %s\n", m->experiment, dir);
    printf("%-14s ", dataset_split_name(m->scored));
    run_result_print_quality(stdout, &m->result.quality, m->predictions);
    fputc('\n', stdout);
    print_training(&m->result.quality);
    print_ending(m);
    printf("cost           %.0f examples/s, %.2f rows and %.0f bytes per example, %.1f CPU s, %.1f s in all\n",
           c->examples_per_second, c->rows_pulled_per_example, c->bytes_per_example, c->cpu_seconds, c->wall_seconds);
    printf("determinism    %s, %" PRId64 " workers, %" PRId64 " servers\n", m->determinism, m->workers, m->servers);
    printf("digest         %s\n", m->result.digest);
}

/* A folder may hold an earlier training of the same configuration, which --again replaces, but not one of another. */
static status_t check_finished(coordinator_t *coordinator, const char *dir, const options_t *options)
{
    manifest_t found, wanted;
    bool is_there;
    TRY(manifest_read(dir, &found, &is_there));
    if (!is_there)
        return ST_OK;
    status_t status = coordinator_expected(coordinator, -1, 0, &wanted);
    if (status == ST_OK) {
        status = manifest_check(&found, &wanted, dir);
        manifest_fini(&wanted);
    }
    if (status == ST_OK && options->again)
        log_warn("--again: the finished run in %s (digest %s) is removed", dir, found.result.digest);
    else if (status == ST_OK && !options->resume)
        status = FAIL(
            ST_INPUT,
            "%s holds a finished run of this configuration; give --again to remove it and train anew, or choose another --out",
            dir);
    manifest_fini(&found);
    return status;
}

/* Hours of work may lie in the checkpoints of a run that was cut off. */
static status_t check_unfinished(const char *dir, const options_t *options)
{
    checkpoint_catalog_t catalog;
    char *manifest = run_path(dir, FILE_MANIFEST);
    const bool finished = file_exists(manifest);
    mem_free(manifest);
    if (finished || options->resume)
        return ST_OK;
    TRY(checkpoint_catalog_read(disk_posix(), dir, &catalog));
    const int64_t step = catalog.n ? catalog.at[catalog.n - 1].step : 0;
    status_t status = ST_OK;
    if (catalog.n && options->again)
        log_warn("--again: the unfinished run in %s is removed, with its checkpoints up to step %" PRId64, dir, step);
    else if (catalog.n)
        status =
            FAIL(ST_INPUT,
                 "%s holds an unfinished run, saved before step %" PRId64 "; give --resume to go on from there, --again to "
                 "remove it and begin anew, "
                 "or choose another --out",
                 dir, step);
    checkpoint_catalog_fini(&catalog);
    return status;
}

/* What can be refused is refused before anything is removed. */
static status_t check_earlier(coordinator_t *coordinator, const experiment_t *experiment, const char *dir,
                              const options_t *options)
{
    const config_t *config = experiment->base;
    if (options->again && *config->warm_start) {
        dataset_t *dataset;
        TRY(coordinator_dataset(coordinator, &dataset));
        TRY(warm_start_check(config, dataset_info(dataset)));
    }
    TRY(check_finished(coordinator, dir, options));
    return check_unfinished(dir, options);
}

/* --resume: what is there to go on from? A run that is finished needs none, and with auto none is asked for. */
static status_t check_resume(const char *dir, resume_t asked, bool *finished)
{
    checkpoint_catalog_t catalog;
    char *manifest = run_path(dir, FILE_MANIFEST);
    *finished = file_exists(manifest);
    mem_free(manifest);
    if (*finished)
        return ST_OK;
    TRY(checkpoint_catalog_read(disk_posix(), dir, &catalog));
    const bool found = catalog.n > 0;
    checkpoint_catalog_fini(&catalog);
    if (!found && asked == RESUME_AUTO)
        log_info("--resume auto: %s holds no checkpoint; the run begins at its beginning", dir);
    return found || asked == RESUME_AUTO
               ? ST_OK
               : FAIL(ST_INPUT,
                      "--resume: %s holds no checkpoint; start without --resume, with checkpoint.every_steps or "
                      "every_seconds set",
                      dir);
}

static status_t read_finished(const char *dir, manifest_t *out)
{
    bool found = false;
    TRY(manifest_read(dir, out, &found));
    ASSERT(found);
    log_info("%s is finished; there is nothing to resume", dir);
    return ST_OK;
}

/* What its results will lack, and what makes them worse than they could be, is said before it is trained. */
static status_t warn_of_data(const config_t *config)
{
    splits_t splits;
    TRY(splits_read(config->data.path, config->data.label, &splits));
    splits_warn(&splits, config->data.path);
    return doubts_say(config->data.path);
}

static status_t lead_train(coordinator_t *coordinator, const experiment_t *experiment, const options_t *options,
                           progress_t *progress)
{
    (void)progress;
    char *dir = job_out_dir(options, experiment);
    outdir_t *outdir = NULL;
    manifest_t manifest = {0};
    bool finished = false;
    const progress_run_t line = {.variant = experiment->base->name, .replicas = 1, .runs = 1};
    const coordinator_run_t run = {.variant = -1, .dir = dir, .resume = options->resume, .line = &line};
    status_t status;
    if (options->resume == RESUME_ALWAYS && !file_exists(dir))
        TRY_DONE(check_resume(dir, options->resume, &finished)); /* refuses, and makes no folder */
    TRY_DONE(outdir_open(dir, "train", experiment->base->name, &outdir));
    TRY_DONE(check_earlier(coordinator, experiment, dir, options));
    TRY_DONE(warn_of_data(experiment->base));
    if (options->resume)
        TRY_DONE(check_resume(dir, options->resume, &finished));
    if (finished)
        TRY_DONE(read_finished(dir, &manifest));
    else
        TRY_DONE(coordinator_train(coordinator, &run, &manifest));
    print_run(&manifest, dir);
    manifest_fini(&manifest);
done:
    outdir_close(&outdir);
    mem_free(dir);
    return status;
}

/* Before a dataset is imported for it. */
static status_t check_out(const experiment_t *experiment, const options_t *options, const char *kind)
{
    char *dir = job_out_dir(options, experiment);
    status_t status = outdir_check(dir, kind, experiment->base->name);
    if (status == ST_OK)
        status = file_system_check(dir, experiment->base->cluster.scratch);
    mem_free(dir);
    return status;
}

static status_t prepare_train(const experiment_t *experiment, const options_t *options)
{
    splits_t splits;
    TRY(check_out(experiment, options, "train"));
    TRY(prepare_data(experiment, options));
    TRY(splits_read(experiment->base->data.path, experiment->base->data.label, &splits));
    TRY(splits_check_training(&splits, experiment->base->data.path));
    return splits_check_config(experiment->base);
}

status_t command_train(const options_t *options)
{
    if (options->resume && options->again)
        return FAIL(ST_INPUT, "--resume goes on with the run in --out and --again removes it; give one of them");
    static const job_kind_t kind = {prepare_train, lead_train, false};
    return job_run(options, &kind);
}

/* ---- compare ---------------------------------------------------------------------------------------------------------- */

typedef struct comparison {
    coordinator_t *coordinator;
    const experiment_t *experiment;
    const char *dir;
    int variants, replicas; /* an experiment without variants compares the base with itself */
    int trained;            /* runs of this job so far */
    int to_train;
} comparison_t;

static int variant_index(const comparison_t *c, int v)
{
    return c->experiment->variants ? v : -1;
}

static const char *variant_name(const comparison_t *c, int v)
{
    return c->experiment->variants ? c->experiment->names[v] : c->experiment->base->name;
}

static char *run_folder(const comparison_t *c, int v, int replica)
{
    return replica_path(c->dir, variant_name(c, v), replica);
}

/* A finished run of an earlier, interrupted job: *found tells whether there is one; a different one is an error. */
static status_t find_finished(const comparison_t *c, int v, int replica, manifest_t *out, bool *found)
{
    char *path = run_folder(c, v, replica);
    manifest_t wanted = {0};
    run_reader_t run = {0};
    status_t status;
    TRY_DONE(run_reader_open(path, 0, &run));
    *found = run.is_finished;
    if (!run.is_finished)
        goto done;
    TRY_DONE(coordinator_expected(c->coordinator, variant_index(c, v), replica, &wanted));
    TRY_DONE(manifest_check(&run.manifest, &wanted, path));
    TRY_DONE(run_reader_want(&run, RUN_PUBLISHED));
    TRY_DONE(manifest_open_predictions(&run.manifest, path));
    *out = run.manifest;
    run.manifest = (manifest_t){0};
done:
    manifest_fini(&wanted);
    run_reader_fini(&run);
    mem_free(path);
    return status;
}

static status_t train_one(comparison_t *c, int v, int replica, manifest_t *out)
{
    char *path = run_folder(c, v, replica);
    manifest_t manifest = {0};
    const progress_run_t line = {
        .variant = variant_name(c, v), .replica = replica, .replicas = c->replicas, .run = c->trained, .runs = c->to_train};
    const coordinator_run_t run = {
        .variant = variant_index(c, v), .replica = replica, .dir = path, .resume = true, .line = &line};
    status_t status;
    TRY_DONE(dir_create(path));
    TRY_DONE(coordinator_train(c->coordinator, &run, &manifest));
    TRY_DONE(manifest_open_predictions(&manifest, path));
    *out = manifest;
    manifest = (manifest_t){0};
done:
    manifest_fini(&manifest);
    c->trained++;
    mem_free(path);
    return status;
}

/* How many teachers stand above a variant. */
static int teachers_above(const comparison_t *c, int v)
{
    int n = 0;
    while (c->experiment->variants && (v = config_variant(c->experiment, c->experiment->configs[v]->teacher.variant)) >= 0)
        n++;
    return n;
}

/* The variants in the order of training: teachers before their students, else as in the file. order out [variants]. */
static void training_order(const comparison_t *c, int *order)
{
    int n = 0;
    for (int depth = 0; n < c->variants; depth++)
        for (int v = 0; v < c->variants; v++)
            if (teachers_above(c, v) == depth)
                order[n++] = v;
}

/* A teacher that finished before it had a student, or whose predictions are lost, is trained again if a student of it is to
 * be. */
static void recall_teachers(const comparison_t *c, manifest_t *done, bool *have)
{
    for (int depth = c->variants; depth > 0; depth--) /* the last students first, whose teachers may be students */
        for (int i = 0; i < c->variants * c->replicas && c->experiment->variants; i++) {
            const int v = i / c->replicas, r = i % c->replicas;
            const config_t *config = c->experiment->configs[v];
            const int teacher = config_variant(c->experiment, config->teacher.variant);
            if (teacher < 0 || have[i] || teachers_above(c, v) != depth)
                continue;
            const int t = teacher * c->replicas + (config->teacher.replica == TEACHER_REPLICA_FIRST ? 0 : r);
            char *path = run_folder(c, teacher, t % c->replicas);
            if (have[t] && !teacher_file_exists(path, (soft_labels_t)config->teacher.predictions)) {
                log_info("%s has no predictions for its student %s; it is trained again", path, variant_name(c, v));
                manifest_fini(&done[t]);
                have[t] = false;
            }
            mem_free(path);
        }
}

static status_t check_pair(const comparison_t *c, int v, const manifest_t *a, const manifest_t *b)
{
    const config_t *config = c->experiment->variants ? c->experiment->configs[v] : c->experiment->base;
    const uint32_t vary = config->experiment.vary;
    if (!config->cluster.mixed_processors)
        TRY(manifest_check_processors(a, b));
    return manifest_check_replicas(a, b, vary & 1u << VARY_INIT, vary & 1u << VARY_ORDER, vary & 1u << VARY_WORKERS);
}

/* Replicas of a variant differ in its sources alone: those that are there with those that this job would train. Said before
 * hours of training, not after. */
static status_t check_replicas(const comparison_t *c, const manifest_t *done, const bool *have)
{
    for (int v = 0; v < c->variants; v++) {
        const manifest_t *first = NULL;
        int missing = -1;
        for (int r = 0; r < c->replicas; r++) {
            const int i = v * c->replicas + r;
            if (have[i] && first)
                TRY(check_pair(c, v, first, &done[i]));
            else if (have[i])
                first = &done[i];
            else if (missing < 0)
                missing = r;
        }
        if (!first || missing < 0)
            continue;
        manifest_t wanted;
        TRY(coordinator_expected(c->coordinator, variant_index(c, v), missing, &wanted));
        status_t status = check_pair(c, v, first, &wanted);
        manifest_fini(&wanted);
        TRY(status);
    }
    return ST_OK;
}

/* Runs that are kept, and those that this job would add to them, are computed by processors of one kind. Where nothing is to be
 * trained nothing is computed here: a report may be made of them anywhere. */
static status_t check_kept_processors(const comparison_t *c, const manifest_t *done, const bool *have)
{
    status_t status = ST_OK;
    for (int i = 0; i < c->variants * c->replicas && c->to_train && status == ST_OK; i++) {
        manifest_t wanted;
        if (!have[i])
            continue;
        TRY(coordinator_expected(c->coordinator, variant_index(c, i / c->replicas), i % c->replicas, &wanted));
        char *path = run_folder(c, i / c->replicas, i % c->replicas);
        status = processors_check_earlier(path, "holds a finished run that was", &done[i].processors, &wanted.processors,
                                          wanted.config);
        mem_free(path);
        manifest_fini(&wanted);
    }
    return status;
}

static status_t find_all_finished(const comparison_t *c, manifest_t *done, bool *have)
{
    for (int i = 0; i < c->variants * c->replicas; i++) {
        const status_t status = find_finished(c, i / c->replicas, i % c->replicas, &done[i], &have[i]);
        have[i] = have[i] && status == ST_OK;
        TRY(status);
    }
    return ST_OK;
}

/* Train what is missing; every replica's result moves into `result`. */
static status_t train_all(comparison_t *c, experiment_result_t *result)
{
    manifest_t *done = MEM_ARRAY(manifest_t, c->variants * c->replicas);
    bool *have = MEM_ARRAY(bool, c->variants * c->replicas);
    int *order = MEM_ARRAY(int, c->variants);
    training_order(c, order);
    status_t status;
    int kept = 0;
    TRY_DONE(find_all_finished(c, done, have));
    recall_teachers(c, done, have);
    for (int i = 0; i < c->variants * c->replicas; i++)
        kept += have[i];
    c->to_train = c->variants * c->replicas - kept;
    TRY_DONE(check_kept_processors(c, done, have));
    TRY_DONE(check_replicas(c, done, have));
    if (kept)
        log_info("%d of %d runs are finished in %s and kept", kept, c->variants * c->replicas, c->dir);
    /* Replicas outside, variants inside: an interrupted experiment has seen every variant as early as it can. */
    for (int r = 0; r < c->replicas && status == ST_OK; r++)
        for (int n = 0; n < c->variants && status == ST_OK; n++) {
            int v = order[n], i = v * c->replicas + r;
            if (have[i])
                continue;
            status = train_one(c, v, r, &done[i]);
            have[i] = status == ST_OK;
        }
done:
    for (int i = 0; i < c->variants * c->replicas; i++)
        if (have[i]) {
            result->eval_examples = done[i].predictions;
            result->on_test = done[i].scored == SPLIT_TEST;
            result->variant[i / c->replicas].replica[i % c->replicas] = done[i].result;
            done[i].result.predictions_file = NULL;
            done[i].result.layers = (activated_layers_t){0};
            manifest_fini(&done[i]);
        }
    mem_free(done);
    mem_free(have);
    mem_free(order);
    return status;
}

/* Predictions are compared example by example, so all variants must score the same ones. */
static status_t check_datasets(const comparison_t *c)
{
    manifest_t first = {0}, other;
    status_t status = coordinator_expected(c->coordinator, variant_index(c, 0), 0, &first);
    for (int v = 1; v < c->variants && status == ST_OK; v++) {
        status = coordinator_expected(c->coordinator, variant_index(c, v), 0, &other);
        if (status != ST_OK)
            break;
        char difference[INPUT_FIELDS_DIFFERENCE_BYTES] = "they have other examples";
        input_fields_difference(&first.inputs, &other.inputs, difference);
        status = splits_check_same_label(first.config, variant_name(c, 0), other.config, variant_name(c, v));
        if (status == ST_OK && other.scored != first.scored)
            status = FAIL(
                ST_INPUT, "variants %s and %s would be scored on the %s and the %s split; give them the same evaluate.split",
                variant_name(c, 0), variant_name(c, v), dataset_split_name(first.scored), dataset_split_name(other.scored));
        else if (status == ST_OK && other.dataset_hash != first.dataset_hash)
            status = FAIL(
                ST_INPUT,
                "variants %s and %s have different datasets (%s and %s: %s); predictions can be compared over one dataset only",
                variant_name(c, 0), variant_name(c, v), first.config->data.path, other.config->data.path, difference);
        manifest_fini(&other);
    }
    manifest_fini(&first);
    return status;
}

/* A folder below the experiment's own; the run in it may be yet to come. */
static bool is_own_run(const comparison_t *c, const char *folder)
{
    char *current = path_absolute("."), *own = path_absolute(c->dir);
    char *whole = *folder == '/' ? mem_strdup(folder) : mem_printf("%s/%s", current, folder);
    const size_t length = strlen(own);
    const bool is_below = strncmp(whole, own, length) == 0 && whole[length] == '/';
    mem_free(whole);
    mem_free(own);
    mem_free(current);
    return is_below;
}

static status_t check_warm_start(const comparison_t *c, const config_t *config, int replica, const dataset_info_t *info)
{
    config_t *own;
    TRY(config_for_replica(config, replica, &own));
    const status_t status = is_own_run(c, own->warm_start) ? ST_OK : warm_start_check(own, info);
    config_destroy(&own);
    return status;
}

/* Runs that are started from must be there and fit, which is said before hours of training. One of this very experiment may be
 * yet to come. */
static status_t check_warm_starts(const comparison_t *c)
{
    dataset_t *dataset;
    TRY(coordinator_dataset(c->coordinator, &dataset));
    for (int v = 0; v < c->variants; v++) {
        const config_t *config = c->experiment->variants ? c->experiment->configs[v] : c->experiment->base;
        for (int r = 0; *config->warm_start && r < c->replicas; r++)
            TRY(check_warm_start(c, config, r, dataset_info(dataset)));
    }
    return ST_OK;
}

static status_t summarise(const comparison_t *c, experiment_result_t *result)
{
    dataset_t *dataset;
    TRY(coordinator_dataset(c->coordinator, &dataset));
    TRY(slices_report_read(dataset, result));
    TRY(probe_curve_read(c->dir, result));
    TRY(window_report_read(c->dir, dataset, result));
    TRY(result_summarise(result));
    return slices_report_make(dataset, result);
}

static status_t write_report(const comparison_t *c, experiment_result_t *result)
{
    char *json = run_path(c->dir, FILE_RESULTS), *csv = run_path(c->dir, FILE_RESULTS_CSV);
    char *verdict = run_path(c->dir, FILE_VERDICT);
    status_t status;
    TRY_DONE(summarise(c, result));
    TRY_DONE(report_write_csv(result, csv));
    TRY_DONE(report_write_verdict(result, verdict));
    TRY_DONE(report_write_json(result, json)); /* holds the checksums of the others */
    TRY_DONE(html_report_write(c->dir));
    report_print_table(result, stdout);
    printf("\n%s  %s  %s  %s/" FILE_REPORT "\n", json, csv, verdict, c->dir);
done:
    mem_free(json);
    mem_free(csv);
    mem_free(verdict);
    return status;
}

static status_t lead_compare(coordinator_t *coordinator, const experiment_t *experiment, const options_t *options,
                             progress_t *progress)
{
    char *dir = job_out_dir(options, experiment);
    outdir_t *outdir = NULL;
    comparison_t c = {
        .coordinator = coordinator,
        .experiment = experiment,
        .dir = dir,
        .variants = experiment->variants ? experiment->variants : 1,
        .replicas = (int)experiment->base->experiment.replicas,
    };
    experiment_result_t result = {
        .name = experiment->base->name, .variants = c.variants, .variant = MEM_ARRAY(variant_result_t, c.variants)};
    for (int v = 0; v < c.variants; v++) {
        const config_t *config = experiment->variants ? experiment->configs[v] : experiment->base;
        const bool async = config->experiment.vary & 1u << VARY_LEVEL; /* as config_for_replica has it */
        const determinism_t level = async ? DETERMINISM_ASYNC : (determinism_t)config->determinism;
        result.variant[v] = (variant_result_t){
            .name = variant_name(&c, v),
            .determinism = config_determinism_word(level),
            .config = config,
            .replicas = c.replicas,
            .replica = MEM_ARRAY(replica_result_t, c.replicas),
        };
        if (strcmp(variant_name(&c, v), experiment->base->experiment.baseline) == 0)
            result.baseline = v;
    }
    size_t words = 0;
    while (options->argv[words])
        words++;
    result.command = text_command((const char *const *)options->argv, words);
    status_t status;
    TRY_DONE(outdir_open(dir, "compare", experiment->base->name, &outdir));
    TRY_DONE(check_datasets(&c));
    TRY_DONE(check_warm_starts(&c));
    TRY_DONE(warn_of_data(experiment->base));
    TRY_DONE(train_all(&c, &result));
    progress_clear(progress);
    TRY_DONE(write_report(&c, &result));
done:
    result_fini(&result);
    outdir_close(&outdir);
    mem_free(dir);
    return status;
}

status_t check_pd_possible(const experiment_t *experiment, const char *config_path)
{
    const int variants = experiment->variants ? experiment->variants : 1;
    for (int v = 0; v < variants && experiment->base->experiment.replicas < 2; v++)
        if ((experiment->variants ? experiment->configs[v] : experiment->base)->experiment.vary)
            return FAIL(ST_INPUT,
                        "%s: experiment.replicas is %" PRId64
                        ", but the prediction difference that experiment.vary of %s asks for needs 2 or "
                        "more; raise it, or compare single runs by --set experiment.vary=[]",
                        config_path, experiment->base->experiment.replicas,
                        experiment->variants ? experiment->names[v] : experiment->base->name);
    return ST_OK;
}

static status_t prepare_compare(const experiment_t *experiment, const options_t *options)
{
    TRY(check_pd_possible(experiment, options->argument));
    TRY(check_out(experiment, options, "compare"));
    TRY(prepare_data(experiment, options));
    return splits_check_experiment(experiment, "compare");
}

status_t command_compare(const options_t *options)
{
    if (options->resume == RESUME_ALWAYS)
        return FAIL(ST_INPUT,
                    "smelter compare keeps what is finished in --out and goes on with the rest without being asked; leave "
                    "--resume out, or give --resume auto, which says the same");
    static const job_kind_t kind = {prepare_compare, lead_compare, true};
    return job_run(options, &kind);
}
