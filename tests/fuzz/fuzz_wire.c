/* Frames as they come from a socket: decode, describe, and what the header's fields mean to every role.
 *
 *     u8 frames, {u8 eighths of a frame}[frames - 1], the header, the bodies one behind the other                            */
#include <string.h>

#include "common/base/memory.h"
#include "common/net/step_batch.h"
#include "tests/fuzz/harness.h"

#define BODY_MOST 512

/* Fields by their meaning: where a type has it, it may be asked for. */
static void read_fields(const wire_header_t *h)
{
    switch (h->type) {
    case WIRE_PULL:
        wire_pull_is_cut(h);
        break;
    case WIRE_ROWS:
        wire_pushes_taken(h);
        break;
    case WIRE_READY:
        wire_dataset_hash(h);
        break;
    case WIRE_PREDICTIONS:
    case WIRE_TEACHER:
        wire_first_example(h);
        break;
    case WIRE_DENSE:
        wire_component(h);
        wire_first_element(h);
        break;
    case WIRE_CUT_DENSE:
    case WIRE_CLIPPED:
    case WIRE_DIGESTS:
        wire_component(h);
        break;
    case WIRE_EVALUATE:
        wire_split(h);
        break;
    case WIRE_SAVE:
        wire_save_asks(h);
        wire_save_stops(h);
        break;
    case WIRE_HEARTBEAT:
        wire_is_told(h);
        break;
    case WIRE_BYE:
        wire_is_stuck(h);
        wire_status(h);
        break;
    case WIRE_STOP:
        wire_status(h);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    wire_frame_t frames[1 + WIRE_FRAMES + 1] = {0};
    uint8_t *bytes[1 + WIRE_FRAMES + 1] = {0};
    size_t wanted[1 + WIRE_FRAMES + 1] = {64};
    const int n = fuzz_byte(&in) % (int)(sizeof frames / sizeof *frames + 1);
    for (int i = 1; i < n; i++)
        wanted[i] = fuzz_byte(&in) * (size_t)4;
    for (int i = 0; i < n; i++) {
        size_t got;
        bytes[i] = fuzz_rest(&in, wanted[i] < BODY_MOST ? wanted[i] : BODY_MOST, &got);
        frames[i] = (wire_frame_t){bytes[i], (int64_t)got};
    }
    wire_header_t header;
    const char *reason = NULL;
    uint8_t again[64];
    char text[128], little[9];
    const status_t status = wire_decode(frames, n, &header, &reason);
    ASSERT(status == ST_OK || (status == ST_MESSAGE && reason && *reason));
    if (status == ST_OK) {
        wire_encode(&header, again);
        ASSERT(memcmp(again, bytes[0], sizeof again) == 0);
        ASSERT(header.count >= 0 && wire_type_frames(header.type) == n - 1);
        wire_describe(&header, text, sizeof text);
        wire_describe(&header, little, sizeof little);
        ASSERT(strlen(text) < sizeof text && strlen(little) < sizeof little);
        read_fields(&header);
        bool may = false;
        for (int from = 0; from < WIRE_ROLE_END; from++)
            for (int to = 0; to < WIRE_ROLE_END; to++)
                may |= wire_may_send(header.type, (wire_role_t)from, (wire_role_t)to);
        ASSERT(may);
    }
    for (int i = 0; i < n; i++)
        mem_free(bytes[i]);
    return 0;
}

/* A message of each type, with `count` of whatever it counts and bodies that fit. */
static void seed_message(int type, int count)
{
    uint8_t seed[1 + WIRE_FRAMES + 64 + WIRE_FRAMES * BODY_MOST] = {0};
    const int frames = wire_type_frames(type);
    wire_header_t header = wire_header((wire_type_t)type, 7, 1, 2, 3, count);
    size_t at = 1 + (size_t)frames + 64;
    seed[0] = (uint8_t)(frames + 1);
    /* What a frame holds is the table's to say: sizes are tried until the message is good. */
    static const int elements[] = {0, 1, 4, 8, 12};
    enum { TRIED = sizeof elements / sizeof *elements };
    for (int tried = 0; tried < TRIED * TRIED * TRIED; tried++) {
        wire_frame_t parts[1 + WIRE_FRAMES] = {{seed, 64}};
        int left = tried;
        header.payload_bytes = 0;
        for (int i = 0; i < frames; i++, left /= TRIED) {
            parts[i + 1] = (wire_frame_t){seed, count * elements[left % TRIED]};
            header.payload_bytes += parts[i + 1].bytes;
            seed[1 + i] = (uint8_t)(parts[i + 1].bytes / 4);
        }
        uint8_t encoded[64];
        wire_encode(&header, encoded);
        parts[0].data = encoded;
        wire_header_t decoded;
        const char *reason;
        if (wire_decode(parts, frames + 1, &decoded, &reason) != ST_OK)
            continue;
        memcpy(seed + 1 + frames, encoded, sizeof encoded);
        char *name = mem_printf("%s-%d", wire_type_name(type), count);
        fuzz_seed(name, seed, at + (size_t)header.payload_bytes);
        mem_free(name);
        return;
    }
}

void fuzz_seeds(void)
{
    for (int type = 1; type < WIRE_TYPE_END; type++) {
        seed_message(type, 0);
        seed_message(type, 4);
    }
    fuzz_seed_text("no-frame", "");
}
