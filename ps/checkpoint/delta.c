/* Numbers are little-endian, as on the wire. Records have no padding:
 *
 *     head       "SMLDELTA", format u32, tables u32, incarnation u32, shard i32, step i64, previous i64, depth i64, run id u64,
 *                follows low u64, high u64, checksum u64; {dim u32, payload floats u32}[tables]
 *                (format 1: without run id and follows)
 *     block      kind u32, count u32, step i64, sender u32, bytes u32, checksum u64; records:
 *     row        key u64, table u32, version u32, count u32, payload f32[]
 *     pending    key u64, table u32, gradient f32[dim]
 *     removed    key u64, table u32
 *     end        as a block, its record: rows i64, pending i64, removed i64, checksum low u64, high u64
 *
 * Every number before a checksum field is part of what it covers, so a flipped bit anywhere is noticed at its block, and named
 * by the block's offset. The end's 128 bits see what blocks cannot: one that is missing, doubled or out of place.        */
#include "ps/checkpoint/delta.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "common/process/failpoint.h"

#define BLOCK_BYTES ((size_t)1 << 20) /* one append; the widest row there can be, and the head, fit twice */
#define TABLES_MOST (1u << 24)
#define SENDERS_MOST (1u << 16)

static const char magic[8] = "SMLDELTA";

typedef struct file_head {
    char magic[8];
    uint32_t format, tables, incarnation;
    int32_t shard;
    int64_t step, previous, depth;
    uint64_t identity, follows_low, follows_high;
    uint64_t checksum; /* of the widths, seeded by all before */
} file_head_t;
_Static_assert(sizeof(file_head_t) == 80, "no padding");
#define HEAD_BYTES_1 56 /* of format 1: without the three before the checksum */

typedef struct block_head {
    uint32_t kind, count;
    int64_t step;
    uint32_t sender, bytes;
    uint64_t checksum; /* of the records, seeded by all before */
} block_head_t;
_Static_assert(sizeof(block_head_t) == 32, "no padding");

typedef struct end_record {
    int64_t rows, pending, removed;
    uint64_t checksum_low, checksum_high;
} end_record_t;

typedef struct __attribute__((packed)) key_record {
    uint64_t key;
    uint32_t table;
} key_record_t;

typedef struct __attribute__((packed)) row_record {
    key_record_t id;
    uint32_t version, count;
} row_record_t;

static size_t head_bytes(uint32_t format)
{
    return format == 1 ? HEAD_BYTES_1 : sizeof(file_head_t);
}

static uint64_t head_checksum(const file_head_t *head, const delta_width_t *widths)
{
    const size_t covered = head_bytes(head->format) - sizeof head->checksum;
    return hash64(widths, head->tables * sizeof *widths, hash64(head, covered, 0));
}

static uint64_t block_checksum(const block_head_t *head, const void *records)
{
    return hash64(records, head->bytes, hash64(head, offsetof(block_head_t, checksum), 0));
}

/* ---- blocks ----------------------------------------------------------------------------------------------------------- */

struct delta_block {
    block_head_t head; /* in front of the records, so that one append writes both */
    char records[];
};

delta_block_t *delta_block_create(pool_t *pool, delta_kind_t kind, int64_t step, int sender)
{
    ASSERT(sender >= 0 && sender < (int)SENDERS_MOST);
    delta_block_t *block = pool_take(pool, BLOCK_BYTES);
    block->head = (block_head_t){.kind = (uint32_t)kind, .step = step, .sender = (uint32_t)sender};
    return block;
}

void delta_block_destroy(delta_block_t **block)
{
    if (*block)
        pool_give(*block);
    *block = NULL;
}

