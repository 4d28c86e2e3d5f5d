/* smelter tune: which value of a key (the width beta of a smooth activation, as a rule) is worth having.
 *
 * Every value is an ordinary `smelter compare` of one variant in a folder of its own, started by this process, so that a
 * search that was interrupted finds its finished trainings again, and any cluster will do. Prediction difference falls with
 * the width, the loss stays low until the width is too large: the ends of the range are tried first, the end with the smaller
 * difference is the wide one, and bisection on a logarithmic scale finds the last acceptable value between them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "common/metrics/t_test.h"
#include "common/process/descriptors.h"
#include "launcher/commands/commands.h"
#include "launcher/ingest/splits.h"
#include "launcher/job/job.h"
#include "launcher/report/results_file.h"

#define NEAR_ENOUGH 1.1 /* values closer than this ratio are not told apart by replicas' noise */

typedef struct tuned_point {
    double value, logloss, pd; /* the latter two NaN where the training diverged */
    double pd_error;           /* standard error over replicas; NaN below three of them */
    bool good;                 /* fulfils the goal's condition, and is better than a constant */
} tuned_point_t;

typedef struct tune_search {
    const options_t *options;
    const experiment_t *experiment;
    const struct config_tune *settings;
    const char *variant, *baseline;
    char *dir;
    double baseline_logloss, baseline_pd, baseline_pd_error;
    double constant_logloss; /* of predicting the share of positives for every example */
    tuned_point_t points[100];
    int n;
} tune_search_t;

/* Start the job with its table going to a file: the search prints one line per value itself. */
static status_t start_quietly(char *const argv[], const experiment_t *experiment, const char *dir)
{
    char *path = mem_printf("%s.txt", dir);
    int saved;
    status_t status = descriptors_divert(path, &saved);
    if (status == ST_OK) {
        status = job_start(argv, experiment);
        descriptors_restore(saved);
    }
    mem_free(path);
    return status;
}

/* One compare of one variant; key_value is "model.beta=2", or NULL for the variant as it is. */
static bool stops_early(const experiment_t *experiment)
{
    bool any = experiment->base->evaluate.patience > 0;
    for (int v = 0; v < experiment->variants; v++)
        any = any || experiment->configs[v]->evaluate.patience > 0;
    return any;
}

static status_t measure(tune_search_t *t, const char *variant, const char *key_value, const char *dir, tuned_point_t *out)
{
    const options_t *o = t->options;
    char *only = mem_printf("experiment.only=%s", variant), *path = run_path(dir, FILE_RESULTS);
    char **argv = MEM_ARRAY(char *, 2 * o->n_sets + 16);
    int n = 0;
    argv[n++] = o->argv[0];
    argv[n++] = "compare";
    argv[n++] = (char *)o->argument;
    for (int i = 0; i < o->n_sets; i++) {
        argv[n++] = "--set";
        argv[n++] = (char *)o->sets[i];
    }
    argv[n++] = "--set";
    argv[n++] = only;
    if (stops_early(t->experiment)) { /* a value is chosen by what compare reports */
        argv[n++] = "--set";
        argv[n++] = "evaluate.split=eval";
    }
    if (key_value) {
        argv[n++] = "--set";
        argv[n++] = (char *)key_value;
    }
    argv[n++] = "--out";
    argv[n++] = (char *)dir;
    if (o->mode) {
        argv[n++] = "--mode";
        argv[n++] = (char *)o->mode;
    }
    jsondoc_t *doc = NULL;
    const jsondoc_t *variants, *one = NULL, *metrics;
    int64_t at = -1;
    status_t status;
    TRY_DONE(start_quietly(argv, t->experiment, dir));
    TRY_DONE(results_read(path, &doc));
    TRY_DONE(jsondoc_get_number(doc, path, "base_rate_logloss", &t->constant_logloss));
    TRY_DONE(jsondoc_get_array(doc, path, "variants", &variants));
    for (int64_t i = 0; i < jsondoc_length(variants) && at < 0; i++) {
        const char *name;
        one = jsondoc_at(variants, i);
        TRY_DONE(jsondoc_get_text(one, path, "name", &name));
        if (strcmp(name, variant) == 0)
            at = i;
    }
    if (at < 0) {
        status = FAIL(ST_CORRUPT, "%s: there is no variant %s in it", path, variant);
        goto done;
    }
    TRY_DONE(jsondoc_get_object(one, path, "metrics", &metrics));
    TRY_DONE(jsondoc_get_number(metrics, path, "logloss", &out->logloss));
    TRY_DONE(jsondoc_get_number(metrics, path, "pd_relative", &out->pd));
    out->pd_error = NAN; /* not recorded by older versions */
    if (jsondoc_has(metrics, "pd_relative_se"))
        TRY_DONE(jsondoc_get_number(metrics, path, "pd_relative_se", &out->pd_error));
done:
    jsondoc_destroy(&doc);
    mem_free(argv);
    mem_free(only);
    mem_free(path);
    return status;
}

