/* Proves: "Bad rows: reported with file and line, counted, limited by max_bad_rows, never silently dropped"; that text in every
 * dress (plain, gzip, zstd, LF, CRLF) is the same content; that quoting, transforms, splits and libsvm are read as an
 * independent encoder wrote them; and, where the data is at hand, the known numbers of a real log. */
#include "tests/lib/testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/compress.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "launcher/ingest/import.h"

/* Label y, group u, time t; inputs: numeric a, b, c with the three transforms; category k; bucket d; multi m. */
static schema_column_t columns[] = {
    {.name = "k", .kind = COLUMN_CATEGORICAL},
    {.name = "a", .kind = COLUMN_NUMERIC},
    {.name = "b", .kind = COLUMN_NUMERIC, .transform = TRANSFORM_LOG1P},
    {.name = "c", .kind = COLUMN_NUMERIC, .transform = TRANSFORM_STANDARDISE},
    {.name = "m", .kind = COLUMN_MULTI, .separator = "|", .pooling = POOLING_MEAN},
    {.name = "d", .kind = COLUMN_CATEGORICAL, .transform = TRANSFORM_LOG2_BUCKET},
};
#define HEADER "y,u,t,k,a,b,c,d,m\n"

static schema_t csv_schema(void)
{
    return (schema_t){.format = FORMAT_CSV,
                      .header = true,
                      .label = "y",
                      .group = "u",
                      .time = "t",
                      .split_column = "",
                      .train_fraction = 1.0,
                      .columns = columns,
                      .columns_count = sizeof columns / sizeof *columns};
}

static schema_t libsvm_schema(void)
{
    return (schema_t){.format = FORMAT_LIBSVM, .label = "", .train_fraction = 0.5, .feature_limit = 1000};
}

static int made;

/* Import a text; the dataset's path, or NULL where it failed. */
static const char *import_string(const schema_t *schema, const char *text, status_t expected)
{
    const char *input = test_write("input.txt", text), *path = test_path("dataset-%d", made++);
    const status_t status = import_text(input, schema, path, true, false);
    if (status != expected) {
        catch_stop();
        print_error("%s instead of %s; caught:\n%s", status_name(status), status_name(expected), catch_text());
    }
    assert_int_equal(status, expected);
    assert_int_equal(dataset_exists(path), expected == ST_OK);
    return expected == ST_OK ? path : NULL;
}

static dataset_t *open_dataset(const char *path)
{
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, 1ll << 30, &dataset), ST_OK);
    return dataset;
}

static const dataset_block_t *first_block(dataset_t *dataset)
{
    dataset_example_t example;
    assert_int_equal(dataset_fetch(dataset, &(int64_t){0}, 1, &example), ST_OK);
    return example.block;
}

static uint64_t text_key(const char *text)
{
    return dataset_key(text, (int)strlen(text));
}

/* ---- good rows ---- */

static void test_columns_and_transforms(void **state)
{
    (void)state;
    const schema_t schema = csv_schema();
    dataset_t *dataset = open_dataset(import_string(&schema,
                                                    HEADER "1,alice,100,red,1.5,3,10,0,x|y|z\n"
                                                           "0,bob,-7,\"a,\"\"b\"\"\nc\",-2e1,-3,20,7,x\n"
                                                           "0.0,bob,1e3,,,,,,\n"
                                                           "1,,5, 7 ,.5,0,30,1000,|x||\n",
                                                    ST_OK));
    const dataset_info_t *info = dataset_info(dataset);
    const dataset_block_t *b = first_block(dataset);
    assert_int_equal(info->rows, 4);
    assert_int_equal(info->train_rows, 4);
    assert_int_equal(info->positives, 2);
    assert_true(info->has_group && info->has_time);
    /* Numeric fields first, then single, then multi, each in the schema's order. */
    static const char *const names[] = {"a", "b", "c", "k", "d", "m"};
    for (int f = 0; f < 6; f++)
        assert_string_equal(info->fields[f].name, names[f]);
    static const char *const transforms[] = {"none", "log1p", "standardise", "none", "log2_bucket", ""};
    for (int f = 0; f < 6; f++)
        assert_string_equal(info->fields[f].rules.transform, transforms[f]);
    assert_string_equal(info->fields[5].rules.separator, "|");
    static const uint8_t labels[] = {1, 0, 0, 1};
    assert_memory_equal(b->label, labels, 4);
    static const int64_t times[] = {100, -7, 1000, 5};
    assert_memory_equal(b->time, times, sizeof times);
    assert_true(b->group[0] == text_key("alice") && b->group[1] == text_key("bob") && b->group[2] == text_key("bob"));
    const float deviation =
        (float)(10.0 / sqrt(200.0 / 3.0)); /* 10, 20, 30: mean 20, variance 200/3; the missing one is the mean */
    const float numeric[4][3] = {
        {1.5f, (float)log(4.0), -deviation}, {-20.0f, (float)-log(4.0), 0.0f}, {0}, {0.5f, 0.0f, deviation}};
    for (int r = 0; r < 4; r++)
        for (int f = 0; f < 3; f++)
            assert_float_equal(b->numeric[3 * r + f], numeric[r][f], 1e-6f);
    const uint64_t single[4][2] = {{text_key("red"), text_key("0")},
                                   {text_key("a,\"b\"\nc"), text_key("3")},
                                   {text_key(""), text_key("")},
                                   {text_key(" 7 "), text_key("10")}};
    assert_memory_equal(b->single, single, sizeof single);
    static const uint32_t at[] = {0, 3, 4, 4, 5};
    assert_memory_equal(b->multi_at, at, sizeof at);
    const uint64_t multi[] = {text_key("x"), text_key("y"), text_key("z"), text_key("x"), text_key("x")};
    assert_memory_equal(b->multi_key, multi, sizeof multi);
    assert_int_equal(info->fields[2].missing, 1);
    assert_int_equal(info->fields[3].missing, 1);
    assert_int_equal(info->fields[5].missing, 1);
    assert_int_equal(info->fields[3].cardinality, 4);
    dataset_close(&dataset);
}