/* Room for a record of a fixed part and some floats; NULL where there is none. */
static char *block_add(delta_block_t *block, const void *fixed, size_t fixed_bytes, int64_t floats)
{
    const size_t bytes = fixed_bytes + (size_t)floats * sizeof(float);
    ASSERT(bytes <= BLOCK_BYTES - sizeof block->head);
    if (bytes > BLOCK_BYTES - sizeof block->head - block->head.bytes)
        return NULL;
    char *at = block->records + block->head.bytes;
    memcpy(at, fixed, fixed_bytes);
    block->head.bytes += (uint32_t)bytes;
    block->head.count++;
    return at + fixed_bytes;
}

bool delta_block_row(delta_block_t *block, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    ASSERT(block->head.kind == DELTA_ROWS);
    const row_record_t fixed = {{row->key, table}, row->version, row->count};
    char *payload = block_add(block, &fixed, sizeof fixed, payload_floats);
    if (payload)
        memcpy(payload, row->payload, (size_t)payload_floats * sizeof *row->payload);
    return payload != NULL;
}

bool delta_block_pending(delta_block_t *block, uint32_t table, int64_t dim, uint64_t key, const float *g)
{
    ASSERT(block->head.kind == DELTA_PENDING);
    const key_record_t fixed = {key, table};
    char *gradient = block_add(block, &fixed, sizeof fixed, dim);
    if (gradient)
        memcpy(gradient, g, (size_t)dim * sizeof *g);
    return gradient != NULL;
}

bool delta_block_removed(delta_block_t *block, uint32_t table, uint64_t key)
{
    ASSERT(block->head.kind == DELTA_REMOVED);
    const key_record_t fixed = {key, table};
    return block_add(block, &fixed, sizeof fixed, 0) != NULL;
}

/* ---- writer ----------------------------------------------------------------------------------------------------------- */

struct delta_writer {
    disk_t *disk;
    disk_file_t *file;
    char *path, *temporary, *folder;
    hash_stream_t *hash;
    delta_totals_t totals;
    bool is_renamed;
};

static status_t put_bytes(delta_writer_t *writer, const void *data, size_t bytes)
{
    hash_stream_add(writer->hash, data, bytes);
    writer->totals.bytes += (int64_t)bytes;
    return disk_append(writer->file, data, bytes);
}

status_t delta_writer_create(disk_t *disk, const char *path, const delta_head_t *head, delta_writer_t **out)
{
    const char *slash = strrchr(path, '/');
    ASSERT(slash && head->tables <= TABLES_MOST);
    delta_writer_t *writer = MEM_NEW(delta_writer_t);
    writer->disk = disk;
    writer->path = mem_strdup(path);
    writer->temporary = mem_printf("%s.tmp", path);
    writer->folder = mem_printf("%.*s", (int)(slash - path), path);
    writer->hash = hash_stream_create();
    file_head_t fixed = {.format = DELTA_FORMAT,
                         .tables = head->tables,
                         .incarnation = head->incarnation,
                         .shard = head->shard,
                         .step = head->step,
                         .previous = head->previous,
                         .depth = head->depth,
                         .identity = head->identity,
                         .follows_low = head->follows.low,
                         .follows_high = head->follows.high};
    memcpy(fixed.magic, magic, sizeof magic);
    fixed.checksum = head_checksum(&fixed, head->widths);
    status_t status;
    TRY_DONE(disk_create(disk, writer->temporary, &writer->file));
    TRY_DONE(put_bytes(writer, &fixed, sizeof fixed));
    TRY_DONE(put_bytes(writer, head->widths, head->tables * sizeof *head->widths));
    *out = writer;
    return ST_OK;
done:
    delta_writer_destroy(&writer);
    return status;
}

void delta_writer_destroy(delta_writer_t **writer)
{
    delta_writer_t *w = *writer;
    if (!w)
        return;
    disk_close(&w->file);
    if (!w->is_renamed) { /* should it stay, the next incarnation's sweep finds it */
        status_t status = disk_remove(w->disk, w->temporary);
        (void)status;
    }
    hash_stream_destroy(&w->hash);
    mem_free(w->path);
    mem_free(w->temporary);
    mem_free(w->folder);
    mem_free(w);
    *writer = NULL;
}

