/* De-duplication works table after table with one open-addressing index that is never cleared: an entry is valid where its
 * stamp is the current table's. The index holds at least twice the values of its fields, so it stays in the L2 cache. A first
 * pass numbers uniques in order of appearance; a stable partition by shard then renumbers them (skipped for one shard); a
 * counting pass makes the list of uses of every unique in ascending order of rows, which is the order of summation of
 * gradients.
 *
 * Keys of crosses are made where an example's values are copied, and are those of a single-valued field from there on. */
#include "worker/batch.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/data/cross_key.h"

typedef struct key_entry {
    uint64_t key;
    uint32_t stamp;
    uint32_t unique;
} key_entry_t;

struct batch_builder {
    dataset_t *dataset;
    int single, multi, tables;    /* single: crosses too */
    const planned_cross_t *cross; /* [crosses], borrowed */
    int crosses;
    bool is_shared;       /* some table is of several fields */
    int32_t *table_field; /* [single + multi] fields, table after table */
    int32_t *table_at;    /* [tables + 1] where those of a table begin */
    int shards;
    uint16_t slot_shard[HASH_SLOTS];
    key_entry_t *entries;
    size_t entries_count; /* a power of two */
    uint32_t stamp;
    dataset_example_t *examples;
    size_t examples_cap;
    uint64_t *found; /* keys in order of appearance */
    uint16_t *found_shard;
    int32_t *table_first; /* [tables + 1] first unique of a table, in order of appearance */
    uint32_t *renumber;
    size_t found_cap, found_shard_cap, renumber_cap;
    uint64_t *singles; /* [rows][single] values of the single-valued fields and crosses */
    uint64_t *multis;  /* values of the multi-valued fields, field after field */
    size_t singles_cap, multis_cap;
    int32_t *shard_next; /* [shards] */
};

/* Which fields have their keys in which table. */
static void sort_fields(batch_builder_t *b, const table_plan_t *plan)
{
    const int fields = b->single + b->multi;
    b->table_field = MEM_ARRAY(int32_t, fields);
    b->table_at = MEM_ARRAY(int32_t, b->tables + 1);
    int n = 0;
    for (int t = 0; t < b->tables; t++) {
        b->table_at[t] = n;
        if (!plan)
            b->table_field[n++] = t;
        for (int f = 0; plan && f < fields; f++)
            if (plan->field[f].table == t)
                b->table_field[n++] = f;
    }
    b->table_at[b->tables] = n;
}

batch_builder_t *batch_builder_create(dataset_t *dataset, int shards, const uint16_t *slot_shard, const table_plan_t *plan)
{
    batch_builder_t *b = MEM_NEW(batch_builder_t);
    const dataset_info_t *info = dataset_info(dataset);
    b->dataset = dataset;
    b->shards = shards;
    memcpy(b->slot_shard, slot_shard, sizeof b->slot_shard);
    b->crosses = plan ? plan->crosses : 0;
    b->cross = plan ? plan->cross : NULL;
    b->is_shared = plan && plan->is_shared;
    b->single = info->single + b->crosses;
    b->multi = info->multi;
    b->tables = plan ? plan->set_tables : b->single + b->multi;
    ASSERT(!plan || plan->fields == b->single + b->multi);
    sort_fields(b, plan);
    b->table_first = MEM_ARRAY(int32_t, b->tables + 1);
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
    mem_free(b->table_field);
    mem_free(b->table_at);
    mem_free(b->table_first);
    mem_free(b->renumber);
    mem_free(b->singles);
    mem_free(b->multis);
    mem_free(b->shard_next);
    mem_free(b);
    *builder = NULL;
}

/* Before a table of fields with n values in all, of which `found` uniques are known. */
static void dedupe_begin(batch_builder_t *b, int64_t n, int32_t found)
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
    MEM_GROW(b->found, b->found_cap, (size_t)(found + n));
}

