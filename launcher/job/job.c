#include "launcher/job/job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/cluster/cluster.h"
#include "common/cluster/launch.h"
#include "common/cluster/mpi_sockets.h"
#include "common/config/port_range.h"
#include "common/net/addresses.h"
#include "common/net/heartbeat.h"
#include "common/net/pulse.h"
#include "common/process/failpoint.h"
#include "common/process/rank_signals.h"
#include "common/products/gemm.h"
#include "launcher/coordinator/continuation.h"
#include "launcher/job/complexity.h"
#include "launcher/job/field_names.h"
#include "launcher/job/leftovers.h"
#include "launcher/job/mpirun.h"
#include "launcher/job/mpirun_guard.h"
#include "launcher/job/supervise.h"
#include "launcher/ranks/connections.h"
#include "launcher/ranks/processors.h"
#include "launcher/ranks/roster.h"
#include "ps/server.h"
#include "worker/network/model.h"
#include "worker/worker.h"

#define LEAST_FILE_BYTES (4 << 20)
#define LEAST_ROOM_BYTES (2 * (uint64_t)LEAST_FILE_BYTES) /* mpirun makes two of them, measured with Open MPI 4.1 */

/* ---- no launcher: start mpirun ---------------------------------------------------------------------------------------- */

/* It ended before its ranks had found each other. */
static status_t report_start(const mpirun_death_t *death, int ranks, int exit_code, int64_t seconds)
{
    if (death->interrupted)
        return FAIL(ST_STOPPED, "interrupted by signal %d (%s) before the job had started", death->interrupted,
                    strsignal(death->interrupted));
    if (death->timed_out && death->here < ranks)
        return FAIL(ST_TIMEOUT,
                    "mpirun has started %d of %d ranks within %" PRId64
                    " s (cluster.start_deadline_s), and was ended; does the line above, "
                    "typed in, work with the program hostname in place of smelter?",
                    death->here, ranks, seconds);
    if (death->timed_out)
        return FAIL(ST_TIMEOUT,
                    "all %d ranks have started, but have not found each other within %" PRId64
                    " s (cluster.start_deadline_s), and were "
                    "ended; is MPI allowed to use the network between them? cluster.interface names another, cluster.ports the "
                    "ports that are open",
                    ranks, seconds);
    if (death->here == 0)
        return FAIL(ST_PEER, "mpirun ended with exit code %d before a rank had started; what it said is above", exit_code);
    return ST_OK;
}

/* "server 1": the role of a rank by the launcher's number. */
static const char *role_name(const mpirun_death_t *death, int servers, char *text, int size)
{
    int before = 0, index = -1;
    if (!*death->servers)
        return roster_name(death->rank, servers, text, size);
    if (*death->servers == '?') {
        snprintf(text, (size_t)size, "a rank");
        return text;
    }
    for (const char *at = death->servers; *at; at += strcspn(at, ","), at += *at == ',') {
        const int number = atoi(at);
        index = number == death->rank ? before : index;
        before++;
    }
    if (index >= 0)
        return roster_name(1 + index, before, text, size);
    int rank = death->rank; /* of those that are no servers, in their order */
    for (const char *at = death->servers; *at; at += strcspn(at, ","), at += *at == ',')
        rank += atoi(at) > death->rank;
    return roster_name(rank, before, text, size);
}

static status_t report_death(const mpirun_death_t *death, int servers, int exit_code)
{
    char name[64];
    if (exit_code == status_exit_code(ST_STOPPED) && !death->ended)
        return ST_STOPPED; /* the coordinator has said how */
    if (death->interrupted)
        return FAIL(ST_STOPPED, "interrupted by signal %d (%s); the job ended", death->interrupted,
                    strsignal(death->interrupted));
    if (death->lost)
        return ST_TIMEOUT;
    if (death->launcher_signal)
        return FAIL(ST_PEER, "mpirun was killed by signal %d (%s); the job ended", death->launcher_signal,
                    strsignal(death->launcher_signal));
    if (death->seen && death->signal && death->rank >= 0)
        return FAIL(ST_PEER, "%s (rank %d on %s) was killed by signal %d (%s); the job ended",
                    role_name(death, servers, name, sizeof name), death->rank, death->node, death->signal,
                    strsignal(death->signal));
    const int signal_number = death->seen                                      ? death->signal
                              : exit_code > 128 && exit_code <= 128 + SIGRTMAX ? exit_code - 128
                                                                               : 0;
    if (signal_number)
        return FAIL(ST_PEER, "a rank was killed by signal %d (%s); the job ended", signal_number, strsignal(signal_number));
    if (death->seen && death->rank >= 0)
        log_debug("%s exited with code %d", role_name(death, servers, name, sizeof name), death->exit_code);
    return exit_code == status_exit_code(ST_INPUT) ? ST_INPUT : exit_code ? ST_PEER : ST_OK;
}