status_t delta_writer_put(delta_writer_t *writer, delta_block_t *block)
{
    block->head.checksum = block_checksum(&block->head, block->records);
    int64_t *total = block->head.kind == DELTA_ROWS      ? &writer->totals.rows
                     : block->head.kind == DELTA_PENDING ? &writer->totals.pending
                                                         : &writer->totals.removed;
    *total += block->head.count;
    return put_bytes(writer, block, sizeof block->head + block->head.bytes);
}

status_t delta_writer_finish(delta_writer_t *writer, delta_totals_t *totals)
{
    delta_totals_t *sum = &writer->totals;
    hash_stream_value(writer->hash, &sum->checksum_low, &sum->checksum_high);
    struct {
        block_head_t head;
        end_record_t record;
    } end = {{.kind = DELTA_END, .count = 1, .bytes = sizeof(end_record_t)},
             {sum->rows, sum->pending, sum->removed, sum->checksum_low, sum->checksum_high}};
    end.head.checksum = block_checksum(&end.head, &end.record);
    TRY(put_bytes(writer, &end, sizeof end));
    failpoint("delta.written");
    TRY(disk_sync(writer->file));
    disk_close(&writer->file);
    failpoint("delta.synced");
    TRY(disk_rename(writer->disk, writer->temporary, writer->path));
    writer->is_renamed = true;
    TRY(disk_sync_dir(writer->disk, writer->folder));
    failpoint("delta.renamed");
    *totals = *sum;
    return ST_OK;
}

/* ---- reader ----------------------------------------------------------------------------------------------------------- */

struct delta_reader {
    disk_file_t *file;
    char *path;
    int64_t bytes; /* of the file */
    uint32_t format;
    delta_head_t head;
    delta_width_t *widths;
    delta_totals_t totals;
    int64_t first, at; /* offsets of the first block and of the next */
    int64_t *rows;     /* [tables] records of each */
    char *records;     /* [capacity] of the block read last */
    size_t capacity;
};

/* The next block's head and records, checked by themselves. */
static status_t read_block(delta_reader_t *r, block_head_t *head)
{
    const int64_t left = r->bytes - r->at;
    if (left < (int64_t)sizeof *head)
        return FAIL(ST_CORRUPT, "%s: ends at byte %" PRId64 ", before its end block: it was cut short", r->path, r->bytes);
    TRY(disk_read(r->file, r->at, head, sizeof *head));
    if (head->kind < DELTA_ROWS || head->kind > DELTA_END || head->bytes > BLOCK_BYTES)
        return FAIL(ST_CORRUPT, "%s: there is no block at byte %" PRId64 ", where one should begin: the file is damaged",
                    r->path, r->at);
    if ((uint64_t)left - sizeof *head < head->bytes)
        return FAIL(ST_CORRUPT, "%s: ends at byte %" PRId64 ", inside the block at byte %" PRId64 ": it was cut short", r->path,
                    r->bytes, r->at);
    MEM_GROW(r->records, r->capacity, head->bytes + 1);
    TRY(disk_read(r->file, r->at + (int64_t)sizeof *head, r->records, head->bytes));
    if (block_checksum(head, r->records) != head->checksum)
        return FAIL(ST_CORRUPT, "%s: the block of %u bytes at byte %" PRId64 " differs from its checksum: the file is damaged",
                    r->path, head->bytes, r->at);
    r->at += (int64_t)(sizeof *head + head->bytes);
    return ST_OK;
}

/* Bytes of a record that begins at `at`, or 0 where it is of no table or reaches beyond the block. */
static size_t record_bytes(const delta_reader_t *r, uint32_t kind, const char *at, size_t left)
{
    key_record_t id;
    size_t bytes = kind == DELTA_ROWS ? sizeof(row_record_t) : sizeof id;
    if (left < bytes)
        return 0;
    memcpy(&id, at, sizeof id);
    if (id.table >= r->head.tables)
        return 0;
    if (kind != DELTA_REMOVED)
        bytes += sizeof(float) * (kind == DELTA_ROWS ? r->widths[id.table].payload_floats : r->widths[id.table].dim);
    return bytes <= left ? bytes : 0;
}

