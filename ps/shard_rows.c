#include "common/config/peer_group.h"
#include "ps/shard_impl.h"

/* Tables that a worker's group trains: all, but for co-distilled peers in groups. */
typedef struct tables {
    uint32_t first, end;
} tables_t;

static tables_t tables_of(const shard_t *shard, int worker)
{
    const peer_group_t group = peer_group_of(shard->config, worker, shard->workers);
    if (group.groups == 1)
        return (tables_t){0, shard->plan.tables};
    return (tables_t){table_plan_id(&shard->plan, group.first_component, 0),
                      table_plan_id(&shard->plan, group.end_component, 0)};
}

static bool is_in(const tables_t *tables, uint32_t table)
{
    return table >= tables->first && table < tables->end;
}

/* Check the segments of a PULL, PEEK or PUSH: known tables, ascending, counts that add up, a push to the worker's own tables;
 * *floats gets their weights. */
const char *shard_check(const shard_t *shard, const net_message_t *message, int worker, int64_t *floats)
{
    const tables_t own = tables_of(shard, worker);
    const wire_segment_t *segments = message->frame[0].data;
    const int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments, count = message->header.count;
    int64_t keys = 0, total = 0;
    if (message->frame[1].bytes != count * (int64_t)sizeof(uint64_t))
        return "segment counts, key count and key bytes disagree";
    for (int64_t i = 0; i < n && keys <= count; i++) {
        if (segments[i].table >= shard->plan.tables)
            return "a segment names a table that does not exist";
        if (message->header.type == WIRE_PUSH && !is_in(&own, segments[i].table))
            return "a segment names a table that another group of workers trains";
        if (i > 0 && segments[i].table <= segments[i - 1].table)
            return "segments are not in ascending order of tables";
        keys += segments[i].count;
        total += (int64_t)segments[i].count * table_options(shard->tables[segments[i].table])->dim;
    }
    if (keys != count)
        return "segment counts, key count and key bytes disagree";
    if (message->header.type == WIRE_PUSH && message->frame[2].bytes != total * (int64_t)sizeof(float))
        return "gradient bytes do not match keys and embedding width";
    *floats = total;
    return NULL;
}

/* Send ROWS; one of the weights' holders is the transport from now on. It tells the worker which pushes have arrived. */
status_t shard_send_rows(shard_t *shard, int peer, const reply_t *reply)
{
    wire_header_t header = shard_header(shard, WIRE_ROWS, reply->step, reply->rows);
    header.sequence = reply->sequence;
    wire_set_pushes_taken(&header, replay_window_floor(&shard->windows[shard_worker_of(shard, peer)]));
    wire_frame_t frame = {reply->weights, reply->bytes};
    return net_send_owned(shard->o.net, peer, &header, &frame, 1, pool_give, reply->weights);
}

/* No row was lost to an error of the disk, so far. */
bool shard_rows_are_sound(const shard_t *shard)
{
    return !shard->row_cache || row_cache_status(shard->row_cache) == ST_OK;
}

/* Bring the rows of a pull that has to wait into memory, so that the wait is of use. */
void shard_prefetch(shard_t *shard, const net_message_t *pull)
{
    const wire_segment_t *segments = pull->frame[0].data;
    const uint64_t *keys = pull->frame[1].data;
    const int64_t n = pull->frame[0].bytes / (int64_t)sizeof *segments;
    const tables_t own = tables_of(shard, shard_worker_of(shard, pull->peer));
    for (int64_t i = 0; i < n && shard->row_cache; i++) {
        if (is_in(&own, segments[i].table))
            table_prefetch(shard->tables[segments[i].table], keys, segments[i].count);
        keys += segments[i].count;
    }
}

/* Answer a PULL or PEEK and release it. A pull looks at tables that other groups train as a peek does, so that a peer's tables
 * have the rows of its own share of the data alone. */
