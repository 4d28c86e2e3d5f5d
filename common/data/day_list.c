#include "common/data/day_list.h"

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/data/dataset_meta.h"

#define MAGIC 0x31535941444d53ull        /* "SMDAYS1" */
#define DAY_LEAST (7 * sizeof(uint64_t)) /* a day takes this many bytes of the record or more */

void day_list_fini(day_list_t *list)
{
    for (int d = 0; d < list->n; d++) {
        dataset_day_t *day = &list->day[d];
        for (int i = 0; i < day->files_count; i++)
            mem_free(day->files[i].path);
        mem_free(day->files);
        mem_free(day->label);
        mem_free(day->date);
    }
    mem_free(list->day);
    *list = (day_list_t){0};
}

dataset_day_t *day_list_add(day_list_t *list, int labels)
{
    ASSERT(list->n == 0 || labels == list->labels);
    list->labels = labels;
    MEM_GROW(list->day, list->capacity, (size_t)list->n + 1);
    dataset_day_t *day = &list->day[list->n++];
    *day = (dataset_day_t){.label = MEM_ARRAY(day_label_t, labels)};
    return day;
}

void day_list_add_file(day_list_t *list, const origin_file_t *file)
{
    dataset_day_t *day = &list->day[list->n - 1];
    size_t capacity = (size_t)day->files_count;
    MEM_GROW(day->files, capacity, (size_t)day->files_count + 1);
    origin_file_t *copy = &day->files[day->files_count++];
    *copy = *file;
    copy->path = mem_strdup(file->path);
}

day_list_t day_list_copy(const day_list_t *list)
{
    day_list_t copy = {0};
    for (int d = 0; d < list->n; d++) {
        const dataset_day_t *from = &list->day[d];
        dataset_day_t *day = day_list_add(&copy, list->labels);
        day_label_t *label = day->label;
        *day = *from;
        day->label = label;
        memcpy(label, from->label, (size_t)list->labels * sizeof *label);
        day->date = mem_strdup(from->date);
        day->files = NULL;
        day->files_count = 0;
        for (int i = 0; i < from->files_count; i++)
            day_list_add_file(&copy, &from->files[i]);
    }
    return copy;
}

int day_list_find(const day_list_t *list, uint64_t content_hash)
{
    for (int d = list->n - 1; d >= 0; d--)
        if (list->day[d].content_hash == content_hash)
            return d;
    return -1;
}

void day_list_encode(const day_list_t *list, record_t *out)
{
    record_put_u64(out, MAGIC);
    record_put_u64(out, (uint64_t)list->labels);
    record_put_u64(out, (uint64_t)list->n);
    for (int d = 0; d < list->n; d++) {
        const dataset_day_t *day = &list->day[d];
        record_put_text(out, day->date);
        record_put_u64(out, day->content_hash);
        record_put_u64(out, (uint64_t)day->rows);
        record_put_u64(out, (uint64_t)day->train_rows);
        record_put_u64(out, (uint64_t)day->test_rows);
        record_put_u64(out, (uint64_t)day->bad_rows);
        record_put(out, day->label, (size_t)list->labels * sizeof *day->label);
        origin_files_encode(day->files, day->files_count, out);
    }
}

/* A day follows the one before it: nothing gets fewer. */
static bool is_after(const dataset_day_t *day, const dataset_day_t *before)
{
    return day->train_rows >= 0 && day->test_rows >= 0 && day->train_rows <= day->rows &&
           day->test_rows <= day->rows - day->train_rows &&
           (!before || (day->rows >= before->rows && day->train_rows >= before->train_rows));
}

static bool take_day(record_reader_t *in, day_list_t *list, int labels)
{
    char date[64];
    dataset_day_t *day = day_list_add(list, labels);
    record_take_text(in, date, sizeof date);
    day->date = mem_strdup(date);
    day->content_hash = record_take_u64(in);
    day->rows = (int64_t)record_take_u64(in);
    day->train_rows = (int64_t)record_take_u64(in);
    day->test_rows = (int64_t)record_take_u64(in);
    day->bad_rows = (int64_t)record_take_u64(in);
    const day_label_t *label = record_take(in, (uint64_t)labels, sizeof *label);
    if (label)
        memcpy(day->label, label, (size_t)labels * sizeof *label);
    origin_files_take(in, &day->files, &day->files_count);
    return !in->bad && is_after(day, list->n > 1 ? &list->day[list->n - 2] : NULL);
}

/* What comes after the last member is a later version's, and is passed over. */
bool day_list_decode(const record_t *raw, day_list_t *out)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    day_list_t list = {0};
    const uint64_t magic = record_take_u64(&in), labels = record_take_u64(&in), days = record_take_u64(&in);
    bool good = magic == MAGIC && !in.bad && labels >= 1 && labels <= DATASET_LABELS_MOST && days <= raw->bytes / DAY_LEAST;
    for (uint64_t d = 0; d < days && good; d++)
        good = take_day(&in, &list, (int)labels);
    if (!good)
        day_list_fini(&list);
    *out = list;
    return good;
}
