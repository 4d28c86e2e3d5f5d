/* Proves that what a run was worth and what it cost reaches the reader unchanged: means over replicas, results.json with the
 * members that report.h lists, results.csv, the table and its sentence; and that an interrupted experiment recognises a
 * finished run by its manifest, and refuses one of another experiment. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "launcher/report/report.h"
#include "launcher/report/report_table.h"
#include "launcher/report/result.h"
#include "launcher/run/manifest.h"

enum { EXAMPLES = 2 };

static replica_result_t make_replica(int replica, double loss, float p0, float p1)
{
    replica_result_t r = {
        .replica = replica,
        .init_seed = 1,
        .order_seed = 10 + replica,
        .digest = "00112233445566778899aabbccddeeff",
        .quality = {.logloss = loss,
                    .auc_loss = 0.25,
                    .pqauc_loss = NAN,
                    .calibration = 1.0,
                    .auc = 0.75,
                    .normalised_entropy = 0.875,
                    .pqauc_query_mean = NAN,
                    .progressive_logloss = 0.75,
                    .training_logloss = NAN,
                    .clipped_share = 0.5},
        .cost = {.examples_per_second = 1000 + 500 * replica,
                 .rows_pulled_per_example = 26,
                 .bytes_per_example = 1000.5,
                 .parameters = 1234567,
                 .flops_per_example = 2000,
                 .cpu_seconds = 2 + replica,
                 .peak_rss_bytes = (100 + 20 * replica) * (INT64_C(1) << 20),
                 .wall_seconds = 1.5,
                 .rows_pushed_per_example = 25,
                 .examples = 4000,
                 .teaching_cpu_seconds = 0.5 * replica,
                 .teaching_wall_seconds = 0.25,
                 .teaching_rows_pulled = 7000},
        .predictions = MEM_ARRAY(float, EXAMPLES),
    };
    r.predictions[0] = p0;
    r.predictions[1] = p1;
    return r;
}

/* Two variants of two replicas: relu's differ by 2/3 and 0 (PD 1/3), smelu's by 0 and 2/5 (PD 1/5). */
static experiment_result_t make_experiment(void)
{
    experiment_result_t e = {.name = "toy", .eval_examples = EXAMPLES, .baseline = 0, .variants = 2};
    e.variant = MEM_ARRAY(variant_result_t, 2);
    for (int v = 0; v < 2; v++) {
        e.variant[v] = (variant_result_t){.name = v ? "smelu, 1" : "relu", .determinism = v ? "async" : "sync", .replicas = 2};
        e.variant[v].replica = MEM_ARRAY(replica_result_t, 2);
    }
    e.variant[0].replica[0] = make_replica(0, 0.5, 0.25f, 0.5f);
    e.variant[0].replica[1] = make_replica(1, 0.75, 0.5f, 0.5f);
    e.variant[1].replica[0] = make_replica(0, 0.5, 0.25f, 0.5f);
    e.variant[1].replica[1] = make_replica(1, 0.5, 0.25f, 0.75f);
    return e;
}

static void test_summary(void **state)
{
    (void)state;
    experiment_result_t e = make_experiment();
    assert_int_equal(result_summarise(&e), ST_OK);
    const variant_result_t *relu = &e.variant[0];
    assert_true(relu->quality.logloss == 0.625);
    assert_true(isnan(relu->quality.pqauc_loss));
    assert_true(fabs(relu->reproducibility.pd_relative.value - 1.0 / 3) < 1e-12);
    assert_true(fabs(e.variant[1].reproducibility.pd_relative.value - 0.2) < 1e-12);
    assert_true(fabs(e.variant[1].pd_difference.value - (0.2 - 1.0 / 3)) < 1e-12);
    assert_int_equal(relu->pd_pairs, 1);
    assert_int_equal(relu->n_most_different, 1); /* the other example does not differ */
    assert_int_equal(relu->most_different[0], 0);
    assert_int_equal(e.variant[1].most_different[0], 1);
    assert_int_equal(e.queries, 0);
    assert_true(isnan(relu->reproducibility.swap_top1.value));
    assert_true(relu->cost.examples_per_second == 1250.0);
    assert_true(relu->cost.cpu_seconds == 2.5);
    assert_int_equal(relu->cost.parameters, 1234567);
    assert_int_equal(relu->cost.peak_rss_bytes, 120 << 20); /* the largest, not the mean */
    result_fini(&e);
}

/* Numbers with few digits; the exact ones are checked above. */
static void set_reproducibility(variant_result_t *variant, double pd)
{
    const estimate_t none = {NAN, NAN, NAN};
    variant->reproducibility = (reproducibility_t){none, none, none, none, none, none, none, none};
    variant->reproducibility.pd_relative = (estimate_t){pd, pd - 0.125, pd + 0.125};
    variant->reproducibility.pd_levelled = (estimate_t){pd - 0.125, pd - 0.1875, pd};
    variant->pd_difference = (estimate_t){pd - 0.375, pd - 0.5, NAN};
    variant->pd_levelled_difference = (estimate_t){pd, pd - 0.125, pd + 0.125};
    variant->error =
        (replica_errors_t){.pd_relative = pd / 64, .pd_levelled = pd / 4, .pd_difference = pd, .pd_levelled_difference = NAN};
}

