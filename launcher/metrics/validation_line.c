#include "launcher/metrics/validation_line.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/step_line.h"

#define NAME(name) #name,
static const char *const names[] = {VALIDATION_METRICS(NAME)};
#undef NAME

void validation_line_write(const validation_point_t *point, char line[VALIDATION_LINE_BYTES])
{
    int used =
        snprintf(line, VALIDATION_LINE_BYTES, "{\"step\": %" PRId64 ", \"examples\": %" PRId64, point->step, point->examples);
    for (int i = 0; i < VALIDATION_NUMBERS; i++) {
        const size_t left = VALIDATION_LINE_BYTES - (size_t)used;
        used += isfinite(point->number[i]) ? snprintf(line + used, left, ", \"%s\": %.17g", names[i], point->number[i])
                                           : snprintf(line + used, left, ", \"%s\": null", names[i]);
        ASSERT(used < VALIDATION_LINE_BYTES);
    }
}

/* One line, without its newline. */
static status_t read_line(const char *path, const char *line, size_t bytes, int64_t before, int64_t number,
                          validation_point_t *out)
{
    jsondoc_t *doc = NULL;
    status_t status;
    if (!step_line_is_whole(line, bytes))
        return FAIL(ST_CORRUPT, "%s: line %" PRId64 " was changed after it was written; put the run's own file in its place",
                    path, number);
    TRY_DONE(jsondoc_parse(line, bytes, path, &doc));
    TRY_DONE(jsondoc_get_integer(doc, path, "step", before + 1, INT64_MAX, &out->step));
    TRY_DONE(jsondoc_get_integer(doc, path, "examples", 1, INT64_MAX, &out->examples));
    for (int i = 0; i < VALIDATION_NUMBERS; i++)
        TRY_DONE(jsondoc_get_number(doc, path, names[i], &out->number[i]));
done:
    jsondoc_destroy(&doc);
    return status;
}

status_t validation_curve_read(const char *run_dir, int64_t end, validation_curve_t *out)
{
    char *path = run_path(run_dir, FILE_VALIDATION), *line = NULL;
    validation_curve_t curve = {0};
    size_t capacity = 0;
    status_t status = ST_OK;
    if (file_exists(path)) {
        TRY_DONE(file_read(path, &curve.lines, NULL));
        line = curve.lines;
        for (char *newline; (newline = strchr(line, '\n')); line = newline + 1) {
            const int64_t before = curve.n ? curve.point[curve.n - 1].step : 0;
            MEM_GROW(curve.point, capacity, (size_t)curve.n + 1);
            TRY_DONE(read_line(path, line, (size_t)(newline - line), before, curve.n + 1, &curve.point[curve.n]));
            if (curve.point[curve.n].step >= end)
                break;
            curve.n++;
        }
        *line = 0;
    }
    *out = curve;
    curve = (validation_curve_t){0};
done:
    validation_curve_fini(&curve);
    mem_free(path);
    return status;
}

void validation_curve_fini(validation_curve_t *curve)
{
    mem_free(curve->point);
    mem_free(curve->lines);
    *curve = (validation_curve_t){0};
}