/* What the verdict of compare tolerates, unless tune has a number of its own. */
static double highest_logloss(const tune_search_t *t)
{
    const double tolerance = t->settings->tolerance;
    return tolerance > 0.0 ? t->baseline_logloss + tolerance
                           : t->baseline_logloss * (1.0 + t->experiment->base->experiment.tolerance);
}

static bool is_good(const tune_search_t *t, const tuned_point_t *p)
{
    if (!(p->logloss < t->constant_logloss) || !isfinite(p->pd))
        return false;
    return t->settings->goal == TUNE_GOAL_PD ? p->logloss <= highest_logloss(t) : p->pd <= t->settings->pd;
}

/* Is a better than b, among good points? */
static bool is_better(const tune_search_t *t, const tuned_point_t *a, const tuned_point_t *b)
{
    return t->settings->goal == TUNE_GOAL_PD ? a->pd < b->pd : a->logloss < b->logloss;
}

/* "logloss 0.6 (+1.000 % of relu's), PD 12.00 %", or that there is none; **owned**. */
static char *point_text(const tune_search_t *t, const tuned_point_t *p)
{
    if (!isfinite(p->logloss) || !isfinite(p->pd))
        return mem_strdup("its training diverged");
    return mem_printf("logloss %.5f (%+.3f %% of %s's), PD %.2f %%%s", p->logloss,
                      100.0 * (p->logloss / t->baseline_logloss - 1.0), t->baseline, 100.0 * p->pd,
                      p->logloss < t->constant_logloss ? "" : ", no better than a constant");
}

/* A number of the log; nothing where there is none. */
static char *cell_text(const char *format, double value)
{
    char text[32] = "";
    if (isfinite(value))
        snprintf(text, sizeof text, format, value);
    return mem_strdup(text);
}

static char *line_text(const tune_search_t *t, const tuned_point_t *p)
{
    char *loss = cell_text("%.6f", p->logloss), *pd = cell_text("%.6f", p->pd);
    char *change = cell_text("%+.4f", 100.0 * (p->logloss / t->baseline_logloss - 1.0));
    char *line = mem_printf("%.6g\t%s\t%s\t%s\t%s\n", p->value, loss, change, pd, p->good ? "yes" : "no");
    mem_free(loss);
    mem_free(pd);
    mem_free(change);
    return line;
}

/* Rewrite the log after every value, so that it is whole whenever it is looked at. */
static status_t write_log(const tune_search_t *t)
{
    char *path = mem_printf("%s/curve.tsv", t->dir);
    char *text = mem_printf("%s\tlogloss\tlogloss_change_percent\tpd_relative\tacceptable\n", t->settings->key);
    for (int i = 0; i < t->n; i++) {
        char *line = line_text(t, &t->points[i]), *longer = mem_printf("%s%s", text, line);
        mem_free(line);
        mem_free(text);
        text = longer;
    }
    status_t status = file_write_atomic(path, text, strlen(text));
    mem_free(text);
    mem_free(path);
    return status;
}

