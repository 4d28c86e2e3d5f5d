/* delta.h - the file of one shard's part of one checkpoint: what changed since the checkpoint before it.
 *
 *     head     who wrote it, which steps it leads from and to, the file that it follows, the widths of the tables' rows
 *     blocks   of rows, of pending pushes, or of removed keys; each with its checksum
 *     end      totals, and a 128-bit checksum of all that is before
 *
 * A pending push is one that a worker sent in one of the last steps before the checkpoint's and that no row has seen yet
 * (train.pipeline_depth). Written under a temporary name, synced, renamed: a file that has its name is whole. A reader checks
 * all of it before it hands anything over. Within a file keys are removed first, and a row comes once.
 *
 * Each delta has the checksum of the one before it in its head, and the checkpoint's manifest has that of the last one: so the
 * manifest holds the whole chain, whatever files of the same name there are. */
#ifndef SMELTER_DELTA_H
#define SMELTER_DELTA_H

#include <stdbool.h>

#include "common/base/hash.h"
#include "common/base/pool.h"
#include "common/files/disk.h"
#include "ps/table/table.h"

#define DELTA_FORMAT 2u
#define DELTA_FORMAT_OLDEST 1u /* without the run's id and what a file follows */

typedef struct delta_width {
    uint32_t dim, payload_floats;
} delta_width_t;

typedef struct delta_head {
    uint32_t incarnation;
    int32_t shard;
    int64_t step;     /* of the checkpoint */
    int64_t previous; /* step of the incarnation's checkpoint before; -1: this is its first, and full */
    int64_t depth;    /* pending pushes are of steps step - depth .. step - 1 */
    uint32_t tables;
    const delta_width_t *widths; /* [tables]; borrowed */
    uint64_t identity;           /* of the run (common/base/identity.h); 0: not recorded */
    hash128_t
        follows; /* checksum of the delta before it, 0: there is none; of pending pushes alone: of the delta that had them */
} delta_head_t;

typedef struct delta_totals {
    int64_t rows, pending, removed;
    int64_t bytes;                        /* of the whole file */
    uint64_t checksum_low, checksum_high; /* of all before the end block */
} delta_totals_t;

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

typedef enum delta_kind { DELTA_ROWS = 1, DELTA_PENDING, DELTA_REMOVED, DELTA_END } delta_kind_t;

/* A block is filled by one thread and written by another. */
typedef struct delta_block delta_block_t;

/* delta_block_create - an empty block; step, sender: of pending pushes, else 0. **owned**: delta_block_destroy, by any
 * thread. */
delta_block_t *delta_block_create(pool_t *pool, delta_kind_t kind, int64_t step, int sender);
void delta_block_destroy(delta_block_t **block);

/* Add a record. False where there is no room left; an empty block has room for any one. */
bool delta_block_row(delta_block_t *block, uint32_t table, int64_t payload_floats, const table_row_t *row);
bool delta_block_pending(delta_block_t *block, uint32_t table, int64_t dim, uint64_t key, const float *g);
bool delta_block_removed(delta_block_t *block, uint32_t table, uint64_t key);

typedef struct delta_writer delta_writer_t;

/* delta_writer_create - begin the file `path`, for now under the name path.tmp, in a folder that is there. head is copied, with
 * its widths. Errors as disk.h. **owned**: delta_writer_destroy, which removes an unfinished file: its room may be what a full
 * disk lacks. */
WARN_UNUSED status_t delta_writer_create(disk_t *disk, const char *path, const delta_head_t *head, delta_writer_t **out);
void delta_writer_destroy(delta_writer_t **writer);

/* delta_writer_put - append a block; it can be destroyed then. Cost: two hashes of it and one append. */
WARN_UNUSED status_t delta_writer_put(delta_writer_t *writer, delta_block_t *block);

/* delta_writer_finish - the end block, sync, rename, sync of the folder: on ST_OK the file is durable under its own name. */
WARN_UNUSED status_t delta_writer_finish(delta_writer_t *writer, delta_totals_t *totals);

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* What a visit calls for each record, in the file's order; pointers are borrowed until it returns. Anything but ST_OK ends the
 * visit, which then returns it. A NULL is not called. */
typedef struct delta_visitor {
    status_t (*row)(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row);
    status_t (*pending)(void *context, int64_t step, int sender, uint32_t table, int64_t dim, uint64_t key, const float *g);
    status_t (*removed)(void *context, uint32_t table, uint64_t key);
    void *context;
} delta_visitor_t;

typedef struct delta_reader delta_reader_t;

/* delta_reader_create - open and check the whole file: every checksum, every number, every key's table. expected: NULL, or run,
 * incarnation, shard and step that it must be of (the rest is not looked at). ST_INPUT: it is not there, or cannot be read;
 * ST_CORRUPT: damaged or cut short (with the place), of another format, or of another checkpoint. Cost: one pass over the file.
 * **owned**: delta_reader_destroy. */
WARN_UNUSED status_t delta_reader_create(disk_t *disk, const char *path, const delta_head_t *expected, delta_reader_t **out);
void delta_reader_destroy(delta_reader_t **reader);

/* delta_reader_check - is it the file that those around it were written with? before: NULL, or checksum of the delta that comes
 * before it (format 1 does not say).  own: NULL, or its own checksum by the manifest.  ST_CORRUPT names the file and both
 * checksums. */
WARN_UNUSED status_t delta_reader_check(const delta_reader_t *reader, const hash128_t *before, const hash128_t *own);

const delta_head_t *delta_reader_head(const delta_reader_t *reader);
const delta_totals_t *delta_reader_totals(const delta_reader_t *reader);
int64_t delta_reader_rows(const delta_reader_t *reader, uint32_t table); /* of one table; 0 where the file does not have it */

/* delta_reader_visit - all records. delta_reader_next - those of the next block, about a megabyte; *more becomes false with
 * the last. delta_reader_rewind - to the first block. */
WARN_UNUSED status_t delta_reader_visit(delta_reader_t *reader, const delta_visitor_t *visitor);
void delta_reader_rewind(delta_reader_t *reader);
WARN_UNUSED status_t delta_reader_next(delta_reader_t *reader, const delta_visitor_t *visitor, bool *more);

#endif
