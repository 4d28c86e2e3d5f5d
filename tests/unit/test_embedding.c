/* test_embedding - gather and pooling forward, the sum per key backward, against double loops over the dataset: the same
 * bits as a sum in ascending rows inside a lane and over an explicit binary tree across lanes (docs/MATH.md), and the
 * gradient equals central differences of a loss of the pooled inputs. */
#include "worker/embedding.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/tree.h"
#include "tests/lib/sample.h"
#include "tests/lib/testing.h"

#define SHARDS 3
#define DIM_MOST 24
#define ROW_MOST (DIM_MOST + 1) /* with its first-order weight */
#define LANES_MOST 8

typedef struct fixture {
    sample_t *sample;
    dataset_t *dataset;
    batch_builder_t *builder;
    batch_t batch;
    int64_t positions[200];
    table_plan_t plan;
    int inputs;
    float *weights; /* of all uniques, one after the other */
    int64_t n_weights;
    const float **row;
} fixture_t;

#define UNEVEN 0                           /* a width of its own for each field */
enum { PLAIN = 0, LINEAR = 1, NAMED = 2 }; /* first-order weights; fields that share a table, and crosses */

static int32_t width_of(int dim, int field)
{
    static const int32_t widths[] = {8, 3, 16, 4, 1, DIM_MOST};
    return dim ? dim : widths[field % 6];
}

/* Crosses of the first two single-valued fields, one of them of few buckets; the first field of all and, of more than two, the
 * third have their rows in the table of the last one. */
static void make_plan(table_plan_t *plan, int single, int multi, int dim, int how)
{
    const int crosses = how & NAMED && single >= 2 ? 2 : 0, fields = single + crosses + multi;
    field_wish_t wish[20];
    for (int i = 0; i < fields; i++)
        wish[i] = (field_wish_t){NULL, width_of(dim, i), i};
    for (int i = 0; how & NAMED && i < fields - 1; i += 2)
        if (i < 3 && (i < single || i >= single + crosses))
            wish[i] = (field_wish_t){NULL, width_of(dim, fields - 1), fields - 1};
    table_plan_init_fields(plan, 1, fields, wish, OPTIMIZER_SGD);
    plan->first_cross = single;
    plan->crosses = crosses;
    plan->cross = MEM_ARRAY(planned_cross_t, crosses);
    for (int c = 0; c < crosses; c++)
        plan->cross[c] = (planned_cross_t){.parts = 2, .part = {c, 1 - c}, .buckets = 7 * c};
    if (how & LINEAR)
        table_plan_add_linear(plan, OPTIMIZER_SGD);
}

static fixture_t setup(int single, int multi, int numeric, int rows, int dim, int how, uint64_t seed)
{
    fixture_t f = {.inputs = numeric};
    make_plan(&f.plan, single, multi, dim, how);
    f.inputs += f.plan.columns;
    test_dir();
    const sample_options_t options = {.path = test_path("data"),
                                      .seed = seed,
                                      .rows = 250,
                                      .single = single,
                                      .multi = multi,
                                      .numeric = numeric,
                                      .values = 25,
                                      .train_fraction = 1,
                                      .weights = true};
    f.sample = sample_create(&options);
    uint16_t slot_shard[HASH_SLOTS];
    for (int slot = 0; slot < HASH_SLOTS; slot++)
        slot_shard[slot] = (uint16_t)(slot % SHARDS);
    assert_int_equal(dataset_open(options.path, 1 << 20, &f.dataset), ST_OK);
    f.builder = batch_builder_create(f.dataset, SHARDS, slot_shard, how & NAMED ? &f.plan : NULL);
    for (int r = 0; r < rows; r++)
        f.positions[r] = (int64_t)(rng_u64(seed, 3, (uint64_t)r) % 250);
    assert_int_equal(batch_build(f.builder, f.positions, rows, 0, &f.batch), ST_OK);
    f.row = MEM_ARRAY(const float *, f.batch.uniques);
    f.weights = MEM_ARRAY(float, f.batch.uniques *ROW_MOST);
    for (int s = 0, u = 0; s < f.batch.segment_first[SHARDS]; s++)
        for (uint32_t i = 0; i < f.batch.segments[s].count; i++, u++) {
            f.row[u] = f.weights + f.n_weights;
            f.n_weights += f.plan.table[f.batch.segments[s].table].width;
        }
    for (int i = 0; i < f.n_weights; i++)
        f.weights[i] = (float)rng_normal(seed, 4, (uint64_t)i);
    assert_int_equal(embedding_inputs(&f.plan, numeric), f.inputs);
    int64_t weights = 0;
    for (int s = 0; s < SHARDS; s++) {
        const batch_slice_t slice = batch_pulled(&f.batch, s);
        weights += batch_weights(&slice, &f.plan);
    }
    assert_int_equal(weights, f.n_weights);
    return f;
}