static status_t try_value(tune_search_t *t, double value, const tuned_point_t **out)
{
    char *key_value = mem_printf("%s=%.6g", t->settings->key, value), *dir = mem_printf("%s/%.6g", t->dir, value);
    tuned_point_t p = {.value = value};
    status_t status = measure(t, t->variant, key_value, dir, &p);
    mem_free(key_value);
    mem_free(dir);
    TRY(status);
    p.good = is_good(t, &p);
    char *text = point_text(t, &p);
    log_info("%s %.6g: %s: %s", t->settings->key, value, text, p.good ? "acceptable" : "not acceptable");
    mem_free(text);
    *out = &t->points[t->n];
    t->points[t->n++] = p;
    return write_log(t);
}

/* Both ends, then bisection between the last acceptable value and the first one beyond it. */
static status_t bisect(tune_search_t *t)
{
    const tuned_point_t *low, *high, *middle;
    TRY(try_value(t, t->settings->low, &low));
    TRY(try_value(t, t->settings->high, &high));
    const tuned_point_t *wide = high->pd <= low->pd || !isfinite(low->pd) ? high : low, *narrow = wide == high ? low : high;
    /* Goal pd asks for the widest value that keeps the loss, goal loss for the narrowest that keeps the difference. */
    const tuned_point_t *wanted = t->settings->goal == TUNE_GOAL_PD ? wide : narrow, *other = wanted == wide ? narrow : wide;
    if (wanted->good)
        return ST_OK;
    double bad = wanted->value, good = other->value;
    while (t->n < t->settings->values && fmax(bad / good, good / bad) > NEAR_ENOUGH) {
        TRY(try_value(t, sqrt(bad * good), &middle));
        if (middle->good)
            good = middle->value;
        else
            bad = middle->value;
    }
    return ST_OK;
}

