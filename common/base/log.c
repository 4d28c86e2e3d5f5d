#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/printable.h"
#include "common/base/terminal.h"

static log_level_t threshold = LOG_INFO;
static char role_name[96] = "smelter";
static log_sink_fn *sink_fn;
static void *sink_context;

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

void log_set_role(const char *role)
{
    snprintf(role_name, sizeof role_name, "%s", role);
}

const char *log_role(void)
{
    return role_name;
}

void log_set_level(log_level_t level)
{
    threshold = level;
}

status_t log_level_from_environment(void)
{
    const char *value = getenv("SMELTER_LOG");
    if (!value || !*value)
        return ST_OK;
    for (int level = LOG_ERROR; level <= LOG_TRACE; level++)
        if (strcmp(value, level_names[level]) == 0) {
            threshold = (log_level_t)level;
            return ST_OK;
        }
    return FAIL(ST_INPUT, "SMELTER_LOG is \"%s\"; it must be error, warn, info, debug or trace", value);
}

log_level_t log_level(void)
{
    return threshold;
}

bool log_enabled(log_level_t level)
{
    return level <= threshold;
}

void log_set_sink(log_sink_fn *sink, void *context)
{
    sink_fn = sink;
    sink_context = context;
}

log_sink_fn *log_get_sink(void **context)
{
    *context = sink_context;
    return sink_fn;
}

const char *log_line_start(void)
{
    const char *progress = getenv("SMELTER_PROGRESS");
    return progress && strcmp(progress, "tty") == 0 ? LOG_CLEAR_LINE : "";
}

void log_vwrite(log_level_t level, const char *format, va_list args)
{
    if (!log_enabled(level))
        return;
    char raw[2048], text[4 * sizeof raw];
    vsnprintf(raw, sizeof raw, format, args);
    printable_put(text, sizeof text, raw, strlen(raw)); /* values and names of files may hold anything */
    if (sink_fn) {
        sink_fn(sink_context, level, text);
        return;
    }
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    char line[sizeof text + 256];
    int length = snprintf(line, sizeof line, "%s%02d:%02d:%02d.%03ld %s: %s%s%s\n", log_line_start(), local.tm_hour,
                          local.tm_min, local.tm_sec, now.tv_nsec / 1000000, role_name,
                          level == LOG_INFO ? "" : level_names[level], level == LOG_INFO ? "" : ": ", text);
    if (length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    ssize_t written;
    if (terminal_is_own(STDERR_FILENO)) {
        char shown[2 * sizeof line];
        const size_t bytes = terminal_log_line(shown, sizeof shown, line, (size_t)length, terminal_width(STDERR_FILENO),
                                               terminal_has_colour(STDERR_FILENO));
        written = write(STDERR_FILENO, shown, bytes);
    } else {
        written = write(STDERR_FILENO, line, (size_t)length);
    }
    (void)written; /* there is nowhere left to report a failing standard error */
}

void log_write(log_level_t level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vwrite(level, format, args);
    va_end(args);
}
