#include "common/base/compress.h"

#include <zstd.h>

#include "common/base/memory.h"
#include "common/base/status.h"

#define LEVEL 3 /* zstd's default: several hundred MB/s in, over 1 GB/s out; higher levels gain a few percent of size */

size_t compress_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes);
}

size_t compress_block(const void *raw, size_t bytes, void *out, size_t capacity)
{
    ASSERT(capacity >= ZSTD_compressBound(bytes));
    size_t written = ZSTD_compress(out, capacity, raw, bytes, LEVEL);
    ASSERT(!ZSTD_isError(written));
    return written;
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

unzstd_step_t unzstd_step(unzstd_t *stream, const void *in, size_t bytes, void *out, size_t capacity)
{
    ZSTD_inBuffer input = {in, bytes, 0};
    ZSTD_outBuffer output = {out, capacity, 0};
    size_t rest = ZSTD_decompressStream(stream->zstd, &output, &input);
    unzstd_step_t step = {.consumed = input.pos, .produced = output.pos};
    if (ZSTD_isError(rest)) {
        step.why = ZSTD_getErrorName(rest);
        return step;
    }
    /* rest is 0 exactly where a frame is complete and flushed; without input or output nothing has changed. */
    if (step.consumed > 0 || step.produced > 0)
        stream->inside = rest != 0;
    step.inside = stream->inside;
    return step;
}
