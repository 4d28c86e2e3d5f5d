#include <string.h>

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

/* Parts of the tree that a worker pushes. */
static int parts_of(const shard_t *shard, int worker)
{
    const int member = worker % shard->shares.members; /* of its group */
    return shard->shares.first[member + 1] - shard->shares.first[member];
}

uint32_t shard_leaf(const shard_t *shard, int worker, uint32_t part_table)
{
    return shard->shares.part[shard->shares.first[worker % shard->shares.members] + wire_part(part_table)];
}

static bool is_in(const tables_t *tables, uint32_t table)
{
    return table >= tables->first && table < tables->end;
}

/* What is wrong with a segment's table, or NULL. */
static const char *wrong_with_table(const shard_t *shard, const tables_t *own, int worker, wire_type_t type,
                                    uint32_t part_table)
{
    const bool push = type == WIRE_PUSH;
    const uint32_t table = push ? wire_table(part_table) : part_table;
    if (table >= shard->plan.tables)
        return "a segment names a table that does not exist";
    if (push && wire_part(part_table) >= parts_of(shard, worker))
        return "a segment names a part of the tree of lanes that its sender does not have";
    if (push && !is_in(own, table))
        return "a segment names a table that another group of workers trains";
    return NULL;
}

/* Check the segments of a PULL, PEEK or PUSH: known tables, ascending, counts that add up, a push to the worker's own tables
 * and parts; *floats gets their weights. */
const char *shard_check(const shard_t *shard, const net_message_t *message, int worker, int64_t *floats)
{
    const tables_t own = tables_of(shard, worker);
    const wire_segment_t *segments = message->frame[0].data;
    const int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments, count = message->header.count;
    int64_t keys = 0, total = 0;
    if (message->frame[1].bytes != count * (int64_t)sizeof(uint64_t))
        return "segment counts, key count and key bytes disagree";
    for (int64_t i = 0; i < n && keys <= count; i++) {
        const char *reason = wrong_with_table(shard, &own, worker, (wire_type_t)message->header.type, segments[i].table);
        if (reason)
            return reason;
        if (i > 0 && segments[i].table <= segments[i - 1].table)
            return "segments are not in ascending order of tables";
        keys += segments[i].count;
        total += (int64_t)segments[i].count * table_options(shard->tables[wire_table(segments[i].table)])->dim;
    }
    if (keys != count)
        return "segment counts, key count and key bytes disagree";
    if (message->header.type == WIRE_PUSH && message->frame[2].bytes != total * (int64_t)sizeof(float))
        return "gradient bytes do not match keys and embedding width";
    *floats = total;
    return NULL;
}

/* Send a piece of an answer; the transport is one more holder of its weights. It tells the worker which pushes have arrived. */
static status_t send_piece(shard_t *shard, int peer, const reply_t *reply, int piece)
{
    wire_header_t header = shard_header(shard, WIRE_ROWS, reply->step, pieces_rows(&reply->pieces, piece));
    header.sequence = reply->sequence;
    header.piece = (uint16_t)piece;
    wire_set_pushes_taken(&header, replay_window_floor(&shard->windows[shard_worker_of(shard, peer)]));
    const wire_frame_t frame = {reply->weights + pieces_first_weight(&reply->pieces, piece),
                                pieces_weights(&reply->pieces, piece) * (int64_t)sizeof(float)};
    pool_keep(reply->weights);
    return net_send_owned(shard->o.net, peer, &header, &frame, 1, pool_give, reply->weights);
}

