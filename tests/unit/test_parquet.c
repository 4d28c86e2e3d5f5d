/* Proves of launcher/ingest/parquet: every type, encoding, codec, version of pages and form of lists is read as the text that
 * a CSV would have; what is not read is named with its reason; a file that is cut or changed anywhere is an error or other
 * values, and never more; and, where they are at hand, that files of other programs hold what another reader sees in them. */
#include "tests/lib/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/parquet/parquet_file.h"
#include "launcher/init/head_import.h"
#include "launcher/init/sample.h"
#include "tests/lib/parquet_samples.h"

static const char *write_file(const char *name, const uint8_t *bytes, size_t count)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s", test_path("%s", name));
    FILE *out = fopen(path, "w"); /* and no wait for the disk */
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, count, out), count);
    assert_int_equal(fclose(out), 0);
    return path;
}

/* All that is read of a file, rows as lines and columns with tabs between, values of lists with bars behind; NULL: an error.
 * **Owned**. */
static char *read_all(const char *path, const char *only)
{
    parquet_file_t *file = NULL;
    char *text = NULL;
    size_t bytes;
    bool end = false;
    const parquet_cell_t *cells;
    status_t status;
    FILE *out = open_memstream(&text, &bytes);
    TRY_DONE(parquet_file_open(path, &file));
    const parquet_columns_t *columns = parquet_file_columns(file);
    bool *wanted = MEM_ARRAY(bool, columns->count);
    for (size_t c = 0; c < columns->count && status == ST_OK; c++) {
        const parquet_column_t *column = &columns->column[c];
        wanted[c] = only ? strcmp(only, column->name) == 0 : !column->refusal;
        if (wanted[c])
            status = parquet_file_want(file, (int)c, column->is_list ? PARQUET_AS_MANY : PARQUET_AS_TEXT);
    }
    for (int rows = 0; status == ST_OK && !end && rows < 100000; rows++) {
        status = parquet_file_next(file, &cells, &end);
        for (size_t c = 0; status == ST_OK && !end && c < columns->count; c++) {
            for (int i = 0; i < cells[c].bytes; i++)
                fputc(cells[c].text[i] || !cells[c].is_list ? cells[c].text[i] : '|', out);
            fputs(c + 1 < columns->count ? "\t" : "\n", out);
        }
    }
    mem_free(wanted);
done:
    fclose(out);
    char *copy = status == ST_OK ? mem_strdup(text) : NULL;
    free(text);
    parquet_file_close(&file);
    return copy;
}

static void assert_sample(const parquet_sample_t *sample, int encoding, int codec, bool is_v2, bool is_optional, int repeats)
{
    size_t bytes, used = 0;
    uint8_t *made = parquet_sample_file(sample, encoding, codec, is_v2, is_optional, repeats, &bytes);
    char *text = read_all(write_file("sample.parquet", made, bytes), NULL), *expected = mem_alloc(1 << 20, 1);
    for (int g = 0; g < 2; g++)
        for (int i = 0; i < sample->count * repeats; i++)
            used += (size_t)sprintf(expected + used, "%s\n", is_optional && i % 3 == 2 ? "" : sample->texts[i % sample->count]);
    if (!text || strcmp(text, expected) != 0)
        fail_msg("%s, encoding %d, codec %d, version %d, optional %d: expected\n%sand not\n%s", sample->name, encoding, codec,
                 is_v2 + 1, is_optional, expected, text ? text : "(an error)");
    mem_free(made);
    mem_free(text);
    mem_free(expected);
}

static void test_types_and_encodings(void **state)
{
    (void)state;
    for (int s = 0; s < parquet_samples_count; s++)
        for (const int *encoding = parquet_samples[s].encodings; *encoding >= 0; encoding++)
            for (int way = 0; way < 4; way++)
                assert_sample(&parquet_samples[s], *encoding, 0, way & 1, way >> 1, way == 0 ? 1 : 40);
}

static void test_codecs(void **state)
{
    (void)state;
    static const int codecs[] = {1, 2, 5, 6, 7};
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++)
        for (int s = 0; s < parquet_samples_count; s += 7)
            for (int is_v2 = 0; is_v2 < 2; is_v2++)
                assert_sample(&parquet_samples[s], 0, codecs[c], is_v2, true, 60);
}

