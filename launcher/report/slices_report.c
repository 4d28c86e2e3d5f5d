/* Slices take three passes, because a value's frequency in the training split is wanted only for values that the evaluation
 * split uses, which are few where the training split is long:
 *
 *     evaluation split: every example under its label, its score, and its value of each column
 *     training split:   how often each of these values occurs
 *     evaluation split: every example under the frequency of its rarest value                                          */
#include "launcher/report/slices_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/printable.h"
#include "common/base/text.h"
#include "common/data/dataset_meta.h"
#include "common/metrics/pd.h"
#include "common/metrics/slices.h"
#include "common/metrics/weighted.h"
#include "common/texts/shown_example.h"

#define CHUNK 8192     /* examples fetched at once: a block's worth, so that a block is decoded at most twice */
#define SAMPLE 16384   /* examples that decide about the deciles of a numeric column */
#define VALUE_BYTES 96 /* a value as text */
#define FREQUENCIES 20 /* never, 1 to 9, 10 to 99, ..: 63 bits have 19 decades */

typedef status_t visit_t(void *context, int64_t i, const dataset_example_t *example);

/* Call visit for the examples 0, stride, 2 stride, .. of a split. A fetch keeps all its blocks in memory, so it spans a fixed
 * part of the split, whatever the stride. */
static status_t each_example(dataset_t *dataset, split_t split, int64_t stride, visit_t *visit, void *context)
{
    const dataset_info_t *info = dataset_info(dataset);
    const int64_t n = dataset_split_rows(info, split);
    const int64_t most = stride < CHUNK ? CHUNK / stride : 1;
    int64_t *position = MEM_ARRAY(int64_t, most);
    dataset_example_t *example = MEM_ARRAY(dataset_example_t, most);
    status_t status = ST_OK;
    for (int64_t first = 0; first < n && status == ST_OK; first += most * stride) {
        int count = 0;
        for (int64_t i = first; i < n && count < most; i += stride)
            position[count++] = dataset_position(dataset, split, i);
        status = dataset_fetch(dataset, position, count, example);
        for (int k = 0; k < count && status == ST_OK; k++)
            status = visit(context, first + k * stride, &example[k]);
    }
    mem_free(position);
    mem_free(example);
    return status;
}

/* ---- labels and queries ---------------------------------------------------------------------------------------------- */

typedef struct labels {
    uint8_t *label;
    uint64_t *group; /* or NULL, as the next */
    float *weight;
} labels_t;

static status_t take_label(void *context, int64_t i, const dataset_example_t *example)
{
    const labels_t *to = context;
    to->label[i] = example->block->label[example->row];
    if (to->label[i] == DATASET_NO_LABEL)
        return FAIL(ST_INPUT, "row %" PRId64 " of the dataset has no label, and a report is about rows that have one",
                    example->block->first + example->row);
    if (to->weight)
        to->weight[i] = example->block->weight[example->row];
    if (to->group)
        to->group[i] = example->block->group[example->row];
    return ST_OK;
}

status_t slices_report_labels(dataset_t *dataset, split_t split, uint8_t *label, uint64_t *group, float *weight)
{
    return each_example(dataset, split, 1, take_label, &(labels_t){label, group, weight});
}

/* The split whose examples the runs predicted. */
static split_t scored_split(const experiment_result_t *result)
{
    return result->on_test ? SPLIT_TEST : SPLIT_EVAL;
}

status_t slices_report_read(dataset_t *dataset, experiment_result_t *result)
{
    const dataset_info_t *info = dataset_info(dataset);
    ASSERT(!result->label && !result->group);
    const split_t split = scored_split(result);
    const int64_t rows = dataset_split_rows(info, split);
    if (rows != result->eval_examples)
        return FAIL(ST_INPUT,
                    "the dataset has %" PRId64 " %s examples, and the runs predicted %" PRId64
                    "; train them again with another --out",
                    rows, dataset_split_name(split), result->eval_examples);
    result->label = MEM_ARRAY(uint8_t, rows);
    if (info->has_weight)
        result->weight = MEM_ARRAY(float, rows);
    if (info->has_group)
        result->group = MEM_ARRAY(uint64_t, rows);
    return each_example(dataset, split, 1, take_label, &(labels_t){result->label, result->group, result->weight});
}

