#include "common/files/file_system.h"

#include <errno.h>
#include <string.h>
#include <sys/vfs.h>

#include "common/base/memory.h"

/* statfs(2) and the sources of those that are not in the kernel. */
static const struct {
    unsigned long magic;
    const char *name;
} kinds[] = {
    {0x6969, "nfs"},       {0xFF534D42, "cifs"}, {0xFE534D42, "smb"},    {0x517B, "smb"},      {0x0BD00BD0, "lustre"},
    {0x00C36400, "ceph"},  {0x47504653, "gpfs"}, {0x19830326, "beegfs"}, {0x20030528, "pvfs"}, {0xAAD7AAEA, "panfs"},
    {0x5346414F, "afs"},   {0x6B414653, "afs"},  {0x73757245, "coda"},   {0x01021997, "9p"},   {0x65735546, "fuse"},
    {0x7461636F, "ocfs2"}, {0x01161970, "gfs2"},
};

const char *file_system_network(const char *path)
{
    struct statfs facts;
    char *at = mem_strdup(*path ? path : ".");
    int answer;
    while ((answer = statfs(at, &facts)) != 0 && (errno == ENOENT || errno == ENOTDIR) && strcmp(at, "/") != 0 &&
           strcmp(at, ".") != 0) {
        char *slash = strrchr(at, '/');
        if (slash && slash > at)
            *slash = 0;
        else
            memcpy(at, slash ? "/" : ".", 2);
    }
    mem_free(at);
    for (size_t i = 0; answer == 0 && i < sizeof kinds / sizeof *kinds; i++)
        if (((unsigned long)facts.f_type & 0xFFFFFFFF) == kinds[i].magic)
            return kinds[i].name;
    return NULL;
}

status_t file_system_check(const char *place, const char *scratch)
{
    const char *kind = file_system_network(*scratch ? scratch : place);
    if (!kind)
        return ST_OK;
    if (*scratch)
        return FAIL(ST_INPUT,
                    "cluster.scratch %s is on a network file system (%s), which LMDB must not write: set it to a folder on a "
                    "disk of each host",
                    scratch, kind);
    return FAIL(ST_INPUT,
                "%s is on a network file system (%s), which LMDB must not write: set cluster.scratch to a folder on a disk of "
                "each host, where tables are made before they are copied there",
                place, kind);
}
