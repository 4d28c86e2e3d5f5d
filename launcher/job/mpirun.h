/* mpirun.h - start the job on this machine and turn mpirun's words about a failure into facts.
 *
 * Used where no launcher has started the ranks: smelter runs mpirun on its own binary, waits, and reports. Belongs to the main
 * thread; installs handlers for SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGTSTP while it waits and puts the former ones
 * back. */
#ifndef SMELTER_MPIRUN_H
#define SMELTER_MPIRUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/status.h"
#include "common/cluster/launch.h"

/* How the first rank that failed ended, as mpirun told it. Not seen: none failed, or a rank ended the job itself by
 * cluster_abort and has logged why. */
typedef struct mpirun_death {
    bool seen;
    int rank;      /* -1: not told */
    char node[64]; /* "": not told */
    int signal;    /* 0: it exited */
    int exit_code;
    int interrupted; /* the signal that asked this process to stop or to end and was handed on; 0: none did */
    bool ended;      /* it was a second one, which did not wait for what could be saved */
    int here;        /* ranks that have started */
    char servers[LAUNCH_SERVERS_BYTES]; /* which of them are servers (common/cluster/launch.h); "": those after rank 0 */
    bool together;                      /* and all have found each other (common/cluster/launch.h) */
    bool timed_out;                     /* they had not after the time that they have, and mpirun was told to end */
    bool lost;      /* they were, but neither went on nor ended (rank_watch.h), which was logged, and mpirun was told to end */
    pid_t launcher; /* mpirun */
    bool ending;    /* it was told to end */
    int launcher_signal; /* that killed mpirun itself; 0: none */
} mpirun_death_t;

typedef struct mpirun_limits {
    int start_most_s;   /* in which the ranks must be together; 0: any time */
    double deadline_s;  /* after which ranks name each other as silent */
    const char *listen; /* the IPv4 address that mpirun listens on (mpirun_guard.h) */
    const char *ports;  /* and the ports of which it takes one; "": any */
} mpirun_limits_t;

/* mpirun_spawn - run `mpirun -np np <this binary> argv[1] argv[2] ...` and wait for its end.
 *
 * argv is a full command, NULL-terminated; argv[0] is replaced by this binary's own path. The exact line is logged before it
 * runs, quoted for a shell. Ranks inherit standard output; standard input is empty. Their standard error passes through
 * unchanged, while mpirun's own messages about ranks that failed are kept back and told in *death. SIGUSR1 is handed on to the
 * ranks; the first SIGINT, SIGTERM, SIGHUP or SIGUSR2 as SIGUSR2, which asks them to save and stop
 * (common/process/rank_signals.h); any later one, and any before the ranks are together make mpirun end, and kill it and what
 * it has started where it does not. SIGTSTP stops the job with this process, and it goes on when this process does. SIGHUP
 * stays ignored where it was. exit_code out  mpirun's, which is that of the first rank that failed; 128 + n for signal n.
 * ST_INPUT: there is no mpirun in PATH, it is not Open MPI's, or too few files may be open.  ST_SYSTEM: it could not be
 * started. */
WARN_UNUSED status_t mpirun_spawn(int np, char *const argv[], const mpirun_limits_t *limits, mpirun_death_t *death,
                                  int *exit_code);

#endif
