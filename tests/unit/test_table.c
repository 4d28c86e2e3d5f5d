/* test_table - "Row = one value {version, count, weight[dim], optimizer state[..]}: weight and state can't part" and "Initial
 * value of a row ... independent of arrival order" (docs/MATH.md eq. 26); "sparse gradients are merged per key in the same tree
 * order" (docs/MATH.md section 8).
 *
 * The oracle is a plain array of rows searched from its start, with the optimizers' twins and tree sums written out naively. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/config/config.h"
#include "ps/table/table.h"
#include "tests/lib/testing.h"

#define SENDERS_MAX 8
#define PAYLOAD_MAX 256 /* 48 weights and what any optimizer keeps with them */

static const optimizer_settings_t settings = {.learning_rate = 0.1f, .initial_accumulator = 0.01f, .epsilon = 1e-6f};
static const int dims[] = {1, 3, 8, 16, 48};
#define N_DIMS 5
static const optimizer_settings_t linear_settings = {.learning_rate = 0.3f, .initial_accumulator = 0.1f, .epsilon = 1e-6f};

/* Every third table has first-order weights, the last ones of its rows, of another optimizer. */
static bool has_linear(uint32_t id)
{
    return id % 3 == 2;
}

static int linear_optimizer(int optimizer)
{
    return (optimizer + 1) % OPTIMIZER_COUNT;
}

static table_t *make_table(uint32_t id, int dim, int optimizer)
{
    const table_options_t options = {
        .id = id,
        .dim = dim,
        .optimizer = optimizer,
        .settings = settings,
        .linear = has_linear(id),
        .linear_optimizer = linear_optimizer(optimizer),
        .linear_settings = linear_settings,
        .init_std = 0.05f,
        .seed = 11,
    };
    table_t *table = NULL;
    assert_int_equal(table_create(&options, &table), ST_OK);
    return table;
}

static void digest_text_of(const table_t *table, char text[33])
{
    hash_digest_t digest = {0};
    table_digest(table, &digest);
    hash_digest_text(&digest, text);
}

static void assert_same_digest(const table_t *a, const table_t *b)
{
    char ta[33], tb[33];
    digest_text_of(a, ta);
    digest_text_of(b, tb);
    assert_int_equal(table_rows(a), table_rows(b));
    assert_string_equal(ta, tb);
}

/* Gradients of very different size, so that another order of addition shows in the bits. */
static void fill_gradient(float *g, int64_t n, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = rng_u64(seed, stream, (uint64_t)i);
        g[i] = ldexpf((float)(int32_t)bits, -(int)(bits >> 40 & 15) - 26);
    }
}

/* n distinct keys of [0, range), spread over 64 bits. */
static void draw_keys(uint64_t *keys, int64_t n, uint64_t range, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < n; i++) /* the image of a permutation is distinct */
        keys[i] = hash_mix(rng_permute(seed ^ hash_mix(stream), range, (uint64_t)i));
}

/* ---- the model ------------------------------------------------------------------------------------------------------- */

typedef struct model_row {
    uint64_t key;
    uint32_t version, count;
    float payload[PAYLOAD_MAX];
} model_row_t;

typedef struct model {
    uint32_t id;
    int dim, optimizer;
    model_row_t *rows;
    size_t n, capacity;
} model_t;

static void model_initial(const model_t *m, uint64_t key, float *w)
{
    const int dim = m->dim - has_linear(m->id);
    rng_fill_normal(w, dim, 0.05f, hash_mix(11 ^ 0x726f7773u), key, (uint64_t)m->id << 32);
    if (has_linear(m->id))
        w[dim] = 0.0f;
}

/* Where the state of the first-order weight is. */
static int64_t model_linear_state(const model_t *m)
{
    const int dim = m->dim - has_linear(m->id);
    return m->dim + (dim ? optimizer_get(m->optimizer)->state_floats(dim) : 0);
}

static model_row_t *model_find(const model_t *m, uint64_t key)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].key == key)
            return &m->rows[i];
    return NULL;
}

