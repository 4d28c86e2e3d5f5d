#include "common/data/census.h"

#include "common/data/dataset_meta.h"

#define MAGIC 0x31534e45434d53ull /* "SMCENS1" */
#define ROWS_MOST (INT64_C(1) << 53)

void census_fini(census_t *census)
{
    mem_free(census->runs);
    *census = (census_t){0};
}

void census_forget_rows(census_t *census)
{
    census->has_too_many = true;
    census->runs_count = 0;
}

void census_row(census_t *census, int64_t position, int64_t row)
{
    if (census->runs_count > 0) {
        const census_run_t *last = &census->runs[census->runs_count - 1];
        if (row - last->row == position - last->position)
            return;
    }
    if (census->has_too_many || census->runs_count == CENSUS_RUNS_MOST) {
        census_forget_rows(census);
        return;
    }
    MEM_GROW(census->runs, census->runs_capacity, census->runs_count + 1);
    census->runs[census->runs_count++] = (census_run_t){position, row};
}

int64_t census_input_row(const census_t *census, int64_t position)
{
    size_t low = 0, high = census->runs_count; /* the last run that begins at or before the position is in [low, high) */
    if (high == 0 || position < census->runs[0].position)
        return 0;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (census->runs[middle].position <= position)
            low = middle;
        else
            high = middle;
    }
    return census->runs[low].row + (position - census->runs[low].position);
}

void census_encode(const census_t *census, record_t *out)
{
    record_put_u64(out, MAGIC);
    record_put_u64(out, (uint64_t)census->train_positives);
    record_put_u64(out, (uint64_t)census->without_group);
    record_put_u64(out, (uint64_t)census->without_time);
    record_put_u64(out, (uint64_t)census->descents);
    record_put_u64(out, (uint64_t)census->first_descent);
    record_put_u64(out, census->unit);
    record_put_u64(out, census->runs_count);
    record_put(out, census->runs, census->runs_count * sizeof *census->runs);
    if (census->test_positives) /* the record of a dataset of two splits is what it always was */
        record_put_u64(out, (uint64_t)census->test_positives);
}

/* Positions ascend, and no sum of one and a row overflows. */
static bool are_runs(const census_run_t *runs, uint64_t count)
{
    int64_t before = -1;
    for (uint64_t i = 0; i < count; i++) {
        if (runs[i].position <= before || runs[i].position > ROWS_MOST || runs[i].row < 0 || runs[i].row > ROWS_MOST)
            return false;
        before = runs[i].position;
    }
    return true;
}

/* What comes after the last member is a later version's, and is passed over. */
bool census_decode(const record_t *raw, census_t *out)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    const bool is_one = record_take_u64(&in) == MAGIC;
    census_t census = {.is_recorded = true, .train_positives = (int64_t)record_take_u64(&in)};
    census.without_group = (int64_t)record_take_u64(&in);
    census.without_time = (int64_t)record_take_u64(&in);
    census.descents = (int64_t)record_take_u64(&in);
    census.first_descent = (int64_t)record_take_u64(&in);
    const uint64_t unit = record_take_u64(&in), count = record_take_u64(&in);
    const census_run_t *runs = record_take(&in, count, sizeof *runs);
    *out = (census_t){0};
    if (!is_one || in.bad || unit >= TIME_UNITS || !are_runs(runs, count))
        return false;
    census.unit = (time_unit_t)unit;
    MEM_GROW(census.runs, census.runs_capacity, count);
    if (count > 0)
        memcpy(census.runs, runs, count * sizeof *runs);
    census.runs_count = count;
    if (in.next + sizeof(uint64_t) <= in.bytes)
        census.test_positives = (int64_t)record_take_u64(&in);
    *out = census;
    return true;
}