static void test_no_header_and_tsv(void **state)
{
    (void)state;
    schema_column_t inputs[] = {{.name = "c3", .kind = COLUMN_CATEGORICAL}, {.name = "c2", .kind = COLUMN_NUMERIC}};
    const schema_t schema = {.format = FORMAT_TSV,
                             .label = "c1",
                             .group = "",
                             .time = "",
                             .split_column = "c2",
                             .split_train_max = 4.5,
                             .train_fraction = 1.0,
                             .columns = inputs,
                             .columns_count = 2};
    dataset_t *dataset = open_dataset(import_string(&schema, "0\t7\t\"quoted\"\n1\t4\tb\n1\t4.5\tb\n0\t4.51\tc", ST_OK));
    const dataset_block_t *b = first_block(dataset);
    assert_int_equal(dataset_info(dataset)->rows, 4);
    assert_int_equal(dataset_info(dataset)->train_rows, 2);
    assert_int_equal(dataset_position(dataset, SPLIT_TRAIN, 0), 1);
    assert_int_equal(dataset_position(dataset, SPLIT_TRAIN, 1), 2);
    assert_int_equal(dataset_position(dataset, SPLIT_EVAL, 1), 3);
    assert_true(b->single[0] == text_key("\"quoted\"")); /* TSV has no quoting */
    assert_false(dataset_info(dataset)->has_group);
    dataset_close(&dataset);
}

static void assert_splits(dataset_t *dataset, int64_t train, int64_t eval, int64_t test)
{
    const dataset_info_t *info = dataset_info(dataset);
    const int64_t seen[] = {dataset_position(dataset, SPLIT_TRAIN, 0), dataset_position(dataset, SPLIT_EVAL, 0),
                            dataset_position(dataset, SPLIT_TEST, 0)};
    assert_int_equal(info->train_rows + info->eval_rows + info->test_rows, 4);
    assert_int_equal(seen[0], train);
    assert_int_equal(seen[1], eval);
    assert_int_equal(seen[2], test);
    dataset_close(&dataset);
}

static void test_test_split(void **state)
{
    (void)state;
    schema_column_t input = {.name = "c2", .kind = COLUMN_CATEGORICAL};
    schema_t schema = {.format = FORMAT_TSV,
                       .label = "c1",
                       .group = "",
                       .time = "",
                       .split_column = "c3",
                       .split_train_max = 2,
                       .split_eval_max = 3,
                       .train_fraction = 1.0,
                       .columns = &input,
                       .columns_count = 1};
    assert_splits(open_dataset(import_string(&schema, "0\ta\t3.5\n1\tb\t1\n1\tb\t3\n0\tc\t2", ST_OK)), 1, 2, 0);
    schema.split_words = true;
    assert_splits(open_dataset(import_string(&schema, "0\ta\teval\n1\tb\ttest\n1\tb\ttrain\n0\tc\teval", ST_OK)), 2, 0, 1);
    catch_start();
    import_string(&schema, "0\ta\ttrain\n0\ta\tvalidation\n", ST_INPUT);
    assert_caught(":2: column c3: none of the words train, eval and test, value seen \"validation\"");
    import_string(&schema, "0\ta\tall\n", ST_INPUT);
    assert_caught(":1: column c3: none of the words train, eval and test, value seen \"all\"");
    import_string(&schema, "0\ta\ttest\n", ST_INPUT);
    assert_caught("no row is in the training split: none has the word train in c3");
    catch_stop();
    schema.split_column = "";
    schema.train_fraction = 0.5;
    schema.test_fraction = 0.25;
    assert_splits(open_dataset(import_string(&schema, "0\ta\t1\n1\tb\t1\n1\tb\t1\n0\tc\t1", ST_OK)), 0, 2, 3);
}

