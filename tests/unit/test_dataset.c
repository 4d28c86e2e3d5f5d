/* Proves the dataset store against a naive copy in memory: every kind of field, blocks that are cached, evicted and decoded
 * again, splits of all forms, standardisation, equal content whatever the compression, equal bytes whatever the cores; and that
 * damage is found. */
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "common/data/dataset_meta.h"
#include "common/texts/dataset_print.h"

enum { MOST_FIELDS = 4, MOST_VALUES = 6 };

/* The naive copy of a row. */
typedef struct copy {
    uint8_t label;
    bool train, test;
    uint64_t group;
    int64_t time;
    float numeric[MOST_FIELDS];
    uint64_t single[MOST_FIELDS];
    int32_t count[MOST_FIELDS];
    uint64_t key[MOST_FIELDS][MOST_VALUES];
    float weight[MOST_FIELDS][MOST_VALUES];
} copy_t;

typedef struct plan {
    int64_t rows;
    int numeric, single, multi;
    bool has_group, has_time, compress, scattered, weighted, standardise;
    bool tests; /* there is a test split: some of the rows that do not train */
} plan_t;

static uint64_t draw(uint64_t row, uint64_t what)
{
    return rng_u64(11, what, row);
}

static copy_t make_row(const plan_t *plan, int64_t row)
{
    const uint64_t r = (uint64_t)row;
    copy_t c = {.label = draw(r, 0) % 3 == 0, .train = plan->scattered ? draw(r, 1) % 4 != 0 : row < plan->rows * 3 / 4};
    c.test = plan->tests && !c.train && (plan->scattered ? draw(r, 4) % 3 == 0 : row >= plan->rows * 9 / 10);
    c.group = plan->has_group ? draw(r / 3, 2) : 0;
    c.time = plan->has_time ? (int64_t)(draw(r, 3) >> 2) - (1ll << 61) : 0;
    for (int f = 0; f < plan->numeric; f++)
        c.numeric[f] = draw(r, 10 + (uint64_t)f) % 10 == 0 ? NAN : (float)rng_normal(5, (uint64_t)f, r) * 100.0f + 1000.0f;
    for (int f = 0; f < plan->single; f++) /* few values: 8-bit codes; up to all different: 16-bit codes */
        c.single[f] = f == 0 ? draw(r, 20) % 7 : f == 1 ? draw(r, 21) : dataset_key("", draw(r, 22) % 2 == 0 ? 0 : 1);
    for (int f = 0; f < plan->multi; f++) {
        c.count[f] = (int32_t)(draw(r, 30 + (uint64_t)f) % (MOST_VALUES + 1));
        for (int v = 0; v < c.count[f]; v++) {
            c.key[f][v] = draw(r * 8 + (uint64_t)v, 40 + (uint64_t)f) % (f == 0 ? 50 : 1ull << 40);
            c.weight[f][v] = plan->weighted ? (float)v - 1.5f : 1.0f;
        }
    }
    return c;
}

static status_t put_copy(dataset_writer_t *writer, const plan_t *plan, const copy_t *c, const dataset_text_t *single_text)
{
    uint64_t keys[MOST_FIELDS * MOST_VALUES];
    float weights[MOST_FIELDS * MOST_VALUES];
    int n = 0;
    for (int f = 0; f < plan->multi; f++)
        for (int v = 0; v < c->count[f]; v++, n++) {
            keys[n] = c->key[f][v];
            weights[n] = c->weight[f][v];
        }
    const dataset_row_t row = {.label = c->label,
                               .train = c->train,
                               .test = c->test,
                               .group = c->group,
                               .time = c->time,
                               .numeric = c->numeric,
                               .single = c->single,
                               .multi_count = c->count,
                               .multi_key = keys,
                               .multi_weight = weights,
                               .single_text = single_text};
    return dataset_writer_put(writer, &row);
}

