/* The reader: decoded blocks in a cache that evicts the least recently used, which may share them with the other readers of its
 * host (shared_blocks.h). Then there is one bound for all: whoever loads a block while they hold more gives up as much of what
 * it has not used for longest. That frees a block once its last holder has done so.
 *
 * All blocks but the last hold BLOCK_ROWS rows, so a position names its block by a shift, and the cache is an array indexed
 * by block number: a hit costs one load, and moves the block to the front of the list once per fetch, not once per example. */
#include "common/data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/hash.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "common/data/shared_blocks.h"
#include "common/data/stored_record.h"
#include "common/files/file.h"

#define SHARED_VALUES_MOST 4 /* blocks with more values of multi-valued fields than so many times the mean are not shared */

typedef struct cached {
    dataset_block_t *block; /* **owned**, one allocation; or in shared memory */
    dataset_block_t view;   /* of a block that another reader has decoded; `block` points here */
    bool is_shared;
    size_t bytes;
    int64_t number, fetch; /* fetch: the last dataset_fetch that used it */
    struct cached *newer, *older;
} cached_t;

struct dataset {
    char *path;
    dataset_file_t *file;
    dataset_meta_t meta;
    origin_t origin;
    census_t census;
    day_list_t days;
    block_shape_t shape;
    cached_t **at; /* [blocks] or NULL where not decoded */
    cached_t *newest, *oldest;
    int64_t cache_bytes, cached_bytes, fetch; /* cached: without what is shared */
    shared_blocks_t *shared;                  /* or NULL */
    int readers;                              /* that share */
    uint64_t meaning;                         /* of numeric values: their means and scales; and of labels */
    double *own_scaling;                      /* [numeric][2] mean and scale as stored */
    int64_t all_train_rows, train_first;      /* the training split is those from train_first on */
    int64_t *positions; /* training split, evaluation split, test split; NULL where they are stored in this order */
    record_t raw;
};

const char *dataset_path(const dataset_t *dataset)
{
    return dataset->path;
}

bool dataset_exists(const char *path)
{
    char *data = mem_printf("%s/data.mdb", path);
    const bool exists = file_missing(data) == 0;
    mem_free(data);
    return exists;
}

/* ---- cache ---- */

static void unlink_cached(dataset_t *dataset, cached_t *c)
{
    if (c->newer)
        c->newer->older = c->older;
    else
        dataset->newest = c->older;
    if (c->older)
        c->older->newer = c->newer;
    else
        dataset->oldest = c->newer;
    c->newer = c->older = NULL;
}

static void link_newest(dataset_t *dataset, cached_t *c)
{
    c->older = dataset->newest;
    if (c->older)
        c->older->newer = c;
    else
        dataset->oldest = c;
    dataset->newest = c;
}

static void evict(dataset_t *dataset, cached_t *c)
{
    unlink_cached(dataset, c);
    dataset->at[c->number] = NULL;
    if (c->is_shared) {
        shared_blocks_give(dataset->shared, c->number);
    } else {
        dataset->cached_bytes -= (int64_t)c->bytes;
        mem_free(c->block);
    }
    mem_free(c);
}

/* Blocks of the current fetch stay, even where they alone are more than the cache may hold; they go when a later fetch
 * needs another block. */
static void make_room(dataset_t *dataset)
{
    int64_t excess = dataset->cached_bytes - dataset->cache_bytes;
    if (dataset->shared)
        excess += shared_blocks_bytes(dataset->shared);
    while (excess > 0 && dataset->oldest && dataset->oldest->fetch != dataset->fetch) {
        excess -= (int64_t)dataset->oldest->bytes;
        evict(dataset, dataset->oldest);
    }
}

void dataset_limit_cache(dataset_t *dataset, int64_t cache_bytes)
{
    dataset->cache_bytes = cache_bytes;
    dataset->fetch++; /* what the last fetch gave out is given up */
    make_room(dataset);
}

int64_t dataset_cache_bytes(const dataset_t *dataset)
{
    return dataset->cache_bytes;
}

static int32_t rows_of_block(const dataset_t *dataset, int64_t number)
{
    const int64_t left = dataset->meta.info.rows - number * BLOCK_ROWS;
    return left < BLOCK_ROWS ? (int32_t)left : BLOCK_ROWS;
}

/* Where a block that this reader was to fill is decoded to, if it can be shared. */
typedef struct filling {
    shared_blocks_t *shared; /* NULL: it is the reader's own */
    int64_t number;
    bool has_room;
} filling_t;

