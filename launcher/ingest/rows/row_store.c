/* A row is one piece of bytes: a head, arrays of 8-byte elements, of 4-byte ones, lengths of texts, labels, texts. Rows that
 * fill the memory are sorted and become a run of the file, so that a heap over the runs gives them back in order; runs are in
 * the order in which rows came, and equal times come from the earlier run first, so the order is stable. Without sorting the
 * runs follow each other. */
#include "launcher/ingest/rows/row_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/ingest/rows/nameless_file.h"

#define PIECE_LEAST ((size_t)64 << 10) /* bytes of a run that are read at once, at least */

typedef struct waiting_head {
    uint64_t bytes; /* of the whole, a multiple of 8 */
    int64_t time, input_row;
    uint64_t group;
    float weight;
    int32_t values; /* of multi-valued fields */
    uint8_t train, test;
} waiting_head_t;

/* A row in memory. */
typedef struct row_place {
    int64_t time;
    size_t at;
    int64_t number;
} row_place_t;

/* Rows of the file that are in order. */
typedef struct row_run {
    int64_t next, end; /* what of it is not read yet */
    uint8_t *piece;    /* **owned** */
    size_t capacity, bytes, at;
    int64_t time; /* of the row at `at` */
} row_run_t;

struct row_store {
    row_shape_t shape;
    size_t memory;
    uint8_t *bytes; /* of the rows in memory */
    size_t used, bytes_capacity;
    row_place_t *places; /* [count] */
    size_t count, places_capacity;
    int64_t rows;
    bool is_ordered;       /* places are sorted */
    nameless_file_t *file; /* NULL: all are in memory */
    int64_t *ends;         /* [runs] where a run ends in the file, and the next begins */
    size_t runs, ends_capacity;
    /* while rows come back */
    size_t next; /* in memory */
    row_run_t *run;
    size_t *heap, heaped; /* runs with rows left, the one whose row is first on top */
    bool is_taken;        /* the row on top has been given out */
    /* a row that is given out */
    dataset_text_t *texts; /* [single + values + 1], the last of the query id */
    size_t texts_capacity;
};

row_store_t *row_store_create(const row_shape_t *shape, size_t memory)
{
    row_store_t *s = MEM_NEW(row_store_t);
    s->shape = *shape;
    s->memory = memory;
    return s;
}

static void forget_runs(row_store_t *s)
{
    for (size_t r = 0; s->run && r < s->runs; r++)
        mem_free(s->run[r].piece);
    mem_free(s->run);
    mem_free(s->heap);
    s->run = NULL;
    s->heap = NULL;
    s->heaped = 0;
}

void row_store_destroy(row_store_t **store)
{
    row_store_t *s = *store;
    if (!s)
        return;
    forget_runs(s);
    nameless_file_close(&s->file);
    mem_free(s->bytes);
    mem_free(s->places);
    mem_free(s->ends);
    mem_free(s->texts);
    mem_free(s);
    *store = NULL;
}

/* ---- a row as bytes ---- */

typedef struct row_parts {
    size_t numbers, single, multi_key, numeric, multi_count, multi_weight, text_bytes, labels, texts;
} row_parts_t;

/* Where the parts of a row are; texts are behind all of them. */
static row_parts_t parts_of(const row_shape_t *shape, int32_t values)
{
    row_parts_t p;
    const size_t n = (size_t)values, singles = (size_t)shape->single;
    p.numbers = sizeof(waiting_head_t);
    p.single = p.numbers + (size_t)shape->numbers * sizeof(double);
    p.multi_key = p.single + singles * sizeof(uint64_t);
    p.numeric = p.multi_key + n * sizeof(uint64_t);
    p.multi_count = p.numeric + (size_t)shape->numeric * sizeof(float);
    p.multi_weight = p.multi_count + (size_t)shape->multi * sizeof(int32_t);
    p.text_bytes = p.multi_weight + n * sizeof(float);
    p.labels = p.text_bytes + (singles + n + 1) * sizeof(int32_t);
    p.texts = p.labels + (size_t)shape->labels;
    return p;
}

static void copy(uint8_t *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
}

/* A text that is not there has a length of -1. */
static size_t texts_bytes(const dataset_text_t *texts, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; texts && i < n; i++)
        bytes += texts[i].at ? (size_t)texts[i].bytes : 0;
    return bytes;
}

static uint8_t *put_texts(uint8_t *to, uint8_t *lengths, const dataset_text_t *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int32_t bytes = texts && texts[i].at ? texts[i].bytes : -1;
        memcpy(lengths + i * sizeof bytes, &bytes, sizeof bytes);
        if (bytes <= 0)
            continue;
        memcpy(to, texts[i].at, (size_t)bytes);
        to += bytes;
    }
    return to;
}

