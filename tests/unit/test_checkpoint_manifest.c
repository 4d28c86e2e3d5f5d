/* test_checkpoint_manifest - "where it is, the checkpoint is committed", "its last member is a checksum of the text before"
 * (launcher/checkpoint/checkpoint_manifest.h): what is committed reads back; every single byte that changes is found; every
 * member that is missing, of another type or out of range is named, even under a right checksum; a newer format is said to be
 * one. And files of a checkpoint that are missing, short, long or changed. */
#include "launcher/checkpoint/checkpoint_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

static dataset_field_t fields[] = {
    {.name = "price", .kind = COLUMN_NUMERIC, .mean = 1.0 / 3, .scale = 0.7, .rules = {.transform = "standardise"}},
    {.name = "user", .kind = COLUMN_CATEGORICAL, .scale = 1},
};

static checkpoint_manifest_t sample(void)
{
    static int64_t deltas[] = {5, 10};
    static checkpoint_shard_t shards[] = {{7, 1, 700, 1, 2}, {8, 2, 800, UINT64_MAX, 4}, {9, 3, 900, 5, 6}, {0, 0, 60, 7, 8}};
    static checkpoint_file_t dense[] = {{64, 3}, {64, 4}};
    return (checkpoint_manifest_t){
        .experiment = (char *)"e \"quoted\"",
        .variant = (char *)"v",
        .determinism = (char *)"sync",
        .build = (char *)"b",
        .kernels = (char *)"k",
        .time = (char *)"2024-01-02T03:04:05Z",
        .config = (char *)"name: x\nseed: 1\n",
        .config_hash = UINT64_MAX,
        .dataset_hash = 2,
        .teacher_hash = 0,
        .run_id = 0xabc,
        .teacher_checksum = 0xdef,
        .replica = 1,
        .incarnation = 3,
        .step = 10,
        .steps = 100,
        .depth = 1,
        .resumed = 2,
        .workers = 3,
        .servers = 2,
        .shards_per_server = 2,
        .tables = 6,
        .deltas = deltas,
        .n_deltas = 2,
        .shards = shards,
        .dense = dense,
        .components = 2,
        .progress = {56, 9},
        .steps_lines = {39, 0x1234},
        .probe_lines = {2, UINT64_MAX},
        .totals = {.examples = 12345, .wall_seconds = 0.1},
        .inputs = {1, 1, 0, fields},
    };
}

static char *commit_sample(void)
{
    const checkpoint_manifest_t m = sample();
    test_dir();
    char *folder = mem_strdup(test_path("step"));
    assert_int_equal(dir_create(folder), ST_OK);
    assert_int_equal(checkpoint_manifest_commit(disk_posix(), folder, &m), ST_OK);
    return folder;
}

static void test_what_is_committed_reads_back(void **state)
{
    (void)state;
    char *folder = commit_sample();
    const checkpoint_manifest_t m = sample();
    checkpoint_manifest_t r;
    assert_int_equal(checkpoint_manifest_read(disk_posix(), folder, &r), ST_OK);
#define SAME(name) assert_string_equal(r.name, m.name);
    CHECKPOINT_TEXTS(SAME)
    SAME(config)
#undef SAME
#define SAME(name) assert_true(r.name == m.name);
    CHECKPOINT_HASHES(SAME)
#undef SAME
#define SAME(name, member) assert_true(r.name == m.name);
    CHECKPOINT_COUNTS(SAME)
#undef SAME
    assert_true(r.run_id == 0xabc && r.teacher_checksum == 0xdef);
    assert_int_equal(r.n_deltas, 2);
    assert_memory_equal(r.deltas, m.deltas, sizeof *m.deltas * 2);
    assert_memory_equal(r.shards, m.shards, sizeof *m.shards * 4);
    assert_memory_equal(r.dense, m.dense, sizeof *m.dense * 2);
    assert_int_equal(r.progress.checksum, 9);
    assert_true(r.steps_lines.lines == 39 && r.steps_lines.checksum == 0x1234);
    assert_true(r.probe_lines.lines == 2 && r.probe_lines.checksum == UINT64_MAX);
    assert_true(r.inputs.numeric == 1 && r.inputs.single == 1 && r.inputs.multi == 0);
    assert_true(r.inputs.fields[0].mean == 1.0 / 3 && r.inputs.fields[0].scale == 0.7); /* all bits */
    assert_string_equal(r.inputs.fields[0].rules.transform, "standardise");
    assert_false(field_rules_recorded(&r.inputs.fields[1].rules));
    assert_int_equal(r.totals.examples, 12345);
    assert_true(r.totals.wall_seconds == 0.1);
    assert_int_equal(checkpoint_manifest_bytes(&r), 700 + 800 + 900 + 60 + 64 + 64 + 56);
    assert_int_equal(checkpoint_manifest_rows(&r), 24);
    checkpoint_manifest_fini(&r);
    mem_free(folder);
}