static void *room_to_fill(void *context, size_t bytes)
{
    filling_t *filling = context;
    void *room = filling->shared ? shared_blocks_room(filling->shared, filling->number, bytes) : NULL;
    filling->has_room = room != NULL;
    return room;
}

/* Read and decode a block; one in shared memory is not known to others yet. */
static status_t decode_block(dataset_t *dataset, cached_t *c, filling_t *filling, uint64_t *values)
{
    char key[DATASET_KEY_BYTES];
    dataset_block_key(key, c->number);
    TRY(dataset_file_get(dataset->file, key, &dataset->raw));
    const bool good = block_decode_into(&dataset->shape, dataset->raw.at, dataset->raw.bytes, c->number * BLOCK_ROWS,
                                        dataset->meta.fields, room_to_fill, filling, &c->block, &c->bytes, values);
    if (good && c->block->rows == rows_of_block(dataset, c->number))
        return ST_OK;
    if (!filling->has_room)
        mem_free(c->block);
    return FAIL(ST_CORRUPT, "dataset %s: record %s does not fit the dataset's schema; import or generate it again",
                dataset->path, key);
}

/* Get a block from the others, or make it. */
static status_t get_block(dataset_t *dataset, cached_t *c)
{
    void *at = NULL;
    uint64_t values = 0;
    const shared_take_t take =
        dataset->shared ? shared_blocks_take(dataset->shared, c->number, dataset->meaning, &at, &values) : SHARED_NONE;
    if (take == SHARED_READY) {
        const int32_t rows = rows_of_block(dataset, c->number);
        c->view = block_view(&dataset->shape, c->number * BLOCK_ROWS, rows, values, at);
        c->block = &c->view;
        c->bytes = block_bytes(&dataset->shape, rows, values);
        c->is_shared = true;
        return ST_OK;
    }
    filling_t filling = {take == SHARED_TO_FILL ? dataset->shared : NULL, c->number, false};
    const status_t status = decode_block(dataset, c, &filling, &values);
    c->is_shared = filling.has_room;
    if (status == ST_OK && filling.has_room)
        shared_blocks_filled(dataset->shared, c->number, dataset->meaning, values);
    else if (filling.shared)
        shared_blocks_give(dataset->shared, c->number);
    return status;
}

static status_t load_block(dataset_t *dataset, int64_t number)
{
    cached_t *c = MEM_NEW(cached_t);
    c->number = number;
    c->fetch = dataset->fetch;
    const status_t status = get_block(dataset, c);
    if (status != ST_OK) {
        mem_free(c);
        return status;
    }
    dataset->at[number] = c;
    if (!c->is_shared)
        dataset->cached_bytes += (int64_t)c->bytes;
    link_newest(dataset, c);
    make_room(dataset);
    return ST_OK;
}

static void set_meaning(dataset_t *dataset)
{
    dataset->meaning = (uint64_t)dataset->meta.info.label;
    for (int32_t f = 0; f < dataset->meta.info.numeric; f++) {
        const double mean_scale[] = {dataset->meta.fields[f].mean, dataset->meta.fields[f].scale};
        dataset->meaning = hash64(mean_scale, sizeof mean_scale, dataset->meaning);
    }
}

void dataset_standardise(dataset_t *dataset, const double *mean_scale)
{
    const int32_t numeric = dataset->meta.info.numeric;
    bool differs = false;
    for (int32_t f = 0; f < numeric; f++) {
        dataset_field_t *field = &dataset->meta.fields[f];
        const double *wanted = mean_scale ? &mean_scale[2 * f] : &dataset->own_scaling[2 * f];
        differs |= field->mean != wanted[0] || field->scale != wanted[1];
        field->mean = wanted[0];
        field->scale = wanted[1];
    }
    while (differs && dataset->oldest)
        evict(dataset, dataset->oldest);
    set_meaning(dataset);
}

