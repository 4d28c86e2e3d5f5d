/* Choices of LMDB's flags.
 *
 * MDB_WRITEMAP   pages are written where they are mapped: a batch that touches a page for each of its rows, as batches out of a
 *                large table do, saves an allocation, a copy and a system call per page. Its danger, a SIGBUS where the disk
 *                is full, is met by giving the file all its blocks before the map may use them (fallocate), so that a full
 *                disk is an error code from that call.
 * MDB_NOSYNC     nothing here has to survive anything.
 * MDB_NOTLS      the reader's slot belongs to the read transaction, which is reset after each read: it then pins no pages,
 *                and those that a batch replaced are used again by the next but one. spill_is_idle looks for it.
 * MDB_NORDAHEAD  rows are read at random; neighbours on the disk are of no use.
 *
 * Rejected: a file of our own with rows at places of fixed width. It would save LMDB's copy of a page per row written, but need
 * either an index in memory that grows with the rows on disk, or an index on disk, which is what LMDB is.             */
#include "ps/table/spill.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/lmdb_env.h"

#define MAP_BYTES_FIRST ((size_t)1 << 20)
#define MAP_BYTES_STEP ((size_t)4 << 20) /* it grows by a quarter, and by whole steps */
#define PAGES_SPARE 128                  /* of a transaction: meta, branches, LMDB's list of free pages */
#define SCAN_STRETCH 65536               /* rows read in one transaction */

/* Digits of the radix sort. */
#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)
#define SORT_SMALL 48 /* below, inserting is faster */

typedef struct __attribute__((packed)) row_key {
    uint32_t table;
    uint16_t slot;
    uint64_t key;
} spilled_key_t;

typedef struct __attribute__((packed)) log_key {
    uint32_t table, batch;
} log_key_t;

/* The fixed part of a row's value. */
typedef struct spilled_head {
    uint32_t batch, version, count;
} spilled_head_t;

struct spill {
    char *path;
    MDB_env *env;
    MDB_dbi rows, log;
    size_t map_bytes, page_bytes;
    MDB_txn *writing;   /* between spill_begin and spill_commit */
    MDB_cursor *put;    /* of `writing`, on rows */
    MDB_txn *reading;   /* reset but within a read */
    uint64_t warned_mb; /* free space when it was last warned about; 0: never */
    uint64_t *logged;   /* a copy of a log entry */
    size_t logged_capacity;
    float *payload; /* an aligned copy: LMDB aligns values to 2 bytes */
    size_t payload_capacity;
};

static status_t failed(const spill_t *spill, const char *doing, int rc)
{
    return FAIL(ST_SYSTEM,
                "%s: cannot %s: %s; rows that do not fit into cluster.memory_mb are kept there: make room, or choose another "
                "place with --out",
                spill->path, doing, mdb_strerror(rc));
}

#define TRY_MDB(spill, doing, expr) \
    do { \
        int rc_ = (expr); \
        if (rc_ != MDB_SUCCESS) \
            return failed((spill), (doing), rc_); \
    } while (0)

static spilled_key_t row_key(uint32_t table, uint64_t key)
{
    return (spilled_key_t){htobe32(table), htobe16((uint16_t)hash_slot(key)), htobe64(key)};
}

/* ---- room ------------------------------------------------------------------------------------------------------------ */

