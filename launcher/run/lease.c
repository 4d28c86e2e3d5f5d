/* The file is made under a name of its own and linked to .lease: of two that link, one succeeds on every file system, and a
 * link whose answer was lost is seen by the number of names that the own file has. It is renewed in place, by one write of a
 * fixed length, so that who has opened it before, or has its name cached, sees the change with his next open. One that has
 * expired is renamed away first: of two that do that, one succeeds, and looks whether what it got is what had expired. */
#include "launcher/run/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/process/process.h"

#define RENEW_MS 2000
#define EXPIRE_MS 10000
#define LOOKS 20       /* at a lease, until it has expired */
#define TRIES 8        /* of others, who come between */
#define TEXT_BYTES 256 /* of the file, always */
#define HOST_BYTES 65  /* with the zero at its end (gethostname(2)) */

struct lease {
    char *folder, *path;
    char host[HOST_BYTES];
    uint64_t nonce, beat, start_ticks;
    uint64_t origin; /* of process ids: this boot of this machine, and this container of it */
    int64_t renew_ms;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t given_up_changed;
    bool given_up;
};

/* What a lease says of its holder. */
typedef struct holder {
    char text[TEXT_BYTES + 1], host[HOST_BYTES];
    long pid;
    uint64_t origin, start_ticks, nonce;
} holder_t;

static void write_text(const lease_t *lease, char text[TEXT_BYTES + 1])
{
    const int n = snprintf(text, TEXT_BYTES + 1, "%s %ld %016" PRIx64 " %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", lease->host,
                           (long)getpid(), lease->origin, lease->start_ticks, lease->nonce, lease->beat);
    memset(text + n - 1, ' ', (size_t)(TEXT_BYTES - n));
    text[TEXT_BYTES - 1] = '\n';
    text[TEXT_BYTES] = 0;
}

/* False: there is none, with errno. */
static bool read_holder(const char *path, holder_t *out)
{
    *out = (holder_t){.pid = -1};
    const int fd = file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    const ssize_t n = pread(fd, out->text, TEXT_BYTES, 0);
    const int error = errno;
    close(fd);
    errno = error;
    if (n < 0)
        return false;
    if (sscanf(out->text, "%64s %ld %" SCNx64 " %" SCNu64 " %" SCNx64, out->host, &out->pid, &out->origin, &out->start_ticks,
               &out->nonce) != 5)
        snprintf(out->host, sizeof out->host, "?");
    return true;
}