static void teardown(fixture_t *f)
{
    mem_free(f->weights);
    mem_free(f->row);
    table_plan_fini(&f->plan);
    batch_reset(&f->batch);
    batch_builder_destroy(&f->builder);
    dataset_close(&f->dataset);
    sample_destroy(&f->sample);
}

/* SplitMix64's finaliser, for keys of crosses. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Value i of a field of an example. */
static uint64_t key_of(const fixture_t *f, const sample_row_t *row, int field, int i)
{
    const int m = field - f->batch.single, c = field - f->plan.first_cross;
    if (m >= 0)
        return row->key[m][i];
    if (c < 0 || c >= f->plan.crosses)
        return row->single[field];
    const uint64_t key = mix(mix(row->single[c]) + row->single[1 - c]);
    return c ? (uint64_t)((unsigned __int128)key * 7 >> 64) : key;
}

/* The unique of a key of a table, by a search through the segments. */
static int unique_of(const batch_t *batch, int table, uint64_t key)
{
    int u = 0;
    for (int s = 0; s < batch->segment_first[SHARDS]; s++)
        for (uint32_t i = 0; i < batch->segments[s].count; i++, u++)
            if ((int)batch->segments[s].table == table && batch->keys[u] == key)
                return u;
    fail_msg("key %" PRIu64 " of table %d is not in the batch", key, table);
    return -1;
}

/* x of one example, from the dataset and the weights of its keys. */
static void naive_inputs(const fixture_t *f, int r, float *x, float *wide)
{
    const sample_row_t *row = &f->sample->row[f->positions[r]];
    const batch_t *b = &f->batch;
    memset(x, 0, sizeof *x * (size_t)f->inputs);
    *wide = 0.0f;
    for (int field = 0; field < b->single + b->multi; field++) {
        float *out = x + f->plan.field[field].column;
        const int m = field - b->single, dim = table_plan_dim(&f->plan, field);
        float first_order = 0.0f;
        for (int i = 0; i < (m < 0 ? 1 : row->count[m]); i++) {
            const float *w = f->row[unique_of(b, f->plan.field[field].table, key_of(f, row, field, i))];
            for (int d = 0; d < dim; d++)
                out[d] = m < 0 ? w[d] : out[d] + sample_scale(row, m, i) * w[d];
            if (f->plan.linear)
                first_order += m < 0 ? w[dim] : sample_scale(row, m, i) * w[dim];
        }
        *wide += first_order;
    }
    memcpy(x + f->inputs - b->numeric, row->numeric, sizeof *x * (size_t)b->numeric);
}

static void check_gather(const fixture_t *f, int first, int rows)
{
    float *x = MEM_ARRAY(float, (rows + 1) * f->inputs), *expected = MEM_ARRAY(float, f->inputs);
    float *wide = f->plan.linear ? MEM_ARRAY(float, rows + 1) : NULL, expected_wide;
    memset(x, 0xff, sizeof *x * (size_t)((rows + 1) * f->inputs)); /* what a larger lane left there */
    embedding_gather(x, wide, &f->batch, first, rows, f->row, &f->plan);
    for (int r = 0; r < rows; r++) {
        naive_inputs(f, first + r, expected, &expected_wide);
        assert_true(!wide || wide[r] == expected_wide);
        assert_memory_equal(x + r * f->inputs, expected, sizeof *x * (size_t)f->inputs);
    }
    assert_true(!wide || wide[rows] == 0.0f);
    for (int i = 0; i < f->inputs; i++)
        assert_true(isnan(x[rows * f->inputs + i])); /* nothing was written behind the lane */
    mem_free(x);
    mem_free(wide);
    mem_free(expected);
}

