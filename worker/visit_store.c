/* A pass covers the steps that begin in one epoch, the last of which may end in the next. A bucket is some consecutive steps of
 * a pass, of a quarter of the cache; a slot is an example's number in its bucket. Where an example is visited is the inverse
 * of the order (order_position), so a pass needs no list of visits.
 *
 * Rejected: reading ahead from the dataset itself, block by block, for a window of steps whose examples fit into the cache.
 * With a cache of a tenth it decodes all blocks twenty times an epoch, with one of a hundredth two hundred times; here a block
 * is decoded once, and the disk is read and written once. Rejected: one copy for all epochs, since each has its own order.  */
#include "worker/visit_store.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/bucket_file.h"
#include "common/data/dataset_meta.h"

#define PIECE BLOCK_ROWS               /* examples of the dataset that are looked at at once: about a block */
#define BUFFER_LEAST ((size_t)4 << 10) /* of a bucket, however many there are */
#define BUFFER_MOST ((size_t)1 << 20)
#define MIB (1 << 20)

typedef struct visit_pass {
    int64_t epoch;
    int64_t first_step, end_step;
    int64_t bucket_steps;
    bucket_file_t *file; /* NULL: there is no pass */
    int64_t next;        /* examples of the share that have been looked at */
} visit_pass_t;

struct visit_store {
    const batch_plan_t *plan;
    dataset_t *dataset;
    int64_t cache_bytes; /* of the dataset before */
    block_shape_t shape;
    size_t row_bytes;                 /* of an average example */
    int64_t step_rows, step_at;       /* of this worker: examples in a whole step, and where they begin in it */
    int64_t end_step;                 /* of the plan */
    visit_pass_t read, written;       /* the pass that is trained, and the next */
    bucket_t bucket;                  /* of `read`, */
    int64_t bucket_number;            /* this one; -1: none */
    int64_t *position, *step, *place; /* [PIECE * 2] scratch: of examples that are visited in the pass */
    dataset_example_t *example;
};

/* ---- is there a need? ---- */

static int64_t step_of_epoch(const batch_plan_t *plan, int64_t epoch)
{
    return (epoch * plan->order.rows + plan->lanes.batch - 1) / plan->lanes.batch;
}

/* Bytes that `rows` examples take decoded: those of the order's reach, a window or all. */
static int64_t decoded_bytes(const batch_plan_t *plan, size_t row_bytes)
{
    const int shares = plan->order.shares > 1 ? plan->order.shares : 1;
    int64_t reach = plan->order.rows * shares;
    if (plan->order.kind == ORDER_WINDOW && plan->order.window < reach / shares)
        reach = plan->order.window * shares;
    return reach * (int64_t)row_bytes;
}

static bool is_needed(const visit_store_t *s)
{
    const batch_plan_t *plan = s->plan;
    if (plan->chunk != 0 || plan->order.kind == ORDER_CHRONOLOGICAL || plan->order.rows < plan->lanes.batch)
        return false;
    const int64_t blocks = dataset_info(s->dataset)->rows / BLOCK_ROWS;
    return decoded_bytes(plan, s->row_bytes) > s->cache_bytes && (s->end_step - plan->first_step) * s->step_rows > blocks;
}

/* What it costs, in words; false where there is no room. */
static bool say_cost(const visit_store_t *s)
{
    const batch_plan_t *plan = s->plan;
    const int64_t decoded = decoded_bytes(plan, s->row_bytes), all = plan->order.rows * (int64_t)s->row_bytes;
    struct statvfs fs;
    const int64_t left = statvfs(plan->scratch, &fs) == 0 ? (int64_t)(fs.f_bavail * fs.f_frsize) : INT64_MAX;
    if (left <= all) {
        if (plan->worker == 0)
            log_warn("data.order shuffles %" PRId64 " MB of decoded examples, of which data.cache_mb keeps %" PRId64
                     ", and %s has no room to put them in the order of visits: nearly every example will cost a block of %d "
                     "decoded; set data.cache_mb to %" PRId64 ", data.order to window, or data.scratch to a folder with "
                     "%" PRId64 " MB",
                     decoded / MIB, s->cache_bytes / MIB, plan->scratch, BLOCK_ROWS, decoded / MIB + 1, all / MIB + 1);
        return false;
    }
    if (plan->worker == 0)
        log_info("data.order shuffles %" PRId64 " MB of decoded examples, of which data.cache_mb keeps %" PRId64
                 ": before each epoch they are put in the order of visits in %s, %" PRId64
                 " MB for all workers; data.cache_mb %" PRId64 " or data.order window would spare that",
                 decoded / MIB, s->cache_bytes / MIB, plan->scratch, all / MIB + 1, decoded / MIB + 1);
    return true;
}

