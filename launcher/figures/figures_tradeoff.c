/* Fig. 4. A variant is a point: how much PQAUC loss it costs or saves against ReLU, and how much its replicas differ.
 * Horizontal bars come from the replicas: replica r of a variant is compared with replica r of ReLU, which shares its
 * seeds, and the bar is the 95 % interval of the mean of these changes, by Student's t, as in report.html. Vertical bars are
 * the wider interval of relative PD that results.json holds, over replicas or over queries; the figure says which. */
#include "launcher/figures/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/jsondoc.h"
#include "common/metrics/jackknife.h"
#include "launcher/figures/figures_script.h"
#include "launcher/report/results_file.h"

#define MOST 1000 /* variants, replicas */

typedef struct tradeoff_point {
    const char *name, *activation;   /* borrowed from the document, as the next two */
    const char *family_key, *method; /* equal among variants that differ in beta alone; in activation and beta alone */
    double beta, pd, pd_low, pd_high;
    bool over_replicas; /* the interval of PD */
    int64_t replicas;
    double *pqauc; /* [replicas] **owned** */
    double change, change_bar;
    int family;
    int key; /* place among the variants of results.json: its colour and symbol, as in report.html */
} tradeoff_point_t;

static status_t read_replicas(const jsondoc_t *variant, const char *path, tradeoff_point_t *point)
{
    const jsondoc_t *replicas;
    TRY(jsondoc_get_array(variant, path, "replicas", &replicas));
    point->replicas = jsondoc_length(replicas);
    if (point->replicas < 2 || point->replicas > MOST)
        return FAIL(ST_INPUT,
                    "%s: variant %s has %" PRId64 " replicas; prediction difference needs at least two (experiment.replicas)",
                    path, point->name, point->replicas);
    point->pqauc = MEM_ARRAY(double, point->replicas);
    for (int64_t r = 0; r < point->replicas; r++) {
        const jsondoc_t *metrics;
        double logloss = 0.0;
        TRY(jsondoc_get_object(jsondoc_at(replicas, r), path, "metrics", &metrics));
        if (jsondoc_has(metrics, "logloss"))
            TRY(jsondoc_get_number(metrics, path, "logloss", &logloss));
        TRY(jsondoc_get_number(metrics, path, "pqauc_loss", &point->pqauc[r]));
        if (!isfinite(logloss))
            return FAIL(ST_INPUT, "%s: variant %s has no losses: not all of its predictions are numbers", path, point->name);
        if (!isfinite(point->pqauc[r]) || point->pqauc[r] <= 0)
            return FAIL(ST_INPUT,
                        "%s: variant %s has no PQAUC loss: the dataset has no query column, or no query with both labels", path,
                        point->name);
    }
    return ST_OK;
}

static status_t read_point(const jsondoc_t *variant, const char *path, tradeoff_point_t *point)
{
    const jsondoc_t *config, *metrics;
    TRY(jsondoc_get_text(variant, path, "name", &point->name));
    TRY(jsondoc_get_object(variant, path, "config", &config));
    TRY(jsondoc_get_text(config, path, "activation", &point->activation));
    TRY(jsondoc_get_number(config, path, "beta", &point->beta));
    TRY(jsondoc_get_text(config, path, "family", &point->family_key));
    TRY(jsondoc_get_text(config, path, "method", &point->method));
    TRY(read_replicas(variant, path, point));
    TRY(jsondoc_get_object(variant, path, "metrics", &metrics));
    TRY(jsondoc_get_number(metrics, path, "pd_relative", &point->pd));
    const bool has_bar = jsondoc_has(metrics, "pd_relative_bar_low"); /* older results know the interval over queries only */
    TRY(jsondoc_get_number(metrics, path, has_bar ? "pd_relative_bar_low" : "pd_relative_low", &point->pd_low));
    TRY(jsondoc_get_number(metrics, path, has_bar ? "pd_relative_bar_high" : "pd_relative_high", &point->pd_high));
    point->over_replicas = false;
    if (has_bar) {
        const char *over;
        TRY(jsondoc_get_text(metrics, path, "pd_relative_bar_over", &over));
        point->over_replicas = strcmp(over, "replicas") == 0;
    }
    if (!isfinite(point->pd))
        return FAIL(ST_INPUT, "%s: variant %s has no relative PD: its predictions are not all numbers", path, point->name);
    return ST_OK;
}

static bool is_relu(const tradeoff_point_t *point)
{
    return strcmp(point->activation, "relu") == 0;
}

/* What changes are relative to: the baseline if it has ReLU, else the first that differs from it in having ReLU alone, else the
 * baseline. */
