/* cluster.h - the only user of mpi.h: launch, roster, endpoint exchange, dense all-reduce.
 *
 * Belongs to the main thread; cluster_abort may be called from any. Collective calls say so. After a collective call failed,
 * ranks and MPI no longer agree on what comes next: only cluster_abort is left. Waits inside this module test and sleep in
 * turn, so an idle rank does not spin; every wait has the deadline given at open and ends with a line that says who is missing
 * where that can be known. */
#ifndef SMELTER_CLUSTER_H
#define SMELTER_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/kernels/tree.h"

#define CLUSTER_HOST_BYTES 64

typedef struct cluster cluster_t;

/* cluster_is_launched - true where mpirun, srun or another PMI launcher started this process (looks at the environment). */
bool cluster_is_launched(void);

/* cluster_open - MPI_Init_thread(FUNNELED). Collective over all ranks. Sets the ASSERT hook to abort the job. Rank 0 ends the
 * process, after a line that says so, where the others have not come within start_most_s. ST_INPUT: launcher and MPI do not
 * know the same ranks (launch.h); said by the launcher's rank 0 alone. */
WARN_UNUSED status_t cluster_open(double deadline_s, double start_most_s, cluster_t **out);
/* cluster_close - the ranks leave together, after success or, as long as no collective call has failed, after an error: one
 * that started them has nothing to add then. Waits for all ranks (deadline) and finalises. Collective. Destroys. Ends the whole
 * job with exit code 1, after a line that names who is missing, where some rank does not come. */
void cluster_close(cluster_t **cluster);
/* cluster_abort - end the whole job at once with this exit code, from any rank. Does not return. */
void cluster_abort(int exit_code) __attribute__((noreturn));

/* cluster_end_daemon - where this rank was started by one of mpirun's daemons, which may not notice for a quarter of an hour
 * that it is cut off from mpirun: tell it to end. It serves this job alone. */
void cluster_end_daemon(void);

/* cluster_renumber - from now on rank r is the one that MPI and the launcher call order[r], a permutation that leaves 0 in its
 * place, the same on all ranks; messages go on naming ranks by the launcher's numbers. Once, before any group is named. */
void cluster_renumber(cluster_t *cluster, const int *order);

int cluster_rank(const cluster_t *cluster);
int cluster_size(const cluster_t *cluster);
const char *cluster_host(const cluster_t *cluster); /* host name of this rank */
const char *cluster_host_of(const cluster_t *cluster, int rank);

/* cluster_host_file - a file in memory for those of the ranks first .. first + n - 1 that are on this host, of which this
 * one is one: a descriptor, **owned** by the caller, and in *ranks how many they are. The file is empty at first, has no
 * name, and is gone with the last of them. -1 where they cannot share one, or this rank is alone here. */
WARN_UNUSED int cluster_host_file(cluster_t *cluster, int first, int n, int *ranks);

/* cluster_set_poll - what a rank does besides while it waits inside a collective call: poll(context) is called between two
 * looks, and anything but ST_OK ends the wait with it. The wait's own deadline is doubled then: a rank that polls sends
 * heartbeats and hears the coordinator, who sees more and speaks first. NULL: nothing besides. */
void cluster_set_poll(cluster_t *cluster, status_t (*poll)(void *context), void *context);

/* cluster_is_whole - no collective call of this rank has failed, so that it may come to cluster_close. */
bool cluster_is_whole(const cluster_t *cluster);

/* cluster_gather_all - every rank's block of `bytes` bytes, in rank order, to all. all is [size][bytes], less than 2 GiB.
 * Collective. ST_TIMEOUT: some rank did not come; rank 0 names it. */
WARN_UNUSED status_t cluster_gather_all(cluster_t *cluster, const void *mine, int64_t bytes, void *all);

/* cluster_group - ranks first .. first + n - 1 as the group of the following calls of tree_sum and share; before, a rank is a
 * group of its own. Sends nothing; all members of a group must name the same one before they meet in it. */
WARN_UNUSED status_t cluster_group(cluster_t *cluster, int first, int n);

/* cluster_tree_sum - each of n vectors := its sum over the group's parts in the order of their tree
 * (common/kernels/tree.h); the same bits on every member, and for any number of members that share out the same leaves.
 * Collective over the group. shares   which parts each of the group's members has vectors  values [own parts][count] f32,
 * in; the first [count] out, the others are as they were. ST_TIMEOUT: names the members that are missing.  Cost: about two
 * vectors received, for each part that a member has more than one in the mean another one; through memory where all
 * members are on one host. */
WARN_UNUSED status_t cluster_tree_sum(cluster_t *cluster, const tree_shares_t *shares, const tree_vector_t *vectors, int n,
                                      tree_result_fn *result, void *context);

/* cluster_meet - until all members of the group have come. Errors are those of cluster_tree_sum. */
WARN_UNUSED status_t cluster_meet(cluster_t *cluster);

/* cluster_bytes_received - of dense values, since cluster_open. */
int64_t cluster_bytes_received(const cluster_t *cluster);

/* cluster_share - values := those of the group's member `owner` (0 for its first), on every member; handed on along a binary
 * tree. Collective over the group. values [count] f32, in at the owner, out at the others. ST_TIMEOUT: names the member that is
 * missing.  Cost: count f32 received once, and sent up to log2(n) times. */
WARN_UNUSED status_t cluster_share(cluster_t *cluster, float *values, int64_t count, int owner);

#endif
