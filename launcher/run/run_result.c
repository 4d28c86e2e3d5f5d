#include "launcher/run/run_result.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/memory.h"
#include "common/metrics/metrics.h"

double quality_auc(const void *numbers)
{
    return 1.0 - ((const quality_t *)numbers)->auc_loss;
}

#define ROW(type, name, ...) METRIC_ROW(quality_t, type, name, __VA_ARGS__),
static const metric_t quality[] = {QUALITY_METRICS(ROW)};
#undef ROW
#define ROW(type, name, ...) METRIC_ROW(cost_t, type, name, __VA_ARGS__),
static const metric_t cost[] = {COST_METRICS(ROW)};
#undef ROW

const metric_rows_t quality_rows = {quality, sizeof quality / sizeof *quality, offsetof(quality_t, not_recorded)};
const metric_rows_t cost_rows = {cost, sizeof cost / sizeof *cost, offsetof(cost_t, not_recorded)};

_Static_assert(SCORES_BLOCK == FLOAT_FILE_BLOCK, "a block of scores is a block of their file");

static status_t read_file(void *file, int64_t first, int64_t count, float *out)
{
    return float_file_read(file, first, count, out);
}

scores_t replica_scores(const replica_result_t *replica, int64_t n)
{
    ASSERT(replica->predictions || replica->predictions_file || n == 0);
    if (replica->predictions_file)
        return (scores_t){.n = n, .read = read_file, .file = replica->predictions_file};
    return scores_in_memory(replica->predictions, n);
}

void run_result_evaluate(quality_t *out, const float *p, const uint8_t *y, const float *weight, uint64_t *group, int64_t n)
{
    for (int i = 0; i < quality_rows.n; i++)
        if (quality[i].measure)
            metric_set(&quality_rows, i, out, quality[i].measure(p, y, weight, n));
    out->pqauc_loss = out->pqauc_query_mean = NAN; /* undefined, not 0, without a query column */
    if (group && weight)
        out->pqauc_loss = weighted_pqauc_loss(p, y, weight, group, n, &out->pqauc_query_mean);
    else if (group)
        out->pqauc_loss = metrics_pqauc_loss_sorting(p, y, group, n, &out->pqauc_query_mean);
    for (int i = 0; i < quality_rows.n; i++)
        if (quality[i].derive)
            metric_set(&quality_rows, i, out, quality[i].derive(out));
}

status_t run_result_complete(quality_t *out, const scores_t *p, const uint8_t *y, const float *weight)
{
    float *loaded = NULL;
    status_t status = ST_OK;
    for (int i = 0; i < quality_rows.n && status == ST_OK; i++) {
        if (!quality[i].measure || metric_is_recorded(&quality_rows, i, out))
            continue;
        if (!loaded) {
            loaded = MEM_ARRAY(float, p->n);
            status = scores_load(p, loaded);
        }
        if (status == ST_OK)
            metric_set(&quality_rows, i, out, quality[i].measure(loaded, y, weight, p->n));
    }
    mem_free(loaded);
    return status;
}

static void print_told(FILE *out, const quality_t *numbers, int i, bool one_class, const char *separator)
{
    const metric_t *metric = &quality[i];
    const double value = metric_value(&quality_rows, i, numbers);
    if (isfinite(value))
        fprintf(out, "%s%s %.*f", separator, metric->title, metric->told_digits, value);
    else if (!metric_is_recorded(&quality_rows, i, numbers))
        fprintf(out, "%sno %s (not recorded)", separator, metric->title);
    else
        fprintf(out, "%sno %s (%s)", separator, metric->title,
                one_class && metric->needs_both_labels ? "all labels are equal" : metric->undefined);
}

void run_result_print_quality(FILE *out, const quality_t *numbers, int64_t examples)
{
    if (examples == 0) {
        fputs("no evaluation examples (the evaluation split is empty)", out);
        return;
    }
    if (!isfinite(numbers->logloss)) {
        fprintf(out, "no metrics (not all predictions are numbers) over %" PRId64 " example%s", examples,
                examples == 1 ? "" : "s");
        return;
    }
    const bool one_class = !isfinite(numbers->auc_loss);
    const char *separator = "";
    for (int i = 0; i < quality_rows.n; i++)
        if (quality[i].show & SHOW_TOLD) {
            print_told(out, numbers, i, one_class, separator);
            separator = ", ";
        }
    fprintf(out, " over %" PRId64 " example%s", examples, examples == 1 ? "" : "s");
}
