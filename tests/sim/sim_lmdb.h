/* sim_lmdb.h - LMDB's files of a simulated job, stores and bases, and the one of what does not fit into memory, as calls of its
 * ranks' disks.
 *
 * The files are real. Where one of LMDB is opened for writing, a transaction of it begins or is committed, or it is synced,
 * or the other one grows, the rank's disk is asked first (disk_sim_call): that takes its time, it may be the call at which
 * the rank dies or which fails, and then the transaction or the room is none. Programs that link sim_lmdb.c with the linker's
 * --wrap have the real functions behind it. */
#ifndef SMELTER_SIM_LMDB_H
#define SMELTER_SIM_LMDB_H

#include "tests/lib/disk_sim.h"

/* sim_lmdb_enter - a job begins: whose disk has the environment of this folder? NULL: nobody's, LMDB does as ever.
 * waits: commits wait for the disk where LMDB is told so; false is a mistake on purpose. */
typedef disk_t *sim_lmdb_disk_fn(void *context, const char *folder);
void sim_lmdb_enter(sim_lmdb_disk_fn *disk_of, void *context, bool waits);

/* sim_lmdb_leave - it is over, with all environments closed. */
void sim_lmdb_leave(void);

/* sim_lmdb_crash - power was lost since: of a file that was not synced when its environment was closed, any part is there.
 * draw: between 0 and 1. */
void sim_lmdb_crash(double (*draw)(void *context), void *context);

#endif
