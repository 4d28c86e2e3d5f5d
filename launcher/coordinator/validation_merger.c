#include "launcher/coordinator/validation_merger.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/metrics.h"
#include "launcher/metrics/open_steps.h"
#include "launcher/run/run_result.h"

/* What workers have told of a step; all [examples]. */
typedef struct gathered_validation {
    float *p;
    uint8_t *label;
    uint64_t *group;
} gathered_validation_t;

struct validation_merger {
    validation_merger_options_t o;
    early_stopping_t state;
    int64_t last;
    open_steps_t *steps;
};

static void *create_validation(const void *context)
{
    const validation_merger_options_t *o = context;
    gathered_validation_t *gathered = MEM_NEW(gathered_validation_t);
    *gathered = (gathered_validation_t){.p = MEM_ARRAY(float, o->examples),
                                        .label = MEM_ARRAY(uint8_t, o->examples),
                                        .group = MEM_ARRAY(uint64_t, o->examples)};
    return gathered;
}

static void destroy_validation(void *of)
{
    gathered_validation_t *gathered = of;
    mem_free(gathered->p);
    mem_free(gathered->label);
    mem_free(gathered->group);
    mem_free(gathered);
}

validation_merger_t *validation_merger_create(const validation_merger_options_t *options)
{
    validation_merger_t *m = MEM_NEW(validation_merger_t);
    ASSERT(options->chunk > 0);
    m->o = *options;
    m->state = (early_stopping_t){.patience = options->patience, .min_delta = options->min_delta};
    m->steps = open_steps_create(&(open_steps_options_t){.what = "an evaluation",
                                                         .workers = options->workers,
                                                         .period = options->period,
                                                         .first = options->first,
                                                         .end = options->end,
                                                         .create = create_validation,
                                                         .destroy = destroy_validation,
                                                         .context = &m->o});
    return m;
}

void validation_merger_destroy(validation_merger_t **merger)
{
    if (!*merger)
        return;
    open_steps_destroy(&(*merger)->steps);
    mem_free(*merger);
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
    run_result_evaluate(&quality, p, label, m->o.weight, group, m->o.examples);
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

/* The chunks of a worker, from its message to their places; how many examples that are. */
static int64_t spread(const validation_merger_t *m, int worker, const net_message_t *message, gathered_validation_t *to)
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
    const open_step_t *whole;
    TRY(open_steps_expect(m->steps, worker, step));
    if (message->header.count != share || (share && m->o.has_group && !message->frame[2].bytes))
        return REFUSE("%" PRId64 " examples were evaluated before step %" PRId64 "; worker %d has %" PRId64,
                      message->header.count, step, worker, share);
    if (!metrics_are_labels(message->frame[1].data, share))
        return REFUSE("a label is neither 0 nor 1");
    open_step_t *at = open_steps_at(m->steps, step);
    spread(m, worker, message, at->gathered);
    open_steps_put(m->steps, worker, at);
    while ((whole = open_steps_whole(m->steps))) {
        const gathered_validation_t *of = whole->gathered;
        TRY(measure(m, whole->step, of->p, of->label, m->o.has_group ? of->group : NULL));
        open_steps_close(m->steps);
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
