/* test_oracle - the real cluster, `smelter train` under mpirun, against the trainers of tests/lib/oracle.h: its digest and
 * its dense parameters are those of the single-process trainer bit for bit, and its losses are those of a double-precision
 * trainer that shares nothing with it but the initial values. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/run/manifest.h"
#include "tests/lib/oracle.h"
#include "tests/lib/testing.h"

static sample_t *make_sample(int rows, double train_fraction)
{
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = 6,
                                      .rows = rows,
                                      .single = 3,
                                      .multi = 2,
                                      .numeric = 2,
                                      .values = 60,
                                      .train_fraction = train_fraction,
                                      .weights = true};
    return sample_create(&options);
}

static const char *write_config(const sample_t *sample, const char *settings)
{
    char *text = mem_printf("name: oracle\ndefaults: 1\ndata: {path: %s}\n%s\n", sample->o.path, settings);
    const char *path = test_write("config.yaml", text);
    mem_free(text);
    return path;
}

/* Run the built binary; its exit code and, **owned**, its output. */
static int smelter_train(const char *config, const char *overrides, const char *out, char **text)
{
    char *log = mem_printf("%s.log", out);
    char *command =
        mem_printf("timeout 120 %s/smelter train %s %s --out %s >%s 2>&1", SMELTER_BUILD_DIR, config, overrides, out, log);
    size_t bytes;
    const int code = system(command);
    assert_int_equal(file_read(log, text, &bytes), ST_OK);
    mem_free(log);
    mem_free(command);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static void train(const char *config, const char *overrides, const char *out)
{
    char *text;
    const int code = smelter_train(config, overrides, out, &text);
    if (code != 0)
        fail_msg("smelter train %s: exit code %d\n%s", overrides, code, text);
    mem_free(text);
}

static void check_run(const char *out, const oracle_result_t *oracle)
{
    manifest_t manifest;
    bool found;
    char digest[33];
    assert_int_equal(manifest_read(out, &manifest, &found), ST_OK);
    assert_true(found);
    hash_digest_text(&oracle->digest, digest);
    assert_string_equal(manifest.result.digest, digest);
    assert_int_equal(manifest.steps, oracle->steps);
    manifest_fini(&manifest);
    for (int k = 0; k < oracle->components; k++) {
        char *path = mem_printf("%s/dense-%d.f32", out, k), *data;
        size_t bytes;
        assert_int_equal(file_read(path, &data, &bytes), ST_OK);
        assert_int_equal(bytes, (size_t)oracle->dense_floats * sizeof(float));
        assert_memory_equal(data, oracle->dense[k], bytes);
        mem_free(data);
        mem_free(path);
    }
}

static void test_digest_equals_the_single_process(void **state)
{
    (void)state;
    static const char *const settings =
        "train: {batch: 48, lanes: 4, epochs: 2}\nmodel: {hidden: [12, 7]}\nembedding: {dim: 5}";
    static const struct {
        int components, depth, workers, servers, shards;
        const char *activation, *level, *last_batch, *parts;
    } runs[] = {
        {1, 0, 1, 1, 1, "relu", "sync", "scaled", "mlp"},      {1, 1, 2, 1, 2, "smelu", "invariant", "own", "linear,mlp"},
        {3, 1, 4, 2, 1, "relu", "invariant", "scaled", "mlp"}, {3, 0, 2, 3, 1, "smelu", "sync", "drop", "linear"},
        {1, 0, 4, 1, 1, "smelu", "invariant", "drop", "mlp"},  {1, 1, 1, 2, 2, "relu", "invariant", "scaled", "linear,mlp"},
    };
    sample_t *sample = make_sample(700, 0.8);
    assert_int_not_equal(2 * sample->train_rows % 48, 0); /* the last batch is partial */
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char words[8][64];
        const char *overrides[8];
        snprintf(words[0], sizeof words[0], "model.components=%d", runs[i].components);
        snprintf(words[1], sizeof words[1], "train.pipeline_depth=%d", runs[i].depth);
        snprintf(words[2], sizeof words[2], "model.activation=%s", runs[i].activation);
        snprintf(words[3], sizeof words[3], "determinism=%s", runs[i].level);
        snprintf(words[4], sizeof words[4], "cluster.workers=%d", runs[i].workers);
        snprintf(words[5], sizeof words[5], "cluster.servers=%d", runs[i].servers);
        snprintf(words[6], sizeof words[6], "train.last_batch=%s", runs[i].last_batch);
        snprintf(words[7], sizeof words[7], "model.parts=[%s]", runs[i].parts);
        char *command = mem_printf("--set cluster.shards_per_server=%d", runs[i].shards);
        for (int j = 0; j < 8; j++) {
            overrides[j] = words[j];
            char *longer = mem_printf("%s --set %s", command, words[j]);
            mem_free(command);
            command = longer;
        }
        const char *config = write_config(sample, settings), *out = test_path("run-%zu", i);
        experiment_t *experiment;
        assert_int_equal(experiment_load(config, overrides, 8, &experiment), ST_OK);
        oracle_result_t oracle;
        oracle_train(experiment->base, sample, &oracle);
        train(config, command, out);
        check_run(out, &oracle);
        oracle_result_fini(&oracle);
        experiment_destroy(&experiment);
        mem_free(command);
    }
    sample_destroy(&sample);
}

