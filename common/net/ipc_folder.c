/* The lock is one on the folder itself (flock(2)): a file for it would have to be removed, too. A folder whose lock can be
 * had is a dead job's, or one whose maker has not come to lock it yet; the maker looks, once it has the lock, whether the
 * folder is still there, and makes another one if not.
 *
 * Rejected: abstract names, which leave nothing behind and which everybody in the network namespace can connect to and,
 * once their owner is gone, bind. */
#include "common/net/ipc_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"

#define PREFIX "smelter-ipc-"
#define NAME_BYTES (sizeof PREFIX - 1 + 16) /* and 64 random bits */
#define TRIES 8

static bool is_private(const struct stat *facts)
{
    return S_ISDIR(facts->st_mode) && facts->st_uid == geteuid() && (facts->st_mode & 077) == 0;
}

bool ipc_folder_is_own(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && is_private(&facts);
}

/* Sockets alone: nobody has reason to put anything else there, and what somebody did keeps the folder. */
static void empty(int fd)
{
    const int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    if (!dir) {
        if (again >= 0)
            close(again);
        return;
    }
    rewinddir(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat facts;
        if (fstatat(fd, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(facts.st_mode))
            unlinkat(fd, entry->d_name, 0);
    }
    closedir(dir);
}

/* -1: it is not there, not one's own, or a link. */
static int open_own(int at, const char *name)
{
    struct stat facts;
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &facts) != 0 || !is_private(&facts))) {
        close(fd);
        return -1;
    }
    return fd;
}

static void sweep(const char *base)
{
    DIR *dir = opendir(base);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0 || strlen(entry->d_name) != NAME_BYTES)
            continue;
        const int fd = open_own(dirfd(dir), entry->d_name);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            empty(fd);
            if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0)
                log_debug("removed the sockets that a job which was killed has left in %s/%s", base, entry->d_name);
        }
        close(fd);
    }
    if (dir)
        closedir(dir);
}

/* Where the folder is put; *variable is what says so. A runtime folder that is not there or another user's (sudo keeps the
 * variable) is passed over: it was not set for this. */
static const char *choose_base(const char **variable)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    struct stat facts;
    *variable = "XDG_RUNTIME_DIR";
    if (base && *base == '/' && lstat(base, &facts) == 0 && is_private(&facts))
        return base;
    *variable = "TMPDIR";
    base = getenv("TMPDIR");
    return base && *base ? base : "/tmp";
}

static status_t check_base(const char *base, const char *variable)
{
    struct stat facts;
    if (*base != '/' || stat(base, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return FAIL(ST_INPUT, "%s: no folder for the job's sockets; set %s to a folder of your own, by its whole path", base,
                    variable);
    const size_t bytes = strlen(base) + 1 + NAME_BYTES + IPC_SOCKET_BYTES;
    if (bytes >= IPC_PATH_BYTES)
        return FAIL(
            ST_INPUT,
            "%s: a socket of the job would have a path of %zu bytes there, and may have %d; set %s to a shorter folder, or "
            "cluster.transport to tcp",
            base, bytes, IPC_PATH_BYTES - 1, variable);
    if ((facts.st_uid != geteuid() && facts.st_uid != 0) || ((facts.st_mode & 022) && !(facts.st_mode & S_ISVTX)))
        return FAIL(
            ST_INPUT,
            "%s: others may put sockets of their own in place of the job's there (it belongs to user %u and has mode %04o); "
            "set %s to a folder of your own",
            base, (unsigned)facts.st_uid, (unsigned)facts.st_mode & 07777, variable);
    return ST_OK;
}

/* False, with errno: not this name. */
static bool make(ipc_folder_t *folder)
{
    if (mkdir(folder->path, 0700) != 0)
        return false;
    struct stat facts;
    folder->fd = open_own(AT_FDCWD, folder->path);
    if (folder->fd >= 0 && flock(folder->fd, LOCK_EX) == 0 && fstat(folder->fd, &facts) == 0 && facts.st_nlink > 0)
        return true;
    const int error = errno;
    if (folder->fd >= 0)
        close(folder->fd);
    rmdir(folder->path);
    errno = error;
    return false;
}

status_t ipc_folder_create(ipc_folder_t *out)
{
    const char *variable, *base = choose_base(&variable);
    ipc_folder_t folder = {.fd = -1};
    TRY(check_base(base, variable));
    sweep(base);
    for (int i = 0; i < TRIES; i++) {
        uint64_t name;
        if (getrandom(&name, sizeof name, 0) != sizeof name)
            return FAIL(ST_SYSTEM, "no random numbers from the kernel: %s", strerror(errno));
        snprintf(folder.path, sizeof folder.path, "%s/" PREFIX "%016" PRIx64, base, name);
        if (!make(&folder))
            continue;
        *out = folder;
        return ST_OK;
    }
    return FAIL(ST_INPUT, "%s: no folder for the job's sockets can be made there: %s; set %s to a folder of your own", base,
                strerror(errno), variable);
}

void ipc_folder_remove(ipc_folder_t *folder)
{
    if (!folder->path[0])
        return;
    empty(folder->fd);
    if (rmdir(folder->path) != 0)
        log_debug("%s: %s", folder->path, strerror(errno));
    close(folder->fd);
    folder->path[0] = 0;
}
