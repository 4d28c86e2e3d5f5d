/* wire.c - encode, check and describe. The layout is written out byte by byte, so it does not depend on the compiler's
 * struct layout or the machine's byte order; docs/PROTOCOL.md has the table of offsets.                                  */
#include "common/net/wire.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/net/pieces.h"

/* Body arrays travel as they lie in memory; a big-endian port would have to swap them in the transport. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "body frames are little-endian");

#define BODY_ROW(name, element, fit, wrong, doc) {element, WIRE_FIT_##fit, wrong},
static const struct {
    int element_bytes;
    wire_fit_t fit;
    const char *wrong;
} bodies[] = {WIRE_BODIES(BODY_ROW)};

#define MEANING_BOUNDS(name, unit, least, most, doc) {unit, least, most},
static const struct {
    const char *unit;
    int64_t least, most;
} meanings[] = {WIRE_MEANINGS(MEANING_BOUNDS)};

enum { SCOPE_JOB, SCOPE_RUN };
#define HOLDS(body) (WIRE_BODY_##body != WIRE_BODY_NONE)
#define TYPE_ROW(name, value, a, b, c, scope, step, count, table, sequence) \
    [value] = {#name, \
               HOLDS(a) + HOLDS(b) + HOLDS(c), \
               {WIRE_BODY_##a, WIRE_BODY_##b, WIRE_BODY_##c}, \
               SCOPE_##scope, \
               WIRE_MEANS_##step, \
               WIRE_MEANS_##count, \
               WIRE_MEANS_##table, \
               WIRE_MEANS_##sequence},
static const struct {
    const char *name;
    int frames;
    wire_body_t body[WIRE_FRAMES];
    int scope;
    wire_meaning_t step, count, table, sequence;
} types[] = {WIRE_TYPES(TYPE_ROW, WIRE_NOTHING)};

/* The roles behind each name in a row R, as bits. */
#define ONE(role) (1u << WIRE_ROLE_##role)
enum {
    ROLES_COORDINATOR = ONE(COORDINATOR),
    ROLES_PULSE = ONE(PULSE),
    ROLES_SHARD = ONE(SHARD),
    ROLES_WORKER = ONE(WORKER),
    ROLES_WORKER_IN_TURN = ONE(WORKER),
    ROLES_LEADER = ONE(WORKER),
    ROLES_RANK = ONE(SERVER) | ONE(WORKER),
    ROLES_ALL = ONE(SERVER) | ONE(SHARD) | ONE(WORKER),
    ROLES_ANY = ONE(COORDINATOR) | ONE(PULSE) | ONE(SERVER) | ONE(SHARD) | ONE(WORKER),
};

#define ROAD_ROW(type, name, from, to, meaning) {WIRE_##type, ROLES_##from, ROLES_##to},
static const struct {
    int type;
    unsigned from, to;
} roads[] = {WIRE_TYPES(WIRE_NOTHING, ROAD_ROW)};

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

bool wire_is_of_run(int type)
{
    return is_type(type) && types[type].scope == SCOPE_RUN;
}

bool wire_may_send(int type, wire_role_t from, wire_role_t to)
{
    for (size_t i = 0; i < sizeof roads / sizeof *roads; i++)
        if (roads[i].type == type && roads[i].from >> from & 1 && roads[i].to >> to & 1)
            return true;
    return false;
}

wire_header_t wire_header(wire_type_t type, uint64_t run_id, uint32_t incarnation, uint32_t sender, int64_t step, int64_t count)
{
    return (wire_header_t){.magic = WIRE_MAGIC,
                           .version = WIRE_VERSION,
                           .type = (uint16_t)type,
                           .run_id = run_id,
                           .incarnation = incarnation,
                           .sender = sender,
                           .step = step,
                           .dtype = WIRE_F32,
                           .count = count};
}

/* ---- fields by their meaning ------------------------------------------------------------------------------------------ */

#define MEANS(header, field, meaning) (types[(header)->type].field == WIRE_MEANS_##meaning)

uint32_t wire_component(const wire_header_t *header)
{
    ASSERT(MEANS(header, table, COMPONENT) || MEANS(header, table, FIRST_COMPONENT));
    return header->table;
}

void wire_set_component(wire_header_t *header, int component)
{
    ASSERT(component >= 0 && (MEANS(header, table, COMPONENT) || MEANS(header, table, FIRST_COMPONENT)));
    header->table = (uint32_t)component;
}

bool wire_pull_is_cut(const wire_header_t *header)
{
    ASSERT(MEANS(header, table, CUT));
    return header->table == 1;
}

void wire_set_pull_is_cut(wire_header_t *header, bool is_cut)
{
    ASSERT(MEANS(header, table, CUT));
    header->table = is_cut;
}

uint32_t wire_pushes_taken(const wire_header_t *header)
{
    ASSERT(MEANS(header, table, TAKEN));
    return header->table;
}

void wire_set_pushes_taken(wire_header_t *header, uint64_t pushes)
{
    ASSERT(MEANS(header, table, TAKEN));
    header->table = (uint32_t)pushes;
}

uint64_t wire_dataset_hash(const wire_header_t *header)
{
    ASSERT(MEANS(header, sequence, DATASET));
    return header->sequence;
}

void wire_set_dataset_hash(wire_header_t *header, uint64_t hash)
{
    ASSERT(MEANS(header, sequence, DATASET));
    header->sequence = hash;
}

int64_t wire_first_example(const wire_header_t *header)
{
    ASSERT(MEANS(header, step, FIRST_EXAMPLE));
    return header->step;
}

int64_t wire_first_element(const wire_header_t *header)
{
    ASSERT(MEANS(header, step, FIRST_ELEMENT));
    return header->step;
}

