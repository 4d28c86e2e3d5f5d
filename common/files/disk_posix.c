#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/disk.h"
#include "common/files/file.h"

typedef struct posix_file {
    disk_file_t base;
    char *path;
    int fd;
} posix_file_t;

/* Log what the system refused. `doing` completes "cannot ...". */
static status_t refused(const char *path, const char *doing, int error)
{
    struct statvfs fs;
    char text[FILE_ERROR_TEXT];
    if ((error == ENOSPC || error == EDQUOT || error == EFBIG) && statvfs(path, &fs) == 0)
        return FAIL(ST_SYSTEM,
                    "%s: cannot %s: %s; %" PRIu64 " MB are free there, less a quota or a limit of file size: make room", path,
                    doing, file_error_text(error, text), (fs.f_bavail * fs.f_frsize) >> 20);
    return FAIL(file_blame(error), "%s: cannot %s: %s", path, doing, strerror(error));
}

static status_t open_file(disk_t *disk, const char *path, int flags, const char *doing, disk_file_t **out)
{
    int fd = file_open(path, flags, 0666);
    if (fd < 0)
        return refused(path, doing, errno);
    posix_file_t *file = MEM_NEW(posix_file_t);
    *file = (posix_file_t){{disk}, mem_strdup(path), fd};
    *out = &file->base;
    return ST_OK;
}

static void posix_close(disk_file_t **file)
{
    posix_file_t *f = (posix_file_t *)*file;
    if (!f)
        return;
    close(f->fd);
    mem_free(f->path);
    mem_free(f);
    *file = NULL;
}

static status_t posix_create(disk_t *disk, const char *path, disk_file_t **out)
{
    return open_file(disk, path, O_WRONLY | O_CREAT | O_TRUNC, "create", out);
}

static status_t posix_open(disk_t *disk, const char *path, disk_file_t **out, int64_t *bytes)
{
    disk_file_t *file = NULL;
    struct stat st;
    TRY(open_file(disk, path, O_RDONLY, "open", &file));
    int error = fstat(((posix_file_t *)file)->fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EISDIR;
    if (error) {
        posix_close(&file);
        return refused(path, "open", error);
    }
    *out = file;
    *bytes = (int64_t)st.st_size;
    return ST_OK;
}

static status_t posix_append(disk_file_t *file, const void *data, size_t bytes)
{
    const posix_file_t *f = (posix_file_t *)file;
    for (const char *at = data; bytes > 0;) {
        ssize_t n = write(f->fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refused(f->path, "write", errno);
        at += n;
        bytes -= (size_t)n;
    }
    return ST_OK;
}

/* Another host has put another file in its place; whether that is what the reader wants, checksums tell. */
static bool reopen(const posix_file_t *f, int n)
{
    const int fd = file_look_again(f->path, n) ? file_open(f->path, O_RDONLY, 0) : -1;
    const bool is_open = fd >= 0 && dup3(fd, f->fd, O_CLOEXEC) >= 0;
    if (fd >= 0)
        close(fd);
    return is_open;
}

static status_t posix_read(disk_file_t *file, int64_t offset, void *data, size_t bytes)
{
    const posix_file_t *f = (posix_file_t *)file;
    int tries = 0;
    for (char *at = data; bytes > 0;) {
        ssize_t n = pread(f->fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ESTALE && reopen(f, tries++))
            continue;
        if (n < 0)
            return refused(f->path, "read", errno);
        if (n == 0)
            return FAIL(ST_CORRUPT, "%s: ends at byte %" PRId64 ", %zu bytes before it should; it was cut short", f->path,
                        offset, bytes);
        at += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return ST_OK;
}

static status_t posix_sync(disk_file_t *file)
{
    const posix_file_t *f = (posix_file_t *)file;
    return fsync(f->fd) == 0 ? ST_OK : refused(f->path, "sync", errno);
}

static status_t posix_rename(disk_t *disk, const char *from, const char *to)
{
    (void)disk;
    int error;
    for (int n = 0; (error = rename(from, to) == 0 ? 0 : errno) == ESTALE && file_look_again(to, n);)
        n++;
    if (!error)
        return ST_OK;
    return FAIL(file_blame(error), "%s: cannot rename to %s: %s", from, to, strerror(error));
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* A file that was removed while a process of this host had it open is there under such a name until that closes it (NFS). */
static int is_no_leftover(const struct dirent *entry)
{
    return is_entry(entry) && strncmp(entry->d_name, ".nfs", 4) != 0;
}

/* Nothing is in the folder that will not go by itself. */
static bool is_going(const char *path)
{
    struct dirent **names;
    const int n = scandir(path, &names, is_no_leftover, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    return n == 0;
}

static status_t posix_remove(disk_t *disk, const char *path)
{
    (void)disk;
    int error;
    for (int n = 0; (error = remove(path) == 0 ? 0 : errno) == ESTALE && file_look_again(path, n);)
        n++;
    const bool is_gone = !error || error == ENOENT || ((error == ENOTEMPTY || error == EEXIST) && is_going(path));
    return is_gone ? ST_OK : refused(path, "remove", error);
}

/* File systems that cannot sync a folder say EINVAL. */
static status_t posix_sync_dir(disk_t *disk, const char *path)
{
    (void)disk;
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, 0);
    int error = fd < 0 ? errno : fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error ? refused(path, "sync the folder", error) : ST_OK;
}

/* A folder's entry is in the folder above it: from the deepest one that was there, sync every step of the way down. */
static status_t posix_make_dir(disk_t *disk, const char *path)
{
    if (disk->ops->exists(disk, path))
        return dir_create(path); /* says so where a file is in the way */
    char *above = mem_strdup(path);
    size_t length = strlen(above);
    while (length > 1 && above[length - 1] == '/')
        above[--length] = 0;
    char *slash = strrchr(above, '/');
    if (slash)
        slash[slash == above] = 0;
    const char *folder = slash ? above : ".";
    status_t status;
    TRY_DONE(disk->ops->exists(disk, folder) ? ST_OK : posix_make_dir(disk, folder));
    TRY_DONE(dir_create(path));
    TRY_DONE(posix_sync_dir(disk, folder));
done:
    mem_free(above);
    return status;
}

static int compare_names(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static status_t posix_list(disk_t *disk, const char *path, disk_visit_fn *visit, void *context)
{
    (void)disk;
    struct dirent **names;
    int n;
    for (int tries = 0; (n = scandir(path, &names, is_entry, compare_names)) < 0 && file_look_again(path, tries);)
        tries++;
    if (n < 0)
        return errno == ENOENT ? ST_OK : refused(path, "list the folder", errno);
    for (int i = 0; i < n; i++) {
        visit(context, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return ST_OK;
}

static bool posix_exists(disk_t *disk, const char *path)
{
    (void)disk;
    return file_exists(path);
}

static int64_t posix_free_bytes(disk_t *disk, const char *path)
{
    (void)disk;
    struct statvfs fs;
    return statvfs(path, &fs) == 0 ? (int64_t)(fs.f_bavail * fs.f_frsize) : -1;
}

disk_t *disk_posix(void)
{
    static const disk_ops_t ops = {
        .create = posix_create,
        .open = posix_open,
        .append = posix_append,
        .read = posix_read,
        .sync = posix_sync,
        .close = posix_close,
        .rename = posix_rename,
        .remove = posix_remove,
        .make_dir = posix_make_dir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .exists = posix_exists,
        .free_bytes = posix_free_bytes,
    };
    static disk_t disk = {&ops};
    return &disk;
}
