/* file.h - whole files and folders: read at once, replace in one step, create, remove.
 *
 * Errors name the path, what the system said and what to do. A refusal that a person can mend (a missing file, a path that
 * is not writable) is ST_INPUT; a failing disk is ST_SYSTEM. Any thread.                                             */
#ifndef SMELTER_FILE_H
#define SMELTER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

/* file_blame - the status of a refusal by the system: what a person can mend is ST_INPUT, the rest ST_SYSTEM. */
status_t file_blame(int error);

#define FILE_ERROR_TEXT 160
/* file_error_text - an errno as a person reads it: strerror, and of EFBIG the limit that was met (ulimit -f). Returns text. */
const char *file_error_text(int error, char text[FILE_ERROR_TEXT]);

/* file_write_atomic - replace `path` by `bytes` bytes of `data`.
 *
 * Writes PATH.tmp, syncs it, renames it over path and syncs the folder: after a crash at any moment the file holds the
 * old content or the new, whole.  On an error the old content stays and the temporary file is removed. One writer per path. */
WARN_UNUSED status_t file_write_atomic(const char *path, const void *data, size_t bytes);

/* file_read - the whole file; *data is **owned** (mem_free) and followed by a NUL that *bytes does not count. bytes may be
 * NULL.  ST_INPUT: missing, not readable or a folder. */
WARN_UNUSED status_t file_read(const char *path, char **data, size_t *bytes);

/* file_bytes - how long a file is.  ST_INPUT: missing, not readable or a folder. */
WARN_UNUSED status_t file_bytes(const char *path, int64_t *bytes);

/* file_reserve - give a file its first `bytes` bytes on the disk, of zeros where it was shorter; it is made where it is
 * missing. What is reserved may be mapped: a full disk is found here, and not by a SIGBUS.  Returns 0 or errno; logs
 * nothing. */
WARN_UNUSED int file_reserve(const char *path, int64_t bytes);

/* Of a network file system a host remembers for a while which names there are and were, whatever other hosts do meanwhile. So
 * all that opens, looks up or lists here asks again where it is told that a name is not there (ENOENT, on such a file system)
 * or that what it knows of it is out of date (ESTALE).
 *
 * file_open - open(2), close-on-exec.  file_look_again - after a call on `path` that failed with errno, for the n-th time from
 * 0 on: whether it is worth another, after the folder's entries were fetched anew. Keeps errno. */
int file_open(const char *path, int flags, unsigned mode);
bool file_look_again(const char *path, int n);

/* file_exists - anything, file or folder, is there.  file_missing - likewise, links followed: 0, or why not, an errno. */
bool file_exists(const char *path);
int file_missing(const char *path);

/* dir_create - the folder and the ones above it that are missing; content that is there stays.
 * ST_INPUT: something on the way is not a folder, or no right to write there. */
WARN_UNUSED status_t dir_create(const char *path);

/* dir_look - whether a folder has no entries, or does not exist. ST_INPUT, ST_SYSTEM: it cannot be read, or is no folder. */
WARN_UNUSED status_t dir_look(const char *path, bool *is_empty);

/* dir_check_writable - ST_INPUT with the reason where no file can be made in an existing folder. Tries it: permission bits
 * alone say nothing about read-only file systems, and root passes all of them. */
WARN_UNUSED status_t dir_check_writable(const char *path);

/* dir_check_creatable - as dir_check_writable for a folder that may not be there yet: tries it in the nearest one above that
 * is. Makes nothing. */
WARN_UNUSED status_t dir_check_creatable(const char *path);

/* dir_remove_tree - delete a file or a folder with all that is in it; symbolic links are not followed, other file systems are
 * not entered. Nothing there is success. */
WARN_UNUSED status_t dir_remove_tree(const char *path);
/* dir_discard_tree - the same, by what gives up a thing of its own, perhaps because of an error that is to remain the one that
 * was said last. Returns 0 or errno; logs nothing. */
WARN_UNUSED int dir_discard_tree(const char *path);

#endif