static void set_errors(experiment_result_t *e)
{
    for (int v = 0; v < 2; v++) {
        e->variant[v].quality_error.logloss = 0.0625;
        for (int i = 0; i < 2 * e->compared; i++)
            e->difference[v * 2 * e->compared + i] = (difference_t){0.25, 0.125, -0.25, NAN, 0.0625, 0.5, 31};
    }
}

/* smelu learned from relu, and reaches it at 7/8 of its examples; when is not known. */
static distillation_cost_t make_teaching(void)
{
    return (distillation_cost_t){
        .runs = 1,
        .teacher = 0,
        .without = 0,
        .held_out_saving = SAVING_REACHED,
        .held_out_points = 3,
        .is_whole = true,
        .held_out_logloss_change = -0.125,
        .teachers_cpu_seconds = 3,
        .teachers_wall_seconds = 2.5,
        .cpu_seconds_with_teacher = 4,
        .wall_seconds_with_teacher = 3.5,
        .rows_pulled_per_example_with_teacher = 31.5,
        .flops_per_example_with_teacher = 2500,
        .held_out_share_of_examples = 0.875,
        .held_out_share_of_wall_seconds = NAN,
    };
}

static void read_text(const char *path, char **text)
{
    assert_int_equal(file_read(path, text, NULL), ST_OK);
}

/* clang-format off */
#define COST_JSON(examples, cpu, peak, teaching) \
    "{\"examples_per_second\": " examples ", \"rows_pulled_per_example\": 26.0, \"bytes_per_example\": 1000.5, " \
    "\"parameters\": 1234567, \"flops_per_example\": 2000, \"cpu_seconds\": " cpu ", \"peak_rss_bytes\": " peak ", " \
    "\"wall_seconds\": 1.5, \"rows_pushed_per_example\": 25.0, \"examples\": 4000, " \
    "\"teaching_cpu_seconds\": " teaching ", \"teaching_wall_seconds\": 0.25, \"teaching_rows_pulled\": 7000}"
#define METRICS_JSON(loss) \
    "{\"logloss\": " loss ", \"auc_loss\": 0.25, \"pqauc_loss\": null, \"calibration\": 1.0, \"auc\": 0.75, " \
    "\"normalised_entropy\": 0.875, \"pqauc_query_mean\": null, " \
    "\"progressive_logloss\": 0.75, \"training_logloss\": null, \"clipped_share\": 0.5"
#define NO_INTERVAL(name) "\"" name "_low\": null, \"" name "_high\": null, "
#define PD_JSON(pd, low, high, difference, difference_low, levelled, levelled_low, half, quarter) \
    "\"pd_relative\": " pd ", \"pd_l1\": null, \"pd_l2\": null, \"pd_std\": null, \"pd_symkl\": null, " \
    "\"pd_levelled\": " levelled ", \"swap_top1\": null, \"swap_topk\": null, \"pd_pairs\": 1, " \
    "\"pd_difference\": " difference ", \"pd_levelled_difference\": " pd ", \"pd_relative_se\": " half ", " \
    "\"pd_levelled_se\": " quarter ", \"pd_difference_se\": " pd ", \"pd_levelled_difference_se\": null, " \
    "\"logloss_se\": 0.0625, \"auc_loss_se\": null, \"pqauc_loss_se\": null, \"calibration_se\": null, " \
    "\"pd_relative_low\": " low ", \"pd_relative_high\": " high ", " NO_INTERVAL("pd_l1") NO_INTERVAL("pd_l2") \
    NO_INTERVAL("pd_std") NO_INTERVAL("pd_symkl") \
    "\"pd_levelled_low\": " levelled_low ", \"pd_levelled_high\": " pd ", " \
    NO_INTERVAL("swap_top1") NO_INTERVAL("swap_topk") \
    "\"pd_difference_low\": " difference_low ", \"pd_difference_high\": null, " \
    "\"pd_levelled_difference_low\": " low ", \"pd_levelled_difference_high\": " high ", "
#define BAR_JSON(low, high, over) \
    "\"pd_relative_bar_low\": " low ", \"pd_relative_bar_high\": " high ", \"pd_relative_bar_over\": \"" over "\""
#define DIFFERENCE_JSON "\"difference\": 0.25, \"se\": 0.125, \"p\": 0.0625, \"p_holm\": 0.5"
#define LOSS_JSON(name) \
    "\"" name "\": {" DIFFERENCE_JSON ", \"change\": -0.25, \"change_se\": null, \"replicas_to_decide\": 31.0}, "
