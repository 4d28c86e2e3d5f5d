/* Proves that the verdict says what the numbers say: which variant, from and to which PD, at what loss, for what share of
 * whose cost, whether it may be chance of queries or of replicas, what is left of it at equal levels, and what the
 * alternatives are; that a variant that pays with its loss is not the one, and that a student's cost is that with its
 * teacher. */
#include "tests/lib/testing.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "launcher/report/summary.h"

enum { VARIANTS = 6 };

static const estimate_t unknown = {NAN, NAN, NAN};
static config_t network, ensemble, peers, deployed, other_sources; /* by what the verdict reads */

static int make_configs(void **state)
{
    (void)state;
    static char automatic[] = "auto", mean[] = "mean", second[] = "1";
    network.model.deploy = ensemble.model.deploy = automatic;
    peers.model.deploy = mean;
    deployed.model.deploy = second;
    network.experiment.tolerance = ensemble.experiment.tolerance = 0.005;
    network.model.components = 1;
    network.experiment.vary = ensemble.experiment.vary = peers.experiment.vary = deployed.experiment.vary = 1u << VARY_ORDER;
    other_sources = network;
    other_sources.experiment.vary = 1u << VARY_INIT;
    ensemble.model.components = peers.model.components = deployed.model.components = 3;
    peers.objective.kind = deployed.objective.kind = OBJECTIVE_CODISTILL;
    return 0;
}

/* A variant by what the verdict reads: PD, logloss, FLOPs (tens of them), rows pulled. */
static variant_result_t variant(const char *name, double pd, double logloss, double flops, double rows)
{
    return (variant_result_t){
        .name = name,
        .quality.logloss = logloss,
        .cost = {.flops_per_example = (int64_t)(10 * flops), .rows_pulled_per_example = rows},
        .config = &network,
        .replicas = 8,
        .reproducibility = {.pd_relative = {pd, NAN, NAN}, .pd_levelled = unknown},
        .pd_difference = unknown,
        .pd_levelled_difference = unknown,
        .error = {NAN, NAN, NAN, NAN},
    };
}

static variant_result_t of_config(variant_result_t variant, const config_t *config, int64_t parameters)
{
    variant.config = config;
    variant.cost.parameters = parameters;
    return variant;
}

static void assert_verdict(const variant_result_t *variants, int n, const char *best, const char *expected)
{
    variant_result_t copy[VARIANTS];
    for (int v = 0; v < n; v++)
        copy[v] = variants[v];
    experiment_result_t result = {.variants = n, .variant = copy, .queries = 5};
    char *text = summary_text(&result);
    assert_string_equal(text, expected);
    mem_free(text);
    assert_string_equal(summary_best(&result)->name, best);
}

/* The ensemble of equal size and the dearer peers are not what a single network saves against. */
static void test_a_single_network_is_set_against_the_full_ensemble(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        of_config(variant("ensemble3_equal", 0.13, 0.594, 12, 18), &ensemble, 100),
        variant("smelu3", 0.12, 0.5988, 10.8, 6),
        of_config(variant("ensemble3", 0.14, 0.594, 30, 18), &ensemble, 300),
        of_config(variant("peers", 0.14, 0.594, 50, 30), &peers, 500),
    };
    v[2].pd_difference = (estimate_t){-0.048, -0.05, -0.046};
    v[2].error.pd_difference = 0.009;
    v[0].reproducibility.pd_levelled.value = 0.15;
    v[2].reproducibility.pd_levelled.value = 0.0982;
    v[2].pd_levelled_difference = (estimate_t){-0.0518, -0.06, -0.04};
    v[2].error.pd_levelled_difference = 0.006;
    assert_verdict(
        v, 5, "smelu3",
        "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss -0.20 %, for a third of ensemble3's embedding rows "
        "and 0.36 of its FLOPs. The difference is significant over queries and replicas: -4.80 +- 0.90 points (standard error "
        "over 8 replicas; -5.00 to -4.60 at 95 % over queries). With levels made equal, PD goes from 15.0 % to 9.8 %: -5.18 +- "
        "0.60 points, significant over queries and replicas. ensemble3 reaches 14.0 % at logloss -1.00 %. Next to relu, smelu3 "
        "takes all of relu's embedding rows and 1.08 times its FLOPs.");
}