static model_row_t *model_row(model_t *m, uint64_t key)
{
    model_row_t *row = model_find(m, key);
    if (row)
        return row;
    MEM_GROW(m->rows, m->capacity, m->n + 1);
    row = &m->rows[m->n++];
    memset(row, 0, sizeof *row);
    row->key = key;
    model_initial(m, key, row->payload);
    const int dim = m->dim - has_linear(m->id);
    float *w = row->payload;
    const optimizer_t *linear = optimizer_get(linear_optimizer(m->optimizer));
    assert_true(model_linear_state(m) + linear->state_floats(1) <= PAYLOAD_MAX);
    if (dim)
        optimizer_get(m->optimizer)->init(w + m->dim, w, dim, &settings);
    if (has_linear(m->id))
        linear->init(w + model_linear_state(m), w + dim, 1, &linear_settings);
    return row;
}

/* In double from the stored floats, rounded once per step: within a few units in the last place of any f32 order. */
static void model_step(model_t *m, uint64_t key, const float *g, uint32_t step)
{
    model_row_t *row = model_row(m, key);
    double payload[PAYLOAD_MAX], exact_g[PAYLOAD_MAX];
    for (int i = 0; i < PAYLOAD_MAX; i++)
        payload[i] = (double)row->payload[i];
    for (int i = 0; i < m->dim; i++)
        exact_g[i] = (double)g[i];
    const int dim = m->dim - has_linear(m->id);
    if (dim)
        optimizer_get(m->optimizer)->exact(payload, payload + m->dim, exact_g, dim, &settings);
    if (has_linear(m->id))
        optimizer_get(linear_optimizer(m->optimizer))
            ->exact(payload + dim, payload + model_linear_state(m), exact_g + dim, 1, &linear_settings);
    for (int i = 0; i < PAYLOAD_MAX; i++)
        row->payload[i] = (float)payload[i];
    row->version = step + 1;
    row->count++;
}

static void assert_close(const float *got, const float *wanted, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - wanted[i]) <= 2e-5 * (1.0 + fabs((double)wanted[i]))))
            fail_msg("element %" PRId64 " is %.9g, wanted %.9g", i, got[i], wanted[i]);
}

static void assert_table_is_model(const table_t *table, const model_t *m)
{
    assert_int_equal(table_rows(table), m->n);
    for (int64_t i = 0; i < table_rows(table); i++) {
        table_row_t row = table_row_at(table, i);
        const model_row_t *wanted = model_find(m, row.key);
        assert_non_null(wanted);
        assert_int_equal(row.version, wanted->version);
        assert_int_equal(row.count, wanted->count);
        assert_close(row.payload, wanted->payload, table_payload_floats(table));
    }
}

/* Pulls, peeks and pushes of random size on many tables at once, each compared with the model. */
static void test_random_operations_follow_the_model(void **state)
{
    (void)state;
    enum { TABLES = N_DIMS * OPTIMIZER_COUNT, OPERATIONS = 40, KEYS_MAX = 300, RANGE = 1500 };
    table_t *tables[TABLES];
    model_t models[TABLES];
    for (int t = 0; t < TABLES; t++) {
        models[t] = (model_t){.id = (uint32_t)t * 7, .dim = dims[t % N_DIMS], .optimizer = t / N_DIMS};
        tables[t] = make_table(models[t].id, models[t].dim, models[t].optimizer);
    }
    static uint64_t keys[KEYS_MAX];
    static float g[KEYS_MAX * 48], out[KEYS_MAX * 48], initial[48];
    for (uint64_t o = 0; o < OPERATIONS * TABLES; o++) {
        int t = (int)(rng_u64(1, 0, o) % TABLES);
        int64_t n = (int64_t)(rng_u64(1, 1, o) % (KEYS_MAX + 1)), dim = models[t].dim;
        draw_keys(keys, n, RANGE, 2, o);
        switch (rng_u64(1, 2, o) % 3) {
        case 0:
            table_pull(tables[t], keys, n, out);
            for (int64_t i = 0; i < n; i++)
                assert_close(out + i * dim, model_row(&models[t], keys[i])->payload, dim);
            break;
        case 1:
            table_peek(tables[t], keys, n, out);
            for (int64_t i = 0; i < n; i++) {
                const model_row_t *row = model_find(&models[t], keys[i]);
                model_initial(&models[t], keys[i], initial);
                assert_close(out + i * dim, row ? row->payload : initial, dim);
            }
            break;
        default:
            fill_gradient(g, n * dim, 3, o);
            table_push(tables[t], keys, g, n, (uint32_t)o);
            for (int64_t i = 0; i < n; i++)
                model_step(&models[t], keys[i], g + i * dim, (uint32_t)o);
        }
        assert_int_equal(table_rows(tables[t]), models[t].n);
    }
    for (int t = 0; t < TABLES; t++) {
        assert_table_is_model(tables[t], &models[t]);
        table_destroy(&tables[t]);
        assert_null(tables[t]);
        mem_free(models[t].rows);
    }
}