static uint64_t free_mb(const spill_t *spill)
{
    struct statvfs fs;
    return statvfs(spill->path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize >> 20 : UINT64_MAX;
}

/* Say so, the first time and whenever the space has halved, while the next few steps of growth still fit. */
static void warn_of_little_room(spill_t *spill, size_t growth)
{
    const uint64_t left = free_mb(spill);
    if (left >= (uint64_t)growth >> 18 || (spill->warned_mb && left > spill->warned_mb / 2))
        return;
    log_warn("%s: the disk is getting full: %" PRIu64
             " MB are left there, and the rows that do not fit into cluster.memory_mb take "
             "%" PRIu64 " MB "
             "and grow; make room or raise memory_mb",
             spill->path, left, spill->map_bytes >> 20);
    spill->warned_mb = left ? left : 1;
}

/* Give the file its blocks, then the map its size: what is mapped is there. */
static status_t set_size(spill_t *spill, size_t bytes)
{
    mdb_filehandle_t fd;
    TRY_MDB(spill, "enlarge the file of rows", mdb_env_get_fd(spill->env, &fd));
    const int rc = posix_fallocate(fd, 0, (off_t)bytes);
    char text[FILE_ERROR_TEXT];
    if (rc != 0)
        return FAIL(ST_SYSTEM,
                    "%s: no room for %zu MB of rows that do not fit into cluster.memory_mb: %s; %" PRIu64
                    " MB are free there, less a "
                    "quota or "
                    "a limit of file size: make room, or choose another place with --out",
                    spill->path, bytes >> 20, file_error_text(rc, text), free_mb(spill));
    const int mapped = mdb_env_set_mapsize(spill->env, bytes);
    /* LMDB has given the old map back by then, and forgets that where it cannot set the file's length: to close it would take
     * memory from whom it belongs to now. So it stays open until the process ends, which is soon. */
    if (mapped != MDB_SUCCESS)
        spill->env = NULL;
    TRY_MDB(spill, "enlarge the map", mapped);
    spill->map_bytes = bytes;
    return ST_OK;
}

/* Room for a transaction that touches `pages` pages, those that become free counted as lost. */
static status_t make_room(spill_t *spill, size_t pages)
{
    MDB_envinfo info;
    TRY_MDB(spill, "look at the map", mdb_env_info(spill->env, &info));
    const size_t needed = (info.me_last_pgno + 1 + pages) * spill->page_bytes;
    if (needed <= spill->map_bytes)
        return ST_OK;
    size_t growth = spill->map_bytes / 4;
    growth = growth > needed - spill->map_bytes ? growth : needed - spill->map_bytes;
    growth = (growth + MAP_BYTES_STEP - 1) / MAP_BYTES_STEP * MAP_BYTES_STEP;
    warn_of_little_room(spill, growth);
    return set_size(spill, spill->map_bytes + growth);
}

/* ---- open and close -------------------------------------------------------------------------------------------------- */

static int make_databases(spill_t *spill)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(spill->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_dbi_open(txn, "rows", MDB_CREATE, &spill->rows);
    if (rc == MDB_SUCCESS)
        rc = mdb_dbi_open(txn, "log", MDB_CREATE, &spill->log);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static status_t open_empty(spill_t *spill)
{
    static const char doing[] = "open a file of rows";
    TRY(dir_remove_tree(spill->path));
    TRY(dir_create(spill->path));
    TRY(dir_check_writable(spill->path));
    TRY_MDB(spill, doing, lmdb_reserve_lock(spill->path));
    TRY_MDB(spill, doing, mdb_env_create(&spill->env));
    TRY_MDB(spill, doing, mdb_env_set_maxdbs(spill->env, 2));
    TRY_MDB(spill, doing, mdb_env_set_mapsize(spill->env, MAP_BYTES_FIRST));
    TRY_MDB(spill, doing,
            mdb_env_open(spill->env, spill->path, MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0666));
    MDB_stat stat;
    TRY_MDB(spill, doing, mdb_env_stat(spill->env, &stat));
    spill->page_bytes = stat.ms_psize;
    TRY(set_size(spill, MAP_BYTES_FIRST));
    TRY_MDB(spill, doing, make_databases(spill));
    TRY_MDB(spill, doing, mdb_txn_begin(spill->env, NULL, MDB_RDONLY, &spill->reading));
    mdb_txn_reset(spill->reading);
    return ST_OK;
}

status_t spill_open(const char *path, spill_t **out)
{
    spill_t *spill = MEM_NEW(spill_t);
    spill->path = mem_strdup(path);
    const status_t status = open_empty(spill);
    if (status == ST_OK)
        *out = spill;
    else
        spill_close(&spill);
    return status;
}

void spill_close(spill_t **spill)
{
    spill_t *s = *spill;
    if (!s)
        return;
    if (s->writing) {
        mdb_cursor_close(s->put);
        mdb_txn_abort(s->writing);
    }
    if (s->reading)
        mdb_txn_abort(s->reading);
    if (s->env)
        mdb_env_close(s->env);
    const int error = dir_discard_tree(s->path);
    if (error)
        log_warn("%s: left behind: %s; nothing reads it, and it may be removed", s->path, strerror(error));
    mem_free(s->logged);
    mem_free(s->payload);
    mem_free(s->path);
    mem_free(s);
    *spill = NULL;
}

/* ---- order ----------------------------------------------------------------------------------------------------------- */

int spill_compare(uint64_t a, uint64_t b)
{
    const uint32_t slot_a = hash_slot(a), slot_b = hash_slot(b);
    return slot_a != slot_b ? (slot_a > slot_b) - (slot_a < slot_b) : (a > b) - (a < b);
}

static void insertion_sort(spill_key_t *keys, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const spill_key_t key = keys[i];
        int64_t at = i;
        for (; at > 0 && spill_compare(keys[at - 1].key, key.key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* One stable pass by a digit of the key, or by the slot where shift is 64. Returns where the keys are then: a digit that all
 * share moves nothing. */
static spill_key_t *sort_pass(spill_key_t *from, spill_key_t *to, int64_t n, int shift)
{
    int64_t start[DIGITS] = {0};
#define DIGIT(k) (shift < 64 ? (uint32_t)((k).key >> shift) & (DIGITS - 1) : hash_slot((k).key))
    for (int64_t i = 0; i < n; i++)
        start[DIGIT(from[i])]++;
    if (start[DIGIT(from[0])] == n)
        return from;
    int64_t sum = 0;
    for (int d = 0; d < DIGITS; d++) {
        const int64_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++)
        to[start[DIGIT(from[i])]++] = from[i];
#undef DIGIT
    return to;
}

void spill_sort(spill_key_t *keys, spill_key_t *scratch, int64_t n)
{
    if (n <= SORT_SMALL) {
        insertion_sort(keys, n);
        return;
    }
    spill_key_t *at = keys;
    for (int shift = 0; shift < 64 + DIGIT_BITS; shift += DIGIT_BITS)
        at = sort_pass(at, at == keys ? scratch : keys, n, shift < 64 ? shift : 64);
    if (at != keys)
        memcpy(keys, at, (size_t)n * sizeof *keys);
}

/* ---- batches --------------------------------------------------------------------------------------------------------- */

status_t spill_begin(spill_t *spill, int64_t rows, int64_t payload_floats)
{
    ASSERT(!spill->writing && rows >= 0);
    const size_t value = sizeof(spilled_head_t) + (size_t)payload_floats * sizeof(float);
    /* Each row may touch a leaf of its own and split it; a wide one lies on pages of its own; the log adds 8 bytes each. */
    const size_t pages_of_row = 2 + (value > spill->page_bytes / 2 - 64 ? value / spill->page_bytes + 2 : 0);
    TRY(make_room(spill, (size_t)rows * pages_of_row + (size_t)rows / 64 + PAGES_SPARE));
    TRY_MDB(spill, "begin to write rows", mdb_txn_begin(spill->env, NULL, 0, &spill->writing));
    const int rc = mdb_cursor_open(spill->writing, spill->rows, &spill->put);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(spill->writing);
        spill->writing = NULL;
        return failed(spill, "begin to write rows", rc);
    }
    return ST_OK;
}

status_t spill_put(spill_t *spill, uint32_t table, int64_t payload_floats, const spilled_t *row)
{
    const size_t payload_bytes = (size_t)payload_floats * sizeof *row->payload;
    const spilled_head_t head = {row->batch, row->version, row->count};
    spilled_key_t key = row_key(table, row->key);
    MDB_val k = {sizeof key, &key}, v = {sizeof head + payload_bytes, NULL};
    TRY_MDB(spill, "write a row", mdb_cursor_put(spill->put, &k, &v, MDB_RESERVE));
    memcpy(v.mv_data, &head, sizeof head);
    memcpy((char *)v.mv_data + sizeof head, row->payload, payload_bytes);
    return ST_OK;
}

status_t spill_log(spill_t *spill, uint32_t table, uint32_t batch, const uint64_t *keys, int64_t n)
{
    ASSERT(spill->writing && n > 0);
    log_key_t key = {htobe32(table), htobe32(batch)};
    MDB_val k = {sizeof key, &key}, v = {(size_t)n * sizeof *keys, (void *)keys};
    TRY_MDB(spill, "note what changed", mdb_put(spill->writing, spill->log, &k, &v, 0));
    return ST_OK;
}

status_t spill_remove(spill_t *spill, uint32_t table, const spill_key_t *keys, int64_t n)
{
    ASSERT(spill->writing);
    for (int64_t i = 0; i < n; i++) {
        spilled_key_t key = row_key(table, keys[i].key);
        MDB_val k = {sizeof key, &key}, v;
        int rc = mdb_cursor_get(spill->put, &k, &v, MDB_SET);
        if (rc == MDB_SUCCESS)
            rc = mdb_cursor_del(spill->put, 0);
        if (rc != MDB_NOTFOUND)
            TRY_MDB(spill, "remove a row", rc);
    }
    return ST_OK;
}

status_t spill_commit(spill_t *spill)
{
    ASSERT(spill->writing);
    mdb_cursor_close(spill->put);
    MDB_txn *txn = spill->writing;
    spill->writing = NULL;
    TRY_MDB(spill, "write rows", mdb_txn_commit(txn));
    return ST_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static status_t start_reading(spill_t *spill, MDB_dbi database, MDB_cursor **cursor)
{
    ASSERT(!spill->writing);
    TRY_MDB(spill, "read rows", mdb_txn_renew(spill->reading));
    const int rc = mdb_cursor_open(spill->reading, database, cursor);
    if (rc != MDB_SUCCESS) {
        mdb_txn_reset(spill->reading);
        return failed(spill, "read rows", rc);
    }
    return ST_OK;
}

static void stop_reading(spill_t *spill, MDB_cursor *cursor)
{
    mdb_cursor_close(cursor);
    mdb_txn_reset(spill->reading);
}

static spilled_t row_of(spill_t *spill, uint64_t key, const MDB_val *v, int64_t payload_floats)
{
    spilled_head_t head;
    const size_t payload_bytes = (size_t)payload_floats * sizeof *spill->payload;
    ASSERT(v->mv_size == sizeof head + payload_bytes); /* no other process writes here */
    memcpy(&head, v->mv_data, sizeof head);
    MEM_GROW(spill->payload, spill->payload_capacity, (size_t)payload_floats);
    memcpy(spill->payload, (const char *)v->mv_data + sizeof head, payload_bytes);
    return (spilled_t){key, head.batch, head.version, head.count, spill->payload};
}

status_t spill_read(spill_t *spill, uint32_t table, int64_t payload_floats, const spill_key_t *keys, int64_t n,
                    spill_read_fn *visit, void *context)
{
    MDB_cursor *cursor;
    TRY(start_reading(spill, spill->rows, &cursor));
    int rc = MDB_SUCCESS;
    for (int64_t i = 0; i < n && rc == MDB_SUCCESS; i++) {
        spilled_key_t key = row_key(table, keys[i].key);
        MDB_val k = {sizeof key, &key}, v;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
        if (rc == MDB_SUCCESS) {
            const spilled_t row = row_of(spill, keys[i].key, &v, payload_floats);
            visit(context, i, &row);
        } else if (rc == MDB_NOTFOUND) {
            rc = MDB_SUCCESS;
        }
    }
    stop_reading(spill, cursor);
    return rc == MDB_SUCCESS ? ST_OK : failed(spill, "read rows", rc);
}

/* Up to SCAN_STRETCH rows from *key on, which becomes the last one seen. *more: there are some left, and visit wants them. */
static status_t scan_stretch(spill_t *spill, spilled_key_t *key, bool skip_first, int64_t payload_floats, spill_scan_fn *visit,
                             void *context, bool *more)
{
    MDB_cursor *cursor;
    TRY(start_reading(spill, spill->rows, &cursor));
    const uint32_t table = key->table;
    MDB_val k = {sizeof *key, key}, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS && skip_first && memcmp(k.mv_data, key, sizeof *key) == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    *more = true;
    for (int64_t rows = 0; rc == MDB_SUCCESS && *more && rows < SCAN_STRETCH; rows++) {
        spilled_key_t found;
        memcpy(&found, k.mv_data, sizeof found);
        if (found.table != table) {
            *more = false;
            break;
        }
        *key = found;
        const spilled_t row = row_of(spill, be64toh(found.key), &v, payload_floats);
        *more = visit(context, &row);
        if (*more)
            rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    stop_reading(spill, cursor);
    if (rc == MDB_NOTFOUND)
        *more = false;
    return rc == MDB_SUCCESS || rc == MDB_NOTFOUND ? ST_OK : failed(spill, "read rows", rc);
}

status_t spill_scan(spill_t *spill, uint32_t table, int64_t payload_floats, const uint64_t *after, spill_scan_fn *visit,
                    void *context)
{
    spilled_key_t key = after ? row_key(table, *after) : (spilled_key_t){.table = htobe32(table)};
    bool more = true;
    for (bool skip_first = after != NULL; more; skip_first = true)
        TRY(scan_stretch(spill, &key, skip_first, payload_floats, visit, context, &more));
    return ST_OK;
}

status_t spill_log_next(spill_t *spill, uint32_t table, uint32_t *batch, uint32_t end, const uint64_t **keys, int64_t *n)
{
    MDB_cursor *cursor;
    TRY(start_reading(spill, spill->log, &cursor));
    log_key_t key = {htobe32(table), htobe32(*batch)};
    MDB_val k = {sizeof key, &key}, v;
    *n = 0;
    const int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS) {
        memcpy(&key, k.mv_data, sizeof key);
        if (be32toh(key.table) == table && be32toh(key.batch) < end) {
            *batch = be32toh(key.batch);
            *n = (int64_t)(v.mv_size / sizeof **keys);
            MEM_GROW(spill->logged, spill->logged_capacity, (size_t)*n);
            memcpy(spill->logged, v.mv_data, v.mv_size);
            *keys = spill->logged;
        }
    }
    stop_reading(spill, cursor);
    return rc == MDB_SUCCESS || rc == MDB_NOTFOUND ? ST_OK : failed(spill, "read what changed", rc);
}

status_t spill_log_drop(spill_t *spill, uint32_t table, uint32_t end)
{
    TRY(make_room(spill, 2 * PAGES_SPARE));
    MDB_txn *txn;
    MDB_cursor *cursor;
    TRY_MDB(spill, "forget what changed", mdb_txn_begin(spill->env, NULL, 0, &txn));
    int rc = mdb_cursor_open(txn, spill->log, &cursor);
    if (rc == MDB_SUCCESS) {
        for (;;) {
            log_key_t key = {htobe32(table), 0};
            MDB_val k = {sizeof key, &key}, v;
            rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
            if (rc != MDB_SUCCESS)
                break;
            memcpy(&key, k.mv_data, sizeof key);
            if (be32toh(key.table) != table || be32toh(key.batch) >= end)
                break;
            rc = mdb_cursor_del(cursor, 0);
            if (rc != MDB_SUCCESS)
                break;
        }
        mdb_cursor_close(cursor);
    }
    if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
        rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    return rc == MDB_SUCCESS ? ST_OK : failed(spill, "forget what changed", rc);
}

/* ---- state ----------------------------------------------------------------------------------------------------------- */

/* A line of LMDB's reader list is "pid thread transaction", with a dash for one that holds no snapshot. */
static int note_reader(const char *line, void *context)
{
    bool *idle = context;
    const char *last = strrchr(line, ' ');
    if (last && strspn(last + 1, "0123456789") > 0)
        *idle = false;
    return 0;
}

bool spill_is_idle(spill_t *spill)
{
    bool idle = !spill->writing;
    mdb_reader_list(spill->env, note_reader, &idle);
    return idle;
}

int64_t spill_bytes(const spill_t *spill)
{
    return (int64_t)spill->map_bytes;
}