/* ---- passes ---- */

/* Begin the pass of the steps that begin in an epoch; there are some. */
static status_t begin_pass(visit_store_t *s, int64_t epoch, visit_pass_t *pass)
{
    const batch_plan_t *plan = s->plan;
    int64_t first = step_of_epoch(plan, epoch), end = step_of_epoch(plan, epoch + 1);
    first = first < plan->first_step ? plan->first_step : first;
    end = end > s->end_step ? s->end_step : end;
    ASSERT(first < end);
    const int64_t budget = s->cache_bytes / 4 / dataset_readers(s->dataset), step_bytes = s->step_rows * (int64_t)s->row_bytes;
    const int64_t bucket_steps = budget > step_bytes ? budget / step_bytes : 1;
    const int64_t buckets = (end - first + bucket_steps - 1) / bucket_steps;
    size_t buffer = (size_t)(budget / buckets);
    buffer = buffer < BUFFER_LEAST ? BUFFER_LEAST : buffer > BUFFER_MOST ? BUFFER_MOST : buffer;
    TRY(bucket_file_create(plan->scratch, &s->shape, buckets, buffer, &pass->file));
    pass->epoch = epoch;
    pass->first_step = first;
    pass->end_step = end;
    pass->bucket_steps = bucket_steps;
    pass->next = 0;
    return ST_OK;
}

static bool is_written(const visit_store_t *s, const visit_pass_t *pass)
{
    return pass->next == s->plan->order.rows;
}

/* Where example i of the share is visited in `epoch`: its step, and its place among the worker's examples of that; false where
 * not in this pass, or by another worker. */
static bool find_visit(const visit_store_t *s, const visit_pass_t *pass, int64_t epoch, int64_t i, int64_t *step,
                       int64_t *place)
{
    const batch_plan_t *plan = s->plan;
    const int64_t position = epoch * plan->order.rows + order_position(&plan->order, epoch, i);
    *step = position / plan->lanes.batch;
    *place = position % plan->lanes.batch - s->step_at;
    return *step >= pass->first_step && *step < pass->end_step && position < plan->lanes.total && *place >= 0 &&
           *place < s->step_rows;
}

/* Look at the next examples as they are stored, and put those that the worker visits in their buckets. */
static status_t go_on(visit_store_t *s, visit_pass_t *pass)
{
    const batch_plan_t *plan = s->plan;
    const int64_t left = plan->order.rows - pass->next, n = left < PIECE ? left : PIECE;
    const bool spills = pass->end_step * plan->lanes.batch > (pass->epoch + 1) * plan->order.rows;
    int found = 0;
    for (int64_t i = pass->next; i < pass->next + n; i++)
        for (int64_t epoch = pass->epoch; epoch <= pass->epoch + spills; epoch++)
            if (find_visit(s, pass, epoch, i, &s->step[found], &s->place[found]))
                s->position[found++] = dataset_position(s->dataset, plan->split, order_example(&plan->order, i));
    TRY(dataset_fetch(s->dataset, s->position, found, s->example));
    for (int k = 0; k < found; k++) {
        const int64_t step = s->step[k] - pass->first_step, bucket = step / pass->bucket_steps;
        const int64_t slot = (step - bucket * pass->bucket_steps) * s->step_rows + s->place[k];
        TRY(bucket_file_put(pass->file, bucket, (uint32_t)slot, s->example[k].block, s->example[k].row));
    }
    pass->next += n;
    return is_written(s, pass) ? bucket_file_flush(pass->file) : ST_OK;
}

/* ---- interface ---- */

