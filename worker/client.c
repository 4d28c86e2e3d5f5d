/* Replies, which come in pieces, stay in their transport frames until the step is released: rows are gathered straight from
 * them. A pull is one pooled buffer [segments | keys], which returns to the pool when it has left. A push is one pooled buffer
 * [segments | keys | gradients]; gradients are written in place, and the buffer returns to the pool when it has left and the
 * shard has acknowledged the push: every ROWS says how many pushes the shard has taken without a gap.
 *
 * Something is sent again, with the sequence number of the first time,
 *     a push     when an answer to a pull that was sent after it does not acknowledge it: it was lost, or is late;
 *     all that a wait is for, and all pushes not acknowledged, when the wait takes too long: the missing push of one worker may
 * be what
 *                the answers to all others wait for, so none stands back.
 * A wait ends only when all pushes but the last UNACKNOWLEDGED are acknowledged, so that few are kept and the shard's
 * window, 64 numbers, is never left. Rejected: timers of their own for pushes. A push that is not missed can wait for the
 * next answer. */
#include "worker/client.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/pool.h"
#include "common/net/dispatch.h"
#include "common/net/pieces.h"
#include "common/process/rank_signals.h"
#include "worker/resend_queue.h"

#define IN_FLIGHT 4
#define UNACKNOWLEDGED 16 /* more than pipeline_depth + 2, which is how many wait for answers that the shard holds back */
#define RETRY_STRETCH 8   /* pauses between retries double up to this multiple of the first one */
#define PIECE_REASON_BYTES 200
#define CONTROLS 4 /* control messages kept while a worker is busy; the coordinator then sends at most one ahead */

/* What a shard answers to a pull. */
typedef struct answer {
    pieces_t pieces; /* of what was asked for */
    uint32_t has;    /* of them, a bit each */
    bool is_whole;
    net_message_t piece[PIECES_MOST];
} answer_t;
_Static_assert(PIECES_MOST <= 32, "a bit for each piece");

typedef struct flight {
    bool used, peek;
    int64_t step;
    const batch_t *batch; /* borrowed while answers are missing; NULL: an empty pull */
    bool is_cut;          /* the cluster is cut before its step */
    uint64_t sequence;    /* of the pull; answers carry it */
    int missing;          /* shards that have not answered in full */
    answer_t *answers;    /* [shards] */
    uint64_t pushes;      /* that must be acknowledged before the wait is over */
    bool awaited;
    patience_t waited;
    int64_t retry_ns, pause_ns; /* of the wait */
} flight_t;

/* Sets of tables [first, end). */
typedef struct sets {
    int first, end;
} sets_t;

struct client {
    client_options_t o;
    arena_t arena; /* of all arrays over shards */
    uint64_t run_id;
    uint32_t incarnation;
    const table_plan_t *plan; /* borrowed */
    sets_t pulled, pushed;
    int64_t cut; /* the step whose pull says that the cluster is cut before it; -1: none */
    client_save_fn *save;
    void *save_context;
    flight_t flights[IN_FLIGHT];
    net_message_t controls[CONTROLS];
    int n_controls;
    uint64_t sequence; /* of pulls */
    resend_queue_t log;
    int64_t retry_ns; /* 0: never */

    pool_t *pool;
    void **push_buffer; /* [shards] */
    float **push_base;  /* [shards] */
    int64_t rows_pulled, rows_pushed, bytes_sent, bytes_received, sent_again;
    bool stopped, failed;
    status_t stop_status;
};

client_t *client_create(const client_options_t *options)
{
    client_t *c = MEM_NEW(client_t);
    c->o = *options;
    c->pool = pool_create();
    resend_queue_init(&c->log, options->shards);
    const int64_t quarter = options->heartbeat->deadline_ns / 4, retry = options->retry_ms * 1000000;
    c->retry_ns = retry < quarter ? retry : quarter;
    c->push_buffer = ARENA_ARRAY(&c->arena, void *, options->shards);
    c->push_base = ARENA_ARRAY(&c->arena, float *, options->shards);
    for (int i = 0; i < IN_FLIGHT; i++)
        c->flights[i].answers = ARENA_ARRAY(&c->arena, answer_t, options->shards);
    return c;
}

