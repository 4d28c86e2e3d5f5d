#include "launcher/metrics/probe_merger.h"

#include <inttypes.h>

#include "common/base/memory.h"
#include "launcher/metrics/open_steps.h"

/* What workers have told of a step. */
typedef struct gathered_probe {
    int64_t taken;
    float *p;       /* [examples] */
    bool *taken_at; /* [examples] */
} gathered_probe_t;

struct probe_merger {
    probe_options_t o;
    open_steps_t *steps;
};

static void *create_probe(const void *context)
{
    const probe_options_t *o = context;
    gathered_probe_t *probe = MEM_NEW(gathered_probe_t);
    *probe = (gathered_probe_t){.p = MEM_ARRAY(float, o->examples), .taken_at = MEM_ARRAY(bool, o->examples)};
    return probe;
}

static void destroy_probe(void *gathered)
{
    gathered_probe_t *probe = gathered;
    mem_free(probe->p);
    mem_free(probe->taken_at);
    mem_free(probe);
}

probe_merger_t *probe_merger_create(const probe_options_t *options)
{
    probe_merger_t *m = MEM_NEW(probe_merger_t);
    m->o = *options;
    m->steps = open_steps_create(&(open_steps_options_t){.what = "a probe",
                                                         .workers = options->workers,
                                                         .period = options->every,
                                                         .first = options->first,
                                                         .end = options->end,
                                                         .create = create_probe,
                                                         .destroy = destroy_probe,
                                                         .context = &m->o});
    return m;
}

void probe_merger_destroy(probe_merger_t **merger)
{
    if (!*merger)
        return;
    open_steps_destroy(&(*merger)->steps);
    mem_free(*merger);
    *merger = NULL;
}

/* Note which examples the message has: how many, or fewer, and *wrong, where one of them is not of the set or came before. */
static int64_t mark(const probe_merger_t *m, gathered_probe_t *probe, const int64_t *number, int64_t n, int64_t *wrong)
{
    for (int64_t i = 0; i < n; i++) {
        *wrong = number[i];
        if (number[i] < 0 || number[i] >= m->o.examples || probe->taken_at[number[i]])
            return i;
        probe->taken_at[number[i]] = true;
    }
    return n;
}

static void unmark(gathered_probe_t *probe, const int64_t *number, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        probe->taken_at[number[i]] = false;
}

static status_t take(const probe_merger_t *m, const open_step_t *at, const net_message_t *message)
{
    gathered_probe_t *probe = at->gathered;
    const float *p = message->frame[0].data;
    const int64_t *number = message->frame[1].data, n = message->header.count;
    int64_t wrong = 0;
    const int64_t marked = mark(m, probe, number, n, &wrong);
    const bool is_last = at->heard + 1 == m->o.workers;
    if (marked < n || (is_last && probe->taken + n != m->o.examples)) {
        unmark(probe, number, marked);
        if (marked < n)
            return REFUSE("example %" PRId64 " of a probe set of %" PRId64 " was predicted before step %" PRId64 "%s", wrong,
                          m->o.examples, at->step, wrong < 0 || wrong >= m->o.examples ? "" : ", as it was already");
        return REFUSE("%" PRId64 " of %" PRId64 " examples of the probe set were predicted before step %" PRId64,
                      probe->taken + n, m->o.examples, at->step);
    }
    for (int64_t i = 0; i < n; i++)
        probe->p[number[i]] = p[i];
    probe->taken += n;
    return ST_OK;
}

static status_t emit_complete(probe_merger_t *m)
{
    const open_step_t *whole;
    while ((whole = open_steps_whole(m->steps))) {
        const gathered_probe_t *probe = whole->gathered;
        TRY(run_events_emit(m->o.events, &(run_event_t){.kind = EVENT_PROBE, .probe = {whole->step, probe->p, m->o.examples}}));
        open_steps_close(m->steps);
    }
    return ST_OK;
}

status_t probe_merger_put(probe_merger_t *m, int worker, const net_message_t *message)
{
    TRY(open_steps_expect(m->steps, worker, message->header.step));
    open_step_t *at = open_steps_at(m->steps, message->header.step);
    TRY(take(m, at, message));
    open_steps_put(m->steps, worker, at);
    return emit_complete(m);
}
