/* test_lossy - "so at L2 and L3 no dropped, duplicated or reordered message between workers and shards changes a result"
 * (docs/PROTOCOL.md, Exactly once), with a network that loses up to every third message: whole jobs end with the digest of
 * undisturbed ones. At L0 and L1, where results depend on timing, they end, with all rows and all examples. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/products/gemm.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"
#include "tests/sim/sim_job.h"

#define DISK_BYTES INT64_C(1000000000)
#define PIECE_BYTES 48 /* answers come in several */

static const uint64_t types = 1ull << WIRE_PULL | 1ull << WIRE_PEEK | 1ull << WIRE_ROWS | 1ull << WIRE_PUSH;

static const net_sim_faults_t networks[] = {
    {.types = types, .drop = 0.3},
    {.types = types, .duplicate = 0.5, .late = 0.5, .late_ns = 50000000},
    {.types = types, .drop = 0.15, .duplicate = 0.15, .late = 0.3, .late_ns = 200000000},
    {.types = 1ull << WIRE_PUSH, .drop = 0.3, .late = 0.5, .late_ns = 1000000000},
    {.types = 1ull << WIRE_ROWS, .drop = 0.3, .duplicate = 0.3},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static sample_t *make_sample(void)
{
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = 7,
                                      .rows = 260,
                                      .single = 2,
                                      .multi = 1,
                                      .numeric = 1,
                                      .values = 40,
                                      .train_fraction = 0.8,
                                      .weights = true};
    return sample_create(&options);
}

static experiment_t *configure(const sample_t *sample, const char *level, int depth, int every)
{
    char text[512];
    snprintf(text, sizeof text,
             "determinism: %s\ndefaults: 1\ndata: {path: %s}\n"
             "train: {batch: 16, lanes: 4, epochs: 2, report_steps: 4, pipeline_depth: %d, staleness: 2}\n"
             "model: {hidden: [6, 4]}\nembedding: {dim: 2}\n"
             "cluster: {deadline_s: 60, retry_ms: 20}\n" /* no rank gives up, however often a message is lost */
             "checkpoint: {every_steps: %d, keep: 2}\n",
             level, sample->o.path, depth, every);
    experiment_t *experiment;
    assert_int_equal(experiment_load(test_write("lossy.yaml", text), NULL, 0, &experiment), ST_OK);
    return experiment;
}

static sim_job_result_t play(const experiment_t *experiment, int shards, int workers, uint64_t seed,
                             const net_sim_faults_t *faults)
{
    char *dir = mem_strdup(test_path("run"));
    disk_sim_t *disk = disk_sim_create(seed, DISK_BYTES);
    assert_int_equal(dir_create(dir), ST_OK);
    sim_job_options_t options = {.experiment = experiment,
                                 .shards = shards,
                                 .workers = workers,
                                 .seed = seed,
                                 .run_dir = dir,
                                 .disk = disk,
                                 .piece_bytes = faults ? PIECE_BYTES : 0};
    if (faults)
        options.faults = *faults;
    sim_job_result_t result;
    catch_start();
    sim_job_run(&options, &result);
    catch_stop();
    if (result.status != ST_OK || result.stuck)
        fail_msg("seed %" PRIu64 " of %d shards, %d workers: %s", seed, shards, workers, catch_text());
    assert_int_equal(dir_remove_tree(dir), ST_OK);
    disk_sim_destroy(&disk);
    mem_free(dir);
    return result;
}

static void test_results_do_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *level;
        int depth, every;
    } cases[] = {{"sync", 0, 0}, {"sync", 2, 5}, {"invariant", 1, 3}, {"invariant", 3, 0}};
    sample_t *sample = make_sample();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        experiment_t *experiment = configure(sample, cases[c].level, cases[c].depth, cases[c].every);
        sim_job_result_t whole = play(experiment, 2, 2, 0, NULL);
        for (uint64_t seed = 1; seed <= 2 * NETWORKS; seed++) {
            const bool is_invariant = strcmp(cases[c].level, "invariant") == 0;
            const int workers = is_invariant ? 1 << seed % 3 : 2;
            sim_job_result_t result = play(experiment, 1 + (int)(seed % 3), workers, seed, &networks[seed % NETWORKS]);
            assert_true(result.counts.dropped + result.counts.duplicated + result.counts.late > 20);
            assert_string_equal(result.manifest.result.digest, whole.manifest.result.digest);
            assert_true(result.manifest.result.quality.logloss == whole.manifest.result.quality.logloss);
            manifest_fini(&result.manifest);
        }
        manifest_fini(&whole.manifest);
        experiment_destroy(&experiment);
    }
    sample_destroy(&sample);
}

static void test_unordered_levels_end_well(void **state)
{
    (void)state;
    static const char *const levels[] = {"async", "bounded"};
    sample_t *sample = make_sample();
    for (int l = 0; l < 2; l++)
        for (int every = 0; every <= 4; every += 4) {
            experiment_t *experiment = configure(sample, levels[l], 1, every);
            sim_job_result_t whole = play(experiment, 2, 2, 0, NULL);
            for (uint64_t seed = 1; seed <= 2 * NETWORKS; seed++) {
                sim_job_result_t result = play(experiment, 1 + (int)(seed % 3), 2, seed, &networks[seed % NETWORKS]);
                assert_int_equal(result.manifest.result.cost.examples, whole.manifest.result.cost.examples);
                assert_int_equal(result.manifest.result.cost.parameters, whole.manifest.result.cost.parameters);
                assert_true(result.manifest.result.quality.logloss < 1);
                manifest_fini(&result.manifest);
            }
            manifest_fini(&whole.manifest);
            experiment_destroy(&experiment);
        }
    sample_destroy(&sample);
}

static int begin(void **state)
{
    (void)state;
    gemm_init();
    return setenv("SMELTER_PROGRESS", "off", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_do_not_change),
        cmocka_unit_test(test_unordered_levels_end_well),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
