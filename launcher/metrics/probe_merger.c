#include "launcher/metrics/probe_merger.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"

/* A step that some workers have told of, and others have not. */
typedef struct open_probe {
    int64_t step, taken;
    int heard;      /* workers */
    float *p;       /* [examples] */
    bool *taken_at; /* [examples] */
} open_probe_t;

struct probe_merger {
    run_events_t *events;
    int workers;
    int64_t examples;
    int64_t *last;      /* [workers] the step that it told of last; -1: none */
    open_probe_t *open; /* [n], ascending steps */
    int n;
    size_t capacity;
};

probe_merger_t *probe_merger_create(run_events_t *events, int workers, int64_t examples)
{
    probe_merger_t *m = MEM_NEW(probe_merger_t);
    m->events = events;
    m->workers = workers;
    m->examples = examples;
    m->last = MEM_ARRAY(int64_t, workers);
    for (int w = 0; w < workers; w++)
        m->last[w] = -1;
    return m;
}

static void close_first(probe_merger_t *m)
{
    mem_free(m->open[0].p);
    mem_free(m->open[0].taken_at);
    m->n--;
    memmove(m->open, m->open + 1, (size_t)m->n * sizeof *m->open);
}

void probe_merger_destroy(probe_merger_t **merger)
{
    probe_merger_t *m = *merger;
    if (!m)
        return;
    while (m->n)
        close_first(m);
    mem_free(m->open);
    mem_free(m->last);
    mem_free(m);
    *merger = NULL;
}

/* The place of a step, made where this worker is the first to tell of it. */
static open_probe_t *place_of(probe_merger_t *m, int64_t step)
{
    int at = m->n;
    while (at > 0 && m->open[at - 1].step >= step)
        at--;
    if (at < m->n && m->open[at].step == step)
        return &m->open[at];
    MEM_GROW(m->open, m->capacity, (size_t)m->n + 1);
    memmove(m->open + at + 1, m->open + at, (size_t)(m->n - at) * sizeof *m->open);
    m->n++;
    m->open[at] = (open_probe_t){.step = step, .p = MEM_ARRAY(float, m->examples), .taken_at = MEM_ARRAY(bool, m->examples)};
    return &m->open[at];
}

static status_t take(const probe_merger_t *m, open_probe_t *probe, int worker, const net_message_t *message)
{
    const float *p = message->frame[0].data;
    const int64_t *number = message->frame[1].data;
    for (int64_t i = 0; i < message->header.count; i++) {
        if (number[i] < 0 || number[i] >= m->examples || probe->taken_at[number[i]])
            return FAIL(ST_MESSAGE,
                        "worker %d predicted example %" PRId64 " of a probe set of %" PRId64 " before step %" PRId64 "%s",
                        worker, number[i], m->examples, probe->step,
                        number[i] < 0 || number[i] >= m->examples ? "" : ", as another has");
        probe->p[number[i]] = p[i];
        probe->taken_at[number[i]] = true;
    }
    probe->taken += message->header.count;
    probe->heard++;
    return ST_OK;
}

static status_t emit_complete(probe_merger_t *m)
{
    while (m->n && m->open[0].heard == m->workers) {
        const open_probe_t *probe = &m->open[0];
        if (probe->taken != m->examples)
            return FAIL(ST_MESSAGE, "%" PRId64 " of %" PRId64 " examples of the probe set were predicted before step %" PRId64,
                        probe->taken, m->examples, probe->step);
        TRY(run_events_emit(m->events, &(run_event_t){.kind = EVENT_PROBE, .probe = {probe->step, probe->p, m->examples}}));
        close_first(m);
    }
    return ST_OK;
}

status_t probe_merger_put(probe_merger_t *m, int worker, const net_message_t *message)
{
    const int64_t step = message->header.step;
    ASSERT(worker >= 0 && worker < m->workers);
    if (step <= m->last[worker])
        return FAIL(ST_MESSAGE, "worker %d sent a probe before step %" PRId64 ", after one before step %" PRId64, worker, step,
                    m->last[worker]);
    m->last[worker] = step;
    TRY(take(m, place_of(m, step), worker, message));
    return emit_complete(m);
}