static void test_lists_and_structs(void **state)
{
    (void)state;
    for (int layers = 1; layers <= 3; layers++)
        for (int is_v2 = 0; is_v2 < 2; is_v2++) {
            size_t bytes;
            uint8_t *made = parquet_nested_file(layers, 1, is_v2, &bytes);
            char *text = read_all(write_file("nested.parquet", made, bytes), NULL);
            assert_non_null(text);
            assert_string_equal(text, "1\ta|b|c|\t\t7\t\n0\t\t\t\t\n1\t\t\t\t\n");
            mem_free(text);
            mem_free(made);
        }
}

static void assert_refused(const char *path, const char *column, const char *why)
{
    catch_start();
    char *text = read_all(path, column);
    catch_stop();
    assert_null(text);
    assert_caught(path);
    assert_caught(why);
}

static void test_what_is_not_read_is_named(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *made = parquet_nested_file(3, 0, false, &bytes);
    const char *path = write_file("nested.parquet", made, bytes);
    assert_refused(path, "m", "column m cannot be read: it is a map");
    assert_refused(path, "s", "column s cannot be read: it is a struct; name one of its columns, such as s.x");
    parquet_file_t *file;
    catch_start();
    assert_int_equal(parquet_file_open(path, &file), ST_OK);
    assert_int_equal(parquet_file_want(file, 1, PARQUET_AS_TEXT), ST_INPUT);
    assert_caught("column tags is a list, which only an input of kind: multi can be");
    catch_stop();
    parquet_file_close(&file);
    mem_free(made);

    static const made_value_t value = {0, 0, 1, "", 0};
    made_element_t element = {"v", 1, 0, 0, 0, 0, 0, 0, 0};
    made_column_t column = {.values = &value, .count = 1};
    made_file_t one = {&element, 1, 1, &column, 1, 1, 1};
    static const struct {
        int codec, encoding, is_encrypted, type;
        const char *why;
    } cases[] = {{3, 0, 0, 1, "column v is compressed with LZO"},
                 {4, 0, 0, 1, "column v is compressed with Brotli"},
                 {9, 0, 0, 1, "column v is compressed with a codec that is not known here"},
                 {0, 4, 0, 1, "column v: damaged before byte"},
                 {0, 0, 1, 1, "column v is encrypted"},
                 {0, 0, 0, 11, "column v: its type is none that there is"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        column.codec = cases[i].codec;
        column.encoding = cases[i].encoding;
        column.is_encrypted = cases[i].is_encrypted;
        element.type = cases[i].type < 8 ? cases[i].type : 1;
        made = parquet_write(&one, &bytes);
        for (size_t b = 4; cases[i].type > 8 && b < bytes; b++)
            if (memcmp(made + b, "\x15\x02\x25\x00\x18\x01v", 7) == 0)
                made[b + 1] = (uint8_t)(cases[i].type << 1);
        assert_refused(write_file("one.parquet", made, bytes), "v", cases[i].why);
        mem_free(made);
    }
    made = parquet_write(&one, &bytes);
    memcpy(made + bytes - 4, "PARE", 4);
    memcpy(made, "PARE", 4);
    assert_refused(write_file("one.parquet", made, bytes), NULL, "this Parquet file is encrypted");
    mem_free(made);
}

static void test_a_wrong_checksum_is_seen(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *made = parquet_sample_file(&parquet_samples[1], 0, 0, false, false, 1, &bytes);
    for (size_t b = 4; b < bytes; b++)
        if (memcmp(made + b, "\xff\xff\xff\x7f", 4) == 0) {
            made[b] ^= 1;
            break;
        }
    assert_refused(write_file("sum.parquet", made, bytes), NULL, "the checksum of a page is another than that of its bytes");
    mem_free(made);
}

/* Every byte in turn, and every length. What comes out is an error or some values; sanitizers watch (make sanitize). */
static void test_damage_anywhere(void **state)
{
    (void)state;
    static const int encodings[] = {5, 7, 8, 3, 9};
    static const int samples[] = {5, 21, 21, 0, 19};
    catch_start();
    for (size_t s = 0; s < 2 * sizeof samples / sizeof *samples; s++) {
        size_t bytes;
        const size_t k = s / 2;
        uint8_t *made = s == 9 ? parquet_nested_file(3, 1, false, &bytes)
                               : parquet_sample_file(&parquet_samples[samples[k]], encodings[k] == 8 ? 2 : encodings[k],
                                                     s % 2 ? 1 : 0, s % 2, true, 2, &bytes);
        for (size_t at = 0; at < bytes; at += 2) {
            const uint8_t was = made[at];
            made[at] = at % 3 ? (uint8_t)(was ^ 1 << at % 8) : (uint8_t)~was;
            mem_free(read_all(write_file("damaged.parquet", made, bytes), NULL));
            made[at] = was;
        }
        for (size_t cut = 0; cut < bytes; cut += 7) {
            char *text = read_all(write_file("cut.parquet", made, cut), NULL);
            assert_null(text);
        }
        mem_free(made);
    }
    catch_stop();
}

/* ---- import ---- */

static const schema_column_t schema_columns[] = {{.name = "tags", .kind = COLUMN_MULTI, .separator = "|"},
                                                 {.name = "s.x", .kind = COLUMN_NUMERIC},
                                                 {.name = "k", .column = "s.x"}};

static const schema_t schema = {.format = FORMAT_CSV,
                                .header = true,
                                .label = "y",
                                .group = "",
                                .time = "",
                                .split_column = "",
                                .train_fraction = 1.0,
                                .columns = (schema_column_t *)(uintptr_t)schema_columns,
                                .columns_count = 3};

static uint64_t content_of(const char *path)
{
    dataset_t *dataset;
    assert_int_equal(dataset_open(path, 0, &dataset), ST_OK);
    const uint64_t hash = dataset_info(dataset)->content_hash;
    dataset_close(&dataset);
    return hash;
}

static void test_import_is_that_of_the_same_csv(void **state)
{
    (void)state;
    size_t bytes;
    char *text = mem_strdup(test_path("of-text")), *parquet = mem_strdup(test_path("of-parquet"));
    const char *csv = test_write("same.csv", "y,tags,s.x\n1,a|b|c,7\n0,,\n1,,\n");
    assert_int_equal(import_text(csv, &schema, text, true, false), ST_OK);
    uint8_t *made = parquet_nested_file(3, 6, true, &bytes);
    /* A value of a list may have the separator in it, and stays one: here it is made two, as in the CSV. */
    for (size_t b = 0; b + 3 < bytes; b++)
        if (memcmp(made + b, "b|c", 3) == 0)
            made[b + 1] = '|';
    const char *input = write_file("same.parquet", made, bytes);
    assert_int_equal(import_text(input, &schema, parquet, true, false), ST_OK);
    assert_int_not_equal(content_of(text), content_of(parquet));
    csv = test_write("same.csv", "y,tags,s.x\n1,a;b|c,7\n0,,\n1,,\n");
    schema_column_t other[3];
    memcpy(other, schema_columns, sizeof other);
    other[0].separator = (char *)(uintptr_t) ";";
    schema_t by_semicolon = schema;
    by_semicolon.columns = other;
    char *again = mem_strdup(test_path("of-text-again"));
    assert_int_equal(import_text(csv, &by_semicolon, again, true, false), ST_OK);
    assert_int_equal(content_of(again), content_of(parquet));
    mem_free(made);
    mem_free(text);
    mem_free(parquet);
    mem_free(again);
}

static void test_first_rows(void **state)
{
    (void)state;
    size_t bytes;
    dataset_t *dataset;
    uint8_t *made = parquet_nested_file(3, 0, false, &bytes);
    const char *input = write_file("head.parquet", made, bytes);
    assert_int_equal(import_head(input, &schema, test_path("head"), 2), ST_OK);
    assert_int_equal(dataset_open(test_path("head"), 0, &dataset), ST_OK);
    assert_int_equal(dataset_info(dataset)->rows, 2);
    assert_false(dataset_origin(dataset)->is_file);
    dataset_close(&dataset);
    assert_int_equal(head_import(input, &schema, test_path("."), test_path("all")), ST_OK);
    assert_int_equal(dataset_open(test_path("all"), 0, &dataset), ST_OK);
    assert_int_equal(dataset_info(dataset)->rows, 3);
    dataset_close(&dataset);
    sample_t sample;
    assert_int_equal(sample_read(input, &sample), ST_OK);
    assert_true(sample.rows == 3 && sample.in_file == 3 && sample.is_counted);
    sample_free(&sample);
    mem_free(made);
}

static void test_kinds_of_files(void **state)
{
    (void)state;
    schema_t wanted = schema;
    const char *csv = test_write("text.csv", "y,tags,s.x\n1,a,7\n");
    catch_start();
    wanted.format = FORMAT_PARQUET;
    assert_int_equal(import_text(csv, &wanted, test_path("none"), true, false), ST_INPUT);
    assert_caught("text.csv: is no Parquet file, which the schema says by format: parquet");
    size_t bytes;
    uint8_t *made = parquet_nested_file(3, 0, false, &bytes);
    wanted.format = FORMAT_LIBSVM;
    assert_int_equal(import_text(write_file("rows.parquet", made, bytes), &wanted, test_path("none"), true, false), ST_INPUT);
    assert_caught("rows.parquet: a Parquet file has columns, and the schema's format: libsvm has features");
    mem_free(made);
    catch_stop();
    csv = test_write("named.csv", "PAR1,tags,s.x\n1,a,7\n");
    wanted = schema;
    wanted.label = (char *)(uintptr_t) "PAR1";
    assert_int_equal(import_text(csv, &wanted, test_path("named"), true, false), ST_OK);
}

/* ---- files of others ---- */

static void test_files_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int rows;
        const char *first;
    } files[] = {
        {"alltypes_dictionary.parquet", 2, "0\ttrue\t0\t0\t0\t0\t0.0\t0.0\t01/01/09\t0\t2009-01-01 00:00:00\n"},
        {"alltypes_plain.parquet", 8, "4\ttrue\t0\t0\t0\t0\t0.0\t0.0\t03/01/09\t0\t2009-03-01 00:00:00\n"},
        {"alltypes_plain.snappy.parquet", 2, "6\ttrue\t0\t0\t0\t0\t0.0\t0.0\t04/01/09\t0\t2009-04-01 00:00:00\n"},
        {"alltypes_tiny_pages_plain.parquet", 7300,
         "122\ttrue\t2\t2\t2\t20\t2.2\t20.2\t01/13/09\t2\t2009-01-13 01:02:05.41\t2009\t1\n"},
        {"byte_array_decimal.parquet", 24, "1.00\n"},
        {"byte_stream_split.zstd.parquet", 300, "1.7640524\t-1.3065268517353166\n"},
        {"concatenated_gzip_members.parquet", 513, "1\n"},
        {"datapage_v1-snappy-compressed-checksum.parquet", 5120, "50462976\t1734763876\n"},
        {"datapage_v2.snappy.parquet", 5, "abc\t1\t2.0\ttrue\t1|2|3|\n"},
        {"delta_encoding_optional_column.parquet", 100,
         "100\t1254468\t6370\t6672\t2449148\t2449118\t13\t7\t1958\tAAAAAAAAEGAAAAAA"},
        {"int32_with_null_pages.parquet", 1000, "-654807448\n"},
        {"int96_from_spark.parquet", 6, "2024-01-01 20:34:56.123456\n"},
        {"list_columns.parquet", 3, "1|2|3|\tabc|efg|hij|\n"},
        {"lz4_raw_compressed.parquet", 4, "1593604800\tabc\t42.0\n"},
        {"nested_maps.snappy.parquet", 6, "\t1\t1.0\n"},
        {"nulls.snappy.parquet", 8, "\t\n"},
        {"page_v2_empty_compressed.parquet", 10, "\n"},
        {"plain-dict-uncompressed-checksum.parquet", 1000, "0\ta655fd0e-9949-4059-bcae-fd6a002a4652\n"},
        {"rle-dict-snappy-checksum.parquet", 1000, "0\tc95e263a-f5d4-401f-8107-5ca7146a1f98\n"},
        {"rle_boolean_encoding.parquet", 68, "true\n"},
        {"single_nan.parquet", 1, "\n"},
        {"sort_columns.parquet", 6, "\ta\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[128];
        snprintf(name, sizeof name, "parquet/%s", files[i].name);
        const char *path = test_data(name);
        if (!path)
            skip();
        char *text = read_all(path, NULL);
        if (!text || strncmp(text, files[i].first, strlen(files[i].first)) != 0)
            fail_msg("%s begins with %.200s", files[i].name, text ? text : "(an error)");
        int rows = 0;
        for (const char *at = text; *at; at++)
            rows += *at == '\n';
        assert_int_equal(rows, files[i].rows);
        mem_free(text);
    }
    assert_refused(test_data("parquet/nested_maps.snappy.parquet"), "a", "column a cannot be read: it is a map");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_encodings),
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_lists_and_structs),
        cmocka_unit_test(test_what_is_not_read_is_named),
        cmocka_unit_test(test_a_wrong_checksum_is_seen),
        cmocka_unit_test(test_damage_anywhere),
        cmocka_unit_test(test_import_is_that_of_the_same_csv),
        cmocka_unit_test(test_kinds_of_files),
        cmocka_unit_test(test_first_rows),

        cmocka_unit_test(test_files_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