/* Replace the file's text; read it; it must be refused. */
static status_t read_text(const char *folder, const char *text, size_t bytes)
{
    char *path = mem_printf("%s/manifest.json", folder);
    checkpoint_manifest_t r = {.step = -7};
    FILE *file = fopen(path, "w");
    assert_true(file && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
    status_t status = checkpoint_manifest_read(disk_posix(), folder, &r);
    if (status == ST_OK)
        checkpoint_manifest_fini(&r);
    else
        assert_int_equal(r.step, -7); /* outputs are written on success alone */
    mem_free(path);
    return status;
}

static char *text_of(const char *folder, size_t *bytes)
{
    char *path = mem_printf("%s/manifest.json", folder), *text;
    assert_int_equal(file_read(path, &text, bytes), ST_OK);
    mem_free(path);
    return text;
}

static void test_every_changed_byte_is_found(void **state)
{
    (void)state;
    char *folder = commit_sample();
    size_t bytes;
    char *text = text_of(folder, &bytes);
    assert_int_equal(read_text(folder, text, bytes), ST_OK);
    catch_start();
    for (size_t i = 0; i + 3 < bytes; i++) { /* what comes after the checksum's last quote is white space and a brace */
        text[i] ^= 1;
        const status_t status = read_text(folder, text, bytes);
        assert_true(status == ST_CORRUPT || status == ST_INPUT);
        text[i] ^= 1;
    }
    for (size_t length = 0; length + 2 < bytes; length += 13)
        assert_int_equal(read_text(folder, text, length), ST_CORRUPT);
    catch_stop();
    mem_free(text);
    mem_free(folder);
}

/* Replace the first `from` and make the checksum right again. */
static status_t read_forged(const char *folder, const char *original, const char *from, const char *to)
{
    const char *at = strstr(original, from), *end = strstr(original, ",\n  \"checksum\": \"");
    for (const char *next = end; next; next = strstr(next + 1, ",\n  \"checksum\": \""))
        end = next;
    assert_true(at && end && at < end);
    char *body = mem_printf("%.*s%s%.*s", (int)(at - original), original, to, (int)(end - at - (int64_t)strlen(from)),
                            at + strlen(from));
    char *text = mem_printf("%s,\n  \"checksum\": \"%016" PRIx64 "\"\n}\n", body, hash64(body, strlen(body), 0));
    status_t status = read_text(folder, text, strlen(text));
    mem_free(body);
    mem_free(text);
    return status;
}

static void test_forged_members_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *error;
        status_t status;
    } forged[] = {
        {"\"format\": 1", "\"format\": 2",
         "manifest.json: has format 2, this program reads up to 1; use the smelter that wrote it", ST_INPUT},
        {"\"format\": 1", "\"format\": 0", "\"format\" is 0; it must be from 1", ST_CORRUPT},
        {"\"variant\"", "\"varient\"", "manifest.json: \"variant\" is missing", ST_CORRUPT},
        {"\"step\": 10", "\"step\": \"10\"", "\"step\" is not a whole number", ST_CORRUPT},
        {"\"step\": 10", "\"step\": 11", "the last of \"deltas\" is not that of step 11", ST_CORRUPT},
        {"\"epoch\": 3", "\"epoch\": -3", "\"epoch\" is -3", ST_CORRUPT},
        {"\"servers\": 2", "\"servers\": 0", "0 servers with 2 shards each cannot be", ST_CORRUPT},
        {"\"servers\": 2", "\"servers\": 9007199254740992", "servers with 2 shards each cannot be", ST_CORRUPT},
        {"\"servers\": 2", "\"servers\": 3", "\"shards\" has 4 entries for 6 shards", ST_CORRUPT},
        {"\"config_hash\": \"ffffffffffffffff\"", "\"config_hash\": \"ffff\"",
         "\"config_hash\" is \"ffff\"; it must be 16 hex digits", ST_CORRUPT},
        {"    5,\n", "    50,\n", "\"deltas\" are not ascending at 10", ST_CORRUPT},
        {"    5,\n", "    null,\n", "element 0 of \"deltas\" is not an integer from 0", ST_CORRUPT},
        {"\"first_slot\": 256", "\"first_slot\": 250", "shard 1 of 4 has 256 slots from 250 on; its slots are 256 to 511",
         ST_CORRUPT},
        {"\"rows\": 8", "\"rows\": -8", "\"rows\" is -8", ST_CORRUPT},
        {"\"dense\": [", "\"dense\": [], \"old\": [", "\"dense\" has 0 entries; a run has 1 to 64 components", ST_CORRUPT},
        {"\"progress\": {", "\"progress\": 5, \"old\": {", "\"progress\" is not an object", ST_CORRUPT},
        {"\"examples\": 12345", "\"examples\": -1", "\"examples\" is -1", ST_CORRUPT},
        {"\"config\": ", "\"config\": null, \"old\": ", "\"config\" is not a text", ST_CORRUPT},
    };
    char *folder = commit_sample(), *text = text_of(folder, &(size_t){0});
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        catch_start();
        assert_int_equal(read_forged(folder, text, forged[i].from, forged[i].to), forged[i].status);
        catch_stop();
        assert_caught(forged[i].error);
    }
    assert_int_equal(read_forged(folder, text, "\"format\"", "\"format\""), ST_OK); /* the forger's checksum is a right one */
    assert_int_equal(read_forged(folder, text, "\"run_id\"", "\"old\""), ST_OK);    /* written before there were ids */
    mem_free(text);
    mem_free(folder);
}

