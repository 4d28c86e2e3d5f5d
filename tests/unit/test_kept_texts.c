/* Proves: "a dataset keeps the text of its values (bounded, optional)": every text that was kept is found again by its key, a
 * bound leaves out what comes later and says so, the bytes do not depend on cores, content and its hash do not change, what is
 * damaged is one line and no other text, and what is shown moves no cursor. */
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/data/cross_key.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "common/data/value_count.h"
#include "common/files/file.h"
#include "common/texts/shown_key.h"
#include "common/texts/shown_values.h"
#include "common/texts/text_keeper.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/synth.h"

#define CONTENT 0x1234u

/* ---- the file ---- */

static size_t text_of(int i, char text[32])
{
    return (size_t)snprintf(text, 32, "value %d", i);
}

static void pass(text_keeper_t *keeper, text_batch_t *batch)
{
    text_keeper_take(keeper, batch);
    text_batch_pack(batch, true);
    assert_int_equal(text_keeper_write(keeper, batch), ST_OK);
}

/* A file of n values of field 0, whose bytes are bounded. Returns its folder. */
static const char *keep(const char *name, int n, int64_t field_most)
{
    const char *folder = test_path("%s", name);
    text_keeper_t *keeper;
    text_batch_t batch = {0};
    char text[32];
    assert_int_equal(dir_create(folder), ST_OK);
    assert_int_equal(text_keeper_create(folder, 2, 1 << 30, field_most, &keeper), ST_OK);
    for (int i = 0; i < n; i++) {
        const size_t bytes = text_of(i, text);
        text_keeper_add(keeper, 0, dataset_key(text, (int)bytes), text, bytes);
        if (i % 1000 == 0)
            pass(keeper, &batch);
    }
    pass(keeper, &batch);
    assert_int_equal(text_keeper_finish(keeper, true, CONTENT), ST_OK);
    text_batch_fini(&batch);
    text_keeper_destroy(&keeper);
    return folder;
}

static bool has(kept_texts_t *kept, uint64_t key, const char *expected)
{
    char fault[KEPT_TEXTS_FAULT];
    kept_text_t text;
    const bool is_there = kept_texts_find(kept, key, &text, fault);
    assert_string_equal(fault, "");
    return is_there && text.bytes == strlen(expected) && memcmp(text.at, expected, text.bytes) == 0;
}

static kept_texts_t *open_kept(const char *folder)
{
    char fault[KEPT_TEXTS_FAULT];
    kept_texts_t *kept = kept_texts_open(folder, CONTENT, fault);
    assert_string_equal(fault, "");
    assert_non_null(kept);
    return kept;
}

static void test_texts_are_found_again(void **state)
{
    (void)state;
    enum { MANY = 900000 };
    static const int sizes[] = {0, 1, 300, MANY};
    char text[32], fault[KEPT_TEXTS_FAULT];
    for (int s = 0; s < 4; s++) {
        kept_texts_t *kept = open_kept(keep("again", sizes[s], 1 << 30));
        for (int i = 0; i < sizes[s]; i += 1 + sizes[s] / 3000) {
            const size_t bytes = text_of(i, text);
            assert_true(has(kept, dataset_key(text, (int)bytes), text));
        }
        assert_false(has(kept, 77, ""));
        assert_int_equal(kept_texts_index(kept)->fields[0].kept, sizes[s]);
        assert_int_equal(kept_texts_index(kept)->n > 256, sizes[s] == MANY); /* pieces that were full before the end */
        assert_true(kept_texts_verify(kept, fault));
        kept_texts_close(&kept);
    }
}

static void test_a_bound_keeps_the_first(void **state)
{
    (void)state;
    kept_texts_t *kept = open_kept(keep("bound", 10, 7 * 5 + 3));
    assert_true(has(kept, dataset_key("value 4", 7), "value 4"));
    assert_false(has(kept, dataset_key("value 5", 7), "value 5"));
    assert_int_equal(kept_texts_index(kept)->fields[0].kept, 5);
    assert_int_equal(kept_texts_index(kept)->fields[0].left, 5);
    assert_int_equal(kept_texts_index(kept)->bytes, 35);
    kept_texts_close(&kept);
}

