/* Relative PD against the locality of the order that the training data came in. A line is a model; from left to right its data
 * was shuffled in larger and larger windows, up to all of it; on the right, apart, replicas differ in which of several workers
 * came first. Bars are 95 % intervals, over replicas by Student's t or over queries, whichever is the wider. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/jsondoc.h"
#include "common/metrics/jackknife.h"
#include "launcher/figures/figures.h"
#include "launcher/figures/figures_script.h"
#include "launcher/report/results_file.h"

#define MOST 1000 /* variants */
enum { WIDTH = 900, HEIGHT = 520 };
#define RACE (INT64_C(1) << 62) /* places of the races, behind those of windows and of ALL */
#define ALL (INT64_C(1) << 61)

typedef struct locality_point {
    const char *name, *activation, *model; /* borrowed; model: equal where nothing but the order differs */
    double beta;
    bool is_of_spread; /* it is beta_spread */
    int64_t components;
    int64_t place; /* the window; ALL; RACE + workers */
    double pd, low, high;
    int line; /* of its model, in the order of first appearance */
} locality_point_t;

/* 0: an order that is none of these. */
static status_t read_place(const jsondoc_t *config, const char *path, int64_t *out)
{
    const char *order;
    *out = 0;
    if (!jsondoc_has(config, "order")) /* an older smelter's */
        return ST_OK;
    TRY(jsondoc_get_text(config, path, "order", &order));
    if (jsondoc_has(config, "racing_workers")) {
        TRY(jsondoc_get_integer(config, path, "racing_workers", 0, INT32_MAX, out));
        *out += RACE;
    } else if (strcmp(order, "window") == 0) {
        TRY(jsondoc_get_integer(config, path, "window", 1, ALL - 1, out));
    } else if (strcmp(order, "full") == 0) {
        *out = ALL;
    }
    return ST_OK;
}

static status_t read_point(const jsondoc_t *variant, const char *path, locality_point_t *p)
{
    const jsondoc_t *config, *metrics, *replicas;
    TRY(jsondoc_get_object(variant, path, "config", &config));
    TRY(read_place(config, path, &p->place));
    if (!p->place)
        return ST_OK;
    TRY(jsondoc_get_text(variant, path, "name", &p->name));
    TRY(jsondoc_get_text(config, path, "activation", &p->activation));
    TRY(jsondoc_get_text(config, path, "model", &p->model));
    p->is_of_spread = jsondoc_has(config, "beta_spread");
    TRY(jsondoc_get_number(config, path, p->is_of_spread ? "beta_spread" : "beta", &p->beta));
    TRY(jsondoc_get_integer(config, path, "components", 1, INT32_MAX, &p->components));
    TRY(jsondoc_get_object(variant, path, "metrics", &metrics));
    TRY(jsondoc_get_array(variant, path, "replicas", &replicas));
    double error = NAN;
    TRY(jsondoc_get_number(metrics, path, "pd_relative", &p->pd));
    TRY(jsondoc_get_number(metrics, path, "pd_relative_low", &p->low));
    TRY(jsondoc_get_number(metrics, path, "pd_relative_high", &p->high));
    if (jsondoc_has(metrics, "pd_relative_se"))
        TRY(jsondoc_get_number(metrics, path, "pd_relative_se", &error));
    if (!isfinite(p->pd)) {
        p->place = 0;
        return ST_OK;
    }
    const double bar = isfinite(error) ? jackknife_quantile((int32_t)jsondoc_length(replicas)) * error : 0;
    p->low = fmax(0, fmin(isfinite(p->low) ? p->low : p->pd, p->pd - bar));
    p->high = fmax(isfinite(p->high) ? p->high : p->pd, p->pd + bar);
    return ST_OK;
}

static int compare_points(const void *left, const void *right)
{
    const locality_point_t *a = left, *b = right;
    return a->line != b->line ? a->line - b->line : (a->place > b->place) - (a->place < b->place);
}