#define PAIR_JSON(a, b) \
    "{\"variant\": \"" a "\", \"from\": \"" b "\", " LOSS_JSON("logloss") LOSS_JSON("auc_loss") LOSS_JSON("pqauc_loss") \
    "\"calibration\": {" DIFFERENCE_JSON "}, \"pd_relative\": {" DIFFERENCE_JSON "}, \"pd_levelled\": {" DIFFERENCE_JSON "}}"
#define REPLICA_JSON(n, loss, cost) \
    "{\"replica\": " n ", \"init_seed\": 1, \"order_seed\": 1" n ", \"digest\": \"00112233445566778899aabbccddeeff\", " \
    "\"metrics\": " METRICS_JSON(loss) "}, \"cost\": " cost "}"

static const char expected_json[] =
    "{\"experiment\": \"toy\", \"baseline\": \"relu\", "
    "\"verdict\": \"No verdict: not all predictions of the other variants are numbers. The relative PD of relu is 37.5 %.\", \"verdict_variant\": \"relu\", "
    "\"command\": \"smelter compare 'a b'\", \"eval_examples\": 2, \"queries\": 0, \"examples_without_query\": 0, \"base_rate_logloss\": 0.69314718055994529, \"top_k\": 3, "
    "\"resamples\": 1000, "
    "\"confidence\": 0.94999999999999996, \"variants\": ["
    "{\"name\": \"relu\", \"metrics\": " METRICS_JSON("0.625") ", " PD_JSON("0.375", "0.25", "0.5", "0.0", "-0.125", "0.25", "0.1875", "0.005859375", "0.09375")
    BAR_JSON("0.25", "0.5", "examples") "}, "
    "\"cost\": " COST_JSON("1250.0", "2.5", "125829120", "0.5") ", \"determinism\": \"sync\", \"replicas\": ["
    REPLICA_JSON("0", "0.5", COST_JSON("1000.0", "2.0", "104857600", "0.0")) ", "
    REPLICA_JSON("1", "0.75", COST_JSON("1500.0", "3.0", "125829120", "0.5")) "], "
    "\"slices\": [{\"column\": \"label\", \"value\": \"1\", \"examples\": 1, \"pd_relative\": 0.5}], \"worst_slices\": [], "
    "\"most_different\": [{\"index\": 0, \"label\": 1, \"pd_relative\": 0.75, \"predictions\": [0.25, 0.5]}]}, "
    "{\"name\": \"smelu, 1\", \"metrics\": " METRICS_JSON("0.5") ", " PD_JSON("null", "null", "null", "null", "null", "null", "null", "null", "null")
    BAR_JSON("null", "null", "") "}, "
    "\"cost\": " COST_JSON("1250.0", "2.5", "125829120", "0.5") ", "
    "\"teaching\": {\"teacher\": \"relu\", \"runs\": 1, \"teachers_cpu_seconds\": 3.0, \"teachers_wall_seconds\": 2.5, "
    "\"cpu_seconds_with_teacher\": 4.0, \"wall_seconds_with_teacher\": 3.5, \"rows_pulled_per_example_with_teacher\": 31.5, "
    "\"flops_per_example_with_teacher\": 2500.0, "
    "\"held_out_logloss_change\": -0.125, \"held_out_share_of_examples\": 0.875, \"held_out_share_of_wall_seconds\": null, "
    "\"held_out_saving\": \"reached\", \"held_out_points\": 3, "
    "\"without\": \"relu\"}, \"determinism\": \"async\", \"replicas\": ["
    REPLICA_JSON("0", "0.5", COST_JSON("1000.0", "2.0", "104857600", "0.0")) ", "
    REPLICA_JSON("1", "0.5", COST_JSON("1500.0", "3.0", "125829120", "0.5")) "], "
    "\"slices\": [], "
    "\"worst_slices\": [{\"column\": \"hour\", \"value\": \"23\", \"examples\": 40, \"pd_relative\": 0.25}], "
    "\"most_different\": []}], "
    "\"significance\": {\"level\": 0.050000000000000003, \"correction\": \"Holm\", \"power\": 0.80000000000000004, "
    "\"decide\": 0.002}, \"differences\": [" PAIR_JSON("smelu, 1", "relu") ", " PAIR_JSON("relu", "smelu, 1") "]}\n";
/* clang-format on */

