#include "tests/sim/sim_job.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "common/net/dispatch.h"
#include "common/net/heartbeat.h"
#include "common/net/pieces.h"
#include "common/net/pulse.h"
#include "common/process/rank_signals.h"
#include "launcher/coordinator/coordinator.h"
#include "ps/shard.h"
#include "tests/sim/sim_io.h"
#include "tests/sim/sim_lmdb.h"
#include "tests/sim/sim_memory.h"
#include "tests/sim/sim_mpi.h"
#include "worker/worker.h"

#define RANKS_MOST (1 + SIM_SHARDS_MOST + SIM_WORKERS_MOST)
#define LIMIT_NS INT64_C(300000000000) /* far beyond every deadline */
#define LAUNCHER_NS INT64_C(1000000000)

typedef struct job job_t;

typedef struct rank {
    job_t *job;
    int rank;
    net_t *net;       /* the coordinator's, a worker's, or a server's to the coordinator */
    net_t *pulse_net; /* of the coordinator */
    disk_t *disk;
    /* Of a server. */
    net_t *shard_net;
    atomic_bool stop;
    bool shard_ended;
    status_t shard_status;
    struct arrivals *arrivals;
    /* Its disk's calls until it dies; 0: no bomb. */
    int64_t bomb;
    bool bomb_counts_syncs;
    int64_t allocations; /* that it may still make; 0: any number */
    /* Of a worker. */
    cluster_t *cluster;
} rank_t;

struct job {
    const sim_job_options_t *o;
    sim_job_result_t *result;
    net_sim_world_t *world;
    sim_mpi_t *mpi;
    roster_t roster;
    run_folders_t folders;
    rank_t ranks[RANKS_MOST];
    atomic_bool pulse_stop;
    int64_t doomed_ns; /* when the launcher kills what is left; 0: not decided */
    malice_target_t targets[2 * RANKS_MOST];
    char names[SIM_SHARDS_MOST][48];
    const char *shard_names[SIM_SHARDS_MOST];
};

static void kill_rank(rank_t *r)
{
    net_sim_kill(r->net);
    if (r->shard_net)
        net_sim_kill(r->shard_net);
    if (r->pulse_net)
        net_sim_kill(r->pulse_net);
    disk_sim_kill(r->disk);
}

static void wait_for_disk(void *context, const char *call, int64_t ns)
{
    rank_t *r = context;
    if (r->bomb && (!r->bomb_counts_syncs || strcmp(call, "sync_dir") == 0) && --r->bomb == 0) {
        kill_rank(r);
        r->job->result->killed = true;
        return;
    }
    if (ns > 0)
        net_sim_sleep(r->job->world, ns);
}

/* LMDB's folders have the number of their shard in their paths. */
static disk_t *disk_of_folder(void *context, const char *folder)
{
    static const char mark[] = "/" DIR_SHARD;
    const job_t *job = context;
    const char *at = NULL;
    if (strncmp(folder, job->o->run_dir, strlen(job->o->run_dir)) == 0)
        for (const char *next = folder; (next = strstr(next, mark)); next++)
            at = next;
    const int shard = at ? atoi(at + strlen(mark)) : -1;
    return shard >= 0 && shard < job->o->shards ? job->ranks[1 + shard].disk : NULL;
}

/* Out of memory, a process ends. */
static void count_allocation(void *context)
{
    job_t *job = context;
    const net_t *running = net_sim_running(job->world);
    for (int i = 0; running && i < job->roster.size; i++) {
        rank_t *r = &job->ranks[i];
        if ((running != r->net && running != r->shard_net && running != r->pulse_net) || !r->allocations ||
            --r->allocations > 0)
            continue;
        if (job->o->loses_refused) {
            disk_sim_lose(r->disk);
        } else {
            kill_rank(r);
            job->result->killed = true;
        }
    }
}

/* ---- the loops of the ranks ---- */

static void run_coordinator(void *context)
{
    rank_t *r = context;
    job_t *job = r->job;
    progress_t *progress = NULL;
    coordinator_t *coordinator = NULL;
    const progress_run_t line = {.variant = "sim", .replicas = 1, .runs = 1};
    const int silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
    status_t status;
    TRY_DONE(progress_create(silent, &progress));
    const coordinator_options_t options = {
        .net = r->net, .roster = &job->roster, .experiment = job->o->experiment, .progress = progress, .disk = r->disk};
    const coordinator_run_t run = {.variant = -1, .dir = job->o->run_dir, .resume = job->o->resume, .line = &line};
    TRY_DONE(coordinator_create(&options, &coordinator));
    TRY_DONE(coordinator_train(coordinator, &run, &job->result->manifest));
done:
    if (coordinator && !net_sim_is_dead(r->net))
        coordinator_stop(coordinator, status);
    job->result->status = status;
    atomic_store(&job->pulse_stop, true);
    coordinator_destroy(&coordinator);
    progress_destroy(&progress);
    close(silent);
}

