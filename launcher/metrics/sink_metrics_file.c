/* RUN/metrics.jsonl: a line for each interval. Of a run that goes on, the file begins with the lines from before the cut, which
 * must be those that the run wrote. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/run_events.h"

typedef struct metrics_file {
    FILE *file; /* NULL between two runs */
    char *path;
} metrics_file_t;

static void *create(progress_t *line)
{
    (void)line;
    return MEM_NEW(metrics_file_t);
}

static void close_file(metrics_file_t *m)
{
    if (m->file)
        fclose(m->file);
    mem_free(m->path);
    *m = (metrics_file_t){0};
}

static void destroy(void *sink)
{
    close_file(sink);
    mem_free(sink);
}

static status_t check_lines(const char *path, const event_train_t *train, uint64_t lines)
{
    if (!train->lines_known || lines == *train->lines)
        return ST_OK;
    if (!file_exists(path))
        return FAIL(ST_CORRUPT,
                    "%s: is not there, and the run had written lines up to step %" PRId64
                    " to it before the checkpoint in %s; put it "
                    "back",
                    path, train->step, train->where);
    return FAIL(ST_CORRUPT,
                "%s: its lines up to step %" PRId64 " have checksum %016" PRIx64
                ", those that the run had written before the checkpoint in %s "
                "have %016" PRIx64 ": it is another run's, or was changed; put the run's own in its place",
                path, train->step, lines, train->where, *train->lines);
}

/* The file as it was at the cut, unless it is not the run's: then it stays as it is. */
static status_t cut_lines(const char *path, const event_train_t *train)
{
    char *text = NULL, *end = NULL;
    uint64_t lines;
    if (file_exists(path))
        TRY(file_read(path, &text, NULL));
    else
        text = mem_strdup("");
    status_t status;
    TRY_DONE(metrics_lines_keep(path, train->step, train->depth, text, &lines, &end));
    TRY_DONE(check_lines(path, train, lines));
    TRY_DONE(file_write_atomic(path, text, (size_t)(end - text)));
    *train->lines = lines;
done:
    mem_free(text);
    return status;
}

static status_t open_file(metrics_file_t *m, const event_train_t *train)
{
    close_file(m);
    m->path = run_path(train->run_dir, FILE_METRICS);
    TRY(train->resumed ? cut_lines(m->path, train) : file_write_atomic(m->path, "", 0));
    m->file = fopen(m->path, "a");
    return m->file
               ? ST_OK
               : FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out", m->path);
}

static status_t write_line(metrics_file_t *m, const event_metrics_t *metrics)
{
    char *text = metrics_line_text(metrics);
    const bool good = fputs(text, m->file) >= 0 && fflush(m->file) == 0;
    mem_free(text);
    return good ? ST_OK
                : FAIL(ST_SYSTEM, "%s: cannot be written: %s; is the disk full?", m->path,
                       file_error_text(errno, (char[FILE_ERROR_TEXT]){0}));
}

static status_t take(void *sink, const run_event_t *event)
{
    metrics_file_t *m = sink;
    if (event->kind == EVENT_TRAIN)
        return open_file(m, &event->train);
    if (event->kind == EVENT_END)
        close_file(m);
    if (event->kind == EVENT_METRICS && m->file)
        return write_line(m, &event->metrics);
    if (event->kind == EVENT_SYNC && m->file && fdatasync(fileno(m->file)) != 0)
        return FAIL(ST_SYSTEM, "%s: cannot be synced: %m; is the disk full?", m->path);
    return ST_OK;
}

const event_sink_t sink_metrics_file = {create, take, destroy};
