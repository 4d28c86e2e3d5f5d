/* launch.h - who started this rank, as the environment tells before MPI is up, and what the rank tells them.
 *
 * Three things can go wrong between a launcher and Open MPI, all of them silently: srun without PMIx, and another MPI's
 * mpiexec, start n processes of which each is a job of one rank for itself; and a launcher may never start some of them. So a
 * rank compares what the environment says with what MPI says, and tells a smelter that started mpirun when it is there and when
 * all have found each other. */
#ifndef SMELTER_LAUNCH_H
#define SMELTER_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/status.h"

/* In the environment of ranks that were started by a smelter, who reports which of them died, and how, and listens for what
 * follows. */
#define LAUNCH_BY_SMELTER "SMELTER_STARTED_MPIRUN"

typedef enum launch_kind {
    LAUNCH_NONE,  /* no launcher: this is no rank */
    LAUNCH_MPI,   /* Open MPI's mpirun, or another launcher that speaks PMIx */
    LAUNCH_PMI,   /* a launcher that speaks an older PMI, which Open MPI may or may not understand */
    LAUNCH_BARE,  /* srun without any PMI */
    LAUNCH_OTHER, /* the mpiexec of MPICH, Intel MPI or MVAPICH */
} launch_kind_t;

typedef struct launch {
    launch_kind_t kind;
    int rank, size; /* as the environment says; -1 and 0 where it does not */
} launch_t;

/* launch_read - from the environment. */
launch_t launch_read(void);

/* launch_is_local - whether the launcher has started all ranks of the job on this host, as the environment tells; false where
 * it does not. */
bool launch_is_local(void);

/* launch_local_rank - number of this rank among those of its host; -1 where the environment does not say. */
int launch_local_rank(void);

/* launch_check - ST_INPUT where ranks that were started so can never find each other; said by rank 0 alone, with what to do.
 * launch_check_world - the same once MPI is up, by the number of ranks that it knows. */
WARN_UNUSED status_t launch_check(const launch_t *launch);
WARN_UNUSED status_t launch_check_world(const launch_t *launch, int world);

/* launch_let_first_speak - before this rank ends in silence, because rank 0 says the same: give it the time. A launcher ends
 * all ranks as soon as one has ended with another code than 0. */
void launch_let_first_speak(const launch_t *launch);

/* launch_check_none - ST_INPUT with the reason `why` where a launcher has started this process: for commands that start mpirun
 * themselves. Said by rank 0 alone. */
WARN_UNUSED status_t launch_check_none(const char *why);

/* What ranks tell the smelter that started mpirun, one line each on standard error, which mpirun brings there. */
typedef enum launch_news { LAUNCH_NEWS_NONE, LAUNCH_NEWS_HERE, LAUNCH_NEWS_TOGETHER } launch_news_t;

/* launch_tell - a rank: it is there; or, rank 0: all have found each other, and understand signals. Nothing where no smelter
 * listens. launch_heard - the starter: what a line of mpirun's standard error says of that. */
void launch_tell(launch_news_t news);
launch_news_t launch_heard(const char *line, size_t bytes);

/* launch_tell_servers - rank 0, where the servers are not the ranks after it: which they are, by the launcher's numbers.
 * launch_heard_servers - "1,4", or "?" where that is too long; false where a line does not say so. */
#define LAUNCH_SERVERS_BYTES 1024
void launch_tell_servers(const int *numbers, int n);
bool launch_heard_servers(const char *line, size_t bytes, char list[LAUNCH_SERVERS_BYTES]);

#endif