static void release_flight(client_t *c, flight_t *flight)
{
    for (int s = 0; s < c->o.shards; s++) {
        answer_t *answer = &flight->answers[s];
        for (int i = 0; answer->has; i++, answer->has >>= 1)
            if (answer->has & 1)
                net_release(c->o.net, &answer->piece[i]);
        answer->is_whole = false;
    }
    flight->used = false;
}

/* Buffers of a push that was begun and, because its step failed, never sent. */
static void drop_push(client_t *c)
{
    for (int s = 0; s < c->o.shards; s++) {
        if (c->push_buffer[s])
            pool_give(c->push_buffer[s]);
        c->push_buffer[s] = NULL;
    }
}

void client_destroy(client_t **client)
{
    client_t *c = *client;
    if (!c)
        return;
    drop_push(c);
    for (int i = 0; i < IN_FLIGHT; i++)
        release_flight(c, &c->flights[i]);
    for (int i = 0; i < c->n_controls; i++)
        net_release(c->o.net, &c->controls[i]);
    resend_queue_fini(&c->log);
    arena_fini(&c->arena);
    pool_destroy(&c->pool);
    mem_free(c);
    *client = NULL;
}

void client_begin(client_t *c, uint64_t run_id, uint32_t incarnation, const table_plan_t *plan)
{
    for (int i = 0; i < IN_FLIGHT; i++)
        release_flight(c, &c->flights[i]);
    drop_push(c);
    c->run_id = run_id;
    c->incarnation = incarnation;
    c->plan = plan;
    c->pulled = c->pushed = (sets_t){0, plan->sets};
    c->cut = -1;
    resend_queue_clear(&c->log);
    c->rows_pulled = c->rows_pushed = c->bytes_sent = c->bytes_received = c->sent_again = 0;
    c->o.heartbeat->run_id = run_id;
    c->o.heartbeat->incarnation = incarnation;
}

void client_push_only(client_t *c, int first, int end)
{
    ASSERT(first >= 0 && first < end && end <= c->plan->sets);
    c->pushed = (sets_t){first, end};
}

void client_set_save(client_t *c, client_save_fn *save, void *context)
{
    c->save = save;
    c->save_context = context;
}

void client_cut(client_t *c, int64_t step)
{
    c->cut = step;
}

static flight_t *find_flight(client_t *c, int64_t step)
{
    for (int i = 0; i < IN_FLIGHT; i++)
        if (c->flights[i].used && c->flights[i].step == step)
            return &c->flights[i];
    return NULL;
}

static flight_t *new_flight(client_t *c, int64_t step, const batch_t *batch, bool peek)
{
    for (int i = 0; i < IN_FLIGHT; i++)
        if (!c->flights[i].used) {
            c->flights[i].used = true;
            c->flights[i].peek = peek;
            c->flights[i].step = step;
            c->flights[i].batch = batch;
            c->flights[i].awaited = false;
            c->flights[i].is_cut = step == c->cut;
            c->flights[i].missing = c->o.shards;
            c->flights[i].sequence = ++c->sequence;
            return &c->flights[i];
        }
    ASSERT(!"more pulls in flight than places");
    return NULL;
}

static wire_header_t header_of(const client_t *c, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, c->run_id, c->incarnation, (uint32_t)c->o.heartbeat->rank, step, count);
}

/* Segments and keys of a slice for some sets of tables, behind those that are there. */
static void lay_out_keys(const client_t *c, const batch_t *batch, const batch_slice_t *slice, int part, sets_t sets,
                         wire_segment_t **segments, uint64_t **keys)
{
    for (int k = sets.first; k < sets.end; k++) {
        for (int32_t i = 0; i < slice->n_segments; i++)
            *(*segments)++ = (wire_segment_t){wire_part_table(part, table_plan_id(c->plan, k, (int)slice->segments[i].table)),
                                              slice->segments[i].count};
        if (!slice->unique)
            memcpy(*keys, batch->keys + slice->first, sizeof **keys * (size_t)slice->keys);
        for (int32_t i = 0; slice->unique && i < slice->keys; i++)
            (*keys)[i] = batch->keys[slice->unique[i]];
        *keys += slice->keys;
    }
}

/* What a message of one slice, or of one for each part, has. */
typedef struct message_extent {
    int64_t segment_bytes, keys, weights;
} message_extent_t;