/* Texts come cut at VALUE_TEXT_MOST bytes, and never end inside a character; their keys are not their hashes then. */
static void test_keys_of_their_own(void **state)
{
    (void)state;
    const char *folder = test_path("own");
    char text[VALUE_TEXT_MOST + 1], fault[KEPT_TEXTS_FAULT];
    text_keeper_t *keeper;
    kept_text_t found;
    memset(text, 'a', sizeof text);
    memcpy(text + VALUE_TEXT_MOST - 2, "\xe2\x82", 2); /* of three */
    assert_int_equal(dir_create(folder), ST_OK);
    assert_int_equal(text_keeper_create(folder, 1, 1 << 20, 1 << 20, &keeper), ST_OK);
    text_keeper_add(keeper, 0, dataset_key("b", 1), "b", 1);
    text_keeper_add(keeper, 0, 42, text, VALUE_TEXT_MOST);
    for (int twice = 0; twice < 2; twice++)
        text_keeper_add_group(keeper, dataset_key("q7", 2), "q7", 2);
    assert_int_equal(text_keeper_finish(keeper, false, CONTENT), ST_OK);
    text_keeper_destroy(&keeper);
    kept_texts_t *kept = open_kept(folder);
    assert_true(kept_texts_find(kept, 42, &found, fault));
    assert_int_equal(found.bytes, VALUE_TEXT_MOST - 2);
    assert_true(found.is_cut);
    assert_true(has(kept, dataset_key("b", 1), "b"));
    assert_true(has(kept, dataset_key("q7", 2), "q7"));
    assert_int_equal(kept_texts_index(kept)->groups.kept, 1);
    kept_texts_close(&kept);
}

/* Whatever byte is another one, and wherever the file ends: it says so, or nothing that is read is changed. */
static void test_damage(void **state)
{
    (void)state;
    const char *folder = keep("damage", 40, 1 << 20);
    char *path = mem_printf("%s/" DATASET_TEXTS, folder), *data, fault[KEPT_TEXTS_FAULT], text[32];
    size_t bytes;
    assert_int_equal(file_read(path, &data, &bytes), ST_OK);
    for (size_t i = 0; i < 2 * bytes; i++) {
        const size_t at = i % bytes, length = i < bytes ? bytes : at;
        data[at] ^= i < bytes ? 0x40 : 0;
        assert_int_equal(file_write_atomic(path, data, length), ST_OK);
        data[at] ^= i < bytes ? 0x40 : 0;
        kept_texts_t *kept = kept_texts_open(folder, CONTENT, fault);
        assert_true((kept == NULL) == (*fault != 0));
        bool is_found = *fault != 0;
        for (int v = 0; v < 40 && kept && !is_found; v++) {
            kept_text_t found;
            const size_t n = text_of(v, text);
            const bool is_there = kept_texts_find(kept, dataset_key(text, (int)n), &found, fault);
            is_found = *fault != 0;
            assert_true(is_found || (is_there && found.bytes == n && memcmp(found.at, text, n) == 0));
        }
        assert_true(is_found || i < bytes); /* a bit that zstd does not look at */
        kept_texts_close(&kept);
    }
    assert_int_equal(file_write_atomic(path, data, bytes), ST_OK);
    assert_null(kept_texts_open(folder, CONTENT + 1, fault));
    assert_string_equal(fault, "is of another dataset");
    assert_int_equal(unlink(path), 0);
    assert_null(kept_texts_open(folder, CONTENT, fault));
    assert_string_equal(fault, "");
    mem_free(path);
    mem_free(data);
}

/* ---- a dataset ---- */

static int made;

static const char *import_string(const char *schema_yaml, const char *text)
{
    const char *path = test_path("dataset-%d", made++);
    schema_t *schema;
    assert_int_equal(schema_load(test_write("schema.yaml", schema_yaml), &schema), ST_OK);
    assert_int_equal(import_text(test_write("input.txt", text), schema, path, true, false), ST_OK);
    schema_destroy(&schema);
    return path;
}

static const char *shown_of(shown_values_t *shown, int f, const char *value)
{
    static char text[96];
    shown_values_put(shown, f, dataset_key(value, (int)strlen(value)), text, sizeof text);
    return text;
}

static const char *shown_group(shown_values_t *shown, const char *value)
{
    static char text[96];
    shown_values_group(shown, dataset_key(value, (int)strlen(value)), text, sizeof text);
    return text;
}

