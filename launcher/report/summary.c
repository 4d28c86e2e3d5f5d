/* Whose cost a variant's is set against: a reader wants to know what the cheap road saves over the dear one. A single network
 * is set against the full ensemble, where there is one; an ensemble against the baseline. A student's cost is that with its
 * teacher. Cost is what can be counted, embedding rows and FLOPs; CPU time is in the table, and is of a machine that others
 * use as well. Accuracy is judged as a whole: logloss, AUC loss and PQAUC loss in one sentence.
 *
 * Whether a difference is more than chance has two sides: other queries (an interval, by bootstrap) and other replicas (a
 * standard error, by jackknife). It is called significant where both agree, and of two replicas it is said that the second is
 * not known. A verdict is about the best of all variants, which is the one that chance favours most: so its difference is
 * tested as one of all that are set against the baseline, by Holm's correction. */
#include "launcher/report/summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/metrics/jackknife.h"
#include "common/metrics/t_test.h"
#include "launcher/report/differences.h"

#define DEARER 1.05  /* rows and FLOPs are counted, so a few per cent are real */
#define NO_MORE 1.01 /* but not the last digit, where what is pulled depends on time */

static double pd_of(const variant_result_t *variant)
{
    return variant->reproducibility.pd_relative.value;
}

static double tolerance_of(const experiment_result_t *result)
{
    const config_t *config = result_baseline(result)->config;
    return config ? config->experiment.tolerance : VERDICT_LOSS_TOLERANCE;
}

/* The n-th number that is judged: what is compared, and its difference from another variant; false behind the last. */
static bool judged(const experiment_result_t *result, const variant_result_t *a, const variant_result_t *b, int n,
                   compared_t *compared, difference_t *difference)
{
    static const difference_t unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (!differences_compared(n, compared))
        return false;
    *difference = unknown;
    const int32_t reference = (int32_t)(b - result->variant);
    if (differences_has_reference(result, reference))
        *difference = *differences_of(result, (int32_t)(a - result->variant), reference, n);
    return true;
}

/* How a loss has changed, as a share of the baseline's: NaN where either has none. */
static double change_of(const compared_t *compared, const variant_result_t *variant, const variant_result_t *base)
{
    return differences_value(compared, variant) / differences_value(compared, base) - 1.0;
}

static bool is_significant(const difference_t *difference)
{
    return difference->p_holm <= T_TEST_LEVEL; /* false for NaN */
}

/* Logloss within the tolerance, and no other loss above it by more than chance. */
static bool is_affordable(const experiment_result_t *result, const variant_result_t *variant)
{
    const variant_result_t *base = result_baseline(result);
    compared_t compared;
    difference_t d;
    for (int n = 0; variant != base && judged(result, variant, base, n, &compared, &d); n++) {
        const bool counts = differences_metric(&compared)->offset == offsetof(quality_t, logloss) || is_significant(&d);
        if (differences_is_loss(&compared) && counts && change_of(&compared, variant, base) > tolerance_of(result))
            return false;
    }
    return variant == base || isfinite(variant->quality.logloss);
}

/* May the verdict be about it? */
static bool is_candidate(const experiment_result_t *result, const variant_result_t *variant)
{
    return result_is_comparable(variant, result_baseline(result)) && is_affordable(result, variant) &&
           result_beats_constant(result, variant);
}

static double ratio(double a, double b)
{
    return b > 0.0 ? a / b : 1.0;
}

static double rows_of(const variant_result_t *variant)
{
    return variant->teaching.runs ? variant->teaching.rows_pulled_per_example_with_teacher
                                  : variant->cost.rows_pulled_per_example;
}

static double flops_of(const variant_result_t *variant)
{
    return variant->teaching.runs ? variant->teaching.flops_per_example_with_teacher : (double)variant->cost.flops_per_example;
}

static double rows_ratio(const variant_result_t *a, const variant_result_t *b)
{
    return ratio(rows_of(a), rows_of(b));
}

static double flops_ratio(const variant_result_t *a, const variant_result_t *b)
{
    return ratio(flops_of(a), flops_of(b));
}

/* Rows are what a recommender's machines are bought for. */
static bool is_dearer(const variant_result_t *a, const variant_result_t *b)
{
    return rows_ratio(a, b) > DEARER || (rows_ratio(b, a) <= DEARER && flops_ratio(a, b) > DEARER);
}

