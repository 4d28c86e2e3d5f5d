/* mpirun_guard.h - keeps mpirun's sockets from strangers, by a library that is loaded into it (guard/guard.c, which says why
 * and how). */
#ifndef SMELTER_MPIRUN_GUARD_H
#define SMELTER_MPIRUN_GUARD_H

#include <stdbool.h>

#include "common/config/config.h"

/* The library, while mpirun starts. */
typedef struct mpirun_guard {
    int fd;       /* its bytes, which mpirun opens as a file; -1: there is no guard */
    char *before; /* LD_PRELOAD as it was; NULL: it was not there. **owned** */
} mpirun_guard_t;

#define MPIRUN_GUARD_ALL "0.0.0.0" /* listen wherever mpirun likes */

/* mpirun_guard_arm - from now on programs that this process starts and that are mpirun listen on this IPv4 address alone, or,
 * where there are several with commas between them, cut off whoever comes to another one; on loopback, they hand over no
 * connection of another user. They listen on the first free port of a range ("20000-20100") where ports is not "". NULL,
 * SMELTER_GUARD=off in the environment, or a system that has no files in memory: no guard.
 * mpirun_guard_disarm - the environment is as before. */
mpirun_guard_t mpirun_guard_arm(const char *addresses, const char *ports);
void mpirun_guard_disarm(mpirun_guard_t *guard);

/* mpirun_guard_settings - before mpirun starts ranks on several hosts: Open MPI's settings in the environment, so that it uses
 * the interfaces that are named, passes over bridges where none is, and starts its daemons on other hosts by this binary,
 * guarded. What the user has set stays. Returns the addresses for mpirun_guard_arm, **owned**.
 * mpirun_guard_daemon - on another host: become that daemon. words are MPIRUN_GUARD_DAEMON, cluster.interface without blanks, @
 * and cluster.ports, the daemon and its arguments, NULL. Returns where there is no such daemon, with an exit code. */
#define MPIRUN_GUARD_DAEMON "mpi-daemon"
char *mpirun_guard_settings(const struct config_cluster *cluster);
int mpirun_guard_daemon(char *const words[]);

/* mpirun_is_local - an mpirun that is started now starts all ranks on this host: neither a batch system nor a file of the
 * user's names others. */
bool mpirun_is_local(void);

/* mpirun_hosts - on how many hosts it may start ranks, as the batch system or a file in the environment tells; 0: unknown. */
int mpirun_hosts(void);

#endif
