/* lmdb_env.h - what every LMDB environment here that is written needs beside its transactions: stores and bases
 * (ps/checkpoint/store_impl.h), datasets (common/data/dataset_file.c). Each keeps the
 * flags, keys and records that its use asks for. What is finished is read without LMDB (common/files/lmdb_pages.h). */
#ifndef SMELTER_LMDB_ENV_H
#define SMELTER_LMDB_ENV_H

#include <lmdb.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

/* What an answer of LMDB or of the system means to the reader of the message. */
typedef enum lmdb_error {
    LMDB_DAMAGED, /* the file is no environment, or not one that LMDB can read any more */
    LMDB_NO_ROOM, /* the disk, a quota or a limit of file size is reached */
    LMDB_OTHER,
} lmdb_error_t;

lmdb_error_t lmdb_error_of(int rc);

/* lmdb_reserve_lock - give the lock file of an LMDB folder its bytes on the disk before LMDB maps it unasked, which on a full
 * disk is a SIGBUS. Returns 0 or errno. */
WARN_UNUSED int lmdb_reserve_lock(const char *folder);

/* lmdb_double_map - after MDB_MAP_FULL, outside of any transaction. Returns LMDB's code. */
WARN_UNUSED int lmdb_double_map(MDB_env *env, size_t *map_bytes);

#endif