static void put_row(row_store_t *s, uint8_t *at, const waiting_head_t *head, const dataset_row_t *row, const double *numbers)
{
    const row_shape_t *shape = &s->shape;
    const row_parts_t p = parts_of(shape, head->values);
    const size_t n = (size_t)head->values, singles = (size_t)shape->single;
    memcpy(at, head, sizeof *head);
    copy(at + p.numbers, numbers, (size_t)shape->numbers * sizeof *numbers);
    copy(at + p.single, row->single, singles * sizeof *row->single);
    copy(at + p.multi_key, row->multi_key, n * sizeof *row->multi_key);
    copy(at + p.numeric, row->numeric, (size_t)shape->numeric * sizeof *row->numeric);
    copy(at + p.multi_count, row->multi_count, (size_t)shape->multi * sizeof *row->multi_count);
    copy(at + p.multi_weight, row->multi_weight, n * sizeof *row->multi_weight);
    at[p.labels] = row->label;
    copy(at + p.labels + 1, row->more_labels, (size_t)shape->labels - 1);
    uint8_t *to = put_texts(at + p.texts, at + p.text_bytes, row->single_text, singles);
    to = put_texts(to, at + p.text_bytes + singles * sizeof(int32_t), row->multi_text, n);
    put_texts(to, at + p.text_bytes + (singles + n) * sizeof(int32_t), &row->group_text, 1);
}

/* ---- the file ---- */

static int by_time(const void *a, const void *b)
{
    const row_place_t *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void order(row_store_t *s)
{
    if (!s->is_ordered && s->shape.is_sorted && s->count > 0)
        qsort(s->places, s->count, sizeof *s->places, by_time);
    s->is_ordered = true;
}

static uint64_t bytes_of(const uint8_t *row)
{
    uint64_t bytes;
    memcpy(&bytes, row, sizeof bytes);
    return bytes;
}

/* The rows in memory become a run. */
static status_t flush(row_store_t *s)
{
    uint8_t *piece = NULL;
    size_t capacity = 0, used = 0;
    status_t status;
    int64_t end = s->runs ? s->ends[s->runs - 1] : 0;
    order(s);
    if (!s->file)
        TRY(nameless_file_create(&s->file));
    for (size_t i = 0; i < s->count; i++) {
        const uint8_t *row = s->bytes + s->places[i].at;
        const size_t bytes = bytes_of(row);
        MEM_GROW(piece, capacity, used + bytes);
        memcpy(piece + used, row, bytes);
        used += bytes;
        end += (int64_t)bytes;
        if (used < PIECE_LEAST && i + 1 < s->count)
            continue;
        TRY_DONE(nameless_file_append(s->file, piece, used));
        used = 0;
    }
    MEM_GROW(s->ends, s->ends_capacity, s->runs + 1);
    s->ends[s->runs++] = end;
    s->used = s->count = 0;
    s->is_ordered = false;
    status = ST_OK;
done:
    mem_free(piece);
    return status;
}

/* ---- in ---- */

status_t row_store_put(row_store_t *s, const dataset_row_t *row, const double *numbers)
{
    int64_t values = 0;
    for (int m = 0; m < s->shape.multi; m++)
        values += row->multi_count[m];
    if (values > INT32_MAX / 2)
        return FAIL(ST_INPUT, "row %" PRId64 " of the input has more than 2^30 values", row->input_row);
    waiting_head_t head = {.time = row->time,
                           .input_row = row->input_row,
                           .group = row->group,
                           .weight = row->weight,
                           .values = (int32_t)values,
                           .train = row->train,
                           .test = row->test};
    const size_t bytes = parts_of(&s->shape, head.values).texts + texts_bytes(row->single_text, (size_t)s->shape.single) +
                         texts_bytes(row->multi_text, (size_t)values) + texts_bytes(&row->group_text, 1);
    head.bytes = (bytes + 7) & ~(size_t)7;
    if (s->count > 0 && s->used + head.bytes > s->memory)
        TRY(flush(s));
    MEM_GROW(s->bytes, s->bytes_capacity, s->used + head.bytes);
    MEM_GROW(s->places, s->places_capacity, s->count + 1);
    put_row(s, s->bytes + s->used, &head, row, numbers);
    s->places[s->count++] = (row_place_t){row->time, s->used, s->rows++};
    s->used += head.bytes;
    return ST_OK;
}

bool row_store_scale_times(row_store_t *s, int64_t factor)
{
    int64_t scaled;
    for (size_t i = 0; i < s->count; i++)
        if (s->places[i].time != DATASET_NO_TIME && __builtin_mul_overflow(s->places[i].time, factor, &scaled))
            return false;
    if (s->runs > 0)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        row_place_t *place = &s->places[i];
        place->time *= place->time == DATASET_NO_TIME ? 1 : factor;
        memcpy(s->bytes + place->at + offsetof(waiting_head_t, time), &place->time, sizeof place->time);
    }
    return true;
}

/* ---- out ---- */