static void run_pulse(void *context)
{
    rank_t *r = context;
    pulse_run(r->pulse_net, &r->job->pulse_stop);
}

static void run_shard(void *context)
{
    rank_t *r = context;
    const sim_job_options_t *o = r->job->o;
    shard_t *shard = NULL;
    const shard_options_t options = {.shard = r->rank - 1,
                                     .shards = o->shards,
                                     .folders = &r->job->folders,
                                     .rank = r->rank,
                                     .first_worker = 1 + o->shards,
                                     .workers = o->workers,
                                     .experiment = o->experiment,
                                     .net = r->shard_net,
                                     .disk = r->disk,
                                     .slice_bytes = o->slice_bytes,
                                     .row_bytes = o->row_bytes};
    r->shard_status = shard_create(&options, &shard);
    if (r->shard_status == ST_OK)
        r->shard_status = shard_run(shard, &r->stop);
    shard_destroy(&shard);
    r->shard_ended = true;
}

/* As ps/server.c watches its shards' threads. */
static status_t watch(rank_t *r, heartbeat_t *heartbeat)
{
    for (;;) {
        if (r->shard_ended && r->shard_status != ST_OK)
            return r->shard_status;
        net_message_t message;
        status_t status = heartbeat_receive(heartbeat, 0, heartbeat->period_ns / 1000000, &message);
        if (status == ST_TIMEOUT)
            continue;
        TRY(status);
        const int type = message.header.type;
        if (!wire_may_send(type, message.peer == PEER_PULSE ? WIRE_ROLE_PULSE : WIRE_ROLE_COORDINATOR, WIRE_ROLE_SERVER)) {
            dispatch_refuse(r->net, &message, "a server", "a server does not take this type from this sender");
            continue;
        }
        status = message.header.count ? ST_PEER : ST_OK;
        net_release(r->net, &message);
        if (type == WIRE_STOP)
            return status;
    }
}

static void run_server(void *context)
{
    rank_t *r = context;
    const config_t *config = r->job->o->experiment->base;
    heartbeat_t heartbeat;
    heartbeat_init(&heartbeat, r->net, r->rank, config->cluster.heartbeat_ms, config->cluster.deadline_s);
    heartbeat_expect_pulse(&heartbeat, "coordinator", r->rank == 1);
    const status_t status = watch(r, &heartbeat);
    atomic_store(&r->stop, true);
    if (status != ST_OK && status != ST_STOPPED && status != ST_PEER)
        heartbeat_fail(&heartbeat, status, "a shard failed; its own line says why");
    heartbeat_bye(&heartbeat, status);
}

static void run_worker(void *context)
{
    rank_t *r = context;
    const job_t *job = r->job;
    const worker_options_t options = {.rank = r->rank,
                                      .worker = r->rank - 1 - job->o->shards,
                                      .workers = job->o->workers,
                                      .shards = job->o->shards,
                                      .shard_names = job->shard_names,
                                      .experiment = job->o->experiment,
                                      .folders = &job->folders,
                                      .coordinator = "coordinator",
                                      .net = r->net,
                                      .cluster = r->cluster};
    if (worker_run(&options) != ST_OK)
        log_debug("worker of rank %d ended", r->rank);
}

/* ---- a mistake on purpose ---- */

#define STEPS_KEPT 64

/* Whose push of a step came first, second, .. at a shard. */
typedef struct arrivals {
    int first_worker;
    struct {
        int64_t step;
        int n, rank[SIM_WORKERS_MOST];
    } of[STEPS_KEPT];
} arrivals_t;

static void number_by_arrival(void *context, net_message_t *message)
{
    arrivals_t *a = context;
    if (message->header.type != WIRE_PUSH || message->peer < a->first_worker || message->header.step < 0)
        return;
    const int slot = (int)(message->header.step % STEPS_KEPT);
    if (a->of[slot].step != message->header.step)
        a->of[slot].n = 0;
    a->of[slot].step = message->header.step;
    int place = 0;
    while (place < a->of[slot].n && a->of[slot].rank[place] != message->peer)
        place++;
    if (place == a->of[slot].n)
        a->of[slot].rank[a->of[slot].n++] = message->peer;
    message->peer = a->first_worker + place;
}

/* ---- the job ---- */

