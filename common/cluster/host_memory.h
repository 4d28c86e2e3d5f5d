/* host_memory.h - memory that the ranks of one host share, and the sum over a group of them that is made in it.
 *
 * Each rank has a segment of its own, which it alone writes, but for the counters that a group meets at; the others of its host
 * read there. A segment has no name in any file system: it is an anonymous file that others open through /proc, and the kernel
 * takes it back with the last process. What the ranks of other hosts need goes by MPI (common/cluster/cluster.h).
 *
 * A sum has three phases, with a meeting after each of the first two:
 *
 *     host_memory_publish    the rank's values for all to read
 *     host_memory_reduce     one slice of the sum, from what all have published
 *     host_memory_gather     all slices
 *
 * One thread. */
#ifndef SMELTER_HOST_MEMORY_H
#define SMELTER_HOST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/kernels/tree.h"

typedef struct host_memory host_memory_t;

/* What others need to open a rank's segment. */
typedef struct host_card {
    uint64_t mark; /* the segment has the same: it is no other process's */
    int32_t pid, descriptor;
    int32_t file; /* descriptor of a second file, for which this module has no use */
} host_card_t;

/* Ranks first .. first + n - 1, of which this one is number `me`. */
typedef struct host_group {
    int first, n, me;
} host_group_t;

/* host_memory_create - the segment of one of `ranks` ranks; NULL where the system has none to give. */
host_memory_t *host_memory_create(int ranks);
void host_memory_destroy(host_memory_t **memory);

host_card_t host_memory_card(const host_memory_t *memory); /* memory may be NULL: nobody reaches it */

/* host_memory_reach - true where all ranks of the group can be read; cards [n] of them. Some may not, in containers for
 * example, or none, where memory is NULL. A rank that was reached before costs nothing. */
WARN_UNUSED bool host_memory_reach(host_memory_t *memory, host_group_t group, const host_card_t *cards);

/* host_memory_file - the second file of a rank that was reached, empty until somebody writes it: a descriptor of one's own, or
 * -1. */
WARN_UNUSED int host_memory_file(const host_card_t *card);

/* host_memory_publish - parts [p][count] of n vectors; then the rank has come to the next meeting. ST_SYSTEM: no memory
 * left. */
WARN_UNUSED status_t host_memory_publish(host_memory_t *memory, host_group_t group, int parts, const tree_vector_t *vectors,
                                         int n);
/* host_memory_reduce - sum this member's slice in the order of the tree; `result`, unless NULL, is called for what it has of
 * each vector. Then the rank has come to the next meeting. */
WARN_UNUSED status_t host_memory_reduce(host_memory_t *memory, host_group_t group, const tree_shares_t *shares,
                                        const tree_vector_t *vectors, int n, tree_result_fn *result, void *context);
/* host_memory_gather - the results to where the vectors say. */
void host_memory_gather(const host_memory_t *memory, host_group_t group, const tree_vector_t *vectors, int n);

/* host_memory_arrive - come to the next meeting of the group. host_memory_met - wait up to timeout_ns, for spin_ns of it
 * without sleep, until all members have come to the one that this rank came to last. host_memory_has_come - whether a member
 * has. */
void host_memory_arrive(host_memory_t *memory, host_group_t group);
WARN_UNUSED bool host_memory_met(host_memory_t *memory, host_group_t group, int64_t spin_ns, int64_t timeout_ns);
bool host_memory_has_come(const host_memory_t *memory, host_group_t group, int member);

/* host_memory_slice - first element of a member's slice of `count`. */
int64_t host_memory_slice(int64_t count, int member, int members);

#endif