/* ---- slices ---------------------------------------------------------------------------------------------------------- */

/* The columns that every dataset has come first, then its fields. */
enum { LABEL, SCORE, RAREST, FIRST_FIELD };

typedef struct column {
    const char *name;
    slices_t *slices;
    float edge[SLICES_DECILES - 1]; /* where values are deciles */
    int64_t *seen;                  /* [values], occurrences in the training split, where values are keys */
} column_t;

/* What slices of a variant are of, for a block of examples. */
typedef struct numbers {
    const double *given; /* [eval_examples], borrowed; NULL: relative PD, which is */
    double *term;        /* [SCORES_BLOCK] of the block that is held */
    scores_t *scores;    /* [replicas] */
    score_blocks_t blocks;
} numbers_t;

typedef struct slicing {
    const dataset_info_t *info;
    shown_values_t *shown;
    const experiment_result_t *result;
    int columns;
    column_t *column;
    float *score;   /* [eval_examples], or NULL where the baseline's predictions are no numbers */
    double *number; /* [variants], what slices are of, of an example */
    double weight;  /* of this example */
    numbers_t *of;  /* [variants] */
    float **sample; /* [numeric][samples] */
    int64_t samples, stride;
} slicing_t;

static int fields_of(const dataset_info_t *info)
{
    return info->numeric + info->single + info->multi;
}

/* The mean prediction of the baseline's replicas. *out: **owned**, or NULL where one is no number. */
static status_t make_score(const experiment_result_t *result, float **out)
{
    const variant_result_t *base = &result->variant[result->baseline];
    float *score = MEM_ARRAY(float, result->eval_examples);
    scores_t *scores = result_scores(result, base);
    score_blocks_t blocks = score_blocks_open(scores, base->replicas);
    status_t status = ST_OK;
    bool is_number = true;
    while (score_blocks_next(&blocks, &status))
        for (int64_t i = 0; i < blocks.count; i++) {
            double sum = 0.0;
            for (int32_t r = 0; r < base->replicas; r++)
                sum += (double)blocks.p[r][i];
            const float mean = (float)(sum / base->replicas);
            is_number = is_number && !isnan(mean);
            score[blocks.first + i] = mean;
        }
    score_blocks_close(&blocks);
    mem_free(scores);
    *out = status == ST_OK && is_number ? score : NULL;
    if (!*out)
        mem_free(score);
    return status;
}

static void open_numbers(slicing_t *s)
{
    s->of = MEM_ARRAY(numbers_t, s->result->variants);
    for (int32_t v = 0; v < s->result->variants; v++) {
        const variant_result_t *variant = &s->result->variant[v];
        numbers_t *of = &s->of[v];
        of->given = variant->pd_of_example;
        if (of->given)
            continue;
        of->term = MEM_ARRAY(double, SCORES_BLOCK);
        of->scores = result_scores(s->result, variant);
        of->blocks = score_blocks_open(of->scores, variant->replicas);
    }
}

static void close_numbers(slicing_t *s)
{
    for (int32_t v = 0; v < s->result->variants; v++) {
        score_blocks_close(&s->of[v].blocks);
        mem_free(s->of[v].scores);
        mem_free(s->of[v].term);
    }
    mem_free(s->of);
}

static status_t number_of(numbers_t *of, int64_t i, double *number)
{
    if (of->given) {
        *number = of->given[i];
        return ST_OK;
    }
    if (i < of->blocks.first || i >= of->blocks.first + of->blocks.count) {
        TRY(score_blocks_at(&of->blocks, i));
        pd_relative_examples(of->blocks.p, of->blocks.models, of->blocks.count, of->term);
    }
    *number = of->term[i - of->blocks.first];
    return ST_OK;
}

static status_t take_sample(void *context, int64_t i, const dataset_example_t *example)
{
    slicing_t *s = context;
    const float *value = example->block->numeric + (int64_t)example->row * s->info->numeric;
    for (int f = 0; f < s->info->numeric; f++)
        s->sample[f][i / s->stride] = value[f];
    s->samples = i / s->stride + 1;
    return ST_OK;
}