/* The first row of what is left of a run is whole in its piece; *end: there is none. */
static status_t fill(const row_store_t *s, row_run_t *run, size_t piece, bool *end)
{
    for (;;) {
        const size_t left = run->bytes - run->at, wanted = left >= sizeof(waiting_head_t) ? bytes_of(run->piece + run->at) : 0;
        *end = left == 0 && run->next == run->end;
        if (*end || (wanted > 0 && wanted <= left))
            break;
        const size_t rest = (size_t)(run->end - run->next), room = wanted > piece ? wanted : piece;
        if (left > 0)
            memmove(run->piece, run->piece + run->at, left);
        MEM_GROW(run->piece, run->capacity, room);
        const size_t most = room - left < rest ? room - left : rest;
        TRY(nameless_file_read(s->file, run->next, run->piece + left, most));
        run->bytes = left + most;
        run->at = 0;
        run->next += (int64_t)most;
    }
    if (!*end)
        memcpy(&run->time, run->piece + run->at + offsetof(waiting_head_t, time), sizeof run->time);
    return ST_OK;
}

static bool is_before(const row_store_t *s, size_t a, size_t b)
{
    if (s->shape.is_sorted && s->run[a].time != s->run[b].time)
        return s->run[a].time < s->run[b].time;
    return a < b;
}

static void sink(row_store_t *s, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->heaped; child++)
            if (is_before(s, s->heap[child], s->heap[first]))
                first = child;
        if (first == at)
            return;
        const size_t swapped = s->heap[at];
        s->heap[at] = s->heap[first];
        s->heap[first] = swapped;
        at = first;
    }
}

static size_t piece_bytes(const row_store_t *s)
{
    const size_t share = s->memory / s->runs;
    return share > PIECE_LEAST ? share : PIECE_LEAST;
}

status_t row_store_begin(row_store_t *s)
{
    s->next = 0;
    s->is_taken = false;
    if (s->runs == 0) {
        order(s);
        return ST_OK;
    }
    if (s->count > 0)
        TRY(flush(s));
    mem_free(s->bytes);
    s->bytes = NULL;
    s->bytes_capacity = 0;
    forget_runs(s);
    s->run = MEM_ARRAY(row_run_t, s->runs);
    s->heap = MEM_ARRAY(size_t, s->runs);
    for (size_t r = 0; r < s->runs; r++) {
        bool end;
        s->run[r] = (row_run_t){.next = r ? s->ends[r - 1] : 0, .end = s->ends[r]};
        TRY(fill(s, &s->run[r], piece_bytes(s), &end));
        s->heap[s->heaped++] = r;
    }
    for (size_t at = s->heaped; at-- > 0;)
        sink(s, at);
    return ST_OK;
}

static status_t next_bytes(row_store_t *s, const uint8_t **row)
{
    *row = NULL;
    if (s->runs == 0) {
        if (s->next < s->count)
            *row = s->bytes + s->places[s->next++].at;
        return ST_OK;
    }
    if (s->is_taken) {
        row_run_t *run = &s->run[s->heap[0]];
        bool end;
        run->at += bytes_of(run->piece + run->at);
        TRY(fill(s, run, piece_bytes(s), &end));
        if (end) {
            mem_free(run->piece);
            *run = (row_run_t){0};
            s->heap[0] = s->heap[--s->heaped];
        }
        sink(s, 0);
    }
    s->is_taken = s->heaped > 0;
    if (s->is_taken)
        *row = s->run[s->heap[0]].piece + s->run[s->heap[0]].at;
    return ST_OK;
}

static void take_texts(row_store_t *s, const uint8_t *at, const row_parts_t *p, size_t n)
{
    const char *text = (const char *)at + p->texts;
    MEM_GROW(s->texts, s->texts_capacity, n);
    for (size_t i = 0; i < n; i++) {
        int32_t bytes;
        memcpy(&bytes, at + p->text_bytes + i * sizeof bytes, sizeof bytes);
        s->texts[i] = (dataset_text_t){bytes < 0 ? NULL : text, bytes < 0 ? 0 : bytes};
        text += bytes > 0 ? bytes : 0;
    }
}

status_t row_store_next(row_store_t *s, dataset_row_t *row, const double **numbers, bool *end)
{
    const uint8_t *at;
    waiting_head_t head;
    TRY(next_bytes(s, &at));
    *end = !at;
    if (!at)
        return ST_OK;
    memcpy(&head, at, sizeof head);
    const row_parts_t p = parts_of(&s->shape, head.values);
    const size_t singles = (size_t)s->shape.single;
    take_texts(s, at, &p, singles + (size_t)head.values + 1);
    *numbers = (const double *)(const void *)(at + p.numbers); /* rows begin at multiples of 8 */
    *row = (dataset_row_t){.label = at[p.labels],
                           .more_labels = at + p.labels + 1,
                           .weight = head.weight,
                           .train = head.train,
                           .test = head.test,
                           .group = head.group,
                           .time = head.time,
                           .numeric = (const float *)(const void *)(at + p.numeric),
                           .single = (const uint64_t *)(const void *)(at + p.single),
                           .multi_count = (const int32_t *)(const void *)(at + p.multi_count),
                           .multi_key = (const uint64_t *)(const void *)(at + p.multi_key),
                           .multi_weight = (const float *)(const void *)(at + p.multi_weight),
                           .input_row = head.input_row,
                           .single_text = s->texts,
                           .multi_text = s->texts + singles,
                           .group_text = s->texts[singles + (size_t)head.values]};
    return ST_OK;
}