static dataset_writer_t *start(const plan_t *plan, const char *path)
{
    dataset_field_t fields[3 * MOST_FIELDS] = {0};
    bool standardise[3 * MOST_FIELDS] = {false};
    int n = 0;
    for (int f = 0; f < plan->numeric; f++, n++) {
        snprintf(fields[n].name, sizeof fields[n].name, "numeric %d", f);
        fields[n].kind = COLUMN_NUMERIC;
        standardise[n] = plan->standardise && f % 2 == 0;
    }
    for (int f = 0; f < plan->single; f++, n++) {
        snprintf(fields[n].name, sizeof fields[n].name, "single %d", f);
        fields[n].kind = COLUMN_CATEGORICAL;
    }
    for (int f = 0; f < plan->multi; f++, n++) {
        snprintf(fields[n].name, sizeof fields[n].name, "multi %d", f);
        fields[n].kind = COLUMN_MULTI;
        fields[n].pooling = f % 2 == 0 ? POOLING_MEAN : POOLING_SUM;
    }
    dataset_writer_t *writer = NULL;
    assert_int_equal(
        dataset_writer_create(path, fields, n, standardise, plan->has_group, plan->has_time, plan->compress, &writer), ST_OK);
    return writer;
}

static void build(const plan_t *plan, const char *path)
{
    dataset_writer_t *writer = start(plan, path);
    for (int64_t row = 0; row < plan->rows; row++) {
        const copy_t c = make_row(plan, row);
        assert_int_equal(put_copy(writer, plan, &c, NULL), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 3), ST_OK);
    assert_null(writer);
}

static bool is_same(const plan_t *plan, const dataset_info_t *info, const dataset_example_t *example, int64_t position)
{
    const copy_t c = make_row(plan, position);
    const dataset_block_t *b = example->block;
    const int64_t r = example->row;
    if (b->first + r != position || b->label[r] != c.label || b->group[r] != c.group || b->time[r] != c.time)
        return false;
    for (int f = 0; f < plan->numeric; f++) {
        const double x = ((double)c.numeric[f] - info->fields[f].mean) * info->fields[f].scale;
        if (b->numeric[r * plan->numeric + f] != (isnan(c.numeric[f]) ? 0.0f : (float)x))
            return false;
    }
    for (int f = 0; f < plan->single; f++)
        if (b->single[r * plan->single + f] != c.single[f])
            return false;
    for (int f = 0; f < plan->multi; f++) {
        const uint32_t *at = &b->multi_at[r * plan->multi + f];
        if (at[1] - at[0] != (uint32_t)c.count[f])
            return false;
        for (int v = 0; v < c.count[f]; v++)
            if (b->multi_key[at[0] + (uint32_t)v] != c.key[f][v] || b->multi_weight[at[0] + (uint32_t)v] != c.weight[f][v])
                return false;
    }
    return true;
}

/* Read everything, in order and shuffled, and compare with the copy. */
static void verify(const plan_t *plan, const char *path, int64_t cache_bytes)
{
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, cache_bytes, &dataset), ST_OK);
    const dataset_info_t *info = dataset_info(dataset);
    int64_t positives = 0, train = 0, test = 0, train_positives = 0, test_positives = 0;
    for (int64_t row = 0; row < plan->rows; row++) {
        const copy_t c = make_row(plan, row);
        positives += c.label;
        train_positives += c.train && c.label;
        test_positives += c.test && c.label;
        if (c.train)
            assert_int_equal(dataset_position(dataset, SPLIT_TRAIN, train++), row);
        else if (c.test)
            assert_int_equal(dataset_position(dataset, SPLIT_TEST, test++), row);
        else
            assert_int_equal(dataset_position(dataset, SPLIT_EVAL, row - train - test), row);
    }
    assert_int_equal(dataset_census(dataset)->train_positives, train_positives);
    assert_int_equal(dataset_census(dataset)->test_positives, test_positives);
    assert_int_equal(info->test_rows, test);
    assert_int_equal(info->rows, plan->rows);
    assert_int_equal(info->positives, positives);
    assert_int_equal(info->train_rows, train);
    assert_int_equal(info->eval_rows, plan->rows - train - test);
    assert_int_equal(info->bad_rows, 3);
    assert_int_equal(info->numeric, plan->numeric);
    assert_int_equal(info->single, plan->single);
    assert_int_equal(info->multi, plan->multi);
    enum { N = 700 };
    int64_t positions[N];
    dataset_example_t examples[N];
    for (int shuffled = 0; shuffled < 2; shuffled++)
        for (int64_t first = 0; first < plan->rows; first += N) {
            const int n = (int)(plan->rows - first < N ? plan->rows - first : N);
            for (int i = 0; i < n; i++)
                positions[i] = shuffled ? (int64_t)rng_permute(3, (uint64_t)plan->rows, (uint64_t)(first + i)) : first + i;
            assert_int_equal(dataset_fetch(dataset, positions, n, examples), ST_OK);
            for (int i = 0; i < n; i++)
                assert_true(is_same(plan, info, &examples[i], positions[i]));
        }
    dataset_close(&dataset);
    assert_null(dataset);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const plan_t plans[] = {
        {1, 1, 1, 1, true, true, true, false, false, false, false},
        {8191, 2, 2, 2, true, true, true, true, true, true, false},
        {8192, 2, 3, 1, false, true, false, false, true, false, false},
        {8193, 1, 2, 2, true, false, true, true, false, true, false},
        {30000, 3, 3, 2, true, true, true, false, true, true, false},
        {30000, 0, 3, 2, false, false, true, true, true, false, false},
        {9000, 3, 0, 2, false, true, true, false, false, true, false},
        {9000, 3, 2, 0, true, false, false, true, false, false, false},
        {9000, 0, 0, 1, false, false, true, false, true, false, false},
        {9000, 0, 1, 0, false, false, true, false, false, false, false},
        {9000, 1, 0, 0, false, false, true, false, false, false, false},
        {9000, 1, 1, 0, false, false, true, true, false, true, true},
        {9000, 1, 1, 0, false, false, true, false, false, true, true},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const char *path = test_path("round-%zu", i);
        build(&plans[i], path);
        verify(&plans[i], path, 1ll << 30);
        verify(&plans[i], path, 1); /* smaller than one block: every fetch evicts what the one before left */
    }
}