static status_t find_base(const jsondoc_t *doc, const char *path, const tradeoff_point_t *points, int n, int *out)
{
    const char *baseline;
    TRY(jsondoc_get_text(doc, path, "baseline", &baseline));
    int base = 0;
    while (base < n && strcmp(points[base].name, baseline) != 0)
        base++;
    if (base == n)
        return FAIL(ST_CORRUPT, "%s: the baseline %s is not one of the variants", path, baseline);
    *out = base;
    for (int i = 0; i < n && !is_relu(&points[*out]); i++)
        if (is_relu(&points[i]) && strcmp(points[i].method, points[base].method) == 0)
            *out = i;
    return ST_OK;
}

static status_t compare(const char *path, const tradeoff_point_t *base, tradeoff_point_t *point)
{
    if (point->replicas != base->replicas)
        return FAIL(ST_CORRUPT, "%s: variants %s and %s have different numbers of replicas", path, base->name, point->name);
    double sum = 0, squares = 0;
    const int64_t n = point->replicas;
    for (int64_t r = 0; r < n; r++)
        sum += 100 * (point->pqauc[r] / base->pqauc[r] - 1);
    point->change = sum / (double)n;
    for (int64_t r = 0; r < n; r++) {
        const double d = 100 * (point->pqauc[r] / base->pqauc[r] - 1) - point->change;
        squares += d * d;
    }
    point->change_bar = jackknife_quantile((int32_t)n) * sqrt(squares / (double)(n - 1) / (double)n);
    return ST_OK;
}

/* ---- families: one line each ----------------------------------------------------------------------------------------- */

/* By family in the order of first appearance, then by beta. */
static int compare_points(const void *left, const void *right)
{
    const tradeoff_point_t *a = left, *b = right;
    return a->family != b->family ? a->family - b->family : (a->beta > b->beta) - (a->beta < b->beta);
}

static void number_families(tradeoff_point_t *points, int n)
{
    int families = 0;
    for (int i = 0; i < n; i++) {
        points[i].family = -1;
        for (int k = 0; k < i && points[i].family < 0; k++)
            if (strcmp(points[i].family_key, points[k].family_key) == 0)
                points[i].family = points[k].family;
        if (points[i].family < 0)
            points[i].family = families++;
    }
    qsort(points, (size_t)n, sizeof *points, compare_points);
}

static status_t write_points(const tradeoff_point_t *points, int n, const char *dir)
{
    script_t data;
    script_begin(&data);
    fprintf(data.out, "# variant\tactivation\tbeta\tpqauc_change_percent\tbar_low\tbar_high\tpd_percent\tpd_low\tpd_high\n");
    for (int i = 0; i < n; i++) {
        const tradeoff_point_t *p = &points[i];
        if (i && p->family != points[i - 1].family)
            fprintf(data.out, "\n\n");
        fprintf(data.out, "%s\t%s\t%g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\n", p->name, p->activation, p->beta, p->change,
                p->change - p->change_bar, p->change + p->change_bar, 100 * p->pd,
                100 * (isfinite(p->pd_low) ? p->pd_low : p->pd), 100 * (isfinite(p->pd_high) ? p->pd_high : p->pd));
    }
    return script_save(&data, dir, "fig4.tsv");
}

enum { WIDTH = 900, HEIGHT = 600 };

/* A family's line, and its variants: each with its own key, so that it is found again in every chart. */
static void put_family(script_t *s, const tradeoff_point_t *first, int members, bool more)
{
    const int index = first->family;
    if (members > 1)
        fprintf(s->out,
                "'fig4.tsv' index %d using 4:7 with lines lw 1.2 lc rgb '#b0b0b0', '' index %d using "
                "4:7:(sprintf('%%g', column(3))) with labels offset 0.9,0.7 font ',9' tc rgb '#404040', ",
                index, index);
    for (int i = 0; i < members; i++) {
        const char *rgb = script_key_colour(first[i].key);
        fprintf(s->out, "'fig4.tsv' index %d every ::%d::%d using 4:7:5:6:8:9 with xyerrorbars lw 0.8 pt 0 ps 0 lc rgb '%s', ",
                index, i, i, rgb);
        fprintf(s->out, "'' index %d every ::%d::%d using 4:7 with points pt %d ps 0.9 lc rgb '%s' title '%s' noenhanced%s",
                index, i, i, script_key_type(first[i].key), rgb, first[i].name, i + 1 < members || more ? ", " : "");
    }
}

