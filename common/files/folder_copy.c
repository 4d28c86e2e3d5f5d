#include "common/files/folder_copy.h"

#include <string.h>
#include <sys/stat.h>

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

/* A folder that is being copied. */
typedef struct copy_walk {
    const char *from, *to;
    void *piece;
    status_t status;
} copy_walk_t;

static status_t copy_tree(const char *from, const char *to, void *piece);

static void copy_entry(void *context, const char *name)
{
    copy_walk_t *walk = context;
    char *from = mem_printf("%s/%s", walk->from, name), *to = mem_printf("%s/%s", walk->to, name);
    struct stat facts;
    if (walk->status == ST_OK && lstat(from, &facts) == 0 && S_ISDIR(facts.st_mode))
        walk->status = copy_tree(from, to, walk->piece);
    else if (walk->status == ST_OK)
        walk->status = copy_file(from, to, walk->piece);
    mem_free(from);
    mem_free(to);
}

static status_t copy_tree(const char *from, const char *to, void *piece)
{
    copy_walk_t walk = {from, to, piece, ST_OK};
    TRY(dir_create(to));
    TRY(disk_list(disk_posix(), from, copy_entry, &walk));
    TRY(walk.status);
    return disk_sync_dir(disk_posix(), to);
}

static status_t copy_named(const char *from, const char *to, const char *const *names, int n, void *piece)
{
    TRY(dir_create(to));
    for (int i = 0; i < n; i++) {
        char *source = mem_printf("%s/%s", from, names[i]), *target = mem_printf("%s/%s", to, names[i]);
        const status_t status = copy_file(source, target, piece);
        mem_free(source);
        mem_free(target);
        TRY(status);
    }
    return disk_sync_dir(disk_posix(), to);
}

/* names NULL: all. */
static status_t copy(const char *from, const char *to, const char *const *names, int n)
{
    char *part = mem_printf("%s.part", to), *above = mem_strdup(to), *slash = strrchr(above, '/'),
         *piece = mem_alloc((size_t)PIECE_BYTES, 1);
    status_t status;
    ASSERT(slash && slash > above);
    *slash = 0;
    TRY_DONE(dir_remove_tree(part));
    TRY_DONE(names ? copy_named(from, part, names, n, piece) : copy_tree(from, part, piece));
    TRY_DONE(dir_remove_tree(to));
    TRY_DONE(disk_rename(disk_posix(), part, to));
    TRY_DONE(disk_sync_dir(disk_posix(), above));
done:
    if (status != ST_OK) {
        const int error = dir_discard_tree(part); /* what was said of the copy counts */
        (void)error;
    }
    mem_free(piece);
    mem_free(part);
    mem_free(above);
    return status;
}

status_t folder_copy(const char *from, const char *to, const char *const *names, int n)
{
    return copy(from, to, names, n);
}

status_t folder_copy_all(const char *from, const char *to)
{
    return copy(from, to, NULL, 0);
}