static void add_slice(const client_t *c, const batch_slice_t *slice, sets_t sets, message_extent_t *extent)
{
    const int64_t n = sets.end - sets.first;
    extent->segment_bytes += (int64_t)sizeof(wire_segment_t) * n * slice->n_segments;
    extent->keys += n * slice->keys;
    extent->weights += n * batch_weights(slice, c->plan);
}

static message_extent_t push_extent(const client_t *c, const batch_t *batch, int shard)
{
    message_extent_t extent = {0};
    for (int p = 0; p < batch->parts; p++) {
        const batch_slice_t slice = batch_pushed(batch, shard, p);
        add_slice(c, &slice, c->pushed, &extent);
    }
    return extent;
}

static const pieces_t *asked_of(const flight_t *flight, int shard)
{
    return &flight->answers[shard].pieces;
}

/* What is pulled from a shard; nothing where the pull is an empty one. */
static batch_slice_t pulled_of(const flight_t *flight, int shard)
{
    return flight->batch ? batch_pulled(flight->batch, shard) : (batch_slice_t){0};
}

/* What the answer to a pull will be cut into. */
static void expect_pieces(const client_t *c, flight_t *flight, int shard)
{
    const batch_slice_t slice = pulled_of(flight, shard);
    pieces_t *pieces = &flight->answers[shard].pieces;
    message_extent_t extent = {0};
    add_slice(c, &slice, c->pulled, &extent);
    pieces_begin(pieces, extent.keys, extent.weights);
    for (int k = c->pulled.first; k < c->pulled.end; k++)
        for (int32_t i = 0; i < slice.n_segments; i++)
            pieces_add(pieces, slice.segments[i].count, c->plan->table[slice.segments[i].table].width);
}

/* Send a flight's pull to one shard, for the first time or again. */
static status_t send_pull(client_t *c, flight_t *flight, int shard)
{
    const batch_slice_t slice = pulled_of(flight, shard);
    message_extent_t extent = {0};
    add_slice(c, &slice, c->pulled, &extent);
    const int64_t bytes = extent.segment_bytes, keys = extent.keys;
    char *buffer = pool_take(c->pool, (size_t)(bytes + keys * 8));
    wire_segment_t *segments_end = (wire_segment_t *)buffer;
    uint64_t *keys_end = (uint64_t *)(buffer + bytes);
    if (flight->batch)
        lay_out_keys(c, flight->batch, &slice, 0, c->pulled, &segments_end, &keys_end);
    wire_header_t header = header_of(c, flight->peek ? WIRE_PEEK : WIRE_PULL, flight->step, keys);
    header.sequence = flight->sequence;
    if (!flight->peek)
        wire_set_pull_is_cut(&header, flight->is_cut);
    const wire_frame_t frames[] = {{buffer, bytes}, {buffer + bytes, keys * 8}};
    TRY(net_send_owned(c->o.net, PEER_SHARD(shard), &header, frames, 2, pool_give, buffer));
    c->bytes_sent += (int64_t)sizeof header + bytes + keys * 8;
    return ST_OK;
}

status_t client_pull(client_t *c, const batch_t *batch, bool peek)
{
    flight_t *flight = new_flight(c, batch->step, batch, peek);
    flight->pushes = c->log.last > UNACKNOWLEDGED ? c->log.last - UNACKNOWLEDGED : 0;
    for (int s = 0; s < c->o.shards; s++) {
        expect_pieces(c, flight, s);
        TRY(send_pull(c, flight, s));
        c->rows_pulled += asked_of(flight, s)->rows;
    }
    return ST_OK;
}

static status_t pull_nothing(client_t *c, int64_t step, bool peek)
{
    flight_t *flight = new_flight(c, step, NULL, peek);
    flight->pushes = c->log.last;
    for (int s = 0; s < c->o.shards; s++) {
        expect_pieces(c, flight, s);
        TRY(send_pull(c, flight, s));
    }
    return ST_OK;
}

status_t client_drain(client_t *c, int64_t step)
{
    return pull_nothing(c, step, false);
}

status_t client_fence(client_t *c, int64_t step)
{
    return pull_nothing(c, step, true);
}

/* Send a push that is kept, for the first time or again. */
static status_t send_push(client_t *c, sent_push_t *push, int shard)
{
    wire_header_t header = header_of(c, WIRE_PUSH, push->step, push->keys);
    header.sequence = push->sequence;
    push->pulls = c->sequence;
    pool_keep(push->buffer);
    TRY(net_send_owned(c->o.net, PEER_SHARD(shard), &header, push->frame, 3, pool_give, push->buffer));
    c->bytes_sent += (int64_t)sizeof header + push->frame[0].bytes + push->frame[1].bytes + push->frame[2].bytes;
    return ST_OK;
}

