#include "launcher/report/html_report.h"

#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/metrics/pd.h"
#include "launcher/metrics/validation_line.h"
#include "launcher/report/html_page.h"
#include "launcher/report/result.h"
#include "launcher/report/results_file.h"

#define LARGEST_PD 2.0 /* one replica says 0, the other does not */
#define HISTOGRAM_EDGES 17
#define SHARE_INSIDE 0.99 /* of the examples of every variant, left of the histogram's edge */

/* ---- curves ---------------------------------------------------------------------------------------------------------- */

/* Points as they become the page's arrays. */
typedef struct arrays {
    jsondoc_t *step, *seconds, *logloss, *progressive, *training;
} arrays_t;

static void append_point(arrays_t *arrays, const curve_point_t *end, double logloss)
{
    jsondoc_append_integer(arrays->step, end->step);
    jsondoc_append_number(arrays->seconds, end->seconds);
    jsondoc_append_number(arrays->logloss, logloss);
    jsondoc_append_number(arrays->progressive, end->progressive);
    jsondoc_append_number(arrays->training, end->training);
}

/* Are most examples of a group seen for the first time? */
static bool is_first_pass(int64_t first_visits, int64_t examples)
{
    return 2 * first_visits > examples;
}

/* Does a point of the page's curve end with line i, when its first line comes after `begin` examples? What is left at the end
 * of a training may be a few examples: they join the point before where they are less than half of one, so that no two points
 * that look alike are means over very different numbers of examples. */
static bool ends_point(const curve_t *lines, int64_t i, int64_t group, int64_t begin)
{
    const int64_t here = lines->point[i].examples, left = lines->point[lines->points - 1].examples - here;
    return left == 0 || ((i + 1) % group == 0 && 2 * left >= here - begin);
}

/* Lines in groups of equal length, as few as keep the points below their limit; a group's logloss is the mean over its
 * examples. */
static jsondoc_t *curve_object(const curve_t *lines)
{
    const int64_t group = (lines->points + HTML_REPORT_CURVE_POINTS - 1) / HTML_REPORT_CURVE_POINTS;
    arrays_t arrays = {jsondoc_array(), jsondoc_array(), jsondoc_array(), jsondoc_array(), jsondoc_array()};
    jsondoc_t *curve = jsondoc_object();
    double loss = 0.0;
    int64_t begin = 0, before = 0; /* examples up to the group, and up to the line */
    int64_t visits = 0, first_points = 0;
    bool told_apart = lines->points > 0;
    for (int64_t i = 0; i < lines->points; i++) {
        const curve_point_t *point = &lines->point[i];
        told_apart = told_apart && point->first_visits >= 0;
        loss += point->logloss * (double)(point->examples - before);
        before = point->examples;
        if (!ends_point(lines, i, group, begin))
            continue;
        append_point(&arrays, point, loss / (double)(before - begin));
        first_points += is_first_pass(point->first_visits - visits, before - begin);
        visits = point->first_visits;
        loss = 0.0;
        begin = before;
    }
    jsondoc_put(curve, "step", &arrays.step);
    jsondoc_put(curve, "seconds", &arrays.seconds);
    jsondoc_put(curve, "logloss", &arrays.logloss);
    jsondoc_put(curve, "progressive_logloss", &arrays.progressive);
    jsondoc_put(curve, "training_logloss", &arrays.training);
    jsondoc_put_number(curve, "first_points", told_apart ? (double)first_points : NAN);
    return curve;
}

static status_t put_curve(const run_reader_t *from, jsondoc_t *run)
{
    curve_t lines;
    bool found;
    TRY(run_reader_curve(from, &lines, &found));
    if (found) {
        jsondoc_t *curve = curve_object(&lines);
        jsondoc_put(run, "curve", &curve);
        curve_fini(&lines);
    }
    return ST_OK;
}

