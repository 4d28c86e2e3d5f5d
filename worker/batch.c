/* De-duplication works field after field with one open-addressing table that is never cleared: an entry is valid where its
 * stamp is the current field's. The table holds at least twice the values of a field, so it stays in the L2 cache. A first pass
 * numbers uniques in order of appearance; a stable partition by shard then renumbers them (skipped for one shard); a counting
 * pass makes the list of uses of every unique in ascending order of rows, which is the order of summation of gradients. */
#include "worker/batch.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"

typedef struct key_entry {
    uint64_t key;
    uint32_t stamp;
    uint32_t unique;
} key_entry_t;

struct batch_builder {
    dataset_t *dataset;
    int shards;
    uint16_t slot_shard[HASH_SLOTS];
    key_entry_t *entries;
    size_t entries_count; /* a power of two */
    uint32_t stamp;
    dataset_example_t *examples;
    size_t examples_cap;
    uint64_t *found; /* keys in order of appearance */
    uint16_t *found_shard;
    int32_t *field_first; /* [fields + 1] first unique of a field, in order of appearance */
    uint32_t *renumber;
    size_t found_cap, found_shard_cap, renumber_cap;
    uint64_t *singles; /* [rows][single] values of the single-valued fields */
    uint64_t *multis;  /* values of the multi-valued fields, field after field */
    size_t singles_cap, multis_cap;
    int32_t *shard_next; /* [shards] */
};

batch_builder_t *batch_builder_create(dataset_t *dataset, int shards, const uint16_t *slot_shard)
{
    batch_builder_t *b = MEM_NEW(batch_builder_t);
    const dataset_info_t *info = dataset_info(dataset);
    b->dataset = dataset;
    b->shards = shards;
    memcpy(b->slot_shard, slot_shard, sizeof b->slot_shard);
    b->field_first = MEM_ARRAY(int32_t, info->single + info->multi + 1);
    b->shard_next = MEM_ARRAY(int32_t, shards);
    return b;
}

void batch_builder_destroy(batch_builder_t **builder)
{
    batch_builder_t *b = *builder;
    if (!b)
        return;
    mem_free(b->entries);
    mem_free(b->examples);
    mem_free(b->found);
    mem_free(b->found_shard);
    mem_free(b->field_first);
    mem_free(b->renumber);
    mem_free(b->singles);
    mem_free(b->multis);
    mem_free(b->shard_next);
    mem_free(b);
    *builder = NULL;
}

/* Number the distinct values among n keys, appending new ones to found: unique[i * stride] gets the number of keys[i *
 * stride]. */
static int32_t dedupe(batch_builder_t *b, const uint64_t *keys, int64_t n, uint32_t *unique, int64_t stride, int32_t found)
{
    if ((size_t)n * 2 > b->entries_count) {
        size_t count = 1024;
        while (count < (size_t)n * 2)
            count *= 2;
        mem_free(b->entries);
        b->entries = MEM_ARRAY(key_entry_t, count);
        b->entries_count = count;
        b->stamp = 0;
    }
    if (++b->stamp == 0) {
        memset(b->entries, 0, sizeof *b->entries * b->entries_count);
        b->stamp = 1;
    }
    const size_t mask = b->entries_count - 1;
    MEM_GROW(b->found, b->found_cap, (size_t)(found + n));
    key_entry_t *restrict entries = b->entries;
    uint64_t *restrict list = b->found;
    const uint32_t stamp = b->stamp;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t key = keys[i * stride];
        size_t at = hash_mix(key) & mask;
        while (entries[at].stamp == stamp && entries[at].key != key)
            at = (at + 1) & mask;
        if (entries[at].stamp != stamp) {
            entries[at] = (key_entry_t){key, stamp, (uint32_t)found};
            list[found++] = key;
        }
        unique[i * stride] = entries[at].unique;
    }
    return found;
}

/* Copy labels, groups, numeric columns and single values, and make room for multi-valued columns. The examples of a shuffled
 * batch lie far apart, each on pages of its own: they are visited once here, and every later pass is over compact arrays. */
