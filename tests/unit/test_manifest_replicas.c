/* Proves: "It refuses to compare runs whose manifests differ in anything else, naming the difference" - two replicas may differ
 * in the variant's sources, and every other difference is refused with what differs and both values. */
#include "launcher/run/manifest.h"
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"

static manifest_t sample(int replica)
{
    return (manifest_t){
        .experiment = "e",
        .variant = "relu",
        .determinism = "sync",
        .build = "b1",
        .kernels = "k1",
        .config_hash = 1,
        .dataset_hash = 2,
        .workers = 2,
        .servers = 1,
        .shards_per_server = 1,
        .steps = 10,
        .result = {.replica = replica, .init_seed = 1, .order_seed = 1},
    };
}

static void refused(const manifest_t *a, const manifest_t *b, const char *what)
{
    catch_start();
    status_t status = manifest_check_replicas(a, b, false, false, false);
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_caught(what);
    assert_caught("relu: replicas 0 and 1 differ in their");
}

static void test_what_may_not_differ(void **state)
{
    (void)state;
    manifest_t a = sample(0), b = sample(1);
    assert_int_equal(manifest_check_replicas(&a, &b, false, false, false), ST_OK);
    b.dataset_hash = 3;
    refused(&a, &b, "dataset (0000000000000002 and 0000000000000003)");
    b = sample(1);
    b.build = "b2";
    refused(&a, &b, "build (b1 and b2)");
    b = sample(1);
    b.kernels = "k2";
    assert_int_equal(manifest_check_replicas(&a, &b, false, false, false), ST_OK);
    catch_start();
    assert_int_equal(manifest_check_processors(&a, &b), ST_INPUT);
    assert_caught("differ in their matrix kernels (k1 and k2)");
    a.determinism = b.determinism = "bounded";
    assert_int_equal(manifest_check_processors(&a, &b), ST_OK);
    a.determinism = b.determinism = "portable";
    assert_int_equal(manifest_check_processors(&a, &b), ST_OK);
    catch_stop();
    a = sample(0);
    b = sample(1);
    b.determinism = "async";
    refused(&a, &b, "determinism level (sync and async)");
    b = sample(1);
    b.steps = 11;
    refused(&a, &b, "number of steps (10 and 11)");
    b = sample(1);
    b.result.init_seed = 7;
    refused(&a, &b, "initialisation seed (1 and 7)");
    b = sample(1);
    b.result.order_seed = 8;
    refused(&a, &b, "order seed (1 and 8)");
    b = sample(1);
    b.workers = 3;
    refused(&a, &b, "number of workers (2 and 3)");
    b = sample(1);
    b.servers = 3;
    refused(&a, &b, "number of servers (1 and 3)");
}

static void test_what_may_differ(void **state)
{
    (void)state;
    manifest_t a = sample(0), b = sample(1);
    b.result.init_seed = 2;
    assert_int_equal(manifest_check_replicas(&a, &b, true, false, false), ST_OK);
    b = sample(1);
    b.result.order_seed = 2;
    assert_int_equal(manifest_check_replicas(&a, &b, false, true, false), ST_OK);
    b = sample(1);
    b.workers = 1;
    assert_int_equal(manifest_check_replicas(&a, &b, false, false, true), ST_OK);
    a.determinism = b.determinism = "invariant";
    b.servers = 3;
    assert_int_equal(manifest_check_replicas(&a, &b, false, false, false), ST_OK);
    a.determinism = b.determinism = "portable";
    assert_int_equal(manifest_check_replicas(&a, &b, false, false, false), ST_OK);
}

/* An older smelter took the mean over all epochs and called it progressive, which it is for a single incarnation. */
static void check_older(const char *epochs, bool is_progressive)
{
    manifest_t m = sample(0), read;
    bool found;
    m.teacher_hash = 0;
    memset(m.result.digest, '0', 32);
    m.result.quality.progressive_logloss = 0.5;
    m.result.quality.training_logloss = 0.25;
    assert_int_equal(manifest_write(test_dir(), &m), ST_OK);
    char *folder = mem_strdup(test_path("%s", "")), *text, *at, *end;
    assert_int_equal(manifest_read(folder, &read, &found), ST_OK);
    assert_true(read.result.quality.progressive_logloss == 0.5 && read.result.quality.training_logloss == 0.25);
    manifest_fini(&read);

    test_older_manifest(folder);
    assert_int_equal(file_read(test_path("manifest.json"), &text, NULL), ST_OK);
    at = strstr(text, "\"training_logloss\"");
    assert_non_null(at);
    end = strchr(at, ',') + 1;
    memmove(at, end, strlen(end) + 1);
    test_write("manifest.json", text);
    test_write("config.yaml", epochs);
    assert_int_equal(manifest_read(folder, &read, &found), ST_OK);
    assert_true(found && isnan(read.result.quality.training_logloss));
    assert_true(is_progressive ? read.result.quality.progressive_logloss == 0.5
                               : isnan(read.result.quality.progressive_logloss));
    manifest_fini(&read);
    mem_free(text);
    mem_free(folder);
}

static void test_a_mean_over_all_epochs_is_not_progressive(void **state)
{
    (void)state;
    check_older("data: {path: /nowhere}\ntrain: {epochs: 1}\n", true);
    check_older("data: {path: /nowhere}\ntrain: {epochs: 3}\n", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_not_differ),
        cmocka_unit_test(test_what_may_differ),
        cmocka_unit_test(test_a_mean_over_all_epochs_is_not_progressive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
