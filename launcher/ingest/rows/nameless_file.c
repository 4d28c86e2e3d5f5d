#include "launcher/ingest/rows/nameless_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"

struct nameless_file {
    int fd;
    char *folder;
};

static status_t disk_failed(const nameless_file_t *file, const char *what)
{
    return FAIL(
        file_blame(errno),
        "rows that do not fit into memory cannot be %s %s: %m; make room there, or set TMPDIR to a folder on a disk that "
        "has it",
        what, file->folder);
}

status_t nameless_file_create(nameless_file_t **out)
{
    const char *tmp = getenv("TMPDIR");
    nameless_file_t *file = MEM_NEW(nameless_file_t);
    file->folder = mem_strdup(tmp && *tmp ? tmp : "/var/tmp");
    file->fd = open(file->folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (file->fd < 0) { /* a file system without such files */
        char *path = mem_printf("%s/smelter-rows-XXXXXX", file->folder);
        file->fd = mkostemp(path, O_CLOEXEC);
        if (file->fd >= 0)
            unlink(path);
        mem_free(path);
    }
    if (file->fd < 0) {
        const status_t status = disk_failed(file, "put into a file in");
        nameless_file_close(&file);
        return status;
    }
    *out = file;
    return ST_OK;
}

void nameless_file_close(nameless_file_t **file)
{
    nameless_file_t *f = *file;
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    mem_free(f->folder);
    mem_free(f);
    *file = NULL;
}

status_t nameless_file_append(nameless_file_t *file, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        const ssize_t n = write(file->fd, at, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_failed(file, "put into a file in");
        at += n;
        count -= (size_t)n;
    }
    return ST_OK;
}

status_t nameless_file_read(nameless_file_t *file, int64_t at, void *bytes, size_t count)
{
    char *to = bytes;
    while (count > 0) {
        const ssize_t n = pread(file->fd, to, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_failed(file, "read back from a file in");
        to += n;
        at += n;
        count -= (size_t)n;
    }
    return ST_OK;
}