static status_t visit_record(const delta_reader_t *r, const block_head_t *head, const char *at, const delta_visitor_t *visitor)
{
    row_record_t row;
    key_record_t id;
    memcpy(&id, at, sizeof id);
    switch (head->kind) {
    case DELTA_ROWS:
        if (!visitor->row)
            return ST_OK;
        memcpy(&row, at, sizeof row);
        const table_row_t found = {id.key, row.version, row.count, (const float *)(const void *)(at + sizeof row)};
        return visitor->row(visitor->context, id.table, r->widths[id.table].payload_floats, &found);
    case DELTA_PENDING:
        if (!visitor->pending)
            return ST_OK;
        return visitor->pending(visitor->context, head->step, (int)head->sender, id.table, r->widths[id.table].dim, id.key,
                                (const float *)(const void *)(at + sizeof id));
    default:
        return visitor->removed ? visitor->removed(visitor->context, id.table, id.key) : ST_OK;
    }
}

static status_t visit_block(const delta_reader_t *r, const block_head_t *head, const delta_visitor_t *visitor)
{
    const char *at = r->records, *end = at + head->bytes;
    for (uint32_t i = 0; i < head->count; i++) {
        const size_t bytes = record_bytes(r, head->kind, at, (size_t)(end - at));
        if (bytes == 0)
            return FAIL(ST_CORRUPT, "%s: record %u of the block before byte %" PRId64 " is of no table, or of another width",
                        r->path, i, r->at);
        TRY(visit_record(r, head, at, visitor));
        at += bytes;
    }
    return at == end ? ST_OK
                     : FAIL(ST_CORRUPT, "%s: %" PRId64 " bytes too many in the block before byte %" PRId64, r->path, (end - at),
                            r->at);
}

/* The part of the head before the widths, of any format there is; what older ones do not say is zero. */
static status_t read_fixed(delta_reader_t *r, file_head_t *out)
{
    file_head_t fixed = {0};
    if (r->bytes >= HEAD_BYTES_1)
        TRY(disk_read(r->file, 0, &fixed, HEAD_BYTES_1));
    if (r->bytes >= HEAD_BYTES_1 && memcmp(fixed.magic, magic, sizeof magic) != 0)
        return FAIL(ST_CORRUPT, "%s: is no shard's part of a checkpoint, or its first bytes are damaged", r->path);
    if (r->bytes >= HEAD_BYTES_1 && (fixed.format < DELTA_FORMAT_OLDEST || fixed.format > DELTA_FORMAT))
        return FAIL(ST_CORRUPT, "%s: is of format %u; this build reads formats %u to %u: use the build that wrote it", r->path,
                    fixed.format, DELTA_FORMAT_OLDEST, DELTA_FORMAT);
    if (r->bytes < (int64_t)head_bytes(fixed.format))
        return FAIL(ST_CORRUPT, "%s: %" PRId64 " bytes are too few for a file of rows: it was cut short", r->path, r->bytes);
    if (fixed.format == 1) {
        fixed.checksum = fixed.identity; /* where it is in format 1 */
        fixed.identity = 0;
    } else {
        TRY(disk_read(r->file, 0, &fixed, sizeof fixed));
    }
    *out = fixed;
    return ST_OK;
}

