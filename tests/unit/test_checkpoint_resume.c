/* test_checkpoint_resume - which checkpoint a run goes on from, and whether it may (launcher/checkpoint/checkpoint_resume.h):
 * the newest by incarnation and step; an older one is never taken in place of a damaged one; "ST_INPUT names all that differs
 * and must not". */
#include "launcher/checkpoint/checkpoint_resume.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

static config_t *config_of(const char *text)
{
    config_t *config;
    assert_int_equal(config_from_text(text, strlen(text), "test", &config), ST_OK);
    return config;
}

static const char *const plain = "name: e\ndata: {path: d}\ndeterminism: invariant\n";

static void commit(const char *run_dir, uint32_t incarnation, int64_t step)
{
    checkpoint_shard_t shard = {0};
    checkpoint_file_t dense = {0};
    config_t *config = config_of(plain);
    char *text, *folder = checkpoint_step_path(run_dir, incarnation, step);
    assert_int_equal(config_text(config, &text), ST_OK);
    const checkpoint_manifest_t m = {
        .experiment = (char *)"e",
        .variant = (char *)"v",
        .determinism = (char *)"invariant",
        .build = (char *)"b",
        .kernels = (char *)"k",
        .time = (char *)"now",
        .config = text,
        .config_hash = 1,
        .dataset_hash = 2,
        .teacher_hash = 3,
        .incarnation = incarnation,
        .step = step,
        .steps = 100,
        .workers = 2,
        .servers = 1,
        .shards_per_server = 1,
        .tables = 1,
        .deltas = &step,
        .n_deltas = 1,
        .shards = &shard,
        .dense = &dense,
        .components = 1,
    };
    assert_int_equal(dir_create(folder), ST_OK);
    assert_int_equal(checkpoint_manifest_commit(disk_posix(), folder, &m), ST_OK);
    config_destroy(&config);
    mem_free(text);
    mem_free(folder);
}

static manifest_t wanted_of(config_t *config)
{
    return (manifest_t){.experiment = (char *)"e",
                        .variant = (char *)"v",
                        .determinism = (char *)"invariant",
                        .build = (char *)"b",
                        .kernels = (char *)"k",
                        .dataset_hash = 2,
                        .teacher_hash = 3,
                        .workers = 2,
                        .servers = 1,
                        .steps = 100,
                        .config = config};
}

static void test_the_newest_is_found(void **state)
{
    (void)state;
    test_dir();
    char *dir = mem_strdup(test_path("run"));
    checkpoint_resume_t r;
    bool found = true;
    uint32_t incarnation;
    assert_int_equal(checkpoint_resume_find(disk_posix(), dir, &r, &found), ST_OK);
    assert_false(found);
    assert_int_equal(checkpoint_resume_incarnation(disk_posix(), dir, &incarnation), ST_OK);
    assert_int_equal(incarnation, 1);
    commit(dir, 1, 90);
    commit(dir, 2, 30);
    commit(dir, 2, 40);
    char *attempt = checkpoint_step_path(dir, 3, 50), *path = mem_printf("%s/manifest.json.tmp", attempt);
    assert_int_equal(dir_create(attempt), ST_OK); /* cut off before its rename */
    assert_int_equal(file_write_atomic(path, "x", 1), ST_OK);
    assert_int_equal(checkpoint_resume_find(disk_posix(), dir, &r, &found), ST_OK);
    assert_true(found);
    assert_int_equal(r.from.incarnation, 2);
    assert_int_equal(r.from.step, 40);
    assert_string_equal(r.run_dir, dir);
    checkpoint_resume_fini(&r);
    assert_int_equal(checkpoint_resume_incarnation(disk_posix(), dir, &incarnation), ST_OK);
    assert_int_equal(incarnation, 4); /* that of the attempt is not used again */
    mem_free(path);
    mem_free(attempt);

    char *newest = checkpoint_step_path(dir, 2, 40);
    path = mem_printf("%s/manifest.json", newest);
    assert_int_equal(file_write_atomic(path, "{}", 2), ST_OK);
    catch_start();
    found = false;
    assert_int_equal(checkpoint_resume_find(disk_posix(), dir, &r, &found), ST_CORRUPT);
    assert_caught("manifest.json: \"format\" is missing");
    assert_caught("the checkpoint before it is that of step 30 of incarnation 2; to go on from there, remove");
    assert_false(found);
    char *older = checkpoint_step_path(dir, 2, 30), *moved = checkpoint_step_path(dir, 2, 31);
    assert_int_equal(rename(older, moved), 0);
    assert_int_equal(checkpoint_resume_open(disk_posix(), moved, &r), ST_CORRUPT);
    catch_stop();
    assert_caught("its manifest is that of the checkpoint before step 30 of incarnation 2; the folder was moved");
    mem_free(path);
    mem_free(newest);
    mem_free(older);
    mem_free(moved);
    mem_free(dir);
}