static status_t find_edges(slicing_t *s, dataset_t *dataset)
{
    const int64_t n = s->result->eval_examples;
    if (s->score) {
        float *copy = MEM_ARRAY(float, n);
        memcpy(copy, s->score, (size_t)n * sizeof *copy);
        slices_edges(copy, n, s->column[SCORE].edge);
        mem_free(copy);
    }
    if (!s->info->numeric)
        return ST_OK;
    s->stride = (n + SAMPLE - 1) / SAMPLE;
    s->sample = MEM_ARRAY(float *, s->info->numeric);
    for (int f = 0; f < s->info->numeric; f++)
        s->sample[f] = MEM_ARRAY(float, SAMPLE);
    status_t status = each_example(dataset, scored_split(s->result), s->stride, take_sample, s);
    for (int f = 0; f < s->info->numeric; f++) {
        if (status == ST_OK)
            slices_edges(s->sample[f], s->samples, s->column[FIRST_FIELD + f].edge);
        mem_free(s->sample[f]);
    }
    mem_free(s->sample);
    return status;
}

/* Call `each` for the categorical values of an example, with their column. A value that a multi-valued field holds
 * twice comes twice. */
typedef void each_value_t(const slicing_t *s, column_t *column, uint64_t key, void *context);

static void each_value(const slicing_t *s, const dataset_example_t *example, each_value_t *each, void *context)
{
    const dataset_info_t *info = s->info;
    const dataset_block_t *block = example->block;
    const int64_t row = example->row;
    column_t *column = s->column + FIRST_FIELD + info->numeric;
    for (int f = 0; f < info->single; f++)
        each(s, column++, block->single[row * info->single + f], context);
    for (int f = 0; f < info->multi; f++, column++)
        for (uint32_t at = block->multi_at[row * info->multi + f]; at < block->multi_at[row * info->multi + f + 1]; at++)
            each(s, column, block->multi_key[at], context);
}

static void put_value(const slicing_t *s, column_t *column, uint64_t key, void *context)
{
    (void)context;
    slices_put(column->slices, key, s->weight, s->number);
}

static status_t take_number(slicing_t *s, int64_t i)
{
    s->weight = weighted_of(s->result->weight, i);
    for (int32_t v = 0; v < s->result->variants; v++)
        TRY(number_of(&s->of[v], i, &s->number[v]));
    return ST_OK;
}

static status_t put_example(void *context, int64_t i, const dataset_example_t *example)
{
    slicing_t *s = context;
    TRY(take_number(s, i));
    slices_put(s->column[LABEL].slices, s->result->label[i], s->weight, s->number);
    if (s->score)
        slices_put(s->column[SCORE].slices, (uint64_t)slices_bucket(s->column[SCORE].edge, s->score[i]), s->weight, s->number);
    for (int f = 0; f < s->info->numeric; f++) {
        column_t *column = &s->column[FIRST_FIELD + f];
        const float value = example->block->numeric[(int64_t)example->row * s->info->numeric + f];
        slices_put(column->slices, (uint64_t)slices_bucket(column->edge, value), s->weight, s->number);
    }
    each_value(s, example, put_value, NULL);
    return ST_OK;
}

static void count_value(const slicing_t *s, column_t *column, uint64_t key, void *context)
{
    (void)s;
    (void)context;
    const int64_t number = slices_find(column->slices, key);
    if (number >= 0)
        column->seen[number]++;
}

static status_t count_example(void *context, int64_t i, const dataset_example_t *example)
{
    (void)i;
    each_value(context, example, count_value, NULL);
    return ST_OK;
}

static void find_rarest(const slicing_t *s, column_t *column, uint64_t key, void *context)
{
    (void)s;
    int64_t *rarest = context;
    const int64_t seen = column->seen[slices_find(column->slices, key)];
    if (seen < *rarest)
        *rarest = seen;
}

/* 0 -> 0, 1 .. 9 -> 1, 10 .. 99 -> 2, .. */
static uint64_t decade_of(int64_t count)
{
    uint64_t decade = 0;
    for (; count > 0; count /= 10)
        decade++;
    return decade;
}

