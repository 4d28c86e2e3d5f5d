/* The stored form of a block. Every array starts at a multiple of 8 bytes:
 *
 *     u64 magic, first, rows, numeric, single, multi, has_group, extras
 *     u8  label[rows]                          of each label
 *     f32 weight[rows]                         where there are weights
 *     f32 value[rows]                          per numeric field
 *     i64 time[rows]                           where there is a time
 *     dictionary column of rows                where there is a group
 *     dictionary column of rows                per single field
 *     u64 total, weighted; u32 count[rows]; dictionary column of total; f32 weight[total] where weighted
 *                                              per multi field
 *
 *     extras: bit 0 has_time, 1 has_weight, 2 may_lack_label, from 8 on the labels after the first
 *
 *     dictionary column of n:  u64 distinct, width; u64 key[distinct]; u8|u16|u32 code[n]
 *
 * Keys are 64-bit hashes, which no compressor can shrink, nor is asked to: the dictionary stores each once per block, and
 * codes in order of first appearance compress well. Rejected: one dictionary per dataset, which would have to be in memory to
 * read a block. */
#include "common/data/block.h"

#include "common/base/hash.h"
#include "common/metrics/metrics.h"

#define MAGIC 0x314b434f4c424d53u /* "SMBLOCK1" */

/* ---- dictionary of one column ---- */

struct block_encoder {
    uint32_t *slots; /* [slot_count] code + 1, or 0 */
    size_t slot_count;
    uint64_t *keys;
    uint32_t *counts;
    uint32_t *places; /* of a key, where its value is the first */
    uint32_t *codes;
    uint64_t *values;
    float *weights;
    uint32_t *value_places;
    uint64_t *columns; /* [single][COLUMN_STRIDE] */
    size_t columns_capacity, keys_capacity, counts_capacity, places_capacity, codes_capacity, values_capacity, weights_capacity,
        value_places_capacity;
    uint32_t distinct;
};

block_encoder_t *block_encoder_create(void)
{
    return MEM_NEW(block_encoder_t);
}

void block_encoder_destroy(block_encoder_t **encoder)
{
    if (!*encoder)
        return;
    block_encoder_t *e = *encoder;
    mem_free(e->slots);
    mem_free(e->keys);
    mem_free(e->counts);
    mem_free(e->places);
    mem_free(e->codes);
    mem_free(e->values);
    mem_free(e->weights);
    mem_free(e->value_places);
    mem_free(e->columns);
    mem_free(e);
    *encoder = NULL;
}

static void dictionary_build(block_encoder_t *e, const uint64_t *values, size_t n)
{
    size_t wanted = 1024;
    while (wanted < 2 * n)
        wanted *= 2;
    if (wanted > e->slot_count) {
        mem_free(e->slots);
        e->slots = MEM_ARRAY(uint32_t, wanted);
        e->slot_count = wanted;
    } else {
        memset(e->slots, 0, e->slot_count * sizeof *e->slots);
    }
    MEM_GROW(e->keys, e->keys_capacity, n);
    MEM_GROW(e->counts, e->counts_capacity, n);
    MEM_GROW(e->places, e->places_capacity, n);
    MEM_GROW(e->codes, e->codes_capacity, n);
    e->distinct = 0;
    const uint64_t mask = e->slot_count - 1;
    for (size_t i = 0; i < n; i++) {
        const uint64_t key = values[i];
        uint64_t s = hash_mix(key) & mask;
        while (e->slots[s] != 0 && e->keys[e->slots[s] - 1] != key)
            s = (s + 1) & mask;
        if (e->slots[s] == 0) {
            e->keys[e->distinct] = key;
            e->counts[e->distinct] = 0;
            e->places[e->distinct] = (uint32_t)i;
            e->slots[s] = ++e->distinct;
        }
        e->codes[i] = e->slots[s] - 1;
        e->counts[e->codes[i]]++;
    }
}

static size_t code_width(uint64_t distinct)
{
    return distinct <= 1u << 8 ? 1 : distinct <= 1u << 16 ? 2 : 4;
}

static void dictionary_put(block_encoder_t *e, const uint64_t *values, size_t n, record_t *out)
{
    dictionary_build(e, values, n);
    const size_t width = code_width(e->distinct);
    record_put_u64(out, e->distinct);
    record_put_u64(out, width);
    record_put_random(out, e->keys, e->distinct * sizeof *e->keys);
    void *codes = record_room(out, n * width);
    for (size_t i = 0; i < n; i++) {
        if (width == 1)
            ((uint8_t *)codes)[i] = (uint8_t)e->codes[i];
        else if (width == 2)
            ((uint16_t *)codes)[i] = (uint16_t)e->codes[i];
        else
            ((uint32_t *)codes)[i] = e->codes[i];
    }
}

