/* What the log says of a run that trains. */
#include <inttypes.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "launcher/metrics/run_events.h"

static void *create(progress_t *line)
{
    (void)line;
    return NULL;
}

static status_t take(void *sink, const run_event_t *event)
{
    char step[TEXT_BYTES], rows[TEXT_BYTES];
    (void)sink;
    if (event->kind == EVENT_CHECKPOINT)
        log_info("checkpoint before step %s: %s rows, %.1f MB, %.2f s", text_count(event->checkpoint.step, step),
                 text_count(event->checkpoint.rows, rows), (double)event->checkpoint.bytes * 1e-6, event->checkpoint.seconds);
    else if (event->kind == EVENT_STALL)
        log_warn("the checkpoint before step %" PRId64
                 " waits for %d of %d shards to write their rows, shard %d the first of them; is its disk slow?",
                 event->stall.step, event->stall.missing, event->stall.shards, event->stall.first);
    else if (event->kind == EVENT_STOPPED)
        log_info("saved before step %" PRId64 " and stopped, as a signal asked; --resume goes on from there",
                 event->stopped.step);
    return ST_OK;
}

static void destroy(void *sink)
{
    (void)sink;
}

const event_sink_t sink_log = {create, take, destroy};