/* Whose error the bars of PD are. */
static const char *bars_over(const tradeoff_point_t *points, int n)
{
    int over_replicas = 0;
    for (int i = 0; i < n; i++)
        over_replicas += points[i].over_replicas;
    return over_replicas == n ? "replicas" : over_replicas ? "replicas or queries,\\nwhichever is wider" : "queries";
}

/* The key's width in pixels: what the longest name takes. */
static int key_width(const tradeoff_point_t *points, int n)
{
    size_t longest = 0;
    for (int i = 0; i < n; i++)
        longest = strlen(points[i].name) > longest ? strlen(points[i].name) : longest;
    const int width = 60 + 8 * (int)longest;
    return width < 190 ? 190 : width > 400 ? 400 : width;
}

static status_t draw(const tradeoff_point_t *points, int n, const tradeoff_point_t *base, const char *dir)
{
    const int right = key_width(points, n);
    script_t s;
    script_begin(&s);
    script_style(&s);
    script_panel(&s, (panel_t){74, 26, WIDTH - 74 - right, HEIGHT - 26 - 62}, WIDTH, HEIGHT);
    fprintf(s.out,
            "set key at screen %.4f,%.4f left top Left reverse spacing 1.3\n"
            "set label 1 \"numbers: β\\nbars: 95 %%, of PD over\\n%s\" at screen %.4f,%.4f font ',9' tc rgb '#606060'\n",
            (double)(WIDTH - right + 16) / WIDTH, 1 - 20.0 / HEIGHT, bars_over(points, n), (double)(WIDTH - right + 25) / WIDTH,
            1 - (48.0 + 20 * n) / HEIGHT);
    fprintf(s.out,
            "set xlabel 'change of PQAUC loss from %s [%%]   (← more accurate)' font ',11'\n"
            "set ylabel 'relative prediction difference [%%]   (← more reproducible)' font ',11'\n",
            is_relu(base) ? "ReLU" : "the baseline");
    fprintf(
        s.out,
        "set offsets graph 0.06, graph 0.08, graph 0.08, graph 0.06\nset arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb "
        "'#a0a0a0' dt 2 lw 0.8\nplot ");
    for (int i = 0; i < n;) {
        int members = 1;
        while (i + members < n && points[i + members].family == points[i].family)
            members++;
        put_family(&s, &points[i], members, i + members < n);
        i += members;
    }
    fprintf(s.out, "\n");
    return script_draw(&s, dir, "fig4", WIDTH, HEIGHT);
}

static status_t make(const jsondoc_t *doc, const char *path, const char *dir, tradeoff_point_t *points, int n)
{
    const jsondoc_t *variants;
    int base = 0;
    TRY(jsondoc_get_array(doc, path, "variants", &variants));
    for (int i = 0; i < n; i++) {
        TRY(read_point(jsondoc_at(variants, i), path, &points[i]));
        points[i].key = i;
    }
    TRY(results_check_runs(doc, path));
    TRY(find_base(doc, path, points, n, &base));
    for (int i = 0; i < n; i++)
        TRY(compare(path, &points[base], &points[i]));
    const char *base_name = points[base].name;
    number_families(points, n);
    for (int i = 0; i < n; i++) /* they were sorted */
        if (points[i].name == base_name)
            base = i;
    TRY(write_points(points, n, dir));
    return draw(points, n, &points[base], dir);
}

/* An older smelter compared variants over no examples. */
static status_t check_evaluated(const jsondoc_t *doc, const char *path)
{
    int64_t examples = 1;
    if (jsondoc_has(doc, "eval_examples"))
        TRY(jsondoc_get_integer(doc, path, "eval_examples", 0, INT64_MAX, &examples));
    return examples ? ST_OK
                    : FAIL(ST_INPUT, "%s: the evaluation split is empty; there is no loss and no prediction difference to draw",
                           path);
}

status_t figures_tradeoff(const char *results_path, const char *dir)
{
    jsondoc_t *doc;
    const jsondoc_t *variants;
    TRY(results_read(results_path, &doc));
    status_t status;
    TRY_DONE(jsondoc_get_array(doc, results_path, "variants", &variants));
    const int64_t n = jsondoc_length(variants);
    TRY_DONE(check_evaluated(doc, results_path));
    if (n < 1 || n > MOST)
        TRY_DONE(FAIL(ST_CORRUPT, "%s: has %" PRId64 " variants; it must have 1 to %d", results_path, n, MOST));
    tradeoff_point_t *points = MEM_ARRAY(tradeoff_point_t, n);
    status = make(doc, results_path, dir, points, (int)n);
    for (int64_t i = 0; i < n; i++)
        mem_free(points[i].pqauc);
    mem_free(points);
done:
    jsondoc_destroy(&doc);
    return status;
}
