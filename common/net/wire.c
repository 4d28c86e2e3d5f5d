/* wire.c - encode, check and describe. The layout is written out byte by byte, so it does not depend on the compiler's
 * struct layout or the machine's byte order; docs/PROTOCOL.md has the table of offsets.                                  */
#include "common/net/wire.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Body arrays travel as they lie in memory; a big-endian port would have to swap them in the transport. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "body frames are little-endian");

#define WIRE_INFO(name, value, frames, a, b, c, doc) [value] = {#name, frames, {a, b, c}},
static const struct {
    const char *name;
    int frames;
    int element_bytes[WIRE_FRAMES];
} types[] = {WIRE_TYPES(WIRE_INFO)};

static bool is_type(int type)
{
    return type > 0 && type < WIRE_TYPE_END && types[type].name;
}

const char *wire_type_name(int type)
{
    return is_type(type) ? types[type].name : "unknown";
}

int wire_type_frames(int type)
{
    return is_type(type) ? types[type].frames : -1;
}

wire_header_t wire_header(wire_type_t type, uint64_t run_id, uint32_t epoch, uint32_t sender, int64_t step, int64_t count)
{
    return (wire_header_t){.magic = WIRE_MAGIC,
                           .version = WIRE_VERSION,
                           .type = (uint16_t)type,
                           .run_id = run_id,
                           .epoch = epoch,
                           .sender = sender,
                           .step = step,
                           .dtype = WIRE_F32,
                           .count = count};
}

static void put(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *in, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

void wire_encode(const wire_header_t *header, uint8_t out[64])
{
    put(out, header->magic, 4);
    put(out + 4, header->version, 2);
    put(out + 6, header->type, 2);
    put(out + 8, header->run_id, 8);
    put(out + 16, header->epoch, 4);
    put(out + 20, header->sender, 4);
    put(out + 24, (uint64_t)header->step, 8);
    put(out + 32, header->sequence, 8);
    put(out + 40, header->table, 4);
    put(out + 44, header->dtype, 4);
    put(out + 48, (uint64_t)header->count, 8);
    put(out + 56, (uint64_t)header->payload_bytes, 8);
}

static wire_header_t decode_header(const uint8_t *in)
{
    return (wire_header_t){.magic = (uint32_t)get(in, 4),
                           .version = (uint16_t)get(in + 4, 2),
                           .type = (uint16_t)get(in + 6, 2),
                           .run_id = get(in + 8, 8),
                           .epoch = (uint32_t)get(in + 16, 4),
                           .sender = (uint32_t)get(in + 20, 4),
                           .step = (int64_t)get(in + 24, 8),
                           .sequence = get(in + 32, 8),
                           .table = (uint32_t)get(in + 40, 4),
                           .dtype = (uint32_t)get(in + 44, 4),
                           .count = (int64_t)get(in + 48, 8),
                           .payload_bytes = (int64_t)get(in + 56, 8)};
}

/* at_least_one_f32_each - an array of `bytes` can hold `count` rows of one element or more, and none if there are none. */
static bool at_least_one_f32_each(int64_t bytes, int64_t count)
{
    return count == 0 ? bytes == 0 : bytes / 4 >= count;
}

/* check_count - `count` against the arrays it counts. Row widths are known only to the owner of the tables, so arrays of
 * rows get a lower bound here. Element sizes were checked before. */
static const char *check_count(const wire_header_t *header, const wire_frame_t *body)
{
    int64_t count = header->count;
    if (count < 0)
        return "count is negative";
    switch (header->type) {
    case WIRE_PUSH:
        if (!at_least_one_f32_each(body[2].bytes, count))
            return "gradients do not fit the count of keys";
        /* fall through */
    case WIRE_PULL:
    case WIRE_PEEK:
        if (body[1].bytes / 8 != count)
            return "keys do not fit the count";
        if (count > 0 && body[0].bytes == 0)
            return "keys without a segment";
        return NULL;
    case WIRE_ROWS:
        return at_least_one_f32_each(body[0].bytes, count) ? NULL : "weights do not fit the count of keys";
    case WIRE_DENSE:
    case WIRE_CUT_DENSE:
        return body[0].bytes / 4 >= count ? NULL : "parameters do not fit the count";
    case WIRE_PROGRESS:
    case WIRE_PREDICTIONS:
        if (body[1].bytes != count)
            return "labels do not fit the count of examples";
        if (!at_least_one_f32_each(body[0].bytes, count) || (count > 0 && body[0].bytes / 4 % count != 0))
            return "predictions do not fit the count of examples";
        if (body[2].bytes != 0 && body[2].bytes / 8 != count)
            return "groups do not fit the count of examples";
        return NULL;
    default:
        return NULL;
    }
}

static const char *check(const wire_header_t *header, const wire_frame_t *body, int n_body)
{
    if (header->magic != WIRE_MAGIC)
        return "bad magic: not a smelter message";
    if (header->version != WIRE_VERSION)
        return "another protocol version";
    if (!is_type(header->type))
        return "unknown message type";
    if (n_body != types[header->type].frames)
        return "wrong number of frames for the type";
    if (header->dtype != WIRE_F32)
        return "unknown dtype";
    int64_t payload = 0;
    for (int i = 0; i < n_body; i++) {
        int element = types[header->type].element_bytes[i];
        if (body[i].bytes < 0 || (element > 0 && body[i].bytes % element != 0))
            return "a frame is not a whole number of elements";
        if (__builtin_add_overflow(payload, body[i].bytes, &payload))
            return "frames are too large";
    }
    if (payload != header->payload_bytes)
        return "payload size differs from the header";
    return check_count(header, body);
}

status_t wire_decode(const wire_frame_t *frames, int n_frames, wire_header_t *header, const char **reason)
{
    if (n_frames < 1 || n_frames > 1 + WIRE_FRAMES) {
        *reason = "wrong number of frames";
        return ST_MESSAGE;
    }
    if (frames[0].bytes != 64) {
        *reason = "the header is not 64 bytes";
        return ST_MESSAGE;
    }
    wire_header_t decoded = decode_header(frames[0].data);
    const char *wrong = check(&decoded, frames + 1, n_frames - 1);
    if (wrong) {
        *reason = wrong;
        return ST_MESSAGE;
    }
    *header = decoded;
    return ST_OK;
}

static const char *count_unit(int type)
{
    switch (type) {
    case WIRE_PULL:
    case WIRE_PEEK:
    case WIRE_PUSH:
        return "keys";
    case WIRE_ROWS:
        return "rows";
    case WIRE_PROGRESS:
    case WIRE_PREDICTIONS:
        return "examples";
    case WIRE_DENSE:
        return "elements";
    default:
        return NULL;
    }
}

void wire_describe(const wire_header_t *header, char *text, int size)
{
    const char *unit = count_unit(header->type);
    char tail[48] = "";
    if (unit)
        snprintf(tail, sizeof tail, ", %" PRId64 " %s", header->count, unit);
    else if (header->count)
        snprintf(tail, sizeof tail, ", count %" PRId64, header->count);
    snprintf(text, (size_t)size, "%s step %" PRId64 " from rank %" PRIu32 "%s", wire_type_name(header->type), header->step,
             header->sender, tail);
}