static void copy_rows(batch_builder_t *b, batch_t *batch, const dataset_info_t *info)
{
    int rows = batch->rows;
    size_t values = 0;
    for (int r = 0; r < rows; r++) {
        const dataset_block_t *block = b->examples[r].block;
        int64_t row = b->examples[r].row;
        batch->label[r] = block->label[row];
        batch->group[r] = block->group[row];
        if (info->has_weight)
            batch->weight[r] = block->weight[row];
        if (info->single)
            memcpy(&b->singles[(int64_t)r * info->single], &block->single[row * info->single],
                   sizeof *b->singles * (size_t)info->single);
        if (info->numeric)
            memcpy(&batch->values[(int64_t)r * info->numeric], &block->numeric[row * info->numeric],
                   sizeof(float) * (size_t)info->numeric);
        if (info->multi)
            values += block->multi_at[(row + 1) * info->multi] - block->multi_at[row * info->multi];
    }
    MEM_GROW(b->multis, b->multis_cap, values);
    if (values > batch->multi_cap) {
        size_t cap = batch->multi_cap;
        MEM_GROW(batch->multi_unique, cap, values);
        MEM_GROW(batch->multi_scale, batch->multi_cap, values);
    }
}

/* Multi-valued fields are stored field after field here, so that one field's values are contiguous for dedupe. */
static int32_t build_multi(batch_builder_t *b, batch_t *batch, const dataset_info_t *info, int32_t found)
{
    uint32_t at = 0;
    for (int m = 0; m < info->multi; m++) {
        uint32_t first = at;
        bool mean = info->fields[info->numeric + info->single + m].pooling == POOLING_MEAN;
        for (int r = 0; r < batch->rows; r++) {
            const dataset_block_t *block = b->examples[r].block;
            const uint32_t *from = &block->multi_at[(int64_t)b->examples[r].row * info->multi + m];
            uint32_t n = from[1] - from[0];
            batch->multi_at[(int64_t)m * batch->rows + r] = at;
            for (uint32_t i = 0; i < n; i++, at++) {
                b->multis[at] = block->multi_key[from[0] + i];
                batch->multi_scale[at] = mean ? block->multi_weight[from[0] + i] / (float)n : block->multi_weight[from[0] + i];
            }
        }
        found = dedupe(b, b->multis + first, at - first, batch->multi_unique + first, 1, found);
        b->field_first[info->single + m + 1] = found;
    }
    batch->multi_at[(int64_t)info->multi * batch->rows] = at;
    return found;
}

/* Renumber uniques so that each shard's are contiguous, and list the segments. */
static void partition(batch_builder_t *b, batch_t *batch, int fields)
{
    int32_t n = batch->uniques;
    MEM_GROW(b->found_shard, b->found_shard_cap, (size_t)n);
    MEM_GROW(b->renumber, b->renumber_cap, (size_t)n);
    memset(b->shard_next, 0, sizeof *b->shard_next * (size_t)b->shards);
    for (int32_t u = 0; u < n; u++) {
        b->found_shard[u] = b->slot_shard[hash_slot(b->found[u])];
        b->shard_next[b->found_shard[u]]++;
    }
    int32_t first = 0;
    for (int s = 0; s < b->shards; s++) {
        batch->shard_first[s] = first;
        first += b->shard_next[s];
        b->shard_next[s] = batch->shard_first[s];
    }
    batch->shard_first[b->shards] = first;
    /* counts per (shard, field) first, then squeezed so that empty segments vanish */
    memset(batch->segments, 0, sizeof *batch->segments * (size_t)(b->shards * fields));
    for (int f = 0; f < fields; f++)
        for (int32_t u = b->field_first[f]; u < b->field_first[f + 1]; u++) {
            int s = b->found_shard[u];
            b->renumber[u] = (uint32_t)b->shard_next[s];
            batch->keys[b->shard_next[s]++] = b->found[u];
            batch->segments[s * fields + f].count++;
        }
    int32_t out = 0;
    for (int s = 0; s < b->shards; s++) {
        batch->segment_first[s] = out;
        for (int f = 0; f < fields; f++)
            if (batch->segments[s * fields + f].count)
                batch->segments[out++] = (wire_segment_t){(uint32_t)f, batch->segments[s * fields + f].count};
    }
    batch->segment_first[b->shards] = out;
}