/* What the run was worth while it trained, and which of its evaluations it ends with. */
static status_t put_validation(const run_reader_t *from, jsondoc_t *run)
{
    validation_curve_t curve;
    TRY(validation_curve_read(from->dir, INT64_MAX, &curve));
    if (curve.n > 0) {
        jsondoc_t *object = jsondoc_object(), *step = jsondoc_array(), *logloss = jsondoc_array(), *auc = jsondoc_array();
        for (int64_t i = 0; i < curve.n; i++) {
            jsondoc_append_integer(step, curve.point[i].step);
            jsondoc_append_number(logloss, curve.point[i].number[VALIDATION_logloss]);
            jsondoc_append_number(auc, curve.point[i].number[VALIDATION_auc]);
        }
        jsondoc_put(object, "step", &step);
        jsondoc_put(object, "logloss", &logloss);
        jsondoc_put(object, "auc", &auc);
        jsondoc_put_integer(object, "examples", curve.point[curve.n - 1].examples);
        jsondoc_put_integer(object, "steps", from->manifest.steps);
        jsondoc_put_integer(object, "best_step", from->manifest.best_step);
        jsondoc_put_integer(object, "stopped_at", from->manifest.stopped_at);
        jsondoc_put(run, "validation", &object);
    }
    validation_curve_fini(&curve);
    return ST_OK;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

/* A variant while it is collected. */
typedef struct collected {
    jsondoc_t *doc;    /* its object in the page */
    run_reader_t *run; /* [found], the runs that are there */
    int32_t replicas;  /* of results.json */
    int32_t found;
    bool is_comparable;             /* all are there, two or more, and predict the same examples */
    int64_t examples;               /* those whose relative PD is defined */
    int64_t below[HISTOGRAM_EDGES]; /* of them, those below each edge */
} collected_t;

static void collected_fini(collected_t *c)
{
    for (int32_t r = 0; r < c->found; r++)
        run_reader_fini(&c->run[r]);
    mem_free(c->run);
    jsondoc_destroy(&c->doc);
}

static status_t collect_run(const char *folder, const jsondoc_t *replica, const char *where, collected_t *c, jsondoc_t *run)
{
    jsondoc_t *doc = NULL;
    bool found;
    TRY(results_run(replica, where, folder, &c->run[c->found], &found));
    if (!found)
        return ST_OK;
    c->found++;
    char *path = run_path(folder, FILE_MANIFEST);
    status_t status = jsondoc_read(path, &doc);
    mem_free(path);
    TRY(status);
    jsondoc_put(run, "manifest", &doc);
    TRY(put_curve(&c->run[c->found - 1], run));
    return put_validation(&c->run[c->found - 1], run);
}

static status_t put_config(const char *folder, jsondoc_t *variant)
{
    char *path = run_path(folder, FILE_CONFIG), *text;
    status_t status = ST_OK;
    if (file_exists(path)) {
        status = file_read(path, &text, NULL);
        if (status == ST_OK) {
            jsondoc_put_text(variant, "config_text", text);
            mem_free(text);
        }
    }
    mem_free(path);
    return status;
}

static status_t collect_replicas(const char *dir, const char *name, const jsondoc_t *replicas, const char *where,
                                 collected_t *c)
{
    jsondoc_t *runs = jsondoc_array();
    status_t status = ST_OK;
    for (int32_t r = 0; r < c->replicas && status == ST_OK; r++) {
        int64_t number;
        status = jsondoc_get_integer(jsondoc_at(replicas, r), where, "replica", 0, INT32_MAX, &number);
        if (status != ST_OK)
            break;
        char *folder = replica_path(dir, name, (int)number);
        jsondoc_t *run = jsondoc_object();
        status = collect_run(folder, jsondoc_at(replicas, r), where, c, run);
        if (status == ST_OK && r == 0)
            status = put_config(folder, c->doc);
        jsondoc_append(runs, &run);
        mem_free(folder);
    }
    jsondoc_put(c->doc, "runs", &runs);
    return status;
}

/* ---- histogram ------------------------------------------------------------------------------------------------------- */

/* The same for all variants, so that bins compare: the smallest round one that leaves little of any variant outside. */
static const double edges[HISTOGRAM_EDGES] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1,
                                              0.2,   0.3,   0.4,   0.5,  0.6,  0.8,  1.0,  1.5};

typedef void see_pd_t(collected_t *c, double pd, void *context);

