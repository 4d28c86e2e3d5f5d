#include "launcher/ingest/parquet/parquet_codec.h"

#include <lz4.h>
#include <snappy-c.h>

#include "common/base/compress.h"
#include "common/base/gzip.h"
#include "common/base/memory.h"

enum { CODEC_NONE, CODEC_SNAPPY, CODEC_GZIP, CODEC_LZO, CODEC_BROTLI, CODEC_LZ4, CODEC_ZSTD, CODEC_LZ4_RAW };

#define PIECE_BYTES ((size_t)1 << 20)
#define USUAL_RATIO 64
#define USUAL_BYTES ((size_t)1 << 20)
#define LZ4_RATIO 256   /* a match grows by 255 with every further byte */
#define SNAPPY_RATIO 32 /* a copy of up to 64 bytes takes 3, one of up to 11 takes 2 */

const char *parquet_codec_refusal(int32_t codec)
{
    if (codec == CODEC_LZO)
        return "compressed with LZO, which is not read; write it with snappy, zstd, gzip or lz4_raw";
    if (codec == CODEC_BROTLI)
        return "compressed with Brotli, which is not read; write it with snappy, zstd, gzip or lz4_raw";
    return codec < CODEC_NONE || codec > CODEC_LZ4_RAW
               ? "compressed with a codec that is not known here; write it with snappy, zstd, gzip or lz4_raw"
               : NULL;
}

size_t parquet_codec_bound(int32_t codec, size_t bytes)
{
    const size_t ratio = codec == CODEC_SNAPPY ? SNAPPY_RATIO : LZ4_RATIO;
    if (codec == CODEC_NONE)
        return bytes;
    if (codec == CODEC_GZIP)
        return gunzip_bound(bytes);
    if (codec == CODEC_ZSTD)
        return decompress_bound(bytes);
    return bytes > SIZE_MAX / ratio ? SIZE_MAX : bytes * ratio;
}

static bool decode_lz4(const uint8_t *in, size_t bytes, uint8_t *raw, size_t raw_bytes)
{
    if (bytes > INT32_MAX || raw_bytes > INT32_MAX)
        return false;
    const int made = LZ4_decompress_safe((const char *)in, (char *)raw, (int)bytes, (int)raw_bytes);
    return made >= 0 && (size_t)made == raw_bytes;
}

static size_t read_big(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Hadoop's frames: u32 bytes of a frame unpacked, then pieces of it, u32 bytes packed and as many bytes, until it is full. */
static bool decode_hadoop(const uint8_t *in, size_t bytes, uint8_t *raw, size_t raw_bytes)
{
    const uint8_t *end = in + bytes;
    size_t done = 0;
    while (end - in >= 8) {
        const size_t frame = read_big(in);
        if (frame > raw_bytes - done)
            return false;
        in += 4;
        for (const size_t stop = done + frame; done < stop || frame == 0;) {
            if (end - in < 4 || read_big(in) > (size_t)(end - in - 4))
                return false;
            const size_t packed = read_big(in);
            if (packed > INT32_MAX || stop - done > INT32_MAX)
                return false;
            const int made = LZ4_decompress_safe((const char *)in + 4, (char *)raw + done, (int)packed, (int)(stop - done));
            if (made < 0 || (made == 0 && frame > 0))
                return false;
            done += (size_t)made;
            in += 4 + packed;
            if (frame == 0)
                break;
        }
    }
    return in == end && done == raw_bytes;
}

/* A step of either stream: bytes consumed and produced, and whether it has ended in the middle. */
typedef struct stream_step {
    size_t consumed, produced;
    bool inside, is_good;
} stream_step_t;

static stream_step_t step_gzip(void *stream, const uint8_t *in, size_t bytes, uint8_t *out, size_t capacity)
{
    const gunzip_step_t step = gunzip_step(stream, in, bytes, out, capacity);
    return (stream_step_t){step.consumed, step.produced, step.inside, !step.why};
}

static stream_step_t step_zstd(void *stream, const uint8_t *in, size_t bytes, uint8_t *out, size_t capacity)
{
    const unzstd_step_t step = unzstd_step(stream, in, bytes, out, capacity);
    return (stream_step_t){step.consumed, step.produced, step.inside, !step.why};
}

typedef stream_step_t step_fn(void *stream, const uint8_t *in, size_t bytes, uint8_t *out, size_t capacity);

static bool decode_stream(step_fn *step, void *stream, const uint8_t *in, size_t bytes, uint8_t **raw, size_t *capacity,
                          size_t used, size_t raw_bytes)
{
    const size_t end = used + raw_bytes;
    bool inside = true;
    while (bytes > 0 || inside) {
        const size_t want = used + PIECE_BYTES < end ? used + PIECE_BYTES : end;
        mem_grow((void **)raw, capacity, want + 1, 1); /* one more, so that a stream that is longer shows */
        const stream_step_t done = step(stream, in, bytes, *raw + used, want + (want == end) - used);
        if (!done.is_good || (done.consumed == 0 && done.produced == 0))
            return false;
        in += done.consumed;
        bytes -= done.consumed;
        used += done.produced;
        inside = done.inside;
        if (used > end)
            return false;
    }
    return used == end;
}

/* What claims to become very much more is decoded piece by piece. */
static bool decode_piecewise(int32_t codec, const uint8_t *in, size_t bytes, uint8_t **raw, size_t *capacity, size_t used,
                             size_t raw_bytes)
{
    bool is_good;
    if (codec == CODEC_GZIP) {
        gunzip_t *stream = gunzip_create();
        is_good = decode_stream(step_gzip, stream, in, bytes, raw, capacity, used, raw_bytes);
        gunzip_destroy(&stream);
    } else {
        unzstd_t *stream = unzstd_create();
        is_good = decode_stream(step_zstd, stream, in, bytes, raw, capacity, used, raw_bytes);
        unzstd_destroy(&stream);
    }
    return is_good;
}

static bool decode_at_once(int32_t codec, const uint8_t *in, size_t bytes, uint8_t *raw, size_t raw_bytes)
{
    size_t made = raw_bytes;
    switch (codec) {
    case CODEC_SNAPPY:
        return snappy_uncompressed_length((const char *)in, bytes, &made) == SNAPPY_OK && made == raw_bytes &&
               snappy_uncompress((const char *)in, bytes, (char *)raw, &made) == SNAPPY_OK && made == raw_bytes;
    case CODEC_GZIP:
        return gunzip_block(in, bytes, raw, raw_bytes);
    case CODEC_ZSTD:
        return decompress_block(in, bytes, raw, raw_bytes);
    case CODEC_LZ4_RAW:
        return decode_lz4(in, bytes, raw, raw_bytes);
    default: /* LZ4 was Hadoop's by its name, and a block without frames as some wrote it */
        return decode_hadoop(in, bytes, raw, raw_bytes) || decode_lz4(in, bytes, raw, raw_bytes);
    }
}

bool parquet_codec_decode(int32_t codec, const uint8_t *in, size_t bytes, uint8_t **raw, size_t *capacity, size_t used,
                          size_t raw_bytes)
{
    const bool is_stream = codec == CODEC_GZIP || codec == CODEC_ZSTD;
    if (is_stream && raw_bytes > USUAL_BYTES && raw_bytes / USUAL_RATIO > bytes)
        return decode_piecewise(codec, in, bytes, raw, capacity, used, raw_bytes);
    mem_grow((void **)raw, capacity, used + raw_bytes + 1, 1);
    return decode_at_once(codec, in, bytes, *raw + used, raw_bytes);
}
