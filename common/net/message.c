#include "common/net/message.h"

#define AMOUNT_MOST (INT64_C(1) << 50)

static bool are_times(const double *times, size_t n)
{
    bool sound = true;
    for (size_t i = 0; i < n; i++)
        sound = sound && times[i] >= 0.0 && times[i] < (double)AMOUNT_MOST;
    return sound;
}

static bool are_amounts(const int64_t *amounts, size_t n)
{
    bool sound = true;
    for (size_t i = 0; i < n; i++)
        sound = sound && amounts[i] >= 0 && amounts[i] <= AMOUNT_MOST;
    return sound;
}

bool message_counters_are_sound(const message_counters_t *c)
{
    const double times[] = {c->seconds, c->cpu_seconds, c->step_seconds_median, c->step_seconds_longest};
    const int64_t amounts[] = {c->peak_rss_bytes,    c->examples,        c->rows_pulled,   c->rows_pushed,
                               c->bytes_sent,        c->bytes_received,  c->rows,          c->parameters,
                               c->flops_per_example, c->digest_elements, c->staleness_sum, c->staleness_max,
                               c->staleness_count,   c->duplicates,      c->bad_messages};
    return are_times(times, sizeof times / sizeof *times) && are_amounts(amounts, sizeof amounts / sizeof *amounts);
}

bool message_prepared_is_sound(const message_prepared_t *p)
{
    const double times[] = {p->seconds, p->cpu_seconds};
    const int64_t amounts[] = {p->rows, p->pending, p->bytes};
    return are_times(times, sizeof times / sizeof *times) && are_amounts(amounts, sizeof amounts / sizeof *amounts);
}