status_t shard_answer(shard_t *shard, net_message_t *message, bool peek)
{
    int64_t floats = 0;
    const int worker = shard_worker_of(shard, message->peer);
    const tables_t own = tables_of(shard, worker);
    const char *reason = shard_check(shard, message, worker, &floats);
    ASSERT(!reason);
    const wire_segment_t *segments = message->frame[0].data;
    const uint64_t *keys = message->frame[1].data;
    int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments;
    float *rows = pool_take(shard->pool, (size_t)floats * sizeof *rows), *at = rows;
    for (int64_t i = 0; i < n; i++) {
        table_t *table = shard->tables[segments[i].table];
        if (peek || !is_in(&own, segments[i].table))
            table_peek(table, keys, segments[i].count, at);
        else
            table_pull(table, keys, segments[i].count, at);
        keys += segments[i].count;
        at += (int64_t)segments[i].count * table_options(table)->dim;
    }
    if (!shard_rows_are_sound(shard)) { /* which ends the shard */
        pool_give(rows);
        net_release(shard->o.net, message);
        return row_cache_status(shard->row_cache);
    }
    if (!peek) {
        shard->counters.rows_pulled += message->header.count;
        int64_t oldest = shard->applied;
        if (!shard_is_ordered(shard)) {
            oldest = shard->pushed[0];
            for (int w = 1; w < shard->workers; w++)
                oldest = shard->pushed[w] < oldest ? shard->pushed[w] : oldest;
        }
        int64_t staleness = message->header.step > oldest ? message->header.step - oldest : 0;
        shard->counters.staleness_sum += staleness;
        shard->counters.staleness_count++;
        if (staleness > shard->counters.staleness_max)
            shard->counters.staleness_max = staleness;
    }
    const reply_t reply = {.step = message->header.step,
                           .rows = message->header.count,
                           .bytes = floats * (int64_t)sizeof *rows,
                           .sequence = message->header.sequence,
                           .weights = rows};
    const int peer = message->peer;
    net_release(shard->o.net, message);
    if (!peek)
        reply_cache_put(shard->replies, worker, &reply);
    return shard_send_rows(shard, peer, &reply);
}

/* Pushes of a step come next; rows that were not pushed for long expire then. Steps may overtake each other at L0 and L1. */
void shard_set_step(shard_t *shard, int64_t step)
{
    if (shard->config->embedding.ttl_steps == 0 || step < shard->latest_step)
        return;
    shard->latest_step = step;
    for (uint32_t t = 0; t < shard->plan.tables; t++)
        table_set_step(shard->tables[t], step);
}

/* Apply the pushes of one step: all workers' (ordered levels) or one worker's, merged per key in tree order. */
void shard_apply(shard_t *shard, net_message_t *const *messages, int n, int64_t step)
{
    for (int w = 0; w < n; w++)
        shard->cursor_segment[w] = shard->cursor_key[w] = shard->cursor_float[w] = 0;
    for (uint32_t t = 0; t < shard->plan.tables; t++) {
        int dim = table_options(shard->tables[t])->dim;
        int64_t any = 0;
        for (int w = 0; w < n; w++) {
            const net_message_t *m = messages[w];
            const wire_segment_t *segments = m->frame[0].data;
            int64_t count = 0, i = shard->cursor_segment[w];
            if (i < m->frame[0].bytes / (int64_t)sizeof *segments && segments[i].table == t) {
                count = segments[i].count;
                shard->cursor_segment[w]++;
            }
            shard->keys[w] = (const uint64_t *)m->frame[1].data + shard->cursor_key[w];
            shard->gradients[w] = (const float *)m->frame[2].data + shard->cursor_float[w];
            shard->counts[w] = count;
            shard->cursor_key[w] += count;
            shard->cursor_float[w] += count * dim;
            any |= count;
        }
        if (any)
            table_push_merged(shard->tables[t], shard->keys, shard->gradients, shard->counts, n, (uint32_t)step);
    }
    for (int w = 0; w < n; w++)
        shard->counters.rows_pushed += messages[w]->header.count;
}