/* ---- initial values -------------------------------------------------------------------------------------------------- */

static void test_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint64_t keys[N];
    static float out[N * 8];
    draw_keys(keys, N, N, 5, 0);
    table_t *a = make_table(3, 8, OPTIMIZER_ADAGRAD), *b = make_table(3, 8, OPTIMIZER_ADAGRAD);
    table_pull(a, keys, N, out);
    for (int64_t i = N - 1; i >= 0; i--)
        table_pull(b, keys + i, 1, out);
    assert_same_digest(a, b);
    table_destroy(&a);
    table_destroy(&b);
}

static void test_initial_values_are_normal_and_unrelated(void **state)
{
    (void)state;
    enum { N = 20000, DIM = 4 };
    static uint64_t keys[N];
    static float a[N * DIM], b[N * DIM];
    for (int i = 0; i < N; i++)
        keys[i] = (uint64_t)i; /* small neighbouring keys are the hardest case for a generator */
    table_t *ta = make_table(0, DIM, OPTIMIZER_SGD), *tb = make_table(1, DIM, OPTIMIZER_SGD);
    table_pull(ta, keys, N, a);
    table_pull(tb, keys, N, b);
    double mean = 0, square = 0, tables = 0, neighbours = 0, positions = 0;
    for (int i = 0; i + DIM < N * DIM; i++) {
        mean += a[i];
        square += (double)a[i] * a[i];
        tables += (double)a[i] * b[i];
        neighbours += (double)a[i] * a[i + DIM];
        positions += (double)a[i] * a[i + 1];
    }
    const double n = N * DIM, variance = 0.05 * 0.05, five_sigma = 5.0 / sqrt(n);
    assert_true(fabs(mean / n) < 0.05 * five_sigma);
    assert_true(fabs(square / n / variance - 1.0) < five_sigma * sqrt(2.0));
    assert_true(fabs(tables / n / variance) < five_sigma);
    assert_true(fabs(neighbours / n / variance) < five_sigma);
    assert_true(fabs(positions / n / variance) < five_sigma);
    table_destroy(&ta);
    table_destroy(&tb);
}

static void test_peek_creates_nothing(void **state)
{
    (void)state;
    enum { N = 100, DIM = 16 };
    uint64_t keys[N];
    float peeked[N * DIM], pulled[N * DIM];
    draw_keys(keys, N, N, 6, 0);
    table_t *table = make_table(9, DIM, OPTIMIZER_ADAGRAD);
    table_peek(table, keys, N, peeked);
    assert_int_equal(table_rows(table), 0);
    table_pull(table, keys, N, pulled);
    assert_int_equal(table_rows(table), N);
    assert_memory_equal(peeked, pulled, sizeof peeked);
    table_destroy(&table);
}

/* ---- merged pushes --------------------------------------------------------------------------------------------------- */

typedef struct senders {
    int count, dim;
    int64_t n[SENDERS_MAX];
    uint64_t *keys[SENDERS_MAX];
    float *g[SENDERS_MAX];
} senders_t;

/* Lists that share about half their keys; sender 2 sends nothing. */
static void senders_init(senders_t *s, int count, int dim, uint64_t seed)
{
    s->count = count;
    s->dim = dim;
    for (int w = 0; w < count; w++) {
        s->n[w] = w == 2 ? 0 : 150 + (int64_t)(rng_u64(seed, 1, (uint64_t)w) % 200);
        s->keys[w] = MEM_ARRAY(uint64_t, s->n[w]);
        s->g[w] = MEM_ARRAY(float, s->n[w] * dim);
        draw_keys(s->keys[w], s->n[w], 600, seed, (uint64_t)w);
        fill_gradient(s->g[w], s->n[w] * dim, seed, (uint64_t)w + 100);
    }
}

