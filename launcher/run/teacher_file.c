#include "launcher/run/teacher_file.h"

#include <inttypes.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"

const char *teacher_file_name(soft_labels_t kind)
{
    return kind == SOFT_LABELS_PROGRESSIVE ? FILE_PROGRESSIVE : FILE_TEACHER;
}

static char *path_of(const char *run_dir, soft_labels_t kind)
{
    return run_path(run_dir, teacher_file_name(kind));
}

status_t teacher_file_write(const char *run_dir, soft_labels_t kind, const float *p, int64_t rows)
{
    char *path = path_of(run_dir, kind);
    status_t status = file_write_atomic(path, p, (size_t)rows * sizeof *p);
    mem_free(path);
    return status;
}

bool teacher_file_exists(const char *run_dir, soft_labels_t kind)
{
    char *path = path_of(run_dir, kind);
    const bool found = file_exists(path);
    mem_free(path);
    return found;
}

status_t teacher_file_read(const char *run_dir, soft_labels_t kind, int64_t rows, float **p)
{
    char *path = path_of(run_dir, kind), *data = NULL;
    size_t bytes = 0;
    status_t status = file_read(path, &data, &bytes);
    if (status == ST_OK && bytes != (size_t)rows * sizeof(float))
        status = FAIL(ST_INPUT,
                      "%s has %zu bytes and not the %" PRId64 " of %" PRId64
                      " training examples; remove the folder to train the teacher again",
                      path, bytes, rows * sizeof(float), rows);
    mem_free(path);
    if (status == ST_OK)
        *p = (float *)(void *)data; /* as aligned as all of mem_alloc */
    else
        mem_free(data);
    return status;
}