status_t dataset_choose_label(dataset_t *dataset, const char *name)
{
    dataset_info_t *info = &dataset->meta.info;
    const dataset_label_t *labels = dataset->meta.label_of;
    int chosen = *name ? -1 : 0;
    for (int l = 0; l < info->labels; l++)
        if (*name && strcmp(labels[l].name, name) == 0)
            chosen = l;
    if (chosen < 0 && !*labels[0].name)
        return FAIL(ST_INPUT,
                    "dataset %s: there is no label %s: it has one, which has no name; leave data.label empty, or import "
                    "with labels: in the schema",
                    dataset->path, name);
    if (chosen < 0) {
        char all[DATASET_LABELS_MOST * (sizeof labels->name + 2)] = "";
        for (int l = 0, used = 0; l < info->labels; l++)
            used += snprintf(all + used, sizeof all - (size_t)used, "%s%s", l ? ", " : "", labels[l].name);
        return FAIL(ST_INPUT, "dataset %s: there is no label %s; it has %s", dataset->path, name, all);
    }
    while (chosen != info->label && dataset->oldest)
        evict(dataset, dataset->oldest);
    info->label = dataset->shape.label = chosen;
    info->positives = labels[chosen].positives;
    set_meaning(dataset);
    if (dataset->meta.has_extras) {
        dataset->census.train_positives = labels[chosen].train_positives;
        dataset->census.test_positives = labels[chosen].test_positives;
    }
    return ST_OK;
}

/* The day of this content; -1 where there is none. */
static int day_of(const dataset_t *dataset, const char *content)
{
    char *end;
    const uint64_t hash = strtoull(content, &end, 16);
    return strlen(content) == 16 && !*end ? day_list_find(&dataset->days, hash) : -1;
}

status_t dataset_train_since(dataset_t *dataset, const char *content)
{
    dataset_info_t *info = &dataset->meta.info;
    int64_t first = 0, rows = 0;
    char now[17];
    snprintf(now, sizeof now, "%016" PRIx64, info->content_hash);
    const int day = *content ? day_of(dataset, content) : -1;
    if (day >= 0) {
        first = dataset->days.day[day].train_rows;
        rows = dataset->days.day[day].rows;
    } else if (strcmp(content, now) == 0) {
        first = dataset->all_train_rows;
        rows = info->rows;
    } else if (*content) {
        return FAIL(ST_INPUT,
                    "dataset %s: it never had the content %s, so that it is not known which rows came since; rows are appended "
                    "by smelter import --append, and smelter inspect shows the content",
                    dataset->path, content);
    }
    if (*content && info->rows == rows)
        return FAIL(ST_INPUT, "dataset %s: nothing new to train on: no row was appended since it had the content %s",
                    dataset->path, content);
    if (*content && first == dataset->all_train_rows)
        return FAIL(ST_INPUT,
                    "dataset %s: nothing new to train on: of the %" PRId64 " rows that were appended since it had the content "
                    "%s none is a training row (split in its schema)",
                    dataset->path, info->rows - rows, content);
    dataset->train_first = first;
    info->train_rows = dataset->all_train_rows - first;
    return ST_OK;
}

int64_t dataset_train_positives(const dataset_t *dataset)
{
    const int32_t label = dataset->meta.info.label;
    const day_list_t *days = &dataset->days;
    int64_t before = 0;
    for (int d = 0; d < days->n && dataset->train_first > 0; d++)
        if (days->day[d].train_rows == dataset->train_first)
            before = days->day[d].label[label].train_positives;
    return dataset->census.train_positives - before;
}

void dataset_share(dataset_t *dataset, int descriptor, int readers)
{
    const dataset_info_t *info = &dataset->meta.info;
    uint64_t values = 0;
    for (int32_t m = info->numeric + info->single; m < info->numeric + info->single + info->multi; m++)
        values += (uint64_t)info->fields[m].values;
    ASSERT(!dataset->shared && !dataset->oldest);
    const uint64_t most = SHARED_VALUES_MOST * (values / (uint64_t)info->rows + 1) * BLOCK_ROWS;
    dataset->shared = shared_blocks_open(descriptor, info->content_hash, dataset_meta_blocks(&dataset->meta),
                                         block_bytes(&dataset->shape, BLOCK_ROWS, info->multi ? most : 0));
    dataset->readers = dataset->shared ? readers : 1;
}

int dataset_readers(const dataset_t *dataset)
{
    return dataset->readers;
}

status_t dataset_fetch(dataset_t *dataset, const int64_t *positions, int n, dataset_example_t *out)
{
    dataset->fetch++;
    for (int i = 0; i < n; i++) {
        ASSERT(positions[i] >= 0 && positions[i] < dataset->meta.info.rows);
        const int64_t number = positions[i] / BLOCK_ROWS;
        cached_t *c = dataset->at[number];
        if (!c) {
            TRY(load_block(dataset, number));
            c = dataset->at[number];
        } else if (c->fetch != dataset->fetch) {
            c->fetch = dataset->fetch;
            unlink_cached(dataset, c);
            link_newest(dataset, c);
        }
        out[i].block = c->block;
        out[i].row = (int32_t)(positions[i] % BLOCK_ROWS);
    }
    return ST_OK;
}