static void test_an_ensemble_is_set_against_the_baseline(void **state)
{
    (void)state;
    const variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
        of_config(variant("ensemble3", 0.11, 0.6, 25, 18), &ensemble, 300),
        of_config(variant("ensemble5", 0.115, 0.6, 45, 30), &ensemble, 500),
    };
    assert_verdict(v, 5, "ensemble3",
                   "ensemble3 cuts relative PD from relu's 16.8 % to 11.0 %, at logloss +0.00 %, for 3 times relu's embedding "
                   "rows and 2.50 times its FLOPs. smelu3 reaches 12.0 % at logloss +0.00 %, for a third of ensemble3's "
                   "embedding rows and 0.40 of its FLOPs.");
}

/* One of three peers is deployed: a single network to those who use it. Peers that predict together are an ensemble. */
static void test_peers_are_what_they_deploy(void **state)
{
    (void)state;
    const variant_result_t one[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        of_config(variant("ensemble3", 0.13, 0.6, 30, 18), &ensemble, 300),
        of_config(variant("peer", 0.11, 0.6, 30, 18), &deployed, 300),
    };
    const variant_result_t together[] = {one[0], one[1], of_config(variant("peers", 0.11, 0.6, 30, 18), &peers, 300)};
    assert_verdict(one, 3, "peer",
                   "peer cuts relative PD from relu's 16.8 % to 11.0 %, at logloss +0.00 %, for all of ensemble3's embedding "
                   "rows and all of its FLOPs. ensemble3 reaches 13.0 % at logloss +0.00 %. Next to relu, peer takes 3 times "
                   "relu's embedding rows and 3 times its FLOPs.");
    assert_verdict(together, 3, "peers",
                   "peers cuts relative PD from relu's 16.8 % to 11.0 %, at logloss +0.00 %, for 3 times relu's embedding rows "
                   "and 3 times its FLOPs.");
}

static void test_a_student_costs_with_its_teacher(void **state)
{
    (void)state;
    variant_result_t v[] = {variant("relu", 0.168, 0.6, 10, 6), variant("student", 0.06, 0.6, 10, 6)};
    v[1].teaching =
        (distillation_cost_t){.runs = 1, .flops_per_example_with_teacher = 150, .rows_pulled_per_example_with_teacher = 12};
    assert_verdict(v, 2, "student",
                   "student cuts relative PD from relu's 16.8 % to 6.0 %, at logloss +0.00 %, for twice relu's embedding rows "
                   "and 1.50 times its FLOPs, its part of the teacher's included.");
}

/* What costs a little less than the best, but not by much, is not told of. */
static void test_equal_costs_are_set_against_the_baseline(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 11, 6),
        variant("smelu3", 0.12, 0.6, 9.2, 6),
    };
    assert_verdict(v, 3, "smelu3",
                   "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, for all of relu's embedding rows "
                   "and 0.92 of its FLOPs.");
}