static void senders_fini(senders_t *s)
{
    for (int w = 0; w < s->count; w++) {
        mem_free(s->keys[w]);
        mem_free(s->g[w]);
    }
}

static const float *senders_gradient(const senders_t *s, int w, uint64_t key)
{
    for (int64_t i = 0; i < s->n[w]; i++)
        if (s->keys[w][i] == key)
            return s->g[w] + i * s->dim;
    return NULL;
}

/* out := the sum of the tree's node over senders [first, first + n), halves without the key skipped. */
static bool naive_tree(const senders_t *s, uint64_t key, int first, int n, float *out)
{
    if (n == 1) {
        const float *g = first < s->count ? senders_gradient(s, first, key) : NULL;
        if (g)
            memcpy(out, g, (size_t)s->dim * sizeof *out);
        return g != NULL;
    }
    float right[48];
    bool has_left = naive_tree(s, key, first, n / 2, out), has_right = naive_tree(s, key, first + n / 2, n / 2, right);
    for (int j = 0; j < s->dim && has_right; j++)
        out[j] = has_left ? out[j] + right[j] : right[j];
    return has_left || has_right;
}

/* The union of all keys, each with its naive tree sum: what one sender would have to send. */
static int64_t naive_union(const senders_t *s, uint64_t *keys, float *g)
{
    int64_t n = 0;
    for (int w = 0; w < s->count; w++)
        for (int64_t i = 0; i < s->n[w]; i++) {
            bool seen = false;
            for (int v = 0; v < w; v++)
                seen |= senders_gradient(s, v, s->keys[w][i]) != NULL;
            if (seen)
                continue;
            keys[n] = s->keys[w][i];
            assert_true(naive_tree(s, keys[n], 0, SENDERS_MAX, g + n * s->dim));
            n++;
        }
    return n;
}

static void push_senders(table_t *table, const senders_t *s, uint32_t step)
{
    table_push_merged(table, (const uint64_t *const *)s->keys, (const float *const *)s->g, s->n, s->count, step);
}

static void test_merged_push_equals_the_naive_tree(void **state)
{
    (void)state;
    const int counts[] = {1, 2, 3, 4, 8};
    static uint64_t keys[SENDERS_MAX * 350];
    static float g[SENDERS_MAX * 350 * 48];
    for (int c = 0; c < 5; c++)
        for (int t = 0; t < N_DIMS * OPTIMIZER_COUNT; t++) {
            int dim = dims[t % N_DIMS], optimizer = t / N_DIMS;
            table_t *merged = make_table(1, dim, optimizer), *direct = make_table(1, dim, optimizer);
            for (uint32_t step = 0; step < 3; step++) {
                senders_t s;
                senders_init(&s, counts[c], dim, 50 + step + (uint64_t)t * 10);
                push_senders(merged, &s, step);
                table_push(direct, keys, g, naive_union(&s, keys, g), step);
                senders_fini(&s);
            }
            assert_same_digest(merged, direct); /* bit for bit */
            for (int64_t i = 0; i < table_rows(merged); i++) {
                table_row_t row = table_row_at(merged, i);
                assert_in_range(row.count, 1, 3);
                assert_in_range(row.version, 1, 3);
            }
            table_destroy(&merged);
            table_destroy(&direct);
        }
}

