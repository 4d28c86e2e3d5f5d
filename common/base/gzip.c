#include "common/base/gzip.h"

#include <zlib.h>

#include "common/base/memory.h"

#define PIECE_MOST ((size_t)1 << 30) /* zlib counts in 32 bits */
#define GZIP_ONLY (15 + 16)          /* window of 32 KiB; the gzip form, with its checksum */
#define GZIP_OR_ZLIB (15 + 32)

struct gunzip {
    z_stream zlib;
    bool inside;
};

static gunzip_t *create(int window)
{
    gunzip_t *stream = MEM_NEW(gunzip_t);
    const int code = inflateInit2(&stream->zlib, window);
    ASSERT(code == Z_OK);
    return stream;
}

gunzip_t *gunzip_create(void)
{
    return create(GZIP_ONLY);
}

void gunzip_destroy(gunzip_t **stream)
{
    if (!*stream)
        return;
    inflateEnd(&(*stream)->zlib);
    mem_free(*stream);
    *stream = NULL;
}

gunzip_step_t gunzip_step(gunzip_t *stream, const void *in, size_t bytes, void *out, size_t capacity)
{
    z_stream *zlib = &stream->zlib;
    if (!stream->inside)
        inflateReset(zlib); /* the next member */
    const uInt given = (uInt)(bytes < PIECE_MOST ? bytes : PIECE_MOST);
    const uInt room = (uInt)(capacity < PIECE_MOST ? capacity : PIECE_MOST);
    zlib->next_in = (Bytef *)(uintptr_t)in;
    zlib->avail_in = given;
    zlib->next_out = out;
    zlib->avail_out = room;
    const int code = inflate(zlib, Z_NO_FLUSH);
    gunzip_step_t step = {given - zlib->avail_in, room - zlib->avail_out, code != Z_STREAM_END, NULL};
    stream->inside = step.inside;
    if (code != Z_STREAM_END && code != Z_OK && code != Z_BUF_ERROR)
        step.why = zlib->msg ? zlib->msg : "unknown error";
    return step;
}

/* A match of 258 bytes takes two bits at least. */
size_t gunzip_bound(size_t bytes)
{
    return bytes > SIZE_MAX / 1032 ? SIZE_MAX : bytes * 1032;
}

bool gunzip_block(const void *in, size_t bytes, void *raw, size_t raw_bytes)
{
    gunzip_t *stream = create(GZIP_OR_ZLIB);
    const uint8_t *at = in;
    uint8_t *out = raw, spare; /* a member without bytes is read with room for one */
    size_t produced = 0;
    bool inside = true, is_good = true;
    while (is_good && bytes > 0) {
        const bool full = produced == raw_bytes;
        const gunzip_step_t step =
            gunzip_step(stream, at, bytes, full ? &spare : out + produced, full ? 1 : raw_bytes - produced);
        is_good = !step.why && !(full && step.produced > 0) && (step.consumed > 0 || step.produced > 0);
        inside = step.inside;
        at += step.consumed;
        bytes -= step.consumed;
        produced += full ? 0 : step.produced;
    }
    gunzip_destroy(&stream);
    return is_good && !inside && produced == raw_bytes;
}

uint32_t gzip_checksum(const void *bytes, size_t count)
{
    uLong sum = crc32(0, NULL, 0);
    for (const uint8_t *at = bytes; count > 0;) {
        const uInt take = (uInt)(count < PIECE_MOST ? count : PIECE_MOST);
        sum = crc32(sum, at, take);
        at += take;
        count -= take;
    }
    return (uint32_t)sum;
}