/* Call `see` for every example whose relative PD is defined. */
static status_t each_pd(collected_t *c, see_pd_t *see, void *context)
{
    if (!c->is_comparable)
        return ST_OK;
    scores_t *scores = MEM_ARRAY(scores_t, c->replicas);
    double *term = MEM_ARRAY(double, SCORES_BLOCK);
    for (int32_t r = 0; r < c->replicas; r++)
        scores[r] = replica_scores(&c->run[r].manifest.result, c->run[r].manifest.predictions);
    score_blocks_t blocks = score_blocks_open(scores, c->replicas);
    status_t status = ST_OK;
    while (score_blocks_next(&blocks, &status)) {
        pd_relative_examples(blocks.p, c->replicas, blocks.count, term);
        for (int64_t i = 0; i < blocks.count; i++)
            if (isfinite(term[i]))
                see(c, term[i], context);
    }
    score_blocks_close(&blocks);
    mem_free(term);
    mem_free(scores);
    return status;
}

static void see_below(collected_t *c, double pd, void *context)
{
    (void)context;
    c->examples++;
    for (int e = HISTOGRAM_EDGES - 1; e >= 0 && pd < edges[e]; e--)
        c->below[e]++;
}

static status_t measure_pd(collected_t *c)
{
    c->is_comparable = c->found == c->replicas && c->replicas >= 2;
    for (int32_t r = 0; r < c->found && c->is_comparable; r++)
        c->is_comparable = c->run[r].manifest.predictions == c->run[0].manifest.predictions;
    for (int32_t r = 0; r < c->found && c->is_comparable; r++)
        TRY(manifest_open_predictions(&c->run[r].manifest, c->run[r].dir));
    return each_pd(c, see_below, NULL);
}

static double histogram_edge(const collected_t *variants, int64_t n)
{
    for (int e = 0; e < HISTOGRAM_EDGES; e++) {
        bool inside = true;
        for (int64_t v = 0; v < n; v++)
            inside = inside &&
                     (!variants[v].examples || (double)variants[v].below[e] / (double)variants[v].examples >= SHARE_INSIDE);
        if (inside)
            return edges[e];
    }
    return LARGEST_PD;
}

typedef struct histogram {
    double edge;
    int64_t count[HTML_REPORT_BINS + 1];
} histogram_t;

static void see_bin(collected_t *c, double pd, void *context)
{
    (void)c;
    histogram_t *histogram = context;
    const double bin = pd / histogram->edge * HTML_REPORT_BINS;
    histogram->count[bin < HTML_REPORT_BINS ? (int)bin : HTML_REPORT_BINS]++;
}

static status_t put_histogram(collected_t *c, double edge)
{
    histogram_t histogram = {.edge = edge};
    if (!c->examples)
        return ST_OK;
    TRY(each_pd(c, see_bin, &histogram));
    jsondoc_t *counts = jsondoc_array();
    for (int b = 0; b <= HTML_REPORT_BINS; b++)
        jsondoc_append_integer(counts, histogram.count[b]);
    jsondoc_put(c->doc, "pd_histogram", &counts);
    return ST_OK;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static status_t collect_variant(const char *dir, const jsondoc_t *variant, const char *where, collected_t *c)
{
    const jsondoc_t *replicas;
    const char *name;
    TRY(results_variant(variant, where, &name, &replicas));
    c->replicas = (int32_t)jsondoc_length(replicas);
    c->run = MEM_ARRAY(run_reader_t, c->replicas);
    TRY(collect_replicas(dir, name, replicas, where, c));
    return measure_pd(c);
}

static status_t put_variants(jsondoc_t *data, collected_t *variants, int64_t n)
{
    jsondoc_t *histogram = jsondoc_object(), *array = jsondoc_array();
    const double edge = histogram_edge(variants, n);
    status_t status = ST_OK;
    for (int64_t v = 0; v < n; v++) {
        if (status == ST_OK)
            status = put_histogram(&variants[v], edge);
        jsondoc_append(array, &variants[v].doc);
    }
    jsondoc_put_number(histogram, "edge", edge);
    jsondoc_put_integer(histogram, "bins", HTML_REPORT_BINS);
    jsondoc_put(data, "histogram", &histogram);
    jsondoc_put(data, "variants", &array);
    return status;
}

/* What the page shows of a variant and how: it names few numbers itself. */
static void put_rows(jsondoc_t *data)
{
    static const struct {
        const char *struct_name;
        const metric_rows_t *rows;
    } tables[] = {{"reproducibility", &reproducibility_rows}, {"quality", &quality_rows}, {"cost", &cost_rows}};
    jsondoc_t *rows = jsondoc_object();
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        jsondoc_t *array = jsondoc_array();
        for (int i = 0; i < tables[t].rows->n; i++) {
            jsondoc_t *row = metric_row_object(&tables[t].rows->row[i]);
            jsondoc_append(array, &row);
        }
        jsondoc_put(rows, tables[t].struct_name, &array);
    }
    jsondoc_put(data, "rows", &rows);
}

