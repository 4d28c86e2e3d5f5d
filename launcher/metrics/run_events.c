#include "launcher/metrics/run_events.h"

#include "common/base/log.h"
#include "common/base/memory.h"

#define SINK(name) &sink_##name,
static const event_sink_t *const sinks[] = {EVENT_SINKS(SINK)};
#undef SINK
#define SINKS (sizeof sinks / sizeof *sinks)

struct run_events {
    void *sink[SINKS];
};

run_events_t *run_events_create(progress_t *line)
{
    run_events_t *events = MEM_NEW(run_events_t);
    for (size_t i = 0; i < SINKS; i++)
        events->sink[i] = sinks[i]->create(line);
    return events;
}

void run_events_destroy(run_events_t **events)
{
    if (!*events)
        return;
    for (size_t i = 0; i < SINKS; i++)
        sinks[i]->destroy((*events)->sink[i]);
    mem_free(*events);
    *events = NULL;
}

status_t run_events_emit(run_events_t *events, const run_event_t *event)
{
    status_t first = ST_OK;
    for (size_t i = 0; events && i < SINKS; i++) {
        const status_t status = sinks[i]->take(events->sink[i], event);
        if (status != ST_OK && (event->kind == EVENT_SYNC || event->kind == EVENT_TRAIN))
            return status; /* a disk that fails would be said once for each file */
        first = first == ST_OK ? status : first;
    }
    return first;
}

void run_events_trouble(run_events_t *events, const char *text)
{
    if (run_events_emit(events, &(run_event_t){.kind = EVENT_TROUBLE, .trouble = {text}}) != ST_OK)
        log_debug("a sink could not take that there is trouble: %s", text);
}
