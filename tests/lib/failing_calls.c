/* failing_calls.c - a library for LD_PRELOAD that lets the n-th system call of a kind fail on the files of a job.
 *
 *   FAIL_CALL=KIND:N[+][:ERRNO]   which call; "+": all later ones, too, as on a disk that stays as it is. KIND is one of those
 *                                 in `kinds` below, N counts from 1, ERRNO is a number in place of that of the kind
 *   FAIL_PATHS=/one:/two          only calls on paths that begin so are counted: libraries open files of their own
 *   FAIL_RANK=2                   in this rank of a job; "none": in processes that are no rank
 *   FAIL_LOG=FILE                 gets a line "KIND N PATH" for each call that was failed, and at the end of the process a line
 *                                 "KIND count N" for each kind; without FAIL_CALL those alone
 *
 * It acts in processes of the program smelter only, not in mpirun or a shell that start it. The threads of a process share a
 * count, so that which call is the n-th may differ from run to run. A stream (FILE) is written inside of the C library, where
 * no library can come between: a flush that is to fail finds /dev/full in the place of its file. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

typedef enum call_kind {
    CALL_OPEN,
    CALL_WRITE,
    CALL_SYNC,
    CALL_RENAME,
    CALL_MAP,
    CALL_RESERVE,
    CALL_REMOVE,
    CALL_KINDS
} call_kind_t;

static const struct {
    const char *name;
    int error;
} kinds[CALL_KINDS] = {
    [CALL_OPEN] = {"open", EACCES},       /* of files and folders, also making them */
    [CALL_WRITE] = {"write", ENOSPC},     /* write, pwrite, writev, pwritev, a flush of a stream */
    [CALL_SYNC] = {"sync", EIO},          /* fsync, fdatasync, msync */
    [CALL_RENAME] = {"rename", EIO},      /* rename, renameat2 */
    [CALL_MAP] = {"map", ENOMEM},         /* mmap of a file */
    [CALL_RESERVE] = {"reserve", ENOSPC}, /* posix_fallocate, fallocate, ftruncate */
    [CALL_REMOVE] = {"remove", EACCES},   /* unlink, unlinkat, rmdir, remove */
};

static bool is_active, is_sticky;
static int wanted_kind = -1, wanted_error;
static long wanted_n;
static atomic_long counts[CALL_KINDS];

/* The next definition of a function behind this library's. */
#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
    next = (__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name)