/* "share decoded blocks with the other readers of this host"; who uses other means and scales has blocks of its own. */
static void test_readers_share_blocks(void **state)
{
    (void)state;
    static const plan_t plan = {30000, 3, 3, 2, true, true, true, false, true, true, false};
    static const double other_scale[] = {1, 2, 3, 4, 5, 6};
    const char *path = test_path("shared");
    build(&plan, path);
    for (int64_t cache_bytes = 1; cache_bytes < 1ll << 31; cache_bytes <<= 30) {
        const int file = memfd_create("test", MFD_CLOEXEC);
        dataset_t *reader[3];
        for (int i = 0; i < 3; i++) {
            assert_int_equal(dataset_open(path, cache_bytes, &reader[i]), ST_OK);
            dataset_share(reader[i], dup(file), 3);
            assert_int_equal(dataset_readers(reader[i]), 3);
        }
        dataset_standardise(reader[2], other_scale);
        struct stat st;
        int64_t most = 0;
        for (int64_t n = 0; n < plan.rows; n++) {
            const int i = (int)(n % 3);
            const int64_t at = n % 2 ? (int64_t)rng_permute(3, (uint64_t)plan.rows, (uint64_t)n) : n;
            dataset_example_t example;
            assert_int_equal(dataset_fetch(reader[i], &at, 1, &example), ST_OK);
            assert_true(is_same(&plan, dataset_info(reader[i]), &example, at));
            assert_int_equal(fstat(file, &st), 0);
            most = st.st_blocks > most ? st.st_blocks : most;
            n += cache_bytes == 1 ? 97 : 0; /* which decodes a block each time */
        }
        const int64_t block = 8192 * (3 * 4 + 3 * 8 + 5 * 12 + 30);
        assert_true(most * 512 > block && most * 512 < (cache_bytes == 1 ? 4 : 5) * block);
        for (int i = 0; i < 3; i++)
            dataset_close(&reader[i]);
        assert_int_equal(fstat(file, &st), 0);
        assert_true(st.st_blocks * 512 < block);
        close(file);
    }
}

static void test_compression_changes_no_content(void **state)
{
    (void)state;
    uint64_t hash[4];
    int64_t bytes[4];
    for (int i = 0; i < 4; i++) {
        plan_t plan = {20000, 2, 2, 2, true, true, i % 2 == 0, i >= 2, true, true, false};
        const char *path = test_path("content-%d", i);
        build(&plan, path);
        verify(&plan, path, 1ll << 30);
        dataset_t *dataset = NULL;
        assert_int_equal(dataset_open(path, 1, &dataset), ST_OK);
        hash[i] = dataset_info(dataset)->content_hash;
        dataset_close(&dataset);
        struct stat st;
        assert_int_equal(stat(test_path("content-%d/data.mdb", i), &st), 0);
        bytes[i] = st.st_size;
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[2] == hash[3]);
    assert_true(hash[0] != hash[2]); /* another split is another content */
    assert_true(bytes[0] < bytes[1]);
}

