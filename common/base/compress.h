/* compress.h - the only user of zstd: blocks that are stored compressed, and streams that are read. */
#ifndef SMELTER_COMPRESS_H
#define SMELTER_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

/* compress_bound - room that compress_block needs for `bytes` of input in the worst case. */
size_t compress_bound(size_t bytes);

/* What a thread that compresses many blocks keeps between them: a megabyte of tables, which take longer to get from the system
 * than a small block takes to compress. No part of the result. */
typedef struct compressor compressor_t;
compressor_t *compressor_create(void); /* **owned**; cannot fail */
/* compressor_create_quick - one whose blocks take half the time and a little more room. */
compressor_t *compressor_create_quick(void);
void compressor_destroy(compressor_t **compressor);

/* compress_block - zstd level 3 of a block, of a quick compressor 1; returns the bytes written. capacity >=
 * compress_bound(bytes).  Cannot fail.
 * compress_not - the same of bytes that will not shrink: as they are, in the form of a compressed block. */
size_t compress_block(compressor_t *compressor, const void *raw, size_t bytes, void *out, size_t capacity);
size_t compress_not(compressor_t *compressor, const void *raw, size_t bytes, void *out, size_t capacity);

/* decompress_bound - the most that this many compressed bytes can become, whatever they say of themselves. */
size_t decompress_bound(size_t bytes);

/* decompress_block - the inverse, also of several such blocks that lie one behind the other; false where the input is damaged
 * or does not yield exactly raw_bytes. */
bool decompress_block(const void *in, size_t bytes, void *raw, size_t raw_bytes);

/* A stream of one or more zstd frames, fed in pieces. */
typedef struct unzstd unzstd_t;
unzstd_t *unzstd_create(void);
void unzstd_destroy(unzstd_t **stream);

typedef struct unzstd_step {
    size_t consumed, produced;
    bool inside;     /* a frame has begun and not ended: running out of input now means that it was cut short */
    const char *why; /* NULL, or what is wrong with the input, */
    bool is_damage;  /* or only with reading it here */
} unzstd_step_t;

/* unzstd_step - decode some of in[bytes] into out[capacity]. */
unzstd_step_t unzstd_step(unzstd_t *stream, const void *in, size_t bytes, void *out, size_t capacity);

#endif
