#include "launcher/run/teacher_file.h"

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"

static char *path_of(const char *run_dir)
{
    return run_path(run_dir, FILE_TEACHER);
}

status_t teacher_file_write(const char *run_dir, const float *p, int64_t rows)
{
    char *path = path_of(run_dir);
    status_t status = file_write_atomic(path, p, (size_t)rows * sizeof *p);
    mem_free(path);
    return status;
}

bool teacher_file_exists(const char *run_dir)
{
    char *path = path_of(run_dir);
    const bool found = file_exists(path);
    mem_free(path);
    return found;
}

status_t teacher_file_read(const char *run_dir, int64_t rows, float **p)
{
    char *path = path_of(run_dir), *data = NULL;
    size_t bytes = 0;
    status_t status = file_read(path, &data, &bytes);
    if (status == ST_OK && bytes != (size_t)rows * sizeof(float))
        status =
            FAIL(ST_INPUT,
                 "%s has %zu bytes and not the %lld of %lld training examples; remove the folder to train the teacher again",
                 path, bytes, (long long)rows * (long long)sizeof(float), (long long)rows);
    mem_free(path);
    if (status == ST_OK)
        *p = (float *)(void *)data; /* as aligned as all of mem_alloc */
    else
        mem_free(data);
    return status;
}