static void test_json(void **state)
{
    (void)state;
    test_dir();
    experiment_result_t e = make_experiment();
    assert_int_equal(result_summarise(&e), ST_OK);
    set_reproducibility(&e.variant[0], 0.375);
    set_reproducibility(&e.variant[1], NAN);
    set_errors(&e);
    e.label = MEM_ARRAY(uint8_t, EXAMPLES);
    e.label[0] = 1;
    e.variant[0].slices = 1;
    e.variant[0].slice = MEM_ARRAY(pd_slice_t, 1);
    e.variant[0].slice[0] = (pd_slice_t){mem_strdup("label"), mem_strdup("1"), 1, 0.5};
    e.variant[0].most_different_pd[0] = 0.75;
    e.variant[1].worst_slices = 1;
    e.variant[1].worst = MEM_ARRAY(pd_slice_t, 1);
    e.variant[1].worst[0] = (pd_slice_t){mem_strdup("hour"), mem_strdup("23"), 40, 0.25};
    e.variant[1].n_most_different = 0;
    e.variant[1].teaching = make_teaching();
    e.command = mem_strdup("smelter compare 'a b'");
    const char *path = test_path("results.json");
    assert_int_equal(report_write_json(&e, path), ST_OK);
    jsondoc_t *doc;
    assert_int_equal(jsondoc_read(path, &doc), ST_OK);
    char *text = jsondoc_text(doc, false), *made = strstr(text, ", \"provenance\": {\"written\": \"20");
    assert_non_null(made); /* what differs from time to time and from place to place is there, and nowhere else */
    strcpy(made, "}\n");
    assert_string_equal(text, expected_json);
    const jsondoc_t *provenance;
    assert_int_equal(jsondoc_get_object(doc, path, "provenance", &provenance), ST_OK);
    static const char *const members[] = {"host", "cpu", "kernels", "version", "commit"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value;
        assert_int_equal(jsondoc_get_text(provenance, path, members[i], &value), ST_OK);
        assert_true(*value);
    }
    mem_free(text);
    jsondoc_destroy(&doc);
    result_fini(&e);
}

static void test_csv(void **state)
{
    (void)state;
    test_dir();
    experiment_result_t e = make_experiment();
    assert_int_equal(result_summarise(&e), ST_OK);
    set_reproducibility(&e.variant[0], 0.375);
    set_reproducibility(&e.variant[1], NAN);
    set_errors(&e);
    e.variant[1].teaching = make_teaching();
    const char *path = test_path("results.csv");
    assert_int_equal(report_write_csv(&e, path), ST_OK);
    char *text;
    read_text(path, &text);
    assert_string_equal(
        text,
        "name,determinism,replicas,logloss,auc_loss,pqauc_loss,calibration,auc,normalised_entropy,pqauc_query_mean,"
        "progressive_logloss,training_logloss,"
        "clipped_share,logloss_vs_baseline_percent,auc_loss_vs_baseline_percent,pqauc_loss_vs_baseline_percent,"
        "logloss_se,logloss_vs_baseline_percent_se,auc_loss_se,auc_loss_vs_baseline_percent_se,pqauc_loss_se,"
        "pqauc_loss_vs_baseline_percent_se,calibration_se,"
        "pd_relative,pd_relative_low,pd_relative_high,pd_l1,pd_l1_low,pd_l1_high,pd_l2,pd_l2_low,pd_l2_high,"
        "pd_std,pd_std_low,pd_std_high,pd_symkl,pd_symkl_low,pd_symkl_high,pd_levelled,pd_levelled_low,pd_levelled_high,"
        "swap_top1,swap_top1_low,swap_top1_high,swap_topk,swap_topk_low,swap_topk_high,"
        "pd_pairs,pd_difference,pd_difference_low,pd_difference_high,pd_levelled_difference,pd_levelled_difference_low,"
        "pd_levelled_difference_high,pd_relative_se,pd_levelled_se,pd_difference_se,pd_levelled_difference_se,examples_per_"
        "second,rows_pulled_per_example,bytes_per_"
        "example,parameters,flops_per_example,"
        "cpu_seconds,peak_rss_bytes,wall_seconds,rows_pushed_per_example,examples,teaching_cpu_seconds,teaching_wall_seconds,"
        "teaching_rows_pulled,teacher,teacher_runs,teachers_cpu_seconds,teachers_wall_seconds,cpu_seconds_with_teacher,"
        "wall_seconds_with_teacher,rows_pulled_per_example_with_teacher,flops_per_example_with_teacher,held_out_logloss_change,"
        "held_out_share_of_examples,held_out_share_of_wall_seconds\n"
        "relu,sync,2,0.625,0.25,,1,0.75,0.875,,0.75,,0.5,0,0,,0.0625,,,,,,,0.375,0.25,0.5,,,,,,,,,,,,,0.25,0.1875,0.375,,,,,,,"
        "1,0,-0.125,,0.375,0.25,0."
        "5,"
        "0.005859375,0.09375,0.375,,1250,26,1000.5,1234567,2000,2.5,125829120,1.5,25,4000,0.5,0.25,7000,,,,,,,,,,,\n"
        "\"smelu, "
        "1\",async,2,0.5,0.25,,1,0.75,0.875,,0.75,,0.5,-20,0,,0.0625,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,1,,,,,,,,,,,1250,26,1000.5,"
        "1234567,2000,2.5,"
        "125829120,1.5,25,4000,0.5,0.25,7000,relu,1,3,2.5,4,3.5,31.5,2500,-0.125,0.875,\n");
    mem_free(text);
    result_fini(&e);
}

