/* Proves: "power-law categories, latent-factor truth with interactions and drift, query groups, any size, streaming, same bytes
 * for the same seed", the positive rate asked for, and that there is something to learn. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "launcher/ingest/synth.h"

static const struct config_synth usual = {.rows = 60000,
                                          .fields = 6,
                                          .values = 3000,
                                          .exponent = 1.1,
                                          .numeric = 2,
                                          .multi = 1,
                                          .factors = 4,
                                          .drift = 0.2,
                                          .group_size = 8,
                                          .positive_rate = 0.25,
                                          .train_fraction = 0.8,
                                          .seed = 1};

static int made;

static const char *generate(const struct config_synth *settings)
{
    const char *path = test_path("synth-%d", made++);
    assert_int_equal(synth_dataset(settings, path, false), ST_OK);
    return path;
}

static dataset_t *open_dataset(const char *path)
{
    dataset_t *dataset = NULL;
    assert_int_equal(dataset_open(path, 1ll << 30, &dataset), ST_OK);
    return dataset;
}

static uint64_t file_hash(const char *path)
{
    char *name = mem_printf("%s/data.mdb", path), *data = mem_alloc(32 << 20, 1);
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    const size_t bytes = fread(data, 1, 32 << 20, f);
    assert_true(bytes > 0 && bytes < 32 << 20);
    fclose(f);
    const uint64_t hash = hash64(data, bytes, 0);
    mem_free(data);
    mem_free(name);
    return hash;
}

static void test_same_bytes_for_the_same_seed(void **state)
{
    (void)state;
    const char *first = generate(&usual), *second = generate(&usual);
    assert_true(file_hash(first) == file_hash(second));
    struct config_synth other = usual;
    other.seed = 2;
    assert_true(file_hash(generate(&other)) != file_hash(first));
    other = usual;
    other.drift = 0.3;
    assert_true(file_hash(generate(&other)) != file_hash(first));
}

static const dataset_example_t *example_at(dataset_t *dataset, int64_t position)
{
    static dataset_example_t example;
    assert_int_equal(dataset_fetch(dataset, &position, 1, &example), ST_OK);
    return &example;
}

static void test_shape(void **state)
{
    (void)state;
    static const struct config_synth plans[] = {
        {.rows = 1,
         .fields = 1,
         .values = 2,
         .factors = 1,
         .group_size = 1,
         .positive_rate = 0.5,
         .train_fraction = 1,
         .seed = 1},
        {.rows = 9000,
         .fields = 3,
         .values = 5,
         .exponent = 0,
         .factors = 2,
         .group_size = 3,
         .positive_rate = 0.02,
         .train_fraction = 0.5,
         .seed = 1},
        {.rows = 20000,
         .fields = 2,
         .values = 100000000000,
         .exponent = 1,
         .numeric = 5,
         .multi = 3,
         .factors = 64,
         .drift = 2,
         .group_size = 1000000,
         .positive_rate = 0.9,
         .train_fraction = 0.1,
         .test_fraction = 0.3,
         .seed = 9},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct config_synth *c = &plans[i];
        dataset_t *dataset = open_dataset(generate(c));
        const dataset_info_t *info = dataset_info(dataset);
        assert_int_equal(info->rows, c->rows);
        assert_int_equal(info->train_rows, (int64_t)floor((double)c->rows * c->train_fraction));
        assert_int_equal(info->test_rows, (int64_t)floor((double)c->rows * c->test_fraction));
        assert_int_equal(info->numeric, c->numeric);
        assert_int_equal(info->single, c->fields);
        assert_int_equal(info->multi, c->multi);
        assert_int_equal(dataset_position(dataset, SPLIT_TRAIN, 0), 0);
        if (c->rows > 1) /* six standard deviations of the labels and of the pilot's part */
            assert_float_equal((double)info->positives / (double)c->rows, c->positive_rate,
                               6.0 * sqrt(c->positive_rate * (1.0 - c->positive_rate) / (double)c->rows));
        for (int f = 0; f < c->fields; f++)
            assert_true(info->fields[c->numeric + f].cardinality <= c->values);
        dataset_close(&dataset);
    }
}

/* Frequencies of the values 0, 1, 2 ... of the largest field against the integrals of x^-s. */
static void test_power_law(void **state)
{
    (void)state;
    static const double exponents[] = {0.0, 0.7, 1.0, 1.1, 2.5};
    for (int e = 0; e < 5; e++) {
        struct config_synth c = {.rows = 40000,
                                 .fields = 1,
                                 .values = 50,
                                 .exponent = exponents[e],
                                 .factors = 1,
                                 .group_size = 1,
                                 .positive_rate = 0.5,
                                 .train_fraction = 1,
                                 .seed = 3};
        dataset_t *dataset = open_dataset(generate(&c));
        double expected[50], sum = 0.0;
        for (int v = 0; v < 50; v++) {
            expected[v] = 0.0; /* by Simpson's rule, far from the sampler's closed form */
            for (int i = 0; i < 100; i++) {
                const double x = v + 1 + i / 100.0, h = 0.01;
                expected[v] += h / 6 * (pow(x, -exponents[e]) + 4 * pow(x + h / 2, -exponents[e]) + pow(x + h, -exponents[e]));
            }
            sum += expected[v];
        }
        double seen[50] = {0};
        uint64_t keys[50];
        for (int v = 0; v < 50; v++) {
            char text[16];
            keys[v] = dataset_key(text, sprintf(text, "%d", v));
        }
        for (int64_t row = 0; row < c.rows; row++) {
            const dataset_example_t *x = example_at(dataset, row);
            int v = 0;
            while (v < 50 && keys[v] != x->block->single[x->row])
                v++;
            assert_true(v < 50); /* values are decimal numbers below `values`, as if imported from text */
            seen[v] += 1.0;
        }
        double chi2 = 0.0;
        for (int v = 0; v < 50; v++) {
            const double want = expected[v] / sum * (double)c.rows;
            chi2 += want > 1e-3 ? (seen[v] - want) * (seen[v] - want) / want : 0.0;
        }
        assert_true(chi2 < 110.0); /* 49 degrees of freedom: mean 49, standard deviation 10 */
        dataset_close(&dataset);
    }
}