/* A dictionary column of n values, checked but not yet expanded. */
typedef struct dictionary {
    const uint64_t *keys;
    const void *codes;
    uint64_t distinct, width, n;
} dictionary_t;

static dictionary_t dictionary_take(record_reader_t *in, uint64_t n)
{
    dictionary_t d = {.n = n};
    d.distinct = record_take_u64(in);
    d.width = record_take_u64(in);
    d.keys = record_take(in, d.distinct, sizeof *d.keys);
    if (d.distinct > n || d.width != code_width(d.distinct))
        in->bad = true;
    d.codes = record_take(in, n, d.width);
    return d;
}

#define EXPAND(type) \
    for (uint64_t i = 0; i < d->n; i++) { \
        const uint64_t code = ((const type *)d->codes)[i]; \
        if (code >= d->distinct) \
            return false; \
        out[i * stride] = d->keys[code]; \
    }

/* out[i * stride] := key of value i; false where a code is out of range. */
static bool dictionary_expand(const dictionary_t *d, uint64_t *out, size_t stride)
{
    if (d->width == 1) {
        EXPAND(uint8_t)
    } else if (d->width == 2) {
        EXPAND(uint16_t)
    } else {
        EXPAND(uint32_t)
    }
    return true;
}

/* ---- encode ---- */

/* Values of a field side by side: a pass over a column of rows would take a cache line for each of them. The stride is not
 * that of a page, so that what is written for a row does not fall into one set of the cache. */
#define COLUMN_STRIDE ((size_t)BLOCK_ROWS + 8)

static void turn_singles(block_encoder_t *e, const uint64_t *values, size_t rows, size_t fields)
{
    MEM_GROW(e->columns, e->columns_capacity, fields * COLUMN_STRIDE);
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < fields; f++)
            e->columns[f * COLUMN_STRIDE + r] = values[r * fields + f];
}

static uint64_t extras_of(const block_shape_t *shape)
{
    return (uint64_t)shape->has_time | (uint64_t)shape->has_weight << 1 | (uint64_t)shape->may_lack_label << 2 |
           (uint64_t)(block_labels(shape) - 1) << 8;
}

void block_encode(block_encoder_t *e, const block_shape_t *shape, const dataset_block_t *block, record_t *out,
                  block_seen_fn *seen, void *context)
{
    const size_t rows = (size_t)block->rows;
    ASSERT(out->bytes == 0 && out->randoms == 0);
    ASSERT(block->rows > 0 && block->rows <= BLOCK_ROWS);
    const uint64_t head[] = {MAGIC,
                             (uint64_t)block->first,
                             rows,
                             (uint64_t)shape->numeric,
                             (uint64_t)shape->single,
                             (uint64_t)shape->multi,
                             shape->has_group,
                             extras_of(shape)};
    record_put(out, head, sizeof head);
    for (size_t l = 0; l < block_labels(shape); l++)
        record_put(out, block->label + l * BLOCK_ROWS, rows);
    if (shape->has_weight)
        record_put(out, block->weight, rows * sizeof *block->weight);
    for (int32_t f = 0; f < shape->numeric; f++) {
        float *column = record_room(out, rows * sizeof *column);
        for (size_t r = 0; r < rows; r++)
            column[r] = block->numeric[r * (size_t)shape->numeric + (size_t)f];
    }
    if (shape->has_time)
        record_put(out, block->time, rows * sizeof *block->time);
    if (shape->has_group)
        dictionary_put(e, block->group, rows, out);
    turn_singles(e, block->single, rows, (size_t)shape->single);
    for (int32_t f = 0; f < shape->single; f++) {
        dictionary_put(e, e->columns + (size_t)f * COLUMN_STRIDE, rows, out);
        for (uint32_t i = 0; i < e->distinct; i++)
            e->places[i] = e->places[i] * (uint32_t)shape->single + (uint32_t)f;
        seen(context, f, e->keys, e->counts, e->places, e->distinct);
    }
    for (int32_t f = 0; f < shape->multi; f++) {
        size_t total = 0;
        bool weighted = false;
        uint32_t *counts = mem_alloc(rows, sizeof *counts);
        for (size_t r = 0; r < rows; r++) {
            const uint32_t *at = &block->multi_at[r * (size_t)shape->multi + (size_t)f];
            counts[r] = at[1] - at[0];
            MEM_GROW(e->values, e->values_capacity, total + counts[r]);
            MEM_GROW(e->weights, e->weights_capacity, total + counts[r]);
            MEM_GROW(e->value_places, e->value_places_capacity, total + counts[r]);
            for (uint32_t v = at[0]; v < at[1]; v++, total++) {
                e->values[total] = block->multi_key[v];
                e->weights[total] = block->multi_weight[v];
                e->value_places[total] = v;
                weighted |= block->multi_weight[v] != 1.0f;
            }
        }
        record_put_u64(out, total);
        record_put_u64(out, weighted);
        record_put(out, counts, rows * sizeof *counts);
        mem_free(counts);
        dictionary_put(e, e->values, total, out);
        if (weighted)
            record_put(out, e->weights, total * sizeof *e->weights);
        for (uint32_t i = 0; i < e->distinct; i++)
            e->places[i] = e->value_places[e->places[i]];
        seen(context, shape->single + f, e->keys, e->counts, e->places, e->distinct);
    }
}

