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
    probe_options_t o;
    int64_t *next;      /* [workers] the step that it tells of next */
    open_probe_t *open; /* [n], ascending steps */
    int n;
    size_t capacity;
};

probe_merger_t *probe_merger_create(const probe_options_t *options)
{
    probe_merger_t *m = MEM_NEW(probe_merger_t);
    ASSERT(options->every > 0 && options->workers > 0);
    m->o = *options;
    m->next = MEM_ARRAY(int64_t, options->workers);
    const int64_t before = options->first > 0 ? options->first - 1 : 0;
    for (int w = 0; w < options->workers; w++)
        m->next[w] = (before / options->every + 1) * options->every;
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
    mem_free(m->next);
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
    m->open[at] =
        (open_probe_t){.step = step, .p = MEM_ARRAY(float, m->o.examples), .taken_at = MEM_ARRAY(bool, m->o.examples)};
    return &m->open[at];
}

/* Note which examples the message has: how many, or fewer, and *wrong, where one of them is not of the set or came before. */
static int64_t mark(const probe_merger_t *m, open_probe_t *probe, const int64_t *number, int64_t n, int64_t *wrong)
{
    for (int64_t i = 0; i < n; i++) {
        *wrong = number[i];
        if (number[i] < 0 || number[i] >= m->o.examples || probe->taken_at[number[i]])
            return i;
        probe->taken_at[number[i]] = true;
    }
    return n;
}

static void unmark(open_probe_t *probe, const int64_t *number, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        probe->taken_at[number[i]] = false;
}

static status_t take(const probe_merger_t *m, open_probe_t *probe, const net_message_t *message)
{
    const float *p = message->frame[0].data;
    const int64_t *number = message->frame[1].data, n = message->header.count;
    int64_t wrong = 0;
    const int64_t marked = mark(m, probe, number, n, &wrong);
    const bool is_last = probe->heard + 1 == m->o.workers;
    if (marked < n || (is_last && probe->taken + n != m->o.examples)) {
        unmark(probe, number, marked);
        if (marked < n)
            return REFUSE("example %" PRId64 " of a probe set of %" PRId64 " was predicted before step %" PRId64 "%s", wrong,
                          m->o.examples, probe->step, wrong < 0 || wrong >= m->o.examples ? "" : ", as it was already");
        return REFUSE("%" PRId64 " of %" PRId64 " examples of the probe set were predicted before step %" PRId64,
                      probe->taken + n, m->o.examples, probe->step);
    }
    for (int64_t i = 0; i < n; i++)
        probe->p[number[i]] = p[i];
    probe->taken += n;
    probe->heard++;
    return ST_OK;
}

static status_t emit_complete(probe_merger_t *m)
{
    while (m->n && m->open[0].heard == m->o.workers) {
        const open_probe_t *probe = &m->open[0];
        TRY(run_events_emit(m->o.events, &(run_event_t){.kind = EVENT_PROBE, .probe = {probe->step, probe->p, m->o.examples}}));
        close_first(m);
    }
    return ST_OK;
}

status_t probe_merger_put(probe_merger_t *m, int worker, const net_message_t *message)
{
    const int64_t step = message->header.step;
    ASSERT(worker >= 0 && worker < m->o.workers);
    if (step != m->next[worker] || step >= m->o.end)
        return REFUSE("a probe before step %" PRId64 " came; worker %d's next one is before step %" PRId64, step, worker,
                      m->next[worker]);
    TRY(take(m, place_of(m, step), message));
    m->next[worker] += m->o.every;
    return emit_complete(m);
}