static int compare_places(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Points that have a place, by line; lines of models. */
static int number_lines(locality_point_t *points, int *n)
{
    int lines = 0, kept = 0;
    for (int i = 0; i < *n; i++)
        if (points[i].place)
            points[kept++] = points[i];
    *n = kept;
    for (int i = 0; i < kept; i++) {
        points[i].line = -1;
        for (int k = 0; k < i && points[i].line < 0; k++)
            if (strcmp(points[i].model, points[k].model) == 0)
                points[i].line = points[k].line;
        if (points[i].line < 0)
            points[i].line = lines++;
    }
    qsort(points, (size_t)kept, sizeof *points, compare_points);
    return lines;
}

/* The places there are, ascending: [*n] **owned**. */
static int64_t *find_places(const locality_point_t *points, int n, int *count)
{
    int64_t *places = MEM_ARRAY(int64_t, n);
    int kept = 0;
    for (int i = 0; i < n; i++)
        places[i] = points[i].place;
    qsort(places, (size_t)n, sizeof *places, compare_places);
    for (int i = 0; i < n; i++)
        if (i == 0 || places[i] != places[i - 1])
            places[kept++] = places[i];
    *count = kept;
    return places;
}

/* Where a place is on the axis: one apart, races one more. */
static double position(const int64_t *places, int64_t place)
{
    int i = 0;
    while (places[i] != place)
        i++;
    return i + (place >= RACE && places[0] < RACE);
}

static void model_name(const locality_point_t *p, char *text, size_t bytes)
{
    const char *activation = script_name(p->activation);
    const bool has_beta = strcmp(p->activation, "relu") != 0 && strcmp(p->activation, "identity") != 0;
    char beta[40] = "";
    if (has_beta)
        snprintf(beta, sizeof beta, p->is_of_spread ? ", β = %g spreads" : ", β = %g", p->beta);
    if (p->components > 1)
        snprintf(text, bytes, "%" PRId64 " networks, %s%s", p->components, activation, beta);
    else
        snprintf(text, bytes, "%s%s", activation, beta);
}

static status_t write_points(const locality_point_t *points, int n, const int64_t *places, const char *dir)
{
    script_t data;
    script_begin(&data);
    fprintf(data.out, "# variant\tposition\tpd_percent\tlow\thigh\n");
    for (int i = 0; i < n; i++) {
        const locality_point_t *p = &points[i];
        if (i && p->line != points[i - 1].line)
            fprintf(data.out, "\n\n");
        else if (i && p->place >= RACE && points[i - 1].place < RACE)
            fprintf(data.out, "\n"); /* no line from the shuffles to the races */
        fprintf(data.out, "%s\t%g\t%.6g\t%.6g\t%.6g\n", p->name, position(places, p->place), 100 * p->pd, 100 * p->low,
                100 * p->high);
    }
    return script_save(&data, dir, "locality.tsv");
}

static void put_places(script_t *s, const int64_t *places, int n)
{
    fprintf(s->out, "set xtics (");
    for (int i = 0; i < n; i++) {
        char text[48];
        if (places[i] == RACE)
            snprintf(text, sizeof text, "race");
        else if (places[i] > RACE)
            snprintf(text, sizeof text, "race of\\n%" PRId64 " workers", places[i] - RACE);
        else if (places[i] == ALL)
            snprintf(text, sizeof text, "all");
        else
            snprintf(text, sizeof text, "%" PRId64, places[i]);
        fprintf(s->out, "%s\"%s\" %g", i ? ", " : "", text, position(places, places[i]));
    }
    fprintf(s->out, ")\nset xrange [-0.4:%g]\n", position(places, places[n - 1]) + 0.4);
}

static status_t draw(const locality_point_t *points, int n, const int64_t *places, int n_places, const char *dir)
{
    script_t s;
    script_begin(&s);
    script_style(&s);
    script_panel(&s, (panel_t){74, 26, WIDTH - 74 - 190, HEIGHT - 26 - 78}, WIDTH, HEIGHT);
    put_places(&s, places, n_places);
    fprintf(s.out,
            "set yrange [0:*]\nset key at screen %.4f,%.4f left top Left reverse spacing 1.3\n"
            "set xlabel 'examples that are shuffled together   (← local order)' offset 0,-0.8 font ',11'\n"
            "set ylabel 'relative prediction difference [%%]' font ',11'\nplot ",
            (WIDTH - 174.0) / WIDTH, 1 - 20.0 / HEIGHT);
    for (int i = 0; i < n; i++) {
        const int line = points[i].line;
        char name[96];
        if (i && line == points[i - 1].line)
            continue;
        model_name(&points[i], name, sizeof name);
        fprintf(s.out,
                "%s'locality.tsv' index %d using 2:3:4:5 with yerrorbars lw 0.8 pt 0 ps 0 lc rgb '%s', "
                "'' index %d using 2:3 with linespoints lw 1.8 pt %d ps 0.8 lc rgb '%s' title \"%s\" noenhanced",
                i ? ", " : "", line, script_colour(line), line, script_key_type(line), script_colour(line), name);
    }
    fprintf(s.out, "\n");
    return script_draw(&s, dir, "locality", WIDTH, HEIGHT);
}

/* A line has two places or more. */
static bool has_line(const locality_point_t *points, int n)
{
    for (int i = 1; i < n; i++)
        if (points[i].line == points[i - 1].line && points[i].place < RACE && points[i].place != points[i - 1].place)
            return true;
    return false;
}

static status_t make(const jsondoc_t *variants, const char *path, const char *dir, locality_point_t *points, int n, bool *drawn)
{
    for (int i = 0; i < n; i++)
        TRY(read_point(jsondoc_at(variants, i), path, &points[i]));
    number_lines(points, &n);
    if (!has_line(points, n))
        return ST_OK;
    int n_places;
    int64_t *places = find_places(points, n, &n_places);
    status_t status = write_points(points, n, places, dir);
    if (status == ST_OK)
        status = draw(points, n, places, n_places, dir);
    mem_free(places);
    *drawn = status == ST_OK;
    return status;
}

status_t figures_locality(const char *results_path, const char *dir, bool *drawn)
{
    jsondoc_t *doc;
    const jsondoc_t *variants;
    *drawn = false;
    TRY(results_read(results_path, &doc));
    locality_point_t *points = NULL;
    status_t status;
    TRY_DONE(jsondoc_get_array(doc, results_path, "variants", &variants));
    const int64_t n = jsondoc_length(variants);
    if (n < 1 || n > MOST) {
        status = FAIL(ST_CORRUPT, "%s: has %" PRId64 " variants; it must have 1 to %d", results_path, n, MOST);
        goto done;
    }
    TRY_DONE(results_check_runs(doc, results_path));
    points = MEM_ARRAY(locality_point_t, n);
    status = make(variants, results_path, dir, points, (int)n, drawn);
done:
    mem_free(points);
    jsondoc_destroy(&doc);
    return status;
}
