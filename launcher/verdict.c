/* Whose cost a variant's is set against: a reader wants to know what the cheap road saves over the dear one. So it is the
 * dearest variant that lowers PD too (the ensemble, as a rule), or the baseline where no such variant is clearly dearer. */
#include "launcher/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"

#define DEARER_ROWS 1.05 /* rows pulled are counted, so a few per cent are real */
#define DEARER_CPU 1.25  /* CPU time is measured on a machine that others use as well */

static const variant_result_t *baseline_of(const experiment_result_t *result)
{
    ASSERT(result->baseline >= 0 && result->baseline < result->variants);
    return &result->variant[result->baseline];
}

static double pd_of(const variant_result_t *variant)
{
    return variant->reproducibility.pd_relative.value;
}

/* The share by which its logloss is above the baseline's. */
static double loss_change(const variant_result_t *variant, const variant_result_t *base)
{
    return (variant->quality.logloss - base->quality.logloss) / base->quality.logloss;
}

static bool is_affordable(const variant_result_t *variant, const variant_result_t *base)
{
    return variant == base || loss_change(variant, base) <= VERDICT_LOSS_TOLERANCE;
}

static double ratio(double a, double b)
{
    return b > 0.0 ? a / b : 1.0;
}

static double rows_ratio(const variant_result_t *a, const variant_result_t *b)
{
    return ratio(a->cost.rows_pulled_per_example, b->cost.rows_pulled_per_example);
}

static double cpu_ratio(const variant_result_t *a, const variant_result_t *b)
{
    return ratio(a->cost.cpu_seconds, b->cost.cpu_seconds);
}

static bool is_dearer(const variant_result_t *a, const variant_result_t *b)
{
    return rows_ratio(a, b) > DEARER_ROWS || (rows_ratio(b, a) <= DEARER_ROWS && cpu_ratio(a, b) > DEARER_CPU);
}

const variant_result_t *verdict_best(const experiment_result_t *result)
{
    const variant_result_t *base = baseline_of(result), *best = base;
    for (int32_t v = 0; v < result->variants; v++)
        if (is_affordable(&result->variant[v], base) && pd_of(&result->variant[v]) < pd_of(best))
            best = &result->variant[v];
    return best;
}

/* The dearest of the variants that lower PD and are dearer than `best`; NULL where there is none. */
static const variant_result_t *dear_road(const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = baseline_of(result), *dearest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (variant != base && pd_of(variant) < pd_of(base) && is_dearer(variant, best) &&
            (!dearest || is_dearer(variant, dearest)))
            dearest = variant;
    }
    return dearest;
}

/* The lowest PD of the affordable variants that lower it and are cheaper than `best`; NULL where there is none. */
static const variant_result_t *cheap_road(const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = baseline_of(result), *lowest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (variant != base && is_affordable(variant, base) && pd_of(variant) < pd_of(base) && is_dearer(best, variant) &&
            (!lowest || pd_of(variant) < pd_of(lowest)))
            lowest = variant;
    }
    return lowest;
}

/* The lowest PD of those that cost too much loss, if it is below `best`'s; NULL where there is none. */
static const variant_result_t *lossy_road(const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = baseline_of(result), *lowest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (!is_affordable(variant, base) && pd_of(variant) < pd_of(lowest ? lowest : best))
            lowest = variant;
    }
    return lowest;
}

/* ---- words ----------------------------------------------------------------------------------------------------------- */

static void put_percent(FILE *out, double share)
{
    fprintf(out, "%.1f %%", 100.0 * share);
}

/* 0.36 of, a third of, 1.48 times, 3 times. */
static void put_share(FILE *out, double share)
{
    static const struct {
        double share;
        const char *words;
    } fractions[] = {{1.0 / 4, "a quarter of"}, {1.0 / 3, "a third of"}, {1.0 / 2, "half of"}, {1.0, "all of"}, {2.0, "twice"}};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++)
        if (fabs(share / fractions[i].share - 1.0) < 0.01) {
            fputs(fractions[i].words, out);
            return;
        }
    if (share < 1.0)
        fprintf(out, "%.2f of", share);
    else
        fprintf(out, fabs(share - nearbyint(share)) < 0.01 ? "%.0f times" : "%.2f times", share);
}

