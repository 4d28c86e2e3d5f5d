#include "common/base/status.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"

static void (*abort_hook)(void);
static pthread_mutex_t reason_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_reason[STATUS_REASON_BYTES];
static _Thread_local char refusal[STATUS_REASON_BYTES];

status_t status_fail(status_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&reason_lock);
    vsnprintf(last_reason, sizeof last_reason, format, args);
    pthread_mutex_unlock(&reason_lock);
    va_end(args);
    va_start(args, format);
    log_vwrite(LOG_ERROR, format, args);
    va_end(args);
    return status;
}

void status_reason(char out[STATUS_REASON_BYTES])
{
    pthread_mutex_lock(&reason_lock);
    snprintf(out, STATUS_REASON_BYTES, "%s", last_reason);
    pthread_mutex_unlock(&reason_lock);
}

status_t status_refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(refusal, sizeof refusal, format, args);
    va_end(args);
    return ST_MESSAGE;
}

const char *status_refusal(void)
{
    return refusal;
}

const char *status_name(status_t status)
{
    static const char *const names[] = {"ok",           "bad input", "bad message", "peer lost", "timeout",
                                        "system error", "corrupt",   "stopped",     "different"};
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "unknown";
}

int status_exit_code(status_t status)
{
    return status == ST_OK ? 0 : status == ST_INPUT ? 2 : status == ST_STOPPED ? 3 : 1;
}

void status_set_abort_hook(void (*hook)(void))
{
    abort_hook = hook;
}

void status_assert_failed(const char *cond, const char *file, int line, const char *func)
{
    log_write(LOG_ERROR, "internal error: %s is false in %s (%s:%d); this is a bug in smelter", cond, func, file, line);
    if (abort_hook) {
        void (*hook)(void) = abort_hook;
        abort_hook = NULL;
        hook();
    }
    abort();
}