/* Rewrite occurrences to the new numbers and list the uses of every unique. */
static void list_uses(batch_builder_t *b, batch_t *batch)
{
    int64_t singles = (int64_t)batch->rows * batch->single;
    int64_t multis = batch->multi_at[(int64_t)batch->multi * batch->rows];
    if (b->shards > 1) {
        for (int64_t i = 0; i < singles; i++)
            batch->single_unique[i] = b->renumber[batch->single_unique[i]];
        for (int64_t i = 0; i < multis; i++)
            batch->multi_unique[i] = b->renumber[batch->multi_unique[i]];
    }
    uint32_t *next = batch->use_first;
    memset(next, 0, sizeof *next * (size_t)(batch->uniques + 2));
    for (int64_t i = 0; i < singles; i++)
        next[batch->single_unique[i] + 2]++;
    for (int64_t i = 0; i < multis; i++)
        next[batch->multi_unique[i] + 2]++;
    for (int32_t u = 0; u < batch->uniques; u++)
        next[u + 2] += next[u + 1];
    /* next[u + 1] is now the first use of u and walks to the first use of u + 1 */
    const uint32_t *unique = batch->single_unique;
    uint32_t *restrict use_row = batch->use_row;
    for (int r = 0; r < batch->rows; r++)
        for (int f = 0; f < batch->single; f++)
            use_row[next[*unique++ + 1]++] = (uint32_t)r;
    for (int64_t i = 0; i < singles + multis; i++)
        batch->use_scale[i] = 1.0f; /* those of multi-valued fields follow */
    for (int m = 0; m < batch->multi; m++)
        for (int r = 0; r < batch->rows; r++) {
            const uint32_t *from = &batch->multi_at[(int64_t)m * batch->rows + r];
            for (uint32_t i = from[0]; i < from[1]; i++) {
                uint32_t at = next[batch->multi_unique[i] + 1]++;
                batch->use_row[at] = (uint32_t)r;
                batch->use_scale[at] = batch->multi_scale[i];
            }
        }
}

static void grow(batch_builder_t *b, batch_t *batch, const dataset_info_t *info)
{
    size_t rows = (size_t)batch->rows, cap = batch->rows_cap;
    MEM_GROW(batch->label, cap, rows);
    MEM_GROW(batch->group, batch->rows_cap, rows);
    batch->weighted = info->has_weight;
    if (info->has_weight)
        MEM_GROW(batch->weight, batch->weight_cap, rows);
    MEM_GROW(batch->values, batch->values_cap, rows * (size_t)info->numeric);
    MEM_GROW(batch->single_unique, batch->single_cap, rows * (size_t)info->single);
    MEM_GROW(batch->multi_at, batch->at_cap, rows * (size_t)info->multi + 1);
    if (!batch->shard_first) {
        batch->shard_first = MEM_ARRAY(int32_t, b->shards + 1);
        batch->segment_first = MEM_ARRAY(int32_t, b->shards + 1);
        batch->segments = MEM_ARRAY(wire_segment_t, b->shards * (info->single + info->multi) + 1);
    }
    MEM_GROW(b->examples, b->examples_cap, rows);
    MEM_GROW(b->singles, b->singles_cap, rows * (size_t)info->single);
}

static void begin(batch_builder_t *b, int rows, int64_t step, batch_t *batch)
{
    const dataset_info_t *info = dataset_info(b->dataset);
    batch->rows = rows;
    batch->step = step;
    batch->single = info->single;
    batch->multi = info->multi;
    batch->numeric = info->numeric;
    batch->parts = 1;
    batch->part_row[0] = 0;
    grow(b, batch, info);
}

/* From b->examples. */
static void build(batch_builder_t *b, batch_t *batch)
{
    const dataset_info_t *info = dataset_info(b->dataset);
    const int fields = info->single + info->multi, rows = batch->rows;
    copy_rows(b, batch, info);

    int32_t found = 0;
    b->field_first[0] = 0;
    for (int f = 0; f < info->single; f++) {
        found = dedupe(b, b->singles + f, rows, batch->single_unique + f, info->single, found);
        b->field_first[f + 1] = found;
    }
    found = build_multi(b, batch, info, found);
    batch->uniques = found;

    size_t uses = (size_t)rows * (size_t)info->single + batch->multi_at[(int64_t)info->multi * rows], cap = batch->uses_cap;
    MEM_GROW(batch->keys, batch->keys_cap, (size_t)found + 1); /* not NULL where there are none: slices of it are copied */
    MEM_GROW(batch->use_first, batch->firsts_cap, (size_t)found + 2);
    MEM_GROW(batch->use_row, cap, uses);
    MEM_GROW(batch->use_scale, batch->uses_cap, uses);
    partition(b, batch, fields);
    list_uses(b, batch);
}

status_t batch_build(batch_builder_t *b, const int64_t *positions, int rows, int64_t step, batch_t *batch)
{
    begin(b, rows, step, batch);
    TRY(dataset_fetch(b->dataset, positions, rows, b->examples));
    build(b, batch);
    return ST_OK;
}

void batch_build_examples(batch_builder_t *b, const dataset_example_t *examples, int rows, int64_t step, batch_t *batch)
{
    begin(b, rows, step, batch);
    for (int r = 0; r < rows; r++)
        b->examples[r] = examples[r];
    build(b, batch);
}