/* Seven degrees of freedom: 2.365 standard errors. Three: 3.182. */
static void test_significance_is_of_queries_and_of_replicas(void **state)
{
    (void)state;
    static const struct {
        estimate_t difference;
        double error;
        int32_t replicas;
        const char *verb, *words;
    } cases[] = {
        {{-0.048, -0.1, 0.004},
         0.001,
         8,
         "may cut",
         "not significant: -4.80 +- 0.10 points (standard error over 8 replicas; -10.00 to +0.40 at 95 % over queries)."},
        {{-0.048, -0.05, -0.046},
         0.0201,
         8,
         "cuts",
         "significant over queries and replicas: -4.80 +- 2.01 points (standard error over 8 replicas; -5.00 to -4.60 at 95 % "
         "over queries)."},
        {{-0.048, -0.05, -0.046},
         0.0204,
         8,
         "may cut",
         "not distinguishable from the noise of replicas: -4.80 +- 2.04 points (standard error over 8 replicas; -5.00 to "
         "-4.60 at 95 % over queries)."},
        {{-0.048, -0.05, -0.046},
         0.0155,
         4,
         "may cut",
         "not distinguishable from the noise of replicas: -4.80 +- 1.55 points (standard error over 4 replicas; -5.00 to "
         "-4.60 at 95 % over queries)."},
        {{-0.048, -0.05, -0.046},
         NAN,
         2,
         "cuts",
         "significant over queries: -4.80 points (-5.00 to -4.60 at 95 % over queries); how far other replicas would move it "
         "cannot be estimated from 2, it takes 3."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        variant_result_t v[] = {variant("relu", 0.168, 0.6, 10, 6), variant("smelu", 0.12, 0.6, 10, 6)};
        v[1].pd_difference = cases[i].difference;
        v[1].error.pd_difference = cases[i].error;
        v[1].replicas = cases[i].replicas;
        char *expected = mem_printf("smelu %s relative PD from relu's 16.8 %% to 12.0 %%, at logloss +0.00 %%, for all of "
                                    "relu's embedding rows and all of its FLOPs. The difference is %s",
                                    cases[i].verb, cases[i].words);
        assert_verdict(v, 2, "smelu", expected);
        mem_free(expected);
    }
}

/* Where levels hide what a variant does, the verdict says what is there without them. */
static void test_lowest_at_equal_levels(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.07, 0.6, 10, 6),
        variant("smelu", 0.107, 0.6, 10, 6),
        variant("swish", 0.08, 0.6, 10, 6),
        variant("costly", 0.2, 0.7, 10, 6),
    };
    static const double levelled[] = {0.055, 0.029, 0.04, 0.01};
    for (int i = 0; i < 4; i++) {
        v[i].reproducibility.pd_levelled.value = levelled[i];
        v[i].pd_levelled_difference = (estimate_t){levelled[i] - 0.055, levelled[i] - 0.06, levelled[i] - 0.05};
        v[i].error.pd_levelled_difference = 0.005;
    }
    v[0].replicas = v[1].replicas = v[2].replicas = 3;
    assert_verdict(v, 4, "relu",
                   "relu has the lowest relative PD, 7.0 %; no other variant lowers it. With levels made equal, smelu has the "
                   "lowest, 2.9 % instead of relu's 5.5 %: -2.60 +- 0.50 points, not distinguishable from the noise of "
                   "replicas, at logloss +0.00 %."); /* alone it would be: p is 0.035 */
    v[1].error.pd_levelled_difference = 0.003;
    assert_verdict(v, 4, "relu",
                   "relu has the lowest relative PD, 7.0 %; no other variant lowers it. With levels made equal, smelu has the "
                   "lowest, 2.9 % instead of relu's 5.5 %: -2.60 +- 0.30 points, significant over queries and replicas, at "
                   "logloss +0.00 %.");
}

/* The best of three is tested as one of three, and the sentence says so. */
static void test_the_best_of_several_is_corrected_for(void **state)
{
    (void)state;
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
        variant("smelu5", 0.13, 0.6, 10, 6),
    };
    for (int i = 1; i < 4; i++) {
        const double difference = v[i].reproducibility.pd_relative.value - 0.168;
        v[i].pd_difference = (estimate_t){difference, difference - 0.01, difference + 0.01};
        v[i].error.pd_difference = i == 2 ? 0.016 : 0.03;
    }
    static const char cost[] = ", at logloss +0.00 %, for all of relu's embedding rows and all of its FLOPs. ";
    char *text = mem_printf("smelu3 may cut relative PD from relu's 16.8 %% to 12.0 %%%sThe difference is not distinguishable "
                            "from the noise of replicas: -4.80 +- 1.60 points (standard error over 8 replicas; p = 0.06 by "
                            "Holm's correction for 3 variants; -5.80 to -3.80 at 95 %% over queries).",
                            cost);
    assert_verdict(v, 4, "smelu3", text); /* 3 standard errors: alone p is 0.020 */
    mem_free(text);
    text = mem_printf("smelu3 cuts relative PD from relu's 16.8 %% to 12.0 %%%sThe difference is significant over queries and "
                      "replicas: -4.80 +- 1.60 points (standard error over 8 replicas; -5.80 to -3.80 at 95 %% over queries).",
                      cost);
    v[1].pd_difference = v[3].pd_difference = unknown;
    assert_verdict(v, 4, "smelu3", text);
    mem_free(text);
}

/* Three variants, each set against each: what is known of a loss is its change and whether that is more than chance. */
static void set_loss(experiment_result_t *e, int a, int b, int which, double change, double p_holm)
{
    e->difference[(b * e->variants + a) * e->compared + which] =
        (difference_t){.value = change, .change = change, .p = p_holm, .p_holm = p_holm};
}