int64_t wire_split(const wire_header_t *header)
{
    ASSERT(MEANS(header, count, SPLIT));
    return header->count;
}

bool wire_save_asks(const wire_header_t *header)
{
    ASSERT(MEANS(header, step, SAVE_STEP));
    return header->step < 0;
}

bool wire_save_stops(const wire_header_t *header)
{
    ASSERT(MEANS(header, count, STOPS));
    return header->count == 1;
}

bool wire_verdict_stops(const wire_header_t *header)
{
    ASSERT(MEANS(header, count, ENDS));
    return header->count == 1;
}

bool wire_is_told(const wire_header_t *header)
{
    ASSERT(MEANS(header, count, TOLD));
    return header->count != 0;
}

bool wire_is_stuck(const wire_header_t *header)
{
    ASSERT(MEANS(header, step, STUCK));
    return header->step != 0;
}

status_t wire_status(const wire_header_t *header)
{
    ASSERT(MEANS(header, count, STATUS));
    return (status_t)header->count;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------- */

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
    put(out + 16, header->incarnation, 4);
    put(out + 20, header->sender, 4);
    put(out + 24, (uint64_t)header->step, 8);
    put(out + 32, header->sequence, 8);
    put(out + 40, header->table, 4);
    put(out + 44, header->dtype, 2);
    put(out + 46, header->piece, 2);
    put(out + 48, (uint64_t)header->count, 8);
    put(out + 56, (uint64_t)header->payload_bytes, 8);
}

static wire_header_t decode_header(const uint8_t *in)
{
    return (wire_header_t){.magic = (uint32_t)get(in, 4),
                           .version = (uint16_t)get(in + 4, 2),
                           .type = (uint16_t)get(in + 6, 2),
                           .run_id = get(in + 8, 8),
                           .incarnation = (uint32_t)get(in + 16, 4),
                           .sender = (uint32_t)get(in + 20, 4),
                           .step = (int64_t)get(in + 24, 8),
                           .sequence = get(in + 32, 8),
                           .table = (uint32_t)get(in + 40, 4),
                           .dtype = (uint16_t)get(in + 44, 2),
                           .piece = (uint16_t)get(in + 46, 2),
                           .count = (int64_t)get(in + 48, 8),
                           .payload_bytes = (int64_t)get(in + 56, 8)};
}

/* at_least_one_each - `n` elements can be `count` rows of one element or more, and are none if there are none. */
static bool at_least_one_each(int64_t n, int64_t count)
{
    return count == 0 ? n == 0 : n >= count;
}

static bool is_fit(wire_fit_t fit, int64_t n, int64_t count)
{
    switch (fit) {
    case WIRE_FIT_SOME:
        return n > 0 || count == 0;
    case WIRE_FIT_EACH:
        return n == count;
    case WIRE_FIT_EACH_OR_NONE:
        return n == count || n == 0;
    case WIRE_FIT_ROWS:
        return at_least_one_each(n, count);
    case WIRE_FIT_MULTIPLE:
        return at_least_one_each(n, count) && (count == 0 || n % count == 0);
    case WIRE_FIT_ONE:
        return n == 1;
    case WIRE_FIT_ANY:
        break;
    }
    return true;
}

/* check_count - `count` against the arrays it counts. Row widths are known only to the owner of the tables, so arrays of
 * rows get a lower bound here. Element sizes were checked before. */
static const char *check_count(const wire_header_t *header, const wire_frame_t *body)
{
    for (int i = 0; i < types[header->type].frames; i++) {
        const wire_body_t kind = types[header->type].body[i];
        if (!is_fit(bodies[kind].fit, body[i].bytes / bodies[kind].element_bytes, header->count))
            return bodies[kind].wrong;
    }
    return NULL;
}

static bool is_in(wire_meaning_t meaning, int64_t value)
{
    return value >= meanings[meaning].least && value <= meanings[meaning].most;
}

/* A field that means nothing is 0. Sequence numbers beyond 2^63 are negative here. */
static const char *check_fields(const wire_header_t *header)
{
    if (!is_in(types[header->type].step, header->step))
        return "its step is out of bounds for the type";
    if (!is_in(types[header->type].count, header->count))
        return "its count is out of bounds for the type";
    if (!is_in(types[header->type].table, header->table))
        return "its table is out of bounds for the type";
    if (!is_in(types[header->type].sequence, (int64_t)header->sequence))
        return "its sequence is out of bounds for the type";
    if (header->piece >= (header->type == WIRE_ROWS ? PIECES_MOST : 1))
        return "its piece is out of bounds for the type";
    return NULL;
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
        int element = bodies[types[header->type].body[i]].element_bytes;
        if (body[i].bytes < 0 || body[i].bytes % element != 0)
            return "a frame is not a whole number of elements";
        if (__builtin_add_overflow(payload, body[i].bytes, &payload))
            return "frames are too large";
    }
    if (payload != header->payload_bytes)
        return "payload size differs from the header";
    const char *wrong = check_fields(header);
    return wrong ? wrong : check_count(header, body);
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

void wire_describe(const wire_header_t *header, char *text, int size)
{
    const char *unit = is_type(header->type) ? meanings[types[header->type].count].unit : NULL;
    char tail[48] = "";
    if (unit)
        snprintf(tail, sizeof tail, ", %" PRId64 " %s", header->count, unit);
    else if (header->count)
        snprintf(tail, sizeof tail, ", count %" PRId64, header->count);
    snprintf(text, (size_t)size, "%s step %" PRId64 " from rank %" PRIu32 "%s", wire_type_name(header->type), header->step,
             header->sender, tail);
}
