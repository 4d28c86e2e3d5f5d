#include "common/files/folder_copy.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/disk.h"
#include "common/files/file.h"

#define PIECE_BYTES ((int64_t)1 << 20)

static status_t copy_file(const char *from, const char *to, void *piece)
{
    disk_t *disk = disk_posix();
    disk_file_t *source = NULL, *target = NULL;
    int64_t bytes;
    status_t status;
    TRY_DONE(disk_open(disk, from, &source, &bytes));
    TRY_DONE(disk_create(disk, to, &target));
    for (int64_t at = 0; at < bytes; at += PIECE_BYTES) {
        const size_t n = (size_t)(bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES);
        TRY_DONE(disk_read(source, at, piece, n));
        TRY_DONE(disk_append(target, piece, n));
    }
    TRY_DONE(disk_sync(target));
done:
    disk_close(&source);
    disk_close(&target);
    return status;
}

static status_t copy_files(const char *from, const char *part, const char *const *names, int n)
{
    char *piece = mem_alloc((size_t)PIECE_BYTES, 1);
    status_t status;
    TRY_DONE(dir_remove_tree(part));
    TRY_DONE(dir_create(part));
    for (int i = 0; i < n; i++) {
        char *source = mem_printf("%s/%s", from, names[i]), *target = mem_printf("%s/%s", part, names[i]);
        status = copy_file(source, target, piece);
        mem_free(source);
        mem_free(target);
        TRY_DONE(status);
    }
    TRY_DONE(disk_sync_dir(disk_posix(), part));
done:
    mem_free(piece);
    return status;
}

status_t folder_copy(const char *from, const char *to, const char *const *names, int n)
{
    char *part = mem_printf("%s.part", to), *above = mem_strdup(to), *slash = strrchr(above, '/');
    status_t status;
    ASSERT(slash && slash > above);
    *slash = 0;
    TRY_DONE(copy_files(from, part, names, n));
    TRY_DONE(dir_remove_tree(to));
    TRY_DONE(disk_rename(disk_posix(), part, to));
    TRY_DONE(disk_sync_dir(disk_posix(), above));
done:
    if (status != ST_OK) {
        const int error = dir_discard_tree(part); /* what was said of the copy counts */
        (void)error;
    }
    mem_free(part);
    mem_free(above);
    return status;
}
