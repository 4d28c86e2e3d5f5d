#include "common/files/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file_system.h"

status_t file_blame(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case EEXIST:
    case ENAMETOOLONG:
    case ELOOP:
        return ST_INPUT;
    default:
        return ST_SYSTEM;
    }
}

#define STALE_TRIES 5
#define STALE_PAUSE_NS 20000000 /* before the n-th try, n times */

/* That a folder is opened is when a host asks the server what is in it. */
static void fetch_folder_of(const char *path)
{
    char *folder = mem_strdup(path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    mem_free(folder);
}

bool file_look_again(const char *path, int n)
{
    const int error = errno;
    const bool again = error == ESTALE ? n < STALE_TRIES : error == ENOENT && n == 0 && file_system_network(path);
    if (again) {
        nanosleep(&(struct timespec){0, error == ESTALE ? n * STALE_PAUSE_NS : 0}, NULL);
        fetch_folder_of(path);
    }
    errno = error;
    return again;
}

int file_open(const char *path, int flags, unsigned mode)
{
    int fd;
    for (int n = 0; (fd = open(path, flags | O_CLOEXEC, mode)) < 0 && file_look_again(path, n);)
        n++;
    return fd;
}

/* Make the entry of a file just created or renamed durable. File systems that cannot sync a folder say EINVAL. */
static int sync_folder_of(const char *path)
{
    char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = file_open(slash ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        if (fsync(fd) != 0 && errno != EINVAL)
            error = errno;
        close(fd);
    }
    mem_free(folder);
    return error;
}

static int write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        bytes -= (size_t)n;
    }
    return 0;
}

const char *file_error_text(int error, char text[FILE_ERROR_TEXT])
{
    struct rlimit limit;
    if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(text, FILE_ERROR_TEXT, "%s: files are limited to %" PRIu64 " bytes (ulimit -f)", strerror(error),
                 limit.rlim_cur);
    else
        snprintf(text, FILE_ERROR_TEXT, "%s", strerror(error));
    return text;
}

status_t file_write_atomic(const char *path, const void *data, size_t bytes)
{
    char text[FILE_ERROR_TEXT];
    char *temporary = mem_printf("%s.tmp", path);
    int error = 0;
    int fd = file_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) {
        error = errno;
        goto done;
    }
    error = write_all(fd, data, bytes);
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && rename(temporary, path) != 0)
        error = errno;
    if (error)
        unlink(temporary);
    else
        error = sync_folder_of(path);
done:
    mem_free(temporary);
    if (error)
        return FAIL(file_blame(error), "%s: cannot write %zu bytes: %s; check that the folder is there, writable and not full",
                    path, bytes, file_error_text(error, text));
    return ST_OK;
}

