/* failpoint.h - named places where a test may kill this process, as a power cut or the kernel's out-of-memory killer would.
 *
 * SMELTER_CRASH="ROLE:NAME[:NTH]" in the environment: the rank of ROLE (coordinator, server or worker: any of them; server-1:
 * that one) sends SIGKILL to itself the NTH time (default 1) it comes to failpoint(NAME). The points lie between the durable
 * acts of a checkpoint (docs/FILES.md): what is on disk there is what a resume must cope with. In production it is unset, and a
 * point costs one predicted branch. Points may be reached by any thread. */
#ifndef SMELTER_FAILPOINT_H
#define SMELTER_FAILPOINT_H

#include <stdbool.h>

#include "common/base/status.h"

/* Every point there is, in the order in which a checkpoint comes to them. */
#define CRASH_POINTS(X) \
    X("worker.cut")              /* a worker has come to the cut, and has told no other rank */ \
    X("shard.freeze")            /* a shard's rows are frozen */ \
    X("shard.slice")             /* some of them are handed over */ \
    X("delta.written")           /* the delta is whole under its temporary name, perhaps not on disk */ \
    X("delta.synced")            /* it is on disk under that name */ \
    X("delta.renamed")           /* it has its own name */ \
    X("shard.prepared")          /* all of a shard's part is durable; the coordinator does not know */ \
    X("commit.dense")            /* the dense parameters are durable */ \
    X("commit.manifest_written") /* the manifest is whole under its temporary name, perhaps not on disk */ \
    X("commit.manifest_synced")  /* it is on disk under that name */ \
    X("commit.renamed")          /* it has its own name: the checkpoint is committed */ \
    X("drop.manifest_removed")   /* the oldest checkpoint counts no more; its files are still there */ \
    X("compaction.begun")        /* a shard's base says that it is taking in a delta */ \
    X("compaction.batch")        /* it has taken in a part of it */ \
    X("compaction.done")         /* it has taken in all; the coordinator does not know */ \
    X("compaction.published")    /* a base that is made in cluster.scratch is in the run's folder; the deltas are, too */ \
    X("drop.done")               /* the dropped checkpoint's folder is gone */

extern bool crash_armed; /* read by failpoint alone */

/* failpoint_check_environment - ST_INPUT where SMELTER_CRASH is set and is not of the form above. For every command, at the
 * start. */
WARN_UNUSED status_t failpoint_check_environment(void);

/* failpoint_arm - from now on the points of this process are live if SMELTER_CRASH, checked before, names it: "coordinator",
 * "server 1", "worker 0". Before other threads are started. */
void failpoint_arm(const char *rank_name);

/* failpoint_here - count the point; does not return where it is the one that was asked for. */
void failpoint_here(const char *name);

/* failpoint - a place to die at. */
static inline void failpoint(const char *name)
{
    if (__builtin_expect(crash_armed, false))
        failpoint_here(name);
}

#endif