static status_t read_head(delta_reader_t *r)
{
    file_head_t fixed;
    TRY(read_fixed(r, &fixed));
    const int64_t fixed_bytes = (int64_t)head_bytes(fixed.format);
    const int64_t widths_bytes = (int64_t)fixed.tables * (int64_t)sizeof *r->widths;
    if (fixed.tables > TABLES_MOST || r->bytes - fixed_bytes < widths_bytes)
        return FAIL(ST_CORRUPT, "%s: is damaged or cut short in the head: %u tables in %" PRId64 " bytes", r->path,
                    fixed.tables, r->bytes);
    r->widths = MEM_ARRAY(delta_width_t, fixed.tables);
    TRY(disk_read(r->file, fixed_bytes, r->widths, (size_t)widths_bytes));
    if (head_checksum(&fixed, r->widths) != fixed.checksum)
        return FAIL(ST_CORRUPT, "%s: the head differs from its checksum: the file is damaged", r->path);
    r->rows = MEM_ARRAY(int64_t, fixed.tables);
    r->first = r->at = fixed_bytes + widths_bytes;
    r->format = fixed.format;
    r->head = (delta_head_t){
        .incarnation = fixed.incarnation,
        .shard = fixed.shard,
        .step = fixed.step,
        .previous = fixed.previous,
        .depth = fixed.depth,
        .tables = fixed.tables,
        .widths = r->widths,
        .identity = fixed.identity,
        .follows = {fixed.follows_low, fixed.follows_high},
    };
    return ST_OK;
}

static status_t check_end(delta_reader_t *r, hash_stream_t *hash, const delta_totals_t *seen)
{
    end_record_t end;
    uint64_t low, high;
    memcpy(&end, r->records, sizeof end);
    hash_stream_value(hash, &low, &high);
    if (r->at != r->bytes)
        return FAIL(ST_CORRUPT,
                    "%s: goes on for %" PRId64 " bytes behind its end block at byte %" PRId64 ": the file is damaged", r->path,
                    (r->bytes - r->at), r->at);
    if (end.checksum_low != low || end.checksum_high != high || end.rows != seen->rows || end.pending != seen->pending ||
        end.removed != seen->removed)
        return FAIL(ST_CORRUPT,
                    "%s: its %" PRId64 " rows and %" PRId64 " pending pushes are not the %" PRId64 " and %" PRId64
                    " that were written: blocks are missing, "
                    "doubled or out of place",
                    r->path, seen->rows, seen->pending, end.rows, end.pending);
    r->totals = *seen;
    r->totals.bytes = r->bytes;
    r->totals.checksum_low = low;
    r->totals.checksum_high = high;
    return ST_OK;
}

static status_t count_row(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    (void)payload_floats;
    (void)row;
    int64_t *rows = context;
    rows[table]++;
    return ST_OK;
}

/* One pass that believes nothing: every block, its records' tables and widths, the end. */
static status_t check_blocks(delta_reader_t *r, hash_stream_t *hash)
{
    const delta_visitor_t counting = {.row = count_row, .context = r->rows};
    delta_totals_t seen = {0};
    block_head_t head;
    for (;;) {
        const int64_t at = r->at;
        TRY(read_block(r, &head));
        if (head.kind == DELTA_END) {
            if (head.bytes != sizeof(end_record_t))
                return FAIL(ST_CORRUPT, "%s: the end block at byte %" PRId64 " is damaged", r->path, at);
            return check_end(r, hash, &seen);
        }
        if (head.kind == DELTA_PENDING && (head.step < 0 || head.step >= r->head.step ||
                                           r->head.step - head.step > r->head.depth || head.sender >= SENDERS_MOST))
            return FAIL(ST_CORRUPT,
                        "%s: pending pushes of step %" PRId64 " by worker %u in a checkpoint before step %" PRId64
                        ", depth %" PRId64,
                        r->path, head.step, head.sender, r->head.step, r->head.depth);
        hash_stream_add(hash, &head, sizeof head);
        hash_stream_add(hash, r->records, head.bytes);
        TRY(visit_block(r, &head, &counting));
        seen.rows += head.kind == DELTA_ROWS ? head.count : 0;
        seen.pending += head.kind == DELTA_PENDING ? head.count : 0;
        seen.removed += head.kind == DELTA_REMOVED ? head.count : 0;
    }
}