static void create_ranks(job_t *job)
{
    const sim_job_options_t *o = job->o;
    const int size = 1 + o->shards + o->workers;
    job->roster = (roster_t){.size = size,
                             .servers = o->shards,
                             .shards_per_server = 1,
                             .workers = o->workers,
                             .entries = MEM_ARRAY(roster_entry_t, size)};
    for (int i = 0; i < size; i++) {
        rank_t *r = &job->ranks[i];
        snprintf(job->roster.entries[i].host, sizeof job->roster.entries[i].host, "node%d", i);
        job->roster.entries[i].pid = 1000 + i;
        *r = (rank_t){.job = job, .rank = i};
        r->net = net_sim_attach(job->world, i);
        r->disk = disk_sim_attach(o->disk, wait_for_disk, r);
        if (i >= 1 && i <= o->shards) {
            r->shard_net = net_sim_attach(job->world, i);
            snprintf(job->names[i - 1], sizeof job->names[i - 1], "shard %d of server %d", i - 1, i - 1);
            job->shard_names[i - 1] = job->names[i - 1];
        }
    }
    job->ranks[0].pulse_net = net_sim_attach(job->world, 0);
    for (int i = 1; i < size; i++) {
        net_sim_dial(job->ranks[i].net, PEER_COORDINATOR, job->ranks[0].net);
        net_sim_dial(job->ranks[i].net, PEER_PULSE, job->ranks[0].pulse_net);
    }
    for (int s = 0; s < o->shards; s++)
        net_sim_dial(job->ranks[0].net, PEER_SHARD(s), job->ranks[1 + s].shard_net);
    for (int w = 1 + o->shards; w < size; w++)
        for (int s = 0; s < o->shards; s++)
            net_sim_dial(job->ranks[w].net, PEER_SHARD(s), job->ranks[1 + s].shard_net);
}

static void start_ranks(job_t *job)
{
    const sim_job_options_t *o = job->o;
    net_sim_spawn(job->world, job->ranks[0].net, run_coordinator, &job->ranks[0]);
    net_sim_spawn(job->world, job->ranks[0].pulse_net, run_pulse, &job->ranks[0]);
    for (int i = 1; i < job->roster.size; i++) {
        rank_t *r = &job->ranks[i];
        if (i > o->shards) {
            r->cluster = sim_mpi_join(job->mpi, i);
            ASSERT(cluster_group(r->cluster, 1 + o->shards, o->workers) == ST_OK);
            net_sim_spawn(job->world, r->net, run_worker, r);
            continue;
        }
        net_sim_spawn(job->world, r->net, run_server, r);
        net_sim_spawn(job->world, r->shard_net, run_shard, r);
        if (o->merges_by_arrival) {
            r->arrivals = MEM_NEW(arrivals_t);
            r->arrivals->first_worker = 1 + o->shards;
            net_sim_tamper(r->shard_net, number_by_arrival, r->arrivals);
        }
    }
}

static void let_malice_in(job_t *job)
{
    int n = 0;
    for (int i = 0; i < job->roster.size; i++) {
        const rank_t *r = &job->ranks[i];
        const wire_role_t role = i == 0 ? WIRE_ROLE_COORDINATOR : i <= job->o->shards ? WIRE_ROLE_SERVER : WIRE_ROLE_WORKER;
        job->targets[n++] = (malice_target_t){r->net, role, i};
        if (r->shard_net)
            job->targets[n++] = (malice_target_t){r->shard_net, WIRE_ROLE_SHARD, i};
        if (r->pulse_net)
            job->targets[n++] = (malice_target_t){r->pulse_net, WIRE_ROLE_PULSE, i};
    }
    net_sim_set_mistake(job->world, job->o->net_mistake);
    if (job->o->malice)
        malice_enter(job->o->malice, job->world, job->targets, n, job->o->shards, job->o->takes_wild);
}

static void happen_to_disk(job_t *job, const sim_event_t *event)
{
    rank_t *r = &job->ranks[event->rank];
    switch (event->kind) {
    case SIM_BOMB:
    case SIM_SYNC_BOMB:
        r->bomb = event->n;
        r->bomb_counts_syncs = event->kind == SIM_SYNC_BOMB;
        break;
    case SIM_FULL:
        disk_sim_fill(job->o->disk, event->n);
        break;
    case SIM_ERROR:
        disk_sim_fail(r->disk, event->n, 1 + event->ns);
        break;
    case SIM_ROT:
        for (int64_t i = 0; i < event->n; i++)
            disk_sim_rot(job->o->disk);
        break;
    case SIM_MISDIRECT:
        disk_sim_misdirect(r->disk, event->n);
        break;
    default:
        break;
    }
}

