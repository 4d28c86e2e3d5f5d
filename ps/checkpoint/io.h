/* io.h - the thread that does a shard's slow disk work, one job after the other, so that the shard's own never waits for a
 * disk.
 *
 * Where there may be no thread (simulations), jobs are run one at a time by the caller of io_step. */
#ifndef SMELTER_IO_H
#define SMELTER_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct io io_t;

/* A job. What it owns it must release even where a job before it failed: every job is run, exactly once. */
typedef status_t io_job_fn(void *context, void *argument);

/* io_create - threaded: start the thread, at low priority. ST_SYSTEM: the limit on threads. **owned**: io_destroy, which waits
 * for all jobs. */
WARN_UNUSED status_t io_create(bool threaded, io_t **out);
void io_destroy(io_t **io);

/* io_put - a job to run after those before it. One thread, the owner's, or from inside a job. */
void io_put(io_t *io, io_job_fn *job, void *context, void *argument);

/* io_waiting - jobs that are not done. What done jobs wrote is visible to the caller. */
int64_t io_waiting(io_t *io);

/* io_status - what the first job that failed said; ST_OK: none did. */
status_t io_status(io_t *io);

/* io_step - without a thread: run the next job, if any; with one: nothing. */
void io_step(io_t *io);

#endif
