/* A bucket is a list of extents of the file, each a full buffer of its rows:
 *
 *     u32 slot, u32 2 values + label, u64 group, u64 single[], u64 key[values], u32 count[multi], f32 numeric[],
 *     f32 weight[values], f32 weight of the row, i64 time
 *
 * every row at a multiple of 8 bytes. Extents are written where the file ends at the moment, so all writing is sequential,
 * and a bucket is read in pieces as long as the buffers. Checksums are kept in memory, as are the lists.                  */
#include "common/data/bucket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/files/file.h"

typedef struct extent {
    int64_t at;
    size_t bytes;
    uint64_t hash;
} extent_t;

typedef struct pile {
    record_t buffer;
    extent_t *extents;
    size_t extents_capacity;
    int64_t extents_count, rows, values;
} pile_t;

struct bucket_file {
    char *folder;
    int fd;
    block_shape_t shape;
    pile_t *piles;
    int64_t buckets, end;
    size_t buffer_bytes;
    record_t extent; /* as it is read */
};

/* ---- rows as they are stored ---- */

typedef struct row_head {
    uint32_t slot, values_label;
    uint64_t group;
} row_head_t;

size_t bucket_file_row_bytes(const block_shape_t *shape, size_t values)
{
    const size_t bytes = sizeof(row_head_t) + (size_t)shape->single * sizeof(uint64_t) +
                         (size_t)shape->multi * sizeof(uint32_t) + (size_t)shape->numeric * sizeof(float) +
                         (shape->has_weight ? sizeof(float) : 0) + (shape->has_time ? sizeof(int64_t) : 0) +
                         values * (sizeof(uint64_t) + sizeof(float));
    return (bytes + 7) & ~(size_t)7;
}

static uint8_t *append(uint8_t *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    return to + bytes;
}

static void encode_row(uint8_t *to, const block_shape_t *shape, uint32_t slot, const dataset_block_t *block, size_t row,
                       size_t values)
{
    const size_t single = (size_t)shape->single, multi = (size_t)shape->multi, numeric = (size_t)shape->numeric;
    const uint32_t *at = block->multi_at + row * multi;
    const row_head_t head = {slot, (uint32_t)values << 1 | block->label[row], block->group[row]};
    to = append(to, &head, sizeof head);
    to = append(to, block->single + row * single, single * sizeof *block->single);
    to = append(to, block->multi_key + *at, values * sizeof *block->multi_key);
    for (size_t m = 0; m < multi; m++) {
        const uint32_t count = at[m + 1] - at[m];
        to = append(to, &count, sizeof count);
    }
    to = append(to, block->numeric + row * numeric, numeric * sizeof *block->numeric);
    to = append(to, block->multi_weight + *at, values * sizeof *block->multi_weight);
    if (shape->has_weight)
        to = append(to, block->weight + row, sizeof *block->weight);
    if (shape->has_time)
        append(to, block->time + row, sizeof *block->time);
}

static const uint8_t *take(void *to, const uint8_t *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    return from + bytes;
}

/* Put the row at `from` behind the others of the bucket, which has room for it; returns where the next one is. */
static const uint8_t *decode_row(const uint8_t *from, const block_shape_t *shape, bucket_t *out)
{
    const size_t single = (size_t)shape->single, multi = (size_t)shape->multi, numeric = (size_t)shape->numeric;
    const size_t row = (size_t)out->block.rows;
    uint32_t *at = out->multi_at + row * multi;
    row_head_t head;
    const uint8_t *next = take(&head, from, sizeof head);
    const size_t values = head.values_label >> 1;
    out->row_of[head.slot] = (uint32_t)row;
    out->label[row] = head.values_label & 1;
    out->group[row] = head.group;
    next = take(out->single + row * single, next, single * sizeof *out->single);
    next = take(out->multi_key + *at, next, values * sizeof *out->multi_key);
    const uint32_t first = *at;
    for (size_t m = 0; m < multi; m++) {
        uint32_t count;
        next = take(&count, next, sizeof count);
        at[m + 1] = at[m] + count;
    }
    next = take(out->numeric + row * numeric, next, numeric * sizeof *out->numeric);
    next = take(out->multi_weight + first, next, values * sizeof *out->multi_weight);
    if (shape->has_weight)
        next = take(out->weight + row, next, sizeof *out->weight);
    if (shape->has_time)
        take(out->time + row, next, sizeof *out->time);
    out->block.rows++;
    return from + bucket_file_row_bytes(shape, values);
}

