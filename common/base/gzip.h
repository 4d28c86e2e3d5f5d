/* gzip.h - the only user of zlib: gzip streams and blocks that are read, and the checksum that gzip and Parquet share. */
#ifndef SMELTER_GZIP_H
#define SMELTER_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream of one or more gzip members, fed in pieces. */
typedef struct gunzip gunzip_t;
gunzip_t *gunzip_create(void);
void gunzip_destroy(gunzip_t **stream);

typedef struct gunzip_step {
    size_t consumed, produced;
    bool inside;     /* a member has begun and not ended: running out of input now means that it was cut short */
    const char *why; /* NULL, or what is wrong with the input */
} gunzip_step_t;

/* gunzip_step - decode some of in[bytes] into out[capacity]; what follows a member has to be another. */
gunzip_step_t gunzip_step(gunzip_t *stream, const void *in, size_t bytes, void *out, size_t capacity);

/* gunzip_bound - the most that this many compressed bytes can become, whatever they say of themselves. */
size_t gunzip_bound(size_t bytes);

/* gunzip_block - whole members, one behind the other, of gzip or of zlib's own form; false where they are damaged or do not
 * yield exactly raw_bytes. */
bool gunzip_block(const void *in, size_t bytes, void *raw, size_t raw_bytes);

/* gzip_checksum - CRC-32, as gzip has it. */
uint32_t gzip_checksum(const void *bytes, size_t count);

#endif
