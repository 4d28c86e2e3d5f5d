/* status.h - the one error idiom of the project.
 *
 * Every function that can fail returns status_t. An operating error is logged once, where it is detected, by FAIL(),
 * with the value seen and what to do; callers forward it with TRY(). Outputs are written only on success.
 * Steps in a row, of which each needs the one before it, are one TRY() each, or one TRY_DONE() each where something is to
 * be cleaned up at the end: no chain of `if (status == ST_OK) status = ...`.
 * ASSERT() is for our own bugs: always on, names the place, and ends the process through a hook, so that a run
 * under MPI stops on all ranks.                                                                                  */
#ifndef SMELTER_STATUS_H
#define SMELTER_STATUS_H

#include <stddef.h>
#include <stdint.h>

/* Grouped by how far the damage goes. */
typedef enum status {
    ST_OK = 0,
    ST_INPUT,     /* what a person gave is wrong: config, data, command line; the exit code is 2 */
    ST_MESSAGE,   /* one message from a peer is wrong and was refused; state is unchanged */
    ST_PEER,      /* a peer is dead, silent or incompatible */
    ST_TIMEOUT,   /* a deadline passed; the caller decides who is to blame */
    ST_SYSTEM,    /* the operating system refused: memory, disk, network */
    ST_CORRUPT,   /* stored data fails its checksum or its structure */
    ST_STOPPED,   /* a person or the coordinator asked to stop; not an error */
    ST_DIFFERENT, /* what was compared is not the same, or nothing fulfils what was asked; not an error */
} status_t;

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Forward an error. */
#define TRY(expr) \
    do { \
        status_t try_status_ = (expr); \
        if (try_status_ != ST_OK) \
            return try_status_; \
    } while (0)

/* Forward an error to the function's single `done:` label; needs a local `status_t status`. */
#define TRY_DONE(expr) \
    do { \
        status = (expr); \
        if (status != ST_OK) \
            goto done; \
    } while (0)

/* Log one error line and yield the status: `return FAIL(ST_INPUT, "%s:%d: ...", file, line);` */
#define FAIL(status, ...) status_fail((status), __VA_ARGS__)
status_t status_fail(status_t status, const char *format, ...) PRINTF_LIKE(2, 3);

/* status_reason - what the last FAIL of this process said, whichever thread it was in; empty where nothing has failed, cut
 * where it does not fit. For a process that leaves and tells another one why. */
#define STATUS_REASON_BYTES 480
void status_reason(char out[STATUS_REASON_BYTES]);

/* Yield ST_MESSAGE for a message that does not fit, with the reason: `return REFUSE("worker %d ...", worker);` Nothing is
 * logged and nothing has changed: who gave the message to be looked at refuses it with status_refusal, what this thread said
 * last. */
#define REFUSE(...) status_refuse(__VA_ARGS__)
status_t status_refuse(const char *format, ...) PRINTF_LIKE(1, 2);
const char *status_refusal(void);

/* status_name - short lower-case word for a status. */
const char *status_name(status_t status);

/* status_exit_code - 0 for ST_OK, 2 for ST_INPUT, 3 for ST_STOPPED, 1 otherwise. */
int status_exit_code(status_t status);

#define ASSERT(cond) \
    do { \
        if (__builtin_expect(!(cond), 0)) \
            status_assert_failed(#cond, __FILE__, __LINE__, __func__); \
    } while (0)
void status_assert_failed(const char *cond, const char *file, int line, const char *func) __attribute__((noreturn));

/* status_set_abort_hook - called (once) by a failing ASSERT before abort(); the cluster module sets it to MPI_Abort. */
void status_set_abort_hook(void (*hook)(void));

#endif