/* ---- decode ---- */

/* The stored columns are found and bounds-checked in a first pass, which learns how much memory the rows need. */
typedef struct multi_column {
    const uint32_t *counts;
    const float *weights; /* NULL: all 1 */
    dictionary_t dictionary;
} multi_column_t;

static bool take_head(const block_shape_t *shape, record_reader_t *in, int64_t *first, int32_t *rows)
{
    const uint64_t *head = record_take(in, 8, sizeof *head);
    if (!head || head[0] != MAGIC || head[2] == 0 || head[2] > BLOCK_ROWS || head[3] != (uint64_t)shape->numeric ||
        head[4] != (uint64_t)shape->single || head[5] != (uint64_t)shape->multi || head[6] != shape->has_group ||
        head[7] != extras_of(shape))
        return false;
    *first = (int64_t)head[1];
    *rows = (int32_t)head[2];
    return true;
}

/* What comes before the numbers. */
static const float *take_weight(const block_shape_t *shape, record_reader_t *in, uint64_t rows)
{
    return shape->has_weight ? record_take(in, rows, sizeof(float)) : NULL;
}

static void skip_labels(const block_shape_t *shape, record_reader_t *in, uint64_t rows)
{
    for (size_t l = 0; l < block_labels(shape); l++)
        record_take(in, rows, 1);
}

const float *block_weight(const block_shape_t *shape, const void *raw, size_t bytes, int32_t *rows)
{
    record_reader_t in = {.at = raw, .bytes = bytes};
    int64_t first;
    if (!take_head(shape, &in, &first, rows))
        return NULL;
    skip_labels(shape, &in, (uint64_t)*rows);
    return take_weight(shape, &in, (uint64_t)*rows);
}

const float *block_numeric(const block_shape_t *shape, const void *raw, size_t bytes, int field, int32_t *rows)
{
    record_reader_t in = {.at = raw, .bytes = bytes};
    int64_t first;
    if (field < 0 || field >= shape->numeric || !take_head(shape, &in, &first, rows))
        return NULL;
    skip_labels(shape, &in, (uint64_t)*rows);
    take_weight(shape, &in, (uint64_t)*rows);
    const float *column = NULL;
    for (int f = 0; f <= field; f++)
        column = record_take(&in, (uint64_t)*rows, sizeof *column);
    return column;
}

