#include "common/process/time_limit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"

struct time_limit {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopped;
    double seconds;
    const char *text;
};

static struct timespec later(double seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)seconds;
    at.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void *watch(void *context)
{
    time_limit_t *limit = context;
    const struct timespec at = later(limit->seconds);
    int code = 0;
    pthread_mutex_lock(&limit->lock);
    while (!limit->stopped && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&limit->changed, &limit->lock, &at);
    if (!limit->stopped) {
        log_error("%s", limit->text);
        _exit(1);
    }
    pthread_mutex_unlock(&limit->lock);
    return NULL;
}

time_limit_t *time_limit_start(double seconds, const char *text)
{
    time_limit_t *limit = MEM_NEW(time_limit_t);
    pthread_condattr_t monotonic;
    sigset_t all, before;
    limit->seconds = seconds;
    limit->text = text;
    pthread_mutex_init(&limit->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&limit->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&limit->thread, NULL, watch, limit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return limit;
    mem_free(limit);
    return NULL;
}

void time_limit_stop(time_limit_t **out)
{
    time_limit_t *limit = *out;
    if (!limit)
        return;
    pthread_mutex_lock(&limit->lock);
    limit->stopped = true;
    pthread_cond_signal(&limit->changed);
    pthread_mutex_unlock(&limit->lock);
    pthread_join(limit->thread, NULL);
    pthread_cond_destroy(&limit->changed);
    pthread_mutex_destroy(&limit->lock);
    mem_free(limit);
    *out = NULL;
}