/* Four lanes pushed by four workers, or merged pairwise by two workers that own two lanes each, or all by one. */
static void test_worker_count_does_not_matter(void **state)
{
    (void)state;
    enum { DIM = 16 };
    static uint64_t keys[4][1400];
    static float g[4][1400 * DIM];
    table_t *one = make_table(2, DIM, OPTIMIZER_ADAGRAD), *two = make_table(2, DIM, OPTIMIZER_ADAGRAD),
            *four = make_table(2, DIM, OPTIMIZER_ADAGRAD);
    for (uint32_t step = 0; step < 5; step++) {
        senders_t lanes;
        senders_init(&lanes, 4, DIM, 700 + step);
        push_senders(four, &lanes, step);

        senders_t pairs = {.count = 2, .dim = DIM};
        for (int w = 0; w < 2; w++) {
            senders_t half = {.count = 2, .dim = DIM};
            for (int l = 0; l < 2; l++) {
                half.n[l] = lanes.n[2 * w + l];
                half.keys[l] = lanes.keys[2 * w + l];
                half.g[l] = lanes.g[2 * w + l];
            }
            pairs.n[w] = naive_union(&half, keys[w], g[w]);
            pairs.keys[w] = keys[w];
            pairs.g[w] = g[w];
        }
        push_senders(two, &pairs, step);

        senders_t all = {.count = 1, .dim = DIM, .keys = {keys[2]}, .g = {g[2]}};
        all.n[0] = naive_union(&lanes, keys[2], g[2]);
        push_senders(one, &all, step);
        senders_fini(&lanes);
    }
    assert_same_digest(one, two);
    assert_same_digest(one, four);
    table_destroy(&one);
    table_destroy(&two);
    table_destroy(&four);
}

/* The contract forbids repeats inside a list; one from a broken peer must still not harm anything: it is a step of its own. */
static void test_repeated_key_is_a_step_of_its_own(void **state)
{
    (void)state;
    enum { DIM = 3 };
    const uint64_t repeated[] = {7, 8, 7}, single[] = {7};
    const float g[] = {1, 1, 1, 2, 2, 2, 3, 3, 3}, h[] = {5, 5, 5};
    table_t *table = make_table(0, DIM, OPTIMIZER_SGD);
    float before[DIM], after[DIM];
    table_pull(table, single, 1, before);
    const uint64_t *keys[] = {repeated, single};
    const float *gradients[] = {g, h};
    const int64_t n[] = {3, 1};
    table_push_merged(table, keys, gradients, n, 2, 0);
    table_pull(table, single, 1, after);
    assert_int_equal(table_rows(table), 2);
    assert_int_equal(table_row_at(table, 0).count, 2);
    for (int j = 0; j < DIM; j++)
        assert_true(fabsf(before[j] - after[j] - 0.1f * (1 + 3 + 5)) < 1e-5f);
    table_destroy(&table);
}

/* ---- size ------------------------------------------------------------------------------------------------------------ */

static int64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    int64_t pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %" SCNd64, &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* "at most 24 bytes" a row over its payload, at every size on the way to a million, and every row still found; the system
 * agrees about the memory. Keys of a range of slots only, as a shard has them. */
/* "add every row that a push updates to `digest`, with its new values": also of one whose key comes twice, with both. */
static void test_digest_of_a_push_is_that_of_its_rows(void **state)
{
    (void)state;
    enum { N = 100, DIM = 16 };
    uint64_t keys[N], words[2][64] = {{0}};
    float g[N * DIM];
    draw_keys(keys, N, 1000, 5, 1);
    for (int i = 10; i < N; i += 7)
        keys[i] = keys[i - i % 10]; /* in the same push, near and far */
    fill_gradient(g, N * DIM, 5, 2);
    for (int one_by_one = 0; one_by_one < 2; one_by_one++) {
        table_t *table = make_table(2, DIM, OPTIMIZER_ADAGRAD);
        step_digest_t digest = {.words = words[one_by_one], .tables = 3};
        table_watch(table, &digest);
        for (int i = 0; i < N; i += one_by_one ? 1 : N)
            table_push(table, keys + i, g + i * DIM, one_by_one ? 1 : N, 7);
        table_watch(table, NULL);
        step_digest_end(&digest);
        table_destroy(&table);
    }
    assert_memory_equal(words[0], words[1], sizeof words[0]);
    assert_true(words[0][0] != 0);
}