/* The statistics of fields, by counting. */
static void test_field_statistics(void **state)
{
    (void)state;
    const plan_t plan = {20000, 2, 3, 2, false, false, true, true, false, true, false};
    const char *path = test_path("statistics");
    build(&plan, path);
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, 1, &dataset), ST_OK);
    const dataset_field_t *fields = dataset_info(dataset)->fields;
    for (int f = 0; f < 2; f++) {
        double sum = 0.0, squares = 0.0, n = 0.0;
        float low = INFINITY, high = -INFINITY;
        int64_t missing = 0;
        for (int64_t row = 0; row < plan.rows; row++) {
            const copy_t c = make_row(&plan, row);
            missing += isnan(c.numeric[f]);
            low = fminf(low, c.numeric[f]);
            high = fmaxf(high, c.numeric[f]);
            if (c.train && !isnan(c.numeric[f])) {
                n += 1.0;
                sum += (double)c.numeric[f];
            }
        }
        for (int64_t row = 0; row < plan.rows; row++) {
            const copy_t c = make_row(&plan, row);
            if (c.train && !isnan(c.numeric[f]))
                squares += ((double)c.numeric[f] - sum / n) * ((double)c.numeric[f] - sum / n);
        }
        assert_true(fabs(fields[f].mean - (f == 0 ? sum / n : 0.0)) <= 1e-9 * fabs(sum / n));
        assert_true(fabs(fields[f].scale - (f == 0 ? 1.0 / sqrt(squares / n) : 1.0)) < 1e-9);
        assert_int_equal(fields[f].missing, missing);
        assert_true(fields[f].low == (double)low && fields[f].high == (double)high);
    }
    assert_int_equal(fields[2].cardinality, 7);
    assert_int_equal(fields[3].cardinality, 20000); /* 64 random bits do not repeat */
    assert_int_equal(fields[4].cardinality, 2);
    int64_t missing = 0, values = 0, empty = 0;
    for (int64_t row = 0; row < plan.rows; row++) {
        const copy_t c = make_row(&plan, row);
        missing += c.single[2] == dataset_key("", 0);
        values += c.count[0];
        empty += c.count[0] == 0;
    }
    assert_int_equal(fields[4].missing, missing);
    assert_int_equal(fields[4].values, plan.rows);
    assert_int_equal(fields[5].cardinality, 50);
    assert_int_equal(fields[5].values, values);
    assert_int_equal(fields[5].missing, empty);
    assert_string_equal(fields[6].name, "multi 1");
    assert_int_equal(fields[6].pooling, POOLING_SUM);
    dataset_close(&dataset);
}

/* ---- what is stored about a field beside its values ---- */

static void assert_rules(const field_rules_t *rules, const char *wanted)
{
    char text[512] = "";
    for (int i = 0; i < field_rules_count(); i++)
        if (*field_rules_get(rules, i))
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s=%s ", field_rules_name(i), field_rules_get(rules, i));
    assert_string_equal(text, wanted);
}

/* Rules are words that datasets and runs of any age are compared by: one that changes makes them all another. */
static void test_rules_of_columns(void **state)
{
    (void)state;
    schema_column_t column = {.name = "x", .kind = COLUMN_NUMERIC, .transform = TRANSFORM_LOG1P};
    field_rules_t log1p = field_rules_of(&column);
    assert_rules(&log1p, "transform=log1p missing=0 after scaling ");
    column = (schema_column_t){.name = "x", .kind = COLUMN_CATEGORICAL, .transform = TRANSFORM_LOG2_BUCKET};
    field_rules_t bucket = field_rules_of(&column);
    assert_rules(&bucket, "transform=log2_bucket keys=XXH3-64 of the text, seed 0 missing=a category of its own ");
    column = (schema_column_t){.name = "x", .kind = COLUMN_MULTI, .separator = "\t"};
    field_rules_t multi = field_rules_of(&column);
    assert_rules(&multi, "separator=\\x09 keys=XXH3-64 of the text, seed 0 weights=1 missing=no value ");
    field_rules_t libsvm = field_rules_libsvm(), synth = field_rules_synth(COLUMN_MULTI), none = {0};
    assert_rules(&libsvm,
                 "separator=\\x20 keys=XXH3-64 of the decimal id, seed 0 weights=as given beside the value missing=no value ");
    assert_true(field_rules_recorded(&synth) && !field_rules_recorded(&none));

    assert_string_equal(field_rules_name(field_rules_difference(&multi, &libsvm)), "separator");
    assert_int_equal(field_rules_difference(&multi, &synth), -1); /* nothing was separated where values were generated */
    assert_int_equal(field_rules_difference(&multi, &none), -1);
    column = (schema_column_t){.name = "x", .kind = COLUMN_NUMERIC, .transform = TRANSFORM_STANDARDISE};
    field_rules_t standardised = field_rules_of(&column), plain = field_rules_synth(COLUMN_NUMERIC);
    assert_int_equal(field_rules_difference(&standardised, &plain), -1); /* the stored number is the same */
    assert_string_equal(field_rules_name(field_rules_difference(&standardised, &log1p)), "transform");
}