static const int shapes[][3] = {{3, 2, 2}, {2, 0, 0}, {0, 2, 1}, {4, 4, 4}};
static const int dims[] = {1, 3, 4, 8, 16, DIM_MOST, UNEVEN};

static void test_gather(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t d = 0; d < 4 * sizeof dims / sizeof *dims; d++) {
            fixture_t f = setup(shapes[i][0], shapes[i][1], shapes[i][2], 61, dims[d / 4], d % 4, 10 * i + d);
            check_gather(&f, 0, 61);
            check_gather(&f, 16, 16);
            check_gather(&f, 48, 13);
            teardown(&f);
        }
}

/* Sum of the leaves [low, high) that are there; false where none is. */
static bool tree_sum(float leaves[LANES_MOST][ROW_MOST], const bool *has, int low, int high, int dim, float *out)
{
    if (high - low == 1) {
        memcpy(out, leaves[low], sizeof *out * (size_t)dim);
        return has[low];
    }
    float right[ROW_MOST];
    const int middle = (low + high) / 2;
    const bool has_left = tree_sum(leaves, has, low, middle, dim, out);
    const bool has_right = tree_sum(leaves, has, middle, high, dim, right);
    for (int d = 0; d < dim && has_right; d++)
        out[d] = has_left ? out[d] + right[d] : right[d];
    return has_left || has_right;
}

/* Put the uses of a key by one field in one example into a lane's sum. */
static void add_uses(const fixture_t *f, int r, int field, uint64_t key, const float *dx, const float *dwide, float *leaf,
                     bool *has)
{
    const sample_row_t *row = &f->sample->row[f->positions[r]];
    const int m = field - f->batch.single, dim = f->plan.field[field].width;
    for (int i = 0; i < (m < 0 ? 1 : row->count[m]); i++) {
        if (key_of(f, row, field, i) != key)
            continue;
        for (int d = 0; d < dim; d++) {
            const bool is_wide = f->plan.linear && d == dim - 1;
            const float g = is_wide ? dwide[r] : dx[r * f->inputs + f->plan.field[field].column + d],
                        use = m < 0 ? g : sample_scale(row, m, i) * g;
            leaf[d] = *has ? leaf[d] + use : use;
        }
        *has = true;
    }
}

/* The gradient of one key in lanes [low, high): a sum per lane in ascending rows, and in a row over the fields of the table in
 * order, then the tree; false where no row uses it. */
static bool gradient_of_lanes(const fixture_t *f, int table, uint64_t key, const float *dx, const float *dwide, int low,
                              int high, int lane_rows, float *out)
{
    float leaves[LANES_MOST][ROW_MOST];
    bool has[LANES_MOST] = {0};
    for (int r = 0; r < f->batch.rows; r++)
        for (int field = 0; field < f->plan.fields; field++)
            if (f->plan.field[field].table == table)
                add_uses(f, r, field, key, dx, dwide, leaves[r / lane_rows], &has[r / lane_rows]);
    return tree_sum(leaves, has, low, high, f->plan.table[table].width, out);
}

static void naive_gradient(const fixture_t *f, int table, uint64_t key, const float *dx, const float *dwide, int lanes,
                           int lane_rows, float *out)
{
    assert_true(gradient_of_lanes(f, table, key, dx, dwide, 0, lanes, lane_rows, out));
}

/* Gradients of logits; NULL where rows have no first-order weights. */
static float *make_wide(const fixture_t *f)
{
    float *dwide = f->plan.linear ? MEM_ARRAY(float, f->batch.rows) : NULL;
    for (int r = 0; dwide && r < f->batch.rows; r++)
        dwide[r] = (float)rng_normal(7, 1, (uint64_t)r);
    return dwide;
}

