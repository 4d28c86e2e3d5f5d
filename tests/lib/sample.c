#include "tests/lib/sample.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "tests/lib/testing.h"

typedef struct dice {
    uint64_t seed, at;
} dice_t;

static uint64_t roll(dice_t *dice, uint64_t n)
{
    return rng_u64(dice->seed, 77, dice->at++) % n;
}

/* Low ranks are frequent, so that batches have keys that occur once and keys that occur in most rows. */
static uint64_t draw_key(dice_t *dice, int values)
{
    double u = rng_uniform(dice->seed, 78, dice->at++);
    uint64_t rank = (uint64_t)(u * u * u * values);
    return rng_u64(5, 5, rank);
}

static void draw_row(sample_row_t *row, const sample_options_t *o, dice_t *dice, int position)
{
    row->train = rng_uniform(o->seed, 79, (uint64_t)position) < o->train_fraction;
    row->label = roll(dice, 3) == 0;
    row->group = (uint64_t)position + 1;
    for (int f = 0; f < o->numeric; f++)
        row->numeric[f] = (float)rng_normal(o->seed, 80, dice->at++);
    for (int f = 0; f < o->single; f++)
        row->single[f] = draw_key(dice, o->values);
    for (int m = 0; m < o->multi; m++) {
        row->count[m] = (int)roll(dice, SAMPLE_VALUES_MOST + 1);
        for (int i = 0; i < row->count[m]; i++) {
            row->key[m][i] = draw_key(dice, o->values);
            row->weight[m][i] = o->weights ? (float)(0.25 + (double)roll(dice, 1000) / 300.0) : 1.0f;
        }
    }
}

static void put_row(dataset_writer_t *writer, const sample_row_t *row, int multi)
{
    uint64_t keys[SAMPLE_FIELDS_MOST * SAMPLE_VALUES_MOST];
    float weights[SAMPLE_FIELDS_MOST * SAMPLE_VALUES_MOST];
    int n = 0;
    for (int m = 0; m < multi; m++)
        for (int i = 0; i < row->count[m]; i++, n++) {
            keys[n] = row->key[m][i];
            weights[n] = row->weight[m][i];
        }
    const dataset_row_t stored = {
        .label = row->label,
        .train = row->train,
        .group = row->group,
        .numeric = row->numeric,
        .single = row->single,
        .multi_count = row->count,
        .multi_key = keys,
        .multi_weight = weights,
    };
    assert_int_equal(dataset_writer_put(writer, &stored), ST_OK);
}

sample_t *sample_create(const sample_options_t *o)
{
    assert_true(o->single <= SAMPLE_FIELDS_MOST && o->multi <= SAMPLE_FIELDS_MOST && o->numeric <= SAMPLE_FIELDS_MOST);
    dataset_field_t fields[3 * SAMPLE_FIELDS_MOST] = {0};
    bool standardise[3 * SAMPLE_FIELDS_MOST] = {0};
    const int n = o->numeric + o->single + o->multi;
    for (int f = 0; f < n; f++) {
        const int m = f - o->numeric - o->single;
        fields[f].kind = f < o->numeric ? COLUMN_NUMERIC : m < 0 ? COLUMN_CATEGORICAL : COLUMN_MULTI;
        fields[f].pooling = m > 0 && m % 2 ? POOLING_MEAN : POOLING_SUM;
        fields[f].scale = 1.0;
        snprintf(fields[f].name, sizeof fields[f].name, "f%d", f);
    }
    dataset_writer_t *writer;
    assert_int_equal(dataset_writer_create(o->path, fields, n, standardise, true, false, false, &writer), ST_OK);
    sample_t *s = MEM_NEW(sample_t);
    s->o = *o;
    s->row = MEM_ARRAY(sample_row_t, o->rows);
    s->train = MEM_ARRAY(int, o->rows);
    s->eval = MEM_ARRAY(int, o->rows);
    dice_t dice = {o->seed, 0};
    for (int r = 0; r < o->rows; r++) {
        draw_row(&s->row[r], o, &dice, r);
        put_row(writer, &s->row[r], o->multi);
        if (s->row[r].train)
            s->train[s->train_rows++] = r;
        else
            s->eval[s->eval_rows++] = r;
    }
    assert_int_equal(dataset_writer_commit(&writer, 0), ST_OK);
    return s;
}

void sample_destroy(sample_t **sample)
{
    sample_t *s = *sample;
    if (!s)
        return;
    mem_free(s->row);
    mem_free(s->train);
    mem_free(s->eval);
    mem_free(s);
    *sample = NULL;
}

float sample_scale(const sample_row_t *row, int m, int i)
{
    return m % 2 ? row->weight[m][i] / (float)row->count[m] : row->weight[m][i];
}
