/* Rows are taken from the stored form, since a reader gets numbers standardised and nothing where one is missing, weights
 * divided by their mean, and one label of several. */
#include "launcher/ingest/rows/former_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "common/texts/kept_texts.h"

typedef struct former {
    const char *path;
    const dataset_t *dataset;
    const dataset_meta_t *meta;
    dataset_writer_t *writer;
    dataset_file_t *file;
    kept_texts_t *kept; /* or NULL */
    bool has_warned;    /* that something is wrong with it */
    uint8_t *split;     /* [rows] split_t of each */
    value_top_t *known; /* [fields][DATASET_TOP] values whose texts are known, by key */
    int *known_count;   /* [fields] */
    /* the block at hand */
    record_t raw;
    dataset_block_t *block[DATASET_LABELS_MOST]; /* with each label */
    const float **column;                        /* [numeric] of it, as stored */
    float *numeric;                              /* [numeric] of a row */
    dataset_text_t *single_text, *multi_text;
    size_t multi_capacity;
    int32_t *multi_count;
    int64_t last_time;
} former_t;

static int by_key(const void *a, const void *b)
{
    const value_top_t *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void find_texts(former_t *f)
{
    f->known = MEM_ARRAY(value_top_t, (size_t)f->meta->count * DATASET_TOP);
    f->known_count = MEM_ARRAY(int, f->meta->count);
    for (int field = 0; field < f->meta->count; field++) {
        value_top_t *known = &f->known[(size_t)field * DATASET_TOP];
        for (int i = 0; i < f->meta->top_count[field]; i++)
            if (f->meta->top[field][i].named)
                known[f->known_count[field]++] = f->meta->top[field][i];
        qsort(known, (size_t)f->known_count[field], sizeof *known, by_key);
    }
}

static void warn_of(former_t *f, const char *fault)
{
    if (*fault && !f->has_warned)
        log_warn("dataset %s: " DATASET_TEXTS " %s; texts of its values are lost where rows are appended", f->path, fault);
    f->has_warned = f->has_warned || *fault;
}

static bool find_kept(former_t *f, uint64_t key, kept_text_t *out)
{
    char fault[KEPT_TEXTS_FAULT] = "";
    const bool is_there = f->kept && kept_texts_find(f->kept, key, out, fault);
    if (!is_there)
        warn_of(f, fault);
    return is_there;
}

/* As it was kept; or, of a dataset that keeps no texts, of the most frequent values. */
static dataset_text_t text_of(former_t *f, int field, uint64_t key)
{
    kept_text_t kept;
    const value_top_t wanted = {.key = key};
    if (find_kept(f, key, &kept))
        return (dataset_text_t){kept.at, (int)kept.bytes};
    const value_top_t *found =
        bsearch(&wanted, &f->known[(size_t)field * DATASET_TOP], (size_t)f->known_count[field], sizeof wanted, by_key);
    return found ? (dataset_text_t){found->text, (int)strlen(found->text)} : (dataset_text_t){NULL, 0};
}

/* Where no field has the same texts. */
static dataset_text_t group_text_of(former_t *f, uint64_t group)
{
    kept_text_t kept;
    const bool is_there = f->kept && kept_texts_index(f->kept)->groups.kept > 0 && find_kept(f, group, &kept);
    return is_there ? (dataset_text_t){kept.at, (int)kept.bytes} : (dataset_text_t){NULL, 0};
}

static void find_splits(former_t *f)
{
    const dataset_info_t *info = &f->meta->info;
    f->split = MEM_ARRAY(uint8_t, info->rows);
    static const split_t splits[] = {SPLIT_TRAIN, SPLIT_EVAL, SPLIT_TEST};
    for (int s = 0; s < 3; s++)
        for (int64_t i = 0; i < dataset_split_rows(info, splits[s]); i++)
            f->split[dataset_position(f->dataset, splits[s], i)] = (uint8_t)splits[s];
}

static void forget_block(former_t *f)
{
    for (int l = 0; l < DATASET_LABELS_MOST; l++) {
        mem_free(f->block[l]);
        f->block[l] = NULL;
    }
}

static status_t misfit(const former_t *f, const char *key)
{
    return FAIL(ST_CORRUPT, "dataset %s: record %s does not fit the dataset's schema; import or generate it again", f->path,
                key);
}

static status_t read_block(former_t *f, int64_t number)
{
    char key[DATASET_KEY_BYTES];
    block_shape_t shape = dataset_meta_shape(f->meta);
    forget_block(f);
    dataset_block_key(key, number);
    TRY(dataset_file_get(f->file, key, &f->raw));
    int32_t rows;
    shape.weight_mean = 1.0;
    for (int n = 0; n < shape.numeric; n++) {
        f->column[n] = block_numeric(&shape, f->raw.at, f->raw.bytes, n, &rows);
        if (!f->column[n])
            return misfit(f, key);
    }
    for (int l = 0; l < f->meta->info.labels; l++) {
        size_t bytes;
        shape.label = l;
        if (!block_decode(&shape, f->raw.at, f->raw.bytes, number * BLOCK_ROWS, f->meta->fields, &f->block[l], &bytes))
            return misfit(f, key);
    }
    return ST_OK;
}

static void set_values(former_t *f, size_t r, dataset_row_t *row)
{
    const dataset_info_t *info = &f->meta->info;
    const dataset_block_t *block = f->block[0];
    const size_t singles = (size_t)info->single, multi = (size_t)info->multi;
    row->single = block->single + r * singles;
    for (size_t s = 0; s < singles; s++)
        f->single_text[s] = text_of(f, info->numeric + (int)s, row->single[s]);
    const uint32_t *at = block->multi_at + r * multi;
    const size_t first = multi ? at[0] : 0, n = multi ? at[multi] - first : 0;
    MEM_GROW(f->multi_text, f->multi_capacity, n);
    for (size_t m = 0; m < multi; m++) {
        f->multi_count[m] = (int32_t)(at[m + 1] - at[m]);
        for (size_t v = at[m]; v < at[m + 1]; v++)
            f->multi_text[v - first] = text_of(f, (int)((size_t)info->numeric + singles + m), block->multi_key[v]);
    }
    row->multi_count = f->multi_count;
    row->multi_key = n ? block->multi_key + first : NULL;
    row->multi_weight = n ? block->multi_weight + first : NULL;
    row->single_text = f->single_text;
    row->multi_text = f->multi_text;
}

static status_t put_block(former_t *f)
{
    const dataset_block_t *block = f->block[0];
    const dataset_info_t *info = &f->meta->info;
    uint8_t labels[DATASET_LABELS_MOST];
    for (int32_t r = 0; r < block->rows; r++) {
        const int64_t position = block->first + r, input_row = census_input_row(dataset_census(f->dataset), position);
        for (int l = 0; l < info->labels; l++)
            labels[l] = f->block[l]->label[r];
        for (int n = 0; n < info->numeric; n++)
            f->numeric[n] = f->column[n][r];
        dataset_row_t row = {.label = labels[0],
                             .more_labels = labels + 1,
                             .weight = block->weight ? block->weight[r] : 0.0f,
                             .train = f->split[position] == SPLIT_TRAIN,
                             .test = f->split[position] == SPLIT_TEST,
                             .group = block->group[r],
                             .group_text = group_text_of(f, block->group[r]),
                             .time = block->time[r],
                             .numeric = f->numeric,
                             .input_row = input_row ? input_row : -1};
        set_values(f, (size_t)r, &row);
        if (info->has_time && row.time != DATASET_NO_TIME)
            f->last_time = row.time;
        TRY(dataset_writer_put(f->writer, &row));
    }
    return ST_OK;
}

status_t former_rows_put(const char *path, const dataset_t *dataset, dataset_writer_t *writer, int64_t *last_time)
{
    former_t f = {.path = path, .dataset = dataset, .meta = dataset_meta(dataset), .writer = writer};
    status_t status;
    f.last_time = DATASET_NO_TIME;
    f.numeric = MEM_ARRAY(float, f.meta->info.numeric);
    f.column = MEM_ARRAY(const float *, f.meta->info.numeric);
    f.single_text = MEM_ARRAY(dataset_text_t, f.meta->info.single);
    f.multi_count = MEM_ARRAY(int32_t, f.meta->info.multi);
    char fault[KEPT_TEXTS_FAULT];
    f.kept = kept_texts_open(path, f.meta->info.content_hash, fault);
    warn_of(&f, fault);
    find_texts(&f);
    find_splits(&f);
    TRY_DONE(dataset_file_open(path, &f.file));
    for (int64_t b = 0; b < dataset_meta_blocks(f.meta); b++) {
        TRY_DONE(read_block(&f, b));
        TRY_DONE(put_block(&f));
    }
    *last_time = f.last_time;
    status = ST_OK;
done:
    forget_block(&f);
    dataset_file_close(&f.file);
    kept_texts_close(&f.kept);
    record_fini(&f.raw);
    mem_free(f.split);
    mem_free(f.known);
    mem_free(f.known_count);
    mem_free(f.numeric);
    mem_free(f.column);
    mem_free(f.single_text);
    mem_free(f.multi_text);
    mem_free(f.multi_count);
    return status;
}