/* An answer to pull number `pull` says how many pushes the shard has taken without a gap, modulo 2^32. Those are kept no
 * longer; others that left before the pull did are lost or late, and are sent again. */
static status_t acknowledge(client_t *c, int shard, uint32_t taken, uint64_t pull)
{
    const uint64_t beyond = resend_queue_acknowledge(&c->log, shard, taken);
    if (beyond)
        return REFUSE("%s acknowledges push %" PRIu64 ", and %" PRIu64 " were sent", c->o.shard_names[shard],
                      c->log.last + beyond, c->log.last);
    for (uint64_t n = c->log.acknowledged[shard] + 1; n <= c->log.last; n++) {
        sent_push_t *push = resend_queue_get(&c->log, shard, n);
        if (push && push->pulls < pull) {
            c->sent_again++;
            TRY(send_push(c, push, shard));
        }
    }
    return ST_OK;
}

status_t client_refuse(client_t *c, net_message_t *message, const char *reason)
{
    char who[32];
    snprintf(who, sizeof who, "rank %d, a worker,", c->o.heartbeat->rank);
    dispatch_refuse(c->o.net, message, who, reason);
    return ST_OK;
}

static bool is_of_run(const client_t *c, const wire_header_t *header)
{
    return header->run_id == c->run_id && header->incarnation == c->incarnation;
}

static status_t drop(client_t *c, net_message_t *message, const char *what)
{
    log_debug("%s was dropped", what);
    net_release(c->o.net, message);
    return ST_OK;
}

/* ---- one function for each message that a worker takes at once (WIRE_TYPES); all take over the message ------------------- */

/* Why a message that answers what was asked for is no piece of that; NULL: it is. */
static const char *wrong_with_piece(const pieces_t *asked, const net_message_t *message, char reason[PIECE_REASON_BYTES])
{
    const int piece = message->header.piece;
    const int64_t weights = message->frame[0].bytes / (int64_t)sizeof(float);
    if (piece < asked->n && message->header.count == pieces_rows(asked, piece) && weights == pieces_weights(asked, piece))
        return NULL;
    snprintf(reason, PIECE_REASON_BYTES,
             "its pull was of %" PRId64 " rows, %" PRId64 " weights, and piece %d of %d has %" PRId64 ", %" PRId64, asked->rows,
             asked->end[asked->n - 1], piece, asked->n, message->header.count, weights);
    return reason;
}

static void take_piece(client_t *c, flight_t *flight, int shard, const net_message_t *message)
{
    answer_t *answer = &flight->answers[shard];
    answer->piece[message->header.piece] = *message;
    answer->has |= UINT32_C(1) << message->header.piece;
    answer->is_whole = __builtin_popcount(answer->has) == answer->pieces.n;
    flight->missing -= answer->is_whole;
    c->bytes_received += (int64_t)sizeof message->header + message->frame[0].bytes;
}

/* A piece of an answer goes to its flight. */
static status_t client_on_rows(client_t *c, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    const int shard = PEER_SHARD_OF(message->peer);
    if (!is_of_run(c, header))
        return drop(c, message, "an answer of another run");
    flight_t *flight = find_flight(c, header->step);
    const bool is_awaited =
        flight && flight->sequence == header->sequence && !(flight->answers[shard].has >> header->piece & 1);
    char text[PIECE_REASON_BYTES];
    const char *reason = is_awaited ? wrong_with_piece(asked_of(flight, shard), message, text) : NULL;
    if (reason)
        return client_refuse(c, message, reason);
    const status_t status = acknowledge(c, shard, wire_pushes_taken(header), header->sequence);
    if (status == ST_MESSAGE)
        return client_refuse(c, message, status_refusal());
    if (status != ST_OK || !is_awaited)
        net_release(c->o.net, message);
    else
        take_piece(c, flight, shard, message);
    return status;
}

/* Has the shard something of this worker's that it may refuse: a pull that it has not answered, a push that it has not taken?
 * */