/* Returns 0 or errno. */
static int read_whole(const char *path, char **data, size_t *bytes)
{
    int fd = file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return errno;
    struct stat st;
    size_t capacity = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
    size_t length = 0;
    char *text = mem_alloc(capacity, 1);
    int error = 0;
    for (;;) {
        if (length + 1 >= capacity)
            MEM_GROW(text, capacity, length + 2);
        ssize_t n = read(fd, text + length, capacity - 1 - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            error = errno;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    close(fd);
    if (error) {
        mem_free(text);
        return error;
    }
    text[length] = 0;
    *data = text;
    *bytes = length;
    return 0;
}

status_t file_read(const char *path, char **data, size_t *bytes)
{
    size_t length = 0;
    int error;
    for (int n = 0; (error = errno = read_whole(path, data, &length)) == ESTALE && file_look_again(path, n);)
        n++; /* another host has put another file in its place */
    if (error)
        return FAIL(file_blame(error), "%s: cannot read: %s; give the path of a readable file", path, strerror(error));
    if (bytes)
        *bytes = length;
    return ST_OK;
}

int file_reserve(const char *path, int64_t bytes)
{
    const int fd = file_open(path, O_CREAT | O_RDWR, 0666);
    if (fd < 0)
        return errno;
    const int rc = posix_fallocate(fd, 0, (off_t)bytes);
    close(fd);
    return rc;
}

status_t file_bytes(const char *path, int64_t *bytes)
{
    struct stat st = {0};
    int missing;
    for (int n = 0; (missing = stat(path, &st) == 0 ? 0 : errno) && file_look_again(path, n);)
        n++;
    const int error = missing ? missing : S_ISDIR(st.st_mode) ? EISDIR : 0;
    if (error)
        return FAIL(file_blame(error), "%s: cannot read: %s; give the path of a readable file", path, strerror(error));
    *bytes = (int64_t)st.st_size;
    return ST_OK;
}

bool file_exists(const char *path)
{
    struct stat st;
    for (int n = 0; lstat(path, &st) != 0; n++)
        if (!file_look_again(path, n))
            return false;
    return true;
}

int file_missing(const char *path)
{
    struct stat st;
    for (int n = 0; stat(path, &st) != 0; n++)
        if (!file_look_again(path, n))
            return errno;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    for (int n = 0; stat(path, &st) != 0; n++)
        if (!file_look_again(path, n))
            return false;
    return S_ISDIR(st.st_mode);
}

status_t dir_create(const char *path)
{
    if (!*path)
        return FAIL(ST_INPUT, "the name of a folder to create is empty; give a path");
    char *part = mem_strdup(path);
    status_t status = ST_OK;
    for (char *end = part + 1; status == ST_OK; end++) {
        if (*end != '/' && *end != 0)
            continue;
        char kept = *end;
        *end = 0;
        /* Two ranks may create the same folder at the same time, so the outcome is asked for, not the right to make it. */
        if (mkdir(part, 0777) != 0) {
            int error = errno;
            if (!is_folder(part))
                status = FAIL(file_blame(error), "%s: cannot create the folder %s: %s; choose a place that is writable", path,
                              part, error == EEXIST || error == ENOTDIR ? "a file is in the way" : strerror(error));
        }
        *end = kept;
        if (kept == 0)
            break;
    }
    mem_free(part);
    return status;
}

status_t dir_look(const char *path, bool *is_empty)
{
    DIR *dir;
    for (int n = 0; !(dir = opendir(path)) && file_look_again(path, n);)
        n++;
    bool empty = true;
    int error = dir || errno == ENOENT ? 0 : errno;
    errno = 0;
    for (struct dirent *entry; dir && empty && (entry = readdir(dir));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dir && empty)
        error = errno;
    if (dir)
        closedir(dir);
    if (error)
        return FAIL(file_blame(error), "%s: cannot be read as a folder: %s; make it readable, or name another one", path,
                    strerror(error));
    *is_empty = empty;
    return ST_OK;
}

/* A file that has no name leaves nothing behind, whatever happens. Where a file system has none of these, or the kernel, a file
 * with one is made and removed. Returns 0 or errno. */
static int try_writing(const char *path)
{
    int fd = file_open(path, O_WRONLY | O_TMPFILE, 0600);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd < 0 ? errno : 0;
    char *probe = mem_printf("%s/.writable.%ld", path, (long)getpid());
    fd = file_open(probe, O_WRONLY | O_CREAT | O_EXCL, 0600);
    const bool good = fd >= 0 && unlink(probe) == 0;
    const int error = good ? 0 : errno;
    if (fd >= 0)
        close(fd);
    mem_free(probe);
    return error;
}

status_t dir_check_writable(const char *path)
{
    const int error = try_writing(path);
    if (error)
        return FAIL(file_blame(error), "%s: not writable: %s; choose another output folder", path, strerror(error));
    return ST_OK;
}

status_t dir_check_creatable(const char *path)
{
    char *at = mem_strdup(*path ? path : ".");
    while (!file_exists(at)) {
        char *slash = strrchr(at, '/');
        if (slash && slash > at)
            *slash = 0;
        else
            memcpy(at, slash ? "/" : ".", 2);
    }
    status_t status = dir_check_writable(at);
    mem_free(at);
    return status;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

int dir_discard_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT ? errno : 0;
}

status_t dir_remove_tree(const char *path)
{
    const int error = dir_discard_tree(path);
    return error ? FAIL(file_blame(error), "%s: cannot remove: %s", path, strerror(error)) : ST_OK;
}