#define CSV_SCHEMA \
    "label: y\ngroup: q\nsplit: {train_fraction: 0.5}\n" \
    "columns: [{name: n, kind: numeric}, k, {name: d, transform: log2_bucket}, {name: m, kind: multi}]\n"

/* Values that are not among the most frequent of a field: 40 others are. */
static char *csv_rows(void)
{
    char *text = mem_strdup("y,q,n,k,d,m\n");
    for (int i = 0; i < 80; i++) {
        char *longer = mem_printf("%s%d,q%d,1,common %d,1,x%d\n", text, i % 2, i / 8, i % 40, i % 40);
        mem_free(text);
        text = longer;
    }
    char *all = mem_printf("%s1,last query,2,caf\xc3\xa9 \x1b[31m<b>,1000,one|two\n", text);
    mem_free(text);
    return all;
}

static void test_every_kind_of_value_is_shown(void **state)
{
    (void)state;
    char *rows = csv_rows();
    const char *path = import_string(CSV_SCHEMA, rows);
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 0, &dataset), ST_OK);
    shown_values_t *shown = shown_values_create(dataset);
    assert_string_equal(shown_of(shown, 1, "caf\xc3\xa9 \x1b[31m<b>"), "caf\xc3\xa9 \\x1b[31m<b>");
    assert_string_equal(shown_of(shown, 1, ""), "(missing)");
    assert_string_equal(shown_of(shown, 1, "nowhere"), "#8e5038ff0d14070b");
    assert_string_equal(shown_of(shown, 2, "10"), "10 (724 to 1447)");
    assert_string_equal(shown_of(shown, 3, "two"), "two");
    assert_string_equal(shown_group(shown, "last query"), "last query");
    assert_string_equal(shown_group(shown, "q3"), "q3");
    shown_values_destroy(&shown);
    const uint64_t content = dataset_info(dataset)->content_hash;
    dataset_close(&dataset);

    /* None are kept: the same content, and the keys. */
    dataset_t *without;
    assert_int_equal(dataset_open(import_string(CSV_SCHEMA "keep_values: {mb: 0}\n", rows), 0, &without), ST_OK);
    assert_true(dataset_info(without)->content_hash == content);
    shown = shown_values_create(without);
    assert_null(shown_values_kept(shown));
    assert_true(shown_of(shown, 3, "two")[0] == '#');
    assert_int_equal(strlen(shown_group(shown, "last query")), 16);
    shown_values_destroy(&shown);
    dataset_close(&without);
    mem_free(rows);
}

/* A cross is of the values of the first example that has its key; a dataset with other fields than the plan's says nothing. */
static void test_keys_of_rows_are_named(void **state)
{
    (void)state;
    char text[SHOWN_KEY_BYTES];
    dataset_t *dataset;
    planned_cross_t cross = {.parts = 2, .part = {1, 0}};
    char *names[] = {"k", "d", "k*d", "m"};
    table_plan_t plan = {.fields = 4, .first_cross = 2, .crosses = 1, .cross = &cross, .name = names};
    const char *rows = "y,q,n,k,d,m\n1,q,1,red,1,x\n0,q,1,green,1,y\n1,q,1,,3,x\n0,q,1,blue,7,z\n";
    assert_int_equal(dataset_open(import_string(CSV_SCHEMA, rows), 1 << 20, &dataset), ST_OK);
    const uint64_t green[] = {dataset_key("green", 5), dataset_key("1", 1)}, none[] = {dataset_key("", 0), dataset_key("2", 1)};
    assert_int_equal(shown_key_find(dataset, &plan, 3, dataset_key("z", 1), text), ST_OK);
    assert_string_equal(text, "m = z");
    assert_int_equal(shown_key_find(dataset, &plan, 0, none[0], text), ST_OK);
    assert_string_equal(text, "k = (missing)");
    assert_int_equal(shown_key_find(dataset, &plan, 2, cross_key(&cross, green), text), ST_OK);
    assert_string_equal(text, "d = 1, k = green");
    cross.buckets = 1 << 20;
    assert_int_equal(shown_key_find(dataset, &plan, 2, cross_key(&cross, none), text), ST_OK);
    assert_string_equal(text, "d = 2, k = (missing), or others of the bucket");
    assert_int_equal(shown_key_find(dataset, &plan, 2, 1 << 20, text), ST_OK);
    assert_string_equal(text, "");
    plan.fields = 5;
    assert_int_equal(shown_key_find(dataset, &plan, 3, dataset_key("z", 1), text), ST_OK);
    assert_string_equal(text, "");
    dataset_close(&dataset);
}

