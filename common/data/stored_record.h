/* stored_record.h - the stored form of a record: a head with its lengths and hashes, and its bytes, as they are or as zstd
 * frames, one behind the other: parts that are said to be random (record.h) have frames of their own, for which nobody has
 * tried to find what repeats. No input or output. */
#ifndef SMELTER_STORED_RECORD_H
#define SMELTER_STORED_RECORD_H

#include "common/base/compress.h"
#include "common/data/record.h"

#define STORED_RECORD_HEAD_BYTES 40

/* stored_record_pack - replace what is in `out` by the stored form of a record; compressor: NULL leaves it as it is. Returns
 * the hash of its raw bytes, whatever the compression. */
uint64_t stored_record_pack(const record_t *raw, compressor_t *compressor, record_t *out);

typedef enum stored_record_state {
    STORED_RECORD_GOOD,
    STORED_RECORD_HEAD, /* the head is damaged, or says what cannot be */
    STORED_RECORD_BODY, /* what follows it is not what was stored */
} stored_record_state_t;

/* stored_record_unpack - the record of which data[bytes] is the stored form, into `raw`, whose storage is reused. Never
 * allocates more than data of this length can hold. */
WARN_UNUSED stored_record_state_t stored_record_unpack(const void *data, size_t bytes, record_t *raw);

#endif
