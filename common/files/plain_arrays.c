#include "common/files/plain_arrays.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"

static const struct {
    const char *name;
    size_t bytes;
} types[PLAIN_TYPES] = {
    [PLAIN_U8] = {"u8", sizeof(uint8_t)},
    [PLAIN_U64] = {"u64", sizeof(uint64_t)},
    [PLAIN_I64] = {"i64", sizeof(int64_t)},
    [PLAIN_F32] = {"f32", sizeof(float)},
};

struct plain_arrays {
    char *folder;
    jsondoc_t *described; /* the member "arrays" */
    int count;
    int64_t bytes;
    bool is_whole;
};

status_t plain_arrays_create(const char *folder, plain_arrays_t **out)
{
    bool is_empty;
    TRY(dir_look(folder, &is_empty));
    if (!is_empty)
        return FAIL(ST_INPUT, "%s is not an empty folder; name one that is empty or not there yet", folder);
    TRY(dir_create(folder));
    plain_arrays_t *arrays = MEM_NEW(plain_arrays_t);
    arrays->folder = mem_strdup(folder);
    arrays->described = jsondoc_object();
    *out = arrays;
    return ST_OK;
}

void plain_arrays_destroy(plain_arrays_t **arrays)
{
    plain_arrays_t *a = *arrays;
    if (!a)
        return;
    if (!a->is_whole && dir_discard_tree(a->folder) != 0)
        log_warn("%s holds a part of what was to be written; remove it", a->folder);
    mem_free(a->folder);
    jsondoc_destroy(&a->described);
    mem_free(a);
    *arrays = NULL;
}

status_t plain_arrays_put(plain_arrays_t *a, const char *name, plain_type_t type, const void *data, int64_t rows,
                          int64_t columns)
{
    ASSERT(rows >= 0 && columns >= 0 && type < PLAIN_TYPES);
    const size_t bytes = (size_t)rows * (size_t)(columns ? columns : 1) * types[type].bytes;
    char *path = mem_printf("%s/%s.%s", a->folder, name, types[type].name);
    const status_t status = file_write_atomic(path, data, bytes);
    mem_free(path);
    TRY(status);
    jsondoc_t *array = jsondoc_object(), *shape = jsondoc_array();
    jsondoc_append_integer(shape, rows);
    if (columns)
        jsondoc_append_integer(shape, columns);
    jsondoc_put_text(array, "type", types[type].name);
    jsondoc_put(array, "shape", &shape);
    jsondoc_put(a->described, name, &array);
    a->count++;
    a->bytes += (int64_t)bytes;
    return ST_OK;
}

status_t plain_arrays_finish(plain_arrays_t *a, jsondoc_t *document, const char *name)
{
    jsondoc_put(document, "arrays", &a->described);
    char *path = mem_printf("%s/%s", a->folder, name);
    const status_t status = jsondoc_write(document, path);
    mem_free(path);
    a->is_whole = status == ST_OK;
    return status;
}

int plain_arrays_count(const plain_arrays_t *arrays)
{
    return arrays->count;
}

int64_t plain_arrays_bytes(const plain_arrays_t *arrays)
{
    return arrays->bytes;
}