status_t html_report_collect(const char *dir, jsondoc_t **out)
{
    char *path = run_path(dir, FILE_RESULTS);
    jsondoc_t *results = NULL, *data = NULL;
    const jsondoc_t *variants = NULL;
    collected_t *collected = NULL;
    int64_t n = 0;
    status_t status;
    TRY_DONE(results_read(path, &results));
    TRY_DONE(jsondoc_get_array(results, path, "variants", &variants));
    n = jsondoc_length(variants);
    if (n == 0)
        TRY_DONE(FAIL(ST_CORRUPT, "%s: \"variants\" is empty", path));
    collected = MEM_ARRAY(collected_t, n);
    for (int64_t v = 0; v < n; v++)
        collected[v].doc = jsondoc_object();
    for (int64_t v = 0; v < n; v++)
        TRY_DONE(collect_variant(dir, jsondoc_at(variants, v), path, &collected[v]));
    data = jsondoc_object();
    TRY_DONE(put_variants(data, collected, n));
    put_rows(data);
    jsondoc_put(data, "results", &results);
    *out = data;
    data = NULL;
done:
    for (int64_t v = 0; v < n && collected; v++)
        collected_fini(&collected[v]);
    mem_free(collected);
    jsondoc_destroy(&data);
    jsondoc_destroy(&results);
    mem_free(path);
    return status;
}

/* The verdict as results.json has it, but of one that an older smelter drew from no examples. */
static status_t get_verdict(const jsondoc_t *results, const char *where, const char **out)
{
    int64_t examples = 1;
    if (jsondoc_has(results, "eval_examples"))
        TRY(jsondoc_get_integer(results, where, "eval_examples", 0, INT64_MAX, &examples));
    *out = "No verdict: the evaluation split is empty.";
    return examples ? jsondoc_get_text(results, where, "verdict", out) : ST_OK;
}

#define SEAL "<!-- XXH3-128 of all above: %s -->\n"

static char *sealed_page(const char *page)
{
    char checksum[HASH_TEXT_BYTES];
    hash128_text(page, strlen(page), checksum);
    return mem_printf("%s" SEAL, page, checksum);
}

status_t html_report_check(const char *dir)
{
    char *path = run_path(dir, FILE_REPORT), *page = NULL, checksum[HASH_TEXT_BYTES];
    size_t bytes = 0;
    status_t status = file_exists(path) ? file_read(path, &page, &bytes) : ST_OK;
    const size_t seal = sizeof SEAL - 1 - 2 + HASH_TEXT_BYTES - 1; /* its length: the hash stands for %s */
    if (page) {
        const size_t above = bytes > seal ? bytes - seal : 0;
        hash128_text(page, above, checksum);
        char *line = mem_printf(SEAL, checksum);
        if (bytes <= seal || memcmp(page + above, line, seal) != 0)
            status = FAIL(ST_CORRUPT,
                          "%s: was changed after it was written: its last line is not the checksum of what is above "
                          "it, %s; run smelter report %s to write it again",
                          path, checksum, dir);
        mem_free(line);
    }
    mem_free(page);
    mem_free(path);
    return status;
}

status_t html_report_write(const char *dir)
{
    char *path = run_path(dir, FILE_REPORT), *where = run_path(dir, FILE_RESULTS), *page = NULL, *sealed = NULL;
    jsondoc_t *data = NULL;
    const jsondoc_t *results;
    const char *title, *verdict;
    status_t status;
    TRY_DONE(html_report_collect(dir, &data));
    TRY_DONE(jsondoc_get_object(data, where, "results", &results));
    TRY_DONE(jsondoc_get_text(results, where, "experiment", &title));
    TRY_DONE(get_verdict(results, where, &verdict));
    page = html_page_text(title, verdict, data);
    sealed = sealed_page(page);
    TRY_DONE(file_write_atomic(path, sealed, strlen(sealed)));
done:
    jsondoc_destroy(&data);
    mem_free(sealed);
    mem_free(page);
    mem_free(where);
    mem_free(path);
    return status;
}
