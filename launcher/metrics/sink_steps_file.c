/* RUN/steps.jsonl: what each step did, for `smelter diff`.
 *
 *     {"step": 12, "rows": "HEX", "check": "HEX"}       a step_digest over all rows that the step updated, 16 digits a word
 *     {"step": 12, "component": 0, "dense": "HEX", "check": "HEX"}
 *                                                       a hash of the dense parameters after it, 16 digits for each component
 *                                                       from there on
 *
 * Lines hold a check of themselves (step_line.h). The file is made by the first of them; those of earlier starts stay in it
 * where this one says nothing of steps. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/line_sums.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/run_events.h"
#include "launcher/metrics/step_line.h"

typedef struct steps_file {
    FILE *file; /* NULL before the first line of a run */
    char *path; /* NULL between two runs, as the next */
    line_sums_t *sums;
    int64_t depth;
} steps_file_t;

static void *create(progress_t *line)
{
    (void)line;
    return MEM_NEW(steps_file_t);
}

static void close_file(steps_file_t *s)
{
    if (s->file)
        fclose(s->file);
    mem_free(s->path);
    line_sums_destroy(&s->sums);
    *s = (steps_file_t){0};
}

static void destroy(void *sink)
{
    close_file(sink);
    mem_free(sink);
}

/* Lines of later steps leave the file, and one that was cut off; a file that is not the run's stays as it is. */
static status_t cut_lines(const steps_file_t *s, const event_train_t *train)
{
    char *text = NULL, *end;
    uint64_t intervals;
    if (!file_exists(s->path))
        return line_sums_resume(s->sums, s->path, "", 0, train->step, train->steps, train->where);
    TRY(file_read(s->path, &text, NULL));
    status_t status;
    TRY_DONE(metrics_lines_keep(s->path, train->step, train->depth, text, &intervals, &end));
    TRY_DONE(line_sums_resume(s->sums, s->path, text, (size_t)(end - text), train->step, train->steps, train->where));
    TRY_DONE(file_write_atomic(s->path, text, (size_t)(end - text)));
done:
    mem_free(text);
    return status;
}

static status_t begin(steps_file_t *s, const event_train_t *train)
{
    close_file(s);
    s->path = run_path(train->run_dir, FILE_STEPS);
    s->sums = line_sums_create();
    s->depth = train->depth;
    return train->resumed ? cut_lines(s, train) : dir_remove_tree(s->path);
}

static status_t open_file(steps_file_t *s)
{
    if (!file_exists(s->path))
        TRY(file_write_atomic(s->path, "", 0)); /* its name survives a power cut */
    s->file = fopen(s->path, "a");
    return s->file
               ? ST_OK
               : FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out", s->path);
}

/* A line from its beginning up to the digits, the digits of the words, and the check of both. */
static void write_line(const steps_file_t *s, const event_digest_t *digest)
{
    char begin[96];
    if (digest->component < 0)
        snprintf(begin, sizeof begin, "{\"step\": %" PRId64 ", \"rows\": \"", digest->step);
    else
        snprintf(begin, sizeof begin, "{\"step\": %" PRId64 ", \"component\": %" PRId64 ", \"dense\": \"", digest->step,
                 digest->component);
    const size_t head = strlen(begin), length = head + 16 * (size_t)digest->n + 1;
    char *line = MEM_ARRAY(char, length + 1);
    memcpy(line, begin, head);
    for (int64_t i = 0; i < digest->n; i++)
        snprintf(line + head + 16 * i, 17, "%016" PRIx64, digest->words[i]);
    line[length - 1] = '"';
    const uint64_t hash = hash64(line, length, 0);
    fprintf(s->file, "%s" STEP_LINE_CHECK "\n", line, step_line_check(hash));
    line_sums_put(s->sums, digest->component < 0 ? digest->step + s->depth : digest->step, hash);
    mem_free(line);
}

static status_t put(steps_file_t *s, const event_digest_t *digest)
{
    if (!s->file)
        TRY(open_file(s));
    write_line(s, digest);
    if (digest->more || (fflush(s->file) == 0 && !ferror(s->file)))
        return ST_OK;
    return FAIL(ST_SYSTEM, "%s: cannot be written: %s; is the disk full?", s->path,
                file_error_text(errno, (char[FILE_ERROR_TEXT]){0}));
}

static status_t take(void *sink, const run_event_t *event)
{
    steps_file_t *s = sink;
    if (event->kind == EVENT_TRAIN)
        return begin(s, &event->train);
    if (event->kind == EVENT_END)
        close_file(s);
    if (event->kind == EVENT_DIGEST && s->path)
        return put(s, &event->digest);
    if (event->kind != EVENT_SYNC || !s->path)
        return ST_OK;
    if (s->file && fdatasync(fileno(s->file)) != 0)
        return FAIL(ST_SYSTEM, "%s: cannot be synced: %m; is the disk full?", s->path);
    *event->sync.steps = line_sums_at(s->sums, event->sync.step);
    return ST_OK;
}

const event_sink_t sink_steps_file = {create, take, destroy};
