/* parquet_codec.h - how the bytes of pages are compressed (the only user of snappy-c.h and lz4.h). Any thread. */
#ifndef SMELTER_PARQUET_CODEC_H
#define SMELTER_PARQUET_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* parquet_codec_refusal - NULL, or what the codec is that is not read. */
const char *parquet_codec_refusal(int32_t codec);

/* parquet_codec_bound - the most that this many bytes can become. */
size_t parquet_codec_bound(int32_t codec, size_t bytes);

/* parquet_codec_decode - append exactly raw_bytes bytes behind the first `used` of *raw, which grows; false where the input is
 * damaged or yields another number. Memory for more than the usual is taken only as bytes come. */
bool parquet_codec_decode(int32_t codec, const uint8_t *in, size_t bytes, uint8_t **raw, size_t *capacity, size_t used,
                          size_t raw_bytes);

#endif