static void test_growth_and_memory(void **state)
{
    (void)state;
    enum { ROWS = 1000000, STEP = 5000, DIM = 8, PEEKS = 1000 };
    static uint64_t keys[STEP];
    static float out[STEP * DIM];
    float again[DIM];
    const int optimizers[] = {OPTIMIZER_SGD, OPTIMIZER_ADAGRAD};
    for (int o = 0; o < 2; o++) {
        const int64_t resident = resident_bytes();
        table_t *table = make_table(4, DIM, optimizers[o]);
        const int64_t payload_bytes = table_payload_floats(table) * (int64_t)sizeof(float);
        const float *first_row = NULL;
        uint64_t key = 0;
        for (int64_t rows = STEP; rows <= ROWS; rows += STEP) {
            for (int i = 0; i < STEP; i++, key++) {
                while (hash_slot(key) >= HASH_SLOTS / 4)
                    key++;
                keys[i] = key;
            }
            table_pull(table, keys, STEP, out);
            assert_int_equal(table_rows(table), rows);
            first_row = first_row ? first_row : table_row_at(table, 0).payload;
            double overhead = (double)table_memory_bytes(table) / (double)rows - (double)payload_bytes;
            assert_true(overhead > 16.0);
            assert_true(overhead * (double)rows <= 22.0 * (double)rows + (2.1 * (1 << 20))); /* a huge page of slack */
            if (rows == ROWS)
                assert_true(overhead <= 24.0);
        }
        int64_t difference = resident_bytes() - resident - table_memory_bytes(table);
        assert_true(difference > -(4 << 20) && difference < 8 << 20);
        assert_ptr_equal(table_row_at(table, 0).payload, first_row); /* rows do not move */
        for (int64_t i = 0; i < ROWS; i += ROWS / PEEKS) {
            uint64_t wanted = table_row_at(table, i).key;
            table_peek(table, &wanted, 1, again);
            assert_memory_equal(again, table_row_at(table, i).payload, DIM * sizeof *again);
        }
        table_pull(table, keys, STEP, out); /* known keys create nothing */
        assert_int_equal(table_rows(table), ROWS);
        table_destroy(&table);
    }
}

static void test_small_table_is_small(void **state)
{
    (void)state;
    const uint64_t key = 1;
    float out[16];
    table_t *table = make_table(0, 16, OPTIMIZER_ADAGRAD);
    table_pull(table, &key, 1, out);
    assert_in_range(table_memory_bytes(table), 1, 16384);
    table_destroy(&table);
}

/* ---- rows as stored -------------------------------------------------------------------------------------------------- */

static void test_put_gives_back_the_table(void **state)
{
    (void)state;
    enum { N = 3000, DIM = 3 };
    static uint64_t keys[N];
    static float g[N * DIM];
    draw_keys(keys, N, N, 21, 0);
    fill_gradient(g, N * DIM, 22, 0);
    table_t *from = make_table(5, DIM, OPTIMIZER_ADAGRAD_ROW), *to = make_table(5, DIM, OPTIMIZER_ADAGRAD_ROW);
    table_push(from, keys, g, N, 41);
    for (int64_t i = N - 1; i >= 0; i--) {
        table_row_t row = table_row_at(from, i);
        assert_int_equal(table_put(to, &row, 1), ST_OK);
    }
    assert_same_digest(from, to);
    assert_int_equal(table_row_at(to, 0).version, 42);
    assert_int_equal(table_row_at(to, 0).count, 1);
    table_push(from, keys, g, N, 42);
    table_push(to, keys, g, N, 42);
    assert_same_digest(from, to);

    table_row_t row = table_row_at(from, 0);
    char before[33], after[33];
    digest_text_of(to, before);
    catch_start();
    assert_int_equal(table_put(to, &row, 1), ST_CORRUPT);
    assert_caught("table 5: row");
    assert_caught("is there twice");
    catch_stop();
    digest_text_of(to, after);
    assert_string_equal(before, after);
    table_destroy(&from);
    table_destroy(&to);
}

