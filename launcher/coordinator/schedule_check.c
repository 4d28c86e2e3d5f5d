#include "launcher/coordinator/schedule_check.h"

#include <inttypes.h>

#include "common/base/log.h"

static status_t check(const schedule_t *schedule, const char *section, const char *name, int64_t steps)
{
    if (schedule->kind != SCHEDULE_COSINE || schedule->from < schedule->until)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: %s.schedule cosine would begin at step %" PRId64 ", but the training ends at step %" PRId64
                ", before it begins; let it begin sooner (%s.decay_from, %s.warmup_steps), or train longer",
                name, section, schedule->from, steps, section, section);
}

status_t schedule_check(const config_t *config, const char *name, int64_t steps)
{
    const schedule_t embedding = config_embedding_schedule(config, steps), dense = config_dense_schedule(config, steps),
                     linear = config_linear_schedule(config, steps);
    TRY(check(&embedding, "embedding", name, steps));
    TRY(check(&dense, "dense", name, steps));
    return check(&linear, "linear", name, steps);
}

static void warn(const schedule_t *schedule, const char *section, const char *name, int64_t steps)
{
    if (schedule->warmup > steps)
        log_warn("%s: the learning rate rises for %" PRId64 " steps (%s.warmup_steps), but the training ends at step %" PRId64
                 ", so it never comes to %s.learning_rate; use fewer, or train longer",
                 name, schedule->warmup, section, steps, section);
    else if (schedule->kind != SCHEDULE_CONSTANT && schedule->from >= steps)
        log_warn("%s: the learning rate would fall from step %" PRId64
                 " on (%s.schedule), but the training ends at step %" PRId64
                 ", so it never does; let it begin sooner (%s.decay_from, %s.warmup_steps), or train longer",
                 name, schedule->from, section, steps, section, section);
}

void schedule_warn(const config_t *config, const char *name, int64_t steps)
{
    const schedule_t embedding = config_embedding_schedule(config, steps), dense = config_dense_schedule(config, steps),
                     linear = config_linear_schedule(config, steps);
    warn(&embedding, "embedding", name, steps);
    warn(&dense, "dense", name, steps);
    if (config->model.parts & 1u << PART_LINEAR)
        warn(&linear, "linear", name, steps);
}