/* With less, Open MPI waits for ever for the files that its processes share. */
static status_t check_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= LEAST_FILE_BYTES)
        return ST_OK;
    return FAIL(ST_INPUT,
                "files are limited to %" PRIu64 " bytes (ulimit -f), and the ranks of a job share files of %d; raise the limit",
                limit.rlim_cur, LEAST_FILE_BYTES);
}

/* Without room for them, ranks die of a bus error, or mpirun waits for ever. */
static status_t check_temporary_room(void)
{
    const char *base = leftovers_base();
    struct statvfs fs;
    if (statvfs(base, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= LEAST_ROOM_BYTES)
        return ST_OK;
    return FAIL(ST_SYSTEM,
                "%s, where mpirun and its ranks share files, has %" PRIu64 " MB free, and they need %" PRIu64
                "; make room there, or set TMPDIR to another folder",
                base, ((uint64_t)fs.f_bavail * fs.f_frsize) >> 20, (LEAST_ROOM_BYTES >> 20) + 1);
}

status_t job_start(char *const argv[], const experiment_t *experiment)
{
    TRY(check_file_limit());
    leftovers_remove();
    TRY(check_temporary_room());
    progress_t *progress;
    TRY(progress_create(STDERR_FILENO, &progress));
    setenv("SMELTER_PROGRESS", progress_mode(progress), 1);
    progress_destroy(&progress);
    terminal_tell_children();
    setenv("OMPI_MCA_oob_tcp_keepalive_time", "10",
           0); /* mpirun and its daemons notice a host that is cut off 20 s later, not 480 */
    setenv("OMPI_MCA_oob_tcp_keepalive_intvl", "2", 0);
    setenv("OMPI_MCA_oob_tcp_keepalive_probes", "5", 0);
    setenv("OPENBLAS_NUM_THREADS", "1", 0); /* the library starts its threads when it is loaded, before gemm_init can say so */
    mpirun_death_t death = {0};
    int exit_code = 0;
    const int hosts = mpirun_hosts(), servers = (int)experiment->base->cluster.servers;
    if (!servers && !hosts)
        return FAIL(ST_INPUT,
                    "cluster.servers is per_host, and how many hosts mpirun starts ranks on is known only when it does; "
                    "start it yourself, or give a number");
    if (!servers && hosts > 1)
        setenv("OMPI_MCA_rmaps_base_mapping_policy", "node", 0); /* a rank on each before there is a second one */
    const int ranks = roster_ranks(experiment->base, hosts);
    const int64_t start_s = (int64_t)experiment->base->cluster.start_deadline_s;
    const bool is_local = mpirun_is_local();
    char *listen = is_local ? mem_strdup("127.0.0.1") : mpirun_guard_settings(&experiment->base->cluster);
    const mpirun_limits_t limits = {(int)start_s, experiment->base->cluster.deadline_s, listen,
                                    is_local ? "" : experiment->base->cluster.ports};
    const status_t status = mpirun_spawn(ranks, argv, &limits, &death, &exit_code);
    mem_free(listen);
    TRY(status);
    if (!death.together && (exit_code != 0 || death.here == 0))
        TRY(report_start(&death, ranks, exit_code, start_s));
    return report_death(&death, servers ? servers : hosts, exit_code);
}

/* ---- and again, while it fails ------------------------------------------------------------------------------------------ */

typedef struct start {
    const options_t *options;
    const experiment_t *experiment;
} start_t;

/* The command line, and --resume in place of --again where it goes on from a checkpoint; --resume auto does so by itself. */
static status_t start_job(void *context, bool resume)
{
    static char word[] = "--resume";
    const start_t *start = context;
    char *const *argv = start->options->argv;
    if (start->options->resume == RESUME_AUTO)
        return job_start(argv, start->experiment);
    size_t n = 0, words = 0;
    while (argv[words])
        words++;
    char **line = MEM_ARRAY(char *, words + 2);
    for (size_t i = 0; i < words; i++)
        if (!resume || (strcmp(argv[i], word) != 0 && strcmp(argv[i], "--again") != 0))
            line[n++] = argv[i];
    if (resume)
        line[n++] = word;
    status_t status = job_start(line, start->experiment);
    mem_free(line);
    return status;
}

static status_t start_supervised(const options_t *options, const experiment_t *experiment, int64_t restarts)
{
    start_t start = {options, experiment};
    char *dir = job_out_dir(options, experiment);
    const supervise_options_t o = {.dir = dir,
                                   .restarts = restarts,
                                   .again = options->again,
                                   .context = &start,
                                   .start = start_job,
                                   .pause = supervise_pause};
    signal(SIGUSR1, SIG_IGN); /* between two starts there is nothing to save */
    status_t status = supervise_run(&o);
    mem_free(dir);
    return status;
}

/* ---- a launcher: take the rank's role ---------------------------------------------------------------------------------- */

/* Where lanes do not come out even, some workers wait for others in every step. */
static void say_how_even(const config_t *config, int workers)
{
    const int groups = (int)config_groups(config), each = config_active_workers(config, workers) / groups;
    const int lanes = (int)config->train.lanes, most = (lanes + each - 1) / each;
    if (lanes % each)
        log_info("%d lanes over %d workers%s: %d to %d each, so a step takes as long as with %d workers", lanes, each,
                 groups > 1 ? " of each peer" : "", lanes / each, most, (lanes + most - 1) / most);
}

static status_t run_coordinator(const options_t *options, const experiment_t *experiment, const roster_t *roster,
                                net_t *control, job_lead_fn *lead, bool *together)
{
    progress_t *progress;
    TRY(progress_create(STDERR_FILENO, &progress));
    const coordinator_options_t o = {control, roster, experiment, progress, getenv(LAUNCH_BY_SMELTER) != NULL, NULL};
    coordinator_t *coordinator;
    status_t status = coordinator_create(&o, &coordinator);
    if (status == ST_OK) {
        log_info("job of %d ranks: %d server%s with %d shard%s each, %d worker%s; determinism %s; kernels %s%s", roster->size,
                 roster->servers, roster->servers == 1 ? "" : "s", roster->shards_per_server,
                 roster->shards_per_server == 1 ? "" : "s", roster->workers, roster->workers == 1 ? "" : "s",
                 config_determinism_word((determinism_t)experiment->base->determinism),
                 product_kernel_text(model_kernel(experiment->base)),
                 product_is_slow(model_kernel(experiment->base)) ? ", made for older processors; kernels: own is faster here"
                                                                 : "");
        say_how_even(experiment->base, roster->workers);
        for (int r = 0; r < roster->size; r++) {
            char name[160];
            log_debug("%s", roster_full_name(roster, r, name, sizeof name));
        }
        status = lead(coordinator, experiment, options, progress);
        progress_clear(progress);
        *together = coordinator_stop(coordinator, status);
        coordinator_destroy(&coordinator);
    }
    progress_destroy(&progress);
    return status;
}

static status_t run_server(const experiment_t *experiment, const run_folders_t *folders, const roster_t *roster,
                           net_t **shard_nets, net_t *control)
{
    char coordinator[160];
    const server_options_t o = {
        .rank = roster->rank,
        .first_shard = roster_index(roster, roster->rank) * roster->shards_per_server,
        .shards = roster->shards_per_server,
        .all_shards = roster_shards(roster),
        .first_worker = roster_first_worker(roster),
        .workers = roster->workers,
        .experiment = experiment,
        .folders = folders,
        .shard_nets = shard_nets,
        .coordinator = roster_full_name(roster, 0, coordinator, sizeof coordinator),
        .control = control,
    };
    status_t status = server_run(&o);
    if (status == ST_STOPPED && roster->rank == 1 && roster_is_gone(roster, 0) && !getenv(LAUNCH_BY_SMELTER)) {
        char name[160]; /* the coordinator names all others that died */
        log_error("%s died without a goodbye; the job ends", roster_full_name(roster, 0, name, sizeof name));
    }
    return status;
}

static status_t run_worker(const experiment_t *experiment, const run_folders_t *folders, const roster_t *roster,
                           cluster_t *cluster, net_t *control)
{
    const int shards = roster_shards(roster);
    char **names = MEM_ARRAY(char *, shards);
    for (int s = 0; s < shards; s++) {
        char name[160];
        names[s] =
            mem_printf("shard %d of %s", s, roster_full_name(roster, 1 + s / roster->shards_per_server, name, sizeof name));
    }
    char coordinator[160];
    const worker_options_t o = {
        .rank = roster->rank,
        .worker = roster_index(roster, roster->rank),
        .workers = roster->workers,
        .shards = shards,
        .shard_names = (const char *const *)names,
        .experiment = experiment,
        .folders = folders,
        .coordinator = roster_full_name(roster, 0, coordinator, sizeof coordinator),
        .net = control,
        .cluster = cluster,
    };
    status_t status = worker_run(&o);
    for (int s = 0; s < shards; s++)
        mem_free(names[s]);
    mem_free(names);
    return status;
}

static status_t run_role(const options_t *options, const experiment_t *experiment, const run_folders_t *folders,
                         cluster_t *cluster, const roster_t *roster, job_lead_fn *lead, bool *together)
{
    connections_t connections;
    pulse_t *pulse = NULL;
    status_t status = connections_open(roster, cluster, experiment->base, &connections);
    if (status == ST_OK)
        status = cluster_group(cluster, roster_first_worker(roster), roster->workers);
    if (status == ST_OK) {
        const roster_entry_t *own = &roster->entries[roster->rank], *first = &roster->entries[0];
        const bool beside = roster->rank > 0 && strcmp(own->host, first->host) == 0;
        rank_signals_watch(
            &(rank_signals_t){.coordinator = beside ? first->pid : 0, .starter_ends = getenv(LAUNCH_BY_SMELTER) != NULL});
        gemm_init();
        switch (roster_role(roster, roster->rank)) {
        case ROLE_COORDINATOR:
            status = pulse_start(connections.pulse, &pulse);
            if (status == ST_OK)
                status = run_coordinator(options, experiment, roster, connections.control, lead, together);
            pulse_stop(&pulse);
            break;
        case ROLE_SERVER:
            status = run_server(experiment, folders, roster, connections.shards, connections.control);
            break;
        case ROLE_WORKER:
            status = run_worker(experiment, folders, roster, cluster, connections.control);
            break;
        }
    }
    connections_close(&connections);
    return status;
}

/* Ranks leave MPI together where they can, after a failure too, because the launcher would bury our line under words of its own
 * about MPI_Abort. Rank 0 knows whether all are there; the others come, and it ends them where not. Who has failed inside of
 * MPI cannot come: it waits for that. After a signal the launcher ends all of them, and a rank just goes; not before the
 * coordinator could say who died, though, because mpirun kills it as soon as another rank has gone. */
static void leave(cluster_t **cluster, status_t status, bool together)
{
    const bool first = cluster_rank(*cluster) == 0;
    if (status == ST_OK || together ||
        (!first && cluster_is_whole(*cluster) && !rank_signals_interrupted() && !heartbeat_is_orphan())) {
        if (status != ST_OK && !first)
            log_set_level(LOG_NONE); /* that others do not come is rank 0's to say, who ends this one */
        cluster_close(cluster);
        return;
    }
    const struct timespec after_failure = {4, 0}, after_signal = {0, 700000000};
    if (!first)
        nanosleep(rank_signals_interrupted() ? &after_signal : &after_failure, NULL);
    if (rank_signals_interrupted())
        return;
    if (heartbeat_is_orphan())
        cluster_end_daemon();
    cluster_abort(status_exit_code(status));
}

/* All ranks come to the same conclusion; rank 0 says it. */
static status_t check_processors(const roster_t *roster, const experiment_t *experiment)
{
    const log_level_t level = log_level();
    if (roster->rank)
        log_set_level(LOG_NONE);
    status_t status = processors_check_job(roster, experiment);
    log_set_level(level);
    return status;
}

/* --continue. */
static status_t go_on(const options_t *options, const job_kind_t *kind, experiment_t *experiment)
{
    char *out = job_out_dir(options, experiment);
    const status_t status = continuation_apply(options->go_on, out, kind->in_variants, experiment);
    mem_free(out);
    return status;
}

/* *out may be there after an error. */
static status_t read_experiment(const options_t *options, const job_kind_t *kind, experiment_t **out)
{
    TRY(product_kernel_check());
    TRY(experiment_load(options->argument, options->sets, options->n_sets, out));
    return go_on(options, kind, *out);
}

/* What is wrong with the configuration is said once, by rank 0. *out may be there where another check fails. */
static status_t load_experiment(const options_t *options, const job_kind_t *kind, int rank, experiment_t **out)
{
    const log_level_t level = log_level();
    if (rank > 0)
        log_set_level(LOG_NONE);
    const status_t status = read_experiment(options, kind, out);
    log_set_level(level);
    TRY(status);
    if (rank > 0)
        return ST_OK;
    if (options->restarts && !getenv(LAUNCH_BY_SMELTER))
        return FAIL(ST_INPUT, "--restarts works only where smelter itself starts the ranks; leave it out, or leave out mpirun");
    return kind->prepare(*out, options);
}

/* What is the same on all ranks, or else they do not train. `loaded` is how this rank's configuration was read. Collective. */
static status_t agree(cluster_t *cluster, experiment_t *experiment, uint64_t command, status_t loaded, roster_t *roster)
{
    TRY(roster_exchange(cluster, experiment, command, loaded, roster));
    TRY(check_processors(roster, experiment));
    TRY(field_names_agree(cluster, experiment));
    return complexity_agree(cluster, experiment);
}

/* MPI's sockets follow cluster.interface. That nothing has this name is said later, when all hosts' lists are there. */
static void confine_mpi(const experiment_t *experiment)
{
    address_t found[ADDRESS_CANDIDATES];
    port_range_t ports = {0, 0};
    const int n = experiment ? addresses_find(experiment->base->cluster.interface, found) : 0;
    char *addresses = address_list(found, n, false), *networks = address_list(found, n, true);
    char *passed_over = addresses_passed_over();
    if (experiment && port_range_parse(experiment->base->cluster.ports, &ports))
        ports = (port_range_t){0, 0};
    mpi_sockets_confine(&(mpi_sockets_t){addresses, networks, passed_over, ports.first, ports.last});
    mem_free(addresses);
    mem_free(networks);
    mem_free(passed_over);
}

/* Of the folders on the command line, as they are given: all ranks must have been given the same. */
static uint64_t hash_of_folders(const options_t *options, const run_folders_t *folders)
{
    const char *scored = options->run ? options->run : "";
    const uint64_t kind = folders->in_variants;
    return hash64(scored, strlen(scored), hash64(folders->job, strlen(folders->job), kind));
}

static status_t run_rank(const options_t *options, const job_kind_t *kind)
{
    const launch_t launch = launch_read();
    const int rank = launch.rank;
    status_t met = launch_check(&launch);
    if (met != ST_OK)
        launch_let_first_speak(&launch);
    TRY(met);
    rank_signals_watch_early();
    if (launch_local_rank() == 0)
        leftovers_remove();
    leftovers_mark();
    experiment_t *experiment = NULL;
    cluster_t *cluster;
    roster_t roster = {0};
    status_t status = load_experiment(options, kind, rank, &experiment);
    char *out = experiment ? job_out_dir(options, experiment) : mem_strdup("");
    const run_folders_t folders = {.job = out, .in_variants = kind->in_variants, .scored = options->run_dir};
    const double deadline_s = experiment ? experiment->base->cluster.deadline_s : 30;
    confine_mpi(experiment);
    TRY(cluster_open(deadline_s, experiment ? experiment->base->cluster.start_deadline_s : 60, &cluster));
    status = agree(cluster, experiment, hash_of_folders(options, &folders), status, &roster);
    bool together = status != ST_OK; /* all ranks came to the same conclusion */
    if (status == ST_OK) {
        char name[64], text[96];
        snprintf(text, sizeof text, "%s", roster_name(roster.rank, roster.servers, name, sizeof name));
        log_set_role(text);
        failpoint_arm(text);
        status = run_role(options, experiment, &folders, cluster, &roster, kind->lead, &together);
    }
    leave(&cluster, status, together);
    if (roster.rank > 0 && !together && !rank_signals_interrupted())
        status = ST_OK; /* the job's exit code is the first that is not 0, and that is to be that of rank 0, which knows why */
    roster_fini(&roster);
    experiment_destroy(&experiment);
    mem_free(out);
    return status;
}

char *job_out_dir(const options_t *options, const experiment_t *experiment)
{
    return options->out ? mem_strdup(options->out) : mem_printf("out/%s", experiment->base->name);
}

status_t job_run(const options_t *options, const job_kind_t *kind)
{
    if (cluster_is_launched())
        return run_rank(options, kind);
    experiment_t *experiment = NULL;
    int64_t restarts;
    status_t status;
    TRY(supervise_parse(options->restarts, &restarts));
    TRY_DONE(read_experiment(options, kind, &experiment));
    TRY_DONE(kind->prepare(experiment, options));
    TRY_DONE(start_supervised(options, experiment, restarts));
done:
    experiment_destroy(&experiment);
    return status;
}