static void test_digest_sees_every_part(void **state)
{
    (void)state;
    enum { FLOATS = 6 };
    float payload[FLOATS] = {1, 2, 3, 4, 5, 6};
    table_row_t row = {77, 1, 1, payload};
    char texts[4 + FLOATS][33];
    int n = 0;
    for (int change = -3; change < FLOATS; change++, n++) {
        hash_digest_t digest = {0};
        table_row_t changed = row;
        float altered[FLOATS];
        memcpy(altered, payload, sizeof altered);
        changed.payload = altered;
        changed.key += change == -2;
        if (change >= 0)
            altered[change] = nextafterf(altered[change], 10.0f);
        table_digest_row(change == -1 ? 6 : 5, FLOATS, &changed, &digest);
        hash_digest_text(&digest, texts[n]);
        for (int i = 0; i < n; i++)
            assert_string_not_equal(texts[i], texts[n]);
    }
}

static void test_bad_options_are_refused(void **state)
{
    (void)state;
    table_t *table = NULL;
    catch_start();
    table_options_t options = {.id = 12, .dim = 0};
    assert_int_equal(table_create(&options, &table), ST_INPUT);
    assert_caught("table 12: rows of 0 weights; a row has 1 to 65536");
    options = (table_options_t){.id = 13, .dim = 8, .expected_rows = (int64_t)1 << 40};
    assert_int_equal(table_create(&options, &table), ST_INPUT);
    assert_caught("table 13: 1099511627776 expected rows; a shard's table has at most 1073741824");
    catch_stop();
    assert_null(table);
}

/* A push makes its step with the learning rate of the step that it is of, alone or merged, in whatever order they come; and
 * with the gradient clipped, row by row, the first-order weight on its own. */
static void test_rates_are_of_the_step(void **state)
{
    (void)state;
    table_options_t options = {
        .dim = 3,
        .optimizer = OPTIMIZER_SGD,
        .settings = {.learning_rate = 1.0f, .clip_norm = 10.0f},
        .schedule = {.kind = SCHEDULE_STEP, .every = 2, .factor = 0.5},
        .linear = 1,
        .linear_optimizer = OPTIMIZER_SGD,
        .linear_settings = {.learning_rate = 1.0f},
        .linear_schedule = {.warmup = 4},
    };
    table_t *table;
    assert_int_equal(table_create(&options, &table), ST_OK);
    static const uint32_t steps[] = {5, 0, 3};
    const uint64_t key = 7, *keys[] = {&key, &key};
    const float g[] = {3.0f, 4.0f, 1.0f}, *gs[] = {g, g}, long_g[] = {-60.0f, 80.0f, -1.0f}; /* norm 100 */
    const int64_t one[] = {1, 1};
    float w[3], wanted[3] = {0};
    for (int i = 0; i < 3; i++) {
        const float rate = steps[i] < 2 ? 1.0f : steps[i] < 4 ? 0.5f : 0.25f;
        const float linear_rate = steps[i] < 3 ? (float)(steps[i] + 1) / 4.0f : 1.0f;
        table_push(table, &key, g, 1, steps[i]);
        table_push_merged(table, keys, gs, one, 2, steps[i]); /* norm 10: is left */
        table_push(table, &key, long_g, 1, steps[i]);
        wanted[0] -= rate * (3.0f + 6.0f - 6.0f);
        wanted[1] -= rate * (4.0f + 8.0f + 8.0f);
        wanted[2] -= linear_rate * (1.0f + 2.0f - 1.0f);
        table_peek(table, &key, 1, w);
        for (int j = 0; j < 3; j++)
            assert_true(fabsf(w[j] - wanted[j]) < 1e-5f);
    }
    table_destroy(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_of_the_step),
        cmocka_unit_test(test_random_operations_follow_the_model),
        cmocka_unit_test(test_order_of_arrival_does_not_matter),
        cmocka_unit_test(test_initial_values_are_normal_and_unrelated),
        cmocka_unit_test(test_peek_creates_nothing),
        cmocka_unit_test(test_merged_push_equals_the_naive_tree),
        cmocka_unit_test(test_worker_count_does_not_matter),
        cmocka_unit_test(test_repeated_key_is_a_step_of_its_own),
        cmocka_unit_test(test_digest_of_a_push_is_that_of_its_rows),
        cmocka_unit_test(test_growth_and_memory),
        cmocka_unit_test(test_small_table_is_small),
        cmocka_unit_test(test_put_gives_back_the_table),
        cmocka_unit_test(test_digest_sees_every_part),
        cmocka_unit_test(test_bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
