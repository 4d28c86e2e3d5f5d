#include "launcher/report/probe_curve.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "launcher/run/run_reader.h"

/* What all points of a curve have in common. */
typedef struct probe_set {
    int64_t examples;
    const float *weight; /* borrowed: of its examples, or NULL */
    queries_t *queries;  /* of its examples; NULL where there are none */
} probe_set_t;

static probe_set_t set_of(const experiment_result_t *result, int64_t examples)
{
    probe_set_t set = {.examples = examples, .weight = result->weight};
    const uint64_t *group = result->group;
    if (!group || queries_without(group, examples) == examples)
        return set;
    int64_t whole = examples;
    while (examples < result->eval_examples && whole > 0 && group[whole - 1] == group[examples])
        whole--;
    set.queries = queries_create(group, whole);
    return set;
}

static void put_point(probe_curve_t *curve, const probe_set_t *set, int64_t step, const float *const *p, int32_t replicas)
{
    curve->step[curve->points] = step;
    spread_measure(p, replicas, set->weight, set->examples, set->queries, &curve->spread[curve->points]);
    curve->points++;
}

/* What each replica predicted before the step; false where one did not, or for another number of examples. */
static bool find_all(const probe_reader_t *probes, int32_t replicas, int64_t step, int64_t examples, const float **p)
{
    for (int32_t r = 0; r < replicas; r++) {
        const probe_point_t *point = probe_reader_find(&probes[r], step);
        if (!point || point->examples != examples)
            return false;
        p[r] = point->p;
    }
    return true;
}

/* The predictions at the end for the examples of the set, [replicas][examples], and a pointer to each. */
static status_t load_last(const experiment_result_t *result, const variant_result_t *variant, int64_t examples, float *last,
                          const float **p)
{
    scores_t *scores = result_scores(result, variant);
    score_blocks_t blocks = score_blocks_open(scores, variant->replicas);
    status_t status = ST_OK;
    while (blocks.first + blocks.count < examples && score_blocks_next(&blocks, &status))
        for (int32_t r = 0; r < variant->replicas; r++) {
            const int64_t left = examples - blocks.first, n = left < blocks.count ? left : blocks.count;
            memcpy(last + r * examples + blocks.first, blocks.p[r], (size_t)n * sizeof *last);
            p[r] = last + r * examples;
        }
    score_blocks_close(&blocks);
    mem_free(scores);
    return status;
}

status_t probe_curve_make(const experiment_result_t *result, const variant_result_t *variant, const probe_reader_t *probes,
                          int64_t steps, probe_curve_t *out)
{
    const int32_t replicas = variant->replicas;
    const int64_t n = probes[0].n, examples = n ? probes[0].point[n - 1].examples : 0;
    *out = (probe_curve_t){0};
    if (replicas < 2 || !n || examples > result->eval_examples || result->on_test)
        return ST_OK;
    probe_curve_t curve = {.examples = examples, .step = MEM_ARRAY(int64_t, n + 1), .spread = MEM_ARRAY(spread_t, n + 1)};
    probe_set_t set = set_of(result, examples);
    const float **p = MEM_ARRAY(const float *, replicas);
    for (int64_t i = 0; i < n; i++)
        if (find_all(probes, replicas, probes[0].point[i].step, examples, p))
            put_point(&curve, &set, probes[0].point[i].step, p, replicas);
    status_t status = ST_OK;
    if (curve.points && steps > curve.step[curve.points - 1]) {
        float *last = MEM_ARRAY(float, replicas *examples);
        status = load_last(result, variant, examples, last, p);
        if (status == ST_OK)
            put_point(&curve, &set, steps, p, replicas);
        mem_free(last);
    }
    queries_destroy(&set.queries);
    mem_free(p);
    if (curve.points && status == ST_OK)
        *out = curve;
    else
        probe_curve_fini(&curve);
    return status;
}

void probe_curve_fini(probe_curve_t *curve)
{
    mem_free(curve->step);
    mem_free(curve->spread);
    *curve = (probe_curve_t){0};
}

/* *steps becomes 0 where this run made another number than those before it. */
static status_t read_run(const char *folder, bool is_first, probe_reader_t *out, int64_t *steps)
{
    run_reader_t run;
    TRY(run_reader_open(folder, 0, &run));
    const status_t status = run_reader_probes(&run, out);
    const int64_t made = run.is_finished ? run.manifest.steps : 0;
    *steps = is_first || *steps == made ? made : 0;
    run_reader_fini(&run);
    return status;
}

static status_t read_variant(const char *dir, const experiment_result_t *result, variant_result_t *variant)
{
    probe_reader_t *probes = MEM_ARRAY(probe_reader_t, variant->replicas);
    int64_t steps = 0;
    status_t status = ST_OK;
    for (int32_t r = 0; r < variant->replicas && status == ST_OK; r++) {
        char *folder = replica_path(dir, variant->name, (int)variant->replica[r].replica);
        status = read_run(folder, r == 0, &probes[r], &steps);
        mem_free(folder);
    }
    if (status == ST_OK) {
        probe_curve_fini(&variant->probes);
        status = probe_curve_make(result, variant, probes, steps, &variant->probes);
    }
    for (int32_t r = 0; r < variant->replicas; r++)
        probe_reader_fini(&probes[r]);
    mem_free(probes);
    return status;
}

status_t probe_curve_read(const char *dir, experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++)
        TRY(read_variant(dir, result, &result->variant[v]));
    return ST_OK;
}