void batch_reset(batch_t *batch)
{
    mem_free(batch->label);
    mem_free(batch->group);
    mem_free(batch->values);
    mem_free(batch->weight);
    mem_free(batch->teacher);
    mem_free(batch->keys);
    mem_free(batch->shard_first);
    mem_free(batch->segments);
    mem_free(batch->segment_first);
    mem_free(batch->single_unique);
    mem_free(batch->multi_at);
    mem_free(batch->multi_unique);
    mem_free(batch->multi_scale);
    mem_free(batch->use_first);
    mem_free(batch->use_row);
    mem_free(batch->use_scale);
    mem_free(batch->push_unique);
    mem_free(batch->push_use);
    mem_free(batch->push_first);
    mem_free(batch->push_segments);
    mem_free(batch->push_segment_first);
    *batch = (batch_t){0};
}

batch_slice_t batch_pulled(const batch_t *batch, int shard)
{
    const int32_t first = batch->shard_first[shard], segment = batch->segment_first[shard];
    return (batch_slice_t){.segments = batch->segments + segment,
                           .n_segments = batch->segment_first[shard + 1] - segment,
                           .first = first,
                           .keys = batch->shard_first[shard + 1] - first};
}

batch_slice_t batch_pushed(const batch_t *batch, int shard, int part)
{
    if (batch->parts <= 1)
        return batch_pulled(batch, shard);
    const int32_t at = shard * batch->parts + part, first = batch->push_first[at], segment = batch->push_segment_first[at];
    return (batch_slice_t){.segments = batch->push_segments + segment,
                           .n_segments = batch->push_segment_first[at + 1] - segment,
                           .keys = batch->push_first[at + 1] - first,
                           .unique = batch->push_unique + first,
                           .use = batch->push_use + first};
}

int64_t batch_weights(const batch_slice_t *slice, const table_plan_t *plan)
{
    int64_t weights = 0;
    for (int32_t s = 0; s < slice->n_segments; s++)
        weights += (int64_t)slice->segments[s].count * plan->field[slice->segments[s].table].width;
    return weights;
}

/* The uniques of one segment that rows before `to` use, and no part before has, appended to the list of pushes; next
 * [uniques]: the first use that no part before has. Returns the new end of the list. */
static int32_t push_segment(batch_t *batch, wire_segment_t segment, uint32_t u, int32_t to, uint32_t *next, int32_t end)
{
    for (uint32_t last = u + segment.count; u < last; u++) {
        uint32_t use = next[u];
        const uint32_t uses = batch->use_first[u + 1];
        if (use == uses || batch->use_row[use] >= (uint32_t)to)
            continue;
        batch->push_unique[end] = u;
        batch->push_use[end++] = use;
        while (use < uses && batch->use_row[use] < (uint32_t)to)
            use++;
        next[u] = use;
    }
    return end;
}

void batch_split(batch_builder_t *b, batch_t *batch, const int32_t *row, int parts)
{
    ASSERT(parts >= 1 && parts <= TREE_PARTS_MAX);
    batch->parts = parts;
    memcpy(batch->part_row, row, sizeof *row * (size_t)(parts + 1));
    if (parts == 1)
        return;
    const size_t slices = (size_t)(b->shards * parts) + 1, most = (size_t)batch->use_first[batch->uniques];
    MEM_GROW(batch->push_first, batch->push_first_cap, slices);
    MEM_GROW(batch->push_segment_first, batch->push_segment_first_cap, slices);
    MEM_GROW(batch->push_segments, batch->push_segments_cap, (size_t)batch->segment_first[b->shards] * (size_t)parts + 1);
    MEM_GROW(batch->push_unique, batch->push_unique_cap, most + 1);
    MEM_GROW(batch->push_use, batch->push_use_cap, most + 1);
    MEM_GROW(b->renumber, b->renumber_cap, (size_t)batch->uniques);
    memcpy(b->renumber, batch->use_first, sizeof *b->renumber * (size_t)batch->uniques);
    int32_t end = 0, segments = 0;
    for (int s = 0; s < b->shards; s++)
        for (int p = 0; p < parts; p++) {
            batch->push_first[s * parts + p] = end;
            batch->push_segment_first[s * parts + p] = segments;
            uint32_t u = (uint32_t)batch->shard_first[s];
            for (int32_t i = batch->segment_first[s]; i < batch->segment_first[s + 1]; i++) {
                const int32_t before = end;
                end = push_segment(batch, batch->segments[i], u, row[p + 1], b->renumber, end);
                if (end > before)
                    batch->push_segments[segments++] = (wire_segment_t){batch->segments[i].table, (uint32_t)(end - before)};
                u += batch->segments[i].count;
            }
        }
    batch->push_first[b->shards * parts] = end;
    batch->push_segment_first[b->shards * parts] = segments;
}
