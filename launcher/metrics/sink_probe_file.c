/* RUN/probes.f32 and RUN/probes.jsonl (probe_reader.h): predictions first, then the line that says that they are there. A run
 * that goes on keeps the probes of before the checkpoint's step, and repeats one that comes before exactly that step. */
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
#include "launcher/metrics/probe_reader.h"
#include "launcher/metrics/run_events.h"
#include "launcher/metrics/step_line.h"

typedef struct probe_file {
    char *floats_path, *lines_path; /* NULL between two runs */
    FILE *floats, *lines;           /* NULL before the first probe of a start */
    line_sums_t *sums;              /* NULL between two runs */
} probe_file_t;

static void *create(progress_t *line)
{
    (void)line;
    return MEM_NEW(probe_file_t);
}

static void close_files(probe_file_t *f)
{
    if (f->floats)
        fclose(f->floats);
    if (f->lines)
        fclose(f->lines);
    mem_free(f->floats_path);
    mem_free(f->lines_path);
    line_sums_destroy(&f->sums);
    *f = (probe_file_t){0};
}

static void destroy(void *sink)
{
    close_files(sink);
    mem_free(sink);
}

/* Lines go before what they speak of: a crash between the two leaves predictions without a line, which are none. */
static status_t cut_files(const probe_file_t *f, const event_train_t *train)
{
    probe_reader_t kept = {0};
    const char *path = f->lines_path;
    status_t status;
    TRY_DONE(probe_reader_read(train->run_dir, train->step, &kept));
    const char *lines = kept.lines ? kept.lines : "";
    TRY_DONE(line_sums_resume(f->sums, path, lines, strlen(lines), train->step, train->probes, train->where));
    if (!kept.lines) {
        TRY_DONE(dir_remove_tree(f->floats_path));
        goto done;
    }
    TRY_DONE(file_write_atomic(path, kept.lines, strlen(kept.lines)));
    TRY_DONE(file_write_atomic(f->floats_path, kept.floats, (size_t)kept.n_floats * sizeof *kept.floats));
done:
    probe_reader_fini(&kept);
    return status;
}

static status_t begin(probe_file_t *f, const event_train_t *train)
{
    close_files(f);
    f->floats_path = run_path(train->run_dir, FILE_PROBES);
    f->lines_path = run_path(train->run_dir, FILE_PROBE_STEPS);
    f->sums = line_sums_create();
    if (train->resumed)
        return cut_files(f, train);
    TRY(dir_remove_tree(f->lines_path));
    return dir_remove_tree(f->floats_path);
}

static status_t open_one(const char *path, FILE **out)
{
    if (!file_exists(path))
        TRY(file_write_atomic(path, "", 0)); /* its name survives a power cut */
    *out = fopen(path, "a");
    return *out ? ST_OK
                : FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out", path);
}

static status_t flush(FILE *file, const char *path)
{
    if (fflush(file) == 0 && !ferror(file))
        return ST_OK;
    return FAIL(ST_SYSTEM, "%s: cannot be written: %s; is the disk full?", path,
                file_error_text(errno, (char[FILE_ERROR_TEXT]){0}));
}

static status_t put(probe_file_t *f, const event_probe_t *probe)
{
    char line[160];
    const size_t bytes = (size_t)probe->n * sizeof *probe->p;
    if (!f->floats)
        TRY(open_one(f->floats_path, &f->floats));
    if (!f->lines)
        TRY(open_one(f->lines_path, &f->lines));
    fwrite(probe->p, 1, bytes, f->floats);
    TRY(flush(f->floats, f->floats_path));
    snprintf(line, sizeof line, "{\"step\": %" PRId64 ", \"examples\": %" PRId64 ", \"floats\": \"%016" PRIx64 "\"",
             probe->step, probe->n, hash64(probe->p, bytes, 0));
    const uint64_t hash = hash64(line, strlen(line), 0);
    fprintf(f->lines, "%s" STEP_LINE_CHECK "\n", line, step_line_check(hash));
    line_sums_put(f->sums, probe->step, hash);
    return flush(f->lines, f->lines_path);
}

static status_t sync_one(FILE *file, const char *path)
{
    if (!file || fdatasync(fileno(file)) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "%s: cannot be synced: %m; is the disk full?", path);
}

static status_t take(void *sink, const run_event_t *event)
{
    probe_file_t *f = sink;
    if (event->kind == EVENT_TRAIN)
        return begin(f, &event->train);
    if (event->kind == EVENT_END)
        close_files(f);
    if (event->kind == EVENT_PROBE && f->floats_path)
        return put(f, &event->probe);
    if (event->kind != EVENT_SYNC || !f->lines_path)
        return ST_OK;
    TRY(sync_one(f->floats, f->floats_path));
    TRY(sync_one(f->lines, f->lines_path));
    *event->sync.probes = line_sums_at(f->sums, event->sync.step);
    return ST_OK;
}

const event_sink_t sink_probe_file = {create, take, destroy};
