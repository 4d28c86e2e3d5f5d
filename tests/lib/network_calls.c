/* network_calls.c - a library for LD_PRELOAD that makes folders of this machine behave as those of a network file system do.
 *
 *   NETWORK_PATHS=/one:/two   the paths that begin so
 *   NETWORK_LOG=FILE          gets a line "CALL PATH" for each call that such a file system cannot do, or not safely: a mapping
 *                             that others would have to see, LMDB's files opened to be written in place, a reservation
 *   NETWORK_STALE=N           every n-th open, list and look-up there says ESTALE, as after another host has put a new file in
 *                             the place of one that was known
 *
 * It says that these are on NFS (statfs), refuses locks (ENOLCK, as without lockd), shared mappings, files without a name,
 * reservations and the sync of a folder. It acts in processes of the program smelter only. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NFS_MAGIC 0x6969

static bool is_active;
static long stale_every;
static atomic_long looks;

/* The next definition of a function behind this library's. */
#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
    next = (__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name)

static __attribute__((constructor)) void begin(void)
{
    char path[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *every = getenv("NETWORK_STALE");
    path[n > 0 ? n : 0] = 0;
    const char *name = strrchr(path, '/');
    is_active = getenv("NETWORK_PATHS") && name && strcmp(name, "/smelter") == 0;
    stale_every = every ? atol(every) : 0;
}

static void note(const char *call, const char *path)
{
    char line[PATH_MAX + 64];
    const char *file = getenv("NETWORK_LOG");
    if (!file)
        return;
    const int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    const long fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

/* The whole path, where it is on the file system; NULL: it is not. */
static const char *remote(const char *path, char whole[PATH_MAX])
{
    const char *at = getenv("NETWORK_PATHS");
    if (!is_active)
        return NULL;
    if (path[0] != '/' && getcwd(whole, PATH_MAX)) {
        const size_t length = strlen(whole);
        snprintf(whole + length, PATH_MAX - length, "/%s", path);
        path = whole;
    }
    while (at && *at) {
        const size_t length = strcspn(at, ":");
        if (length > 0 && strncmp(path, at, length) == 0)
            return path;
        at += length + (at[length] == ':');
    }
    return NULL;
}

static const char *remote_fd(int fd, char path[PATH_MAX])
{
    char link[64], whole[PATH_MAX];
    if (!is_active)
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0)
        return NULL;
    path[n] = 0;
    return path[0] == '/' && remote(path, whole) ? path : NULL;
}

/* Refuse a call, and note it. */
static int refuse(const char *call, const char *path, int error)
{
    note(call, path);
    errno = error;
    return -1;
}

static bool is_stale(const char *path)
{
    char whole[PATH_MAX];
    if (!stale_every || !remote(path, whole) || atomic_fetch_add(&looks, 1) % stale_every != stale_every - 1)
        return false;
    errno = ESTALE;
    return true;
}

/* ---- the calls --------------------------------------------------------------------------------------------------------- */

static bool is_lmdb(const char *path)
{
    const char *end = strrchr(path, '.');
    return end && strcmp(end, ".mdb") == 0;
}

int open(const char *path, int flags, ...)
{
    NEXT(open);
    char whole[PATH_MAX];
    va_list more;
    va_start(more, flags);
    const bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
    const mode_t mode = (flags & O_CREAT) || is_nameless ? va_arg(more, mode_t) : 0;
    va_end(more);
    const char *there = remote(path, whole);
    if (there && is_nameless) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (there && (flags & O_ACCMODE) == O_RDWR && is_lmdb(path))
        return refuse("open", path, EACCES);
    return is_stale(path) ? -1 : next(path, flags, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    return is_stale(path) ? NULL : next(path);
}

int stat(const char *restrict path, struct stat *restrict out)
{
    NEXT(stat);
    return is_stale(path) ? -1 : next(path, out);
}

int lstat(const char *restrict path, struct stat *restrict out)
{
    NEXT(lstat);
    return is_stale(path) ? -1 : next(path, out);
}

int statfs(const char *path, struct statfs *out)
{
    NEXT(statfs);
    char whole[PATH_MAX];
    const int rc = next(path, out);
    if (rc == 0 && remote(path, whole))
        out->f_type = NFS_MAGIC;
    return rc;
}

void *mmap(void *start, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    char path[PATH_MAX];
    if (fd >= 0 && (flags & MAP_SHARED) && remote_fd(fd, path)) {
        refuse("mmap", path, ENODEV);
        return MAP_FAILED;
    }
    return next(start, bytes, protection, flags, fd, offset);
}

int flock(int fd, int operation)
{
    NEXT(flock);
    char path[PATH_MAX];
    if (!remote_fd(fd, path))
        return next(fd, operation);
    errno = ENOLCK;
    return -1;
}

int fcntl(int fd, int command, ...)
{
    NEXT(fcntl);
    char path[PATH_MAX];
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    const bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    return locks && remote_fd(fd, path) ? refuse("lock", path, ENOLCK) : next(fd, command, argument);
}

int fsync(int fd)
{
    NEXT(fsync);
    char path[PATH_MAX];
    struct stat facts;
    if (is_active && fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode) && remote_fd(fd, path)) {
        errno = EINVAL;
        return -1;
    }
    return next(fd);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    NEXT(posix_fallocate);
    char path[PATH_MAX];
    if (!remote_fd(fd, path))
        return next(fd, offset, bytes);
    refuse("reserve", path, EOPNOTSUPP);
    return EOPNOTSUPP;
}