static void test_files_of_a_checkpoint(void **state)
{
    (void)state;
    test_dir();
    const char *folder = mem_strdup(test_path("."));
    const char data[] = "0123456789";
    checkpoint_file_t file, other;
    char *read = NULL;
    assert_int_equal(checkpoint_file_write(disk_posix(), folder, "a.bin", data, 10, &file), ST_OK);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "a.bin", &file, &read), ST_OK);
    assert_memory_equal(read, data, 10);
    mem_free(read);
    assert_int_equal(checkpoint_file_write(disk_posix(), folder, "empty.bin", NULL, 0, &other), ST_OK);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "empty.bin", &other, &read), ST_OK);
    mem_free(read);
    catch_start();
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "none.bin", &file, &read), ST_INPUT);
    assert_caught("none.bin");
    assert_int_equal(checkpoint_file_write(disk_posix(), folder, "a.bin", data, 9, &other), ST_OK);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "a.bin", &file, &read), ST_CORRUPT);
    assert_caught("a.bin: has 9 bytes, the manifest says 10; it was cut short");
    assert_int_equal(checkpoint_file_write(disk_posix(), folder, "a.bin", "0123456780", 10, &other), ST_OK);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "a.bin", &file, &read), ST_CORRUPT);
    assert_caught("a.bin: its checksum is");
    assert_int_equal(checkpoint_file_write(disk_posix(), folder, "a.bin", "01234567891", 11, &other), ST_OK);
    assert_int_equal(checkpoint_file_read(disk_posix(), folder, "a.bin", &file, &read), ST_CORRUPT);
    assert_caught("a.bin: 11 bytes, at most 10 were expected");
    catch_stop();
    mem_free((char *)folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_committed_reads_back),
        cmocka_unit_test(test_every_changed_byte_is_found),
        cmocka_unit_test(test_forged_members_are_named),
        cmocka_unit_test(test_files_of_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