static void put_cost(FILE *out, const variant_result_t *variant, const variant_result_t *other)
{
    put_share(out, cpu_ratio(variant, other));
    fprintf(out, " %s's CPU time and ", other->name);
    put_share(out, rows_ratio(variant, other));
    fputs(" its embedding rows", out);
}

static void put_loss(FILE *out, const variant_result_t *variant, const variant_result_t *base)
{
    fprintf(out, "at logloss %+.2f %%", 100.0 * loss_change(variant, base));
}

static bool has_interval(const variant_result_t *variant)
{
    return isfinite(variant->pd_difference.low) && isfinite(variant->pd_difference.high);
}

static bool may_be_chance(const variant_result_t *variant)
{
    return has_interval(variant) && variant->pd_difference.low <= 0.0 && variant->pd_difference.high >= 0.0;
}

static void put_interval(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    fprintf(out, "%+.2f to %+.2f points (95 %% interval over %s)", 100.0 * variant->pd_difference.low,
            100.0 * variant->pd_difference.high, result->queries ? "queries" : "examples");
}

static void put_change(FILE *out, const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = baseline_of(result), *dear = dear_road(result, best), *cheap = cheap_road(result, best);
    fprintf(out, "%s %s relative PD from %s's ", best->name, may_be_chance(best) ? "may cut" : "cuts", base->name);
    put_percent(out, pd_of(base));
    fputs(" to ", out);
    put_percent(out, pd_of(best));
    fputs(", ", out);
    put_loss(out, best, base);
    fputs(", for ", out);
    put_cost(out, best, dear ? dear : base);
    fputs(".", out);
    if (has_interval(best)) {
        fprintf(out, " The difference is %ssignificant: ", may_be_chance(best) ? "not " : "");
        put_interval(out, result, best);
        fputs(".", out);
    }
    if (dear) {
        fprintf(out, " %s reaches ", dear->name);
        put_percent(out, pd_of(dear));
        fputs(" ", out);
        put_loss(out, dear, base);
        fprintf(out, ". Next to %s, %s takes ", base->name, best->name);
        put_cost(out, best, base);
        fputs(".", out);
    } else if (cheap) {
        fprintf(out, " %s reaches ", cheap->name);
        put_percent(out, pd_of(cheap));
        fputs(" ", out);
        put_loss(out, cheap, base);
        fputs(", for ", out);
        put_cost(out, cheap, best);
        fputs(".", out);
    }
}

static void put_verdict(FILE *out, const experiment_result_t *result)
{
    const variant_result_t *base = baseline_of(result), *best = verdict_best(result), *lossy = lossy_road(result, best);
    if (!isfinite(pd_of(base))) {
        fprintf(out, "No prediction difference for %s: it needs at least two replicas whose predictions are numbers.",
                base->name);
        return;
    }
    if (best != base) {
        put_change(out, result, best);
    } else {
        fprintf(out, "%s has %s", base->name, result->variants == 1 ? "a relative PD of " : "the lowest relative PD, ");
        put_percent(out, pd_of(base));
        if (lossy)
            fprintf(out, ", at a logloss of at most %.1f %% above its own.", 100.0 * VERDICT_LOSS_TOLERANCE);
        else
            fputs(result->variants == 1 ? "." : "; no other variant lowers it.", out);
    }
    if (lossy) {
        fprintf(out, " Lower still is %s, ", lossy->name);
        put_percent(out, pd_of(lossy));
        fputs(", but ", out);
        put_loss(out, lossy, base);
        fputs(".", out);
    }
}

char *verdict_text(const experiment_result_t *result)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    put_verdict(out, result);
    int failed = fclose(out);
    ASSERT(failed == 0);
    char *verdict = mem_strdup(text);
    free(text);
    return verdict;
}
