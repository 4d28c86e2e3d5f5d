/* file_system.h - on what a path lies: a disk of this host, or a file system that other hosts may write, too.
 *
 * LMDB maps its file and locks it, and neither is told to other hosts in time, if it is possible at all. So what LMDB writes is
 * made on a disk of the host (common/files/scratch_folder.h) wherever its place is a file system of the second kind. */
#ifndef SMELTER_FILE_SYSTEM_H
#define SMELTER_FILE_SYSTEM_H

#include "common/base/status.h"

/* file_system_network - the kind of network file system that a path lies on, or the nearest folder above it that is there:
 * "nfs". NULL: a disk of this host, or nothing that is known. FUSE counts as one, since it does not say what is behind it. */
const char *file_system_network(const char *path);

/* file_system_check - LMDB is to write for `place`, in `scratch` where that is not empty. ST_INPUT, after a line that names the
 * path and the key to set: the place is on a network file system and there is no scratch, or scratch is on one itself. */
WARN_UNUSED status_t file_system_check(const char *place, const char *scratch);

#endif
