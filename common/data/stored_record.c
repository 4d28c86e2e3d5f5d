/* The head, 40 bytes:
 *
 *     u32 magic, u32 compressed, u64 raw_bytes, u64 stored_bytes, u64 hash of the raw bytes, u64 hash of the 32 bytes before
 *
 * It has its own hash, so that a damaged length is never believed; one that was written on purpose is bounded by what the
 * stored bytes can become. */
#include "common/data/stored_record.h"

#include <stddef.h>

#include "common/base/hash.h"

#define MAGIC 0x31524d53u /* "SMR1" */

typedef struct packed_head {
    uint32_t magic, compressed;
    uint64_t raw_bytes, stored_bytes, hash, head_hash;
} packed_head_t;
_Static_assert(sizeof(packed_head_t) == STORED_RECORD_HEAD_BYTES, "no padding");

static size_t room_for(const record_t *raw)
{
    size_t room = 0, at = 0;
    for (size_t i = 0; i < raw->randoms; i++) {
        room += compress_bound(raw->random[i].begin - at) + compress_bound(raw->random[i].end - raw->random[i].begin);
        at = raw->random[i].end;
    }
    return room + compress_bound(raw->bytes - at);
}

static size_t compress_parts(const record_t *raw, compressor_t *compressor, uint8_t *out, size_t room)
{
    static const uint8_t nothing = 0;
    const uint8_t *from = raw->bytes > 0 ? raw->at : &nothing; /* an empty record may have no memory */
    size_t at = 0, written = 0;
    for (size_t i = 0; i < raw->randoms; i++) {
        const record_part_t *part = &raw->random[i];
        ASSERT(part->begin >= at && part->end <= raw->bytes);
        if (part->begin > at)
            written += compress_block(compressor, from + at, part->begin - at, out + written, room - written);
        written += compress_not(compressor, from + part->begin, part->end - part->begin, out + written, room - written);
        at = part->end;
    }
    if (at < raw->bytes || raw->randoms == 0)
        written += compress_block(compressor, from + at, raw->bytes - at, out + written, room - written);
    return written;
}

uint64_t stored_record_pack(const record_t *raw, compressor_t *compressor, record_t *out)
{
    packed_head_t head = {.magic = MAGIC, .compressed = compressor != NULL, .raw_bytes = raw->bytes};
    head.hash = hash64(raw->at, raw->bytes, 0);
    const size_t room = compressor ? room_for(raw) : raw->bytes;
    MEM_GROW(out->at, out->capacity, sizeof head + room);
    head.stored_bytes = raw->bytes;
    if (compressor)
        head.stored_bytes = compress_parts(raw, compressor, out->at + sizeof head, room);
    else if (raw->bytes > 0)
        memcpy(out->at + sizeof head, raw->at, raw->bytes);
    head.head_hash = hash64(&head, offsetof(packed_head_t, head_hash), 0);
    memcpy(out->at, &head, sizeof head);
    out->bytes = sizeof head + head.stored_bytes;
    return head.hash;
}

stored_record_state_t stored_record_unpack(const void *data, size_t bytes, record_t *raw)
{
    packed_head_t head = {0};
    if (bytes >= sizeof head)
        memcpy(&head, data, sizeof head);
    if (head.magic != MAGIC || head.head_hash != hash64(&head, offsetof(packed_head_t, head_hash), 0) ||
        bytes - sizeof head != head.stored_bytes ||
        head.raw_bytes > (head.compressed ? decompress_bound(head.stored_bytes) : head.stored_bytes))
        return STORED_RECORD_HEAD;
    const uint8_t *body = (const uint8_t *)data + sizeof head;
    MEM_GROW(raw->at, raw->capacity, head.raw_bytes);
    raw->bytes = head.raw_bytes;
    bool good = head.compressed || head.stored_bytes == raw->bytes;
    if (head.compressed)
        good = decompress_block(body, head.stored_bytes, raw->at, raw->bytes);
    else if (good && raw->bytes > 0)
        memcpy(raw->at, body, raw->bytes);
    return good && hash64(raw->at, raw->bytes, 0) == head.hash ? STORED_RECORD_GOOD : STORED_RECORD_BODY;
}
