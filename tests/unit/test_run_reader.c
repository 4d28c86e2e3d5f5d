/* Proves of run_reader.h: "Of a finished run each of these is checked against the manifest then, once" - a file that was
 * changed is refused where its kind is asked for, when the run is opened or later, and does not matter elsewhere; "A run that
 * is not finished has no manifest, and its files are read as they are". */
#include "launcher/run/run_reader.h"
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"

#define CURVE "{\"step\": 2, \"examples\": 10, \"logloss\": 0.5, \"progressive_logloss\": 0.5, \"seconds\": 1}\n"

/* A run of two steps; **owned**. */
static char *make_run(bool finished)
{
    char *dir = mem_strdup(test_dir());
    test_write("config.yaml", "data: {path: /nowhere}\n");
    test_write("metrics.jsonl", CURVE);
    test_write("dense-0.f32", "abcdefgh");
    test_write("teacher.f32", "abcdefghijkl");
    manifest_t m = {.experiment = "e",
                    .variant = "v",
                    .determinism = "sync",
                    .build = "b",
                    .kernels = "k",
                    .config_hash = 1,
                    .workers = 1,
                    .servers = 1,
                    .shards_per_server = 1,
                    .steps = 2};
    memset(m.result.digest, '0', 32);
    if (finished)
        assert_int_equal(manifest_write(dir, &m), ST_OK);
    run_files_fini(&m.files);
    return dir;
}

static void test_what_is_asked_for_is_checked_and_read(void **state)
{
    (void)state;
    char *dir = make_run(true);
    run_reader_t run;
    curve_t curve;
    bool found;
    float *floats;
    int64_t n;
    assert_int_equal(run_reader_open(dir, RUN_CONFIG | RUN_METRICS | RUN_DENSE, &run), ST_OK);
    assert_true(run.is_finished && run.manifest.steps == 2);
    assert_int_equal(run_reader_need_finished(&run, "", ""), ST_OK);
    assert_int_equal(run_reader_config(&run), ST_OK);
    assert_string_equal(run.config->data.path, "/nowhere");
    catch_start();
    assert_int_equal(run_reader_check_config(&run), ST_CORRUPT);
    catch_stop();
    assert_caught("config.yaml: is not the configuration of the run beside it");
    assert_int_equal(run_reader_dense(&run, 0, &floats, &n), ST_OK);
    assert_true(n == 2 && memcmp(floats, "abcdefgh", 8) == 0);
    mem_free(floats);
    assert_int_equal(run_reader_curve(&run, &curve, &found), ST_OK);
    assert_true(found && curve.points == 1);
    curve_fini(&curve);
    assert_int_equal(run_reader_want(&run, RUN_TEACHER), ST_OK);
    assert_int_equal(run_reader_teacher(&run, SOFT_LABELS_FINAL, 3, &floats), ST_OK);
    assert_memory_equal(floats, "abcdefghijkl", 12);
    mem_free(floats);
    run_reader_fini(&run);
    mem_free(dir);
}

static void test_a_changed_file_is_refused_where_it_is_asked_for(void **state)
{
    (void)state;
    char *dir = make_run(true);
    run_reader_t run;
    test_write("dense-0.f32", "abcdefgi");
    catch_start();
    assert_int_equal(run_reader_open(dir, RUN_CONFIG | RUN_DENSE, &run), ST_CORRUPT);
    assert_caught("dense-0.f32: was changed after training");
    assert_int_equal(run_reader_open(dir, RUN_CONFIG, &run), ST_OK);
    assert_int_equal(run_reader_want(&run, RUN_DENSE), ST_CORRUPT);
    catch_stop();
    assert_false(run.kinds & RUN_DENSE);
    run_reader_fini(&run);
    mem_free(dir);
}

static void test_a_run_that_is_not_finished(void **state)
{
    (void)state;
    char *dir = make_run(false);
    run_reader_t run;
    float *floats;
    int64_t n;
    assert_int_equal(run_reader_open(dir, RUN_CONFIG | RUN_DENSE, &run), ST_OK);
    assert_false(run.is_finished);
    assert_int_equal(run_reader_config(&run), ST_OK);
    test_write("dense-0.f32", "abcdefg");
    catch_start();
    assert_int_equal(run_reader_dense(&run, 0, &floats, &n), ST_CORRUPT);
    assert_caught("dense-0.f32: has 7 bytes");
    assert_int_equal(run_reader_need_finished(&run, "teacher: ", "; train it first"), ST_INPUT);
    catch_stop();
    assert_caught("teacher: ");
    assert_caught(" holds no finished run (there is no manifest.json); train it first");
    run_reader_fini(&run);
    mem_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_for_is_checked_and_read),
        cmocka_unit_test(test_a_changed_file_is_refused_where_it_is_asked_for),
        cmocka_unit_test(test_a_run_that_is_not_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
