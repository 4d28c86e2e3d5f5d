/* RUN/validation.jsonl (validation_line.h), made by its first line. A run that goes on keeps the evaluations of before the
 * checkpoint's step, and repeats one that comes before exactly that step. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/line_sums.h"
#include "launcher/metrics/run_events.h"
#include "launcher/metrics/step_line.h"

typedef struct validation_file {
    char *path; /* NULL between two runs, as sums */
    FILE *file; /* NULL before the first line of a start */
    line_sums_t *sums;
} validation_file_t;

static void *create(progress_t *line)
{
    (void)line;
    return MEM_NEW(validation_file_t);
}

static void close_file(validation_file_t *f)
{
    if (f->file)
        fclose(f->file);
    mem_free(f->path);
    line_sums_destroy(&f->sums);
    *f = (validation_file_t){0};
}

static void destroy(void *sink)
{
    close_file(sink);
    mem_free(sink);
}

static status_t cut_lines(const validation_file_t *f, const event_train_t *train)
{
    validation_curve_t kept = {0};
    status_t status;
    TRY_DONE(validation_curve_read(train->run_dir, train->step, &kept));
    const char *lines = kept.lines ? kept.lines : "";
    TRY_DONE(line_sums_resume(f->sums, f->path, lines, strlen(lines), train->step, train->validations, train->where));
    status = kept.lines ? file_write_atomic(f->path, lines, strlen(lines)) : ST_OK;
done:
    validation_curve_fini(&kept);
    return status;
}

static status_t begin(validation_file_t *f, const event_train_t *train)
{
    close_file(f);
    f->path = run_path(train->run_dir, FILE_VALIDATION);
    f->sums = line_sums_create();
    return train->resumed ? cut_lines(f, train) : dir_remove_tree(f->path);
}

static status_t put(validation_file_t *f, const validation_point_t *point)
{
    char line[VALIDATION_LINE_BYTES];
    if (!f->file) {
        if (!file_exists(f->path))
            TRY(file_write_atomic(f->path, "", 0)); /* its name survives a power cut */
        f->file = fopen(f->path, "a");
        if (!f->file)
            return FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out",
                        f->path);
    }
    validation_line_write(point, line);
    const uint64_t hash = hash64(line, strlen(line), 0);
    fprintf(f->file, "%s" STEP_LINE_CHECK "\n", line, step_line_check(hash));
    line_sums_put(f->sums, point->step, hash);
    if (fflush(f->file) == 0 && !ferror(f->file))
        return ST_OK;
    return FAIL(ST_SYSTEM, "%s: cannot be written: %s; is the disk full?", f->path,
                file_error_text(errno, (char[FILE_ERROR_TEXT]){0}));
}

static status_t take(void *sink, const run_event_t *event)
{
    validation_file_t *f = sink;
    if (event->kind == EVENT_TRAIN)
        return begin(f, &event->train);
    if (event->kind == EVENT_END)
        close_file(f);
    if (event->kind == EVENT_VALIDATION && f->path)
        return put(f, event->validation.point);
    if (event->kind != EVENT_SYNC || !f->path)
        return ST_OK;
    if (f->file && fdatasync(fileno(f->file)) != 0)
        return FAIL(ST_SYSTEM, "%s: cannot be synced: %m; is the disk full?", f->path);
    *event->sync.validations = line_sums_at(f->sums, event->sync.step);
    return ST_OK;
}

const event_sink_t sink_validation_file = {create, take, destroy};
