#include "common/process/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENOUGH \
    65536 /* programs that close all descriptors before they run another one (mpirun is one) go through up to the limit */

static void open_standard(void)
{
    int fd;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0 && errno == EBADF && (fd = open("/dev/null", O_RDWR)) >= 0 && fd != i) {
            dup2(fd, i);
            close(fd);
        }
}

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    const rlim_t wanted = limit.rlim_max < ENOUGH ? limit.rlim_max : ENOUGH;
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return; /* it stays as it is, and who needs more says so */
}

void descriptors_prepare(void)
{
    open_standard();
    raise_limit();
}

int64_t descriptors_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT64_MAX / 2)
        return INT64_MAX / 2;
    return (int64_t)limit.rlim_cur;
}

status_t descriptors_check(int64_t limit, int64_t needed, const char *who)
{
    if (limit >= needed)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s may need %" PRId64 " open files, and the limit is %" PRId64
                "; raise it (ulimit -n %d; DefaultLimitNOFILE= or LimitNOFILE= of "
                "systemd; the limits of the batch system)",
                who, needed, limit, needed < 1024 ? 1024 : ENOUGH);
}

status_t descriptors_divert(const char *path, int *saved)
{
    fflush(stdout);
    const int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666), before = dup(STDOUT_FILENO);
    const bool is_done = file >= 0 && before >= 0 && dup2(file, STDOUT_FILENO) >= 0;
    const status_t status =
        is_done ? ST_OK : FAIL(ST_INPUT, "%s: cannot be written: %m; make the folder writable or choose another --out", path);
    if (file >= 0)
        close(file);
    if (is_done)
        *saved = before;
    else if (before >= 0)
        close(before);
    return status;
}

void descriptors_restore(int saved)
{
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
}