static int by_value(const void *a, const void *b)
{
    const tuned_point_t *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* A goal that cannot be met: what comes nearest to its condition. */
static void print_unmet(const tune_search_t *t)
{
    const bool by_loss = t->settings->goal == TUNE_GOAL_PD;
    const tuned_point_t *near = NULL;
    for (int i = 0; i < t->n; i++)
        if (isfinite(t->points[i].pd) && t->points[i].logloss < t->constant_logloss &&
            (!near || (by_loss ? t->points[i].logloss < near->logloss : t->points[i].pd < near->pd)))
            near = &t->points[i];
    printf("\nno value of %s that was tried from %.6g to %.6g is acceptable: ", t->settings->key, t->settings->low,
           t->settings->high);
    if (!near)
        puts("no training gave a model that is better than a constant");
    else if (by_loss)
        printf("the logloss is %.5f at best, at %.6g, and may be %.5f\n", near->logloss, near->value, highest_logloss(t));
    else
        printf("the PD is %.2f %% at best, at %.6g, and may be %.2f %%\n", 100.0 * near->pd, near->value,
               100.0 * t->settings->pd);
}

static void print_point(const tune_search_t *t, const tuned_point_t *p)
{
    if (!isfinite(p->logloss) || !isfinite(p->pd))
        printf("%-14.6g %10s %10s %10s  diverged\n", p->value, "-", "-", "-");
    else
        printf("%-14.6g %10.5f %+8.3f %% %8.2f %%%s\n", p->value, p->logloss, 100.0 * (p->logloss / t->baseline_logloss - 1.0),
               100.0 * p->pd,
               p->good                            ? "  acceptable"
               : p->logloss < t->constant_logloss ? ""
                                                  : "  no better than a constant");
}

/* The pick is the best of all values that were tried, which chance alone makes look good: its p-value is corrected for all of
 * them. The error of the difference is taken as that of two independent numbers. */
static void print_significance(const tune_search_t *t, const tuned_point_t *best)
{
    const int64_t replicas = t->experiment->base->experiment.replicas;
    double p[sizeof t->points / sizeof *t->points];
    for (int i = 0; i < t->n; i++) {
        const double one = t->points[i].pd_error, other = t->baseline_pd_error;
        p[i] = t_test_p(t->points[i].pd - t->baseline_pd, sqrt(one * one + other * other), (int32_t)replicas);
    }
    t_test_holm(p, t->n, p);
    const double chance = p[best - t->points];
    if (isnan(chance))
        printf("whether its difference from %s is more than the chance of replicas cannot be told from %" PRId64
               " of them, it takes 3\n",
               t->baseline, replicas);
    else
        printf("its difference from %s is %ssignificant over replicas: p = %.2g by Holm's correction for the %d values tried\n",
               t->baseline, chance < T_TEST_LEVEL ? "" : "not ", chance, t->n);
}

static status_t conclude(tune_search_t *t)
{
    qsort(t->points, (size_t)t->n, sizeof *t->points, by_value);
    TRY(write_log(t));
    const tuned_point_t *best = NULL;
    printf("%-14s %10s %10s %10s\n", t->settings->key, "logloss", "change", "PD");
    printf("%-14s %10.5f %10s %8.2f %%\n", t->baseline, t->baseline_logloss, "(=)", 100.0 * t->baseline_pd);
    for (int i = 0; i < t->n; i++) {
        const tuned_point_t *p = &t->points[i];
        print_point(t, p);
        if (p->good && (!best || is_better(t, p, best)))
            best = p;
    }
    if (!best) {
        print_unmet(t);
        return ST_DIFFERENT;
    }
    printf("\n%s %.6g: PD %.2f %% against %.2f %% of %s%s, logloss %+.3f %%; %d values of %" PRId64
           " trainings each; %s/curve.tsv\n",
           t->settings->key, best->value, 100.0 * best->pd, 100.0 * t->baseline_pd, t->baseline,
           best->pd < t->baseline_pd ? "" : " (no lower)", 100.0 * (best->logloss / t->baseline_logloss - 1.0), t->n,
           t->experiment->base->experiment.replicas, t->dir);
    print_significance(t, best);
    return ST_OK;
}

/* The variant to tune and the one to compare with. */
static status_t choose_variants(tune_search_t *t)
{
    const experiment_t *e = t->experiment;
    if (e->variants < 2)
        return FAIL(ST_INPUT, "%s has %d variants; tune needs a baseline and a variant to tune", t->options->argument,
                    e->variants);
    const char *baseline = e->base->experiment.baseline;
    t->baseline = *baseline ? baseline : e->names[0];
    t->variant = t->settings->variant;
    for (int v = 0; v < e->variants && !*t->variant; v++)
        if (strcmp(e->names[v], t->baseline) != 0)
            t->variant = e->names[v];
    if (config_variant(e, t->variant) < 0 || strcmp(t->variant, t->baseline) == 0)
        return FAIL(ST_INPUT, "tune.variant is '%s'; it must be a variant of %s other than the baseline %s", t->variant,
                    t->options->argument, t->baseline);
    if (t->settings->low >= t->settings->high)
        return FAIL(ST_INPUT, "tune.low is %g and tune.high %g; low must be smaller", t->settings->low, t->settings->high);
    if (e->base->experiment.replicas < 2)
        return FAIL(ST_INPUT, "%s: experiment.replicas is %" PRId64 ", but prediction difference needs at least 2; raise it",
                    t->options->argument, e->base->experiment.replicas);
    return ST_OK;
}

static status_t check_value(const tune_search_t *t, double value)
{
    const options_t *o = t->options;
    const char **sets = MEM_ARRAY(const char *, o->n_sets + 1);
    char *last = mem_printf("%s=%.6g", t->settings->key, value);
    experiment_t *experiment = NULL;
    memcpy(sets, o->sets, (size_t)o->n_sets * sizeof *sets);
    sets[o->n_sets] = last;
    status_t status = experiment_load(o->argument, sets, o->n_sets + 1, &experiment);
    experiment_destroy(&experiment);
    mem_free(last);
    mem_free(sets);
    return status;
}

/* A key that does not exist, or does not take such values, is named before the baseline is trained. */
static status_t check_key(const tune_search_t *t)
{
    TRY(check_value(t, t->settings->low));
    TRY(check_value(t, t->settings->high));
    return t->settings->values > 2 ? check_value(t, sqrt(t->settings->low * t->settings->high)) : ST_OK;
}

/* --baseline and --tolerance are keys of the configuration, and reach every compare as such. */
static status_t add_set(options_t *options, const char *key, const char *value, char **text)
{
    *text = NULL;
    if (!value)
        return ST_OK;
    if (options->n_sets == OPTIONS_MOST)
        return FAIL(ST_INPUT, "more than %d --set arguments; put them into the configuration file", OPTIONS_MOST);
    *text = mem_printf("%s=%s", key, value);
    options->sets[options->n_sets++] = *text;
    return ST_OK;
}

/* Labels that are all equal are predicted by a constant, which no model is better than: said before anything is trained. */
static status_t check_data(const experiment_t *experiment)
{
    const char *path = experiment->base->data.path;
    splits_t splits;
    if (experiment->base->evaluate.split == SCORED_TEST)
        return FAIL(ST_INPUT,
                    "evaluate.split is test, and tune chooses a value by what it reports; nothing is chosen on the test "
                    "split: use eval, and compare with test afterwards");
    TRY(splits_check_experiment(experiment, "tune"));
    TRY(splits_read(path, experiment->base->data.label, &splits));
    return splits_check_labels(&splits, path);
}

/* Is there anything to search from? Said before any value is tried. */
static status_t check_baseline(const tune_search_t *t)
{
    if (!isfinite(t->baseline_logloss) || !isfinite(t->baseline_pd))
        printf("no value can be chosen: the training of %s diverged, and there is nothing to compare with\n", t->baseline);
    else if (!(t->baseline_logloss < t->constant_logloss))
        printf("no value can be chosen: %s is no better than a constant; its logloss is %.5f, and predicting the share of "
               "positives for "
               "every example has %.5f\n",
               t->baseline, t->baseline_logloss, t->constant_logloss);
    else if (t->baseline_pd == 0.0)
        printf("no value can be chosen: all replicas of %s make the same predictions, and there is no difference to lower\n",
               t->baseline);
    else
        return ST_OK;
    return ST_DIFFERENT;
}

/* A folder that is not empty is that of an earlier search. */
static status_t check_dir(const char *dir)
{
    bool is_empty;
    TRY(dir_look(dir, &is_empty));
    char *log = mem_printf("%s/curve.tsv", dir), *baseline = mem_printf("%s/baseline", dir);
    const bool ours = is_empty || file_exists(log) || file_exists(baseline);
    mem_free(log);
    mem_free(baseline);
    return ours ? dir_check_creatable(dir)
                : FAIL(ST_INPUT, "%s is not empty and was not made by smelter tune; choose another --out", dir);
}

static status_t tune(const options_t *options)
{
    experiment_t *experiment;
    TRY(experiment_load(options->argument, options->sets, options->n_sets, &experiment));
    tune_search_t t = {.options = options, .experiment = experiment, .settings = &experiment->base->tune};
    t.dir = options->out ? mem_strdup(options->out) : mem_printf("out/%s-tune", experiment->base->name);
    tuned_point_t base = {0};
    char *baseline_dir = mem_printf("%s/baseline", t.dir);
    status_t status;
    TRY_DONE(check_dir(t.dir));
    TRY_DONE(choose_variants(&t));
    TRY_DONE(check_key(&t));
    TRY_DONE(prepare_data(experiment, options));
    TRY_DONE(check_data(experiment));
    TRY_DONE(dir_create(t.dir));
    log_info("tuning %s of %s between %.6g and %.6g against %s", t.settings->key, t.variant, t.settings->low, t.settings->high,
             t.baseline);
    TRY_DONE(measure(&t, t.baseline, NULL, baseline_dir, &base));
    t.baseline_logloss = base.logloss;
    t.baseline_pd = base.pd;
    t.baseline_pd_error = base.pd_error;
    TRY_DONE(check_baseline(&t));
    TRY_DONE(bisect(&t));
    TRY_DONE(conclude(&t));
done:
    experiment_destroy(&experiment);
    mem_free(t.dir);
    mem_free(baseline_dir);
    return status;
}

status_t command_tune(const options_t *options)
{
    options_t all = *options;
    char *baseline, *tolerance = NULL;
    status_t status;
    TRY_DONE(add_set(&all, "experiment.baseline", options->baseline, &baseline));
    TRY_DONE(add_set(&all, "tune.tolerance", options->tolerance, &tolerance));
    TRY_DONE(tune(&all));
done:
    mem_free(baseline);
    mem_free(tolerance);
    return status;
}