static void happen(job_t *job, const sim_event_t *event)
{
    rank_t *r = &job->ranks[event->rank];
    const int64_t until_ns = net_sim_now_ns(job->world) + event->ns;
    ASSERT(event->rank < job->roster.size);
    switch (event->kind) {
    case SIM_KILL:
        kill_rank(r);
        job->result->killed = true;
        break;
    case SIM_PAUSE:
        net_sim_pause(r->net, until_ns);
        if (r->shard_net)
            net_sim_pause(r->shard_net, until_ns);
        if (r->pulse_net)
            net_sim_pause(r->pulse_net, until_ns);
        break;
    case SIM_PARTITION:
        net_sim_partition(job->world, 1ull << event->rank, until_ns);
        break;
    case SIM_MEMORY:
        r->allocations = event->n;
        sim_memory_watch(count_allocation, job);
        break;
    case SIM_SAVE:
        raise(SIGUSR1);
        break;
    case SIM_STOP:
        raise(SIGUSR2);
        break;
    case SIM_STRANGER:
    case SIM_REPLAY:
    case SIM_ROLE:
    case SIM_WILD:
        malice_speak(job->o->malice, (malice_kind_t)(MALICE_STRANGER + event->kind - SIM_STRANGER), event->n, event->ns);
        break;
    default:
        happen_to_disk(job, event);
        break;
    }
}

/* The launcher ends all ranks when the coordinator ended without a result, or died, or where it watches for any rank that
 * dies. */
static bool is_doomed(const job_t *job)
{
    if (!net_sim_is_running(job->ranks[0].net))
        return job->result->status != ST_OK;
    return net_sim_is_dead(job->ranks[0].net) || (job->o->launcher_kills && job->result->killed);
}

/* Let the clock move; false once all ranks have ended. */
static bool advance(job_t *job, int64_t until_ns)
{
    for (;;) {
        const int64_t look_ns = net_sim_now_ns(job->world) + LAUNCHER_NS / 2;
        if (!net_sim_run(job->world, look_ns < until_ns ? look_ns : until_ns))
            return false;
        if (job->doomed_ns && net_sim_now_ns(job->world) >= job->doomed_ns)
            for (int i = 0; i < job->roster.size; i++)
                kill_rank(&job->ranks[i]);
        else if (!job->doomed_ns && is_doomed(job))
            job->doomed_ns = net_sim_now_ns(job->world) + LAUNCHER_NS / 2;
        if (net_sim_now_ns(job->world) >= until_ns)
            return true;
    }
}

static void destroy_ranks(job_t *job)
{
    for (int i = 0; i < job->roster.size; i++) {
        rank_t *r = &job->ranks[i];
        if (r->cluster)
            sim_mpi_leave(&r->cluster);
        net_close(&r->shard_net);
        net_close(&r->pulse_net);
        net_close(&r->net);
        disk_sim_detach(&r->disk);
        mem_free(r->arrivals);
    }
    mem_free(job->roster.entries);
}

void sim_job_run(const sim_job_options_t *options, sim_job_result_t *result)
{
    job_t *job = MEM_NEW(job_t);
    *result = (sim_job_result_t){0};
    rank_signals_watch_early();
    rank_signals_forget();
    job->o = options;
    job->folders.job = options->run_dir;
    job->result = result;
    job->world = net_sim_world_create(options->seed, SIM_DEADLINE_S);
    pieces_set_bytes(options->piece_bytes);
    net_sim_set_faults(job->world, &options->faults);
    sim_io_enter(job->world);
    job->mpi = sim_mpi_create(job->world, 1 + options->shards + options->workers, SIM_DEADLINE_S);
    create_ranks(job);
    sim_lmdb_enter(disk_of_folder, job, !options->folds_unsynced);
    let_malice_in(job);
    start_ranks(job);
    bool running = true;
    for (int e = 0; e < options->n_events && running; e++) {
        running = advance(job, options->events[e].at_ns);
        if (running)
            happen(job, &options->events[e]);
    }
    result->stuck = running && advance(job, LIMIT_NS);
    result->ended_ns = net_sim_now_ns(job->world);
    for (int i = job->roster.size - 1; i >= 0 && result->stuck; i--) {
        const rank_t *r = &job->ranks[i];
        if (net_sim_is_running(r->net) || (r->shard_net && net_sim_is_running(r->shard_net)))
            result->stuck_rank = i;
    }
    for (int i = 0; i < job->roster.size && result->stuck; i++)
        kill_rank(&job->ranks[i]);
    running = net_sim_run(job->world, INT64_MAX);
    ASSERT(!running);
    result->counts = net_sim_counts(job->world);
    sim_memory_watch(NULL, NULL);
    sim_lmdb_leave();
    destroy_ranks(job);
    sim_mpi_destroy(&job->mpi);
    sim_io_enter(NULL);
    net_sim_world_destroy(&job->world);
    mem_free(job);
}
