/* Texts of values are kept until the block is counted, because which of them matter is known only then. Most lie in one piece,
 * the line of the row, which is copied as a whole: one copy of 200 bytes takes less time than 26 of 8.                       */
#include "launcher/ingest/block_draft.h"

#define KEPT_MOST ((size_t)64 << 20) /* bytes that a draft holds on to for the next block: a hundred times the usual */

block_draft_t *block_draft_create(const block_shape_t *shape)
{
    block_draft_t *draft = MEM_NEW(block_draft_t);
    draft->shape = *shape;
    draft->label = MEM_ARRAY(uint8_t, block_labels(shape) * BLOCK_ROWS);
    draft->weight = shape->has_weight ? MEM_ARRAY(float, BLOCK_ROWS) : NULL;
    draft->group = MEM_ARRAY(uint64_t, BLOCK_ROWS);
    draft->group_text = shape->has_group ? MEM_ARRAY(value_text_t, BLOCK_ROWS) : NULL;
    draft->time = MEM_ARRAY(int64_t, BLOCK_ROWS);
    draft->numeric = MEM_ARRAY(float, (size_t)BLOCK_ROWS *(size_t)shape->numeric);
    draft->single = MEM_ARRAY(uint64_t, (size_t)BLOCK_ROWS * (size_t)shape->single);
    draft->single_text = MEM_ARRAY(value_text_t, (size_t)BLOCK_ROWS * (size_t)shape->single);
    draft->multi_at = MEM_ARRAY(uint32_t, (size_t)BLOCK_ROWS * (size_t)shape->multi + 1);
    return draft;
}

static void free_values(block_draft_t *draft)
{
    mem_free(draft->multi_key);
    mem_free(draft->multi_weight);
    mem_free(draft->multi_text);
    mem_free(draft->text);
    draft->multi_key = NULL;
    draft->multi_weight = NULL;
    draft->multi_text = NULL;
    draft->text = NULL;
    draft->multi_key_capacity = draft->multi_weight_capacity = draft->multi_text_capacity = draft->text_capacity = 0;
}

void block_draft_destroy(block_draft_t **draft)
{
    block_draft_t *d = *draft;
    if (!d)
        return;
    free_values(d);
    mem_free(d->label);
    mem_free(d->weight);
    mem_free(d->group);
    mem_free(d->group_text);
    mem_free(d->time);
    mem_free(d->numeric);
    mem_free(d->single);
    mem_free(d->single_text);
    mem_free(d->multi_at);
    mem_free(d);
    *draft = NULL;
}

void block_draft_reset(block_draft_t *draft, int64_t first)
{
    draft->first = first;
    draft->rows = 0;
    draft->multi_at[0] = 0;
    draft->text_bytes = 0;
    if (block_draft_bytes(draft) > KEPT_MOST)
        free_values(draft);
}

/* The place of a text, which is copied where it is not in the row's line, which stands at `line_at`. */
static value_text_t keep_text(block_draft_t *draft, const dataset_row_t *row, size_t line_at, const dataset_text_t *text)
{
    if (!text->at)
        return VALUE_TEXT_NONE;
    const size_t bytes = text->bytes < VALUE_TEXT_MOST ? (size_t)text->bytes : VALUE_TEXT_MOST;
    if (row->line && text->at >= row->line && text->at + bytes <= row->line + row->line_bytes)
        return (value_text_t){line_at + (size_t)(text->at - row->line), bytes};
    MEM_GROW(draft->text, draft->text_capacity, draft->text_bytes + bytes);
    memcpy(draft->text + draft->text_bytes, text->at, bytes);
    draft->text_bytes += bytes;
    return (value_text_t){draft->text_bytes - bytes, bytes};
}

bool block_draft_put(block_draft_t *draft, const dataset_row_t *row, int32_t *field)
{
    const size_t r = (size_t)draft->rows, numerics = (size_t)draft->shape.numeric, singles = (size_t)draft->shape.single;
    const size_t multi = (size_t)draft->shape.multi, cell = r * multi, line_at = draft->text_bytes;
    size_t total = draft->multi_at[cell];
    for (size_t m = 0; m < multi; m++) {
        ASSERT(row->multi_count[m] >= 0);
        total += (size_t)row->multi_count[m];
        *field = (int32_t)m;
        if (total > UINT32_MAX)
            return false;
        draft->multi_at[cell + m + 1] = (uint32_t)total;
    }
    draft->label[r] = row->label;
    for (size_t l = 1; l < block_labels(&draft->shape); l++)
        draft->label[l * BLOCK_ROWS + r] = row->more_labels[l - 1];
    if (draft->weight)
        draft->weight[r] = row->weight;
    draft->group[r] = draft->shape.has_group ? row->group : 0;
    draft->time[r] = draft->shape.has_time ? row->time : 0;
    if (numerics > 0)
        memcpy(draft->numeric + r * numerics, row->numeric, numerics * sizeof *row->numeric);
    if (singles > 0)
        memcpy(draft->single + r * singles, row->single, singles * sizeof *row->single);
    if (row->line) {
        MEM_GROW(draft->text, draft->text_capacity, line_at + row->line_bytes);
        memcpy(draft->text + line_at, row->line, row->line_bytes);
        draft->text_bytes += row->line_bytes;
    }
    if (draft->group_text)
        draft->group_text[r] = keep_text(draft, row, line_at, &row->group_text);
    for (size_t f = 0; f < singles; f++)
        draft->single_text[r * singles + f] =
            row->single_text ? keep_text(draft, row, line_at, &row->single_text[f]) : VALUE_TEXT_NONE;
    if (multi > 0) {
        const size_t first = draft->multi_at[cell], n = total - first;
        MEM_GROW(draft->multi_key, draft->multi_key_capacity, total);
        MEM_GROW(draft->multi_weight, draft->multi_weight_capacity, total);
        MEM_GROW(draft->multi_text, draft->multi_text_capacity, total);
        if (n > 0) {
            memcpy(draft->multi_key + first, row->multi_key, n * sizeof *row->multi_key);
            memcpy(draft->multi_weight + first, row->multi_weight, n * sizeof *row->multi_weight);
        }
        for (size_t v = 0; v < n; v++)
            draft->multi_text[first + v] =
                row->multi_text ? keep_text(draft, row, line_at, &row->multi_text[v]) : VALUE_TEXT_NONE;
    }
    draft->rows++;
    return true;
}

dataset_block_t block_draft_block(const block_draft_t *draft)
{
    return (dataset_block_t){.first = draft->first,
                             .rows = draft->rows,
                             .label = draft->label,
                             .weight = draft->weight,
                             .group = draft->group,
                             .time = draft->time,
                             .numeric = draft->numeric,
                             .single = draft->single,
                             .multi_at = draft->multi_at,
                             .multi_key = draft->multi_key,
                             .multi_weight = draft->multi_weight};
}

size_t block_draft_bytes(const block_draft_t *draft)
{
    const size_t row = sizeof *draft->label + sizeof *draft->group + sizeof *draft->time +
                       (size_t)draft->shape.numeric * sizeof *draft->numeric +
                       (size_t)draft->shape.single * (sizeof *draft->single + sizeof *draft->single_text) +
                       (size_t)draft->shape.multi * sizeof *draft->multi_at;
    return BLOCK_ROWS * row + draft->multi_key_capacity * sizeof *draft->multi_key +
           draft->multi_weight_capacity * sizeof *draft->multi_weight + draft->multi_text_capacity * sizeof *draft->multi_text +
           draft->text_capacity;
}