static void test_verdict_file(void **state)
{
    (void)state;
    test_dir();
    experiment_result_t e = make_experiment();
    assert_int_equal(result_summarise(&e), ST_OK);
    set_reproducibility(&e.variant[0], 0.375);
    set_reproducibility(&e.variant[1], NAN);
    assert_int_equal(report_write_verdict(&e, test_path("verdict.txt")), ST_OK);
    char *text;
    read_text(test_path("verdict.txt"), &text);
    assert_string_equal(text, "No verdict: not all predictions of the other variants are numbers. The relative PD of relu is "
                              "37.5 %.\n"); /* as in results.json */
    mem_free(text);
    result_fini(&e);
}

static void print_table(const experiment_result_t *e, char **text)
{
    size_t bytes;
    FILE *out = open_memstream(text, &bytes);
    assert_non_null(out);
    report_print_table(e, out);
    fclose(out);
}

/* The experiment of test_table. */
static experiment_result_t make_known(void)
{
    experiment_result_t e = make_experiment();
    e.group = MEM_ARRAY(uint64_t, EXAMPLES); /* one query: relu's second replica holds a tie, and its first example wins */
    assert_int_equal(result_summarise(&e), ST_OK);
    e.variant[0].reproducibility.pd_relative.low = 0.3125;
    e.variant[0].reproducibility.pd_relative.high = 0.375;
    e.variant[0].error.pd_relative = 0.0234;
    e.variant[1].pd_difference = (estimate_t){-0.125, -0.25, -0.0625};
    e.variant[1].pd_levelled_difference.value = NAN;
    e.variant[1].teaching = make_teaching();
    e.variant[1].teaching.held_out_share_of_wall_seconds = 0.8512;
    e.variant[1].worst_slices = 2;
    e.variant[1].worst = MEM_ARRAY(pd_slice_t, 2);
    e.variant[1].worst[0] = (pd_slice_t){mem_strdup("hour"), mem_strdup("23"), 1040, 0.25};
    e.variant[1].worst[1] = (pd_slice_t){mem_strdup("score"), mem_strdup("up to 0.1"), 40, 0.125};
    e.variant[1].quality_error.logloss = 0.0625;
    const difference_t known = {-0.0625, 0.015625, -0.125, 0.03125, 0.03, 0.04, 1234};
    e.difference[1 * e.compared] = known; /* of smelu from relu: logloss */
    e.difference[1 * e.compared + 1].p_holm = 0.051;
    e.difference[1 * e.compared + 1].replicas = 1234;
    return e;
}

static void test_table(void **state)
{
    (void)state;
    experiment_result_t e = make_known();
    char *text;
    print_table(&e, &text);
    assert_string_equal(
        text,
        "toy: 2 variants, 2 evaluation examples in 1 query, means over 2 replicas; differences are in % of relu's\n"
        "no query has both labels: there is no PQAUC loss\n"
        "\n"
        "                              norm.               AUC      PQAUC        cali-      determinism\n"
        "variant   logloss       +-  entropy      AUC     loss  +-   loss  +-  bration  +-        level\n"
        "relu      0.62500        -   0.8750  0.75000  0.25000   -      -   -    1.000   -      L2 sync\n"
        "smelu, 1  0.50000  0.06250   0.8750  0.75000  0.25000   -      -   -    1.000   -     L0 async\n"
        "\n"
        "                                       AUC       replicas  PQAUC        PD in\n"
        "difference         logloss    +-      loss  +-  for 0.2 %   loss  +-   points  +-\n"
        "smelu, 1 - relu  -12.50 %*  3.12  +0.00 %    -      1,234     -    -  -13.33    -\n"
        "+-: standard error over replicas. *: significant over replicas at 5 %, corrected (Holm) for all variants set\n"
        "against the same one. replicas for 0.2 %: so many find a change of that size with a power of 80 %\n"
        "\n"
        "          relative     95 % interval                  levelled               swap at  swap at\n"
        "variant         PD      over queries    +-                  PD  +-             top 1    top 3\n"
        "relu       33.33 %  31.25 to 37.50 %  2.34       (=)   30.81 %   -      (=)  100.0 %        -\n"
        "smelu, 1   20.00 %                 -     -  -40.00 %   31.73 %   -  +2.99 %    0.0 %        -\n"
        "\n"
        "          examples  rows pulled      bytes                  FLOPs  CPU time  wall time  peak memory\n"
        "variant        / s    / example  / example  parameters  / example         s          s          MiB\n"
        "relu         1,250         26.0      1,000   1,234,567      2,000       2.5        1.5          120\n"
        "smelu, 1     1,250         26.0      1,000   1,234,567      2,000       2.5        1.5          120\n"
        "\n"
        "student with  taught  teacher  their CPU  CPU time  wall time  rows pulled      FLOPs\n"
        "its teacher       by     runs     time s         s          s    / example  / example\n"
        "smelu, 1        relu        1        3.0       4.0        3.5         31.5      2,500\n"
        "smelu, 1 reaches relu's held-out logloss after 87.5 % of its examples, 85.1 % of its wall time (by 3 trainings of "
        "different "
        "length)\n"
        "\n"
        "smelu, 1 cuts relative PD from relu's 33.3 % to 20.0 %, at logloss -20.00 %, AUC loss +0.00 % (significantly better "
        "in "
        "logloss), for 1.21 times relu's embedding rows and 1.25 times its FLOPs, its part of the teacher's included. The "
        "difference is significant over queries: -12.50 "
        "points "
        "(-25.00 to -6.25 at 95 % over queries); how far other replicas would move it cannot be estimated from 2, it takes "
        "3.\n"
        "Predictions of smelu, 1 differ most where hour = 23: 25.00 % (1,040 examples), score = up to 0.1: 12.50 % (40 "
        "examples).\n");
    free(text);
    result_fini(&e);
}