/* ---- splits ---- */

static bool bit_at(const uint8_t *bits, int64_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static status_t read_split(dataset_t *dataset)
{
    const dataset_info_t *info = &dataset->meta.info;
    TRY(dataset_file_get(dataset->file, DATASET_SPLIT, &dataset->raw));
    const size_t bytes = (size_t)(info->rows + 7) / 8;
    int64_t next[SPLITS] = {[SPLIT_EVAL] = info->train_rows, [SPLIT_TEST] = info->train_rows + info->eval_rows};
    const int64_t end[SPLITS] = {info->train_rows, [SPLIT_EVAL] = next[SPLIT_TEST], [SPLIT_TEST] = info->rows};
    record_reader_t in = {.at = dataset->raw.at, .bytes = dataset->raw.bytes};
    const uint8_t *train = record_take(&in, bytes, 1), *test = info->test_rows ? record_take(&in, bytes, 1) : NULL;
    bool good = !in.bad;
    if (good)
        dataset->positions = MEM_ARRAY(int64_t, info->rows);
    for (int64_t row = 0; good && row < info->rows; row++) {
        const split_t split = bit_at(train, row) ? SPLIT_TRAIN : test && bit_at(test, row) ? SPLIT_TEST : SPLIT_EVAL;
        good = next[split] < end[split];
        if (good)
            dataset->positions[next[split]++] = row;
    }
    if (good)
        return ST_OK;
    if (info->test_rows)
        return FAIL(ST_CORRUPT,
                    "dataset %s: record %s does not have %" PRId64 " training rows and %" PRId64
                    " test rows; import or generate it again",
                    dataset->path, DATASET_SPLIT, info->train_rows, info->test_rows);
    return FAIL(ST_CORRUPT, "dataset %s: record %s does not have %" PRId64 " training rows; import or generate it again",
                dataset->path, DATASET_SPLIT, info->train_rows);
}

static const char *const split_words[SPLITS] = {"train", "eval", "all", "test"};
static const char *const split_names[SPLITS] = {"training", "evaluation", "whole", "test"};

const char *dataset_split_word(split_t split)
{
    return split_words[split];
}

const char *dataset_split_name(split_t split)
{
    return split_names[split];
}

bool dataset_split_of(const char *word, split_t *out)
{
    for (int s = 0; s < SPLITS; s++)
        if (strcmp(word, split_words[s]) == 0) {
            *out = (split_t)s;
            return true;
        }
    return false;
}

int64_t dataset_split_rows(const dataset_info_t *info, split_t split)
{
    const int64_t rows[SPLITS] = {info->train_rows, info->eval_rows, info->rows, info->test_rows};
    return rows[split];
}

int64_t dataset_position(const dataset_t *dataset, split_t split, int64_t i)
{
    const dataset_info_t *info = &dataset->meta.info;
    ASSERT(i >= 0 && i < dataset_split_rows(info, split));
    if (split == SPLIT_ALL)
        return i;
    const int64_t all = dataset->all_train_rows;
    const int64_t first = split == SPLIT_TRAIN  ? dataset->train_first
                          : split == SPLIT_EVAL ? all
                                                : info->rows - info->test_rows;
    const int64_t at = first + i;
    return dataset->positions ? dataset->positions[at] : at;
}

/* ---- open and close ---- */

void dataset_close(dataset_t **dataset)
{
    dataset_t *d = *dataset;
    if (!d)
        return;
    while (d->oldest)
        evict(d, d->oldest);
    shared_blocks_close(&d->shared);
    dataset_file_close(&d->file);
    dataset_meta_fini(&d->meta);
    origin_fini(&d->origin);
    census_fini(&d->census);
    day_list_fini(&d->days);
    record_fini(&d->raw);
    mem_free(d->at);
    mem_free(d->own_scaling);
    mem_free(d->positions);
    mem_free(d->path);
    mem_free(d);
    *dataset = NULL;
}

/* What the record says of itself, against the room there is for it: each block is a record with a head. */
static status_t check_rows(const dataset_t *dataset)
{
    char *data = mem_printf("%s/data.mdb", dataset->path);
    struct stat st;
    const int64_t bytes = stat(data, &st) == 0 ? (int64_t)st.st_size : 0;
    mem_free(data);
    if (dataset_meta_blocks(&dataset->meta) <= bytes / STORED_RECORD_HEAD_BYTES)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "dataset %s: record %s says %" PRId64 " rows, and data.mdb of %" PRId64
                " bytes has no room for their blocks; import or generate it again",
                dataset->path, DATASET_META, dataset->meta.info.rows, bytes);
}