static status_t check_file(delta_reader_t *r)
{
    TRY(read_head(r));
    char *start = MEM_ARRAY(char, r->first);
    hash_stream_t *hash = hash_stream_create();
    status_t status = disk_read(r->file, 0, start, (size_t)r->first);
    hash_stream_add(hash, start, (size_t)r->first);
    if (status == ST_OK)
        status = check_blocks(r, hash);
    hash_stream_destroy(&hash);
    mem_free(start);
    r->at = r->first;
    return status;
}

status_t delta_reader_create(disk_t *disk, const char *path, const delta_head_t *expected, delta_reader_t **out)
{
    delta_reader_t *r = MEM_NEW(delta_reader_t);
    r->path = mem_strdup(path);
    status_t status;
    TRY_DONE(disk_open(disk, path, &r->file, &r->bytes));
    TRY_DONE(check_file(r));
    if (expected)
        TRY_DONE(identity_check(path, r->head.identity, expected->identity));
    if (expected &&
        (r->head.incarnation != expected->incarnation || r->head.shard != expected->shard || r->head.step != expected->step)) {
        status = FAIL(
            ST_CORRUPT,
            "%s: is of incarnation %u, shard %d, step %" PRId64 "; incarnation %u, shard %d, step %" PRId64 " is wanted: files "
            "were mixed up; "
            "put that one in "
            "its place",
            path, r->head.incarnation, r->head.shard, r->head.step, expected->incarnation, expected->shard, expected->step);
        goto done;
    }
    *out = r;
    return ST_OK;
done:
    delta_reader_destroy(&r);
    return status;
}

void delta_reader_destroy(delta_reader_t **reader)
{
    delta_reader_t *r = *reader;
    if (!r)
        return;
    disk_close(&r->file);
    mem_free(r->path);
    mem_free(r->widths);
    mem_free(r->rows);
    mem_free(r->records);
    mem_free(r);
    *reader = NULL;
}

#define CHECKSUM "%016" PRIx64 "%016" PRIx64
#define CHECKSUM_OF(sum) (sum).high, (sum).low

status_t delta_reader_check(const delta_reader_t *r, const hash128_t *before, const hash128_t *own)
{
    const hash128_t checksum = {r->totals.checksum_low, r->totals.checksum_high};
    if (own && !hash128_same(checksum, *own))
        return FAIL(ST_CORRUPT,
                    "%s: its checksum is " CHECKSUM ", the manifest says " CHECKSUM
                    ": it is not the file that the checkpoint was made with; put that one in its place",
                    r->path, CHECKSUM_OF(checksum), CHECKSUM_OF(*own));
    if (before && r->format > 1 && !hash128_same(r->head.follows, *before))
        return FAIL(ST_CORRUPT,
                    "%s: follows a file with checksum " CHECKSUM ", and the one before it here has " CHECKSUM
                    ": one of the two is not the file that the checkpoint was made with; put that one in its place",
                    r->path, CHECKSUM_OF(r->head.follows), CHECKSUM_OF(*before));
    return ST_OK;
}

const delta_head_t *delta_reader_head(const delta_reader_t *reader)
{
    return &reader->head;
}

const delta_totals_t *delta_reader_totals(const delta_reader_t *reader)
{
    return &reader->totals;
}

int64_t delta_reader_rows(const delta_reader_t *reader, uint32_t table)
{
    return table < reader->head.tables ? reader->rows[table] : 0;
}

status_t delta_reader_next(delta_reader_t *reader, const delta_visitor_t *visitor, bool *more)
{
    block_head_t head;
    TRY(read_block(reader, &head));
    *more = head.kind != DELTA_END;
    return *more ? visit_block(reader, &head, visitor) : ST_OK;
}

void delta_reader_rewind(delta_reader_t *reader)
{
    reader->at = reader->first;
}

status_t delta_reader_visit(delta_reader_t *reader, const delta_visitor_t *visitor)
{
    bool more = true;
    delta_reader_rewind(reader);
    while (more)
        TRY(delta_reader_next(reader, visitor, &more));
    return ST_OK;
}
