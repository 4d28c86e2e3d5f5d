#include "common/files/lmdb_env.h"

#include <errno.h>

#include "common/base/memory.h"
#include "common/files/file.h"

#define LOCK_BYTES 8192 /* two pages: a head and the 126 readers that LMDB makes room for */

lmdb_error_t lmdb_error_of(int rc)
{
    switch (rc) {
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:
    case MDB_PANIC:
    case MDB_BAD_TXN:
        return LMDB_DAMAGED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO: /* also LMDB's word for a write that the disk took only in part */
        return LMDB_NO_ROOM;
    default:
        return LMDB_OTHER;
    }
}

int lmdb_reserve_lock(const char *folder)
{
    char *file = mem_printf("%s/lock.mdb", folder);
    const int rc = file_reserve(file, LOCK_BYTES);
    mem_free(file);
    return rc;
}

int lmdb_double_map(MDB_env *env, size_t *map_bytes)
{
    *map_bytes *= 2;
    return mdb_env_set_mapsize(env, *map_bytes);
}
