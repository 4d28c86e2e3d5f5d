#include "launcher/metrics/step_digest_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/step_line.h"

#define DIGITS 16 /* of a word */
#define WORDS_MOST (1 << 24)
#define COMPONENTS_MOST 64 /* the bound of model.components */

static status_t bad_line(const char *path, int64_t line, const char *what)
{
    return FAIL(ST_CORRUPT, "%s: line %" PRId64 ": %s", path, line, what);
}

static bool parse_word(const char *text, uint64_t *out)
{
    uint64_t word = 0;
    for (int i = 0; i < DIGITS; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        word = word << 4 | (uint64_t)digit;
    }
    *out = word;
    return true;
}

static status_t parse_words(const char *path, int64_t line, const char *text, step_record_t *record)
{
    const size_t length = strlen(text);
    if (length == 0 || length % DIGITS)
        return bad_line(path, line, "its digest is not a whole number of 16 digits");
    if (length / DIGITS > WORDS_MOST)
        return bad_line(path, line, "its digest is longer than any that a run writes");
    record->n = (int32_t)(length / DIGITS);
    record->words = MEM_ARRAY(uint64_t, record->n);
    for (int32_t i = 0; i < record->n; i++)
        if (!parse_word(text + (size_t)i * DIGITS, &record->words[i])) {
            mem_free(record->words);
            return bad_line(path, line, "its digest has characters that are no hexadecimal digits");
        }
    return ST_OK;
}

/* The member `key` of a line, of digits, as a text that ends; NULL where the line has none. Lines are written by
 * step_digest_merger.c, of which there may be millions, so no document is built of each. */
static char *member(const char *line, const char *key, char *buffer, size_t bytes)
{
    const char *at = strstr(line, key);
    if (!at)
        return NULL;
    at += strlen(key);
    const size_t n = strcspn(at, "\",}");
    if (n >= bytes)
        return NULL;
    memcpy(buffer, at, n);
    buffer[n] = 0;
    return buffer;
}

static status_t parse_line(const char *path, int64_t number, const char *line, char *buffer, size_t bytes,
                           step_digest_reader_t *trace, size_t *capacity)
{
    char small[32], *end;
    step_record_t record = {.component = -1};
    const char *words = member(line, "\"rows\": \"", buffer, bytes);
    if (!words) {
        words = member(line, "\"dense\": \"", buffer, bytes);
        if (!words)
            return ST_OK; /* a line of progressive validation */
        if (!member(line, "\"component\": ", small, sizeof small))
            return bad_line(path, number, "a digest of dense parameters without a component");
        const long component = strtol(small, &end, 10);
        if (*end || component < 0 || component >= COMPONENTS_MOST)
            return bad_line(path, number, "its component is not a number");
        record.component = (int32_t)component;
    }
    if (!member(line, "\"step\": ", small, sizeof small))
        return bad_line(path, number, "a digest without a step");
    record.step = strtoll(small, &end, 10);
    if (*end || record.step < 0)
        return bad_line(path, number, "its step is not a number");
    if (!step_line_is_whole(line, strlen(line)))
        return bad_line(path, number, "it was changed after it was written: its check is that of another line");
    TRY(parse_words(path, number, words, &record));
    MEM_GROW(trace->records, *capacity, (size_t)trace->n + 1);
    trace->records[trace->n++] = record;
    return ST_OK;
}

static int compare_records(const void *left, const void *right)
{
    const step_record_t *a = left, *b = right;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return (a->component > b->component) - (a->component < b->component);
}

/* Stable, so that of equal ones the later line comes last: merge sort by halves, since qsort promises nothing. */
static void sort_records(step_record_t *records, step_record_t *scratch, int64_t n)
{
    if (n < 2)
        return;
    const int64_t half = n / 2;
    sort_records(records, scratch, half);
    sort_records(records + half, scratch, n - half);
    int64_t i = 0, j = half, k = 0;
    while (i < half && j < n)
        scratch[k++] = compare_records(&records[i], &records[j]) <= 0 ? records[i++] : records[j++];
    while (i < half)
        scratch[k++] = records[i++];
    while (j < n)
        scratch[k++] = records[j++];
    memcpy(records, scratch, sizeof *records * (size_t)n);
}

static void keep_last_of_equals(step_digest_reader_t *trace)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < trace->n; i++) {
        if (i + 1 < trace->n && compare_records(&trace->records[i], &trace->records[i + 1]) == 0)
            mem_free(trace->records[i].words);
        else
            trace->records[kept++] = trace->records[i];
    }
    trace->n = kept;
}

