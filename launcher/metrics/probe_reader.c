#include "launcher/metrics/probe_reader.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/step_line.h"

#define CHANGED "was changed after it was written; put the run's own file in its place"

/* One line, without its newline. *keep: its probe is one of those before `end`. */
static status_t read_line(const char *path, const char *line, size_t bytes, int64_t end, probe_reader_t *probes,
                          uint64_t *floats, bool *keep)
{
    const int64_t before = probes->n ? probes->point[probes->n - 1].step : 0;
    probe_point_t *point = &probes->point[probes->n];
    jsondoc_t *doc = NULL;
    status_t status;
    *keep = false;
    if (!step_line_is_whole(line, bytes))
        return FAIL(ST_CORRUPT, "%s: line %" PRId64 " " CHANGED, path, probes->n + 1);
    TRY_DONE(jsondoc_parse(line, bytes, path, &doc));
    TRY_DONE(jsondoc_get_integer(doc, path, "step", before + 1, INT64_MAX, &point->step));
    TRY_DONE(jsondoc_get_integer(doc, path, "examples", 1, INT64_MAX / 8, &point->examples));
    TRY_DONE(jsondoc_get_hash(doc, path, "floats", floats));
    *keep = point->step < end;
done:
    jsondoc_destroy(&doc);
    return status;
}

/* The lines of the text, each with its predictions, up to the first that is not before `end`. */
static status_t read_points(const char *lines_path, const char *floats_path, size_t bytes, int64_t end, probe_reader_t *probes)
{
    size_t capacity = 0;
    char *line = probes->lines;
    for (char *newline; (newline = strchr(line, '\n')); line = newline + 1) {
        uint64_t wanted;
        bool keep;
        MEM_GROW(probes->point, capacity, (size_t)probes->n + 1);
        TRY(read_line(lines_path, line, (size_t)(newline - line), end, probes, &wanted, &keep));
        if (!keep)
            break;
        probe_point_t *point = &probes->point[probes->n];
        const size_t size = (size_t)point->examples * sizeof *point->p;
        const bool is_there = size <= bytes - (size_t)probes->n_floats * sizeof *point->p;
        point->p = is_there ? probes->floats + probes->n_floats : NULL;
        if (!is_there || hash64(point->p, size, 0) != wanted)
            return FAIL(ST_CORRUPT, "%s: the predictions before step %" PRId64 " are not those that %s speaks of: it " CHANGED,
                        floats_path, point->step, lines_path);
        probes->n_floats += point->examples;
        probes->n++;
    }
    *line = 0;
    return ST_OK;
}

status_t probe_reader_read(const char *run_dir, int64_t end, probe_reader_t *out)
{
    char *lines = run_path(run_dir, FILE_PROBE_STEPS), *floats = run_path(run_dir, FILE_PROBES), *data = NULL;
    probe_reader_t probes = {0};
    size_t bytes = 0;
    status_t status = ST_OK;
    if (file_exists(lines)) {
        TRY_DONE(file_read(lines, &probes.lines, NULL));
        if (file_exists(floats))
            TRY_DONE(file_read(floats, &data, &bytes));
        probes.floats = (float *)(void *)data; /* as aligned as all of mem_alloc */
        TRY_DONE(read_points(lines, floats, bytes, end, &probes));
    }
    *out = probes;
    probes = (probe_reader_t){0};
done:
    probe_reader_fini(&probes);
    mem_free(lines);
    mem_free(floats);
    return status;
}

void probe_reader_fini(probe_reader_t *probes)
{
    mem_free(probes->point);
    mem_free(probes->floats);
    mem_free(probes->lines);
    *probes = (probe_reader_t){0};
}

const probe_point_t *probe_reader_find(const probe_reader_t *probes, int64_t step)
{
    for (int64_t i = 0; i < probes->n; i++)
        if (probes->point[i].step == step)
            return &probes->point[i];
    return NULL;
}