/* slab_take - a piece of the block's one allocation; with base NULL only the size is counted. */
static void *slab_take(uint8_t *base, size_t *used, size_t count, size_t size)
{
    void *piece = base ? base + *used : NULL;
    *used += (count * size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    return piece;
}

typedef struct slab {
    dataset_block_t *block;
    uint8_t *label;
    float *weight; /* NULL: none */
    uint64_t *group;
    int64_t *time;
    float *numeric;
    uint64_t *single;
    uint32_t *multi_at;
    uint64_t *multi_key;
    float *multi_weight;
} slab_t;

static size_t slab_layout(const block_shape_t *shape, size_t rows, size_t values, uint8_t *base, slab_t *slab)
{
    size_t used = 0;
    slab->block = slab_take(base, &used, 1, sizeof *slab->block);
    slab->label = slab_take(base, &used, rows, sizeof *slab->label);
    slab->weight = shape->has_weight ? slab_take(base, &used, rows, sizeof *slab->weight) : NULL;
    slab->group = slab_take(base, &used, rows, sizeof *slab->group);
    slab->time = slab_take(base, &used, rows, sizeof *slab->time);
    slab->numeric = slab_take(base, &used, rows * (size_t)shape->numeric, sizeof *slab->numeric);
    slab->single = slab_take(base, &used, rows * (size_t)shape->single, sizeof *slab->single);
    slab->multi_at = slab_take(base, &used, rows * (size_t)shape->multi + 1, sizeof *slab->multi_at);
    slab->multi_key = slab_take(base, &used, values, sizeof *slab->multi_key);
    slab->multi_weight = slab_take(base, &used, values, sizeof *slab->multi_weight);
    return used;
}

/* Interleave the columns of all multi fields into rows. */
static bool expand_multi(const block_shape_t *shape, size_t rows, const multi_column_t *columns, const slab_t *slab)
{
    const size_t multi = (size_t)shape->multi;
    uint32_t at = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < multi; f++) {
            slab->multi_at[r * multi + f] = at;
            at += columns[f].counts[r];
        }
    slab->multi_at[rows * multi] = at;

    uint64_t largest = 0;
    for (size_t f = 0; f < multi; f++)
        largest = columns[f].dictionary.n > largest ? columns[f].dictionary.n : largest;
    uint64_t *keys = MEM_ARRAY(uint64_t, largest);
    bool good = true;
    for (size_t f = 0; f < multi && good; f++) {
        good = dictionary_expand(&columns[f].dictionary, keys, 1);
        uint64_t next = 0;
        for (size_t r = 0; r < rows && good; r++) {
            const uint32_t start = slab->multi_at[r * multi + f];
            for (uint32_t v = 0; v < columns[f].counts[r]; v++, next++) {
                slab->multi_key[start + v] = keys[next];
                slab->multi_weight[start + v] = columns[f].weights ? columns[f].weights[next] : 1.0f;
            }
        }
    }
    mem_free(keys);
    return good;
}

/* The stored columns of a block, found and bounds-checked but not yet expanded: they point into the raw bytes. */
typedef struct block_columns {
    size_t rows;
    uint64_t values; /* of all multi fields */
    const uint8_t *label;
    const float *weight; /* NULL: the dataset has none */
    const float **numeric;
    const int64_t *time; /* NULL: the dataset has none */
    dictionary_t group, *single;
    multi_column_t *multi;
} block_columns_t;

/* All labels of the rows, of which one is decoded; false where one is none. */
static bool take_labels(const block_shape_t *shape, record_reader_t *in, size_t rows, const uint8_t **out)
{
    bool good = true;
    for (size_t l = 0; l < block_labels(shape); l++) {
        const uint8_t *label = record_take(in, rows, 1);
        for (size_t r = 0; label && shape->may_lack_label && r < rows; r++)
            good &= label[r] <= DATASET_NO_LABEL;
        if (label && !shape->may_lack_label)
            good &= metrics_are_labels(label, (int64_t)rows);
        if (l == (size_t)shape->label)
            *out = label;
    }
    return good;
}

/* False where the bytes are not a block of this shape; the columns are destroyed by columns_fini either way. */
static bool columns_take(const block_shape_t *shape, record_reader_t *in, size_t rows, block_columns_t *columns)
{
    *columns = (block_columns_t){.rows = rows,
                                 .numeric = MEM_ARRAY(const float *, shape->numeric),
                                 .single = MEM_ARRAY(dictionary_t, shape->single),
                                 .multi = MEM_ARRAY(multi_column_t, shape->multi)};
    bool are_labels = take_labels(shape, in, rows, &columns->label);
    columns->weight = take_weight(shape, in, rows);
    for (int32_t f = 0; f < shape->numeric; f++)
        columns->numeric[f] = record_take(in, rows, sizeof **columns->numeric);
    if (shape->has_time)
        columns->time = record_take(in, rows, sizeof *columns->time);
    if (shape->has_group)
        columns->group = dictionary_take(in, rows);
    for (int32_t f = 0; f < shape->single; f++)
        columns->single[f] = dictionary_take(in, rows);
    for (int32_t f = 0; f < shape->multi; f++) {
        multi_column_t *multi = &columns->multi[f];
        const uint64_t total = record_take_u64(in), weighted = record_take_u64(in);
        multi->counts = record_take(in, rows, sizeof *multi->counts);
        multi->dictionary = dictionary_take(in, total);
        multi->weights = weighted ? record_take(in, total, sizeof *multi->weights) : NULL;
        uint64_t sum = 0;
        for (size_t r = 0; !in->bad && r < rows; r++)
            sum += multi->counts[r];
        if (sum != total)
            in->bad = true;
        columns->values += total;
    }
    return !in->bad && in->next == in->bytes && columns->values <= UINT32_MAX && are_labels;
}

