#include "common/files/float_file.h"

#include <inttypes.h>

#include "common/base/memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is read as it lies in memory");

struct float_file {
    disk_file_t *file;
    char *path;
    int64_t n;
    uint64_t *sum; /* [blocks] */
    char checksum[HASH_TEXT_BYTES];
};

static int64_t block_size(const float_file_t *file, int64_t first)
{
    return file->n - first < FLOAT_FILE_BLOCK ? file->n - first : FLOAT_FILE_BLOCK;
}

static uint64_t sum_of(const float *block, int64_t count)
{
    return hash64(block, (size_t)count * sizeof *block, 0);
}

static status_t sum_blocks(float_file_t *file)
{
    float *block = MEM_ARRAY(float, FLOAT_FILE_BLOCK);
    hash_stream_t *stream = hash_stream_create();
    status_t status = ST_OK;
    file->sum = MEM_ARRAY(uint64_t, file->n / FLOAT_FILE_BLOCK + 1);
    for (int64_t first = 0; first < file->n && status == ST_OK; first += FLOAT_FILE_BLOCK) {
        const int64_t count = block_size(file, first);
        status = disk_read(file->file, first * (int64_t)sizeof *block, block, (size_t)count * sizeof *block);
        hash_stream_add(stream, block, (size_t)count * sizeof *block);
        file->sum[first / FLOAT_FILE_BLOCK] = sum_of(block, count);
    }
    hash_stream_text(stream, file->checksum);
    hash_stream_destroy(&stream);
    mem_free(block);
    return status;
}

status_t float_file_open(disk_t *disk, const char *path, float_file_t **out, int64_t *n)
{
    float_file_t *file = MEM_NEW(float_file_t);
    int64_t bytes = 0;
    status_t status;
    file->path = mem_strdup(path);
    TRY_DONE(disk_open(disk, path, &file->file, &bytes));
    if (bytes % (int64_t)sizeof(float))
        TRY_DONE(FAIL(ST_CORRUPT, "%s: has %" PRId64 " bytes, which is no number of floats", path, bytes));
    file->n = bytes / (int64_t)sizeof(float);
    TRY_DONE(sum_blocks(file));
    *n = file->n;
    *out = file;
    return ST_OK;
done:
    float_file_close(&file);
    return status;
}

void float_file_close(float_file_t **file)
{
    if (!*file)
        return;
    disk_close(&(*file)->file);
    mem_free((*file)->path);
    mem_free((*file)->sum);
    mem_free(*file);
    *file = NULL;
}

const char *float_file_checksum(const float_file_t *file)
{
    return file->checksum;
}

status_t float_file_read(float_file_t *file, int64_t first, int64_t count, float *out)
{
    ASSERT(first % FLOAT_FILE_BLOCK == 0 && first < file->n && count == block_size(file, first));
    TRY(disk_read(file->file, first * (int64_t)sizeof *out, out, (size_t)count * sizeof *out));
    if (sum_of(out, count) == file->sum[first / FLOAT_FILE_BLOCK])
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: was changed while it was read: floats %" PRId64 " to %" PRId64
                " are not what they were before; start again once nothing writes to it",
                file->path, first, first + count - 1);
}
