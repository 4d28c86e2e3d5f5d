/* The lock is one on the folder itself (flock(2)), as that of a job's sockets (common/net/ipc_folder.c): a folder whose lock
 * can be had is a dead process's, or one whose maker has not come to lock it yet; the maker looks, once it has the lock,
 * whether the folder is still there, and makes another one if not. */
#include "common/files/scratch_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"

#define PREFIX "smelter-"
#define RANDOM "XXXXXX"
#define TRIES 8

struct scratch_folder {
    char *path;
    int fd;
};

/* Of this user, and of a name that mkdtemp gives; -1: not. */
static int open_left(int at, const char *name)
{
    struct stat facts;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strlen(name) != strlen(PREFIX RANDOM))
        return -1;
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &facts) != 0 || facts.st_uid != geteuid())) {
        close(fd);
        return -1;
    }
    return fd;
}

static void sweep(const char *place)
{
    DIR *dir = opendir(place);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const int fd = open_left(dirfd(dir), entry->d_name);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            char *path = mem_printf("%s/%s", place, entry->d_name);
            if (dir_discard_tree(path) == 0)
                log_debug("removed %s, which a process that was killed has left", path);
            mem_free(path);
        }
        close(fd);
    }
    if (dir)
        closedir(dir);
}

/* False, with errno: not this one. */
static bool make(scratch_folder_t *folder)
{
    struct stat facts;
    if (!mkdtemp(folder->path))
        return false;
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd >= 0 && flock(folder->fd, LOCK_EX) == 0 && fstat(folder->fd, &facts) == 0 && facts.st_nlink > 0)
        return true;
    const int error = errno;
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
    rmdir(folder->path);
    errno = error;
    return false;
}

status_t scratch_folder_create(const char *place, const char *setting, scratch_folder_t **out)
{
    TRY(dir_create(place));
    sweep(place);
    scratch_folder_t *folder = MEM_NEW(scratch_folder_t);
    folder->fd = -1;
    int error = 0;
    for (int i = 0; i < TRIES && folder->fd < 0; i++) {
        mem_free(folder->path);
        folder->path = mem_printf("%s/" PREFIX RANDOM, place);
        error = make(folder) ? 0 : errno;
    }
    if (folder->fd >= 0) {
        *out = folder;
        return ST_OK;
    }
    mem_free(folder->path);
    mem_free(folder);
    return FAIL(file_blame(error), "%s: no folder can be made there: %s; set %s to a folder that is writable", place,
                strerror(error), setting);
}

void scratch_folder_destroy(scratch_folder_t **folder)
{
    scratch_folder_t *f = *folder;
    if (!f)
        return;
    const int error = dir_discard_tree(f->path);
    if (error)
        log_warn("%s: left behind: %s; nothing reads it, and it may be removed", f->path, strerror(error));
    close(f->fd);
    mem_free(f->path);
    mem_free(f);
    *folder = NULL;
}

const char *scratch_folder_path(const scratch_folder_t *folder)
{
    return folder->path;
}
