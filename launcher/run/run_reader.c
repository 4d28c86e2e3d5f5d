#include "launcher/run/run_reader.h"

#include <inttypes.h>

#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/data/field_plan.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/run/teacher_file.h"

static void assert_wanted(const run_reader_t *run, uint32_t kind)
{
    ASSERT((run->kinds & kind) == kind);
}

status_t run_reader_want(run_reader_t *run, uint32_t kinds)
{
    if (run->is_finished && kinds)
        TRY(manifest_check_files(&run->manifest, run->dir, kinds));
    run->kinds |= kinds;
    return ST_OK;
}

status_t run_reader_open(const char *dir, uint32_t kinds, run_reader_t *out)
{
    run_reader_t run = {.dir = mem_strdup(dir)};
    status_t status = manifest_read(dir, &run.manifest, &run.is_finished);
    if (status == ST_OK)
        status = run_reader_want(&run, kinds);
    if (status == ST_OK)
        *out = run;
    else
        run_reader_fini(&run);
    return status;
}

void run_reader_fini(run_reader_t *run)
{
    mem_free(run->dir);
    manifest_fini(&run->manifest);
    config_destroy(&run->config);
    input_fields_fini(&run->inputs);
    table_plan_fini(&run->plan);
    *run = (run_reader_t){0};
}

status_t run_reader_need_finished(const run_reader_t *run, const char *before, const char *after)
{
    if (run->is_finished)
        return ST_OK;
    return FAIL(ST_INPUT, "%s%s holds no finished run (there is no " FILE_MANIFEST ")%s", before, run->dir, after);
}

status_t run_reader_config(run_reader_t *run)
{
    assert_wanted(run, RUN_CONFIG);
    char *path = run_path(run->dir, FILE_CONFIG);
    config_destroy(&run->config);
    const status_t status = config_read_resolved(path, &run->config);
    mem_free(path);
    return status;
}

status_t run_reader_check_config(const run_reader_t *run)
{
    ASSERT(run->is_finished && run->config);
    if (manifest_has_config(&run->manifest, run->config))
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s/" FILE_CONFIG ": is not the configuration of the run beside it; it changed after training",
                run->dir);
}

status_t run_reader_inputs(run_reader_t *run)
{
    assert_wanted(run, RUN_INPUTS);
    input_fields_fini(&run->inputs);
    return input_fields_read(run->dir, &run->inputs);
}

status_t run_reader_tables(run_reader_t *run)
{
    ASSERT(run->config);
    table_plan_fini(&run->plan);
    const known_fields_t known = {
        run->inputs.fields, run->inputs.numeric, run->inputs.single, run->inputs.multi, run->dir, NULL};
    return field_plan_init(&run->plan, run->config, &known) == ST_OK
               ? ST_OK
               : FAIL(ST_CORRUPT, "%s: " FILE_CONFIG " and " FILE_INPUTS " do not fit one another; they changed after training",
                      run->dir);
}

status_t run_reader_dense(const run_reader_t *run, int component, float **out, int64_t *n)
{
    assert_wanted(run, RUN_DENSE);
    char *path = run_dense_path(run->dir, component), *data = NULL;
    size_t bytes = 0;
    status_t status = file_read(path, &data, &bytes);
    if (status == ST_OK && bytes % sizeof **out)
        status =
            FAIL(ST_CORRUPT, "%s: has %zu bytes, which is no number of floats; the file changed after training", path, bytes);
    mem_free(path);
    if (status != ST_OK) {
        mem_free(data);
        return status;
    }
    *out = (float *)(void *)data; /* as aligned as all of mem_alloc */
    *n = (int64_t)(bytes / sizeof **out);
    return ST_OK;
}

status_t run_reader_teacher(const run_reader_t *run, soft_labels_t kind, int64_t rows, float **out)
{
    assert_wanted(run, kind == SOFT_LABELS_PROGRESSIVE ? RUN_PROGRESSIVE : RUN_TEACHER);
    return teacher_file_read(run->dir, kind, rows, out);
}

status_t run_reader_curve(const run_reader_t *run, curve_t *out, bool *found)
{
    assert_wanted(run, RUN_METRICS);
    return curve_read(run->dir, out, found);
}

status_t run_reader_steps(const run_reader_t *run, step_digest_reader_t *out)
{
    assert_wanted(run, RUN_METRICS | RUN_STEPS);
    step_digest_reader_t steps;
    TRY(step_digest_reader_read(run->dir, &steps));
    const int64_t end = step_digest_reader_end(&steps) + 1;
    if (!run->is_finished || steps.n == 0 || end == run->manifest.steps) {
        *out = steps;
        return ST_OK;
    }
    step_digest_reader_fini(&steps);
    char *path = run_path(run->dir, FILE_STEPS);
    const bool is_older = !file_exists(path);
    mem_free(path);
    return FAIL(ST_CORRUPT,
                "%s/%s: was changed after training: it has digests of %" PRId64 " steps, the run made %" PRId64
                "; copy it back from where it is whole",
                run->dir, is_older ? FILE_METRICS : FILE_STEPS, end, run->manifest.steps);
}

status_t run_reader_probes(run_reader_t *run, probe_reader_t *out)
{
    char *path = run_path(run->dir, FILE_PROBE_STEPS);
    const bool is_there = file_exists(path);
    mem_free(path);
    *out = (probe_reader_t){0};
    if (!is_there)
        return ST_OK;
    TRY(run_reader_want(run, RUN_PROBES | RUN_PROBE_STEPS));
    return probe_reader_read(run->dir, INT64_MAX, out);
}

status_t run_reader_scores(const char *dir, uint64_t dataset_hash, split_t split, int64_t n, float **out)
{
    run_reader_t run;
    status_t status = ST_OK;
    *out = NULL;
    TRY(run_reader_open(dir, 0, &run));
    if (run.is_finished && run.manifest.dataset_hash == dataset_hash && run.manifest.scored == split &&
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

status_t run_reader_choose_label(const char *dir, dataset_t *dataset)
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