static void set_losses(variant_result_t *variant, double auc_loss, double pqauc_loss)
{
    variant->quality.auc_loss = auc_loss;
    variant->quality.pqauc_loss = pqauc_loss;
}

enum { LOGLOSS, AUC_LOSS, PQAUC_LOSS, CALIBRATION, PD, LEVELLED, COMPARED };

static void assert_text(experiment_result_t *e, const char *best, const char *expected)
{
    char *text = summary_text(e);
    assert_string_equal(text, expected);
    mem_free(text);
    assert_string_equal(summary_best(e)->name, best);
}

/* Losses are judged together: what is lost significantly stands beside what is won, and too much of it is no launch. */
static void test_a_launch_review(void **state)
{
    (void)state;
    difference_t differences[3 * 3 * COMPARED] = {0};
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.597, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
    };
    experiment_result_t e = {.variants = 3, .variant = v, .queries = 5, .compared = COMPARED, .difference = differences};
    set_losses(&v[0], 0.25, 0.25);
    set_losses(&v[1], 0.25, 0.251);
    set_losses(&v[2], 0.25, 0.2525);
    for (int i = 0; i < 3 * 3 * COMPARED; i++)
        differences[i].p_holm = 1.0;
    set_loss(&e, 1, 0, LOGLOSS, -0.005, 0.01);
    set_loss(&e, 1, 0, PQAUC_LOSS, 0.004, 0.02);
    set_loss(&e, 2, 0, PQAUC_LOSS, 0.01, 0.2); /* one per cent, which chance may be */
    assert_text(
        &e, "smelu3",
        "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, AUC loss +0.00 %, PQAUC loss +1.00 %, "
        "for all of relu's embedding rows and all of its FLOPs.");
    set_loss(&e, 2, 0, PQAUC_LOSS, 0.01, 0.04);
    assert_text(
        &e, "smelu1",
        "smelu1 cuts relative PD from relu's 16.8 % to 14.0 %, at logloss -0.50 %, AUC loss +0.00 %, PQAUC loss +0.40 % "
        "(significantly worse in PQAUC loss; better in logloss), for all of relu's embedding rows and all of its FLOPs. "
        "Lower still is smelu3, 12.0 %, but at logloss +0.00 %, AUC loss +0.00 %, PQAUC loss +1.00 % (significantly worse "
        "in PQAUC loss).");
    /* Half a per cent is what experiment.tolerance says; it may be more. */
    network.experiment.tolerance = 0.01;
    set_loss(&e, 2, 0, AUC_LOSS, -0.01, 0.04);
    set_losses(&v[2], 0.2475, 0.2525 - 1e-9);
    assert_text(
        &e, "smelu3",
        "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, AUC loss -1.00 %, PQAUC loss +1.00 % "
        "(significantly worse in PQAUC loss; better in AUC loss), for all of relu's embedding rows and all of its FLOPs.");
    network.experiment.tolerance = 0.005;
}

/* No worse in anything, surely better in something: nobody would launch the other. */
static void test_what_is_dominated_is_named(void **state)
{
    (void)state;
    static const char verdict[] = "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss -0.50 %, for all of relu's "
                                  "embedding rows and all of its FLOPs.";
    difference_t differences[3 * 3 * COMPARED] = {0};
    variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu1", 0.14, 0.598, 10, 6),
        variant("smelu3", 0.12, 0.597, 10, 6),
    };
    experiment_result_t e = {.variants = 3, .variant = v, .queries = 5, .compared = COMPARED, .difference = differences};
    for (int i = 0; i < 3 * 3 * COMPARED; i++)
        differences[i].p_holm = 1.0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            set_loss(&e, a, b, LOGLOSS, v[a].quality.logloss - v[b].quality.logloss, 0.3);
            set_loss(&e, a, b, PD, v[a].reproducibility.pd_relative.value - v[b].reproducibility.pd_relative.value, 0.3);
        }
    assert_text(&e, "smelu3", verdict); /* all of it may be chance */
    differences[(0 * 3 + 2) * COMPARED + PD].p_holm = 0.01;
    differences[(0 * 3 + 1) * COMPARED + PD].p_holm = 0.01;
    differences[(1 * 3 + 2) * COMPARED + PD].p_holm = 0.01;
    char *text = mem_printf("%s Dominated in PD, all losses, rows and FLOPs: relu by smelu3, smelu1 by smelu3.", verdict);
    assert_text(&e, "smelu3", text);
    mem_free(text);
    set_loss(&e, 2, 0, PQAUC_LOSS, 0.001, 0.9); /* worse by a hair */
    text = mem_printf("%s Dominated in PD, all losses, rows and FLOPs: relu by smelu1, smelu1 by smelu3.", verdict);
    assert_text(&e, "smelu3", text);
    mem_free(text);
    v[1].cost.flops_per_example = v[2].cost.flops_per_example = 110; /* better, and dearer */
    text =
        mem_printf("smelu3 cuts relative PD from relu's 16.8 %% to 12.0 %%, at logloss -0.50 %%, for all of relu's embedding "
                   "rows and 1.10 times its FLOPs. Dominated in PD, all losses, rows and FLOPs: smelu1 by smelu3.");
    assert_text(&e, "smelu3", text);
    mem_free(text);
}