/* Number the distinct values among n keys of a field of the table, appending new ones to found: unique[i * stride] gets the
 * number of keys[i * stride]. */
static int32_t dedupe(batch_builder_t *b, const uint64_t *keys, int64_t n, uint32_t *unique, int64_t stride, int32_t found)
{
    const size_t mask = b->entries_count - 1;
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
        if (batch->timed)
            batch->time[r] = block->time[row];
        uint64_t *singles = &b->singles[(int64_t)r * b->single];
        if (info->single)
            memcpy(singles, &block->single[row * info->single], sizeof *singles * (size_t)info->single);
        for (int c = 0; c < b->crosses; c++)
            singles[info->single + c] = cross_key(&b->cross[c], singles);
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
static void copy_multis(batch_builder_t *b, batch_t *batch, const dataset_info_t *info)
{
    uint32_t at = 0;
    for (int m = 0; m < info->multi; m++) {
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
    }
    batch->multi_at[(int64_t)info->multi * batch->rows] = at;
}

/* Where the values of multi-valued field m begin. */
static uint32_t multi_first(const batch_t *batch, int m)
{
    return batch->multi_at[(int64_t)m * batch->rows];
}

/* Number the keys of all tables. */
static void number_keys(batch_builder_t *b, batch_t *batch)
{
    int32_t found = 0;
    for (int t = 0; t < b->tables; t++) {
        int64_t values = 0;
        for (int32_t i = b->table_at[t]; i < b->table_at[t + 1]; i++) {
            const int m = b->table_field[i] - b->single;
            values += m < 0 ? batch->rows : (int64_t)(multi_first(batch, m + 1) - multi_first(batch, m));
        }
        b->table_first[t] = found;
        dedupe_begin(b, values, found);
        for (int32_t i = b->table_at[t]; i < b->table_at[t + 1]; i++) {
            const int f = b->table_field[i], m = f - b->single;
            const uint32_t first = m < 0 ? 0 : multi_first(batch, m);
            if (m < 0)
                found = dedupe(b, b->singles + f, batch->rows, batch->single_unique + f, b->single, found);
            else
                found = dedupe(b, b->multis + first, multi_first(batch, m + 1) - first, batch->multi_unique + first, 1, found);
        }
    }
    b->table_first[b->tables] = found;
    batch->uniques = found;
}

/* Renumber uniques so that each shard's are contiguous, and list the segments. */
static void partition(batch_builder_t *b, batch_t *batch)
{
    const int tables = b->tables;
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
    /* counts per (shard, table) first, then squeezed so that empty segments vanish */
    memset(batch->segments, 0, sizeof *batch->segments * (size_t)(b->shards * tables));
    for (int t = 0; t < tables; t++)
        for (int32_t u = b->table_first[t]; u < b->table_first[t + 1]; u++) {
            int s = b->found_shard[u];
            b->renumber[u] = (uint32_t)b->shard_next[s];
            batch->keys[b->shard_next[s]++] = b->found[u];
            batch->segments[s * tables + t].count++;
        }
    int32_t out = 0;
    for (int s = 0; s < b->shards; s++) {
        batch->segment_first[s] = out;
        for (int t = 0; t < tables; t++)
            if (batch->segments[s * tables + t].count)
                batch->segments[out++] = (wire_segment_t){(uint32_t)t, batch->segments[s * tables + t].count};
    }
    batch->segment_first[b->shards] = out;
}

/* Uses field after field: those of a key are in order where it is of one field. next[u + 1] is where the next use of u goes. */
static void list_by_field(batch_t *batch, uint32_t *next)
{
    const int64_t values = (int64_t)batch->rows * batch->single + multi_first(batch, batch->multi);
    const uint32_t *unique = batch->single_unique;
    uint32_t *restrict use_row = batch->use_row;
    for (int r = 0; r < batch->rows; r++)
        for (int f = 0; f < batch->single; f++)
            use_row[next[*unique++ + 1]++] = (uint32_t)r;
    for (int64_t i = 0; i < values; i++)
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

static void put_use(batch_t *batch, uint32_t at, int row, int field, float scale)
{
    batch->use_row[at] = (uint32_t)row;
    batch->use_field[at] = (uint32_t)field;
    batch->use_scale[at] = scale;
}

/* Uses row after row, where a key may be of several fields. */
static void list_by_row(batch_t *batch, uint32_t *next)
{
    const uint32_t *unique = batch->single_unique;
    for (int r = 0; r < batch->rows; r++) {
        for (int f = 0; f < batch->single; f++)
            put_use(batch, next[*unique++ + 1]++, r, f, 1.0f);
        for (int m = 0; m < batch->multi; m++) {
            const uint32_t *from = &batch->multi_at[(int64_t)m * batch->rows + r];
            for (uint32_t i = from[0]; i < from[1]; i++)
                put_use(batch, next[batch->multi_unique[i] + 1]++, r, batch->single + m, batch->multi_scale[i]);
        }
    }
}

/* Rewrite occurrences to the new numbers and list the uses of every unique. */
static void list_uses(batch_builder_t *b, batch_t *batch)
{
    int64_t singles = (int64_t)batch->rows * batch->single;
    int64_t multis = multi_first(batch, batch->multi);
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
    if (b->is_shared)
        list_by_row(batch, next);
    else
        list_by_field(batch, next);
}

static void grow(batch_builder_t *b, batch_t *batch, const dataset_info_t *info)
{
    size_t rows = (size_t)batch->rows, cap = batch->rows_cap;
    MEM_GROW(batch->label, cap, rows);
    MEM_GROW(batch->group, batch->rows_cap, rows);
    batch->weighted = info->has_weight;
    if (info->has_weight)
        MEM_GROW(batch->weight, batch->weight_cap, rows);
    if (batch->timed)
        MEM_GROW(batch->time, batch->time_cap, rows);
    MEM_GROW(batch->values, batch->values_cap, rows * (size_t)info->numeric);
    MEM_GROW(batch->single_unique, batch->single_cap, rows * (size_t)b->single);
    MEM_GROW(batch->multi_at, batch->at_cap, rows * (size_t)info->multi + 1);
    if (!batch->shard_first) {
        batch->shard_first = MEM_ARRAY(int32_t, b->shards + 1);
        batch->segment_first = MEM_ARRAY(int32_t, b->shards + 1);
        batch->segments = MEM_ARRAY(wire_segment_t, b->shards * b->tables + 1);
    }
    MEM_GROW(b->examples, b->examples_cap, rows);
    MEM_GROW(b->singles, b->singles_cap, rows * (size_t)b->single);
}

static void begin(batch_builder_t *b, int rows, int64_t step, batch_t *batch)
{
    const dataset_info_t *info = dataset_info(b->dataset);
    batch->rows = rows;
    batch->step = step;
    batch->single = b->single;
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
    copy_rows(b, batch, info);
    copy_multis(b, batch, info);
    number_keys(b, batch);

    const size_t found = (size_t)batch->uniques, rows = (size_t)batch->rows;
    size_t uses = rows * (size_t)b->single + multi_first(batch, b->multi), cap = batch->uses_cap;
    MEM_GROW(batch->keys, batch->keys_cap, found + 1); /* not NULL where there are none: slices of it are copied */
    MEM_GROW(batch->use_first, batch->firsts_cap, found + 2);
    MEM_GROW(batch->use_row, cap, uses);
    MEM_GROW(batch->use_scale, batch->uses_cap, uses);
    if (b->is_shared)
        MEM_GROW(batch->use_field, batch->use_field_cap, uses);
    partition(b, batch);
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
    mem_free(batch->time);
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
    mem_free(batch->use_field);
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
        weights += (int64_t)slice->segments[s].count * plan->table[slice->segments[s].table].width;
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
