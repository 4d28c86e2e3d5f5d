#include "launcher/run/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

static const void *member_of(const metric_t *metric, const void *numbers)
{
    return (const char *)numbers + metric->offset;
}

bool metric_is_recorded(const metric_rows_t *rows, int i, const void *numbers)
{
    ASSERT(i >= 0 && i < rows->n && rows->n <= 64);
    if (rows->not_recorded == METRIC_NO_BITS)
        return true;
    uint64_t lacking;
    memcpy(&lacking, (const char *)numbers + rows->not_recorded, sizeof lacking);
    return !(lacking >> i & 1);
}

double metric_value(const metric_rows_t *rows, int i, const void *numbers)
{
    const metric_t *metric = &rows->row[i];
    if (!metric_is_recorded(rows, i, numbers))
        return NAN;
    if (metric->type == METRIC_INT64)
        return (double)*(const int64_t *)member_of(metric, numbers);
    if (metric->type == METRIC_ESTIMATE)
        return ((const estimate_t *)member_of(metric, numbers))->value;
    return *(const double *)member_of(metric, numbers);
}

static uint64_t *bits_of(const metric_rows_t *rows, void *numbers)
{
    return rows->not_recorded == METRIC_NO_BITS ? NULL : (void *)((char *)numbers + rows->not_recorded);
}

static void set_member(const metric_t *metric, void *numbers, double value)
{
    void *member = (char *)numbers + metric->offset;
    ASSERT(metric->type != METRIC_ESTIMATE);
    if (metric->type == METRIC_INT64)
        *(int64_t *)member = (int64_t)llrint(value);
    else
        *(double *)member = value;
}

void metric_set(const metric_rows_t *rows, int i, void *numbers, double value)
{
    uint64_t *lacking = bits_of(rows, numbers);
    set_member(&rows->row[i], numbers, value);
    if (lacking)
        *lacking &= ~(UINT64_C(1) << i);
}

/* For those who read the member itself it is NaN too, where it can be. */
static void set_not_recorded(const metric_rows_t *rows, int i, void *numbers)
{
    uint64_t *lacking = bits_of(rows, numbers);
    ASSERT(lacking);
    *lacking |= UINT64_C(1) << i;
    set_member(&rows->row[i], numbers, rows->row[i].type == METRIC_INT64 ? 0.0 : NAN);
}

int metric_find(const metric_rows_t *rows, const char *name)
{
    int i = 0;
    while (i < rows->n && strcmp(rows->row[i].name, name) != 0)
        i++;
    ASSERT(i < rows->n);
    return i;
}

int metric_at_column(const metric_rows_t *rows, int column)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->row[i].column == column)
            return i;
    return -1;
}

int metric_at_detail(const metric_rows_t *rows, int detail)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->row[i].detail == detail)
            return i;
    return -1;
}

void metric_put_all(jsondoc_t *object, const metric_rows_t *rows, const void *numbers)
{
    for (int i = 0; i < rows->n; i++) {
        const metric_t *metric = &rows->row[i];
        if (metric->type == METRIC_INT64 && metric_is_recorded(rows, i, numbers))
            jsondoc_put_integer(object, metric->name, *(const int64_t *)member_of(metric, numbers));
        else
            jsondoc_put_number(object, metric->name, metric_value(rows, i, numbers));
    }
}

void metric_put_beside(jsondoc_t *object, const char *name, const char *suffix, double value)
{
    char key[64];
    snprintf(key, sizeof key, "%s_%s", name, suffix);
    jsondoc_put_number(object, key, value);
}

status_t metric_get_all(const jsondoc_t *object, const char *where, const metric_rows_t *rows, void *out)
{
    for (int i = 0; i < rows->n; i++) {
        const metric_t *metric = &rows->row[i];
        double number;
        if (metric->derive && !jsondoc_has(object, metric->name))
            metric_set(rows, i, out, metric->derive(out));
        else if (metric->since && !jsondoc_has(object, metric->name))
            set_not_recorded(rows, i, out);
        else if (metric->type == METRIC_INT64)
            TRY(jsondoc_get_integer(object, where, metric->name, 0, INT64_MAX, (void *)((char *)out + metric->offset)));
        else {
            TRY(jsondoc_get_number(object, where, metric->name, &number));
            metric_set(rows, i, out, number);
        }
    }
    return ST_OK;
}

static double combine(metric_combine_t how, double so_far, double value, int32_t n)
{
    return how == COMBINE_MAX ? fmax(so_far, value) : so_far + (how == COMBINE_PARTS ? value / n : value);
}

void metric_combine_all(const metric_rows_t *rows, const void *first, size_t stride, int32_t n, void *out)
{
    for (int i = 0; i < rows->n; i++) {
        const metric_combine_t how = rows->row[i].combine;
        bool is_recorded = true;
        double all = 0.0;
        for (int32_t r = 0; r < n; r++) {
            const void *numbers = (const char *)first + (size_t)r * stride;
            is_recorded = is_recorded && metric_is_recorded(rows, i, numbers);
            all = combine(how, all, is_recorded ? metric_value(rows, i, numbers) : 0.0, n);
        }
        if (is_recorded)
            metric_set(rows, i, out, how == COMBINE_MEAN ? all / n : all);
        else
            set_not_recorded(rows, i, out);
    }
}

const char *metric_text(const metric_t *metric, double value, char text[METRIC_TEXT_BYTES])
{
    char count[TEXT_BYTES];
    const double scale = metric->unit == UNIT_MEMORY ? 1.0 / (1 << 20) : 1.0;
    if (!isfinite(value))
        snprintf(text, METRIC_TEXT_BYTES, "-");
    else if (metric->unit == UNIT_SHARE)
        snprintf(text, METRIC_TEXT_BYTES, "%.*f %%", metric->digits, 100.0 * value);
    else if (metric->unit == UNIT_NUMBER || metric->unit == UNIT_SECONDS)
        snprintf(text, METRIC_TEXT_BYTES, "%.*f", metric->digits, value);
    else
        snprintf(text, METRIC_TEXT_BYTES, "%s", text_count((int64_t)llrint(value * scale), count));
    return text;
}

static void put_text_if(jsondoc_t *object, const char *key, const char *text)
{
    if (text)
        jsondoc_put_text(object, key, text);
}

jsondoc_t *metric_row_object(const metric_t *metric)
{
    static const char *const units[] = {
        [UNIT_NUMBER] = "number", [UNIT_SHARE] = "share",   [UNIT_COUNT] = "count",
        [UNIT_BYTES] = "bytes",   [UNIT_MEMORY] = "memory", [UNIT_SECONDS] = "seconds",
    };
    static const struct {
        unsigned flag;
        const char *word;
    } flags[] = {{SHOW_CHANGE, "change"}, {SHOW_INTERVAL, "interval"}, {SHOW_ERROR, "error"}, {SHOW_IF_KNOWN, "if_known"}};
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_text(object, "name", metric->name);
    put_text_if(object, "group", metric->group);
    put_text_if(object, "heading", metric->page_heading ? metric->page_heading : metric->heading);
    put_text_if(object, "title", metric->title);
    put_text_if(object, "note", metric->note ? metric->note : metric->meaning);
    jsondoc_put_text(object, "unit", units[metric->unit]);
    jsondoc_put_integer(object, "digits", metric->digits);
    jsondoc_put_integer(object, "column", metric->is_off_page ? 0 : metric->column);
    jsondoc_put_integer(object, "detail", metric->detail);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        jsondoc_put_integer(object, flags[i].word, (metric->show & flags[i].flag) != 0);
    return object;
}