static void test_loss_is_not_paid_with(void **state)
{
    (void)state;
    const variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu3", 0.12, 0.6, 10, 6),
        variant("smelu9", 0.05, 0.63, 10, 6),
        variant("broken", NAN, 0.6, 10, 6),
    };
    assert_verdict(v, 4, "smelu3",
                   "smelu3 cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, for all of relu's embedding rows "
                   "and all of its FLOPs. Lower still is smelu9, 5.0 %, but at logloss +5.00 %.");
    const variant_result_t lossy[] = {v[0], v[2]};
    assert_verdict(lossy, 2, "relu",
                   "No verdict: no other variant's losses are at most 0.5 % above relu's. Its relative PD is 16.8 %. Lower "
                   "still is smelu9, "
                   "5.0 %, but at logloss +5.00 %.");
    const variant_result_t three[] = {v[0], v[2], variant("smelu1", 0.17, 0.6, 10, 6)};
    assert_verdict(three, 3, "relu",
                   "relu has the lowest relative PD, 16.8 %, of those with losses of at most 0.5 % above its own. Lower "
                   "still is smelu9, 5.0 %, "
                   "but at logloss +5.00 %.");
}

/* Replicas that differ in their initialisation say nothing about those that differ in their order. */
static void test_other_sources_are_another_question(void **state)
{
    (void)state;
    const variant_result_t v[] = {
        variant("relu", 0.168, 0.6, 10, 6),
        variant("smelu", 0.12, 0.6, 10, 6),
        of_config(variant("relu_init", 0.05, 0.6, 10, 6), &other_sources, 0),
        of_config(variant("lossy_init", 0.04, 0.7, 10, 6), &other_sources, 0),
    };
    assert_verdict(v, 4, "smelu",
                   "smelu cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.00 %, for all of relu's embedding rows "
                   "and all of its FLOPs. Replicas that differ in other sources have: relu_init 5.0 %, lossy_init 4.0 %.");
    const variant_result_t budget[] = {
        variant("nothing", 0.0, 0.6, 10, 6),
        of_config(variant("workers", 0.0, 0.6, 10, 6), &other_sources, 0),
        of_config(variant("noise", 0.0004, 0.6, 10, 6), &other_sources, 0),
        of_config(variant("all", 0.2, 0.6, 10, 6), &other_sources, 0),
    };
    assert_verdict(
        budget, 4, "nothing",
        "No verdict: all replicas of nothing make the same predictions, and there is no difference to lower. Replicas that "
        "differ in other sources have: workers none, noise less than 0.05 %, all 20.0 %.");
    const variant_result_t apart[] = {v[0], v[2]};
    assert_verdict(apart, 2, "relu",
                   "No verdict: no other variant's replicas differ in the same sources as relu's. Its relative PD is 16.8 %. "
                   "Replicas that differ in other sources have: relu_init 5.0 %.");
}

