/* The writer: rows are collected into a block in the reader's own layout (block_draft.h), and every full block is encoded and
 * stored by other threads (block_queue.h).
 *
 * What is only known at the end - the split by a share of the rows, mean and scale over the training rows - is settled in
 * commit, so that the input is read once. A crash leaves the folder PATH.partial.PID behind and never a half PATH.        */
#include "common/data/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "common/files/file_system.h"
#include "common/files/folder_copy.h"
#include "common/files/scratch_folder.h"
#include "common/metrics/queries.h"
#include "common/texts/text_keeper.h"
#include "launcher/ingest/block_queue.h"

struct dataset_writer {
    char *path, *partial;
    scratch_folder_t *scratch; /* on a disk of this host, where LMDB's file is made; NULL: in partial */
    size_t existing;           /* parents of `path` up to this length were there before; abort removes the others */
    dataset_file_t *file;
    dataset_meta_t meta;
    block_shape_t shape;
    bool *standardise;      /* [count] */
    value_count_t **counts; /* [count], NULL for numeric fields */
    text_keeper_t *keeper;  /* of the texts of values, or NULL */
    block_queue_t *queue;   /* NULL once all blocks are stored */
    record_t raw;

    uint8_t *split, *test;                  /* bit per row */
    uint8_t *positive[DATASET_LABELS_MOST]; /* the same of each label */
    size_t split_capacity, test_capacity, positive_capacity[DATASET_LABELS_MOST];
    origin_t origin;
    char *schema; /* or NULL */
    day_list_t days;
    census_t census;
    double weight_mean; /* that of another dataset, or 0: the own */
    bool may_weigh_nothing;
    int64_t last_time;         /* of the last row that has one */
    int64_t train_prefix;      /* set by dataset_writer_split, or -1 */
    bool seen_eval, seen_test; /* rows of these splits */
    bool prefix;               /* rows came split by split: training, evaluation, test */
};

/* ---- folders ---- */

static size_t make_parents(const char *path, int *error)
{
    char *copy = mem_strdup(path);
    size_t existing = 0;
    bool made = false;
    *error = 0;
    for (size_t i = 1; copy[i]; i++) {
        if (copy[i] != '/' || copy[i + 1] == 0)
            continue;
        copy[i] = 0;
        if (mkdir(copy, 0777) == 0)
            made = true;
        else if (errno == EEXIST && !made)
            existing = i;
        else if (errno != EEXIST)
            *error = errno;
        copy[i] = '/';
    }
    if (*error && access(path, F_OK) == 0)
        *error = 0;
    mem_free(copy);
    return existing;
}

static void remove_parents(const char *path, size_t existing)
{
    char *copy = mem_strdup(path);
    for (size_t i = strlen(copy); i > existing; i--)
        if (copy[i] == '/') {
            copy[i] = 0;
            if (copy[i + 1] != 0 && rmdir(copy) != 0)
                break;
        }
    mem_free(copy);
}

