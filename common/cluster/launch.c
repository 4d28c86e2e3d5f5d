#include "common/cluster/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The first of these names that is set, as a number; `otherwise` where none is. */
static int number_of(const char *const *names, size_t n, int otherwise)
{
    for (size_t i = 0; i < n; i++)
        if (getenv(names[i]))
            return atoi(getenv(names[i]));
    return otherwise;
}
#define NUMBER_OF(otherwise, ...) \
    number_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (otherwise))

/* Hydra, under its three names, sets these beside PMI_RANK; srun sets its own. */
static bool is_hydra(void)
{
    return !getenv("SLURM_PROCID") &&
           (getenv("HYDI_CONTROL_FD") || getenv("HYDRA_LAUNCHER") || getenv("MPIR_CVAR_CH3_INTERFACE_HOSTNAME") ||
            getenv("MPI_LOCALNRANKS") || getenv("I_MPI_MPIRUN") || getenv("MV2_COMM_WORLD_RANK"));
}

static launch_kind_t kind_of(void)
{
    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK"))
        return LAUNCH_MPI;
    if (is_hydra() && (getenv("PMI_RANK") || getenv("MV2_COMM_WORLD_RANK")))
        return LAUNCH_OTHER;
    if (getenv("PMI_RANK") || (getenv("SLURM_PROCID") && (getenv("PMI_FD") || getenv("PMI_PORT"))))
        return LAUNCH_PMI;
    /* A batch script, or a shell of salloc, has SLURM_PROCID too, but is no step of several tasks. */
    if (getenv("SLURM_PROCID") && getenv("SLURM_STEP_ID") && NUMBER_OF(1, "SLURM_STEP_NUM_TASKS") > 1)
        return LAUNCH_BARE;
    return LAUNCH_NONE;
}

launch_t launch_read(void)
{
    launch_t launch = {.kind = kind_of(), .rank = -1};
    if (launch.kind == LAUNCH_NONE)
        return launch;
    launch.rank = NUMBER_OF(-1, "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID");
    launch.size = NUMBER_OF(0, "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS");
    return launch;
}

bool launch_is_local(void)
{
    const int size = NUMBER_OF(0, "OMPI_COMM_WORLD_SIZE"), here = NUMBER_OF(0, "OMPI_COMM_WORLD_LOCAL_SIZE");
    return size > 0 ? here == size : NUMBER_OF(0, "SLURM_STEP_NUM_NODES") == 1;
}

int launch_local_rank(void)
{
    return NUMBER_OF(-1, "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID");
}

status_t launch_check(const launch_t *launch)
{
    if (launch->kind != LAUNCH_BARE && launch->kind != LAUNCH_OTHER)
        return ST_OK;
    if (launch->rank > 0)
        return ST_INPUT;
    if (launch->kind == LAUNCH_BARE)
        return FAIL(ST_INPUT,
                    "srun has started %d tasks without PMIx, so that they cannot find each other; start them with srun "
                    "--mpi=pmix (srun "
                    "--mpi=list shows whether it is there), or with Open MPI's mpirun inside the allocation",
                    launch->size);
    return FAIL(ST_INPUT,
                "another MPI's launcher (that of MPICH, Intel MPI or MVAPICH) has started %d ranks, which cannot find each "
                "other: smelter is "
                "built with Open MPI; start them with Open MPI's mpirun (mpirun --version says whose it is)",
                launch->size);
}

status_t launch_check_world(const launch_t *launch, int world)
{
    if (launch->size == 0 || launch->size == world)
        return ST_OK;
    if (launch->rank > 0)
        return ST_INPUT;
    return FAIL(ST_INPUT,
                "the launcher has started %d ranks, but MPI sees %d: they cannot find each other, because launcher and MPI "
                "library do not "
                "belong together; start them with Open MPI's own mpirun, or with %s",
                launch->size, world, getenv("SLURM_PROCID") ? "srun --mpi=pmix" : "a launcher that speaks PMIx");
}

void launch_let_first_speak(const launch_t *launch)
{
    const struct timespec moment = {2, 0};
    if (launch->rank > 0)
        nanosleep(&moment, NULL);
}

status_t launch_check_none(const char *why)
{
    const launch_t launch = launch_read();
    if (launch.kind == LAUNCH_NONE)
        return ST_OK;
    if (launch.rank > 0) {
        launch_let_first_speak(&launch);
        return ST_INPUT;
    }
    return FAIL(ST_INPUT, "%s", why);
}

/* ---- what the starter is told ---- */

static const char *const lines[] = {
    [LAUNCH_NEWS_HERE] = "smelter-rank: here\n",
    [LAUNCH_NEWS_TOGETHER] = "smelter-rank: together\n",
};

void launch_tell(launch_news_t news)
{
    if (!getenv(LAUNCH_BY_SMELTER))
        return;
    ssize_t written = write(STDERR_FILENO, lines[news], strlen(lines[news]));
    (void)written; /* without it the starter takes this rank for one that never started */
}

static const char servers_line[] = "smelter-rank: servers ";

void launch_tell_servers(const int *numbers, int n)
{
    char line[LAUNCH_SERVERS_BYTES + sizeof servers_line];
    size_t used = (size_t)snprintf(line, sizeof line, "%s", servers_line);
    if (!getenv(LAUNCH_BY_SMELTER))
        return;
    for (int i = 0; i < n && used < LAUNCH_SERVERS_BYTES; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%d,", numbers[i]);
    if (used >= LAUNCH_SERVERS_BYTES)
        used = (size_t)snprintf(line, sizeof line, "%s?,", servers_line);
    line[used - 1] = '\n';
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

bool launch_heard_servers(const char *line, size_t bytes, char list[LAUNCH_SERVERS_BYTES])
{
    const char *at = memmem(line, bytes, servers_line, sizeof servers_line - 1);
    if (!at || line[bytes - 1] != '\n')
        return false;
    at += sizeof servers_line - 1;
    snprintf(list, LAUNCH_SERVERS_BYTES, "%.*s", (int)(line + bytes - 1 - at), at);
    return true;
}

/* At the end of a line, because mpirun may be told to put a rank's name or the time before it. */
launch_news_t launch_heard(const char *line, size_t bytes)
{
    for (int news = LAUNCH_NEWS_HERE; news <= LAUNCH_NEWS_TOGETHER; news++) {
        const size_t length = strlen(lines[news]);
        if (bytes >= length && memcmp(line + bytes - length, lines[news], length) == 0)
            return (launch_news_t)news;
    }
    return LAUNCH_NEWS_NONE;
}