const variant_result_t *summary_best(const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result), *best = base;
    for (int32_t v = 0; v < result->variants && result_beats_constant(result, base); v++) {
        const variant_result_t *variant = &result->variant[v];
        if (is_candidate(result, variant) && pd_of(variant) < pd_of(best))
            best = variant;
    }
    return best;
}

/* What `best` is set against; NULL for an ensemble. */
static const variant_result_t *full_ensemble(const experiment_result_t *result, const variant_result_t *best)
{
    return result_is_ensemble(best) ? NULL : result_ensemble(result);
}

/* The lowest PD of the affordable variants that lower it and are cheaper than `best`; NULL where there is none. */
static const variant_result_t *cheap_road(const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = result_baseline(result), *lowest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (variant != base && is_candidate(result, variant) && pd_of(variant) < pd_of(base) && is_dearer(best, variant) &&
            (!lowest || pd_of(variant) < pd_of(lowest)))
            lowest = variant;
    }
    return lowest;
}

/* The lowest PD of those that cost too much loss, if it is below `best`'s; NULL where there is none. */
static const variant_result_t *lossy_road(const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = result_baseline(result), *lowest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (result_is_comparable(variant, base) && !is_affordable(result, variant) && result_beats_constant(result, variant) &&
            pd_of(variant) < pd_of(lowest ? lowest : best))
            lowest = variant;
    }
    return lowest;
}

/* ---- words ----------------------------------------------------------------------------------------------------------- */

/* What is known of a difference from the baseline. */
typedef enum finding { UNKNOWN, CHANCE_OF_QUERIES, CHANCE_OF_REPLICAS, SURE_OF_QUERIES, SURE_OF_BOTH } finding_t;

/* The difference from the baseline that is asked about: of PD as it is, or of levelled PD. */
typedef struct question {
    const experiment_result_t *result;
    bool is_levelled;
} question_t;

static estimate_t difference_of(question_t q, const variant_result_t *variant)
{
    return q.is_levelled ? variant->pd_levelled_difference : variant->pd_difference;
}

static double error_of(question_t q, const variant_result_t *variant)
{
    return q.is_levelled ? variant->error.pd_levelled_difference : variant->error.pd_difference;
}

/* Corrected for the *variants differences that are known. */
static double p_of(question_t q, const variant_result_t *variant, int32_t *variants)
{
    const experiment_result_t *result = q.result;
    const variant_result_t *base = result_baseline(result);
    double *p = MEM_ARRAY(double, result->variants);
    *variants = 0;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *other = &result->variant[v];
        p[v] = other != base && result_is_comparable(other, base)
                   ? t_test_p(difference_of(q, other).value, error_of(q, other), other->replicas)
                   : NAN;
        *variants += !isnan(p[v]);
    }
    t_test_holm(p, result->variants, p);
    const double corrected = p[variant - result->variant];
    mem_free(p);
    return corrected;
}

/* p: that it is chance of replicas. */
static finding_t finding_of(estimate_t difference, double p)
{
    const bool has_interval = isfinite(difference.low) && isfinite(difference.high);
    if (!has_interval)
        return UNKNOWN;
    if (difference.low <= 0.0 && difference.high >= 0.0)
        return CHANCE_OF_QUERIES;
    if (isnan(p))
        return SURE_OF_QUERIES;
    return p <= T_TEST_LEVEL ? SURE_OF_BOTH : CHANCE_OF_REPLICAS;
}

static const char *finding_words(finding_t finding)
{
    static const char *const words[] = {
        [UNKNOWN] = "not known to be significant",
        [CHANCE_OF_QUERIES] = "not significant",
        [CHANCE_OF_REPLICAS] = "not distinguishable from the noise of replicas",
        [SURE_OF_QUERIES] = "significant over queries",
        [SURE_OF_BOTH] = "significant over queries and replicas",
    };
    return words[finding];
}

static finding_t finding(question_t q, const variant_result_t *variant)
{
    int32_t variants;
    return finding_of(difference_of(q, variant), p_of(q, variant, &variants));
}

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
    put_share(out, rows_ratio(variant, other));
    fprintf(out, " %s's embedding rows and ", other->name);
    put_share(out, flops_ratio(variant, other));
    fputs(" its FLOPs", out);
    if (variant->teaching.runs)
        fputs(", its part of the teacher's included", out);
}