/* The records that older datasets lack. */
static status_t read_optional(dataset_t *dataset)
{
    bool found = false;
    TRY(dataset_file_find(dataset->file, DATASET_ORIGIN, &dataset->raw, &found));
    bool good = !found || origin_decode(&dataset->raw, &dataset->origin);
    TRY(dataset_file_find(dataset->file, DATASET_CENSUS, &dataset->raw, &found));
    good = good && (!found || census_decode(&dataset->raw, &dataset->census));
    if (!good)
        return FAIL(ST_CORRUPT,
                    "dataset %s: record %s or %s is damaged or of another version of smelter; import or generate it again",
                    dataset->path, DATASET_ORIGIN, DATASET_CENSUS);
    TRY(dataset_file_find(dataset->file, DATASET_DAYS, &dataset->raw, &found));
    return !found || day_list_decode(&dataset->raw, &dataset->days)
               ? ST_OK
               : FAIL(ST_CORRUPT, "dataset %s: record %s is damaged or of another version of smelter; import it again",
                      dataset->path, DATASET_DAYS);
}

status_t dataset_open(const char *path, int64_t cache_bytes, dataset_t **out)
{
    dataset_t *dataset = MEM_NEW(dataset_t);
    dataset->path = mem_strdup(path);
    dataset->cache_bytes = cache_bytes;
    status_t status = ST_OK;
    TRY_DONE(dataset_file_open(path, &dataset->file));
    TRY_DONE(dataset_file_get(dataset->file, DATASET_META, &dataset->raw));
    if (!dataset_meta_decode(&dataset->raw, &dataset->meta)) {
        status =
            FAIL(ST_CORRUPT, "dataset %s: record %s is damaged or of another version of smelter; import or generate it again",
                 path, DATASET_META);
        goto done;
    }
    TRY_DONE(check_rows(dataset));
    dataset->shape = dataset_meta_shape(&dataset->meta);
    dataset->all_train_rows = dataset->meta.info.train_rows;
    dataset->own_scaling = MEM_ARRAY(double, 2 * dataset->meta.info.numeric);
    for (int32_t f = 0; f < dataset->meta.info.numeric; f++) {
        dataset->own_scaling[2 * f] = dataset->meta.fields[f].mean;
        dataset->own_scaling[2 * f + 1] = dataset->meta.fields[f].scale;
    }
    dataset->readers = 1;
    set_meaning(dataset);
    dataset->at = MEM_ARRAY(cached_t *, dataset_meta_blocks(&dataset->meta));
    if (!dataset->meta.prefix_split)
        TRY_DONE(read_split(dataset));
    TRY_DONE(read_optional(dataset));
    *out = dataset;
    return ST_OK;
done:
    dataset_close(&dataset);
    return status;
}

status_t dataset_verify(dataset_t *dataset)
{
    TRY(dataset_file_verify(dataset->file));
    for (int64_t row = 0; row < dataset->meta.info.rows; row += BLOCK_ROWS) {
        dataset_example_t first;
        TRY(dataset_fetch(dataset, &row, 1, &first));
    }
    return ST_OK;
}

const dataset_info_t *dataset_info(const dataset_t *dataset)
{
    return &dataset->meta.info;
}

const origin_t *dataset_origin(const dataset_t *dataset)
{
    return &dataset->origin;
}

const census_t *dataset_census(const dataset_t *dataset)
{
    return &dataset->census;
}

const day_list_t *dataset_days(const dataset_t *dataset)
{
    return &dataset->days;
}

status_t dataset_schema(dataset_t *dataset, char **yaml)
{
    bool found = false;
    *yaml = NULL;
    TRY(dataset_file_find(dataset->file, DATASET_SCHEMA, &dataset->raw, &found));
    if (!found)
        return ST_OK;
    record_reader_t in = {.at = dataset->raw.at, .bytes = dataset->raw.bytes};
    const uint64_t bytes = record_take_u64(&in);
    const char *text = record_take(&in, bytes, 1);
    if (!text)
        return FAIL(ST_CORRUPT, "dataset %s: record %s is damaged; import or generate it again", dataset->path, DATASET_SCHEMA);
    *yaml = mem_printf("%.*s", (int)bytes, text);
    return ST_OK;
}

const dataset_meta_t *dataset_meta(const dataset_t *dataset)
{
    return &dataset->meta;
}

uint64_t dataset_key(const char *text, int bytes)
{
    return hash64(text, (size_t)bytes, 0);
}
