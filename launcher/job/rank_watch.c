#include "launcher/job/rank_watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/process/process.h"

#define LOOK_NS 900000000 /* less than what counts of the time between two looks */
#define ENDING_NS 10000000000
#define ALONE_MOST_NS 10000000000 /* for an mpirun to end after its ranks; ranks on several hosts leave together */

rank_watch_t rank_watch_start(pid_t mpirun, double deadline_s)
{
    /* Ranks see more, speak first, and need some seconds to end. */
    return (rank_watch_t){.mpirun = mpirun, .stopped_most_ns = (int64_t)(2 * deadline_s * 1e9) + ENDING_NS};
}

/* Does it run this program? (mpirun also starts what brings it to other hosts.) */
static bool is_rank(pid_t pid)
{
    char path[64], own[PATH_MAX], its[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    const ssize_t n = readlink("/proc/self/exe", own, sizeof own), m = readlink(path, its, sizeof its);
    return n > 0 && n == m && memcmp(own, its, (size_t)n) == 0;
}

/* "rank 2 (pid 4711)" */
static void name_process(const rank_watch_t *watch, pid_t pid, char *text, size_t size)
{
    static const char word[] = "OMPI_COMM_WORLD_RANK=";
    char path[64], *environment = NULL;
    size_t bytes = 0;
    int rank = -1;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    if (pid != watch->mpirun && file_exists(path) && file_read(path, &environment, &bytes) == ST_OK)
        for (const char *at = environment; at < environment + bytes; at += strlen(at) + 1)
            if (strncmp(at, word, sizeof word - 1) == 0)
                rank = atoi(at + sizeof word - 1);
    if (rank < 0)
        snprintf(text, size, "%s (pid %d)", pid == watch->mpirun ? "mpirun" : "a rank on this host", (int)pid);
    else
        snprintf(text, size, "rank %d (pid %d)", rank, (int)pid);
    mem_free(environment);
}

/* The first process that is stopped, mpirun or a rank; ranks out: how many there are. */
static pid_t find_stopped(pid_t mpirun, int *ranks)
{
    process_t *all, self;
    const size_t n = process_children(mpirun, &all);
    pid_t stopped = process_read(mpirun, &self) && self.state == 'T' ? mpirun : 0;
    *ranks = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].state == 'Z' || !is_rank(all[i].pid))
            continue;
        ++*ranks;
        if (all[i].state == 'T' && !stopped)
            stopped = all[i].pid;
    }
    mem_free(all);
    return stopped;
}

static int64_t spend(patience_t *patience, bool *lasts, bool now_so, int64_t now_ns)
{
    if (!now_so || !*lasts)
        *patience = patience_start(now_ns);
    *lasts = now_so;
    return patience_spend(patience, now_ns);
}

bool rank_watch_is_lost(rank_watch_t *watch, int64_t now_ns, char *text, size_t size)
{
    if (now_ns - watch->looked_ns < LOOK_NS)
        return false;
    watch->looked_ns = now_ns;
    int ranks;
    const pid_t stopped = find_stopped(watch->mpirun, &ranks);
    watch->seen = watch->seen || ranks > 0;
    if (spend(&watch->stopped, &watch->is_stopped, stopped != 0, now_ns) > watch->stopped_most_ns) {
        char name[64];
        name_process(watch, stopped, name, sizeof name);
        snprintf(text, size, "%s has been stopped for %.0f s", name, (double)watch->stopped.spent_ns * 1e-9);
        return true;
    }
    if (spend(&watch->alone, &watch->is_alone, watch->seen && ranks == 0, now_ns) > ALONE_MOST_NS) {
        snprintf(text, size, "all ranks on this host have ended, and mpirun has not for %.0f s; another host may be cut off",
                 (double)watch->alone.spent_ns * 1e-9);
        return true;
    }
    return false;
}
