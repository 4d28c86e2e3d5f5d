#include "common/data/dataset_times.h"

#include "common/base/memory.h"
#include "common/data/time_text.h"

#define PIECE 8192 /* examples fetched at once */

/* Times of the examples [first, first + n) of a split, n at most PIECE. */
static status_t read_piece(dataset_t *dataset, split_t split, int64_t first, int n, int64_t *time)
{
    int64_t *position = MEM_ARRAY(int64_t, n);
    dataset_example_t *example = MEM_ARRAY(dataset_example_t, n);
    for (int i = 0; i < n; i++)
        position[i] = dataset_position(dataset, split, first + i);
    const status_t status = dataset_fetch(dataset, position, n, example);
    for (int i = 0; i < n && status == ST_OK; i++)
        time[i] = example[i].block->time[example[i].row];
    mem_free(position);
    mem_free(example);
    return status;
}

status_t dataset_times_read(dataset_t *dataset, split_t split, int64_t *time)
{
    const int64_t rows = dataset_split_rows(dataset_info(dataset), split);
    for (int64_t first = 0; first < rows; first += PIECE)
        TRY(read_piece(dataset, split, first, (int)(rows - first < PIECE ? rows - first : PIECE), time + first));
    return ST_OK;
}

/* The first time of the dataset; 0 where its first rows have none. */
static status_t first_time(dataset_t *dataset, int64_t *out)
{
    const int64_t rows = dataset_info(dataset)->rows;
    const int n = (int)(rows < PIECE ? rows : PIECE);
    int64_t *time = MEM_ARRAY(int64_t, n);
    const status_t status = read_piece(dataset, SPLIT_ALL, 0, n, time);
    int at = 0;
    while (status == ST_OK && at < n && time[at] == DATASET_NO_TIME)
        at++;
    *out = status == ST_OK && at < n ? time[at] : 0;
    mem_free(time);
    return status;
}

status_t dataset_times_check(const dataset_info_t *info, const char *path, const char *key)
{
    return info->has_time
               ? ST_OK
               : FAIL(ST_INPUT,
                      "dataset %s has no times, which %s cuts into windows; name their column in its schema (time: COLUMN) and "
                      "import it again, or leave %s out",
                      path, key, key);
}

status_t dataset_times_window(dataset_t *dataset, const char *path, const char *key, int64_t seconds, dataset_window_t *out)
{
    int64_t first;
    *out = (dataset_window_t){0, 1};
    if (seconds == 0)
        return ST_OK;
    TRY(dataset_times_check(dataset_info(dataset), path, key));
    TRY(first_time(dataset, &first));
    out->ticks = time_ticks(first, dataset_census(dataset)->unit);
    out->length = seconds * out->ticks;
    return ST_OK;
}