/* What another version stores behind what all of them do is passed over; what an older one does not store is not recorded.
 * Neither changes the content hash, by which runs know their dataset. */
static void test_sections(void **state)
{
    (void)state;
    dataset_field_t fields[] = {{.name = "n", .kind = COLUMN_NUMERIC, .scale = 1, .rules = field_rules_synth(COLUMN_NUMERIC)},
                                {.name = "c", .kind = COLUMN_CATEGORICAL, .rules = field_rules_synth(COLUMN_CATEGORICAL)}};
    dataset_meta_t meta, back;
    dataset_meta_init(&meta, fields, 2);
    meta.info.rows = meta.info.train_rows = 5;
    meta.info.content_hash = dataset_meta_hash(&meta);
    record_t raw = {0};
    dataset_meta_encode(&meta, &raw);
    const size_t whole = raw.bytes;
    record_put_u64(&raw, 77);
    record_put_u64(&raw, 3);
    record_put(&raw, "abc", 3);
    assert_true(dataset_meta_decode(&raw, &back));
    assert_memory_equal(&back.fields[1].rules, &fields[1].rules, sizeof fields[1].rules);
    assert_true(back.info.content_hash == meta.info.content_hash);
    dataset_meta_fini(&back);
    raw.bytes -= 8; /* the last section is cut short */
    assert_false(dataset_meta_decode(&raw, &back));

    raw.bytes = whole;
    size_t old = 0; /* the record of a version without sections ends where the first begins */
    for (size_t at = 0; at + 5 <= whole && !old; at += 8)
        old = memcmp(raw.at + at, "RULES", 5) == 0 ? at : 0;
    raw.bytes = old;
    assert_true(old && dataset_meta_decode(&raw, &back));
    assert_false(field_rules_recorded(&back.fields[0].rules));
    assert_true(back.info.content_hash == meta.info.content_hash);
    dataset_meta_fini(&back);
    dataset_meta_fini(&meta);
    record_fini(&raw);
}

static void test_late_split(void **state)
{
    (void)state;
    plan_t plan = {10000, 1, 1, 0, false, false, true, true, false, true, false};
    const char *path = test_path("late");
    dataset_writer_t *writer = start(&plan, path);
    for (int64_t row = 0; row < plan.rows; row++) {
        const copy_t c = make_row(&plan, row);
        assert_int_equal(put_copy(writer, &plan, &c, NULL), ST_OK);
    }
    dataset_writer_split(writer, 7500, 0);
    assert_int_equal(dataset_writer_commit(&writer, 3), ST_OK);
    plan.scattered = false; /* the copy's own prefix is 3/4 */
    verify(&plan, path, 1ll << 30);
    const plan_t with_test = {10000, 1, 1, 0, false, false, true, false, false, true, true};
    path = test_path("late-test");
    writer = start(&plan, path);
    for (int64_t row = 0; row < plan.rows; row++) {
        const copy_t c = make_row(&plan, row);
        assert_int_equal(put_copy(writer, &plan, &c, NULL), ST_OK);
    }
    dataset_writer_split(writer, 7500, 1000);
    assert_int_equal(dataset_writer_commit(&writer, 3), ST_OK);
    verify(&with_test, path, 1ll << 30);
}