static void test_what_may_differ_and_what_may_not(void **state)
{
    (void)state;
    test_dir();
    char *dir = mem_strdup(test_path("run"));
    commit(dir, 1, 40);
    checkpoint_resume_t r;
    bool found;
    assert_int_equal(checkpoint_resume_find(disk_posix(), dir, &r, &found), ST_OK);
    config_t *same = config_of(plain);
    manifest_t wanted = wanted_of(same);
    catch_start();
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    wanted.workers = 4;
    wanted.servers = 7;
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    assert_string_equal(catch_text(), "");
#define REFUSED(member, value, text) \
    { \
        manifest_t other = wanted_of(same); \
        other.member = value; \
        assert_int_equal(checkpoint_resume_check(&r, &other), ST_INPUT); \
        assert_caught(text); \
    }
    REFUSED(experiment, (char *)"f", "is a checkpoint of another experiment: its experiment is e, wanted is f")
    REFUSED(variant, (char *)"w", "is a checkpoint of another experiment: its variant is v, wanted is w")
    REFUSED(result.replica, 1, "is a checkpoint of another experiment: its replica is 0, wanted is 1")
    REFUSED(dataset_hash, 5, "the dataset is not that of the run: it is 0000000000000005, the run began with 0000000000000002")
    REFUSED(teacher_hash, 5, "the teacher's configuration is not that of the run")
    REFUSED(steps, 40, "comes before step 40, and the run now ends after 40; raise train.epochs or train.max_steps")
#undef REFUSED
    wanted = wanted_of(same);
    wanted.determinism = (char *)"sync"; /* the configuration says more; here it is about the workers alone */
    wanted.workers = 3;
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_INPUT);
    assert_caught("was made by 2 workers, this job has 3; at determinism sync a run goes on with as many as it began with");
    wanted = wanted_of(same);
    wanted.build = (char *)"c";
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    assert_caught("was made by build b with kernels k; this is build c with kernels k, and bits may differ from here on");

    config_t *tuned = config_of(
        "name: e\ndata: {path: elsewhere}\ndeterminism: invariant\ndense: {learning_rate: 0.5}\ntrain: {epochs: 3}\n");
    wanted = wanted_of(tuned);
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    assert_caught("dense.learning_rate: 0.02 -> 0.5 from step 40 on");
    assert_caught("train.epochs: 1 -> 3 from step 40 on");
    assert_false(catch_has("data.path"));
    config_t *changed = config_of("name: e\ndata: {path: d}\nseed: 2\nembedding: {dim: 3, learning_rate: 7}\n");
    wanted = wanted_of(changed);
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_INPUT);
    catch_stop();
    assert_caught("the configuration changed in what a run cannot change: seed: 1 -> 2; determinism: invariant -> sync; "
                  "embedding.dim: 8 -> 3; "
                  "set it back, or train in another --out");
    assert_false(catch_has("embedding.learning_rate")); /* nothing is applied to a run that is refused */
    config_destroy(&same);
    config_destroy(&tuned);
    config_destroy(&changed);
    checkpoint_resume_fini(&r);
    mem_free(dir);
}

/* A checkpoint of a version that had no train.last_batch: its run was to divide a short last batch by its own size. It goes on
 * by that rule where there is such a batch, and by any where there is none. */
static void test_a_short_last_batch_keeps_its_rule(void **state)
{
    (void)state;
    test_dir();
    char *dir = mem_strdup(test_path("run"));
    commit(dir, 1, 40);
    checkpoint_resume_t r;
    bool found;
    assert_int_equal(checkpoint_resume_find(disk_posix(), dir, &r, &found), ST_OK);
    char *end = strstr(r.from.config, "  last_batch: own\n");
    assert_non_null(end);
    memmove(end, strchr(end, '\n') + 1, strlen(strchr(end, '\n')));
    assert_null(strstr(r.from.config, "last_batch"));
    config_t *scaled = config_of("name: e\ndata: {path: d}\ndeterminism: invariant\ntrain: {last_batch: scaled}\n"),
             *own = config_of(plain);
    manifest_t wanted = wanted_of(scaled);
    catch_start();
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    assert_string_equal(catch_text(), "");
    wanted.left_over = true;
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_INPUT);
    assert_caught("the configuration changed in what a run cannot change: train.last_batch: own -> scaled; set it back");
    wanted.config = own;
    assert_int_equal(checkpoint_resume_check(&r, &wanted), ST_OK);
    catch_stop();
    config_destroy(&scaled);
    config_destroy(&own);
    checkpoint_resume_fini(&r);
    mem_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_is_found),
        cmocka_unit_test(test_what_may_differ_and_what_may_not),
        cmocka_unit_test(test_a_short_last_batch_keeps_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