static void test_libsvm(void **state)
{
    (void)state;
    const schema_t schema = libsvm_schema();
    dataset_t *dataset = open_dataset(import_string(&schema,
                                                    "# made by hand\n+1 qid:3 1:0.5 007:2 1000:-1e-3 # comment 5:5\n"
                                                    "-1 qid:4\r\n\n0 qid:4 0:1\n1\tqid:5  12:1 ",
                                                    ST_OK));
    const dataset_info_t *info = dataset_info(dataset);
    const dataset_block_t *b = first_block(dataset);
    assert_int_equal(info->rows, 4);
    assert_int_equal(info->train_rows, 2);
    assert_int_equal(info->multi, 1);
    assert_int_equal(info->numeric + info->single, 0);
    assert_string_equal(info->fields[0].name, "features");
    assert_int_equal(info->fields[0].pooling, POOLING_SUM);
    static const uint8_t labels[] = {1, 0, 0, 1};
    assert_memory_equal(b->label, labels, 4);
    static const uint32_t at[] = {0, 3, 3, 4, 5};
    assert_memory_equal(b->multi_at, at, sizeof at);
    const uint64_t keys[] = {text_key("1"), text_key("7"), text_key("1000"), text_key("0"), text_key("12")};
    assert_memory_equal(b->multi_key, keys, sizeof keys);
    static const float weights[] = {0.5f, 2.0f, -1e-3f, 1.0f, 1.0f};
    assert_memory_equal(b->multi_weight, weights, sizeof weights);
    assert_true(info->has_group && b->group[0] == text_key("3") && b->group[1] == b->group[2]);
    dataset_close(&dataset);
}

/* ---- the same text in every dress ---- */

static uint64_t content_of(const char *input)
{
    const schema_t schema = csv_schema();
    const char *path = test_path("dataset-%d", made++);
    assert_int_equal(import_text(input, &schema, path, made % 2 == 0, false), ST_OK);
    dataset_t *dataset = open_dataset(path);
    const uint64_t hash = dataset_info(dataset)->content_hash;
    assert_int_equal(dataset_info(dataset)->rows, 30000);
    dataset_close(&dataset);
    return hash;
}

static void write_bytes(const char *path, const char *mode, const void *data, size_t bytes)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static char *make_text(const char *end_of_line)
{
    char *text = mem_alloc(4 << 20, 1);
    int at = sprintf(text, "y,u,t,k,a,b,c,d,m%s", end_of_line);
    for (uint64_t row = 0; row < 30000; row++)
        at += sprintf(text + at, "%d,u%d,%d,\"k,%d\",%g,%d,%.3f,%d,m%d|m%d%s", (int)(rng_u64(1, 1, row) % 2), (int)(row / 5),
                      (int)row, (int)(rng_u64(1, 2, row) % 500), rng_normal(1, 3, row), (int)(rng_u64(1, 4, row) % 1000),
                      rng_normal(1, 5, row), (int)(rng_u64(1, 6, row) % 99999), (int)(row % 7), (int)(row % 31), end_of_line);
    return text;
}

static size_t write_zstd(const char *path, const char *text, size_t bytes, bool append)
{
    const size_t room = compress_bound(bytes);
    char *packed = mem_alloc(room, 1);
    compressor_t *compressor = compressor_create();
    const size_t n = compress_block(compressor, text, bytes, packed, room);
    compressor_destroy(&compressor);
    write_bytes(path, append ? "ab" : "wb", packed, n);
    mem_free(packed);
    return n;
}

static void gzip_file(const char *path)
{
    char *command = mem_printf("gzip -kf %s", path);
    assert_int_equal(system(command), 0);
    mem_free(command);
}

static void test_same_content_in_every_dress(void **state)
{
    (void)state;
    char *text = make_text("\n"), *crlf = make_text("\r\n");
    const size_t bytes = strlen(text), half = bytes / 2;
    const char *plain = test_write("plain.csv", text);
    const uint64_t expected = content_of(plain);
    assert_true(content_of(test_write("crlf.csv", crlf)) == expected);

    char *marked = mem_printf("\xef\xbb\xbf%s", text);
    marked[strlen(marked) - 1] = 0; /* byte order mark, no final line ending */
    assert_true(content_of(test_write("marked.csv", marked)) == expected);

    gzip_file(plain);
    assert_true(content_of(test_path("plain.csv.gz")) == expected);
    const char *unnamed = test_path("name-says-nothing");
    assert_int_equal(rename(test_path("plain.csv.gz"), unnamed), 0);
    assert_true(content_of(unnamed) == expected);

    write_zstd(test_path("one.zst"), text, bytes, false);
    assert_true(content_of(test_path("one.zst")) == expected);
    write_zstd(test_path("two.zst"), text, half, false); /* two frames, cut inside a line */
    write_zstd(test_path("two.zst"), text + half, bytes - half, true);
    assert_true(content_of(test_path("two.zst")) == expected);

    char saved = text[half]; /* two gzip members */
    text[half] = 0;
    gzip_file(test_write("left", text));
    text[half] = saved;
    gzip_file(test_write("right", text + half));
    char *command = mem_printf("cat %s %s > %s", test_path("left.gz"), test_path("right.gz"), test_path("both.gz"));
    assert_int_equal(system(command), 0);
    assert_true(content_of(test_path("both.gz")) == expected);
    mem_free(command);
    mem_free(text);
    mem_free(crlf);
    mem_free(marked);
}

static void expect_failure(const char *input, const char *message)
{
    const schema_t schema = csv_schema();
    const char *path = test_path("dataset-%d", made++);
    catch_start();
    assert_int_equal(import_text(input, &schema, path, true, false), ST_INPUT);
    assert_caught(message);
    assert_caught(input); /* every message names the file */
    catch_stop();
    assert_false(dataset_exists(path));
}