static void test_input_errors(void **state)
{
    (void)state;
    const plan_t plan = {10, 1, 1, 1, false, false, true, false, false, false, false};
    const dataset_field_t field = {.name = "a", .kind = COLUMN_NUMERIC};
    const char *path = test_path("errors"), *file = test_write("a-file", "x");
    build(&plan, path);
    dataset_writer_t *writer = NULL;
    dataset_t *dataset = NULL;
    catch_start();
    assert_int_equal(dataset_writer_create(path, &field, 1, NULL, false, false, true, &writer), ST_INPUT);
    assert_caught("errors exists already; remove it or write the dataset elsewhere");
    assert_int_equal(dataset_writer_create(test_path("a-file/below"), &field, 1, NULL, false, false, true, &writer), ST_INPUT);
    assert_caught("a-file/below cannot be written");
    assert_caught("Not a directory");
    assert_int_equal(dataset_writer_create(test_path("no/such/parent"), &field, 1, NULL, false, false, true, &writer), ST_OK);
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_INPUT);
    assert_caught("would be empty: no row was given");
    assert_null(writer);
    assert_int_not_equal(access(test_path("no"), F_OK), 0); /* nothing is left, not even the parents that were made */
    assert_int_equal(dataset_open(test_path("nowhere"), 1, &dataset), ST_INPUT);
    assert_caught("nowhere; make one with smelter import or smelter synth");
    assert_int_equal(dataset_open(file, 1, &dataset), ST_INPUT);
    assert_null(dataset);
    catch_stop();
    assert_true(dataset_exists(path));
    assert_false(dataset_exists(test_path("nowhere")));
}

/* ---- damage ---- */

static char *slurp(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    struct stat st;
    assert_int_equal(fstat(fileno(f), &st), 0);
    *bytes = (size_t)st.st_size;
    char *data = mem_alloc(*bytes, 1);
    assert_int_equal(fread(data, 1, *bytes, f), *bytes);
    fclose(f);
    return data;
}

static void spit(const char *path, const char *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

/* Read the whole dataset: an error's status, or ST_OK where rows of every block are the copy's; others end the process. */
static status_t read_all(const plan_t *plan, const char *path)
{
    dataset_t *dataset = NULL;
    TRY(dataset_open(path, 1, &dataset));
    status_t status = ST_OK;
    for (int64_t row = 0; row < plan->rows; row += 7) {
        dataset_example_t example;
        TRY_DONE(dataset_fetch(dataset, &row, 1, &example));
        if (!is_same(plan, dataset_info(dataset), &example, row))
            _exit(99);
    }
done:
    dataset_close(&dataset);
    return status;
}

static void test_damage_is_found(void **state)
{
    (void)state;
    for (int compress = 0; compress < 2; compress++) {
        const plan_t plan = {17000, 1, 2, 1, true, true, compress != 0, true, false, false, false};
        const char *path = test_path("damage-%d", compress), *file = test_path("damage-%d/data.mdb", compress);
        build(&plan, path);
        size_t bytes;
        char *good = slurp(file, &bytes), *bad = mem_alloc(bytes, 1);
        assert_int_equal(read_all(&plan, path), ST_OK);

        /* A byte in the middle of what is certainly a block. */
        memcpy(bad, good, bytes);
        bad[bytes / 2] ^= 0x10;
        spit(file, bad, bytes);
        catch_start();
        assert_int_equal(read_all(&plan, path), ST_CORRUPT);
        assert_caught(" of data.mdb has checksum ");
        assert_caught("the disk or a copy changed one of them; import or generate it again");
        catch_stop();

        /* Cut short. */
        spit(file, good, bytes - 8192);
        catch_start();
        assert_int_equal(read_all(&plan, path), ST_CORRUPT);
        assert_caught("data.mdb was cut short: ");
        catch_stop();
        spit(file, good, 100);
        catch_start();
        assert_int_not_equal(read_all(&plan, path), ST_OK);
        assert_caught("page 0 of data.mdb has 100 bytes, too few for the head of an LMDB file");
        catch_stop();
        mem_free(good);
        mem_free(bad);
    }
}

/* Blocks are encoded side by side and stored in order: with one core as with several, the same bytes. */
static void test_cores_change_nothing(void **state)
{
    (void)state;
    const plan_t plan = {60000, 2, 2, 1, true, true, true, true, true, true, false};
    const char *several = test_path("several-cores"), *one = test_path("one-core");
    cpu_set_t all, first;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    build(&plan, several);
    CPU_ZERO(&first);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&first) == 0; core++)
        if (CPU_ISSET(core, &all))
            CPU_SET(core, &first);
    assert_int_equal(sched_setaffinity(0, sizeof first, &first), 0);
    build(&plan, one);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    char *files[] = {mem_printf("%s/data.mdb", several), mem_printf("%s/data.mdb", one)};
    size_t bytes[2];
    char *data[] = {slurp(files[0], &bytes[0]), slurp(files[1], &bytes[1])};
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(data[0], data[1], bytes[0]);
    for (int i = 0; i < 2; i++) {
        mem_free(files[i]);
        mem_free(data[i]);
    }
}