static void test_groups_share_fields(void **state)
{
    (void)state;
    dataset_t *dataset = open_dataset(generate(&usual));
    int64_t differ = 0;
    for (int64_t row = 0; row < 8000; row++) {
        const dataset_example_t *x = example_at(dataset, row);
        const dataset_block_t *b = x->block;
        const int64_t r = x->row, head = r - row % 8;
        assert_int_equal(b->group[r], row / 8);
        assert_int_equal(b->time[r], b->time[head]);
        for (int f = 0; f < 3; f++)
            assert_true(b->single[r * 6 + f] == b->single[head * 6 + f]);
        assert_true(b->numeric[r * 2] == b->numeric[head * 2]);
        differ += b->single[r * 6 + 3] != b->single[head * 6 + 3];
        assert_true(b->multi_at[r + 1] - b->multi_at[r] <= 5);
    }
    assert_true(differ > 3000);
    dataset_close(&dataset);
}

/* A logistic regression by stochastic gradient descent over hashed values, written here and knowing nothing of the truth,
 * beats the constant prediction clearly on the evaluation split. */
static void test_there_is_something_to_learn(void **state)
{
    (void)state;
    dataset_t *dataset = open_dataset(generate(&usual));
    const dataset_info_t *info = dataset_info(dataset);
    double *w = mem_alloc(1 << 16, sizeof *w), bias = 0.0, loss = 0.0, constant = 0.0;
    const double rate = (double)info->positives / (double)info->rows;
    for (int pass = 0; pass < 3; pass++)
        for (int64_t i = 0; i < (pass < 2 ? info->train_rows : info->eval_rows); i++) {
            const dataset_example_t *x = example_at(dataset, dataset_position(dataset, pass < 2 ? SPLIT_TRAIN : SPLIT_EVAL, i));
            const dataset_block_t *b = x->block;
            const int64_t r = x->row;
            double z = bias;
            for (int f = 0; f < 6; f++)
                z += w[hash_mix(b->single[r * 6 + f] + (uint64_t)f) >> 48];
            for (int f = 0; f < 2; f++)
                z += w[f] * (double)b->numeric[r * 2 + f];
            const double p = 1.0 / (1.0 + exp(-z)), y = b->label[r], g = 0.03 * (p - y);
            if (pass == 2) {
                loss -= y * log(p) + (1.0 - y) * log(1.0 - p);
                constant -= y * log(rate) + (1.0 - y) * log(1.0 - rate);
                continue;
            }
            bias -= g;
            for (int f = 0; f < 6; f++)
                w[hash_mix(b->single[r * 6 + f] + (uint64_t)f) >> 48] -= g;
            for (int f = 0; f < 2; f++)
                w[f] -= g * (double)b->numeric[r * 2 + f];
        }
    print_message("logistic regression %.4f, constant %.4f\n", loss / (double)info->eval_rows,
                  constant / (double)info->eval_rows);
    assert_true(loss < 0.93 * constant);
    mem_free(w);
    dataset_close(&dataset);
}

static void expect_failure(struct config_synth settings, const char *message)
{
    const char *path = test_path("synth-%d", made++);
    catch_start();
    assert_int_equal(synth_dataset(&settings, path, false), ST_INPUT);
    assert_caught(message);
    catch_stop();
    assert_false(dataset_exists(path));
}

static void test_settings_are_checked(void **state)
{
    (void)state;
    struct config_synth c = usual;
    c.rows = 0;
    expect_failure(c, "synth.rows has to be at least 1 to generate a dataset, value seen 0");
    c = usual;
    c.group_size = 0;
    expect_failure(c, "seen fields 6, factors 4, group_size 0");
    c = usual;
    c.positive_rate = 1.0;
    expect_failure(c, "synth.positive_rate has to be between 0 and 1, value seen 1");
    c = usual;
    c.train_fraction = NAN;
    expect_failure(c, "synth.train_fraction has to be above 0 and at most 1");
    c.train_fraction = 0.8;
    c.test_fraction = 0.3;
    expect_failure(c, "synth.train_fraction and synth.test_fraction are shares of all rows, together at most 1");
    c.test_fraction = 0.0;
    c.train_fraction = 1e-9;
    expect_failure(c, "leaves no training row");
    c = usual;
    c.exponent = -1.0;
    expect_failure(c, "synth.exponent and synth.drift must not be negative");
    const char *there = generate(&usual);
    catch_start();
    assert_int_equal(synth_dataset(&usual, there, false), ST_INPUT);
    assert_caught("exists already");
    catch_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes_for_the_same_seed),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_power_law),
        cmocka_unit_test(test_groups_share_fields),
        cmocka_unit_test(test_there_is_something_to_learn),
        cmocka_unit_test(test_settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
