/* disk_sim.h - a disk in memory that keeps POSIX's promises and no more (common/files/disk.h).
 *
 * What was appended is durable after sync, a name after sync_dir of its folder; a crash keeps, of everything else, what the
 * seed says: any length of the unsynced end of a file, with holes of zeros in it, and any of the names' changes. Several nodes
 * use a disk, each through a disk_t of its own, so that one of them can die: its calls then fail, unlogged, and change nothing.
 * Every call takes virtual time.
 *
 * A disk can also do worse than POSIX knows: calls fail, bits flip, and a write goes to another place. What was damaged like
 * that is remembered, so that a test can ask whether an error was about it, and mend it. */
#ifndef SMELTER_DISK_SIM_H
#define SMELTER_DISK_SIM_H

#include "common/files/disk.h"

typedef struct disk_sim disk_sim_t;

/* Mistakes on purpose. */
typedef enum disk_sim_mistake {
    DISK_SIM_CORRECT,
    DISK_SIM_SYNCS_AFTER_RENAME, /* what was appended is made durable by the sync_dir after sync, not by sync */
    DISK_SIM_SAYS_DONE_BEFORE,   /* sync and sync_dir return at once; what they promise comes true some calls later */
    DISK_SIM_HIDES_ERRORS,       /* calls that change something and fail (disk_sim_fail) say that they did not */
} disk_sim_mistake_t;

/* disk_sim_create - an empty disk with room for `room` bytes of files. **owned**; disk_sim_destroy, after all disk_t's were
 * closed. */
disk_sim_t *disk_sim_create(uint64_t seed, int64_t room);
void disk_sim_destroy(disk_sim_t **disk);

/* disk_sim_attach - a node's way to the disk; before a call (named as in disk_ops_t) has its effect, wait(context, call, ns) is
 * called for the time that it takes (NULL: none); the node may be killed there. **owned**; disk_sim_detach. */
typedef void disk_sim_wait_fn(void *context, const char *call, int64_t ns);
disk_t *disk_sim_attach(disk_sim_t *disk, disk_sim_wait_fn *wait, void *context);
void disk_sim_detach(disk_t **node);

/* disk_sim_set_room, disk_sim_set_mistake - from now on. disk_sim_set_speed - ns for each call and for each sync; the time of a
 * call is drawn between 0 and twice that. */
void disk_sim_set_room(disk_sim_t *disk, int64_t room);
void disk_sim_fill(disk_sim_t *disk, int64_t left); /* but for this many bytes */
void disk_sim_set_mistake(disk_sim_t *disk, disk_sim_mistake_t mistake);
void disk_sim_set_speed(disk_sim_t *disk, int64_t call_ns, int64_t sync_ns);

/* disk_sim_kill - from now on the node's calls fail with ST_PEER and change nothing. */
void disk_sim_kill(disk_t *node);

/* disk_sim_crash - power is lost: what is not durable is kept or lost as the seed says; the rest is durable now. Nodes must
 * have been detached. */
void disk_sim_crash(disk_sim_t *disk);

/* disk_sim_damage - a byte of the file changes. False: no such file, or empty. */
bool disk_sim_damage(disk_sim_t *disk, const char *path);

/* disk_sim_fail - the node's n-th call from now on and those after it, `times` in all, fail with ST_SYSTEM: an append has done
 * a part of its work, every other call nothing. disk_sim_lose - the node's next append is lost, and nobody is told. */
void disk_sim_fail(disk_t *node, int64_t n, int64_t times);
void disk_sim_lose(disk_t *node);

/* disk_sim_call - a call of somebody who keeps files of his own on the node's disk: it takes its time, that of a sync where it
 * waits, and is one of those at which the node may die and which may fail. */
status_t disk_sim_call(disk_t *node, const char *call, const char *path, bool waits) WARN_UNUSED;

/* disk_sim_rot - a bit flips, in any file. disk_sim_misdirect - the node's n-th append from now on overwrites another place of
 * the disk, and its own has zeros. */
void disk_sim_rot(disk_sim_t *disk);
void disk_sim_misdirect(disk_t *node, int64_t n);

/* disk_sim_is_named - does the text name a file that was damaged by these two, by a name that the file has or had then?
 * disk_sim_is_damaged - is there one? disk_sim_heal - bring back what was there. */
bool disk_sim_is_named(const disk_sim_t *disk, const char *text);
bool disk_sim_is_damaged(const disk_sim_t *disk);
void disk_sim_heal(disk_sim_t *disk);

#endif
