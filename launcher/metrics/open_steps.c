#include "launcher/metrics/open_steps.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/memory.h"

struct open_steps {
    open_steps_options_t o;
    int64_t *next;     /* [workers] the step that each tells of next */
    open_step_t *open; /* [n], ascending steps */
    int n;
    size_t capacity;
};

open_steps_t *open_steps_create(const open_steps_options_t *options)
{
    open_steps_t *s = MEM_NEW(open_steps_t);
    ASSERT(options->period > 0 && options->workers > 0);
    s->o = *options;
    s->next = MEM_ARRAY(int64_t, options->workers);
    const int64_t before = options->first > 0 ? options->first - 1 : 0;
    for (int w = 0; w < options->workers; w++)
        s->next[w] = (before / options->period + 1) * options->period;
    return s;
}

void open_steps_close(open_steps_t *s)
{
    ASSERT(s->n > 0);
    s->o.destroy(s->open[0].gathered);
    s->n--;
    memmove(s->open, s->open + 1, (size_t)s->n * sizeof *s->open);
}

void open_steps_destroy(open_steps_t **steps)
{
    open_steps_t *s = *steps;
    if (!s)
        return;
    while (s->n)
        open_steps_close(s);
    mem_free(s->open);
    mem_free(s->next);
    mem_free(s);
    *steps = NULL;
}

status_t open_steps_expect(const open_steps_t *s, int worker, int64_t step)
{
    ASSERT(worker >= 0 && worker < s->o.workers);
    return step == s->next[worker] && step < s->o.end
               ? ST_OK
               : REFUSE("%s before step %" PRId64 " came; worker %d's next one is before step %" PRId64, s->o.what, step,
                        worker, s->next[worker]);
}

open_step_t *open_steps_at(open_steps_t *s, int64_t step)
{
    int at = s->n;
    while (at > 0 && s->open[at - 1].step >= step)
        at--;
    if (at < s->n && s->open[at].step == step)
        return &s->open[at];
    MEM_GROW(s->open, s->capacity, (size_t)s->n + 1);
    memmove(s->open + at + 1, s->open + at, (size_t)(s->n - at) * sizeof *s->open);
    s->n++;
    s->open[at] = (open_step_t){.step = step, .gathered = s->o.create(s->o.context)};
    return &s->open[at];
}

void open_steps_put(open_steps_t *s, int worker, open_step_t *at)
{
    ASSERT(at->step == s->next[worker] && at->heard < s->o.workers);
    at->heard++;
    s->next[worker] += s->o.period;
}

const open_step_t *open_steps_whole(const open_steps_t *s)
{
    return s->n && s->open[0].heard == s->o.workers ? &s->open[0] : NULL;
}