static void columns_fini(block_columns_t *columns)
{
    mem_free(columns->numeric);
    mem_free(columns->single);
    mem_free(columns->multi);
}

/* Columns into rows; false where a code is not in its dictionary. */
static bool columns_expand(const block_shape_t *shape, const block_columns_t *columns, const dataset_field_t *numeric,
                           const slab_t *slab)
{
    const size_t rows = columns->rows, singles = (size_t)shape->single, numerics = (size_t)shape->numeric;
    memcpy(slab->label, columns->label, rows);
    for (size_t r = 0; columns->weight && r < rows; r++)
        slab->weight[r] = (float)((double)columns->weight[r] / shape->weight_mean);
    if (columns->time)
        memcpy(slab->time, columns->time, rows * sizeof *columns->time);
    for (size_t f = 0; f < numerics; f++)
        for (size_t r = 0; r < rows; r++) {
            const double x = ((double)columns->numeric[f][r] - numeric[f].mean) * numeric[f].scale;
            slab->numeric[r * numerics + f] = x == x ? (float)x : 0.0f;
        }
    bool good = !shape->has_group || dictionary_expand(&columns->group, slab->group, 1);
    for (size_t f = 0; f < singles && good; f++)
        good = dictionary_expand(&columns->single[f], slab->single + f, singles);
    return good && expand_multi(shape, rows, columns->multi, slab);
}

static dataset_block_t block_of(const slab_t *slab, int64_t first, int32_t rows)
{
    return (dataset_block_t){.first = first,
                             .rows = rows,
                             .label = slab->label,
                             .weight = slab->weight,
                             .group = slab->group,
                             .time = slab->time,
                             .numeric = slab->numeric,
                             .single = slab->single,
                             .multi_at = slab->multi_at,
                             .multi_key = slab->multi_key,
                             .multi_weight = slab->multi_weight};
}

dataset_block_t block_view(const block_shape_t *shape, int64_t first, int32_t rows, uint64_t values, void *base)
{
    slab_t slab;
    slab_layout(shape, (size_t)rows, values, base, &slab);
    return block_of(&slab, first, rows);
}

size_t block_bytes(const block_shape_t *shape, int32_t rows, uint64_t values)
{
    slab_t slab;
    return slab_layout(shape, (size_t)rows, values, NULL, &slab);
}

bool block_decode_into(const block_shape_t *shape, const void *raw, size_t bytes, int64_t first, const dataset_field_t *numeric,
                       block_room_fn *room, void *context, dataset_block_t **out, size_t *decoded_bytes, uint64_t *values)
{
    record_reader_t in = {.at = raw, .bytes = bytes};
    int64_t stored_first;
    int32_t rows;
    if (!take_head(shape, &in, &stored_first, &rows) || stored_first != first)
        return false;
    block_columns_t columns;
    bool good = columns_take(shape, &in, (size_t)rows, &columns);
    if (good) {
        slab_t slab;
        *values = columns.values;
        *decoded_bytes = slab_layout(shape, columns.rows, columns.values, NULL, &slab);
        uint8_t *given = room(context, *decoded_bytes), *base = given ? given : mem_alloc(*decoded_bytes, 1);
        slab_layout(shape, columns.rows, columns.values, base, &slab);
        good = columns_expand(shape, &columns, numeric, &slab);
        *slab.block = block_of(&slab, first, rows);
        if (good)
            *out = slab.block;
        else if (!given)
            mem_free(base);
    }
    columns_fini(&columns);
    return good;
}

static void *no_room(void *context, size_t bytes)
{
    (void)context, (void)bytes;
    return NULL;
}

bool block_decode(const block_shape_t *shape, const void *raw, size_t bytes, int64_t first, const dataset_field_t *numeric,
                  dataset_block_t **out, size_t *decoded_bytes)
{
    uint64_t values;
    return block_decode_into(shape, raw, bytes, first, numeric, no_room, NULL, out, decoded_bytes, &values);
}
