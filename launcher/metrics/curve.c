#include "launcher/metrics/curve.h"

#include <math.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"

static status_t read_point(const jsondoc_t *line, const char *where, curve_point_t *out)
{
    TRY(jsondoc_get_integer(line, where, "step", 0, INT64_MAX, &out->step));
    TRY(jsondoc_get_integer(line, where, "examples", 0, INT64_MAX, &out->examples));
    TRY(jsondoc_get_number(line, where, "logloss", &out->logloss));
    TRY(jsondoc_get_number(line, where, "progressive_logloss", &out->progressive));
    out->first_visits = -1;
    out->training = NAN;
    if (jsondoc_has(line, "first_visits")) {
        TRY(jsondoc_get_integer(line, where, "first_visits", 0, out->examples, &out->first_visits));
        TRY(jsondoc_get_number(line, where, "training_logloss", &out->training));
    }
    return jsondoc_get_number(line, where, "seconds", &out->seconds);
}

static status_t read_points(const jsondoc_t *lines, const char *where, curve_t *curve)
{
    int64_t before = 0;
    for (int64_t i = 0; i < curve->points; i++) {
        curve_point_t *point = &curve->point[i];
        TRY(read_point(jsondoc_at(lines, i), where, point));
        if (point->examples <= before)
            return FAIL(ST_CORRUPT, "%s: \"examples\" does not grow from line to line", where);
        before = point->examples;
    }
    return ST_OK;
}

status_t curve_read(const char *run_dir, curve_t *out, bool *found)
{
    char *path = run_path(run_dir, FILE_METRICS);
    jsondoc_t *lines = NULL;
    curve_t curve = {0};
    status_t status = ST_OK;
    const bool is_there = file_exists(path);
    if (is_there) {
        TRY_DONE(jsondoc_read_lines(path, "\"logloss\"", &lines));
        curve.points = jsondoc_length(lines);
        curve.point = MEM_ARRAY(curve_point_t, curve.points);
        TRY_DONE(read_points(lines, path, &curve));
        *out = curve;
        curve = (curve_t){0};
    }
    *found = is_there;
done:
    curve_fini(&curve);
    jsondoc_destroy(&lines);
    mem_free(path);
    return status;
}

void curve_fini(curve_t *curve)
{
    mem_free(curve->point);
    *curve = (curve_t){0};
}
