#include "ps/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/dispatch.h"
#include "common/net/heartbeat.h"
#include "common/process/rank_signals.h"
#include "ps/shard.h"

typedef struct shard_thread {
    pthread_t thread;
    shard_t *shard;
    const atomic_bool *stop;
    status_t status;
    atomic_bool ended;
} shard_thread_t;

static void *run_shard(void *argument)
{
    shard_thread_t *thread = argument;
    thread->status = shard_run(thread->shard, thread->stop);
    atomic_store(&thread->ended, true);
    return NULL;
}

/* Watch the shards and listen to the coordinator until one of them ends the job. */
static status_t watch(const server_options_t *options, heartbeat_t *heartbeat, shard_thread_t *threads)
{
    for (;;) {
        for (int i = 0; i < options->shards; i++)
            if (atomic_load(&threads[i].ended) && threads[i].status != ST_OK)
                return threads[i].status;
        if (rank_signals_interrupted())
            return ST_STOPPED;
        net_message_t message;
        status_t status = heartbeat_receive(heartbeat, 0, heartbeat->period_ns / 1000000, &message);
        if (status == ST_TIMEOUT)
            continue;
        TRY(status);
        const int type = message.header.type;
        const wire_role_t from = message.peer == PEER_PULSE ? WIRE_ROLE_PULSE : WIRE_ROLE_COORDINATOR; /* it dialled no other */
        if (!wire_may_send(type, from, WIRE_ROLE_SERVER)) {
            dispatch_refuse(options->control, &message, "a server", "a server does not take this type from this sender");
            continue;
        }
        const wire_header_t header = message.header;
        net_release(options->control, &message);
        if (type == WIRE_STOP)
            return wire_status(&header) == ST_OK ? ST_OK : ST_PEER;
    }
}

status_t server_run(const server_options_t *options)
{
    mem_keep_messages();
    atomic_bool stop = false;
    int started = 0;
    shard_thread_t *threads = MEM_ARRAY(shard_thread_t, options->shards);
    const config_t *config = options->experiment->base;
    heartbeat_t heartbeat;
    heartbeat_init(&heartbeat, options->control, options->rank, config->cluster.heartbeat_ms, config->cluster.deadline_s);
    if (options->coordinator)
        heartbeat_expect_pulse(&heartbeat, options->coordinator, options->rank == 1);
    status_t status = ST_OK;
    for (int i = 0; i < options->shards && status == ST_OK; i++) {
        const shard_options_t shard_options = {
            .shard = options->first_shard + i,
            .shards = options->all_shards,
            .folders = options->folders,
            .first_of_process = i == 0,
            .rank = options->rank,
            .first_worker = options->first_worker,
            .workers = options->workers,
            .experiment = options->experiment,
            .net = options->shard_nets[i],
        };
        threads[i].stop = &stop;
        status = shard_create(&shard_options, &threads[i].shard);
        if (status == ST_OK && pthread_create(&threads[i].thread, NULL, run_shard, &threads[i]) != 0)
            status =
                FAIL(ST_SYSTEM, "cannot start the thread of shard %d; the limit on threads is too low", shard_options.shard);
        started += status == ST_OK;
    }
    if (status == ST_OK)
        status = watch(options, &heartbeat, threads);
    char reason[STATUS_REASON_BYTES];
    status_reason(reason); /* before other shards, which are told to end, can have one of their own */
    atomic_store(&stop, true);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i].thread, NULL);
    if (status != ST_OK && status != ST_STOPPED && status != ST_PEER)
        heartbeat_fail(&heartbeat, status, reason);
    heartbeat_bye(&heartbeat, status);
    for (int i = 0; i < options->shards; i++)
        shard_destroy(&threads[i].shard);
    mem_free(threads);
    return status;
}
