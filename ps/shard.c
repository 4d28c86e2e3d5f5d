#include "ps/shard.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/dispatch.h"
#include "ps/shard_impl.h"

#define WORK_EVERY 4 /* messages between slices of work while messages keep coming */

status_t shard_create(const shard_options_t *options, shard_t **out)
{
    shard_t *shard = MEM_NEW(shard_t);
    shard->o = *options;
    if (!shard->o.disk)
        shard->o.disk = disk_posix();
    shard->pool = pool_create();
    const int w = options->workers;
    arena_t *arena = &shard->arena;
    shard->replies = reply_cache_create(w, SHARD_RING);
    shard->pushed = ARENA_ARRAY(arena, int64_t, w);
    shard->windows = ARENA_ARRAY(arena, replay_window_t, w);
    shard->pulls = ARENA_ARRAY(arena, held_t, SHARD_RING * w);
    shard->pushes = ARENA_ARRAY(arena, held_t, SHARD_RING * w);
    shard->ready = ARENA_ARRAY(arena, net_message_t *, w);
    *out = shard;
    return ST_OK;
}

void shard_destroy(shard_t **shard)
{
    shard_t *s = *shard;
    if (!s)
        return;
    shard_end(s);
    config_destroy(&s->told);
    mem_free(s->told_widths);
    reply_cache_destroy(&s->replies);
    arena_fini(&s->arena);
    pool_destroy(&s->pool);
    mem_free(s);
    *shard = NULL;
}

wire_header_t shard_header(const shard_t *shard, wire_type_t type, int64_t step, int64_t count)
{
    return wire_header(type, shard->run_id, shard->incarnation, (uint32_t)shard->o.rank, step, count);
}

/* Answer a bad message with its reason; state is unchanged. */
status_t shard_refuse(shard_t *shard, net_message_t *message, const char *reason)
{
    char who[32];
    shard->counters.bad_messages++;
    snprintf(who, sizeof who, "shard %d", shard->o.shard);
    dispatch_refuse(shard->o.net, message, who, reason);
    return ST_OK;
}

/* ---- one function for each message that a shard takes (WIRE_TYPES); all take over the message ---------------------------- */

static status_t shard_on_stop(shard_t *shard, net_message_t *message)
{
    net_release(shard->o.net, message);
    return ST_STOPPED;
}

static status_t shard_on_error(shard_t *shard, net_message_t *message)
{
    net_release(shard->o.net, message);
    return ST_OK;
}

/* A PULL, PEEK or PUSH: may it be taken? The worker that sent it, or -1 and the message is refused, with *status of that. */
static int check_rows(shard_t *shard, net_message_t *message, status_t *status)
{
    const int worker = shard_worker_of(shard, message->peer);
    int64_t floats;
    const char *reason = worker < 0 ? "its sender takes no part in the run" : shard_check(shard, message, worker, &floats);
    if (!reason)
        return worker;
    *status = shard_refuse(shard, message, reason);
    return -1;
}

/* Why a run takes no pulls now; NULL: it does. */
static const char *wrong_with_pulls(const shard_t *shard)
{
    if (shard->purpose != RUN_TRAINS)
        return "a run that only scores trains nothing";
    if (shard->phase == PHASE_FLUSHED)
        return "the run is over";
    return shard->phase == PHASE_BEGUN && shard->first_step > 0 ? "the checkpoint that the run begins with has not come" : NULL;
}

static status_t shard_on_pull(shard_t *shard, net_message_t *message)
{
    status_t status;
    const char *reason = wrong_with_pulls(shard);
    if (reason)
        return shard_refuse(shard, message, reason);
    const int worker = check_rows(shard, message, &status);
    if (worker < 0)
        return status;
    shard->phase = PHASE_TRAINS;
    return shard_take_pull(shard, message, worker);
}

static status_t shard_on_peek(shard_t *shard, net_message_t *message)
{
    status_t status;
    return check_rows(shard, message, &status) < 0 ? status : shard_answer(shard, message, true);
}

