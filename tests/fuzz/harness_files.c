#include "tests/fuzz/harness_files.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"

#define FILES_MOST 8

typedef struct fuzz_named {
    const char *name;
    const char *data;
    size_t bytes;
} fuzz_named_t;

static fuzz_named_t files[FILES_MOST];
static int files_count;

/* The linker calls these in place of the three, and gives the three the other name (--wrap). */
status_t __wrap_file_read(const char *path, char **data, size_t *bytes);
status_t __wrap_file_bytes(const char *path, int64_t *bytes);
bool __wrap_file_exists(const char *path);
status_t __real_file_read(const char *path, char **data, size_t *bytes);
status_t __real_file_bytes(const char *path, int64_t *bytes);
bool __real_file_exists(const char *path);

void fuzz_file(const char *name, const void *data, size_t bytes)
{
    ASSERT(files_count < FILES_MOST);
    files[files_count++] = (fuzz_named_t){name, data, bytes};
}

void fuzz_files_forget(void)
{
    files_count = 0;
}

static const fuzz_named_t *find(const char *path)
{
    const size_t length = strlen(path);
    for (int i = 0; i < files_count; i++) {
        const size_t n = strlen(files[i].name);
        if (length >= n && strcmp(path + length - n, files[i].name) == 0)
            return &files[i];
    }
    return NULL;
}

bool __wrap_file_exists(const char *path)
{
    return files_count ? find(path) != NULL : __real_file_exists(path);
}

static status_t find_for(const char *path, const fuzz_named_t **file)
{
    *file = find(path);
    return *file ? ST_OK : FAIL(ST_INPUT, "%s: no such file", path);
}

status_t __wrap_file_bytes(const char *path, int64_t *bytes)
{
    const fuzz_named_t *file;
    if (!files_count)
        return __real_file_bytes(path, bytes);
    TRY(find_for(path, &file));
    *bytes = (int64_t)file->bytes;
    return ST_OK;
}

status_t __wrap_file_read(const char *path, char **data, size_t *bytes)
{
    const fuzz_named_t *file;
    if (!files_count)
        return __real_file_read(path, data, bytes);
    TRY(find_for(path, &file));
    *data = mem_alloc(file->bytes + 1, 1);
    if (file->bytes)
        memcpy(*data, file->data, file->bytes);
    if (bytes)
        *bytes = file->bytes;
    return ST_OK;
}

/* ---- a disk ------------------------------------------------------------------------------------------------------------ */

typedef struct fuzz_open {
    disk_file_t base;
    const fuzz_named_t *file; /* NULL: it is written */
} fuzz_open_t;

static char *written;
static size_t written_bytes, written_capacity;

static status_t open_on(disk_t *disk, const fuzz_named_t *file, disk_file_t **out)
{
    fuzz_open_t *opened = MEM_NEW(fuzz_open_t);
    *opened = (fuzz_open_t){{disk}, file};
    *out = &opened->base;
    return ST_OK;
}

static status_t create(disk_t *disk, const char *path, disk_file_t **out)
{
    (void)path;
    written_bytes = 0;
    return open_on(disk, NULL, out);
}

static status_t open_named(disk_t *disk, const char *path, disk_file_t **out, int64_t *bytes)
{
    const fuzz_named_t *file;
    TRY(find_for(path, &file));
    *bytes = (int64_t)file->bytes;
    return open_on(disk, file, out);
}

static status_t append(disk_file_t *file, const void *data, size_t bytes)
{
    ASSERT(!((fuzz_open_t *)file)->file);
    MEM_GROW(written, written_capacity, written_bytes + bytes);
    if (bytes)
        memcpy(written + written_bytes, data, bytes);
    written_bytes += bytes;
    return ST_OK;
}

/* Nobody may ask for what is not there and hope that the disk says no: a claim was to be bounded before. */
static status_t read_at(disk_file_t *opened, int64_t offset, void *data, size_t bytes)
{
    const fuzz_named_t *file = ((fuzz_open_t *)opened)->file;
    ASSERT(offset >= 0 && (size_t)offset <= file->bytes && bytes <= file->bytes - (size_t)offset);
    if (bytes)
        memcpy(data, file->data + offset, bytes);
    return ST_OK;
}

static void close_opened(disk_file_t **file)
{
    mem_free(*file);
    *file = NULL;
}

static status_t sync_opened(disk_file_t *file)
{
    (void)file;
    return ST_OK;
}

static status_t rename_any(disk_t *disk, const char *from, const char *to)
{
    (void)disk;
    (void)from;
    (void)to;
    return ST_OK;
}

static status_t any_path(disk_t *disk, const char *path)
{
    (void)disk;
    (void)path;
    return ST_OK;
}

static status_t list(disk_t *disk, const char *path, disk_visit_fn *visit, void *context)
{
    (void)disk;
    (void)path;
    (void)visit;
    (void)context;
    return ST_OK;
}

static bool exists(disk_t *disk, const char *path)
{
    (void)disk;
    return find(path) != NULL;
}

static int64_t free_bytes(disk_t *disk, const char *path)
{
    (void)disk;
    (void)path;
    return -1;
}

disk_t *fuzz_disk(void)
{
    static const disk_ops_t ops = {
        .create = create,
        .open = open_named,
        .append = append,
        .read = read_at,
        .sync = sync_opened,
        .close = close_opened,
        .rename = rename_any,
        .remove = any_path,
        .make_dir = any_path,
        .sync_dir = any_path,
        .list = list,
        .exists = exists,
        .free_bytes = free_bytes,
    };
    static disk_t disk = {&ops};
    return &disk;
}

const void *fuzz_disk_written(size_t *bytes)
{
    *bytes = written_bytes;
    return written;
}
