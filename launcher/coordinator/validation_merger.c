#include "launcher/coordinator/validation_merger.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/metrics.h"
#include "launcher/run/run_result.h"

/* A step that some workers have told of, and others have not. */
typedef struct open_validation {
    int64_t step;
    int heard; /* workers */
    float *p;  /* [examples], as the next two */
    uint8_t *label;
    uint64_t *group;
} open_validation_t;

struct validation_merger {
    validation_merger_options_t o;
    early_stopping_t state;
    int64_t last;
    int64_t *next;           /* [workers] the step that it tells of next */
    open_validation_t *open; /* [n], ascending steps */
    int n;
    size_t capacity;
};

validation_merger_t *validation_merger_create(const validation_merger_options_t *options)
{
    validation_merger_t *m = MEM_NEW(validation_merger_t);
    ASSERT(options->period > 0 && options->workers > 0 && options->chunk > 0);
    m->o = *options;
    m->state = (early_stopping_t){.patience = options->patience, .min_delta = options->min_delta};
    m->next = MEM_ARRAY(int64_t, options->workers);
    const int64_t before = options->first > 0 ? options->first - 1 : 0;
    for (int w = 0; w < options->workers; w++)
        m->next[w] = (before / options->period + 1) * options->period;
    return m;
}

static void close_first(validation_merger_t *m)
{
    mem_free(m->open[0].p);
    mem_free(m->open[0].label);
    mem_free(m->open[0].group);
    m->n--;
    memmove(m->open, m->open + 1, (size_t)m->n * sizeof *m->open);
}

void validation_merger_destroy(validation_merger_t **merger)
{
    validation_merger_t *m = *merger;
    if (!m)
        return;
    while (m->n)
        close_first(m);
    mem_free(m->open);
    mem_free(m->next);
    mem_free(m);
    *merger = NULL;
}

/* The lower the better. */
static double looked_at(const validation_merger_t *m, const validation_point_t *point)
{
    static const int number[] = {
        [VALIDATED_LOGLOSS] = VALIDATION_logloss,
        [VALIDATED_AUC] = VALIDATION_auc_loss,
        [VALIDATED_AUC_LOSS] = VALIDATION_auc_loss,
        [VALIDATED_PQAUC_LOSS] = VALIDATION_pqauc_loss,
        [VALIDATED_NORMALISED_ENTROPY] = VALIDATION_normalised_entropy,
    };
    return point->number[number[m->o.metric]];
}

void validation_merger_before(validation_merger_t *m, const validation_point_t *point)
{
    early_stopping_put(&m->state, point->step, looked_at(m, point));
}

static status_t measure(validation_merger_t *m, int64_t step, const float *p, const uint8_t *label, uint64_t *group)
{
    quality_t quality = {0};
    run_result_evaluate(&quality, p, label, group, m->o.examples);
    const validation_point_t point = {.step = step,
                                      .examples = m->o.examples,
                                      .number = {
#define PUT(name) [VALIDATION_##name] = quality.name,
                                          VALIDATION_METRICS(PUT)
#undef PUT
                                      }};
    m->last = step;
    const bool is_best = early_stopping_put(&m->state, step, looked_at(m, &point));
    const event_validation_t told = {&point, is_best && m->o.patience};
    TRY(run_events_emit(m->o.events, &(run_event_t){.kind = EVENT_VALIDATION, .validation = told}));
    return run_events_emit(
        m->o.events, &(run_event_t){.kind = EVENT_NUMBER, .number = {"evaluation logloss", point.number[VALIDATION_logloss]}});
}

status_t validation_merger_final(validation_merger_t *m, const float *p, const uint8_t *label, uint64_t *group)
{
    return measure(m, m->o.end, p, label, m->o.has_group ? group : NULL);
}

/* The place of a step, made where this worker is the first to tell of it. */
static open_validation_t *place_of(validation_merger_t *m, int64_t step)
{
    int at = m->n;
    while (at > 0 && m->open[at - 1].step >= step)
        at--;
    if (at < m->n && m->open[at].step == step)
        return &m->open[at];
    MEM_GROW(m->open, m->capacity, (size_t)m->n + 1);
    memmove(m->open + at + 1, m->open + at, (size_t)(m->n - at) * sizeof *m->open);
    m->n++;
    m->open[at] = (open_validation_t){.step = step,
                                      .p = MEM_ARRAY(float, m->o.examples),
                                      .label = MEM_ARRAY(uint8_t, m->o.examples),
                                      .group = MEM_ARRAY(uint64_t, m->o.examples)};
    return &m->open[at];
}

/* The chunks of a worker, from its message to their places; how many examples that are. */
static int64_t spread(const validation_merger_t *m, int worker, const net_message_t *message, open_validation_t *to)
{
    int64_t at = 0;
    for (int64_t first = worker * m->o.chunk; first < m->o.examples; first += m->o.workers * m->o.chunk) {
        const int64_t left = m->o.examples - first, n = left < m->o.chunk ? left : m->o.chunk;
        if (to) {
            memcpy(to->p + first, (const float *)message->frame[0].data + at, (size_t)n * sizeof *to->p);
            memcpy(to->label + first, (const uint8_t *)message->frame[1].data + at, (size_t)n);
            if (message->frame[2].bytes)
                memcpy(to->group + first, (const uint64_t *)message->frame[2].data + at, (size_t)n * sizeof *to->group);
        }
        at += n;
    }
    return at;
}

status_t validation_merger_put(validation_merger_t *m, int worker, const net_message_t *message)
{
    const int64_t step = message->header.step, share = spread(m, worker, message, NULL);
    ASSERT(worker >= 0 && worker < m->o.workers);
    if (step != m->next[worker] || step >= m->o.end)
        return REFUSE("an evaluation before step %" PRId64 " came; worker %d's next one is before step %" PRId64, step, worker,
                      m->next[worker]);
    if (message->header.count != share || (share && m->o.has_group && !message->frame[2].bytes))
        return REFUSE("%" PRId64 " examples were evaluated before step %" PRId64 "; worker %d has %" PRId64,
                      message->header.count, step, worker, share);
    if (!metrics_are_labels(message->frame[1].data, share))
        return REFUSE("a label is neither 0 nor 1");
    open_validation_t *open = place_of(m, step);
    spread(m, worker, message, open);
    open->heard++;
    m->next[worker] += m->o.period;
    while (m->n && m->open[0].heard == m->o.workers) {
        const open_validation_t *whole = &m->open[0];
        TRY(measure(m, whole->step, whole->p, whole->label, m->o.has_group ? whole->group : NULL));
        close_first(m);
    }
    return ST_OK;
}

const early_stopping_t *validation_merger_state(const validation_merger_t *m)
{
    return &m->state;
}

int64_t validation_merger_last(const validation_merger_t *m)
{
    return m->last;
}