/* The digest lines of one file, behind those that are there. */
static status_t read_lines(const char *path, step_digest_reader_t *trace, size_t *capacity)
{
    char *text = NULL;
    size_t bytes = 0;
    int64_t number = 0;
    TRY(file_read(path, &text, &bytes));
    char *buffer = MEM_ARRAY(char, bytes + 1);
    status_t status = ST_OK;
    for (char *line = text; status == ST_OK && *line;) {
        char *newline = strchr(line, '\n');
        number++;
        if (!newline)
            break; /* the run is writing it, or died while it did */
        *newline = 0;
        status = parse_line(path, number, line, buffer, bytes + 1, trace, capacity);
        line = newline + 1;
    }
    mem_free(buffer);
    mem_free(text);
    return status;
}

status_t step_digest_reader_read(const char *run_dir, step_digest_reader_t *out)
{
    char *metrics = run_path(run_dir, FILE_METRICS), *steps = run_path(run_dir, FILE_STEPS);
    step_digest_reader_t trace = {0};
    size_t capacity = 0;
    status_t status = read_lines(metrics, &trace, &capacity);
    if (status == ST_OK && file_exists(steps))
        status = read_lines(steps, &trace, &capacity);
    mem_free(metrics);
    mem_free(steps);
    if (status != ST_OK) {
        step_digest_reader_fini(&trace);
        return status;
    }
    step_record_t *scratch = MEM_ARRAY(step_record_t, trace.n);
    sort_records(trace.records, scratch, trace.n);
    mem_free(scratch);
    keep_last_of_equals(&trace);
    *out = trace;
    return ST_OK;
}

void step_digest_reader_fini(step_digest_reader_t *trace)
{
    for (int64_t i = 0; i < trace->n; i++)
        mem_free(trace->records[i].words);
    mem_free(trace->records);
    *trace = (step_digest_reader_t){0};
}

int64_t step_digest_reader_end(const step_digest_reader_t *trace)
{
    int64_t rows = -1, dense = -1;
    for (int64_t i = 0; i < trace->n; i++)
        *(trace->records[i].component < 0 ? &rows : &dense) = trace->records[i].step;
    return rows < dense ? rows : dense;
}

/* Note in `out` what differs between two records of the same step and kind. */
static status_t compare_one(const step_record_t *a, const step_record_t *b, divergence_t *out)
{
    if (a->n != b->n)
        return FAIL(ST_INPUT,
                    "step %" PRId64
                    ": one run has %d words of digest and the other %d; the runs have other tables or components",
                    a->step, a->n, b->n);
    const size_t bytes = sizeof *a->words * (size_t)a->n;
    if (memcmp(a->words, b->words, bytes) == 0)
        return ST_OK;
    out->step = a->step;
    if (a->component < 0) {
        const int64_t counters = 2 * (a->n - step_digest_words(0));
        if (counters < 0)
            return FAIL(ST_CORRUPT, "step %" PRId64 ": a digest of rows of %d words; it has at least %" PRId64, a->step, a->n,
                        step_digest_words(0));
        out->rows = step_digest_compare(a->words, b->words, (uint32_t)counters, &out->in_rows);
        return ST_OK;
    }
    if (out->dense)
        return ST_OK;
    out->dense = true;
    for (int32_t i = a->n - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            out->component = a->component + i;
    return ST_OK;
}

/* Which of two traces comes next at i and j: -1: a's, 1: b's, 0: the same of both. One of them is not at its end. */
static int compare_next(const step_digest_reader_t *a, int64_t i, const step_digest_reader_t *b, int64_t j)
{
    if (i == a->n || j == b->n)
        return i < a->n ? -1 : 1;
    return compare_records(&a->records[i], &b->records[j]);
}

status_t step_digest_reader_compare(const step_digest_reader_t *a, const step_digest_reader_t *b, divergence_t *out)
{
    divergence_t d = {.step = -1, .first_compared = -1, .alone = -1};
    int64_t last = -1;
    for (int64_t i = 0, j = 0; i < a->n || j < b->n;) {
        const int order = compare_next(a, i, b, j);
        if (order && d.first_compared >= 0) { /* one of them ends here, or has lost a line */
            d.alone = order < 0 ? a->records[i].step : b->records[j].step;
            d.alone_in_b = order > 0;
            break;
        }
        if (order) {
            *(order < 0 ? &i : &j) += 1;
            continue;
        }
        const int64_t step = a->records[i].step;
        if (d.step >= 0 && step > d.step)
            break;
        d.compared += last >= 0 && step != last; /* the one before is complete, and equal */
        last = step;
        if (d.first_compared < 0)
            d.first_compared = step;
        TRY(compare_one(&a->records[i++], &b->records[j++], &d));
    }
    if (d.first_compared < 0)
        return FAIL(ST_INPUT,
                    "the runs have no step in common that both have a digest of; steps are digested at determinism sync and "
                    "invariant, where train.step_digests is on");
    d.compared += d.step < 0 && d.alone != last;
    *out = d;
    return ST_OK;
}
