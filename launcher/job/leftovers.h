/* leftovers.h - what Open MPI leaves behind where a job is killed as a whole: session folders below $TMPDIR and files in
 * /dev/shm, some megabytes for each rank; and their removal by the next start.
 *
 * Ranks mark the session folder as theirs, by a line in a file there that says which processes use it and which shared-memory
 * files belong to it. mpirun removes it with the folder. What the next start finds is removed where all of the processes that
 * are named ended, on this host; what has no mark belongs to other programs, and is left
 * alone. */
#ifndef SMELTER_LEFTOVERS_H
#define SMELTER_LEFTOVERS_H

/* leftovers_mark - a rank, before MPI is up. leftovers_remove - the process that starts a job on this host. Neither can fail:
 * what cannot be marked or removed stays, as it did before. */
void leftovers_mark(void);
void leftovers_remove(void);

/* leftovers_base - the folder below which Open MPI has its session folders on this host, as it looks for it; not owned. */
const char *leftovers_base(void);

/* leftovers_remove_below - of the session folders in BASE/ompi.HOST.UID and the files in `shared`, for leftovers_remove and
 * tests. */
void leftovers_remove_below(const char *base, const char *shared);

#endif