/* Returns 0 or errno. File systems that cannot sync a folder say EINVAL. */
static int sync_folder(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

static int sync_parent(const char *path)
{
    char *copy = mem_strdup(path);
    char *slash = strrchr(copy, '/');
    if (slash == copy)
        slash[1] = 0;
    else if (slash)
        *slash = 0;
    const int error = sync_folder(slash ? copy : ".");
    mem_free(copy);
    return error;
}

/* ---- create ---- */

static void writer_free(dataset_writer_t **writer)
{
    dataset_writer_t *w = *writer;
    block_queue_destroy(&w->queue);
    text_keeper_destroy(&w->keeper);
    dataset_file_close(&w->file);
    for (int f = 0; f < w->meta.count; f++)
        value_count_destroy(&w->counts[f]);
    mem_free(w->counts);
    mem_free(w->standardise);
    dataset_meta_fini(&w->meta);
    record_fini(&w->raw);
    mem_free(w->split);
    mem_free(w->test);
    for (int l = 0; l < DATASET_LABELS_MOST; l++)
        mem_free(w->positive[l]);
    origin_fini(&w->origin);
    mem_free(w->schema);
    day_list_fini(&w->days);
    census_fini(&w->census);
    mem_free(w->path);
    mem_free(w->partial);
    scratch_folder_destroy(&w->scratch);
    mem_free(w);
    *writer = NULL;
}

void dataset_writer_abort(dataset_writer_t **writer)
{
    dataset_writer_t *w = *writer;
    if (!w)
        return;
    block_queue_destroy(&w->queue);
    dataset_file_close(&w->file);
    for (int i = 0; i < DATASET_FILES; i++) {
        char *file = mem_printf("%s/%s", w->partial, dataset_file_names[i]);
        unlink(file);
        mem_free(file);
    }
    rmdir(w->partial);
    remove_parents(w->path, w->existing);
    writer_free(writer);
}

static void count_fields(dataset_meta_t *meta)
{
    column_kind_t last = COLUMN_NUMERIC;
    for (int f = 0; f < meta->count; f++) {
        dataset_field_t *field = &meta->fields[f];
        ASSERT(last == COLUMN_NUMERIC || field->kind == last || field->kind == COLUMN_MULTI);
        last = field->kind;
        meta->info.numeric += field->kind == COLUMN_NUMERIC;
        meta->info.single += field->kind == COLUMN_CATEGORICAL;
        meta->info.multi += field->kind == COLUMN_MULTI;
        field->mean = 0.0;
        field->scale = 1.0;
        field->cardinality = field->values = field->missing = 0;
        field->low = field->high = 0.0;
    }
}

/* On a network file system the dataset is made on a disk of this host, and copied when it is whole. */
static status_t make_scratch(dataset_writer_t *w)
{
    const char *kind = file_system_network(w->partial), *tmp = getenv("TMPDIR"), *place = tmp && *tmp ? tmp : "/var/tmp";
    if (!kind)
        return ST_OK;
    if (file_system_network(place))
        return FAIL(ST_INPUT,
                    "dataset %s is on a network file system (%s), which LMDB must not write, and so is %s: set TMPDIR to "
                    "a folder on a disk of this host",
                    w->path, kind, place);
    TRY(scratch_folder_create(place, "TMPDIR", &w->scratch));
    log_info("dataset %s is on a network file system (%s): it is made in %s (TMPDIR) and copied there when it is whole",
             w->path, kind, place);
    return ST_OK;
}

static const char *folder_of(const dataset_writer_t *w)
{
    return w->scratch ? scratch_folder_path(w->scratch) : w->partial;
}

static void set_extras(dataset_meta_t *meta, const dataset_extras_t *extras)
{
    meta->has_extras = extras->has_weight || extras->may_lack_label || extras->labels > 0;
    meta->info.has_weight = extras->has_weight;
    meta->info.may_lack_label = extras->may_lack_label;
    meta->info.weight_mean = 1.0;
    dataset_meta_labels(meta, extras->labels ? extras->labels : 1);
    for (int l = 0; l < extras->labels; l++) {
        ASSERT(strlen(extras->label_names[l]) < sizeof meta->label_of[l].name);
        strcpy(meta->label_of[l].name, extras->label_names[l]);
    }
}

status_t dataset_writer_create(const char *path, const dataset_field_t *fields, int n, const bool *standardise, bool has_group,
                               bool has_time, bool compress, dataset_writer_t **out)
{
    const dataset_extras_t none = {0};
    return dataset_writer_create_with(path, fields, n, standardise, has_group, has_time, &none, compress, out);
}

status_t dataset_writer_create_with(const char *path, const dataset_field_t *fields, int n, const bool *standardise,
                                    bool has_group, bool has_time, const dataset_extras_t *extras, bool compress,
                                    dataset_writer_t **out)
{
    struct stat st;
    if (path[0] == 0)
        return FAIL(ST_INPUT, "the path of the new dataset is empty");
    if (lstat(path, &st) == 0)
        return FAIL(ST_INPUT, "%s exists already; remove it or write the dataset elsewhere", path);
    dataset_writer_t *w = MEM_NEW(dataset_writer_t);
    w->path = mem_strdup(path);
    for (size_t end = strlen(w->path); end > 1 && w->path[end - 1] == '/'; end--)
        w->path[end - 1] = 0;
    w->partial = mem_printf("%s.partial.%ld", w->path, (long)getpid());
    dataset_meta_init(&w->meta, fields, n);
    count_fields(&w->meta);
    w->meta.info.has_group = has_group;
    w->meta.info.has_time = has_time;
    w->meta.compressed = compress;
    set_extras(&w->meta, extras);
    w->may_weigh_nothing = extras->may_weigh_nothing;
    w->shape = dataset_meta_shape(&w->meta);
    w->standardise = MEM_ARRAY(bool, n);
    w->counts = MEM_ARRAY(value_count_t *, n);
    for (int f = 0; f < n; f++) {
        w->standardise[f] = standardise && standardise[f];
        ASSERT(!w->standardise[f] || fields[f].kind == COLUMN_NUMERIC);
        w->counts[f] = fields[f].kind == COLUMN_NUMERIC ? NULL : value_count_create();
    }
    w->train_prefix = -1;
    w->prefix = true;
    w->census.first_descent = -1;
    w->last_time = DATASET_NO_TIME;

    int error;
    w->existing = make_parents(w->path, &error);
    if (mkdir(w->partial, 0777) != 0) {
        status_t status =
            FAIL(ST_INPUT, "the dataset %s cannot be written: %s: %s", path, w->partial, strerror(error ? error : errno));
        dataset_writer_abort(&w);
        return status;
    }
    status_t status;
    TRY_DONE(make_scratch(w));
    TRY_DONE(dataset_file_create(folder_of(w), compress, &w->file));
    if (extras->keep_bytes > 0)
        TRY_DONE(text_keeper_create(folder_of(w), w->shape.single + w->shape.multi, extras->keep_bytes,
                                    extras->keep_field_bytes, &w->keeper));
    TRY_DONE(block_queue_create(w->file, &w->shape, w->meta.fields, w->counts, w->keeper, compress, &w->queue));
    *out = w;
    return ST_OK;
done:
    dataset_writer_abort(&w);
    return status;
}

/* ---- rows ---- */

static void count_row(dataset_writer_t *w, const dataset_row_t *row)
{
    const int64_t position = w->meta.info.rows;
    census_t *census = &w->census;
    if (row->input_row >= 0)
        census_row(census, position, row->input_row ? row->input_row : position + 1);
    else
        census_forget_rows(census);
    census->without_group += w->shape.has_group && row->group == QUERY_NONE;
    for (int l = 0; l < w->meta.info.labels; l++) {
        const uint8_t label = l ? row->more_labels[l - 1] : row->label;
        ASSERT(label <= 1 || (label == DATASET_NO_LABEL && w->shape.may_lack_label));
        MEM_GROW(w->positive[l], w->positive_capacity[l], (size_t)position / 8 + 1);
        if (label == 1)
            w->positive[l][position / 8] |= (uint8_t)(1u << (position % 8));
        w->meta.label_of[l].positives += label == 1;
        w->meta.label_of[l].unlabelled += label == DATASET_NO_LABEL;
    }
    if (!w->shape.has_time)
        return;
    if (row->time == DATASET_NO_TIME) {
        census->without_time++;
        return;
    }
    if (row->time < w->last_time) { /* never at the first, which follows the smallest number */
        if (census->descents++ == 0)
            census->first_descent = position;
    }
    w->last_time = row->time;
}

status_t dataset_writer_put(dataset_writer_t *w, const dataset_row_t *row)
{
    block_draft_t *draft = block_queue_draft(w->queue);
    int32_t field;
    if (!block_draft_put(draft, row, &field))
        return FAIL(ST_INPUT, "dataset %s: field %s has more than 2^32 values in the %d rows from row %" PRId64, w->path,
                    w->meta.fields[w->shape.numeric + w->shape.single + field].name, BLOCK_ROWS, draft->first);

    dataset_info_t *info = &w->meta.info;
    count_row(w, row);
    MEM_GROW(w->split, w->split_capacity, (size_t)info->rows / 8 + 1);
    if (row->train)
        w->split[info->rows / 8] |= (uint8_t)(1u << (info->rows % 8));
    const bool tests = row->test && !row->train;
    MEM_GROW(w->test, w->test_capacity, (size_t)info->rows / 8 + 1);
    if (tests)
        w->test[info->rows / 8] |= (uint8_t)(1u << (info->rows % 8));
    info->train_rows += row->train;
    info->test_rows += tests;
    w->prefix &= !(row->train && (w->seen_eval || w->seen_test)) && !(!row->train && !tests && w->seen_test);
    w->seen_eval |= !row->train && !tests;
    w->seen_test |= tests;
    info->positives += row->label == 1;
    info->rows++;
    return draft->rows == BLOCK_ROWS ? block_queue_put(w->queue) : ST_OK;
}

void dataset_writer_split(dataset_writer_t *w, int64_t train_rows, int64_t test_rows)
{
    ASSERT(train_rows >= 0 && test_rows >= 0 && train_rows <= w->meta.info.rows - test_rows);
    w->train_prefix = train_rows;
    w->meta.info.test_rows = test_rows;
}

static void put_bit(uint8_t *bits, int64_t position, bool is_set)
{
    const uint8_t bit = (uint8_t)(1u << (position % 8));
    bits[position / 8] = (uint8_t)(is_set ? bits[position / 8] | bit : bits[position / 8] & ~bit);
}

static bool has_bit(const uint8_t *bits, int64_t position)
{
    return bits[position / 8] >> (position % 8) & 1;
}

/* The splits by their bits: how many rows, and whether they follow each other. */
static void count_splits(dataset_writer_t *w)
{
    dataset_info_t *info = &w->meta.info;
    info->train_rows = info->test_rows = 0;
    w->prefix = true;
    w->seen_eval = w->seen_test = false;
    for (int64_t row = 0; row < info->rows; row++) {
        const bool trains = has_bit(w->split, row), tests = has_bit(w->test, row);
        w->prefix &= !(trains && (w->seen_eval || w->seen_test)) && !(!trains && !tests && w->seen_test);
        w->seen_eval |= !trains && !tests;
        w->seen_test |= tests;
        info->train_rows += trains;
        info->test_rows += tests;
    }
}

void dataset_writer_split_from(dataset_writer_t *w, int64_t first, int64_t train_rows, int64_t test_rows)
{
    const int64_t rows = w->meta.info.rows;
    ASSERT(first >= 0 && train_rows >= 0 && test_rows >= 0 && train_rows <= rows - first - test_rows);
    for (int64_t row = first; row < rows; row++) {
        put_bit(w->split, row, row < first + train_rows);
        put_bit(w->test, row, row >= rows - test_rows);
    }
    count_splits(w);
}

void dataset_writer_like(dataset_writer_t *w, const dataset_t *other)
{
    const dataset_info_t *info = dataset_info(other);
    for (int f = 0; f < info->numeric; f++) {
        w->meta.fields[f].mean = info->fields[f].mean;
        w->meta.fields[f].scale = info->fields[f].scale;
        w->standardise[f] = false;
    }
    w->weight_mean = info->weight_mean;
    w->census.unit = dataset_census(other)->unit;
}

void dataset_writer_days(dataset_writer_t *w, const day_list_t *days)
{
    day_list_fini(&w->days);
    w->days = day_list_copy(days);
}

void dataset_writer_origin(dataset_writer_t *w, const origin_t *origin)
{
    origin_fini(&w->origin);
    w->origin = origin_copy(origin);
}

void dataset_writer_schema(dataset_writer_t *w, const char *yaml)
{
    mem_free(w->schema);
    w->schema = mem_strdup(yaml);
}

void dataset_writer_rules(dataset_writer_t *w, int f, const field_rules_t *rules)
{
    w->meta.fields[f].rules = *rules;
}

bool dataset_writer_time_unit(dataset_writer_t *w, time_unit_t unit)
{
    const block_draft_t *draft = block_queue_draft(w->queue);
    const bool scales = unit == TIME_MILLIONTHS && w->census.unit == TIME_AS_GIVEN && w->last_time != DATASET_NO_TIME;
    if (scales && draft->first > 0)
        return false; /* blocks of whole numbers are stored already */
    for (int32_t r = 0; scales && r < draft->rows; r++)
        if (draft->time[r] != DATASET_NO_TIME && llabs(draft->time[r]) > INT64_MAX / 1000000)
            return false;
    for (int32_t r = 0; scales && r < draft->rows; r++)
        if (draft->time[r] != DATASET_NO_TIME)
            draft->time[r] *= 1000000;
    if (scales)
        w->last_time *= 1000000;
    w->census.unit = unit;
    return true;
}

/* ---- commit ---- */

static bool is_train(const dataset_writer_t *w, int64_t position)
{
    return w->meta.prefix_split ? position < w->meta.info.train_rows : w->split[position / 8] >> (position % 8) & 1;
}

static bool is_test(const dataset_writer_t *w, int64_t position)
{
    const dataset_info_t *info = &w->meta.info;
    return w->meta.prefix_split ? position >= info->rows - info->test_rows : w->test[position / 8] >> (position % 8) & 1;
}

/* Mean and sum of squared deviations, block by block, by the update of Chan, Golub and LeVeque (1979): one pass over the
 * stored columns and no cancellation. */
typedef struct moments {
    double n, mean, m2;
} moments_t;

static void moments_add(moments_t *m, const dataset_writer_t *w, const float *column, int32_t rows, int64_t first)
{
    moments_t block = {0};
    for (int32_t r = 0; r < rows; r++)
        if (!isnan(column[r]) && is_train(w, first + r)) {
            block.n += 1.0;
            block.mean += (double)column[r];
        }
    if (block.n == 0.0)
        return;
    block.mean /= block.n;
    for (int32_t r = 0; r < rows; r++)
        if (!isnan(column[r]) && is_train(w, first + r))
            block.m2 += ((double)column[r] - block.mean) * ((double)column[r] - block.mean);
    const double delta = block.mean - m->mean, n = m->n + block.n;
    m->m2 += block.m2 + delta * delta * m->n * block.n / n;
    m->mean += delta * block.n / n;
    m->n = n;
}

static status_t standardise_fields(dataset_writer_t *w)
{
    bool any = false;
    for (int f = 0; f < w->shape.numeric; f++)
        any |= w->standardise[f];
    if (!any)
        return ST_OK;
    moments_t *moments = MEM_ARRAY(moments_t, w->shape.numeric);
    status_t status = ST_OK;
    const int64_t blocks = dataset_meta_blocks(&w->meta);
    for (int64_t b = 0; b < blocks; b++) {
        char key[DATASET_KEY_BYTES];
        dataset_block_key(key, b);
        TRY_DONE(dataset_file_get(w->file, key, &w->raw));
        for (int f = 0; f < w->shape.numeric; f++) {
            int32_t rows;
            const float *column = block_numeric(&w->shape, w->raw.at, w->raw.bytes, f, &rows);
            ASSERT(column);
            if (w->standardise[f])
                moments_add(&moments[f], w, column, rows, b * BLOCK_ROWS);
        }
    }
    for (int f = 0; f < w->shape.numeric; f++)
        if (w->standardise[f] && moments[f].n > 0.0) {
            const double variance = moments[f].m2 / moments[f].n;
            w->meta.fields[f].mean = moments[f].mean;
            w->meta.fields[f].scale = variance > 0.0 ? 1.0 / sqrt(variance) : 1.0;
        }
done:
    mem_free(moments);
    return status;
}

static split_t split_of(const dataset_writer_t *w, int64_t position)
{
    return is_train(w, position) ? SPLIT_TRAIN : is_test(w, position) ? SPLIT_TEST : SPLIT_EVAL;
}

static status_t fail_weights(const dataset_writer_t *w, const char *of)
{
    return FAIL(ST_INPUT, "dataset %s: all weights%s are 0, so that no example would count; look at the weight column", w->path,
                of);
}

/* The mean over the training rows (over all, where there are none), in their order. */
static status_t settle_weights(dataset_writer_t *w)
{
    double sums[SPLITS] = {0};
    dataset_info_t *info = &w->meta.info;
    const int64_t blocks = dataset_meta_blocks(&w->meta), rows = info->train_rows;
    for (int64_t b = 0; b < blocks && w->shape.has_weight; b++) {
        char key[DATASET_KEY_BYTES];
        int32_t n;
        dataset_block_key(key, b);
        TRY(dataset_file_get(w->file, key, &w->raw));
        const float *weight = block_weight(&w->shape, w->raw.at, w->raw.bytes, &n);
        ASSERT(weight);
        for (int32_t r = 0; r < n; r++)
            sums[split_of(w, b * BLOCK_ROWS + r)] += (double)weight[r];
    }
    if (!w->shape.has_weight)
        return ST_OK;
    const double sum = rows ? sums[SPLIT_TRAIN] : sums[SPLIT_EVAL] + sums[SPLIT_TEST];
    if (w->weight_mean > 0.0)
        info->weight_mean = w->weight_mean;
    else if (sum > 0.0)
        info->weight_mean = sum / (double)(rows ? rows : info->rows);
    else if (!w->may_weigh_nothing)
        return fail_weights(w, rows ? " of the training rows" : "");
    if (info->eval_rows && !(sums[SPLIT_EVAL] > 0.0))
        return fail_weights(w, " of the evaluation rows");
    return info->test_rows && !(sums[SPLIT_TEST] > 0.0) ? fail_weights(w, " of the test rows") : ST_OK;
}

static status_t settle_split(dataset_writer_t *w)
{
    dataset_info_t *info = &w->meta.info;
    if (w->train_prefix >= 0) {
        info->train_rows = w->train_prefix;
        w->prefix = true;
    }
    info->eval_rows = info->rows - info->train_rows - info->test_rows;
    w->meta.prefix_split = w->prefix;
    if (w->prefix)
        return ST_OK;
    record_clear(&w->raw);
    record_put(&w->raw, w->split, (size_t)(info->rows + 7) / 8);
    if (info->test_rows)
        record_put(&w->raw, w->test, (size_t)(info->rows + 7) / 8);
    uint64_t hash;
    TRY(dataset_file_put(w->file, DATASET_SPLIT, &w->raw, &hash));
    w->meta.blocks_hash = dataset_meta_chain(w->meta.blocks_hash, hash);
    return ST_OK;
}

static void settle_values(dataset_writer_t *w)
{
    for (int f = w->shape.numeric; f < w->meta.count; f++) {
        dataset_field_t *field = &w->meta.fields[f];
        field->cardinality = value_count_distinct(w->counts[f]);
        field->values = value_count_total(w->counts[f]);
        if (field->kind == COLUMN_CATEGORICAL)
            field->missing = value_count_of(w->counts[f], dataset_key("", 0));
        w->meta.top_count[f] = value_count_top(w->counts[f], w->meta.top[f], DATASET_TOP);
    }
}

static void settle_census(dataset_writer_t *w)
{
    for (int l = 0; l < w->meta.info.labels; l++)
        for (int64_t row = 0; row < w->meta.info.rows; row++) {
            const bool positive = w->positive[l][row / 8] >> (row % 8) & 1;
            w->meta.label_of[l].train_positives += is_train(w, row) && positive;
            w->meta.label_of[l].test_positives += is_test(w, row) && positive;
        }
    w->census.train_positives = w->meta.label_of[0].train_positives;
    w->census.test_positives = w->meta.label_of[0].test_positives;
}

/* The dataset as it is after its last day. */
static void settle_day(dataset_writer_t *w)
{
    const dataset_info_t *info = &w->meta.info;
    dataset_day_t *day = &w->days.day[w->days.n - 1];
    day->content_hash = info->content_hash;
    day->rows = info->rows;
    day->train_rows = info->train_rows;
    day->test_rows = info->test_rows;
    day->bad_rows = info->bad_rows;
    for (int l = 0; l < info->labels; l++) {
        const dataset_label_t *label = &w->meta.label_of[l];
        day->label[l] = (day_label_t){label->positives, label->train_positives, label->test_positives};
    }
}

/* The records beside the content: nothing of them is in its hash. */
static status_t put_optional(dataset_writer_t *w)
{
    uint64_t hash;
    if (w->days.n > 0) {
        settle_day(w);
        record_clear(&w->raw);
        day_list_encode(&w->days, &w->raw);
        TRY(dataset_file_put(w->file, DATASET_DAYS, &w->raw, &hash));
    }
    record_clear(&w->raw);
    census_encode(&w->census, &w->raw);
    TRY(dataset_file_put(w->file, DATASET_CENSUS, &w->raw, &hash));
    if (w->schema) {
        record_clear(&w->raw);
        record_put_text(&w->raw, w->schema);
        TRY(dataset_file_put(w->file, DATASET_SCHEMA, &w->raw, &hash));
    }
    if (w->origin.kind == ORIGIN_UNKNOWN)
        return ST_OK;
    record_clear(&w->raw);
    origin_encode(&w->origin, &w->raw);
    return dataset_file_put(w->file, DATASET_ORIGIN, &w->raw, &hash);
}

/* The last block, and all others; the file is the writer's own again. */
static status_t finish_blocks(dataset_writer_t *w)
{
    if (block_queue_draft(w->queue)->rows > 0)
        TRY(block_queue_put(w->queue));
    TRY(block_queue_finish(w->queue, &w->meta.blocks_hash));
    block_queue_destroy(&w->queue);
    return ST_OK;
}

static status_t commit(dataset_writer_t *w, int64_t bad_rows)
{
    TRY(finish_blocks(w));
    TRY(settle_split(w));
    TRY(standardise_fields(w));
    TRY(settle_weights(w));
    settle_values(w);
    settle_census(w);
    w->meta.info.bad_rows = bad_rows;
    w->meta.info.content_hash = dataset_meta_hash(&w->meta);
    TRY(put_optional(w));
    record_clear(&w->raw);
    dataset_meta_encode(&w->meta, &w->raw);
    uint64_t hash;
    TRY(dataset_file_put(w->file, DATASET_META, &w->raw, &hash));
    TRY(dataset_file_finish(&w->file));
    if (w->keeper)
        TRY(text_keeper_finish(w->keeper, w->meta.compressed, w->meta.info.content_hash));
    if (w->scratch)
        TRY(folder_copy_all(scratch_folder_path(w->scratch), w->partial));
    int error = sync_folder(w->partial);
    if (error)
        return FAIL(ST_SYSTEM, "%s: cannot sync the folder: %s", w->partial, strerror(error));
    if (rename(w->partial, w->path) != 0)
        return FAIL(errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR ? ST_INPUT : ST_SYSTEM,
                    "the finished dataset cannot be moved to %s: %s", w->path, strerror(errno));
    error = sync_parent(w->path);
    if (error)
        return FAIL(ST_SYSTEM,
                    "the dataset %s is there, but its name cannot be synced: %s; a power cut may lose it: look at that disk",
                    w->path, strerror(error));
    return ST_OK;
}

status_t dataset_writer_commit(dataset_writer_t **writer, int64_t bad_rows)
{
    dataset_writer_t *w = *writer;
    status_t status = w->meta.info.rows > 0 ? commit(w, bad_rows)
                                            : FAIL(ST_INPUT, "the dataset %s would be empty: no row was given", w->path);
    if (status == ST_OK)
        writer_free(writer);
    else
        dataset_writer_abort(writer);
    return status;
}