/* ", significantly worse in AUC loss and PQAUC loss", or better; nothing where there is no such loss. Returns how many. */
static int put_significant(FILE *out, const experiment_result_t *result, const variant_result_t *variant, int sign,
                           const char *words)
{
    const variant_result_t *base = result_baseline(result);
    compared_t compared;
    difference_t d;
    int count = 0;
    for (int n = 0; judged(result, variant, base, n, &compared, &d); n++) {
        if (!differences_is_loss(&compared) || !is_significant(&d) || sign * d.change <= 0.0)
            continue;
        fprintf(out, "%s%s", count++ ? " and " : words, differences_metric(&compared)->title);
    }
    return count;
}

/* What it costs in accuracy, all of it: "at logloss +0.24 %, AUC loss +0.66 %, PQAUC loss +1.22 % (significantly ..)". */
static void put_loss(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    const variant_result_t *base = result_baseline(result);
    compared_t compared;
    difference_t d;
    const char *separator = "at ";
    for (int n = 0; judged(result, variant, base, n, &compared, &d); n++) {
        const double change = change_of(&compared, variant, base);
        if (!differences_is_loss(&compared) || !isfinite(change))
            continue;
        fprintf(out, "%s%s %+.2f %%", separator, differences_metric(&compared)->title, 100.0 * change);
        separator = ", ";
    }
    const int worse = put_significant(out, result, variant, 1, " (significantly worse in ");
    const int better = put_significant(out, result, variant, -1, worse ? "; better in " : " (significantly better in ");
    if (worse || better)
        fputs(")", out);
}

/* In points: as far as it is known, with its standard error. */
static void put_points(FILE *out, estimate_t difference, double error)
{
    fprintf(out, "%+.2f ", 100.0 * difference.value);
    if (isfinite(error))
        fprintf(out, "+- %.2f ", 100.0 * error);
    fputs("points", out);
}

static void put_difference(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    const question_t as_is = {result, false};
    const finding_t found = finding(as_is, variant);
    const double error = variant->error.pd_difference;
    int32_t variants;
    const double p = p_of(as_is, variant, &variants);
    if (found == UNKNOWN)
        return;
    fprintf(out, " The difference is %s: ", finding_words(found));
    put_points(out, variant->pd_difference, error);
    fputs(" (", out);
    if (isfinite(error))
        fprintf(out, "standard error over %d replicas; ", variant->replicas);
    if (isfinite(p) && variants > 1)
        fprintf(out, "p = %.2g by Holm's correction for %d variants; ", p, variants);
    fprintf(out, "%+.2f to %+.2f at 95 %% over %s)", 100.0 * variant->pd_difference.low, 100.0 * variant->pd_difference.high,
            result->queries ? "queries" : "examples");
    if (variant->replicas < JACKKNIFE_LEAST_REPLICAS)
        fprintf(out, "; how far other replicas would move it cannot be estimated from %d, it takes %d", variant->replicas,
                JACKKNIFE_LEAST_REPLICAS);
    fputs(".", out);
}

static double levelled_of(const variant_result_t *variant)
{
    return variant->reproducibility.pd_levelled.value;
}

static bool is_levelled_known(const variant_result_t *variant)
{
    return isfinite(levelled_of(variant)) && isfinite(variant->pd_levelled_difference.value);
}

static void put_levelled_points(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    const finding_t found = finding((question_t){result, true}, variant);
    put_points(out, variant->pd_levelled_difference, variant->error.pd_levelled_difference);
    if (found != UNKNOWN)
        fprintf(out, ", %s", finding_words(found));
}

static void put_levelled(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    const variant_result_t *base = result_baseline(result);
    if (!is_levelled_known(variant))
        return;
    fputs(" With levels made equal, PD goes from ", out);
    put_percent(out, levelled_of(base));
    fputs(" to ", out);
    put_percent(out, levelled_of(variant));
    fputs(": ", out);
    put_levelled_points(out, result, variant);
    fputs(".", out);
}

/* Where no variant lowers PD as it is: the one that does so once levels are equal. */
static void put_lowest_levelled(FILE *out, const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result), *lowest = base;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        if (is_levelled_known(variant) && is_candidate(result, variant) && levelled_of(variant) < levelled_of(lowest))
            lowest = variant;
    }
    if (lowest == base)
        return;
    fprintf(out, " With levels made equal, %s has the lowest, ", lowest->name);
    put_percent(out, levelled_of(lowest));
    fprintf(out, " instead of %s's ", base->name);
    put_percent(out, levelled_of(base));
    fputs(": ", out);
    put_levelled_points(out, result, lowest);
    fputs(", ", out);
    put_loss(out, result, lowest);
    fputs(".", out);
}