static void test_files_that_are_cut_short(void **state)
{
    (void)state;
    char *text = make_text("\n");
    const size_t bytes = strlen(text);
    const char *zst = test_path("short.csv.zst"), *gz = test_path("short.csv.gz");
    const size_t packed = write_zstd(zst, text, bytes, false);
    assert_int_equal(truncate(zst, (off_t)packed * 3 / 4), 0);
    expect_failure(zst, "the zstd data is cut short after byte");
    assert_int_equal(truncate(zst, 3), 0);
    expect_failure(zst, "named .zst but not zstd data, or cut short");

    gzip_file(test_write("short.csv", text));
    FILE *f = fopen(gz, "rb+");
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    fclose(f);
    assert_int_equal(truncate(gz, size - 4), 0); /* all data, but not its length at the end */
    expect_failure(gz, "short.csv.gz:30002: the gzip data is cut short after byte");
    assert_int_equal(truncate(gz, size / 2), 0);
    expect_failure(gz, "the gzip data is cut short after byte");

    gzip_file(test_path("short.csv")); /* a damaged byte of its checksum */
    f = fopen(gz, "rb+");
    fseek(f, -8, SEEK_END);
    const int byte = fgetc(f);
    fseek(f, -8, SEEK_END);
    fputc(byte ^ 1, f);
    fclose(f);
    expect_failure(gz, "damaged gzip data near byte");
    expect_failure(gz, "incorrect data check");
    expect_failure(test_write("wrong.gz", "y,k\n1,2\n"), "named .gz but not gzip data");
    mem_free(text);
}

static void test_files_that_are_no_input(void **state)
{
    (void)state;
    expect_failure(test_path("missing.csv"), "cannot be opened: No such file or directory");
    expect_failure(test_write("empty.csv", ""), "the file is empty");
    expect_failure(test_write("blank.csv", "\n\n"), "there is no row in it");
    expect_failure(test_write("header.csv", HEADER), "there is no row in it");
}

/* Text as a zstd frame of one raw block, of a window of 2^log bytes. */
static const char *write_window(const char *name, int log, const char *text)
{
    const size_t bytes = strlen(text);
    const unsigned block = 1 | (unsigned)bytes << 3;
    const unsigned char head[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0, (unsigned char)((log - 10) << 3), block & 255, block >> 8 & 255, block >> 16};
    write_bytes(test_path("%s", name), "wb", head, sizeof head);
    write_bytes(test_path("%s", name), "ab", text, bytes);
    return test_path("%s", name);
}

static int64_t rows_of(const char *input)
{
    const schema_t schema = csv_schema();
    const char *path = test_path("dataset-%d", made++);
    catch_start();
    const status_t status = import_text(input, &schema, path, true, false);
    catch_stop();
    if (status != ST_OK)
        fail_msg("%s: %s", input, catch_text());
    dataset_t *dataset = open_dataset(path);
    const int64_t rows = dataset_info(dataset)->rows;
    dataset_close(&dataset);
    return rows;
}

#define TWO_ROWS HEADER "1,u,1,k,1,1,1,1,m\n0,u,1,k,1,1,1,1,m\n"

/* A limit is not damage: what `zstd --long=31` writes is read, and a larger window is called what it is. */
static void test_windows_of_zstd(void **state)
{
    (void)state;
    assert_int_equal(rows_of(write_window("w28.zst", 28, TWO_ROWS)), 2);
    assert_int_equal(rows_of(write_window("w31.zst", 31, TWO_ROWS)), 2);
    expect_failure(write_window("w32.zst", 32, TWO_ROWS),
                   "cannot be read here: its window is larger than 2 GiB; give it through a pipe");
    static const char zeros[700000];
    const char *padded = write_window("padded.zst", 20, TWO_ROWS);
    write_bytes(padded, "ab", zeros, sizeof zeros);
    assert_int_equal(rows_of(padded), 2);
    write_bytes(padded, "ab", "x", 1);
    expect_failure(padded, "padded.zst: bytes that are no zstd data follow the zstd data, at byte ");
}

/* Zero bytes behind a member fill a block, and another member may follow; anything else is named. */
static void test_padded_gzip(void **state)
{
    (void)state;
    static const char zeros[700000];
    gzip_file(test_write("p.csv", TWO_ROWS));
    const char *padded = test_path("p.csv.gz");
    write_bytes(padded, "ab", zeros, 512);
    assert_int_equal(rows_of(padded), 2);
    gzip_file(test_write("more.csv", "1,u,1,k,1,1,1,1,m\n"));
    char *command = mem_printf("cat %s >>%s", test_path("more.csv.gz"), padded);
    assert_int_equal(system(command), 0);
    mem_free(command);
    write_bytes(padded, "ab", zeros, sizeof zeros); /* more than the reader's buffer */
    assert_int_equal(rows_of(padded), 3);
    write_bytes(padded, "ab", "log", 3);
    expect_failure(padded, "p.csv.gz: bytes that are no gzip data follow the gzip data, at byte ");
}