/* A block that cannot be stored, by another thread and while later rows are put, is an error of the writer, said once. */
static void test_a_refused_block_ends_the_writing(void **state)
{
    (void)state;
    const plan_t plan = {200000, 2, 2, 1, true, true, true, false, true, false, false};
    const char *path = test_path("refused");
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit low = {3 << 20, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    catch_start();
    dataset_writer_t *writer = start(&plan, path);
    status_t status = ST_OK;
    int64_t row = 0;
    for (; row < plan.rows && status == ST_OK; row++) {
        const copy_t c = make_row(&plan, row);
        status = put_copy(writer, &plan, &c, NULL);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, ST_SYSTEM);
    assert_true(row < plan.rows);
    assert_caught("cannot write");
    assert_ptr_equal(strchr(catch_text(), '\n'), catch_text() + strlen(catch_text()) - 1); /* one line */
    catch_stop();
    dataset_writer_abort(&writer);
    assert_false(dataset_exists(path));
}

/* A limit of file size is named, also where LMDB takes the write that it cut short for a full disk. */
static void test_a_limit_of_file_size_is_named(void **state)
{
    (void)state;
    const dataset_field_t field = {.name = "x", .kind = COLUMN_NUMERIC};
    const char *path = test_path("limited");
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes <= 4096; bytes += 1024) {
        struct rlimit low = {bytes, old.rlim_max};
        dataset_writer_t *writer = NULL;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        catch_start();
        const status_t status = dataset_writer_create(path, &field, 1, NULL, false, false, true, &writer);
        catch_stop();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, ST_SYSTEM);
        assert_caught(" bytes (ulimit -f)");
    }
}

static void test_print_shows_what_is_there(void **state)
{
    (void)state;
    const plan_t plan = {9000, 1, 1, 1, true, true, true, false, true, true, false};
    const char *path = test_path("print"), *shown = test_path("shown");
    dataset_writer_t *writer = start(&plan, path);
    for (int64_t row = 0; row < plan.rows; row++) {
        const copy_t c = make_row(&plan, row);
        char text[8];
        const dataset_text_t name = {text, snprintf(text, sizeof text, "name%d", (int)c.single[0])};
        assert_int_equal(put_copy(writer, &plan, &c, &name), ST_OK);
    }
    assert_int_equal(dataset_writer_commit(&writer, 1234), ST_OK);

    fflush(stdout);
    const int out = dup(1), file = open(shown, O_CREAT | O_WRONLY, 0600);
    dup2(file, 1);
    const status_t status = dataset_print(path, 2);
    fflush(stdout);
    dup2(out, 1);
    close(out);
    close(file);
    assert_int_equal(status, ST_OK);
    size_t bytes;
    char *data = slurp(shown, &bytes), *text = mem_alloc(bytes + 1, 1);
    memcpy(text, data, bytes);
    assert_non_null(strstr(text, "9,000: 6,750 training, 2,250 evaluation"));
    assert_non_null(strstr(text, "1,234 left out"));
    assert_non_null(strstr(text, "1 numeric, 1 categorical, 1 multi-valued; with groups, with times"));
    char expected[64];
    snprintf(expected, sizeof expected, "single 0=name%d", (int)make_row(&plan, 1).single[0]);
    assert_non_null(strstr(text, expected));
    mem_free(data);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_readers_share_blocks),
        cmocka_unit_test(test_compression_changes_no_content),
        cmocka_unit_test(test_field_statistics),
        cmocka_unit_test(test_rules_of_columns),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_late_split),
        cmocka_unit_test(test_input_errors),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_cores_change_nothing),
        cmocka_unit_test(test_a_refused_block_ends_the_writing),
        cmocka_unit_test(test_a_limit_of_file_size_is_named),
        cmocka_unit_test(test_print_shows_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