static status_t shard_on_push(shard_t *shard, net_message_t *message)
{
    status_t status;
    if (shard->purpose != RUN_TRAINS)
        return shard_refuse(shard, message, "a run that only scores trains nothing");
    const int worker = check_rows(shard, message, &status);
    return worker < 0 ? status : shard_take_push(shard, message, worker);
}

typedef status_t handler_t(shard_t *shard, net_message_t *message);
static handler_t *const handlers[WIRE_TYPE_END][WIRE_ROLE_END] = {DISPATCH_SHARD};

static wire_role_t role_of(const shard_t *shard, int peer)
{
    if (peer == PEER_COORDINATOR)
        return WIRE_ROLE_COORDINATOR;
    const int worker = peer - shard->o.first_worker;
    return worker >= 0 && worker < shard->o.workers ? WIRE_ROLE_WORKER : WIRE_ROLE_STRANGER;
}

static status_t handle(shard_t *shard, net_message_t *message)
{
    const wire_header_t *header = &message->header;
    const wire_role_t role = role_of(shard, message->peer);
    handler_t *handler = handlers[header->type][role];
    if (role == WIRE_ROLE_STRANGER) {
        shard->counters.bad_messages++;
        dispatch_drop(shard->o.net, message);
        return ST_OK;
    }
    if (!handler)
        return shard_refuse(shard, message, "a shard does not take this type from this sender");
    if (wire_is_of_run(header->type)) {
        if (shard->phase == PHASE_NONE)
            return shard_refuse(shard, message, "no run has begun");
        if (header->run_id != shard->run_id || header->incarnation != shard->incarnation)
            return shard_refuse(shard, message, "it belongs to another run or incarnation");
    }
    return handler(shard, message);
}

status_t shard_handle(shard_t *shard, net_message_t *message)
{
    TRY(handle(shard, message));
    return shard_rows_are_sound(shard) ? ST_OK : row_cache_status(shard->row_cache);
}

bool shard_has_work(const shard_t *shard)
{
    return shard->snapshot && shard_snapshot_has_work(shard->snapshot);
}

status_t shard_work(shard_t *shard, bool *again)
{
    message_prepared_t body;
    int64_t step;
    *again = false;
    if (!shard_has_work(shard))
        return ST_OK;
    TRY(shard_snapshot_work(shard->snapshot, again));
    if (!shard_rows_are_sound(shard))
        return row_cache_status(shard->row_cache);
    if (shard_snapshot_prepared(shard->snapshot, net_now_ns(shard->o.net), &step, &body)) {
        TRY(shard_send_digests(shard));
        wire_header_t header = shard_header(shard, WIRE_PREPARED, step, 0);
        wire_frame_t frame = {&body, sizeof body};
        TRY(net_send(shard->o.net, PEER_COORDINATOR, &header, &frame, 1));
        TRY(shard_advance(shard)); /* the next cut may have waited */
    }
    if (shard_snapshot_compacted(shard->snapshot, &step)) {
        wire_header_t header = shard_header(shard, WIRE_FOLDED, step, 0);
        TRY(net_send(shard->o.net, PEER_COORDINATOR, &header, NULL, 0));
    }
    return ST_OK;
}

/* How long to wait for a message: not at all while there are rows to save, shortly while the disk is busy. */
static int64_t patience_ms(const shard_t *shard, bool again)
{
    return !shard_has_work(shard) ? 200 : again ? 0 : 2;
}

status_t shard_run(shard_t *shard, const atomic_bool *stop)
{
    bool again = false;
    int since = 0; /* messages since the last slice of work */
    while (!atomic_load(stop)) {
        net_message_t message;
        status_t status = net_receive(shard->o.net, &message, patience_ms(shard, again));
        const bool is_idle = status == ST_TIMEOUT;
        if (!is_idle) {
            TRY(status);
            status = shard_handle(shard, &message);
            if (status == ST_STOPPED)
                return ST_OK;
            TRY(status);
        }
        if (shard_has_work(shard) && (is_idle || ++since >= WORK_EVERY)) {
            since = 0;
            TRY(shard_work(shard, &again));
        }
    }
    return ST_OK;
}