status_t shard_send_rows(shard_t *shard, int peer, const reply_t *reply)
{
    for (int piece = 0; piece < reply->pieces.n; piece++)
        TRY(send_piece(shard, peer, reply, piece));
    return ST_OK;
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

/* Where an answer's gathering is. */
typedef struct gather {
    tables_t own; /* whose missing rows are created: none where it is a peek */
    const wire_segment_t *segment;
    uint32_t done; /* keys of the segment */
    const uint64_t *keys;
    float *at;
} gather_t;

static void gather(shard_t *shard, gather_t *g, int64_t rows)
{
    while (rows > 0) {
        const int64_t left = g->segment->count - g->done, some = rows < left ? rows : left;
        table_t *table = shard->tables[g->segment->table];
        if (is_in(&g->own, g->segment->table))
            table_pull(table, g->keys, some, g->at);
        else
            table_peek(table, g->keys, some, g->at);
        g->keys += some;
        g->at += some * table_options(table)->dim;
        g->done += (uint32_t)some;
        rows -= some;
        if (g->done == g->segment->count) {
            g->segment++;
            g->done = 0;
        }
    }
}

/* Gather an answer and send it, each piece as soon as it is there. Rows that may lie on disk are gathered before any is sent:
 * together they are read faster, and none leaves should the disk fail. */
static status_t gather_and_send(shard_t *shard, gather_t *g, int peer, const reply_t *reply)
{
    const pieces_t *pieces = &reply->pieces;
    if (shard->row_cache) {
        gather(shard, g, pieces->rows);
        TRY(row_cache_status(shard->row_cache)); /* which ends the shard */
        return shard_send_rows(shard, peer, reply);
    }
    for (int piece = 0; piece < pieces->n; piece++) {
        gather(shard, g, pieces_rows(pieces, piece));
        TRY(send_piece(shard, peer, reply, piece));
    }
    return ST_OK;
}

static void count_pull(shard_t *shard, const wire_header_t *header)
{
    int64_t oldest = shard->applied;
    if (!shard_is_ordered(shard)) {
        oldest = shard->pushed[0];
        for (int w = 1; w < shard->workers; w++)
            oldest = shard->pushed[w] < oldest ? shard->pushed[w] : oldest;
    }
    const int64_t staleness = header->step > oldest ? header->step - oldest : 0;
    shard->counters.rows_pulled += header->count;
    shard->counters.staleness_sum += staleness;
    shard->counters.staleness_count++;
    if (staleness > shard->counters.staleness_max)
        shard->counters.staleness_max = staleness;
}

/* Answer a PULL or PEEK and release it. A pull looks at tables that other groups train as a peek does, so that a peer's tables
 * have the rows of its own share of the data alone. */
status_t shard_answer(shard_t *shard, net_message_t *message, bool peek)
{
    int64_t floats = 0;
    const wire_header_t *header = &message->header;
    const int worker = shard_worker_of(shard, message->peer);
    const char *reason = shard_check(shard, message, worker, &floats);
    ASSERT(!reason);
    const wire_segment_t *segments = message->frame[0].data;
    const int64_t n = message->frame[0].bytes / (int64_t)sizeof *segments;
    reply_t reply = {.step = header->step,
                     .sequence = header->sequence,
                     .weights = pool_take(shard->pool, (size_t)floats * sizeof *reply.weights)};
    pieces_begin(&reply.pieces, header->count, floats);
    for (int64_t i = 0; i < n; i++)
        pieces_add(&reply.pieces, segments[i].count, table_options(shard->tables[segments[i].table])->dim);
    gather_t g = {.own = peek ? (tables_t){0, 0} : tables_of(shard, worker),
                  .segment = segments,
                  .keys = message->frame[1].data,
                  .at = reply.weights};
    if (!peek)
        count_pull(shard, header);
    const status_t status = gather_and_send(shard, &g, message->peer, &reply);
    if (!peek && status == ST_OK)
        reply_cache_put(shard->replies, worker, &reply);
    pool_give(reply.weights);
    net_release(shard->o.net, message);
    return status;
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

/* A cursor for each part of a message; returns their end. */
static push_cursor_t *open_message(const shard_t *shard, const net_message_t *message, push_cursor_t *cursor)
{
    const int worker = shard_worker_of(shard, message->peer), parts = parts_of(shard, worker);
    const wire_segment_t *segment = message->frame[0].data, *end = segment + message->frame[0].bytes / (int64_t)sizeof *segment;
    const uint64_t *keys = message->frame[1].data;
    const float *g = message->frame[2].data;
    for (int p = 0; p < parts; p++, cursor++) {
        *cursor = (push_cursor_t){segment, end, keys, g, shard_leaf(shard, worker, wire_part_table(p, 0))};
        if (p + 1 == parts)
            continue;
        for (; segment < end && wire_part(segment->table) == p; segment++) {
            keys += segment->count;
            g += (int64_t)segment->count * table_options(shard->tables[wire_table(segment->table)])->dim;
        }
        cursor->end = segment;
    }
    return cursor;
}

/* What the cursors have for table t, which they go beyond; 0: nothing. */
static int64_t take_table(shard_t *shard, push_cursor_t *end, uint32_t t, int dim)
{
    int64_t any = 0;
    memset(shard->counts, 0, sizeof *shard->counts * shard->shares.leaves);
    for (push_cursor_t *at = shard->cursors; at < end; at++) {
        if (at->segment == at->end || wire_table(at->segment->table) != t)
            continue;
        const int64_t count = at->segment->count;
        at->segment++;
        shard->keys[at->leaf] = at->keys;
        shard->gradients[at->leaf] = at->g;
        shard->counts[at->leaf] = count;
        at->keys += count;
        at->g += count * dim;
        any |= count;
    }
    return any;
}

void shard_apply(shard_t *shard, net_message_t *const *messages, int n, int64_t step)
{
    push_cursor_t *end = shard->cursors;
    for (int i = 0; i < n; i++) {
        end = open_message(shard, messages[i], end);
        shard->counters.rows_pushed += messages[i]->header.count;
    }
    for (uint32_t t = 0; t < shard->plan.tables; t++)
        if (take_table(shard, end, t, table_options(shard->tables[t])->dim))
            table_push_merged(shard->tables[t], shard->keys, shard->gradients, shard->counts, (int)shard->shares.leaves,
                              (uint32_t)step);
}