/* A table of realistic sizes stays within a wide terminal. */
static void test_table_fits(void **state)
{
    (void)state;
    experiment_result_t e = make_experiment();
    e.variant[1].name = "ensemble-of-03";
    e.variant[1].determinism = "invariant";
    assert_int_equal(result_summarise(&e), ST_OK);
    for (int v = 0; v < 2; v++) {
        e.variant[v].quality.pqauc_loss = 0.27 + 0.1 * v;
        e.variant[v].reproducibility.pd_relative = (estimate_t){0.1234, 0.1187, 0.1295};
        e.variant[v].reproducibility.pd_levelled = e.variant[v].reproducibility.pd_relative;
        e.variant[v].error = (replica_errors_t){.pd_relative = 0.1234, .pd_levelled = 0.1234};
        e.variant[v].reproducibility.swap_top1 = e.variant[v].reproducibility.swap_topk = (estimate_t){0.234, 0.222, 0.241};
        e.variant[v].cost = (cost_t){.examples_per_second = 1234567,
                                     .rows_pulled_per_example = 1234.5,
                                     .bytes_per_example = 98765,
                                     .parameters = INT64_C(12345678901),
                                     .flops_per_example = 123456789,
                                     .cpu_seconds = 123456,
                                     .peak_rss_bytes = INT64_C(1) << 42,
                                     .wall_seconds = 98765.4};
    }
    char *text;
    print_table(&e, &text);
    int lines = 0;
    for (const char *line = text; !strstr(line, " relative PD") || strchr(line, '\n')[1]; line = strchr(line, '\n') + 1) {
        assert_true(strcspn(line, "\n") <= 118);
        lines++;
    }
    assert_non_null(strstr(text, "\nno query column: there is no PQAUC loss and no swap rate\n"));
    assert_int_equal(lines, 24); /* all but the sentence at the end */
    free(text);
    result_fini(&e);
}

static manifest_t make_manifest(void)
{
    manifest_t m = {
        .experiment = mem_strdup("toy"),
        .variant = mem_strdup("relu"),
        .determinism = mem_strdup("sync"),
        .build = mem_strdup("v1"),
        .kernels = mem_strdup("haswell"),
        .config_hash = 0xfedcba9876543210,
        .dataset_hash = 7,
        .run_id = 0x8000000000000001,
        .workers = 2,
        .servers = 1,
        .shards_per_server = 3,
        .steps = 99,
        .begin_seconds = 1.5,
        .step_seconds_median = 0.001,
        .step_seconds_longest = 0.1,
        .predictions = EXAMPLES,
        .result = make_replica(1, 1.0 / 3, 0.25f, 0.5f),
    };
    m.stores = MEM_ARRAY(hash_digest_t, 3);
    m.stores[1] = (hash_digest_t){UINT64_MAX, 0x0123456789abcdef, 77};
    return m;
}

static void test_manifest_reads_back(void **state)
{
    (void)state;
    const char *folder = test_dir();
    manifest_t m = make_manifest(), back = {0};
    bool found = true;
    assert_int_equal(manifest_read(folder, &back, &found), ST_OK);
    assert_false(found);
    assert_int_equal(manifest_write(folder, &m), ST_OK);
    assert_int_equal(manifest_read(folder, &back, &found), ST_OK);
    assert_true(found);
    assert_string_equal(back.experiment, "toy");
    assert_string_equal(back.kernels, "haswell");
    assert_true(back.config_hash == m.config_hash && back.dataset_hash == 7 && back.run_id == m.run_id);
    assert_int_equal(back.workers, 2);
    assert_int_equal(back.shards_per_server, 3);
    assert_memory_equal(back.stores, m.stores, 3 * sizeof *m.stores);
    assert_int_equal(back.steps, 99);
    assert_true(back.begin_seconds == 1.5 && back.step_seconds_median == 0.001 && back.step_seconds_longest == 0.1);
    assert_int_equal(back.result.replica, 1);
    assert_int_equal(back.result.order_seed, 11);
    assert_string_equal(back.result.digest, m.result.digest);
    assert_true(back.result.quality.logloss == 1.0 / 3); /* all bits */
    assert_true(isnan(back.result.quality.pqauc_loss));
    assert_memory_equal(&back.result.cost, &m.result.cost, sizeof(cost_t));
    assert_int_equal(back.predictions, EXAMPLES);
    float p[EXAMPLES];
    assert_null(back.result.predictions); /* they stay in their file */
    assert_int_equal(manifest_open_predictions(&back, folder), ST_OK);
    const scores_t scores = replica_scores(&back.result, EXAMPLES);
    assert_int_equal(scores_load(&scores, p), ST_OK);
    assert_memory_equal(p, m.result.predictions, sizeof p);
    assert_int_equal(manifest_check(&back, &m, folder), ST_OK);
    manifest_fini(&back);
    manifest_fini(&m);
}