static void put_change(FILE *out, const experiment_result_t *result, const variant_result_t *best)
{
    const variant_result_t *base = result_baseline(result), *dear = full_ensemble(result, best),
                           *cheap = cheap_road(result, best);
    const finding_t found = finding((question_t){result, false}, best);
    const bool may_be_chance = found == CHANCE_OF_QUERIES || found == CHANCE_OF_REPLICAS;
    fprintf(out, "%s %s relative PD from %s's ", best->name, may_be_chance ? "may cut" : "cuts", base->name);
    put_percent(out, pd_of(base));
    fputs(" to ", out);
    put_percent(out, pd_of(best));
    fputs(", ", out);
    put_loss(out, result, best);
    fputs(", for ", out);
    put_cost(out, best, dear ? dear : base);
    fputs(".", out);
    put_difference(out, result, best);
    put_levelled(out, result, best);
    if (dear) {
        fprintf(out, " %s reaches ", dear->name);
        put_percent(out, pd_of(dear));
        fputs(" ", out);
        put_loss(out, result, dear);
        fprintf(out, ". Next to %s, %s takes ", base->name, best->name);
        put_cost(out, best, base);
        fputs(".", out);
    } else if (cheap) {
        fprintf(out, " %s reaches ", cheap->name);
        put_percent(out, pd_of(cheap));
        fputs(" ", out);
        put_loss(out, result, cheap);
        fputs(", for ", out);
        put_cost(out, cheap, best);
        fputs(".", out);
    }
}

/* A budget: what replicas bring that differ in other sources than the baseline's. */
static void put_sources(FILE *out, const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result);
    int n = 0;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const double pd = pd_of(variant);
        if (result_is_comparable(variant, base) || !isfinite(pd))
            continue;
        fprintf(out, "%s %s ", n++ ? "," : " Replicas that differ in other sources have:", variant->name);
        if (pd == 0.0)
            fputs("none", out);
        else if (pd < 0.0005)
            fputs("less than 0.05 %", out);
        else
            put_percent(out, pd);
    }
    if (n)
        fputs(".", out);
}

/* ---- no verdict ------------------------------------------------------------------------------------------------------ */

/* Why nothing can be said of the baseline; false where something can. */
static bool put_why_none(FILE *out, const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result);
    const double constant = result_base_rate_logloss(result);
    if (base->replicas < 2)
        fprintf(out, "No verdict: %s has one replica, and how far predictions differ from training to training takes two.",
                base->name);
    else if (!isfinite(pd_of(base)))
        fprintf(out, "No verdict: not all predictions of %s are numbers; its training diverged.", base->name);
    else if (constant == 0.0)
        fputs("No verdict: all labels of the evaluation split are equal, so that no model is better than saying so.", out);
    else if (!result_beats_constant(result, base))
        fprintf(
            out,
            "No verdict: %s is no better than a constant. Its logloss is %.5f, and predicting the share of positives for every "
            "example has %.5f.",
            base->name, base->quality.logloss, constant);
    else
        return false;
    return true;
}

/* Variants other than the baseline, each a part of those before. */
typedef struct others {
    int comparable, known, candidates, equal; /* of the same sources; with a PD; candidates; with the baseline's PD */
} others_t;

static others_t count_others(const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result);
    others_t n = {0, 0, 0, 0};
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const bool is_other = variant != base && result_is_comparable(variant, base),
                   is_known = is_other && isfinite(pd_of(variant));
        n.comparable += is_other;
        n.known += is_known;
        n.candidates += is_known && is_candidate(result, variant);
        n.equal += is_known && is_candidate(result, variant) && pd_of(variant) == pd_of(base);
    }
    return n;
}