static void test_files_of_other_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        size_t bytes;
        const char *message;
    } files[] = {
        {"PAR1\x15\x04\x15", 7, "kind: a Parquet file cut short: it has 7 bytes; fetch or write it again"},
        {"ORC\x0a\x03", 5, "this is an ORC file"},
        {"Obj\x01\x04", 5, "this is an Avro file"},
        {"\xfd"
         "7zXZ\0\0\4",
         8, "this is compressed with xz"},
        {"BZh91AY&SY\x01\x02", 12,
         "this is compressed with bzip2, and import reads text, plain, gzip or zstd; give it through a pipe: bzip2 -dc "
         "FILE | smelter import /dev/stdin"},
        {"\x04\x22\x4d\x18\x64", 5, "this is compressed with lz4"},
        {"PK\x03\x04\x14\0", 6, "this is a zip archive"},
        {"\xff\xfey\0,\0", 6, "this is text in UTF-16"},
        {"y\0,\0u\0s\0e\0r\0\n\0001\0", 16, "give it through a pipe: iconv -f UTF-16LE -t UTF-8 FILE | smelter import"},
        {"\0y\0,\0u\0s\0e\0r\0\n\0001", 16, "iconv -f UTF-16BE"},
        {"y\0\0\0,\0\0\0u\0\0\0s\0\0\0e\0\0\0r\0\0\0\n\0\0\0001\0\0\0", 32, "this is text in UTF-32"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_bytes(test_path("kind"), "wb", files[i].start, files[i].bytes);
        expect_failure(test_path("kind"), files[i].message);
    }
    /* Words that a header may begin with. */
    expect_failure(test_write("words.csv", "PAR1,ORC,BZh\n1,2,3\n"), "no column y, which the schema wants as label");
    /* A tar archive, and compressed twice. */
    char tar[512] = "a.csv";
    memcpy(tar + 257, "ustar", 5);
    write_bytes(test_path("t"), "wb", tar, sizeof tar);
    gzip_file(test_path("t"));
    expect_failure(test_path("t"), "this is a tar archive");
    expect_failure(test_path("t.gz"), "inside its compression this is a tar archive");
    assert_int_equal(rename(test_path("t.gz"), test_path("tt")), 0);
    gzip_file(test_path("tt"));
    expect_failure(test_path("tt.gz"), "inside its compression this is compressed with gzip");
}

/* ---- bad rows ---- */

/* A good row, a bad row in line 3, a good row: the message, and that the bad one alone is left out when that is allowed. */
static void expect_bad_row(const schema_t *base, const char *head, const char *good, const char *bad, const char *message)
{
    schema_t schema = *base;
    char *text = mem_printf("%s%s%s%s", head, good, bad, good);
    schema.max_bad_rows = 0;
    catch_start();
    import_string(&schema, text, ST_INPUT);
    assert_caught(message);
    assert_caught("input.txt: 1 bad row after 1 good ones, more than max_bad_rows (0) allows");
    catch_stop();

    schema.max_bad_rows = 1;
    catch_start();
    dataset_t *dataset = open_dataset(import_string(&schema, text, ST_OK));
    assert_caught(message);
    assert_caught("1 bad row left out (max_bad_rows is 1)");
    catch_stop();
    assert_int_equal(dataset_info(dataset)->rows, 2);
    assert_int_equal(dataset_info(dataset)->bad_rows, 1);
    dataset_close(&dataset);
    mem_free(text);
}

