/* Initial weights are made for inputs around 1: an input of 1e6 drowns all others in the first layer, and its gradients decide
 * every step. Splits are compared by their first, middle and last rows alone, which is all there is to know of rows in order of
 * time, and those that are not in order are named at import. */
#include "launcher/ingest/doubts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/data/time_text.h"

enum { CACHE = 1 << 20, NAMED = 3 };
#define LARGE 100.0  /* a number that is this far from 0 is worth a word */
#define OVERLAP 0.01 /* of the splits: less is the edge of a day, by the clocks of two time zones */
#define LONG_GAP 0.5 /* between the splits, as a share of the time that training examples span */

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

static double reach(const dataset_field_t *field)
{
    return fmax(fabs((field->low - field->mean) * field->scale), fabs((field->high - field->mean) * field->scale));
}

void doubts_numbers(const dataset_info_t *info, char *text, size_t bytes)
{
    int found = 0;
    size_t at = 0;
    text[0] = 0;
    for (int f = 0; f < info->numeric; f++) {
        const double size = reach(&info->fields[f]);
        if (!(size > LARGE) || ++found > NAMED || at >= bytes)
            continue;
        const int n = snprintf(text + at, bytes - at, found == 1 ? "numeric field %s reaches %.3g" : ", %s %.3g",
                               info->fields[f].name, size);
        at += n > 0 ? (size_t)n : 0;
    }
    if (found > NAMED && at < bytes)
        snprintf(text + at, bytes - at, ", and %d more", found - NAMED);
}

/* ---- times ----------------------------------------------------------------------------------------------------------- */

typedef struct span {
    bool is_known;
    int64_t low, high; /* of the rows looked at */
} span_t;

/* look - the times of the first, the middle and the last row of a split. */
static status_t look(dataset_t *dataset, split_t split, span_t *out)
{
    const int64_t rows = dataset_split_rows(dataset_info(dataset), split);
    *out = (span_t){0};
    if (rows == 0)
        return ST_OK;
    const int64_t index[] = {0, rows / 2, rows - 1};
    for (int i = 0; i < 3; i++) {
        const int64_t position = dataset_position(dataset, split, index[i]);
        dataset_example_t example;
        TRY(dataset_fetch(dataset, &position, 1, &example));
        const int64_t time = example.block->time[example.row];
        if (time == DATASET_NO_TIME)
            continue;
        out->low = out->is_known && out->low < time ? out->low : time;
        out->high = out->is_known && out->high > time ? out->high : time;
        out->is_known = true;
    }
    return ST_OK;
}

static status_t doubt_times(dataset_t *dataset, const char *path)
{
    const time_unit_t unit = dataset_census(dataset)->unit;
    char a[TIME_TEXT], b[TIME_TEXT];
    span_t train, eval;
    if (!dataset_info(dataset)->has_time)
        return ST_OK;
    TRY(look(dataset, SPLIT_TRAIN, &train));
    TRY(look(dataset, SPLIT_EVAL, &eval));
    if (!train.is_known || !eval.is_known)
        return ST_OK;
    const double trained = (double)train.high - (double)train.low, gap = (double)eval.low - (double)train.high;
    if (-gap > OVERLAP * trained)
        log_warn(
            "dataset %s: there are evaluation examples of %s, earlier than training examples of %s: a model is scored on a "
            "past that it has learned from, and will look better than it does on tomorrow's data",
            path, time_write(eval.low, unit, a), time_write(train.high, unit, b));
    else if (trained > 0 && gap > LONG_GAP * trained)
        log_warn("dataset %s: the evaluation split begins at %s, long after the training split ends at %s: it is of another "
                 "time than what is learned",
                 path, time_write(eval.low, unit, a), time_write(train.high, unit, b));
    return ST_OK;
}

/* ---- both ------------------------------------------------------------------------------------------------------------ */

status_t doubts_say(const char *path)
{
    char text[320];
    dataset_t *dataset;
    TRY(dataset_open(path, CACHE, &dataset));
    doubts_numbers(dataset_info(dataset), text, sizeof text);
    if (*text)
        log_warn(
            "dataset %s: %s, and networks learn from numbers around 1; give such a field transform: standardise (or log1p) "
            "in the schema",
            path, text);
    const status_t status = doubt_times(dataset, path);
    dataset_close(&dataset);
    return status;
}