/* No variant lowers the baseline's PD: because it is the lowest, or because there is nothing that could. */
static void put_baseline(FILE *out, const experiment_result_t *result, bool has_lossy)
{
    const variant_result_t *base = result_baseline(result);
    const others_t others = count_others(result);
    const double pd = 100.0 * pd_of(base), tolerance = 100.0 * tolerance_of(result);
    if (pd == 0.0)
        fprintf(out, "No verdict: all replicas of %s make the same predictions, and there is no difference to lower.",
                base->name);
    else if (result->variants == 1)
        fprintf(out, "No verdict: there is nothing to compare %s with. Its relative PD is %.1f %%.", base->name, pd);
    else if (others.comparable == 0)
        fprintf(out, "No verdict: no other variant's replicas differ in the same sources as %s's. Its relative PD is %.1f %%.",
                base->name, pd);
    else if (others.known == 0)
        fprintf(out, "No verdict: not all predictions of the other variants are numbers. The relative PD of %s is %.1f %%.",
                base->name, pd);
    else if (others.candidates == 0)
        fprintf(out, "No verdict: no other variant's losses are at most %.1f %% above %s's. Its relative PD is %.1f %%.",
                tolerance, base->name, pd);
    else if (others.equal == others.candidates)
        fprintf(out, "No verdict: %s and all variants with such losses have the same relative PD, %.1f %%.", base->name, pd);
    else if (has_lossy)
        fprintf(out, "%s has the lowest relative PD, %.1f %%, of those with losses of at most %.1f %% above its own.",
                base->name, pd, tolerance);
    else
        fprintf(out, "%s has the lowest relative PD, %.1f %%; no other variant lowers it.", base->name, pd);
}

/* ---- dominated ------------------------------------------------------------------------------------------------------- */

/* Is a no worse than b in PD, in all losses, in rows and in FLOPs, and better in one of the former by more than chance? */
static bool dominates(const experiment_result_t *result, const variant_result_t *a, const variant_result_t *b)
{
    compared_t compared;
    difference_t d;
    bool is_surely_better = false;
    if (!result_is_comparable(a, b) || !isfinite(pd_of(a)) || rows_ratio(a, b) > NO_MORE || flops_ratio(a, b) > NO_MORE)
        return false;
    for (int n = 0; judged(result, a, b, n, &compared, &d); n++) {
        const bool is_pd = differences_metric(&compared)->offset == offsetof(reproducibility_t, pd_relative) &&
                           compared.rows == &reproducibility_rows;
        if (!is_pd && !differences_is_loss(&compared))
            continue;
        if (d.value > 0.0)
            return false;
        is_surely_better = is_surely_better || is_significant(&d);
    }
    return is_surely_better;
}

/* That of the lowest PD; NULL where none does. */
static const variant_result_t *dominator(const experiment_result_t *result, const variant_result_t *variant)
{
    const variant_result_t *lowest = NULL;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *other = &result->variant[v];
        if (other != variant && dominates(result, other, variant) && (!lowest || pd_of(other) < pd_of(lowest)))
            lowest = other;
    }
    return lowest;
}

/* What nobody should launch: another variant is as good or better in everything, and costs no more. */
static void put_dominated(FILE *out, const experiment_result_t *result)
{
    int n = 0;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *by = dominator(result, &result->variant[v]);
        if (by)
            fprintf(out, "%s%s by %s", n++ ? ", " : " Dominated in PD, all losses, rows and FLOPs: ", result->variant[v].name,
                    by->name);
    }
    if (n)
        fputs(".", out);
}

/* Variants that are no better than a constant are left out, and named. */
static void put_worthless(FILE *out, const experiment_result_t *result)
{
    int n = 0;
    for (int32_t v = 0; v < result->variants; v++)
        if (isfinite(result->variant[v].quality.logloss) && !result_beats_constant(result, &result->variant[v]))
            fprintf(out, "%s%s",
                    n++ ? ", " : " Left out, because no better than predicting the share of positives for every example: ",
                    result->variant[v].name);
    if (n)
        fputs(".", out);
}

static void put_verdict(FILE *out, const experiment_result_t *result)
{
    const variant_result_t *base = result_baseline(result), *best = summary_best(result), *lossy = lossy_road(result, best);
    if (put_why_none(out, result))
        return;
    if (best != base) {
        put_change(out, result, best);
    } else {
        put_baseline(out, result, lossy != NULL);
        put_lowest_levelled(out, result);
    }
    if (lossy) {
        fprintf(out, " Lower still is %s, ", lossy->name);
        put_percent(out, pd_of(lossy));
        fputs(", but ", out);
        put_loss(out, result, lossy);
        fputs(".", out);
    }
    put_dominated(out, result);
    put_worthless(out, result);
    put_sources(out, result);
}

char *summary_text(const experiment_result_t *result)
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
