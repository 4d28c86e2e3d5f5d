/* log.h - one line per event on standard error: time, role, text.
 *
 * error = cannot go on, warn = went on, info = a few lines per run phase, debug = per object, trace = per message.
 * The threshold comes from SMELTER_LOG (error|warn|info|debug|trace), default info. Lines are written with one
 * write call, so lines of several threads and ranks never mix.                                                   */
#ifndef SMELTER_LOG_H
#define SMELTER_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "common/base/status.h"

typedef enum log_level { LOG_NONE = -1, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE } log_level_t;

/* log_set_role - the name that every line of this process carries ("worker 1 on node2"); copied, at most 95 bytes. */
void log_set_role(const char *role);
const char *log_role(void);

/* log_set_level / log_level_from_environment - threshold. A bad value of SMELTER_LOG is ST_INPUT. */
void log_set_level(log_level_t level); /* LOG_NONE silences everything */
log_level_t log_level(void);
WARN_UNUSED status_t log_level_from_environment(void);
bool log_enabled(log_level_t level);

/* log_set_sink - redirect complete lines (without the newline) to a function; NULL restores standard error.
 * The sink gets the level and the bare text, without time and role. Tests use it to assert messages; any thread. */
typedef void log_sink_fn(void *context, log_level_t level, const char *text);
void log_set_sink(log_sink_fn *sink, void *context);
/* log_get_sink - the one in force, NULL for standard error: for who sets another one for a while. */
log_sink_fn *log_get_sink(void **context);

#define LOG_CLEAR_LINE "\r\033[K"
/* log_line_start - what a line begins with on standard error: LOG_CLEAR_LINE where the job has a live line on a terminal, which
 * every rank knows by SMELTER_PROGRESS (launcher/metrics/progress.h), so that nothing of it is left; else nothing. */
const char *log_line_start(void);

/* log_write - one line; a trailing newline is not wanted. On a terminal it is broken between words where it is too wide
 * (terminal.h). What a terminal would act on is escaped (printable.h). Any thread. */
void log_write(log_level_t level, const char *format, ...) PRINTF_LIKE(2, 3);
void log_vwrite(log_level_t level, const char *format, va_list args) PRINTF_LIKE(2, 0);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_write(LOG_TRACE, __VA_ARGS__)

#endif