static status_t put_rarest(void *context, int64_t i, const dataset_example_t *example)
{
    slicing_t *s = context;
    int64_t rarest = INT64_MAX;
    each_value(s, example, find_rarest, &rarest);
    TRY(take_number(s, i));
    if (rarest != INT64_MAX) /* no categorical value at all */
        slices_put(s->column[RAREST].slices, decade_of(rarest), s->weight, s->number);
    return ST_OK;
}

static status_t walk(slicing_t *s, dataset_t *dataset)
{
    TRY(make_score(s->result, &s->score));
    TRY(find_edges(s, dataset));
    TRY(each_example(dataset, scored_split(s->result), 1, put_example, s));
    for (int c = FIRST_FIELD + s->info->numeric; c < s->columns; c++)
        s->column[c].seen = MEM_ARRAY(int64_t, slices_count(s->column[c].slices));
    TRY(each_example(dataset, SPLIT_TRAIN, 1, count_example, s));
    return each_example(dataset, scored_split(s->result), 1, put_rarest, s);
}

/* ---- slices as a person reads them ----------------------------------------------------------------------------------- */

/* Deciles: above the edge below, up to and with the edge above. */
static void decile_text(const float edge[SLICES_DECILES - 1], uint64_t bucket, const dataset_field_t *field,
                        char text[VALUE_BYTES])
{
    const double below = bucket > 0 ? dataset_meta_number(field, edge[bucket - 1]) : -INFINITY;
    const double above = bucket < SLICES_DECILES - 1 ? dataset_meta_number(field, edge[bucket]) : INFINITY;
    if (isinf(below))
        snprintf(text, VALUE_BYTES, "up to %.4g", above);
    else if (isinf(above))
        snprintf(text, VALUE_BYTES, "above %.4g", below);
    else
        snprintf(text, VALUE_BYTES, "%.4g to %.4g", below, above);
}

static void frequency_text(uint64_t decade, char text[VALUE_BYTES])
{
    char from[TEXT_BYTES], to[TEXT_BYTES];
    int64_t low = 1;
    for (uint64_t i = 1; i < decade; i++)
        low *= 10;
    if (decade == 0)
        snprintf(text, VALUE_BYTES, "not in training");
    else
        snprintf(text, VALUE_BYTES, "%s to %s in training", text_count(low, from), text_count(low - 1 + 9 * low, to));
}

static void value_text(const slicing_t *s, int c, uint64_t value, char text[VALUE_BYTES])
{
    const int f = c - FIRST_FIELD;
    if (c == LABEL)
        snprintf(text, VALUE_BYTES, "%d", (int)value);
    else if (c == SCORE)
        decile_text(s->column[c].edge, value, &(dataset_field_t){.scale = 1.0}, text);
    else if (c == RAREST)
        frequency_text(value, text);
    else if (f < s->info->numeric)
        decile_text(s->column[c].edge, value, &s->info->fields[f], text);
    else
        shown_values_put(s->shown, f, value, text, VALUE_BYTES);
}

static pd_slice_t named_slice(const slicing_t *s, int c, slice_t slice)
{
    char text[VALUE_BYTES];
    value_text(s, c, slice.value, text);
    return (pd_slice_t){
        .column = printable_copy(s->column[c].name),
        .value = mem_strdup(text),
        .examples = slice.examples,
        .pd_relative = slice.mean,
    };
}

/* All slices of the columns that every dataset has, by value. */
static void list_slices(const slicing_t *s, int32_t v, variant_result_t *variant)
{
    variant->slice = MEM_ARRAY(pd_slice_t, 2 + SLICES_DECILES + FREQUENCIES);
    for (int c = LABEL; c < FIRST_FIELD; c++)
        for (uint64_t value = 0; value < FREQUENCIES; value++) { /* the most that any of them has */
            const int64_t number = slices_find(s->column[c].slices, value);
            if (number >= 0)
                variant->slice[variant->slices++] = named_slice(s, c, slices_get(s->column[c].slices, number, v));
        }
}

/* The highest slices so far, highest first. */
typedef struct ranking {
    slice_t slice[RESULT_WORST_SLICES];
    int column[RESULT_WORST_SLICES];
    int count;
} ranking_t;

/* Columns that say the same (a song and its only video) have the same slices, of the same examples and so of the same sum: the
 * first of them stands for all. */
