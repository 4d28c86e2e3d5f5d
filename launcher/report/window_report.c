#include "launcher/report/window_report.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/data/dataset_times.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"

/* ---- first visits ---------------------------------------------------------------------------------------------------- */

/* Windows of a run, as its lines tell them: the last that is told of one is all of it. */
typedef struct told_windows {
    time_window_t *window; /* [n] */
    int64_t n;
    size_t capacity;
} told_windows_t;

static void put_told(told_windows_t *told, const time_window_t *window)
{
    int64_t at = 0;
    while (at < told->n && told->window[at].start != window->start)
        at++;
    if (at == told->n) {
        MEM_GROW(told->window, told->capacity, (size_t)told->n + 1);
        told->n++;
    }
    told->window[at] = *window;
}

static status_t read_window(const jsondoc_t *from, const char *where, time_window_t *out)
{
    double start;
    TRY(jsondoc_get_number(from, where, "start", &start));
    out->start = isnan(start) ? TIME_WINDOWS_NO_TIME : (int64_t)start;
    TRY(jsondoc_get_integer(from, where, "examples", 1, INT64_MAX, &out->examples));
#define READ(name, heading, digits, doc) TRY(jsondoc_get_number(from, where, #name, &out->name));
    TIME_WINDOW_METRICS(READ)
#undef READ
    return ST_OK;
}

static status_t read_line(const jsondoc_t *line, const char *where, told_windows_t *told)
{
    const jsondoc_t *windows;
    TRY(jsondoc_get_array(line, where, "windows", &windows));
    for (int64_t i = 0; i < jsondoc_length(windows); i++) {
        time_window_t window;
        TRY(read_window(jsondoc_at(windows, i), where, &window));
        put_told(told, &window);
    }
    return ST_OK;
}

/* Of one run; none where its file is gone. */
static status_t put_run(const char *folder, window_sum_t *sum)
{
    char *path = run_path(folder, FILE_METRICS);
    jsondoc_t *lines = NULL;
    told_windows_t told = {0};
    status_t status = file_exists(path) ? jsondoc_read_lines(path, "\"windows\"", &lines) : ST_OK;
    for (int64_t i = 0; lines && i < jsondoc_length(lines) && status == ST_OK; i++)
        status = read_line(jsondoc_at(lines, i), path, &told);
    if (status == ST_OK)
        window_sum_put(sum, told.window, told.n, 1);
    mem_free(told.window);
    jsondoc_destroy(&lines);
    mem_free(path);
    return status;
}

static status_t read_first_visits(const char *dir, variant_result_t *variant, int64_t seconds)
{
    window_sum_t sum = {.series = {.seconds = seconds}};
    status_t status = ST_OK;
    for (int32_t r = 0; r < variant->replicas && status == ST_OK; r++) {
        char *folder = replica_path(dir, variant->name, (int)variant->replica[r].replica);
        status = put_run(folder, &sum);
        mem_free(folder);
    }
    variant->first_visits = window_sum_end(&sum);
    return status;
}

/* ---- the split that is scored ------------------------------------------------------------------------------------------ */

static status_t measure_scored(const experiment_result_t *result, const int64_t *time, const dataset_window_t *window,
                               variant_result_t *variant, int64_t seconds)
{
    const int64_t n = result->eval_examples;
    window_sum_t sum = {.series = {.seconds = seconds}};
    float *p = MEM_ARRAY(float, n);
    status_t status = ST_OK;
    for (int32_t r = 0; r < variant->replicas && status == ST_OK; r++) {
        const scores_t scores = replica_scores(&variant->replica[r], n);
        time_window_t *windows;
        status = scores_load(&scores, p);
        if (status != ST_OK)
            break;
        const int64_t found =
            time_windows_measure(&(timed_predictions_t){n, p, result->label, result->weight, time}, window->length, &windows);
        window_sum_put(&sum, windows, found, window->ticks);
        mem_free(windows);
    }
    mem_free(p);
    variant->scored_windows = window_sum_end(&sum);
    return status;
}

static status_t read_variant(const char *dir, dataset_t *dataset, const experiment_result_t *result, const int64_t *time,
                             variant_result_t *variant)
{
    const int64_t seconds = variant->config ? validation_window_seconds(variant->config->evaluate.window) : 0;
    dataset_window_t window;
    if (seconds <= 0)
        return ST_OK;
    TRY(dataset_times_window(dataset, variant->config->data.path, "evaluate.window", seconds, &window));
    TRY(read_first_visits(dir, variant, seconds));
    return measure_scored(result, time, &window, variant, seconds);
}

status_t window_report_read(const char *dir, dataset_t *dataset, experiment_result_t *result)
{
    bool any = false;
    status_t status = ST_OK;
    for (int32_t v = 0; v < result->variants; v++)
        any = any || (result->variant[v].config && *result->variant[v].config->evaluate.window);
    if (!any || !dataset_info(dataset)->has_time)
        return ST_OK;
    int64_t *time = MEM_ARRAY(int64_t, result->eval_examples);
    TRY_DONE(dataset_times_read(dataset, result->on_test ? SPLIT_TEST : SPLIT_EVAL, time));
    for (int32_t v = 0; v < result->variants; v++)
        TRY_DONE(read_variant(dir, dataset, result, time, &result->variant[v]));
done:
    mem_free(time);
    return status;
}
