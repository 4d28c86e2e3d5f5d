#include "common/texts/shown_values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/printable.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "common/metrics/queries.h"

#define CUT_MARK ".."

struct shown_values {
    const dataset_t *dataset;
    kept_texts_t *kept; /* NULL: none, or it is damaged */
    bool is_open;
};

shown_values_t *shown_values_create(const dataset_t *dataset)
{
    shown_values_t *shown = MEM_NEW(shown_values_t);
    shown->dataset = dataset;
    return shown;
}

void shown_values_destroy(shown_values_t **shown)
{
    if (!*shown)
        return;
    kept_texts_close(&(*shown)->kept);
    mem_free(*shown);
    *shown = NULL;
}

static void give_up(shown_values_t *shown, const char *fault)
{
    log_warn("dataset %s: " DATASET_TEXTS " %s, so values are shown by their keys; remove it, or import again",
             dataset_path(shown->dataset), fault);
    kept_texts_close(&shown->kept);
}

static kept_texts_t *opened(shown_values_t *shown)
{
    if (shown->is_open)
        return shown->kept;
    char fault[KEPT_TEXTS_FAULT];
    shown->is_open = true;
    shown->kept = kept_texts_open(dataset_path(shown->dataset), dataset_info(shown->dataset)->content_hash, fault);
    if (*fault)
        give_up(shown, fault);
    return shown->kept;
}

const kept_index_t *shown_values_kept(shown_values_t *shown)
{
    const kept_texts_t *kept = opened(shown);
    return kept ? kept_texts_index(kept) : NULL;
}

bool shown_values_find(shown_values_t *shown, uint64_t key, kept_text_t *out)
{
    char fault[KEPT_TEXTS_FAULT];
    kept_texts_t *kept = opened(shown);
    if (!kept)
        return false;
    const bool is_there = kept_texts_find(kept, key, out, fault);
    if (*fault)
        give_up(shown, fault);
    return is_there;
}

bool shown_values_key(shown_values_t *shown, uint64_t key, char *text, size_t bytes)
{
    kept_text_t found;
    text[0] = 0;
    if (!shown_values_find(shown, key, &found))
        return false;
    const size_t put = printable_put(text, bytes, found.at, found.bytes);
    if (found.is_cut)
        snprintf(text + put, bytes - put, CUT_MARK);
    return true;
}

/* The whole numbers whose bucket it is: round(log2(x + 1)) of them is the text. */
static void put_range(const dataset_field_t *field, char *text, size_t bytes)
{
    if (strcmp(field->rules.transform, schema_transform_word(TRANSFORM_LOG2_BUCKET)) != 0)
        return;
    const size_t used = strlen(text);
    const int bucket = (int)strtol(text, NULL, 10);
    const double low = fmax(0.0, ceil(ldexp(M_SQRT1_2, bucket) - 1.0)), high = floor(ldexp(M_SQRT2, bucket) - 1.0);
    if (low == high)
        snprintf(text + used, bytes - used, " (%.0f)", low);
    else
        snprintf(text + used, bytes - used, " (%.0f to %.0f)", low, high);
}

void shown_values_put(shown_values_t *shown, int f, uint64_t key, char *text, size_t bytes)
{
    if (key != dataset_key("", 0) && shown_values_key(shown, key, text, bytes))
        put_range(&dataset_info(shown->dataset)->fields[f], text, bytes);
    else
        dataset_meta_value_text(dataset_meta(shown->dataset), f, key, text, bytes);
}

void shown_values_group(shown_values_t *shown, uint64_t key, char *text, size_t bytes)
{
    if (key == QUERY_NONE)
        snprintf(text, bytes, "(missing)");
    else if (dataset_origin(shown->dataset)->kind == ORIGIN_SYNTH)
        snprintf(text, bytes, "%" PRIu64, key); /* which is the number of the query */
    else if (!shown_values_key(shown, key, text, bytes))
        snprintf(text, bytes, "%016" PRIx64, key);
}