static bool is_wanted_process(void)
{
    char path[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *own = getenv("OMPI_COMM_WORLD_RANK"), *rank = getenv("FAIL_RANK");
    if (n <= 0 || !getenv("FAIL_PATHS") || !rank)
        return false;
    path[n] = 0;
    const char *name = strrchr(path, '/');
    return name && strcmp(name, "/smelter") == 0 && strcmp(rank, own ? own : "none") == 0;
}

static __attribute__((constructor)) void begin(void)
{
    const char *call = getenv("FAIL_CALL");
    is_active = is_wanted_process();
    for (int k = 0; is_active && call && k < CALL_KINDS; k++) {
        const size_t length = strlen(kinds[k].name);
        if (strncmp(call, kinds[k].name, length) != 0 || call[length] != ':')
            continue;
        char *end;
        wanted_kind = k;
        wanted_n = strtol(call + length + 1, &end, 10);
        is_sticky = *end == '+';
        end += is_sticky;
        wanted_error = *end == ':' ? atoi(end + 1) : kinds[k].error;
    }
}

/* A line of the log, by calls of the system itself. */
static void note(const char *kind, const char *what, long n, const char *path)
{
    char line[PATH_MAX + 64];
    const char *file = getenv("FAIL_LOG");
    if (!file)
        return;
    const int length = snprintf(line, sizeof line, "%s %s%ld %s\n", kind, what, n, path);
    const long fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    syscall(SYS_write, fd, line, length);
    close((int)fd);
}

static __attribute__((destructor)) void end(void)
{
    for (int k = 0; is_active && k < CALL_KINDS; k++)
        note(kinds[k].name, "count ", counts[k], "");
}

static bool is_ours(const char *path)
{
    const char *at = getenv("FAIL_PATHS");
    while (at && *at) {
        const size_t length = strcspn(at, ":");
        if (length > 0 && strncmp(path, at, length) == 0)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* fails - count a call on the path; whether it is to fail, with errno set then. */
static bool fails(call_kind_t kind, const char *path)
{
    char whole[PATH_MAX];
    if (!is_active)
        return false;
    if (path[0] != '/' && getcwd(whole, sizeof whole)) {
        const size_t length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", path);
        path = whole;
    }
    if (!is_ours(path))
        return false;
    const long n = atomic_fetch_add(&counts[kind], 1) + 1;
    if ((int)kind != wanted_kind || (is_sticky ? n < wanted_n : n != wanted_n))
        return false;
    note(kinds[kind].name, "", n, path);
    errno = wanted_error;
    return true;
}

static bool fails_fd(call_kind_t kind, int fd)
{
    char link[64], path[PATH_MAX];
    if (!is_active)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = 0;
    return path[0] == '/' && fails(kind, path);
}

/* ---- the calls --------------------------------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    NEXT(open);
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails(CALL_OPEN, path) ? -1 : next(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    NEXT(openat);
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails(CALL_OPEN, path) ? -1 : next(dir, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(fopen);
    return fails(CALL_OPEN, path) ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    return fails(CALL_OPEN, path) ? NULL : next(path);
}

int scandir(const char *path, struct dirent ***names, int (*filter)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    NEXT(scandir);
    return fails(CALL_OPEN, path) ? -1 : next(path, names, filter, compare);
}

int nftw(const char *path, __nftw_func_t visit, int most, int flags)
{
    NEXT(nftw);
    return fails(CALL_OPEN, path) ? -1 : next(path, visit, most, flags);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    return fails(CALL_OPEN, path) ? -1 : next(path, mode);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    NEXT(write);
    return fails_fd(CALL_WRITE, fd) ? -1 : next(fd, data, bytes);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    NEXT(pwrite);
    return fails_fd(CALL_WRITE, fd) ? -1 : next(fd, data, bytes, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    NEXT(writev);
    return fails_fd(CALL_WRITE, fd) ? -1 : next(fd, pieces, n);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
    NEXT(pwritev);
    return fails_fd(CALL_WRITE, fd) ? -1 : next(fd, pieces, n, offset);
}

/* The stream's file is full for the time of a call. */
static int when_full(FILE *file, int (*call)(FILE *))
{
    const int fd = fileno(file), kept = dup(fd), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    dup2(full, fd);
    const int rc = call(file), error = errno;
    if (fcntl(fd, F_GETFD) >= 0)
        dup2(kept, fd);
    close(kept);
    close(full);
    errno = error;
    return rc;
}

static bool has_more(FILE *file)
{
    return is_active && file && fileno(file) >= 0 && __fpending(file) > 0;
}

int fflush(FILE *file)
{
    NEXT(fflush);
    return has_more(file) && fails_fd(CALL_WRITE, fileno(file)) ? when_full(file, next) : next(file);
}

int fclose(FILE *file)
{
    NEXT(fclose);
    return has_more(file) && fails_fd(CALL_WRITE, fileno(file)) ? when_full(file, next) : next(file);
}

int fsync(int fd)
{
    NEXT(fsync);
    return fails_fd(CALL_SYNC, fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return fails_fd(CALL_SYNC, fd) ? -1 : next(fd);
}

/* Of which file, the call does not say: any counts. */
int msync(void *start, size_t bytes, int flags)
{
    NEXT(msync);
    const char *first = getenv("FAIL_PATHS");
    return is_active && fails(CALL_SYNC, first) ? -1 : next(start, bytes, flags);
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    return fails(CALL_RENAME, to) ? -1 : next(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    NEXT(renameat2);
    return fails(CALL_RENAME, to) ? -1 : next(from_dir, from, to_dir, to, flags);
}

void *mmap(void *start, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    return fd >= 0 && fails_fd(CALL_MAP, fd) ? MAP_FAILED : next(start, bytes, protection, flags, fd, offset);
}

int ftruncate(int fd, off_t bytes)
{
    NEXT(ftruncate);
    return fails_fd(CALL_RESERVE, fd) ? -1 : next(fd, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    NEXT(fallocate);
    return fails_fd(CALL_RESERVE, fd) ? -1 : next(fd, mode, offset, bytes);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    NEXT(posix_fallocate);
    return fails_fd(CALL_RESERVE, fd) ? errno : next(fd, offset, bytes);
}

int unlink(const char *path)
{
    NEXT(unlink);
    return fails(CALL_REMOVE, path) ? -1 : next(path);
}

int unlinkat(int dir, const char *path, int flags)
{
    NEXT(unlinkat);
    return fails(CALL_REMOVE, path) ? -1 : next(dir, path, flags);
}

int rmdir(const char *path)
{
    NEXT(rmdir);
    return fails(CALL_REMOVE, path) ? -1 : next(path);
}

int remove(const char *path)
{
    NEXT(remove);
    return fails(CALL_REMOVE, path) ? -1 : next(path);
}
