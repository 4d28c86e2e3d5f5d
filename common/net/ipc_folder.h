/* ipc_folder.h - the folder of a job's Unix sockets: of one host, one user and one start.
 *
 * Nobody but its owner can look into it (mode 0700) or put another in its place: what it lies in belongs to the same user or
 * to root, and is not writable for others, or is sticky as /tmp is. Its name is random. It is there only until all ranks are
 * connected. A job that is killed before that leaves it behind, and the next one that starts here removes it: who has one
 * holds a lock on it, which ends with the process. */
#ifndef SMELTER_IPC_FOLDER_H
#define SMELTER_IPC_FOLDER_H

#include <stdbool.h>

#include "common/base/status.h"

#define IPC_PATH_BYTES 108  /* of a Unix socket, with the zero at its end (unix(7)) */
#define IPC_SOCKET_BYTES 16 /* of a socket's name in the folder, with the slash before it */

typedef struct ipc_folder {
    char path[IPC_PATH_BYTES]; /* "": none */
    int fd;                    /* of the folder, locked */
} ipc_folder_t;

/* ipc_folder_create - in $XDG_RUNTIME_DIR where that is a folder of one's own, else in $TMPDIR, else in /tmp; after what dead
 * jobs have left there was removed. ST_INPUT, after a line that names the folder and the variable to set: it belongs to
 * somebody else, is not there, is not writable, or is so long that a socket in it would have more than 107 bytes.  **owned**
 * ipc_folder_remove. */
WARN_UNUSED status_t ipc_folder_create(ipc_folder_t *out);

/* ipc_folder_remove - with the sockets in it. Accepts one that is not there. */
void ipc_folder_remove(ipc_folder_t *folder);

/* ipc_folder_is_own - what another process of the job has made is a folder here, too, and nobody else's: false in a container
 * that does not share it. */
bool ipc_folder_is_own(const char *path);

#endif
