/* lease.h - a folder belongs to one job at a time, where locks of the file system cannot say so.
 *
 * On a network file system a lock may be refused (an NFS server without lockd, Lustre mounted without flock) or hold on one
 * host alone (nolock, localflock). A lease is a plain file, FOLDER/.lease, that says who holds it and is written anew every
 * other second by a thread. Who finds one that is another's watches it: if it changes, or its holder is a process that runs on
 * this host, the folder is in use; if nothing of it changes for ten seconds, or its holder has ended on this host, it is taken
 * over. No clocks of different hosts are compared.
 *
 * A holder that finds its lease in other hands, since it was stopped or cut off for so long, ends its process at once
 * (SIGKILL), after a line that says so: what it would write then would go into a folder that is another job's. */
#ifndef SMELTER_LEASE_H
#define SMELTER_LEASE_H

#include "common/base/status.h"

typedef struct lease lease_t;

/* How often it is renewed, and how long one that is not counts; 0: the usual 2 s and 10 s. */
typedef struct lease_times {
    int64_t renew_ms, expire_ms;
} lease_times_t;

/* lease_take - of a folder that is there. Waits for at most expire_ms. ST_INPUT: it is in use, by whom; ST_SYSTEM: the file
 * cannot be made. **owned**: lease_give_up, which removes the file. */
WARN_UNUSED status_t lease_take(const char *folder, lease_times_t times, lease_t **out);
void lease_give_up(lease_t **lease);

#endif