static void check_reduce(const fixture_t *f, int lanes, int lane_rows, bool *order_matters)
{
    const batch_t *b = &f->batch;
    float *dx = MEM_ARRAY(float, b->rows * f->inputs),
          *scratch = MEM_ARRAY(float, (tree_levels((uint32_t)lanes) + 1) * f->plan.widest);
    for (int i = 0; i < b->rows * f->inputs; i++)
        dx[i] = (float)rng_normal(6, (uint64_t)lanes, (uint64_t)i);
    float *dwide = make_wide(f);
    for (int s = 0; s < SHARDS; s++) {
        const batch_slice_t slice = batch_pulled(b, s);
        const int64_t floats = batch_weights(&slice, &f->plan);
        float *out = MEM_ARRAY(float, floats), *at = out;
        memset(out, 0xff, sizeof *out * (size_t)floats);
        embedding_reduce(out, b, s, 0, dx, dwide, &f->plan, lane_rows, scratch);
        int u = b->shard_first[s];
        for (int i = b->segment_first[s]; i < b->segment_first[s + 1]; i++)
            for (uint32_t n = 0; n < b->segments[i].count; n++, u++) {
                float expected[ROW_MOST], one_lane[ROW_MOST];
                const int dim = f->plan.table[b->segments[i].table].width;
                naive_gradient(f, (int)b->segments[i].table, b->keys[u], dx, dwide, lanes, lane_rows, expected);
                assert_memory_equal(at, expected, sizeof *at * (size_t)dim);
                naive_gradient(f, (int)b->segments[i].table, b->keys[u], dx, dwide, 1, b->rows, one_lane);
                *order_matters |= memcmp(at, one_lane, sizeof *at * (size_t)dim) != 0;
                at += dim;
            }
        assert_ptr_equal(at, out + floats);
        mem_free(out);
    }
    mem_free(dx);
    mem_free(dwide);
    mem_free(scratch);
}

static void test_reduce(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t d = 0; d < 4 * sizeof dims / sizeof *dims; d++) {
            fixture_t f = setup(shapes[i][0], shapes[i][1], shapes[i][2], 61, dims[d / 4], d % 4, 100 + 40 * i + d);
            for (int lanes = 1; lanes <= LANES_MOST; lanes *= 2) {
                bool order_matters = false;
                check_reduce(&f, lanes, 64 / lanes, &order_matters);  /* the last lane has 3 rows fewer */
                check_reduce(&f, lanes, 128 / lanes, &order_matters); /* the second half of the lanes is empty or short */
                /* else the comparison could not tell a tree from a plain sum */
                assert_int_equal(order_matters, lanes > 1);
            }
            teardown(&f);
        }
}

/* "gradient of every unique key of one shard, summed over its uses in one of the batch's parts": for every way to give a worker
 * some lanes of a tree, each part has the keys that its rows use, in the order of the pull, and what only its lanes sum to. */
static void check_parts(const fixture_t *f, batch_t *b, const int32_t *row, int parts, int lane_rows, const float *dx,
                        const float *dwide)
{
    float *scratch = MEM_ARRAY(float, 4 * f->plan.widest);
    batch_split(f->builder, b, row, parts);
    for (int s = 0; s < SHARDS; s++)
        for (int p = 0; p < parts; p++) {
            const batch_slice_t slice = batch_pushed(b, s, p);
            const int64_t floats = batch_weights(&slice, &f->plan);
            float *out = MEM_ARRAY(float, floats), *at = out;
            embedding_reduce(out, b, s, p, dx, dwide, &f->plan, lane_rows, scratch);
            int32_t i = 0, u = b->shard_first[s], segment = 0;
            for (int g = b->segment_first[s]; g < b->segment_first[s + 1]; g++) {
                uint32_t found = 0;
                const int table = (int)b->segments[g].table, dim = f->plan.table[table].width;
                for (uint32_t n = 0; n < b->segments[g].count; n++, u++) {
                    float expected[ROW_MOST];
                    if (!gradient_of_lanes(f, table, b->keys[u], dx, dwide, row[p] / lane_rows, row[p + 1] / lane_rows,
                                           lane_rows, expected))
                        continue;
                    assert_int_equal(parts > 1 ? slice.unique[i] : (uint32_t)(slice.first + i), u);
                    assert_memory_equal(at, expected, sizeof *at * (size_t)dim);
                    at += dim;
                    i++;
                    found++;
                }
                if (found) {
                    assert_int_equal(slice.segments[segment].table, table);
                    assert_int_equal(slice.segments[segment++].count, found);
                }
            }
            assert_int_equal(segment, slice.n_segments);
            assert_int_equal(i, slice.keys);
            assert_ptr_equal(at, out + floats);
            mem_free(out);
        }
    mem_free(scratch);
}