static void assert_refused(const manifest_t *found, const manifest_t *wanted, const char *message)
{
    catch_start();
    assert_int_equal(manifest_check(found, wanted, "DIR"), ST_INPUT);
    catch_stop();
    assert_caught(message);
}

static void test_manifest_of_another_experiment(void **state)
{
    (void)state;
    manifest_t a = make_manifest(), b = make_manifest();
#define REFUSED(member, other, message) \
    { \
        __typeof__(b.member) kept = b.member; \
        b.member = other; \
        assert_refused(&a, &b, message); \
        b.member = kept; \
    }
    REFUSED(variant, (char *)"smelu",
            "DIR: holds a finished run: its variant is relu, wanted is smelu; choose another --out or remove it")
    REFUSED(determinism, (char *)"async", "its determinism is sync, wanted is async")
    REFUSED(result.replica, 0, "its replica is 1, wanted is 0")
    REFUSED(result.init_seed, 5, "its initialisation seed is 1, wanted is 5")
    REFUSED(result.order_seed, 5, "its order seed is 11, wanted is 5")
    REFUSED(dataset_hash, 8, "its dataset hash is 0000000000000007, wanted is 0000000000000008")
    REFUSED(config_hash, 8, "its configuration hash is fedcba9876543210, wanted is 0000000000000008")
    REFUSED(teacher_hash, 8, "its teacher's configuration hash is 0000000000000000, wanted is 0000000000000008")
    REFUSED(workers, 4, "its number of workers is 2, wanted is 4")
    REFUSED(servers, 4, "its number of servers is 1, wanted is 4")
#undef REFUSED

    /* At L3 the size of the cluster does not matter. */
    char *kept_a = a.determinism, *kept_b = b.determinism, *kept_build = b.build;
    a.determinism = b.determinism = (char *)"invariant";
    b.workers = 4;
    b.servers = 2;
    assert_int_equal(manifest_check(&a, &b, "DIR"), ST_OK);
    b.build = (char *)"v2";
    catch_start();
    assert_int_equal(manifest_check(&a, &b, "DIR"), ST_OK);
    catch_stop();
    assert_caught("DIR: was trained by build v1 with kernels haswell; this is build v2 with kernels haswell");
    a.determinism = kept_a;
    b.determinism = kept_b;
    b.build = kept_build;
    manifest_fini(&a);
    manifest_fini(&b);
}

/* Replace the first `from` in the manifest by `to`; forged: and make its checksum right again. */
static void damage(const char *path, const char *from, const char *to, bool forged)
{
    char *text, checksum[HASH_TEXT_BYTES];
    read_text(path, &text);
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *changed = mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    char *seal = strstr(changed, ",\n  \"checksum\": \"");
    for (char *next = seal; next; next = strstr(next + 1, ",\n  \"checksum\": \""))
        seal = next;
    hash128_text(changed, (size_t)(seal - changed), checksum);
    if (forged)
        memcpy(strchr(seal, ':') + 3, checksum, sizeof checksum - 1);
    assert_int_equal(file_write_atomic(path, changed, strlen(changed)), ST_OK);
    mem_free(text);
    mem_free(changed);
}

/* What the checksums of a manifest's files and its own cannot see: that they were made right again. */

