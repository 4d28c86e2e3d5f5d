/* store_impl.h - stored rows from inside: what store.c, store_scan.c and base.c share, and no other file includes. */
#ifndef SMELTER_STORE_IMPL_H
#define SMELTER_STORE_IMPL_H

#include <endian.h>
#include <string.h>

#include "common/files/lmdb_env.h"
#include "common/files/lmdb_pages.h"
#include "ps/checkpoint/store.h"

#define STORE_BATCH_ROWS 65536 /* of one transaction */
#define STORE_FORMAT 1u
#define STORE_SUMS_VERSION 1u
#define STORE_ADVICE "copy it from where it is whole, or write the store again"

/* To be read it has pages and trees, to be written LMDB's environment; the rest is 0. */
struct store {
    char *path;
    lmdb_pages_t *pages;
    lmdb_tree_t row_tree, meta_tree;
    MDB_env *env;
    MDB_dbi rows, meta;
    size_t map_bytes;
};

/* The records "format" and "sums" of meta; the second is the version alone. */
typedef struct store_format {
    uint32_t version, slots;
} store_format_t;

/* A row's key as stored; big-endian, so that LMDB's order of bytes is the order of numbers. */
typedef struct __attribute__((packed)) row_key {
    uint16_t slot;
    uint32_t table;
    uint64_t key;
} stored_key_t;

/* The fixed part of a row's value. */
typedef struct stored_head {
    uint32_t version, count;
} stored_head_t;

/* A key of meta: the name, and the id of a table or 0. */
typedef struct __attribute__((packed)) meta_key {
    char name[8];
    uint32_t table; /* big-endian */
} meta_key_t;

typedef struct table_record {
    uint32_t payload_floats;
    uint32_t is_complete;
    int64_t rows;
    uint64_t digest_low, digest_high;
} table_record_t;

/* store_create - an empty environment, folder included, whatever was there before. flags: LMDB's. Errors as store_open. */
WARN_UNUSED status_t store_create(const char *path, unsigned flags, store_t **out);

/* store_failed - log what LMDB or the system answered. `doing` completes "cannot ...". */
status_t store_failed(const store_t *store, const char *doing, int rc);

#define TRY_MDB(store, doing, expr) \
    do { \
        int rc_ = (expr); \
        if (rc_ != MDB_SUCCESS) \
            return store_failed((store), (doing), rc_); \
    } while (0)

static inline stored_key_t store_row_key(uint32_t table, uint64_t key)
{
    return (stored_key_t){htobe16((uint16_t)hash_slot(key)), htobe32(table), htobe64(key)};
}

/* store_meta_key - `name` has at most eight letters.  store_is_table_key - is it that of a table's record? */
static inline meta_key_t store_meta_key(const char *name, uint32_t table)
{
    meta_key_t key = {.table = htobe32(table)};
    const size_t letters = strlen(name);
    ASSERT(letters <= sizeof key.name);
    memcpy(key.name, name, letters);
    return key;
}

static inline bool store_is_table_key(lmdb_bytes_t key)
{
    return key.bytes == sizeof(meta_key_t) && strncmp((const char *)key.at, "table", sizeof(((meta_key_t *)NULL)->name)) == 0;
}

/* store_meta_put - returns LMDB's code. */
WARN_UNUSED int store_meta_put(store_t *store, MDB_txn *txn, meta_key_t key, const void *record, size_t bytes);

/* store_meta_get - a record of `least` or of `most` bytes of a store that is read; the rest of *record stays as it is, and so
 * does all of it where there is none (*found). ST_CORRUPT: it has another length, or a page is damaged. */
WARN_UNUSED status_t store_meta_get(const store_t *store, meta_key_t key, void *record, size_t least, size_t most, bool *found);

/* store_put_sums - say in the store that its pages will have checksums. Returns LMDB's code. */
WARN_UNUSED int store_put_sums(store_t *store, MDB_txn *txn);

/* store_open_pages - what is there, to be read. Errors as store_open. */
WARN_UNUSED status_t store_open_pages(store_t *store);

/* store_commit - end a transaction in which `rc` came last: commit it, or abort it and return rc. */
WARN_UNUSED int store_commit(MDB_txn *txn, int rc);

#endif
