/* Proves of run_files.h: "are the files of these kinds what was sealed?" - each kind of file, with a bit flipped, cut in the
 * middle or at a line's end, made longer, replaced by another run's of the same size, removed, or added afterwards; and that
 * only the kinds asked for are looked at. */
#include "tests/lib/testing.h"

#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/run/run_files.h"

static const struct {
    const char *name;
    uint32_t kind;
} files[] = {
    {"config.yaml", RUN_CONFIG},          {"inputs.json", RUN_INPUTS},   {"metrics.jsonl", RUN_METRICS},
    {"predictions.f32", RUN_PREDICTIONS}, {"clipped.json", RUN_CLIPPED}, {"teacher.f32", RUN_TEACHER},
    {"steps.jsonl", RUN_STEPS},           {"dense-0.f32", RUN_DENSE},    {"dense-1.f32", RUN_DENSE},
    {"progressive.f32", RUN_PROGRESSIVE},
};
enum { FILES = sizeof files / sizeof *files };

#define CONTENT "first line\nsecond line\n"

static run_files_t sealed_run(void)
{
    run_files_t sealed;
    const char *folder = test_dir();
    for (int i = 0; i < FILES; i++)
        test_write(files[i].name, CONTENT);
    assert_int_equal(run_files_seal(folder, &sealed), ST_OK);
    assert_int_equal(sealed.n, FILES);
    assert_int_equal(run_files_check(&sealed, folder, RUN_WHOLE), ST_OK);
    return sealed;
}

static void assert_refused(const run_files_t *sealed, int i, const char *message)
{
    char *folder = mem_strdup(test_path("%s", "")), *line = mem_printf("%s: %s", files[i].name, message);
    for (int all = 0; all < 2; all++) {
        catch_start();
        assert_int_equal(run_files_check(sealed, folder, all ? RUN_WHOLE : files[i].kind), ST_CORRUPT);
        catch_stop();
        assert_caught(line);
        assert_caught("remove");
    }
    assert_int_equal(run_files_check(sealed, folder, (RUN_WHOLE | RUN_TEACHER | RUN_PROGRESSIVE) & ~files[i].kind & ~RUN_REST),
                     ST_OK);
    test_write(files[i].name, CONTENT);
    mem_free(line);
    mem_free(folder);
}

static void test_every_change_of_every_kind(void **state)
{
    (void)state;
    run_files_t sealed = sealed_run();
    for (int i = 0; i < FILES; i++) {
        test_write(files[i].name, "first line\nsecond lime\n"); /* as long: another replica's, or a flipped bit or two */
        assert_refused(&sealed, i, "was changed after training: its checksum is ");
        test_write(files[i].name, "first line\nsecond li");
        assert_refused(&sealed, i,
                       "was changed after training: it holds 20 bytes, the run wrote 23, as manifest.json beside it says");
        test_write(files[i].name, "first line\n");
        assert_refused(&sealed, i, "was changed after training: it holds 11 bytes, the run wrote 23");
        test_write(files[i].name, "");
        assert_refused(&sealed, i, "was changed after training: it holds 0 bytes, the run wrote 23");
        test_write(files[i].name, CONTENT "third line\n");
        assert_refused(&sealed, i, "was changed after training: it holds 34 bytes, the run wrote 23");
    }
    run_files_fini(&sealed);
}

/* Students that are yet to be trained need their teacher's predictions; nothing else does. */
static void test_removed_files(void **state)
{
    (void)state;
    run_files_t sealed = sealed_run();
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(unlink(test_path("%s", files[i].name)), 0);
        if (!(files[i].kind & (RUN_TEACHER | RUN_PROGRESSIVE))) {
            assert_refused(&sealed, i, "is missing; the run wrote 23 bytes");
            continue;
        }
        char *folder = mem_strdup(test_path("%s", ""));
        catch_start();
        assert_int_equal(run_files_check(&sealed, folder, RUN_WHOLE), ST_OK);
        assert_caught(files[i].name);
        assert_caught(" was removed; nothing that is done here needs it");
        assert_int_equal(run_files_check(&sealed, folder, files[i].kind), ST_CORRUPT);
        catch_stop();
        assert_caught(": is missing; the run wrote 23 bytes");
        test_write(files[i].name, CONTENT);
        mem_free(folder);
    }
    run_files_fini(&sealed);
}

/* Where a run was copied for its numbers, the model may have stayed behind; what came along is checked. */
static void test_published_files(void **state)
{
    (void)state;
    run_files_t sealed = sealed_run();
    char *folder = mem_strdup(test_path("%s", ""));
    catch_start();
    assert_int_equal(unlink(test_path("dense-0.f32")), 0);
    assert_int_equal(run_files_check(&sealed, folder, RUN_PUBLISHED), ST_OK);
    assert_int_equal(run_files_check(&sealed, folder, RUN_WHOLE), ST_CORRUPT);
    test_write("dense-0.f32", "first line\nsecond lime\n");
    assert_int_equal(run_files_check(&sealed, folder, RUN_PUBLISHED), ST_CORRUPT);
    test_write("dense-0.f32", CONTENT);
    assert_int_equal(unlink(test_path("metrics.jsonl")), 0);
    assert_int_equal(run_files_check(&sealed, folder, RUN_PUBLISHED), ST_CORRUPT);
    catch_stop();
    mem_free(folder);
    run_files_fini(&sealed);
}

static void test_added_files(void **state)
{
    (void)state;
    run_files_t sealed;
    char *folder = mem_strdup(test_dir());
    test_write("predictions.f32", CONTENT);
    assert_int_equal(run_files_seal(folder, &sealed), ST_OK);
    assert_int_equal(sealed.n, 1);
    test_write("teacher.f32", CONTENT);
    assert_int_equal(run_files_check(&sealed, folder, RUN_PREDICTIONS), ST_OK);
    catch_start();
    assert_int_equal(run_files_check(&sealed, folder, RUN_WHOLE), ST_CORRUPT);
    catch_stop();
    assert_caught("teacher.f32: is not of the run beside it: manifest.json does not list it; remove it");
    run_files_fini(&sealed);

    const run_files_t not_recorded = {0};
    assert_int_equal(run_files_check(&not_recorded, folder, RUN_WHOLE), ST_OK);
    mem_free(folder);
}

static void test_in_a_manifest(void **state)
{
    (void)state;
    run_files_t sealed = sealed_run(), back;
    jsondoc_t *doc = jsondoc_object();
    run_files_put(doc, &sealed);
    assert_int_equal(run_files_get(doc, "m", &back), ST_OK);
    assert_int_equal(back.n, sealed.n);
    assert_memory_equal(back.file, sealed.file, sizeof *back.file * FILES);
    run_files_fini(&back);
    jsondoc_destroy(&doc);

    strcpy(sealed.file[0].name, "../x");
    doc = jsondoc_object();
    run_files_put(doc, &sealed);
    catch_start();
    assert_int_equal(run_files_get(doc, "m", &back), ST_CORRUPT);
    catch_stop();
    assert_caught("m: \"files\" lists \"../x\", which is no file beside it");
    jsondoc_destroy(&doc);
    run_files_fini(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_change_of_every_kind),
        cmocka_unit_test(test_removed_files),
        cmocka_unit_test(test_published_files),
        cmocka_unit_test(test_added_files),
        cmocka_unit_test(test_in_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
