#include "launcher/metrics/metrics_lines.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/files/jsondoc.h"
#include "launcher/metrics/step_line.h"

/* Of progressive metrics, and not of a step's digests? */
static bool is_of_metrics(const char *line, const char *end)
{
    return memmem(line, (size_t)(end - line), "\"logloss\"", 9) != NULL;
}

static bool is_before(const char *line, const char *end, int64_t step, int64_t depth)
{
    const char *key = memmem(line, (size_t)(end - line), "\"step\":", 7);
    if (!key)
        return false;
    const int64_t of = strtoll(key + 7, NULL, 10);
    if (is_of_metrics(line, end))
        return of <= step;
    return memmem(line, (size_t)(end - line), "\"rows\"", 6) ? of < step - depth : of < step;
}

/* Lines of older versions have no check; they come first. *checked: one with a check came before. */
static bool is_as_written(const char *line, size_t bytes, bool *checked)
{
    const bool has_check = memmem(line, bytes, "\"check\"", 7);
    const bool is_older = !has_check && !*checked;
    *checked |= has_check;
    return is_older || (has_check && step_line_is_whole(line, bytes));
}

status_t metrics_lines_keep(const char *path, int64_t step, int64_t depth, char *text, uint64_t *lines, char **end_of_text)
{
    char *to = text;
    int64_t number = 0;
    bool checked = false;
    *lines = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        const size_t bytes = (size_t)(end + 1 - line);
        number++;
        if (!is_of_metrics(line, end) && !is_as_written(line, bytes - 1, &checked))
            return FAIL(ST_CORRUPT,
                        "%s: line %" PRId64
                        " was changed after it was written: its check is that of another line; put the run's own "
                        "file in its place",
                        path, number);
        if (!is_before(line, end, step, depth))
            continue;
        if (is_of_metrics(line, end))
            *lines += hash64(line, bytes, 0);
        memmove(to, line, bytes);
        to += bytes;
    }
    *end_of_text = to;
    return ST_OK;
}

static jsondoc_t *time_windows_array(const time_window_t *window, int64_t n)
{
    jsondoc_t *array = jsondoc_array();
    for (int64_t i = 0; i < n; i++) {
        jsondoc_t *one = jsondoc_object();
        if (window[i].start == TIME_WINDOWS_NO_TIME)
            jsondoc_put_number(one, "start", NAN);
        else
            jsondoc_put_integer(one, "start", window[i].start);
        jsondoc_put_integer(one, "examples", window[i].examples);
#define PUT(name, heading, digits, doc) jsondoc_put_number(one, #name, window[i].name);
        TIME_WINDOW_METRICS(PUT)
#undef PUT
        jsondoc_append(array, &one);
    }
    return array;
}

char *metrics_line_text(const event_metrics_t *m)
{
    jsondoc_t *doc = jsondoc_object();
    jsondoc_put_integer(doc, "step", m->step);
    jsondoc_put_integer(doc, "examples", m->examples);
    jsondoc_put_integer(doc, "interval_examples", m->interval_examples);
    jsondoc_put_integer(doc, "first_visits", m->first_visits);
    jsondoc_put_number(doc, "logloss", m->logloss);
    jsondoc_put_number(doc, "auc_loss", m->auc_loss);
    jsondoc_put_number(doc, "pqauc_loss", m->pqauc_loss);
    jsondoc_put_number(doc, "calibration", m->calibration);
    jsondoc_put_number(doc, "progressive_logloss", m->progressive_logloss);
    jsondoc_put_number(doc, "training_logloss", m->training_logloss);
    jsondoc_put_number(doc, "seconds", m->seconds);
    if (m->windows > 0) {
        jsondoc_t *windows = time_windows_array(m->window, m->windows);
        jsondoc_put(doc, "windows", &windows);
    }
    char *text = jsondoc_text(doc, false);
    jsondoc_destroy(&doc);
    return text;
}