static void test_parts(void **state)
{
    (void)state;
    enum { LANE_ROWS = 5 };
    for (int rows = 40; rows > 0; rows -= 13) {
        fixture_t f = setup(2, 2, 1, rows, 3, rows % 4, (uint64_t)rows);
        float *dwide = make_wide(&f);
        float *dx = MEM_ARRAY(float, rows *f.inputs);
        for (int i = 0; i < rows * f.inputs; i++)
            dx[i] = (float)rng_normal(9, (uint64_t)rows, (uint64_t)i);
        for (uint32_t from = 0; from < LANES_MOST; from++)
            for (uint32_t to = from + 1; to <= LANES_MOST; to++) {
                uint32_t part[TREE_PARTS_MAX + 1];
                int32_t row[TREE_PARTS_MAX + 1];
                const int parts = tree_parts(from, to, part);
                if (rows > (int)(to - from) * LANE_ROWS)
                    continue; /* they would not fit these lanes */
                for (int i = 0; i <= parts; i++)
                    row[i] = (int32_t)(part[i] - from) * LANE_ROWS;
                check_parts(&f, &f.batch, row, parts, LANE_ROWS, dx, dwide);
            }
        mem_free(dx);
        mem_free(dwide);
        teardown(&f);
    }
}

/* loss = sum over the inputs and the first-order sums of c x^2 / 2, a quadratic of the weights: central differences are exact
 * but for rounding. */
static double naive_loss(const fixture_t *f, const float *c)
{
    double loss = 0.0;
    float *x = MEM_ARRAY(float, f->inputs);
    for (int r = 0; r < f->batch.rows; r++) {
        float wide;
        naive_inputs(f, r, x, &wide);
        loss += 0.5 * (double)c[r] * (double)wide * (double)wide;
        for (int i = 0; i < f->inputs; i++)
            loss += 0.5 * (double)c[r * f->inputs + i] * (double)x[i] * (double)x[i];
    }
    mem_free(x);
    return loss;
}

static void check_differences(int how)
{
    enum { ROWS = 20, DIM = 3, WIDTH = DIM + 1 };
    fixture_t f = setup(2, 2, 1, ROWS, DIM, how, 7);
    const batch_t *b = &f.batch;
    float *c = MEM_ARRAY(float, ROWS *f.inputs), *x = MEM_ARRAY(float, ROWS *f.inputs), scratch[3 * WIDTH], wide[ROWS];
    for (int i = 0; i < ROWS * f.inputs; i++)
        c[i] = (float)rng_normal(8, 0, (uint64_t)i);
    embedding_gather(x, wide, b, 0, ROWS, f.row, &f.plan);
    for (int i = 0; i < ROWS * f.inputs; i++)
        x[i] *= c[i]; /* dloss/dx */
    for (int r = 0; r < ROWS; r++)
        wide[r] *= c[r];
    float *gradient = MEM_ARRAY(float, b->uniques *WIDTH);
    for (int s = 0; s < SHARDS; s++)
        embedding_reduce(gradient + b->shard_first[s] * WIDTH, b, s, 0, x, wide, &f.plan, 5, scratch);
    double largest = 0.0;
    for (int i = 0; i < b->uniques * WIDTH; i++) {
        const float value = f.weights[i], h = 0.25f;
        f.weights[i] = value + h;
        const double right = naive_loss(&f, c), width_right = f.weights[i];
        f.weights[i] = value - h;
        const double left = naive_loss(&f, c), width = width_right - f.weights[i];
        f.weights[i] = value;
        const double difference = (right - left) / width;
        if (fabs(difference - (double)gradient[i]) > 2e-5 * (1.0 + fabs(difference)))
            fail_msg("weight %d: gradient %.9g, difference %.9g", i, (double)gradient[i], difference);
        largest = fmax(largest, fabs(difference));
    }
    assert_true(largest > 0.1);
    mem_free(c);
    mem_free(x);
    mem_free(gradient);
    teardown(&f);
}

static void test_gradient_equals_finite_differences(void **state)
{
    (void)state;
    check_differences(LINEAR);
    check_differences(LINEAR | NAMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_gradient_equals_finite_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