/* ---- create and destroy ---- */

status_t bucket_file_create(const char *folder, const block_shape_t *shape, int64_t buckets, size_t buffer_bytes,
                            bucket_file_t **out)
{
    char *path = mem_printf("%s/smelter-visits.XXXXXX", folder);
    const int fd = mkostemp(path, O_CLOEXEC);
    status_t status = ST_OK;
    if (fd >= 0)
        unlink(path);
    else
        status = FAIL(file_blame(errno),
                      "no file can be made in %s, where examples are put in the order of visits: %s; name "
                      "another folder in data.scratch",
                      folder, strerror(errno));
    mem_free(path);
    TRY(status);
    bucket_file_t *file = MEM_NEW(bucket_file_t);
    file->folder = mem_strdup(folder);
    file->fd = fd;
    file->shape = *shape;
    file->buckets = buckets;
    file->buffer_bytes = buffer_bytes;
    file->piles = MEM_ARRAY(pile_t, buckets);
    *out = file;
    return ST_OK;
}

void bucket_file_destroy(bucket_file_t **file)
{
    bucket_file_t *f = *file;
    if (!f)
        return;
    for (int64_t b = 0; b < f->buckets; b++) {
        record_fini(&f->piles[b].buffer);
        mem_free(f->piles[b].extents);
    }
    close(f->fd);
    record_fini(&f->extent);
    mem_free(f->piles);
    mem_free(f->folder);
    mem_free(f);
    *file = NULL;
}

void bucket_fini(bucket_t *bucket)
{
    mem_free(bucket->row_of);
    mem_free(bucket->label);
    mem_free(bucket->group);
    mem_free(bucket->single);
    mem_free(bucket->multi_at);
    mem_free(bucket->multi_key);
    mem_free(bucket->numeric);
    mem_free(bucket->multi_weight);
    mem_free(bucket->weight);
    mem_free(bucket->time);
    *bucket = (bucket_t){0};
}

/* ---- put ---- */