static void test_parquet(void **state)
{
    (void)state;
    const char *file = test_data("parquet/datapage_v2.snappy.parquet"), *path = test_path("parquet");
    if (!file)
        return;
    schema_t *schema;
    dataset_t *dataset;
    const char *yaml = "label: d\nsplit: {train_fraction: 0.5}\ngroup: a\n"
                       "columns: [b, {name: e, kind: multi}, {name: c, kind: numeric}]\n";
    assert_int_equal(schema_load(test_write("schema.yaml", yaml), &schema), ST_OK);
    assert_int_equal(import_text(file, schema, path, true, false), ST_OK);
    schema_destroy(&schema);
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    shown_values_t *shown = shown_values_create(dataset);
    assert_string_equal(shown_group(shown, "abc"), "abc");
    assert_string_equal(shown_of(shown, 1, "5"), "5");
    assert_string_equal(shown_of(shown, 2, "3"), "3");
    shown_values_destroy(&shown);
    dataset_close(&dataset);
}

static void test_features_and_generated_values(void **state)
{
    (void)state;
    dataset_t *dataset;
    assert_int_equal(dataset_open(import_string("format: libsvm\n", "1 qid:31 007:1 8:2\n0 qid:32 9:1\n"), 0, &dataset), ST_OK);
    shown_values_t *shown = shown_values_create(dataset);
    assert_string_equal(shown_of(shown, 0, "7"), "7");
    assert_string_equal(shown_group(shown, "32"), "32");
    shown_values_destroy(&shown);
    dataset_close(&dataset);

    const struct config_synth settings = {.rows = 2000,
                                          .fields = 4,
                                          .values = 1000,
                                          .exponent = 1.1,
                                          .factors = 2,
                                          .group_size = 5,
                                          .positive_rate = 0.5,
                                          .train_fraction = 0.5};
    const char *path = test_path("synth");
    assert_int_equal(synth_dataset(&settings, path, false), ST_OK);
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    shown = shown_values_create(dataset);
    dataset_example_t example;
    char text[64];
    assert_int_equal(dataset_fetch(dataset, &(int64_t){1999}, 1, &example), ST_OK);
    const dataset_info_t *info = dataset_info(dataset);
    for (int f = 0; f < info->single; f++) {
        const uint64_t key = example.block->single[example.row * info->single + f];
        shown_values_put(shown, info->numeric + f, key, text, sizeof text);
        assert_true(dataset_key(text, (int)strlen(text)) == key);
    }
    shown_values_group(shown, example.block->group[example.row], text, sizeof text);
    assert_string_equal(text, "399");
    shown_values_destroy(&shown);
    dataset_close(&dataset);
}

/* A megabyte of one field, less than its texts: what comes later is counted, and import says so. */
static void test_what_is_left_out_is_said(void **state)
{
    (void)state;
    enum { ROWS = 12000, WIDTH = 100 };
    char *rows = mem_alloc(ROWS, WIDTH + 8), *at = rows + sprintf(rows, "y,k\n");
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, "%d,%0*d\n", i % 2, WIDTH, i);
    catch_start();
    const char *path =
        import_string("label: y\nsplit: {train_fraction: 0.5}\ncolumns: [k]\nkeep_values: {field_mb: 1}\n", rows);
    catch_stop();
    assert_caught("the texts of 1515 values are not kept, as keep_values of the schema has it");
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 0, &dataset), ST_OK);
    shown_values_t *shown = shown_values_create(dataset);
    assert_int_equal(shown_values_kept(shown)->fields[0].kept, (1 << 20) / WIDTH);
    assert_int_equal(shown_values_kept(shown)->fields[0].left, ROWS - (1 << 20) / WIDTH);
    shown_values_destroy(&shown);
    dataset_close(&dataset);
    mem_free(rows);
}