static void test_bad_rows(void **state)
{
    (void)state;
    schema_t schema = csv_schema();
    static const char good[] = "1,u,1,k,1,1,1,1,m\n";
    static const struct {
        const char *row, *message;
    } bad[] = {
        {"2,u,1,k,1,1,1,1,m\n", "input.txt:3: column y: a label is 0 or 1, value seen \"2\""},
        {"-1,u,1,k,1,1,1,1,m\n", "input.txt:3: column y: a label is 0 or 1, value seen \"-1\""},
        {",u,1,k,1,1,1,1,m\n", "input.txt:3: column y: a label is 0 or 1, value seen \"\""},
        {"nan,u,1,k,1,1,1,1,m\n", "input.txt:3: column y: a label is 0 or 1, value seen \"nan\""},
        {"1,u,1,k,1,1,1,1\n", "input.txt:3: too few columns: 8, the header has 9"},
        {"1,u,1,k,1,1,1,1,m,extra\n", "input.txt:3: too many columns: 10, the header has 9"},
        {"1,u,1,k,1x,1,1,1,m\n", "input.txt:3: column a: not a number, value seen \"1x\""},
        {"1,u,1,k,1,--1,1,1,m\n", "input.txt:3: column b: not a number, value seen \"--1\""},
        {"1,u,1,k,0x10,1,1,1,m\n", "input.txt:3: column a: not a number, value seen \"0x10\""},
        {"1,u,1,k,1,1,NaN,1,m\n", "input.txt:3: column c: not a finite number, value seen \"NaN\""},
        {"1,u,1,k,-inf,1,1,1,m\n", "input.txt:3: column a: not a finite number, value seen \"-inf\""},
        {"1,u,1,k,1e999,1,1,1,m\n", "input.txt:3: column a: not a finite number, value seen \"1e999\""},
        {"1,u,1,k,1e40,1,1,1,m\n", "input.txt:3: column a: out of the range of 32-bit floating point, value seen \"1e40\""},
        {"1,u,1,k,1,1,1,-5,m\n", "input.txt:3: column d: a negative number has no logarithm bucket, value seen \"-5\""},
        {"1,u,1,k,1,1,1,x,m\n", "input.txt:3: column d: not a number, value seen \"x\""},
        {"1,u,noon,k,1,1,1,1,m\n",
         "input.txt:3: column t: neither a number nor a date such as 2016-06-14, 2016-06-14 04:06:19.061 or "
         "2016-06-14T05:00:00+02:00, value seen \"noon\""},
        {"1,u,1e30,k,1,1,1,1,m\n", "input.txt:3: column t: out of the range of 64 bits, value seen \"1e30\""},
        {"1,u,1,\"k\"x,1,1,1,1,m\n", "input.txt:3: column k: text after a closing quote, value seen \"x,1,1,1,1,m\""},
        {"1,u,1,k,a\x01"
         "b,1,1,1,m\n",
         "input.txt:3: column a: not a number, value seen \"a\\x01b\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_bad_row(&schema, HEADER, good, bad[i].row, bad[i].message);
    schema.split_column = "t";
    schema.split_train_max = 1.0;
    expect_bad_row(&schema, HEADER, good, "1,u,,k,1,1,1,1,m\n", "input.txt:3: column t: not a number, value seen \"\"");
}

static void test_bad_libsvm_rows(void **state)
{
    (void)state;
    const schema_t schema = libsvm_schema();
    static const struct {
        const char *row, *message;
    } bad[] = {
        {"3 1:1\n", "input.txt:3: column label: a label is 0 or 1, or -1 or +1, value seen \"3\""},
        {"1:1 2:1\n", "input.txt:3: column label: a label is 0 or 1, or -1 or +1, value seen \"1:1\""},
        {"1 1001:1\n", "input.txt:3: column features: feature id overflow (see feature_limit), value seen \"1001:1\""},
        {"1 99999999999999999999:1\n", "input.txt:3: column features: feature id overflow (see feature_limit)"},
        {"1 -4:1\n", "input.txt:3: column features: a feature is ID:VALUE with a decimal id, value seen \"-4:1\""},
        {"1 :1\n", "input.txt:3: column features: a feature is ID:VALUE with a decimal id, value seen \":1\""},
        {"1 4\n", "input.txt:3: column features: a feature is ID:VALUE, value seen \"4\""},
        {"1 4:\n", "input.txt:3: column features: not a number, value seen \"4:\""},
        {"1 4:one\n", "input.txt:3: column features: not a number, value seen \"4:one\""},
        {"1 4:nan\n", "input.txt:3: column features: not a finite number, value seen \"4:nan\""},
        {"1 4:1e39\n", "input.txt:3: column features: out of the range of 32-bit floating point, value seen \"4:1e39\""},
        {"1 qid:4 1:1\n", "input.txt:3: column qid: there is one, but the first row has none"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_bad_row(&schema, "# comment\n", "1 1:1\n", bad[i].row, bad[i].message);
    expect_bad_row(&schema, "# comment\n", "1 qid:1 1:1\n", "1 1:1\n", "column qid: there is none, but the first row has one");
}

static void test_bad_rows_are_counted_and_limited(void **state)
{
    (void)state;
    schema_t schema = csv_schema();
    schema.max_bad_rows = 2;
    catch_start();
    import_string(&schema, HEADER "1,u,1,k,1,1,1,1,m\n7,u,1,k,1,1,1,1,m\n\n8,u,1,k,1,1,1,1,m\n0,u,1,k,1,1,1,1,m\n9\n0\n",
                  ST_INPUT);
    assert_caught("input.txt:3: column y");
    assert_caught("input.txt:5: column y"); /* the empty line 4 counts as a line and is no row */
    assert_caught("input.txt:7: too few columns: 1, the header has 9");
    assert_caught("input.txt: 3 bad rows after 2 good ones, more than max_bad_rows (2) allows; correct the input, or raise");
    assert_false(catch_has("input.txt:8"));
    schema.max_bad_rows = 1000;
    import_string(&schema, HEADER "7,u,1,k,1,1,1,1,m\n", ST_INPUT);
    assert_caught("there is no good row in it");
    catch_stop();
}

static void test_a_quote_that_is_never_closed(void **state)
{
    (void)state;
    schema_t schema = csv_schema();
    schema.max_bad_rows = 1000; /* not a bad row: all that follows is in doubt */
    catch_start();
    import_string(&schema, HEADER "1,u,1,k,1,1,1,1,m\n1,u,1,\"k,1,1,1,1,m\n1,u,1,k,1,1,1,1,m\n", ST_INPUT);
    assert_caught("input.txt:3: a quote is opened in this row and not closed before the end of the file");
    catch_stop();
}

static void test_schema_and_header(void **state)
{
    (void)state;
    static const char text[] = "label,user_id,items,u\n1,a,3,4\n";
    schema_column_t input = {.name = "user", .kind = COLUMN_CATEGORICAL};
    schema_t schema = {.format = FORMAT_CSV,
                       .header = true,
                       .label = "label",
                       .group = "",
                       .time = "",
                       .split_column = "",
                       .train_fraction = 1.0,
                       .columns = &input,
                       .columns_count = 1};
    catch_start();
    import_string(&schema, text, ST_INPUT);
    assert_caught("input.txt: no column user, which the schema wants as input; near it there is user_id, u");
    input.name = "completely different";
    import_string(&schema, text, ST_INPUT);
    assert_caught("no column completely different, which the schema wants as input; the header has no name like it");
    input.name = "label";
    import_string(&schema, text, ST_INPUT);
    assert_caught("the schema wants column label both as label and as input");
    input.name = "items";
    schema.label = "Label";
    import_string(&schema, text, ST_INPUT);
    assert_caught("no column Label, which the schema wants as label; near it there is label");
    schema.label = "label";
    schema.time = "itemz";
    import_string(&schema, text, ST_INPUT);
    assert_caught("no column itemz, which the schema wants as time; near it there is items");
    schema.time = "";
    import_string(&schema, "label,items,items\n1,2,3\n", ST_INPUT);
    assert_caught("2 columns of the header are named items");
    schema.header = false;
    schema.label = "c1";
    input.name = "c5";
    import_string(&schema, "1,2,3\n", ST_INPUT);
    assert_caught("no column c5, which the schema wants as input; without a header the columns are c1 to c3");
    schema.columns_count = 0;
    import_string(&schema, "1,2,3\n", ST_INPUT);
    assert_caught("the schema names no input column");
    schema.columns_count = 1;
    input.name = "c2";
    schema.split_column = "c3";
    schema.split_train_max = 2.0;
    import_string(&schema, "1,2,3\n", ST_INPUT);
    assert_caught("no row is in the training split, where c3 <= 2");
    schema.split_column = "";
    schema.train_fraction = 0.3;
    import_string(&schema, "1,2,3\n", ST_INPUT);
    assert_caught("train_fraction 0.3 of 1 rows leaves no training row");
    catch_stop();
}

/* ---- whatever comes ---- */

/* Fields of any bytes, written by RFC 4180's rules, come back as they were. */
static void test_quoting_round_trip(void **state)
{
    (void)state;
    enum { ROWS = 3000, COLUMNS = 5 };
    static const char alphabet[] = "a,\"\n b;|1";
    schema_column_t inputs[COLUMNS];
    char *text = mem_alloc(1 << 20, 1), *at = text;
    uint64_t expected[ROWS][COLUMNS];
    at += sprintf(at, "y,c0,c1,c2,c3,c4\n");
    for (uint64_t row = 0; row < ROWS; row++) {
        *at++ = '1';
        for (uint64_t c = 0; c < COLUMNS; c++) {
            char field[12];
            const uint64_t bytes = rng_u64(2, row, c) % 9;
            bool quoted = rng_u64(3, row, c) % 4 == 0;
            for (uint64_t i = 0; i < bytes; i++) {
                field[i] = alphabet[rng_u64(4, row, c * 16 + i) % (sizeof alphabet - 1)];
                quoted |= strchr(",\"\n", field[i]) != NULL;
            }
            expected[row][c] = dataset_key(field, (int)bytes);
            *at++ = ',';
            if (quoted)
                *at++ = '"';
            for (uint64_t i = 0; i < bytes; i++) {
                if (field[i] == '"')
                    *at++ = '"';
                *at++ = field[i];
            }
            if (quoted)
                *at++ = '"';
        }
        *at++ = '\n';
    }
    char names[COLUMNS][4];
    for (int c = 0; c < COLUMNS; c++) {
        sprintf(names[c], "c%d", c);
        inputs[c] = (schema_column_t){.name = names[c], .kind = COLUMN_CATEGORICAL};
    }
    const schema_t schema = {.format = FORMAT_CSV,
                             .header = true,
                             .label = "y",
                             .group = "",
                             .time = "",
                             .split_column = "",
                             .train_fraction = 1.0,
                             .columns = inputs,
                             .columns_count = COLUMNS};
    dataset_t *dataset = open_dataset(import_string(&schema, text, ST_OK));
    assert_int_equal(dataset_info(dataset)->rows, ROWS);
    assert_memory_equal(first_block(dataset)->single, expected, sizeof expected);
    dataset_close(&dataset);
    mem_free(text);
}

/* A word for nothing is an id, because it may be one; but the program that exported the table may not have meant it. */
static void test_query_ids_that_are_words_for_nothing(void **state)
{
    (void)state;
    schema_column_t inputs[] = {{.name = "k", .kind = COLUMN_CATEGORICAL}};
    const schema_t schema = {.format = FORMAT_CSV,
                             .header = true,
                             .label = "y",
                             .group = "g",
                             .time = "",
                             .split_column = "",
                             .train_fraction = 0.5,
                             .columns = inputs,
                             .columns_count = 1};
    catch_start();
    dataset_t *dataset = open_dataset(import_string(&schema, "y,g,k\n1,7,a\n0,NaN,b\n1,NaN,c\n0,,d\n", ST_OK));
    catch_stop();
    assert_caught("2 rows have the query id 'NaN', which is a query like any other");
    assert_caught("1 of 4 rows have no group id");
    dataset_close(&dataset);
    catch_start();
    dataset = open_dataset(import_string(&schema, "y,g,k\n1,7,a\n0,NaNs,b\n1,n,c\n0,8,d\n", ST_OK));
    catch_stop();
    assert_false(catch_has("like any other"));
    dataset_close(&dataset);
}

/* Any bytes give a dataset or an error, never anything else (run it under a sanitizer). */
static void test_garbage(void **state)
{
    (void)state;
    static const char alphabet[] = "01,\t:\"\n\r -+.eqidn#|xy\x80\x01";
    static const char *const first[TEXT_FORMAT_COUNT] = {
        [FORMAT_CSV] = "1,2,3\n", [FORMAT_TSV] = "1\t2\t3\n", [FORMAT_LIBSVM] = "1 1:1\n"};
    schema_column_t inputs[] = {{.name = "c2", .column = "c2", .kind = COLUMN_NUMERIC, .separator = "|"},
                                {.name = "c3", .column = "c3", .kind = COLUMN_CATEGORICAL, .separator = "|"},
                                {.name = "c3", .column = "c3", .kind = COLUMN_MULTI, .separator = "|"}};
    catch_start();
    int good = 0, bad = 0;
    for (uint64_t i = 0; i < 400; i++) {
        char text[512];
        const uint64_t bytes = 1 + rng_u64(6, 1, i) % (sizeof text - 2);
        for (uint64_t j = 0; j < bytes; j++)
            text[j] = alphabet[rng_u64(7, i, j) % (sizeof alphabet - 1)];
        text[bytes] = 0;
        const text_format_t format = (text_format_t)(i % TEXT_FORMAT_COUNT);
        schema_t schema = {.format = format,
                           .label = "c1",
                           .group = "",
                           .time = "",
                           .split_column = "",
                           .train_fraction = 1.0,
                           .max_bad_rows = 1000,
                           .feature_limit = 100,
                           .columns = inputs,
                           .columns_count = 3};
        if (i / TEXT_FORMAT_COUNT % 4 != 0 && first[format]) /* a first row that fits, so that the others are looked at */
            memcpy(text, first[format], strlen(first[format]) < bytes ? strlen(first[format]) : 0);
        const char *path = test_path("garbage-%" PRIu64, i);
        const status_t status = import_text(test_write("garbage", text), &schema, path, i % 2 == 0, false);
        assert_true(status == ST_OK || status == ST_INPUT);
        assert_int_equal(dataset_exists(path), status == ST_OK);
        good += status == ST_OK;
        bad += status == ST_INPUT;
    }
    catch_stop();
    assert_true(good > 50 && bad > 50);
}

/* ---- real data ---- */

static void test_kuairand(void **state)
{
    (void)state;
    const char *input = test_data("kuairand/kuairand.csv.zst");
    if (!input) {
        print_message("SMELTER_DATA has no kuairand/kuairand.csv.zst\n");
        skip();
    }
    schema_column_t inputs[] = {{.name = "user_id", .kind = COLUMN_CATEGORICAL},
                                {.name = "video_id", .kind = COLUMN_CATEGORICAL},
                                {.name = "duration_ms", .kind = COLUMN_CATEGORICAL, .transform = TRANSFORM_LOG2_BUCKET},
                                {.name = "tag", .kind = COLUMN_MULTI, .separator = ","},
                                {.name = "fans_user_num_range", .kind = COLUMN_CATEGORICAL}};
    const schema_t schema = {.format = FORMAT_CSV,
                             .header = true,
                             .label = "is_click",
                             .group = "user_id",
                             .time = "time_ms",
                             .split_column = "date",
                             .split_train_max = 20220504,
                             .train_fraction = 1.0,
                             .columns = inputs,
                             .columns_count = 5};
    const char *path = test_path("kuairand");
    assert_int_equal(import_text(input, &schema, path, true, false), ST_OK);
    dataset_t *dataset = open_dataset(path);
    const dataset_info_t *info = dataset_info(dataset);
    assert_int_equal(info->rows, 228329);
    assert_int_equal(info->train_rows, 171671);
    assert_int_equal(info->eval_rows, 56658);
    assert_float_equal((double)info->positives / (double)info->rows, 0.442, 0.0005);
    assert_int_equal(info->fields[0].cardinality, 25156);
    assert_int_equal(info->fields[1].cardinality, 6361);
    dataset_close(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_and_transforms),
        cmocka_unit_test(test_no_header_and_tsv),
        cmocka_unit_test(test_test_split),
        cmocka_unit_test(test_libsvm),
        cmocka_unit_test(test_same_content_in_every_dress),
        cmocka_unit_test(test_files_that_are_cut_short),
        cmocka_unit_test(test_files_that_are_no_input),
        cmocka_unit_test(test_windows_of_zstd),
        cmocka_unit_test(test_padded_gzip),
        cmocka_unit_test(test_files_of_other_kinds),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_bad_libsvm_rows),
        cmocka_unit_test(test_bad_rows_are_counted_and_limited),
        cmocka_unit_test(test_a_quote_that_is_never_closed),
        cmocka_unit_test(test_schema_and_header),
        cmocka_unit_test(test_quoting_round_trip),
        cmocka_unit_test(test_query_ids_that_are_words_for_nothing),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_kuairand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