static void test_nothing_to_compare(void **state)
{
    (void)state;
    const variant_result_t v[] = {variant("relu", 0.12, 0.6, 10, 6), variant("smelu", 0.168, 0.6, 10, 6)};
    const variant_result_t diverged[] = {variant("relu", NAN, NAN, 10, 6), variant("smelu", 0.1, 0.6, 10, 6)};
    const variant_result_t equal[] = {v[0], variant("same", 0.12, 0.6, 10, 6), variant("lossy", 0.12, 0.7, 10, 6)};
    const variant_result_t dead[] = {variant("relu", 0, 0.6, 10, 6), variant("smelu", 0, 0.6, 10, 6)};
    const variant_result_t alone[] = {v[0], variant("smelu", NAN, NAN, 10, 6)};
    variant_result_t single[] = {variant("relu", NAN, 0.6, 10, 6), variant("smelu", NAN, 0.6, 10, 6)};
    single[0].replicas = single[1].replicas = 1;
    assert_verdict(v, 2, "relu", "relu has the lowest relative PD, 12.0 %; no other variant lowers it.");
    assert_verdict(v, 1, "relu", "No verdict: there is nothing to compare relu with. Its relative PD is 12.0 %.");
    assert_verdict(diverged, 2, "relu", "No verdict: not all predictions of relu are numbers; its training diverged.");
    assert_verdict(single, 2, "relu",
                   "No verdict: relu has one replica, and how far predictions differ from training to training takes two.");
    assert_verdict(equal, 3, "relu", "No verdict: relu and all variants with such losses have the same relative PD, 12.0 %.");
    assert_verdict(dead, 2, "relu",
                   "No verdict: all replicas of relu make the same predictions, and there is no difference to lower.");
    assert_verdict(alone, 2, "relu",
                   "No verdict: not all predictions of the other variants are numbers. The relative PD of relu is 12.0 %.");
}

/* A constant has no difference at all. Of ten labels three are 1: predicting 0.3 has logloss .61086. */
static void test_models_must_be_better_than_a_constant(void **state)
{
    (void)state;
    uint8_t label[10] = {1, 1, 1}, equal[10] = {0};
    variant_result_t v[] = {
        variant("relu", 0.168, 0.61, 10, 6),
        variant("flat", 0.01, 0.611, 10, 6),
        variant("smelu", 0.12, 0.6105, 10, 6),
        variant("lossy", 0.02, 0.63, 10, 6),
        of_config(variant("ensemble", 0.2, 0.62, 30, 18), &ensemble, 300),
    };
    experiment_result_t result = {.variants = 5, .variant = v, .eval_examples = 10, .label = label, .queries = 5};
    assert_true(fabs(result_base_rate_logloss(&result) - 0.610864) < 1e-6);
    char *text = summary_text(&result);
    assert_string_equal(text, "smelu cuts relative PD from relu's 16.8 % to 12.0 %, at logloss +0.08 %, for all of relu's "
                              "embedding rows and all of its FLOPs. Left out, because no better than predicting the share of "
                              "positives for every example: flat, lossy, ensemble.");
    mem_free(text);
    assert_string_equal(summary_best(&result)->name, "smelu");

    v[0].quality.logloss = 0.6109;
    text = summary_text(&result);
    assert_string_equal(
        text, "No verdict: relu is no better than a constant. Its logloss is 0.61090, and predicting the share of positives "
              "for every example has 0.61086.");
    mem_free(text);
    assert_string_equal(summary_best(&result)->name, "relu");

    result.label = equal;
    text = summary_text(&result);
    assert_string_equal(text,
                        "No verdict: all labels of the evaluation split are equal, so that no model is better than saying so.");
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_single_network_is_set_against_the_full_ensemble),
        cmocka_unit_test(test_an_ensemble_is_set_against_the_baseline),
        cmocka_unit_test(test_peers_are_what_they_deploy),
        cmocka_unit_test(test_a_student_costs_with_its_teacher),
        cmocka_unit_test(test_equal_costs_are_set_against_the_baseline),
        cmocka_unit_test(test_significance_is_of_queries_and_of_replicas),
        cmocka_unit_test(test_lowest_at_equal_levels),
        cmocka_unit_test(test_the_best_of_several_is_corrected_for),
        cmocka_unit_test(test_a_launch_review),
        cmocka_unit_test(test_what_is_dominated_is_named),
        cmocka_unit_test(test_loss_is_not_paid_with),
        cmocka_unit_test(test_other_sources_are_another_question),
        cmocka_unit_test(test_nothing_to_compare),
        cmocka_unit_test(test_models_must_be_better_than_a_constant),
    };
    return cmocka_run_group_tests(tests, make_configs, NULL);
}
