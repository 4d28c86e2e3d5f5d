#include "common/base/compress.h"

#include <stdint.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "common/base/memory.h"
#include "common/base/status.h"

#define WINDOW_LOG \
    31 /* what zstd --long=31 writes, the most that the format allows a 64-bit machine; memory is taken as it is used */
#define BLOCK_RATIO ((size_t)(128 << 10) / 4)
#define LEVEL_QUICK 1
#define LEVEL 3 /* zstd's default: several hundred MB/s in, over 1 GB/s out; higher levels gain a few percent of size */

size_t compress_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes);
}

struct compressor {
    ZSTD_CCtx *zstd;
    int level;
};

static compressor_t *create(int level)
{
    compressor_t *compressor = MEM_NEW(compressor_t);
    compressor->zstd = ZSTD_createCCtx();
    compressor->level = level;
    ASSERT(compressor->zstd);
    return compressor;
}

compressor_t *compressor_create(void)
{
    return create(LEVEL);
}

compressor_t *compressor_create_quick(void)
{
    return create(LEVEL_QUICK);
}

void compressor_destroy(compressor_t **compressor)
{
    if (!*compressor)
        return;
    ZSTD_freeCCtx((*compressor)->zstd);
    mem_free(*compressor);
    *compressor = NULL;
}

static size_t compress(compressor_t *compressor, const void *raw, size_t bytes, void *out, size_t capacity, int level)
{
    ASSERT(capacity >= ZSTD_compressBound(bytes));
    size_t written = ZSTD_compressCCtx(compressor->zstd, out, capacity, raw, bytes, level);
    ASSERT(!ZSTD_isError(written));
    return written;
}

size_t compress_block(compressor_t *compressor, const void *raw, size_t bytes, void *out, size_t capacity)
{
    return compress(compressor, raw, bytes, out, capacity, compressor->level);
}

size_t compress_not(compressor_t *compressor, const void *raw, size_t bytes, void *out, size_t capacity)
{
    return compress(compressor, raw, bytes, out, capacity, ZSTD_minCLevel());
}

/* A block of a frame becomes at most 128 KiB, and takes at least 4 bytes (RFC 8878, 3.1.1.2: a head of 3, and the byte that is
 * repeated). */
size_t decompress_bound(size_t bytes)
{
    return bytes > SIZE_MAX / BLOCK_RATIO ? SIZE_MAX : bytes * BLOCK_RATIO;
}

bool decompress_block(const void *in, size_t bytes, void *raw, size_t raw_bytes)
{
    size_t written = ZSTD_decompress(raw, raw_bytes, in, bytes);
    return !ZSTD_isError(written) && written == raw_bytes;
}

struct unzstd {
    ZSTD_DStream *zstd;
    bool inside;
};

unzstd_t *unzstd_create(void)
{
    unzstd_t *stream = MEM_NEW(unzstd_t);
    stream->zstd = ZSTD_createDStream();
    ASSERT(stream->zstd);
    const size_t code = ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, WINDOW_LOG);
    ASSERT(!ZSTD_isError(code));
    return stream;
}

void unzstd_destroy(unzstd_t **stream)
{
    if (!*stream)
        return;
    ZSTD_freeDStream((*stream)->zstd);
    mem_free(*stream);
    *stream = NULL;
}

/* Data that this library cannot read is not damaged. */
static void refuse(unzstd_step_t *step, size_t code)
{
    const ZSTD_ErrorCode error = ZSTD_getErrorCode(code);
    step->why = ZSTD_getErrorName(code);
    step->is_damage = error != ZSTD_error_frameParameter_windowTooLarge && error != ZSTD_error_memory_allocation &&
                      error != ZSTD_error_dictionary_wrong && error != ZSTD_error_version_unsupported;
    if (error == ZSTD_error_frameParameter_windowTooLarge)
        step->why = "its window is larger than 2 GiB";
    if (error == ZSTD_error_memory_allocation)
        step->why = "there is not enough memory for its window";
    if (error == ZSTD_error_dictionary_wrong)
        step->why = "it was compressed with a dictionary (zstd -D)";
}

unzstd_step_t unzstd_step(unzstd_t *stream, const void *in, size_t bytes, void *out, size_t capacity)
{
    ZSTD_inBuffer input = {in, bytes, 0};
    ZSTD_outBuffer output = {out, capacity, 0};
    size_t rest = ZSTD_decompressStream(stream->zstd, &output, &input);
    unzstd_step_t step = {.consumed = input.pos, .produced = output.pos};
    if (ZSTD_isError(rest)) {
        refuse(&step, rest);
        return step;
    }
    /* rest is 0 exactly where a frame is complete and flushed; without input or output nothing has changed. */
    if (step.consumed > 0 || step.produced > 0)
        stream->inside = rest != 0;
    step.inside = stream->inside;
    return step;
}