status_t visit_store_create(const batch_plan_t *plan, dataset_t *dataset, visit_store_t **out)
{
    *out = NULL;
    if (plan->chunk != 0 || !plan->scratch)
        return ST_OK;
    const dataset_info_t *info = dataset_info(dataset);
    const int from = lanes_first(&plan->lanes, plan->worker, plan->workers),
              to = lanes_first(&plan->lanes, plan->worker + 1, plan->workers);
    const int64_t lane = plan->lanes.batch / plan->lanes.lanes;
    int64_t values = 0;
    for (int32_t m = info->numeric + info->single; m < info->numeric + info->single + info->multi; m++)
        values += info->fields[m].values;
    visit_store_t *s = MEM_NEW(visit_store_t);
    s->plan = plan;
    s->dataset = dataset;
    s->cache_bytes = dataset_cache_bytes(dataset);
    s->shape = dataset_meta_shape(dataset_meta(dataset));
    s->shape.has_time = s->shape.has_time && plan->times;
    s->row_bytes = bucket_file_row_bytes(&s->shape, (size_t)(values / info->rows));
    s->step_rows = (to - from) * lane;
    s->step_at = from * lane;
    s->end_step = lanes_steps(&plan->lanes);
    s->bucket_number = -1;
    status_t status = ST_OK;
    if (!is_needed(s) || !say_cost(s))
        goto done;
    dataset_limit_cache(dataset, s->cache_bytes / 2);
    s->position = MEM_ARRAY(int64_t, 2 * PIECE);
    s->step = MEM_ARRAY(int64_t, 2 * PIECE);
    s->place = MEM_ARRAY(int64_t, 2 * PIECE);
    s->example = MEM_ARRAY(dataset_example_t, 2 * PIECE);
    TRY_DONE(begin_pass(s, plan->first_step * plan->lanes.batch / plan->order.rows, &s->read));
    *out = s;
    return ST_OK;
done:
    visit_store_destroy(&s);
    return status;
}

void visit_store_destroy(visit_store_t **store)
{
    visit_store_t *s = *store;
    if (!s)
        return;
    dataset_limit_cache(s->dataset, s->cache_bytes);
    bucket_file_destroy(&s->read.file);
    bucket_file_destroy(&s->written.file);
    bucket_fini(&s->bucket);
    mem_free(s->position);
    mem_free(s->step);
    mem_free(s->place);
    mem_free(s->example);
    mem_free(s);
    *store = NULL;
}

bool visit_store_has_work(const visit_store_t *s, int64_t index)
{
    const int64_t step = s->plan->first_step + index, steps = s->read.end_step - s->read.first_step;
    if (!is_written(s, &s->read))
        return true;
    if (s->read.end_step == s->end_step || (s->written.file && is_written(s, &s->written)))
        return false;
    /* By the end of the epoch all of the next one is to be written. */
    return step >= s->read.end_step ||
           s->written.next / PIECE * steps < (step + 1 - s->read.first_step) * (s->plan->order.rows / PIECE + 1);
}

status_t visit_store_work(visit_store_t *s)
{
    if (!is_written(s, &s->read))
        return go_on(s, &s->read);
    if (!s->written.file)
        TRY(begin_pass(s, s->read.epoch + 1, &s->written));
    return go_on(s, &s->written);
}

/* Examples of the worker in steps [from, to), of which only the plan's last may be short. */
static int64_t examples_of(const visit_store_t *s, int64_t from, int64_t to)
{
    const lanes_t *lanes = &s->plan->lanes;
    const int64_t all = (to - from) * s->step_rows, missing = s->step_at + s->step_rows - lanes_step_rows(lanes, to - 1);
    return all - (missing < 0 ? 0 : missing < s->step_rows ? missing : s->step_rows);
}

status_t visit_store_fetch(visit_store_t *s, int64_t index, int rows, dataset_example_t *out)
{
    const int64_t step = s->plan->first_step + index;
    if (step == s->read.end_step) {
        bucket_file_destroy(&s->read.file);
        s->read = s->written;
        s->written = (visit_pass_t){0};
        s->bucket_number = -1;
    }
    visit_pass_t *pass = &s->read;
    ASSERT(step >= pass->first_step && step < pass->end_step && is_written(s, pass));
    const int64_t number = (step - pass->first_step) / pass->bucket_steps;
    const int64_t from = pass->first_step + number * pass->bucket_steps, to = from + pass->bucket_steps;
    if (number != s->bucket_number)
        TRY(bucket_file_take(pass->file, number, examples_of(s, from, to < pass->end_step ? to : pass->end_step), &s->bucket));
    s->bucket_number = number;
    const uint32_t *row_of = s->bucket.row_of + (step - from) * s->step_rows;
    for (int i = 0; i < rows; i++)
        out[i] = (dataset_example_t){&s->bucket.block, (int32_t)row_of[i]};
    return ST_OK;
}
