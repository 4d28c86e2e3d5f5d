/* What the log says of a run that trains. */
#include <inttypes.h>
#include <math.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/math/real.h"
#include "launcher/metrics/run_events.h"

typedef struct sink_log {
    double base_rate;
    int64_t first_visits; /* as the last line of metrics says; it stays once all are made */
    bool is_warned;
} sink_log_t;

static void *create(progress_t *line)
{
    (void)line;
    return MEM_NEW(sink_log_t);
}

static void say_validation(const event_validation_t *validation)
{
    const validation_point_t *point = validation->point;
    char step[TEXT_BYTES];
    log_info("evaluation before step %s: logloss %.5f, AUC %.5f%s", text_count(point->step, step),
             point->number[VALIDATION_logloss], point->number[VALIDATION_auc], validation->is_best ? ", the best so far" : "");
}

/* watch_loss - say it, once, where a model that has seen all examples is no better than one number for all of them: as a whole
 * and at last. The first pass is over when an interval has later visits alone, or with the run. */
static void watch_loss(sink_log_t *sink, const event_metrics_t *m)
{
    const double p = sink->base_rate, entropy = -p * real_log(p) - (1 - p) * real_log(1 - p);
    const bool is_over = m->first_visits == sink->first_visits;
    sink->first_visits = m->first_visits;
    if (!is_over || sink->is_warned || !(m->progressive_logloss > entropy && m->logloss > entropy))
        return;
    sink->is_warned = true;
    log_warn(
        "step %" PRId64 ": after a pass over the training split the loss is above what its base rate of %.3f has without a "
        "model: progressive logloss %.5f, at last %.5f, base rate %.5f; look at the learning rates and at the sizes of numeric "
        "fields",
        m->step, p, m->progressive_logloss, m->logloss, entropy);
}

static status_t take(void *of, const run_event_t *event)
{
    sink_log_t *sink = of;
    char step[TEXT_BYTES], rows[TEXT_BYTES];
    if (event->kind == EVENT_TRAIN)
        *sink = (sink_log_t){.base_rate = event->train.base_rate};
    else if (event->kind == EVENT_METRICS)
        watch_loss(sink, &event->metrics);
    else if (event->kind == EVENT_CHECKPOINT)
        log_info("checkpoint before step %s: %s rows, %.1f MB, %.2f s", text_count(event->checkpoint.step, step),
                 text_count(event->checkpoint.rows, rows), (double)event->checkpoint.bytes * 1e-6, event->checkpoint.seconds);
    else if (event->kind == EVENT_VALIDATION)
        say_validation(&event->validation);
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
    sink_log_t *s = sink;
    mem_free(s);
}

const event_sink_t sink_log = {create, take, destroy};