static bool waits_for(const client_t *c, int shard, const wire_header_t *refusal)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        const flight_t *flight = &c->flights[i];
        if (flight->used && !flight->answers[shard].is_whole && flight->step == refusal->step &&
            flight->sequence == refusal->sequence)
            return true;
    }
    const sent_push_t *push = refusal->sequence > c->log.acknowledged[shard] && refusal->sequence <= c->log.last
                                  ? resend_queue_get(&c->log, shard, refusal->sequence)
                                  : NULL;
    return push && push->step == refusal->step;
}

/* What this worker sent was refused. That is fatal, unless it has moved on to another run, or a shard refuses what it does not
 * have. */
static status_t client_on_error(client_t *c, net_message_t *message)
{
    message_error_t body;
    if (message->header.run_id && !is_of_run(c, &message->header))
        return drop(c, message, "the refusal of a late message of another run");
    if (!message_body(message, &body, sizeof body))
        return client_refuse(c, message, "it has no body");
    if (PEER_IS_SHARD(message->peer) && !waits_for(c, PEER_SHARD_OF(message->peer), &message->header))
        return client_refuse(c, message, "it refuses what was not sent");
    net_release(c->o.net, message);
    c->failed = true;
    return FAIL(ST_MESSAGE, "a message was refused: %.400s", body.text);
}

static status_t client_on_stop(client_t *c, net_message_t *message)
{
    c->stopped = true;
    c->stop_status = wire_status(&message->header) != ST_OK ? ST_PEER : ST_STOPPED;
    net_release(c->o.net, message);
    return c->stop_status;
}

static status_t client_on_save(client_t *c, net_message_t *message)
{
    const wire_header_t save = message->header;
    if (!c->save || !is_of_run(c, &save))
        return drop(c, message, "a word to another run");
    const status_t status = c->save(c->save_context, &save);
    if (status == ST_MESSAGE)
        return client_refuse(c, message, status_refusal());
    net_release(c->o.net, message);
    return status;
}

static status_t client_on_verdict(client_t *c, net_message_t *message)
{
    return client_on_save(c, message);
}

/* It has done its work: whatever comes from the coordinator ends its silence (heartbeat_receive). */
static status_t client_on_heartbeat(client_t *c, net_message_t *message)
{
    net_release(c->o.net, message);
    return ST_OK;
}

/* All else waits for client_control. */
static status_t client_keep(client_t *c, net_message_t *message)
{
    if (c->n_controls == CONTROLS)
        return client_refuse(c, message, "it is told too much at once");
    c->controls[c->n_controls++] = *message;
    return ST_OK;
}

typedef status_t handler_t(client_t *c, net_message_t *message);
static handler_t *const handlers[WIRE_TYPE_END][WIRE_ROLE_END] = {DISPATCH_CLIENT};

static wire_role_t role_of(const client_t *c, int peer)
{
    if (PEER_IS_SHARD(peer))
        return PEER_SHARD_OF(peer) < c->o.shards ? WIRE_ROLE_SHARD : WIRE_ROLE_STRANGER;
    return peer == PEER_COORDINATOR ? WIRE_ROLE_COORDINATOR : peer == PEER_PULSE ? WIRE_ROLE_PULSE : WIRE_ROLE_STRANGER;
}

static status_t handle(client_t *c, net_message_t *message)
{
    handler_t *handler = handlers[message->header.type][role_of(c, message->peer)];
    return handler ? handler(c, message) : client_refuse(c, message, "a worker does not take this type from this sender");
}

/* Receive for up to timeout_ms and handle what came; ST_TIMEOUT where nothing did. */
static status_t pump(client_t *c, int64_t timeout_ms, int64_t step)
{
    if (rank_signals_interrupted())
        return ST_PEER;
    if (c->stopped)
        return c->stop_status;
    net_message_t message;
    TRY(heartbeat_receive(c->o.heartbeat, step, timeout_ms, &message));
    return handle(c, &message);
}

/* Is there nothing more to be had from a shard: rows, and word of the pushes that should have arrived? */
static bool is_done(const client_t *c, const flight_t *flight, int shard)
{
    return flight->answers[shard].is_whole && c->log.acknowledged[shard] >= flight->pushes;
}

static bool is_complete(const client_t *c, const flight_t *flight)
{
    if (flight->missing)
        return false;
    for (int s = 0; s < c->o.shards; s++)
        if (!is_done(c, flight, s))
            return false;
    return true;
}