/* Returns 0 or errno. */
static int write_file(const lease_t *lease, const char *path, int flags)
{
    char text[TEXT_BYTES + 1];
    write_text(lease, text);
    const int fd = file_open(path, O_WRONLY | flags, 0666);
    if (fd < 0)
        return errno;
    int error = pwrite(fd, text, TEXT_BYTES, 0) == TEXT_BYTES ? 0 : errno ? errno : EIO;
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

/* ---- take --------------------------------------------------------------------------------------------------------------- */

static status_t in_use(const lease_t *lease, const holder_t *by)
{
    return FAIL(ST_INPUT, "%s is in use by another smelter job, of process %ld on %s; wait for it or choose another --out",
                lease->folder, by->pid, by->host);
}

/* On this host a holder that has ended is seen at once, as is one that runs. */
static bool is_known(const lease_t *lease, const holder_t *holder, bool *runs)
{
    process_t process;
    if (holder->origin != lease->origin || holder->pid <= 0)
        return false;
    *runs = process_read((pid_t)holder->pid, &process) && process.state != 'Z' && process.start_ticks == holder->start_ticks;
    return true;
}

static void wait_ms(int64_t ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Has the lease found expired? A pause of this process counts as one look. *gone: its holder has given it up. */
static status_t watch(const lease_t *lease, const holder_t *found, int64_t expire_ms, bool *gone)
{
    holder_t now;
    bool runs;
    *gone = false;
    if (is_known(lease, found, &runs))
        return runs ? in_use(lease, found) : ST_OK;
    log_info("%s has the lease of a job on %s, process %ld; looking for %.1f s whether it is renewed", lease->folder,
             found->host, found->pid, (double)expire_ms * 1e-3);
    for (int i = 0; i < LOOKS; i++) {
        wait_ms(expire_ms / LOOKS);
        if (!read_holder(lease->path, &now)) {
            *gone = true;
            return ST_OK;
        }
        if (strcmp(now.text, found->text) != 0)
            return in_use(lease, &now);
    }
    return ST_OK;
}

/* Remove a lease that has expired, unless somebody was faster. */
static status_t remove_expired(const lease_t *lease, const holder_t *expired)
{
    char *aside = mem_printf("%s.%016" PRIx64 ".old", lease->path, lease->nonce);
    holder_t got;
    status_t status = ST_OK;
    if (rename(lease->path, aside) == 0 && read_holder(aside, &got) && strcmp(got.text, expired->text) != 0 &&
        link(aside, lease->path) == 0)
        status = in_use(lease, &got);
    unlink(aside);
    mem_free(aside);
    return status;
}

/* Link the own file to the lease's name. Returns 0, EEXIST or another errno. */
static int link_own(const lease_t *lease)
{
    char *own = mem_printf("%s.%016" PRIx64, lease->path, lease->nonce);
    struct stat facts;
    int error = write_file(lease, own, O_CREAT | O_TRUNC);
    if (!error && link(own, lease->path) != 0) {
        error = errno;
        if (stat(own, &facts) == 0 && facts.st_nlink == 2)
            error = 0;
    }
    unlink(own);
    mem_free(own);
    return error;
}

static status_t take(const lease_t *lease, int64_t expire_ms)
{
    for (int i = 0; i < TRIES; i++) {
        holder_t found;
        bool gone;
        const int error = link_own(lease);
        if (!error)
            return ST_OK;
        if (error != EEXIST)
            return FAIL(file_blame(error), "%s: cannot be made: %s; make the folder writable or choose another --out",
                        lease->path, strerror(error));
        if (!read_holder(lease->path, &found))
            continue;
        TRY(watch(lease, &found, expire_ms, &gone));
        if (!gone) {
            log_info("%s: took over the lease of process %ld on %s, which did not renew it", lease->folder, found.pid,
                     found.host);
            TRY(remove_expired(lease, &found));
        }
    }
    return FAIL(ST_INPUT, "%s: other jobs take its lease in turns; choose another --out", lease->folder);
}

/* ---- keep --------------------------------------------------------------------------------------------------------------- */

static void renew(lease_t *lease)
{
    holder_t now;
    if (read_holder(lease->path, &now) && now.nonce == lease->nonce) {
        lease->beat++;
        const int error = write_file(lease, lease->path, 0);
        if (error)
            log_warn("%s: cannot be renewed: %s", lease->path, strerror(error));
        return;
    }
    if (now.pid < 0 && errno != ENOENT) {
        log_warn("%s: cannot be read: %s", lease->path, strerror(errno));
        return;
    }
    if (now.pid < 0)
        log_error("%s was removed, so that another job may have %s: this one ends at once", lease->path, lease->folder);
    else
        log_error("%s was taken over by process %ld on %s, as this job did not renew its lease in time: it ends at once",
                  lease->folder, now.pid, now.host);
    kill(getpid(), SIGKILL);
}

static void *keep(void *argument)
{
    lease_t *lease = argument;
    pthread_mutex_lock(&lease->mutex);
    while (!lease->given_up) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        const int64_t at_ns = until.tv_nsec + lease->renew_ms % 1000 * 1000000;
        until.tv_sec += lease->renew_ms / 1000 + at_ns / 1000000000;
        until.tv_nsec = at_ns % 1000000000;
        if (pthread_cond_timedwait(&lease->given_up_changed, &lease->mutex, &until) == ETIMEDOUT && !lease->given_up) {
            pthread_mutex_unlock(&lease->mutex);
            renew(lease);
            pthread_mutex_lock(&lease->mutex);
        }
    }
    pthread_mutex_unlock(&lease->mutex);
    return NULL;
}

static int start(lease_t *lease)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&lease->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lease->given_up_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are the main thread's */
    const int failed = pthread_create(&lease->thread, NULL, keep, lease);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void free_lease(lease_t *lease)
{
    mem_free(lease->folder);
    mem_free(lease->path);
    mem_free(lease);
}

static uint64_t origin_of(const char *host)
{
    char namespace[64] = "", *boot = NULL;
    size_t bytes = 0;
    const ssize_t n = readlink("/proc/self/ns/pid", namespace, sizeof namespace - 1);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    const bool is_read = file && getline(&boot, &bytes, file) > 0;
    char *all = mem_printf("%s %s %s", host, is_read ? boot : "", n > 0 ? namespace : "");
    const uint64_t origin = hash64(all, strlen(all), 0);
    mem_free(all);
    free(boot);
    if (file)
        fclose(file);
    return origin;
}

status_t lease_take(const char *folder, lease_times_t times, lease_t **out)
{
    lease_t *lease = MEM_NEW(lease_t);
    process_t self;
    lease->folder = mem_strdup(folder);
    lease->path = run_path(folder, FILE_LEASE);
    lease->renew_ms = times.renew_ms ? times.renew_ms : RENEW_MS;
    lease->start_ticks = process_read(getpid(), &self) ? self.start_ticks : 0;
    status_t status;
    if (gethostname(lease->host, sizeof lease->host - 1) != 0 || getrandom(&lease->nonce, sizeof lease->nonce, 0) < 0)
        TRY_DONE(FAIL(ST_SYSTEM, "the kernel gives no host name, or no random number: %m"));
    lease->origin = origin_of(lease->host);
    TRY_DONE(take(lease, times.expire_ms ? times.expire_ms : EXPIRE_MS));
    if (start(lease) != 0) {
        unlink(lease->path);
        TRY_DONE(FAIL(ST_SYSTEM, "%s: no thread can be started that renews its lease", folder));
    }
    *out = lease;
    lease = NULL;
done:
    if (lease)
        free_lease(lease);
    return status;
}

void lease_give_up(lease_t **lease)
{
    lease_t *l = *lease;
    holder_t now;
    if (!l)
        return;
    pthread_mutex_lock(&l->mutex);
    l->given_up = true;
    pthread_cond_signal(&l->given_up_changed);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->mutex);
    pthread_cond_destroy(&l->given_up_changed);
    if (read_holder(l->path, &now) && now.nonce == l->nonce)
        unlink(l->path);
    free_lease(l);
    *lease = NULL;
}