static char *texts_by(const cpu_set_t *cores, const char *path, size_t *bytes)
{
    const struct config_synth settings = {.rows = 60000,
                                          .fields = 4,
                                          .values = 2000000,
                                          .exponent = 0.1,
                                          .factors = 1,
                                          .group_size = 5,
                                          .positive_rate = 0.5,
                                          .train_fraction = 0.5};
    char *data, *texts = mem_printf("%s/" DATASET_TEXTS, path);
    assert_int_equal(sched_setaffinity(0, sizeof *cores, cores), 0);
    assert_int_equal(synth_dataset(&settings, path, false), ST_OK);
    assert_int_equal(file_read(texts, &data, bytes), ST_OK);
    mem_free(texts);
    return data;
}

static void test_cores_change_nothing(void **state)
{
    (void)state;
    cpu_set_t all, first;
    size_t bytes[2];
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&first);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&first) == 0; core++)
        if (CPU_ISSET(core, &all))
            CPU_SET(core, &first);
    char *one = texts_by(&first, test_path("one-core"), &bytes[0]), *several = texts_by(&all, test_path("several"), &bytes[1]);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(one, several, bytes[0]);
    mem_free(one);
    mem_free(several);
}

static void test_what_is_damaged_is_said_once(void **state)
{
    (void)state;
    const char *path = import_string("label: y\ncolumns: [k]\n", "y,k\n1,a\n0,b\n");
    char *texts = mem_printf("%s/" DATASET_TEXTS, path);
    dataset_t *dataset;
    assert_int_equal(truncate(texts, 100), 0);
    assert_int_equal(dataset_open(path, 0, &dataset), ST_OK);
    shown_values_t *shown = shown_values_create(dataset);
    catch_start();
    assert_string_equal(shown_of(shown, 0, "a"), "a"); /* one of the most frequent */
    assert_string_equal(shown_of(shown, 0, "c"), "#8c40219a46b9f81b");
    catch_stop();
    assert_caught(": data.texts is cut short or damaged, so values are shown by their keys; remove it, or import again");
    assert_ptr_equal(strchr(catch_text(), '\n'), strrchr(catch_text(), '\n'));
    shown_values_destroy(&shown);
    dataset_close(&dataset);

    path = import_string("label: y\ncolumns: [k]\n", "y,k\n1,a\n0,b\n0,c\n");
    mem_free(texts);
    texts = mem_printf("%s/" DATASET_TEXTS, path);
    FILE *piece = fopen(texts, "r+");
    assert_non_null(piece);
    assert_true(fseek(piece, 60, SEEK_SET) == 0 && fputs("XX", piece) >= 0 && fclose(piece) == 0);
    const char *more = test_write("more.csv", "y,k\n1,d\n");
    catch_start();
    assert_int_equal(import_append(&more, 1, NULL, -1, path, true, false), ST_OK);
    catch_stop();
    assert_caught(": data.texts has a damaged piece at byte 8; texts of its values are lost where rows are appended\n");
    mem_free(texts);
}

/* A number is stored with rounding: what was 0 is shown as 0. */
static void test_nought_is_shown_as_nought(void **state)
{
    (void)state;
    const char *path = import_string("label: y\ncolumns: [{name: n, kind: numeric, transform: standardise}]\n",
                                     "y,n\n1,0\n0,1\n0,2\n1,3\n0,4\n1,6\n");
    dataset_t *dataset;
    dataset_example_t example;
    const int64_t first = 0;
    assert_int_equal(dataset_open(path, 1 << 20, &dataset), ST_OK);
    assert_int_equal(dataset_fetch(dataset, &first, 1, &example), ST_OK);
    assert_true(dataset_meta_number(&dataset_info(dataset)->fields[0], example.block->numeric[0]) == 0.0);
    dataset_close(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_found_again),
        cmocka_unit_test(test_a_bound_keeps_the_first),
        cmocka_unit_test(test_keys_of_their_own),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_every_kind_of_value_is_shown),
        cmocka_unit_test(test_keys_of_rows_are_named),
        cmocka_unit_test(test_parquet),
        cmocka_unit_test(test_features_and_generated_values),
        cmocka_unit_test(test_what_is_left_out_is_said),
        cmocka_unit_test(test_cores_change_nothing),
        cmocka_unit_test(test_what_is_damaged_is_said_once),
        cmocka_unit_test(test_nought_is_shown_as_nought),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