static status_t wait_failed(client_t *c, const flight_t *flight)
{
    char names[512] = "";
    size_t used = 0;
    int missing = 0;
    for (int s = 0; s < c->o.shards; s++) {
        if (is_done(c, flight, s))
            continue;
        missing++;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", c->o.shard_names[s]);
    }
    return FAIL(ST_TIMEOUT, "step %" PRId64 ": waiting for %d of %d shards for %.0f s: %s", flight->step, missing, c->o.shards,
                (double)c->o.heartbeat->deadline_ns * 2e-9, names);
}

static void start_waiting(client_t *c, flight_t *flight)
{
    if (flight->awaited)
        return;
    const int64_t now = net_now_ns(c->o.net);
    flight->awaited = true;
    flight->waited = patience_start(now);
    flight->pause_ns = c->retry_ns;
    flight->retry_ns = c->retry_ns ? now + c->retry_ns : INT64_MAX;
}

/* Send again what the wait may be for. Pushes go first, so that the answer to the pull acknowledges them. */
static status_t send_again(client_t *c, flight_t *flight)
{
    for (int s = 0; s < c->o.shards; s++) {
        for (uint64_t n = c->log.acknowledged[s] + 1; n <= c->log.last; n++) {
            sent_push_t *push = resend_queue_get(&c->log, s, n);
            if (!push)
                continue; /* its step failed before */
            c->sent_again++;
            TRY(send_push(c, push, s));
        }
        if (is_done(c, flight, s))
            continue;
        c->sent_again++;
        TRY(send_pull(c, flight, s));
    }
    return ST_OK;
}

/* Nothing came for a while. */
static status_t look_at_clock(client_t *c, flight_t *flight)
{
    const int64_t now = net_now_ns(c->o.net);
    if (patience_spend(&flight->waited, now) >
        2 * c->o.heartbeat->deadline_ns) /* the coordinator sees who is silent, and speaks first */
        return wait_failed(c, flight);
    if (now < flight->retry_ns)
        return ST_OK;
    log_debug("step %" PRId64 ": no rows for %.1f s; asking again", flight->step, (double)flight->pause_ns * 1e-9);
    if (flight->pause_ns < RETRY_STRETCH * c->retry_ns)
        flight->pause_ns *= 2;
    flight->retry_ns = now + flight->pause_ns;
    return send_again(c, flight);
}

status_t client_ready(client_t *c, int64_t step, bool *ready)
{
    flight_t *flight = find_flight(c, step);
    ASSERT(flight);
    start_waiting(c, flight);
    TRY(client_poll(c, step));
    *ready = is_complete(c, flight);
    return *ready ? ST_OK : look_at_clock(c, flight);
}

status_t client_wait(client_t *c, int64_t step)
{
    flight_t *flight = find_flight(c, step);
    ASSERT(flight);
    start_waiting(c, flight);
    while (!is_complete(c, flight)) {
        int64_t patience = c->o.heartbeat->period_ns;
        if (flight->retry_ns < INT64_MAX) {
            const int64_t left = flight->retry_ns - net_now_ns(c->o.net);
            patience = left < patience ? left : patience;
        }
        status_t status = pump(c, patience > 0 ? patience / 1000000 + 1 : 0, step);
        if (status == ST_TIMEOUT)
            status = look_at_clock(c, flight);
        TRY(status);
    }
    return ST_OK;
}

/* Where the rows of a set of tables lie in an answer that is whole. */
static void rows_of_answer(const client_t *c, const batch_slice_t *slice, int set, const answer_t *answer, const float **row)
{
    const pieces_t *pieces = &answer->pieces;
    const int64_t first = (int64_t)set * slice->keys;
    if (slice->keys == 0)
        return;
    int piece = (int)(first / pieces->each);
    int64_t left = pieces_rows(pieces, piece) - first % pieces->each; /* rows of the piece */
    const float *at = (const float *)answer->piece[piece].frame[0].data + set * batch_weights(slice, c->plan) -
                      pieces_first_weight(pieces, piece);
    for (int32_t i = 0, u = slice->first; i < slice->n_segments; i++) {
        const int32_t end = u + (int32_t)slice->segments[i].count, width = c->plan->table[slice->segments[i].table].width;
        while (u < end) {
            if (left == 0) {
                left = pieces_rows(pieces, ++piece);
                at = answer->piece[piece].frame[0].data;
            }
            const int32_t to = left < end - u ? u + (int32_t)left : end;
            left -= to - u;
            for (; u < to; u++, at += width)
                row[u] = at;
        }
    }
}