static status_t write_pile(bucket_file_t *f, pile_t *pile)
{
    record_t *buffer = &pile->buffer;
    for (size_t done = 0; done < buffer->bytes;) {
        const ssize_t n = pwrite(f->fd, buffer->at + done, buffer->bytes - done, f->end + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        char text[FILE_ERROR_TEXT];
        if (n <= 0)
            return FAIL(ST_SYSTEM,
                        "examples in the order of visits cannot be written in %s, after %" PRId64
                        " MB: %s; make room there, or name another folder in data.scratch",
                        f->folder, f->end >> 20, file_error_text(n < 0 ? errno : ENOSPC, text));
        done += (size_t)n;
    }
    MEM_GROW(pile->extents, pile->extents_capacity, (size_t)pile->extents_count + 1);
    pile->extents[pile->extents_count++] = (extent_t){f->end, buffer->bytes, hash64(buffer->at, buffer->bytes, 0)};
    f->end += (int64_t)buffer->bytes;
    buffer->bytes = 0;
    return ST_OK;
}

status_t bucket_file_put(bucket_file_t *f, int64_t bucket, uint32_t slot, const dataset_block_t *block, int32_t row)
{
    ASSERT(bucket >= 0 && bucket < f->buckets);
    pile_t *pile = &f->piles[bucket];
    const size_t multi = (size_t)f->shape.multi, r = (size_t)row;
    const size_t values = block->multi_at[(r + 1) * multi] - block->multi_at[r * multi];
    const size_t bytes = bucket_file_row_bytes(&f->shape, values);
    ASSERT(values <= UINT32_MAX >> 1);
    if (pile->buffer.bytes > 0 && pile->buffer.bytes + bytes > f->buffer_bytes)
        TRY(write_pile(f, pile));
    const size_t room = bytes > f->buffer_bytes ? bytes : f->buffer_bytes;
    if (pile->buffer.capacity < room) {
        record_fini(&pile->buffer);
        pile->buffer = (record_t){.at = mem_alloc(room, 1), .capacity = room};
    }
    encode_row(pile->buffer.at + pile->buffer.bytes, &f->shape, slot, block, r, values);
    pile->buffer.bytes += bytes;
    pile->rows++;
    pile->values += (int64_t)values;
    return ST_OK;
}

status_t bucket_file_flush(bucket_file_t *f)
{
    for (int64_t b = 0; b < f->buckets; b++) {
        if (f->piles[b].buffer.bytes > 0)
            TRY(write_pile(f, &f->piles[b]));
        record_fini(&f->piles[b].buffer);
    }
    return ST_OK;
}

/* ---- take ---- */

static status_t read_extent(bucket_file_t *f, const extent_t *extent)
{
    record_t *into = &f->extent;
    MEM_GROW(into->at, into->capacity, extent->bytes);
    for (size_t done = 0; done < extent->bytes;) {
        const ssize_t n = pread(f->fd, into->at + done, extent->bytes - done, extent->at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FAIL(ST_SYSTEM,
                        "examples in the order of visits cannot be read back in %s: %s; name another folder in "
                        "data.scratch",
                        f->folder, n < 0 ? strerror(errno) : "the file is cut short");
        done += (size_t)n;
    }
    if (hash64(into->at, extent->bytes, 0) != extent->hash)
        return FAIL(ST_CORRUPT,
                    "examples in the order of visits fail their checksum in %s: the disk is failing; name another "
                    "folder in data.scratch",
                    f->folder);
    into->bytes = extent->bytes;
    return ST_OK;
}

static void make_room(const block_shape_t *shape, const pile_t *pile, bucket_t *out)
{
    const size_t rows = (size_t)pile->rows, values = (size_t)pile->values;
    MEM_GROW(out->row_of, out->row_of_capacity, rows);
    MEM_GROW(out->label, out->label_capacity, rows);
    MEM_GROW(out->group, out->group_capacity, rows);
    MEM_GROW(out->single, out->single_capacity, rows * (size_t)shape->single);
    MEM_GROW(out->numeric, out->numeric_capacity, rows * (size_t)shape->numeric);
    MEM_GROW(out->multi_at, out->multi_at_capacity, rows * (size_t)shape->multi + 1);
    MEM_GROW(out->multi_key, out->multi_key_capacity, values);
    MEM_GROW(out->multi_weight, out->multi_weight_capacity, values);
    if (shape->has_weight)
        MEM_GROW(out->weight, out->weight_capacity, rows);
    if (shape->has_time)
        MEM_GROW(out->time, out->time_capacity, rows);
    out->multi_at[0] = 0;
    out->block = (dataset_block_t){.label = out->label,
                                   .weight = out->weight,
                                   .group = out->group,
                                   .time = out->time,
                                   .numeric = out->numeric,
                                   .single = out->single,
                                   .multi_at = out->multi_at,
                                   .multi_key = out->multi_key,
                                   .multi_weight = out->multi_weight};
}

status_t bucket_file_take(bucket_file_t *f, int64_t bucket, int64_t slots, bucket_t *out)
{
    pile_t *pile = &f->piles[bucket];
    ASSERT(pile->rows == slots && slots <= INT32_MAX && pile->values <= UINT32_MAX);
    make_room(&f->shape, pile, out);
    for (int64_t e = 0; e < pile->extents_count; e++) {
        const extent_t *extent = &pile->extents[e];
        TRY(read_extent(f, extent));
        for (const uint8_t *at = f->extent.at, *end = at + f->extent.bytes; at < end;)
            at = decode_row(at, &f->shape, out);
        /* Where a file system cannot give the room back, the disk holds more for longer. */
        if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, extent->at, (off_t)extent->bytes) != 0)
            continue;
    }
    ASSERT(out->block.rows == slots);
    mem_free(pile->extents);
    *pile = (pile_t){0};
    return ST_OK;
}
