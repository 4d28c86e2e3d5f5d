/* disk.h - everything durable of a checkpoint, behind one table of functions.
 *
 * Delta files, dense files, progress and manifests are written and read through a disk_t. Production fills the table with the
 * system's calls (disk_posix.c); simulations fill it with a disk on which what was not synced is lost at a kill. The rules are
 * POSIX's, at their worst: appended bytes are durable after sync; a name that was created, renamed or removed is durable after
 * sync_dir of its folder; before that a crash may leave the old state, the new one, or of appended bytes any part.
 *
 * Errors name the path and what the system said. A refusal that a person can mend (no such file, not writable) is ST_INPUT; a
 * full or failing disk is ST_SYSTEM. A disk_t may be used by any thread, an open file by one at a time.                    */
#ifndef SMELTER_DISK_H
#define SMELTER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct disk disk_t;
typedef struct disk_file disk_file_t;
typedef void disk_visit_fn(void *context, const char *name);

typedef struct disk_ops {
    /* create - an empty file for appending; what was there is dropped. **owned**: close. */
    status_t (*create)(disk_t *disk, const char *path, disk_file_t **out);
    /* open - a file for reading, and its length. **owned**: close. */
    status_t (*open)(disk_t *disk, const char *path, disk_file_t **out, int64_t *bytes);
    /* append - all bytes or an error; after an error the file's end is undefined. */
    status_t (*append)(disk_file_t *file, const void *data, size_t bytes);
    /* read - exactly `bytes` bytes from `offset` on; ST_CORRUPT where the file ends before. */
    status_t (*read)(disk_file_t *file, int64_t offset, void *data, size_t bytes);
    /* sync - return when all that was appended survives a power cut. */
    status_t (*sync)(disk_file_t *file);
    /* close - accepts NULL inside, sets NULL; makes nothing durable. */
    void (*close)(disk_file_t **file);

    /* rename - replaces what has the name `to`, in one step; within one file system. */
    status_t (*rename)(disk_t *disk, const char *from, const char *to);
    /* remove - a file or an empty folder; nothing there is success. */
    status_t (*remove)(disk_t *disk, const char *path);
    /* make_dir - the folder and the ones above it that are missing; each name made is durable on return. */
    status_t (*make_dir)(disk_t *disk, const char *path);
    /* sync_dir - the names in a folder, as they are now, are durable on return. */
    status_t (*sync_dir)(disk_t *disk, const char *path);
    /* list - visit the names in a folder in ascending order of bytes, but for . and .. ; the folder may change during the
     * visits. No such folder: no names. */
    status_t (*list)(disk_t *disk, const char *path, disk_visit_fn *visit, void *context);
    /* exists - a file or folder of this name is there. */
    bool (*exists)(disk_t *disk, const char *path);
    /* free_bytes - room for more on the file system of an existing path; -1 where the system does not say. */
    int64_t (*free_bytes)(disk_t *disk, const char *path);
} disk_ops_t;

/* Every disk begins with this, and every open file with a pointer to its disk. */
struct disk {
    const disk_ops_t *ops;
};
struct disk_file {
    disk_t *disk;
};

/* disk_posix - the system's own; one for the process, never destroyed. */
disk_t *disk_posix(void);

static inline WARN_UNUSED status_t disk_create(disk_t *disk, const char *path, disk_file_t **out)
{
    return disk->ops->create(disk, path, out);
}
static inline WARN_UNUSED status_t disk_open(disk_t *disk, const char *path, disk_file_t **out, int64_t *bytes)
{
    return disk->ops->open(disk, path, out, bytes);
}
static inline WARN_UNUSED status_t disk_append(disk_file_t *file, const void *data, size_t bytes)
{
    return file->disk->ops->append(file, data, bytes);
}
static inline WARN_UNUSED status_t disk_read(disk_file_t *file, int64_t offset, void *data, size_t bytes)
{
    return file->disk->ops->read(file, offset, data, bytes);
}
static inline WARN_UNUSED status_t disk_sync(disk_file_t *file)
{
    return file->disk->ops->sync(file);
}
static inline void disk_close(disk_file_t **file)
{
    if (*file)
        (*file)->disk->ops->close(file);
}
static inline WARN_UNUSED status_t disk_rename(disk_t *disk, const char *from, const char *to)
{
    return disk->ops->rename(disk, from, to);
}
static inline WARN_UNUSED status_t disk_remove(disk_t *disk, const char *path)
{
    return disk->ops->remove(disk, path);
}
static inline WARN_UNUSED status_t disk_make_dir(disk_t *disk, const char *path)
{
    return disk->ops->make_dir(disk, path);
}
static inline WARN_UNUSED status_t disk_sync_dir(disk_t *disk, const char *path)
{
    return disk->ops->sync_dir(disk, path);
}
static inline WARN_UNUSED status_t disk_list(disk_t *disk, const char *path, disk_visit_fn *visit, void *context)
{
    return disk->ops->list(disk, path, visit, context);
}
static inline bool disk_exists(disk_t *disk, const char *path)
{
    return disk->ops->exists(disk, path);
}
static inline int64_t disk_free_bytes(disk_t *disk, const char *path)
{
    return disk->ops->free_bytes(disk, path);
}

/* disk_read_whole - a file of at most `most` bytes at once; *data is **owned** (mem_free) and followed by a NUL that *bytes
 * does not count. ST_CORRUPT where it is longer. */
WARN_UNUSED status_t disk_read_whole(disk_t *disk, const char *path, int64_t most, char **data, int64_t *bytes);

#endif