void client_rows(const client_t *c, const batch_t *batch, int set, const float **row)
{
    const flight_t *flight = NULL;
    for (int i = 0; i < IN_FLIGHT; i++)
        if (c->flights[i].used && c->flights[i].step == batch->step)
            flight = &c->flights[i];
    ASSERT(flight && flight->missing == 0);
    for (int s = 0; s < c->o.shards; s++) {
        const batch_slice_t slice = batch_pulled(batch, s);
        ASSERT(asked_of(flight, s)->rows == (int64_t)(c->pulled.end - c->pulled.first) * slice.keys);
        rows_of_answer(c, &slice, set, &flight->answers[s], row);
    }
}

void client_release(client_t *c, int64_t step)
{
    flight_t *flight = find_flight(c, step);
    ASSERT(flight);
    release_flight(c, flight);
}

void client_push_begin(client_t *c, const batch_t *batch)
{
    for (int s = 0; s < c->o.shards; s++) {
        const message_extent_t push = push_extent(c, batch, s);
        const int64_t floats_at = (push.segment_bytes + push.keys * 8 + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
        char *buffer = pool_take(c->pool, (size_t)(floats_at + push.weights * 4));
        wire_segment_t *segments = (wire_segment_t *)buffer;
        uint64_t *keys = (uint64_t *)(buffer + push.segment_bytes);
        for (int p = 0; p < batch->parts; p++) {
            const batch_slice_t slice = batch_pushed(batch, s, p);
            lay_out_keys(c, batch, &slice, p, c->pushed, &segments, &keys);
        }
        c->push_buffer[s] = buffer;
        c->push_base[s] = (float *)(void *)(buffer + floats_at);
    }
}

float *const *client_push_base(const client_t *client)
{
    return client->push_base;
}

status_t client_push_send(client_t *c, const batch_t *batch)
{
    c->log.last++;
    for (int s = 0; s < c->o.shards; s++) {
        const message_extent_t extent = push_extent(c, batch, s);
        char *buffer = c->push_buffer[s], *keys = buffer + extent.segment_bytes;
        const sent_push_t push = {
            .step = batch->step,
            .keys = extent.keys,
            .sequence = c->log.last,
            .buffer = buffer,
            .frame = {{buffer, extent.segment_bytes}, {keys, extent.keys * 8}, {c->push_base[s], extent.weights * 4}}};
        c->push_buffer[s] = NULL;
        TRY(send_push(c, resend_queue_put(&c->log, s, &push), s));
        c->rows_pushed += extent.keys;
    }
    return ST_OK;
}

bool client_has_failed(const client_t *client)
{
    return client->failed;
}

status_t client_control(client_t *c, net_message_t *message)
{
    while (!c->n_controls) {
        status_t status = pump(c, c->o.heartbeat->period_ns / 1000000, 0);
        if (status != ST_TIMEOUT)
            TRY(status);
    }
    *message = c->controls[0];
    memmove(c->controls, c->controls + 1, sizeof *c->controls * (size_t)--c->n_controls);
    return ST_OK;
}

status_t client_poll_for(client_t *c, int64_t step, int64_t timeout_ms)
{
    for (;; timeout_ms = 0) {
        status_t status = pump(c, timeout_ms, step);
        if (status == ST_TIMEOUT)
            return ST_OK;
        TRY(status);
    }
}

status_t client_poll(client_t *c, int64_t step)
{
    return client_poll_for(c, step, 0);
}

int64_t client_rows_pulled(const client_t *client)
{
    return client->rows_pulled;
}

int64_t client_rows_pushed(const client_t *client)
{
    return client->rows_pushed;
}

int64_t client_bytes_sent(const client_t *client)
{
    return client->bytes_sent;
}

int64_t client_bytes_received(const client_t *client)
{
    return client->bytes_received;
}

int64_t client_sent_again(const client_t *client)
{
    return client->sent_again;
}

int64_t client_unacknowledged(const client_t *client)
{
    int64_t pushes = 0;
    for (int s = 0; s < client->o.shards; s++)
        pushes += (int64_t)(client->log.last - client->log.acknowledged[s]);
    return pushes;
}