static void test_damaged_manifest_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *message;
    } damages[] = {
        {"\"steps\": 99,", "", "manifest.json: \"steps\" is missing"},
        {"\"workers\": 2", "\"workers\": \"two\"", "manifest.json: \"workers\" is not a whole number"},
        {"\"workers\": 2", "\"workers\": -2", "manifest.json: \"workers\" is -2; it must be from 0 to "},
        {"fedcba9876543210", "fedc", "manifest.json: \"config_hash\" is \"fedc\"; it must be 16 hex digits"},
        {"00112233", "", "manifest.json: \"digest\" is \"445566778899aabbccddeeff\"; it must be 32 hex digits"},
        {"\"logloss\"", "\"lagloss\"", "manifest.json: \"logloss\" is missing"},
        {"\"cpu_seconds\"", "\"cpu\"", "manifest.json: \"cpu_seconds\" is missing"},
        {"\"format\": 6", "\"format\": 2", "manifest.json: \"format\" is 2; it must be from 3 to 6"},
        {"\"format\": 6", "\"format\": 5",
         "manifest.json: was changed after training: format 5 has no checksums; copy it back"},
        {"\"files\"", "\"fills\"",
         "manifest.json: was changed after training: format 6 ends with a checksum and lists the run's files"},
        {"\"predictions\": 2", "\"predictions\": 3", "predictions.f32: holds 8 bytes, and 3 predictions need 12"},
        {"{", "[", "not JSON"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const char *folder = test_dir();
        manifest_t m = make_manifest(), back = {0};
        bool found = false;
        assert_int_equal(manifest_write(folder, &m), ST_OK);
        damage(test_path("manifest.json"), damages[i].from, damages[i].to, true);
        catch_start();
        assert_int_equal(manifest_read(folder, &back, &found), ST_CORRUPT);
        catch_stop();
        assert_caught(damages[i].message);
        assert_false(found);
        assert_null(back.experiment);
        manifest_fini(&m);
    }
}

static void test_changed_manifest_is_noticed(void **state)
{
    (void)state;
    const char *folder = test_dir();
    manifest_t m = make_manifest(), back = {0};
    bool found = false;
    assert_int_equal(manifest_write(folder, &m), ST_OK);
    damage(test_path("manifest.json"), "0.33333", "0.33433", false);
    catch_start();
    assert_int_equal(manifest_read(folder, &back, &found), ST_CORRUPT);
    catch_stop();
    assert_caught("manifest.json: was changed after it was written: its checksum is ");
    assert_caught("; copy it back from where it is whole, or remove the run's folder to train it anew");

    assert_int_equal(manifest_write(folder, &m), ST_OK);
    m.result.predictions[1] += 0.125f; /* in predictions.f32 alone */
    assert_int_equal(file_write_atomic(test_path("predictions.f32"), m.result.predictions, EXAMPLES * sizeof(float)), ST_OK);
    catch_start();
    assert_int_equal(manifest_read(folder, &back, &found), ST_CORRUPT);
    catch_stop();
    assert_caught("predictions.f32: was changed after training: its checksum is ");
    assert_false(found);
    catch_start();
    assert_int_equal(manifest_open_predictions(&m, folder), ST_CORRUPT);
    catch_stop();
    assert_caught("predictions.f32: was changed after training: its checksum is ");
    manifest_fini(&m);
}

/* Manifests from before format 6 have no checksums; they are read without a word. */
static void test_older_manifest_is_read(void **state)
{
    (void)state;
    const char *folder = test_dir();
    manifest_t m = make_manifest(), back = {0};
    bool found = false;
    assert_int_equal(manifest_write(folder, &m), ST_OK);
    test_older_manifest(folder);
    test_write("metrics.jsonl", "whatever\n");
    catch_start();
    assert_int_equal(manifest_read(folder, &back, &found), ST_OK);
    assert_int_equal(manifest_check_files(&back, folder, RUN_WHOLE), ST_OK);
    catch_stop();
    assert_string_equal(catch_text(), "");
    assert_true(found && back.files.n == 0 && back.result.quality.logloss == 1.0 / 3);
    /* Of 99 steps; a curve of one, and a whole one. */
    static const char point[] = "\"examples\": 9, \"logloss\": 1, \"progressive_logloss\": 1, \"seconds\": 1}\n";
    char *early = mem_printf("{\"step\": 50, %s", point), *whole = mem_printf("{\"step\": 99, %s", point);
    test_write("metrics.jsonl", early);
    catch_start();
    assert_int_equal(manifest_check_files(&back, folder, RUN_METRICS), ST_CORRUPT);
    catch_stop();
    assert_caught("metrics.jsonl: was changed after training: its curve ends at step 50, the run made 99; ");
    test_write("metrics.jsonl", whole);
    assert_int_equal(manifest_check_files(&back, folder, RUN_METRICS), ST_OK);
    mem_free(early);
    mem_free(whole);
    manifest_fini(&back);
    manifest_fini(&m);
}

static void test_manifest_needs_a_place(void **state)
{
    (void)state;
    test_dir();
    manifest_t m = make_manifest();
    catch_start();
    assert_int_equal(manifest_write(test_path("none"), &m), ST_INPUT);
    catch_stop();
    assert_caught("none/predictions.f32: cannot write 8 bytes: No such file or directory");
    manifest_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_verdict_file),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_fits),
        cmocka_unit_test(test_manifest_reads_back),
        cmocka_unit_test(test_manifest_of_another_experiment),
        cmocka_unit_test(test_damaged_manifest_is_named),
        cmocka_unit_test(test_changed_manifest_is_noticed),
        cmocka_unit_test(test_older_manifest_is_read),
        cmocka_unit_test(test_manifest_needs_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