static bool is_ranked(const ranking_t *ranking, slice_t slice)
{
    for (int i = 0; i < ranking->count; i++)
        if (ranking->slice[i].examples == slice.examples && ranking->slice[i].mean == slice.mean)
            return true;
    return false;
}

static void rank(ranking_t *ranking, int column, slice_t slice)
{
    const bool is_full = ranking->count == RESULT_WORST_SLICES;
    if ((is_full && slice.mean <= ranking->slice[ranking->count - 1].mean) || is_ranked(ranking, slice))
        return;
    int at = is_full ? ranking->count - 1 : ranking->count++;
    for (; at > 0 && ranking->slice[at - 1].mean < slice.mean; at--) {
        ranking->slice[at] = ranking->slice[at - 1];
        ranking->column[at] = ranking->column[at - 1];
    }
    ranking->slice[at] = slice;
    ranking->column[at] = column;
}

static void list_worst(const slicing_t *s, int32_t v, variant_result_t *variant)
{
    const int64_t part = s->result->eval_examples / EVALUATION_LEAST_PART;
    const int64_t least = part > EVALUATION_LEAST_EXAMPLES ? part : EVALUATION_LEAST_EXAMPLES;
    ranking_t ranking = {.count = 0};
    for (int c = 0; c < s->columns; c++) {
        slice_t own[RESULT_WORST_SLICES];
        const int n = slices_worst(s->column[c].slices, v, least, own, RESULT_WORST_SLICES);
        for (int i = 0; i < n; i++)
            rank(&ranking, c, own[i]);
    }
    variant->worst = MEM_ARRAY(pd_slice_t, ranking.count);
    variant->worst_slices = ranking.count;
    for (int i = 0; i < ranking.count; i++)
        variant->worst[i] = named_slice(s, ranking.column[i], ranking.slice[i]);
}

/* The examples in which a variant's replicas differ most. */
static status_t show_examples(const slicing_t *s, dataset_t *dataset, variant_result_t *variant)
{
    variant->most_different_shown = MEM_ARRAY(shown_example_t, variant->n_most_different);
    for (int32_t i = 0; i < variant->n_most_different; i++)
        TRY(shown_example_read(dataset, s->shown, scored_split(s->result), variant->most_different[i],
                               &variant->most_different_shown[i]));
    return ST_OK;
}

status_t slices_report_make(dataset_t *dataset, experiment_result_t *result)
{
    bool any = false;
    for (int32_t v = 0; v < result->variants; v++)
        any = any || result->variant[v].pd_pairs > 0;
    if (!any || result->eval_examples == 0)
        return ST_OK;

    const dataset_info_t *info = dataset_info(dataset);
    ASSERT(dataset_split_rows(info, scored_split(result)) == result->eval_examples && result->label);
    slicing_t s = {
        .info = info,
        .shown = shown_values_create(dataset),
        .result = result,
        .columns = FIRST_FIELD + fields_of(info),
        .number = MEM_ARRAY(double, result->variants),
    };
    static const char *const names[FIRST_FIELD] = {"label", "score", "rarest feature"};
    s.column = MEM_ARRAY(column_t, s.columns);
    for (int c = 0; c < s.columns; c++) {
        s.column[c].name = c < FIRST_FIELD ? names[c] : info->fields[c - FIRST_FIELD].name;
        s.column[c].slices = slices_create(result->variants);
    }
    result->field = shown_field_names(dataset, &result->fields);
    open_numbers(&s);
    status_t status = walk(&s, dataset);
    for (int32_t v = 0; v < result->variants && status == ST_OK; v++)
        if (result->variant[v].pd_pairs > 0) {
            list_slices(&s, v, &result->variant[v]);
            list_worst(&s, v, &result->variant[v]);
            status = show_examples(&s, dataset, &result->variant[v]);
        }
    for (int c = 0; c < s.columns; c++) {
        slices_destroy(&s.column[c].slices);
        mem_free(s.column[c].seen);
    }
    close_numbers(&s);
    shown_values_destroy(&s.shown);
    mem_free(s.column);
    mem_free(s.number);
    mem_free(s.score);
    return status;
}
