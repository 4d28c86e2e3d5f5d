#include "launcher/run/run_totals.h"

#define COUNT_MOST (INT64_C(1) << 62)

void run_totals_add_worker(run_totals_t *totals, const message_counters_t *counters)
{
    totals->examples += counters->examples;
    totals->rows_pulled += counters->rows_pulled;
    totals->rows_pushed += counters->rows_pushed;
    totals->bytes_sent += counters->bytes_sent;
    totals->bytes_received += counters->bytes_received;
    totals->peak_rss_bytes += counters->peak_rss_bytes;
    totals->cpu_seconds += counters->cpu_seconds;
    if (counters->seconds > totals->train_seconds)
        totals->train_seconds = counters->seconds;
}

void run_totals_add_start(run_totals_t *totals, const run_totals_t *earlier)
{
    const int64_t peak = totals->peak_rss_bytes > earlier->peak_rss_bytes ? totals->peak_rss_bytes : earlier->peak_rss_bytes;
#define ADD(kind, type, name, doc) totals->name += earlier->name;
    TOTALS_FIELDS(ADD)
#undef ADD
    totals->peak_rss_bytes = peak;
}

void run_totals_put(jsondoc_t *object, const run_totals_t *totals)
{
#define PUT(kind, type, name, doc) jsondoc_put_##kind(object, #name, totals->name);
    TOTALS_FIELDS(PUT)
#undef PUT
}

static status_t get_integer(const jsondoc_t *object, const char *where, const char *key, int64_t *out)
{
    return jsondoc_get_integer(object, where, key, 0, COUNT_MOST, out);
}

static status_t get_number(const jsondoc_t *object, const char *where, const char *key, double *out)
{
    return jsondoc_get_number(object, where, key, out);
}

status_t run_totals_get(const jsondoc_t *object, const char *where, run_totals_t *out)
{
    run_totals_t totals = {0};
#define GET(kind, type, name, doc) TRY(get_##kind(object, where, #name, &totals.name));
    TOTALS_FIELDS(GET)
#undef GET
    *out = totals;
    return ST_OK;
}
