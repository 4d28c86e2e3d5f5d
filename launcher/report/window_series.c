#include "launcher/report/window_series.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/base/text.h"
#include "common/data/time_text.h"
#include "common/metrics/jackknife.h"

#define DAY 86400
#define LEAST_SINCE_1970 100000000 /* 1973: what is below counts from something else */

static const struct {
    const char *name, *heading;
    int digits;
} numbers[] = {
#define NUMBER(name, heading, digits, doc) {#name, heading, digits},
    TIME_WINDOW_METRICS(NUMBER)
#undef NUMBER
};

static int64_t place_of(const window_series_t *series, int64_t start)
{
    int64_t at = series->n;
    while (at > 0 && series->row[at - 1].start >= start)
        at--;
    return at;
}

/* In the first replica's windows, which those of the others are looked up in. */
static window_row_t *row_at(window_sum_t *sum, int64_t start)
{
    window_series_t *s = &sum->series;
    const int64_t at = place_of(s, start);
    if (at < s->n && s->row[at].start == start) {
        sum->heard[at]++;
        return &s->row[at];
    }
    if (sum->replicas > 1)
        return NULL;
    MEM_GROW(s->row, sum->row_capacity, (size_t)s->n + 1);
    MEM_GROW(sum->heard, sum->heard_capacity, (size_t)s->n + 1);
    memmove(s->row + at + 1, s->row + at, (size_t)(s->n - at) * sizeof *s->row);
    memmove(sum->heard + at + 1, sum->heard + at, (size_t)(s->n - at) * sizeof *sum->heard);
    s->n++;
    s->row[at] = (window_row_t){.start = start};
    sum->heard[at] = 1;
    return &s->row[at];
}

void window_sum_put(window_sum_t *sum, const time_window_t *window, int64_t n, int64_t ticks)
{
    sum->replicas++;
    for (int64_t i = 0; i < n; i++) {
        const int64_t start = window[i].start;
        const double value[] = {
#define VALUE(name, heading, digits, doc) window[i].name,
            TIME_WINDOW_METRICS(VALUE)
#undef VALUE
        };
        window_row_t *row = row_at(sum, start == TIME_WINDOWS_NO_TIME ? start : start / ticks);
        for (int k = 0; row && k < WINDOW_NUMBERS; k++) {
            row->value[k] += value[k];
            row->error[k] += value[k] * value[k];
        }
        if (row)
            row->examples = window[i].examples;
    }
}

window_series_t window_sum_end(window_sum_t *sum)
{
    window_series_t out = sum->series;
    const double replicas = sum->replicas;
    int64_t n = 0;
    for (int64_t i = 0; i < out.n; i++) {
        if (sum->heard[i] != sum->replicas)
            continue;
        window_row_t row = out.row[i];
        for (int k = 0; k < WINDOW_NUMBERS; k++) {
            const double mean = row.value[k] / replicas, spread = fmax(row.error[k] / replicas - mean * mean, 0.0);
            row.error[k] = sum->replicas < JACKKNIFE_LEAST_REPLICAS || isnan(mean) ? NAN : sqrt(spread / (replicas - 1.0));
            row.value[k] = mean;
        }
        out.row[n++] = row;
    }
    out.n = n;
    mem_free(sum->heard);
    *sum = (window_sum_t){0};
    return out;
}

void window_series_fini(window_series_t *series)
{
    mem_free(series->row);
    *series = (window_series_t){0};
}

/* ---- for people and programs ------------------------------------------------------------------------------------------ */

const char *window_series_text(int64_t start, int64_t seconds, char text[WINDOW_TEXT])
{
    char whole[TIME_TEXT];
    if (start == TIME_WINDOWS_NO_TIME) {
        snprintf(text, WINDOW_TEXT, "(no time)");
        return text;
    }
    if (start < LEAST_SINCE_1970) {
        snprintf(text, WINDOW_TEXT, "%" PRId64, start);
        return text;
    }
    time_write(start * 1000000, TIME_ISO, whole); /* "2016-06-14 04:06:19 UTC" */
    snprintf(text, WINDOW_TEXT, "%.*s", seconds % DAY == 0 ? 10 : seconds % 60 == 0 ? 16 : 19, whole);
    return text;
}

static bool has_errors(const window_series_t *series)
{
    bool any = false;
    for (int64_t i = 0; i < series->n; i++)
        for (int k = 0; k < WINDOW_NUMBERS; k++)
            any = any || !isnan(series->row[i].error[k]);
    return any;
}

static void write_table(const window_series_t *series, FILE *out)
{
    char start[WINDOW_TEXT], examples[TEXT_BYTES];
    const bool errors = has_errors(series);
    fprintf(out, "  %-19s  %10s", "window (UTC)", "examples");
    for (int k = 0; k < WINDOW_NUMBERS; k++)
        fprintf(out, errors && k < WINDOW_calibration ? "  %9s       +-" : "  %9s", numbers[k].heading);
    fputc('\n', out);
    for (int64_t i = 0; i < series->n; i++) {
        const window_row_t *row = &series->row[i];
        fprintf(out, "  %-19s  %10s", window_series_text(row->start, series->seconds, start),
                text_count(row->examples, examples));
        for (int k = 0; k < WINDOW_NUMBERS; k++) {
            if (isnan(row->value[k]))
                fprintf(out, "  %9s", "-");
            else
                fprintf(out, "  %9.*f", numbers[k].digits, row->value[k]);
            if (errors && k < WINDOW_calibration && isnan(row->error[k]))
                fprintf(out, "  %7s", "-");
            else if (errors && k < WINDOW_calibration)
                fprintf(out, "  %7.5f", row->error[k]);
        }
        fputc('\n', out);
    }
}

void window_series_print(const window_series_t *series, FILE *out)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    ASSERT(memory);
    write_table(series, memory);
    const int failed = fclose(memory);
    ASSERT(failed == 0);
    fputc('\n', out);
    terminal_put_table(out, text, out == stdout ? terminal_width(STDOUT_FILENO) : 0);
    free(text);
}

jsondoc_t *window_series_array(const window_series_t *series)
{
    jsondoc_t *array = jsondoc_array();
    const bool errors = has_errors(series);
    char name[64];
    for (int64_t i = 0; i < series->n; i++) {
        const window_row_t *row = &series->row[i];
        jsondoc_t *one = jsondoc_object();
        if (row->start == TIME_WINDOWS_NO_TIME)
            jsondoc_put_number(one, "start", NAN);
        else
            jsondoc_put_integer(one, "start", row->start);
        jsondoc_put_integer(one, "examples", row->examples);
        for (int k = 0; k < WINDOW_NUMBERS; k++) {
            jsondoc_put_number(one, numbers[k].name, row->value[k]);
            snprintf(name, sizeof name, "%s_se", numbers[k].name);
            if (errors)
                jsondoc_put_number(one, name, row->error[k]);
        }
        jsondoc_append(array, &one);
    }
    return array;
}
