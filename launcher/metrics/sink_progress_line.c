/* The live line (progress.h), which a person sees. It gives way to what is said in the log. */
#include "launcher/metrics/run_events.h"

static void *create(progress_t *line)
{
    return line;
}

static status_t take(void *sink, const run_event_t *event)
{
    progress_t *line = sink;
    if (event->kind == EVENT_BEGIN)
        progress_start(line, event->begin.run, event->now_ns);
    else if (event->kind == EVENT_NUMBER)
        progress_number(line, event->number.name, event->number.value);
    else if (event->kind == EVENT_PROGRESS)
        progress_update(line, event->progress.step, event->progress.examples, event->now_ns);
    else if (event->kind == EVENT_END)
        progress_finish(line, event->now_ns);
    else if (event->kind == EVENT_TROUBLE || event->kind == EVENT_STOPPED)
        progress_clear(line);
    return ST_OK;
}

static void destroy(void *sink)
{
    (void)sink; /* the job's */
}

const event_sink_t sink_progress_line = {create, take, destroy};