/* A few hundred steps: rounding has time to grow, and still the losses stay together; so the f32 trainer, and with it the
 * cluster, is right about the mathematics and not only consistent with itself. */
static void test_losses_equal_those_in_double_precision(void **state)
{
    (void)state;
    static const char *const activations[] = {"model.activation=relu", "model.activation=smelu"};
    static const char *const depths[] = {"train.pipeline_depth=0", "train.pipeline_depth=1"};
    sample_t *sample = make_sample(1500, 0.8);
    const char *config = write_config(sample, "train: {batch: 16, lanes: 4, epochs: 4}\n"
                                              "model: {hidden: [12, 8], clip: 0, layer_norm: none, activate_inputs: false}\n"
                                              "embedding: {dim: 4}");
    for (int i = 0; i < 4; i++) {
        const char *overrides[] = {activations[i % 2], depths[i / 2]};
        experiment_t *experiment;
        assert_int_equal(experiment_load(config, overrides, 2, &experiment), ST_OK);
        oracle_result_t single, twice;
        oracle_train(experiment->base, sample, &single);
        oracle_train_double(experiment->base, sample, &twice);
        assert_int_equal(single.steps, twice.steps);
        assert_true(single.steps >= 290);
        double first = 0.0, last = 0.0;
        for (int64_t t = 0; t < single.steps; t++) {
            if (fabs(single.loss[t] - twice.loss[t]) > 1e-4)
                fail_msg("run %d, step %" PRId64 ": loss %.9g, in double precision %.9g", i, t, single.loss[t], twice.loss[t]);
            first += t < 50 ? twice.loss[t] / 50 : 0.0;
            last += t >= twice.steps - 50 ? twice.loss[t] / 50 : 0.0;
        }
        assert_true(last < first - 0.02); /* it learns, so there was something to get wrong */
        oracle_result_fini(&single);
        oracle_result_fini(&twice);
        experiment_destroy(&experiment);
    }
    sample_destroy(&sample);
}

/* Splits that are empty: nothing to score is a run like others; nothing to train on is an error. */
static void test_empty_splits(void **state)
{
    (void)state;
    static const char *const settings = "train: {batch: 16, lanes: 2}\nmodel: {hidden: [4]}";
    sample_t *sample = make_sample(100, 1.0);
    assert_int_equal(sample->eval_rows, 0);
    const char *config = write_config(sample, settings), *out = test_path("all-train");
    experiment_t *experiment;
    assert_int_equal(experiment_load(config, NULL, 0, &experiment), ST_OK);
    oracle_result_t oracle;
    oracle_train(experiment->base, sample, &oracle);
    train(config, "", out);
    check_run(out, &oracle);
    oracle_result_fini(&oracle);
    experiment_destroy(&experiment);
    sample_destroy(&sample);

    sample = make_sample(100, 0.0);
    char *text;
    assert_int_not_equal(smelter_train(write_config(sample, settings), "--set cluster.workers=2", test_path("none"), &text), 0);
    if (!strstr(text, "the training split is empty; give it a share of the rows"))
        fail_msg("%s", text);
    mem_free(text);
    sample_destroy(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_equals_the_single_process),
        cmocka_unit_test(test_empty_splits),
        cmocka_unit_test(test_losses_equal_those_in_double_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
