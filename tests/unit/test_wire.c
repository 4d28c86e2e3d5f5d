/* test_wire - "Everything from the wire is checked before it is used" (docs/PROTOCOL.md).
 *
 * Proves the byte layout against hand-written bytes, that every declared type passes and every single inconsistency is refused
 * with its reason, and that random bytes and bit flips neither crash the decoder nor get a message with inconsistent sizes
 * through. The tables of docs/PROTOCOL.md are those that the declaration makes.                                          */
#include "common/net/wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/net/dispatch.h"
#include "common/net/pieces.h"
#include "tests/lib/testing.h"
#include "tests/lib/wire_reference.h"

#define DOCUMENT "docs/PROTOCOL.md"

#define ELEMENT(name, bytes, fit, ...) ELEMENT_##name = bytes, FIT_##name = WIRE_FIT_##fit,
enum { WIRE_BODIES(ELEMENT) };
#define BOUNDS(name, unit, least, most, doc) static const int64_t least_##name = least, most_##name = most;
WIRE_MEANINGS(BOUNDS)
#define IS(body) (WIRE_BODY_##body != WIRE_BODY_NONE)
#define ROW(name, value, a, b, c, scope, step, count, table, sequence) \
    {#name, \
     value, \
     IS(a) + IS(b) + IS(c), \
     {ELEMENT_##a, ELEMENT_##b, ELEMENT_##c}, \
     {FIT_##a, FIT_##b, FIT_##c}, \
     {&least_##step, &least_##count, &least_##table, &least_##sequence}, \
     {&most_##step, &most_##count, &most_##table, &most_##sequence}},
static const struct {
    const char *name;
    int value, frames, element[3], fit[3];
    const int64_t *least[4], *most[4]; /* step, count, table, sequence */
} declared[] = {WIRE_TYPES(ROW, WIRE_NOTHING)};
enum { DECLARED = sizeof declared / sizeof *declared };

static int row_of(int type)
{
    int row = 0;
    while (row < DECLARED && declared[row].value != type)
        row++;
    return row;
}

/* A well-formed message of the type, with 6 countable things where it counts any. */
typedef struct sample {
    uint8_t head[64];
    uint8_t body[3][2048];
    wire_frame_t frame[5];
    int frames;
    wire_header_t header;
} sample_t;

static void finish(sample_t *s)
{
    s->header.payload_bytes = 0;
    for (int i = 1; i < s->frames; i++)
        s->header.payload_bytes += s->frame[i].bytes;
    wire_encode(&s->header, s->head);
}

/* The field's value, or the next one that it may have. */
static int64_t allowed(int row, int field, int64_t value)
{
    const int64_t least = *declared[row].least[field], most = *declared[row].most[field];
    return value < least ? least : value > most ? most : value;
}

static void make(sample_t *s, int type)
{
    static const int each[] = {[WIRE_FIT_ANY] = 5,   [WIRE_FIT_SOME] = 2,      [WIRE_FIT_EACH] = 6, [WIRE_FIT_EACH_OR_NONE] = 6,
                               [WIRE_FIT_ROWS] = 24, [WIRE_FIT_MULTIPLE] = 12, [WIRE_FIT_ONE] = 1};
    const int row = row_of(type);
    memset(s, 0, sizeof *s);
    s->header = wire_header((wire_type_t)type, 0x1122334455667788u, 3, 7, allowed(row, 0, 41), allowed(row, 1, 6));
    s->header.table = (uint32_t)allowed(row, 2, 1);
    s->header.sequence = (uint64_t)allowed(row, 3, 99);
    s->frame[0] = (wire_frame_t){s->head, 64};
    s->frames = 1 + declared[row].frames;
    for (int i = 1; i < s->frames; i++)
        s->frame[i] = (wire_frame_t){s->body[i - 1], each[declared[row].fit[i - 1]] * declared[row].element[i - 1]};
    finish(s);
}

static void assert_refused(sample_t *s, const char *why)
{
    wire_header_t header, before;
    memset(&header, 0xab, sizeof header);
    before = header;
    const char *reason = NULL;
    assert_int_equal(wire_decode(s->frame, s->frames, &header, &reason), ST_MESSAGE);
    assert_non_null(reason);
    assert_string_equal(reason, why);
    assert_memory_equal(&header, &before, sizeof header);
}

static void test_layout(void **state)
{
    (void)state;
    wire_header_t h =
        wire_header(WIRE_PUSH, 0x0807060504030201u, 0x14131211u, 0x24232221u, 0x3837363534333231, 0x7877767574737271);
    h.sequence = 0x4847464544434241u;
    h.table = 0x54535251u;
    h.piece = 0x5655;
    h.payload_bytes = 0x6867666564636261;
    static const uint8_t expected[64] = {'S',  'M',  'L',  'T',  4,    0,    4,    0,    0x01, 0x02, 0x03, 0x04, 0x05,
                                         0x06, 0x07, 0x08, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 0x31, 0x32,
                                         0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
                                         0x48, 0x51, 0x52, 0x53, 0x54, 1,    0,    0x55, 0x56, 0x71, 0x72, 0x73, 0x74,
                                         0x75, 0x76, 0x77, 0x78, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68};
    uint8_t got[64];
    wire_encode(&h, got);
    assert_memory_equal(got, expected, 64);
}

static void test_every_type_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < DECLARED; i++) {
        sample_t s;
        make(&s, declared[i].value);
        wire_header_t back;
        const char *reason = "";
        if (wire_decode(s.frame, s.frames, &back, &reason) != ST_OK)
            fail_msg("%s is refused: %s", declared[i].name, reason);
        assert_memory_equal(&back, &s.header, sizeof back);
        assert_string_equal(wire_type_name(declared[i].value), declared[i].name);
        assert_int_equal(wire_type_frames(declared[i].value), declared[i].frames);
    }
    assert_int_equal(wire_type_frames(0), -1);
    assert_int_equal(wire_type_frames(WIRE_TYPE_END), -1);
    assert_int_equal(wire_type_frames(-5), -1);
    assert_string_equal(wire_type_name(999), "unknown");
}

static void test_every_inconsistency_is_named(void **state)
{
    (void)state;
    sample_t s;
    make(&s, WIRE_PUSH);
    s.frames = 0;
    assert_refused(&s, "wrong number of frames");
    s.frames = 5;
    assert_refused(&s, "wrong number of frames");
    make(&s, WIRE_PUSH);
    s.frame[0].bytes = 63;
    assert_refused(&s, "the header is not 64 bytes");
    s.frame[0].bytes = 65;
    assert_refused(&s, "the header is not 64 bytes");

#define REFUSED(TYPE, CHANGE, WHY) \
    do { \
        make(&s, TYPE); \
        CHANGE; \
        wire_encode(&s.header, s.head); \
        assert_refused(&s, WHY); \
    } while (0)
    REFUSED(WIRE_CLIPPED, s.header.count = 5, "shares do not fit the count of layers");
    REFUSED(WIRE_PULL, s.header.magic ^= 1, "bad magic: not a smelter message");
    REFUSED(WIRE_PULL, s.header.version = 1, "another protocol version");
    REFUSED(WIRE_PULL, s.header.type = 0, "unknown message type");
    REFUSED(WIRE_PULL, s.header.type = WIRE_TYPE_END, "unknown message type");
    REFUSED(WIRE_PULL, s.header.type = 0xffff, "unknown message type");
    REFUSED(WIRE_PULL, s.frames = 2, "wrong number of frames for the type");
    REFUSED(WIRE_PULL, s.header.dtype = 0, "unknown dtype");
    REFUSED(WIRE_PULL, s.header.piece = 1, "its piece is out of bounds for the type");
    REFUSED(WIRE_ROWS, s.header.piece = PIECES_MOST, "its piece is out of bounds for the type");
    REFUSED(WIRE_PULL, s.header.payload_bytes++, "payload size differs from the header");
    REFUSED(WIRE_PULL, s.header.payload_bytes = -64, "payload size differs from the header");
    REFUSED(WIRE_STOP, s.header.payload_bytes = 1, "payload size differs from the header");
    REFUSED(WIRE_PULL, s.header.count = 7, "keys do not fit the count");
    REFUSED(WIRE_PULL, s.header.count = INT64_C(1) << 48, "keys do not fit the count");
    REFUSED(WIRE_PUSH, s.header.count = 5, "keys do not fit the count");
    REFUSED(WIRE_PUSH, s.header.count = 0, "keys do not fit the count");
    REFUSED(WIRE_ROWS, s.header.count = 25, "weights do not fit the count of keys");
    REFUSED(WIRE_ROWS, s.header.count = 0, "weights do not fit the count of keys");
    REFUSED(WIRE_DENSE, s.header.count = 7, "parameters do not fit the count");
    REFUSED(WIRE_DIGESTS, s.header.count = 5, "digests do not fit the count of steps");
    REFUSED(WIRE_LOAD, s.header.count = 5, "the map does not fit the count of tables");
    REFUSED(WIRE_PROGRESS, s.header.count = 5, "predictions do not fit the count of examples");
#undef REFUSED
}

static void test_every_inconsistent_size_is_named(void **state)
{
    (void)state;
    sample_t s;
#define RESIZED(TYPE, FRAME, BYTES, WHY) \
    do { \
        make(&s, TYPE); \
        s.frame[FRAME].bytes = BYTES; \
        finish(&s); \
        assert_refused(&s, WHY); \
    } while (0)
    RESIZED(WIRE_PULL, 1, 15, "a frame is not a whole number of elements");
    RESIZED(WIRE_BEGIN, 1, 0, "its fixed part has another size");
    RESIZED(WIRE_ERROR, 1, 2 * 488, "its fixed part has another size");
    RESIZED(WIRE_TRAINED, 1, 100, "a frame is not a whole number of elements");
    RESIZED(WIRE_PULL, 2, 49, "a frame is not a whole number of elements");
    RESIZED(WIRE_PULL, 1, 0, "keys without a segment");
    RESIZED(WIRE_PUSH, 3, 5, "a frame is not a whole number of elements");
    RESIZED(WIRE_PUSH, 3, 20, "gradients do not fit the count of keys");
    RESIZED(WIRE_PREDICTIONS, 1, 20, "predictions do not fit the count of examples");
    RESIZED(WIRE_PREDICTIONS, 1, 28, "predictions do not fit the count of examples");
    RESIZED(WIRE_PREDICTIONS, 2, 5, "labels do not fit the count of examples");
    RESIZED(WIRE_PREDICTIONS, 3, 40, "groups do not fit the count of examples");
#undef RESIZED
    /* Sizes a sane sender cannot have; their sum does not fit 63 bits. */
    make(&s, WIRE_PULL);
    s.frame[1].bytes = s.frame[2].bytes = INT64_MAX - 7;
    assert_refused(&s, "frames are too large");
}

/* Every field of every type at its bounds, and beyond them. */
static void test_every_field_has_bounds(void **state)
{
    (void)state;
    static const char *const reasons[] = {"its step is out of bounds for the type", "its count is out of bounds for the type",
                                          "its table is out of bounds for the type",
                                          "its sequence is out of bounds for the type"};
    int bounded = 0;
    for (int row = 0; row < DECLARED; row++)
        for (int field = 0; field < 4; field++)
            for (int side = 0; side < 2; side++) {
                const int64_t bound = side ? *declared[row].most[field] : *declared[row].least[field];
                sample_t s;
                make(&s, declared[row].value);
                if (bound == (side ? INT64_MAX : INT64_MIN) || (field == 2 && (side ? bound == UINT32_MAX : bound == 0)))
                    continue; /* the field cannot hold more */
                const int64_t beyond = side ? bound + 1 : bound - 1;
                switch (field) {
                case 0:
                    s.header.step = beyond;
                    break;
                case 1:
                    s.header.count = beyond;
                    break;
                case 2:
                    s.header.table = (uint32_t)beyond;
                    break;
                default:
                    s.header.sequence = (uint64_t)beyond;
                }
                finish(&s);
                assert_refused(&s, reasons[field]);
                bounded++;
            }
    assert_true(bounded > 4 * DECLARED);
}

static void test_allowed_variants(void **state)
{
    (void)state;
    sample_t s;
    wire_header_t back;
    const char *reason;
    /* Several predictions per example (components), no groups, and empty messages of every counted type. */
    make(&s, WIRE_PREDICTIONS);
    s.frame[1].bytes = 3 * 24;
    s.frame[3].bytes = 0;
    finish(&s);
    assert_int_equal(wire_decode(s.frame, s.frames, &back, &reason), ST_OK);
    make(&s, WIRE_ROWS);
    s.header.piece = PIECES_MOST - 1;
    finish(&s);
    assert_int_equal(wire_decode(s.frame, s.frames, &back, &reason), ST_OK);
    assert_int_equal(back.piece, PIECES_MOST - 1);
    static const int counted[] = {WIRE_PULL, WIRE_PEEK, WIRE_PUSH, WIRE_ROWS, WIRE_DENSE, WIRE_PROGRESS, WIRE_PREDICTIONS};
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        make(&s, counted[i]);
        s.header.count = 0;
        for (int f = 1; f < s.frames; f++)
            s.frame[f].bytes = 0;
        finish(&s);
        assert_int_equal(wire_decode(s.frame, s.frames, &back, &reason), ST_OK);
    }
}

/* An independent statement of what an accepted message must satisfy. */
static void assert_consistent(const sample_t *s, const wire_header_t *h)
{
    const uint8_t *p = s->head;
    assert_int_equal(s->frame[0].bytes, 64);
    assert_memory_equal(p, "SMLT\4\0", 6);
    int type = -1;
    for (int i = 0; i < DECLARED; i++)
        if (declared[i].value == p[6] + 256 * p[7])
            type = i;
    assert_true(type >= 0);
    assert_int_equal(declared[type].frames, s->frames - 1);
    int64_t sum = 0;
    for (int f = 0; f < s->frames - 1; f++) {
        if (declared[type].element[f])
            assert_int_equal(s->frame[f + 1].bytes % declared[type].element[f], 0);
        sum += s->frame[f + 1].bytes;
    }
    assert_int_equal(sum, h->payload_bytes);
    const int64_t fields[] = {h->step, h->count, h->table, (int64_t)h->sequence};
    for (int i = 0; i < 4; i++)
        assert_true(fields[i] >= *declared[type].least[i] && fields[i] <= *declared[type].most[i]);
    assert_true(h->piece < (h->type == WIRE_ROWS ? PIECES_MOST : 1));
    if (h->type == WIRE_PULL || h->type == WIRE_PEEK || h->type == WIRE_PUSH)
        assert_int_equal(s->frame[2].bytes, h->count * 8);
    if (h->type == WIRE_PUSH)
        assert_true(s->frame[3].bytes >= h->count * 4);
    if (h->type == WIRE_ROWS || h->type == WIRE_DENSE)
        assert_true(s->frame[1].bytes >= h->count * 4);
    if (h->type == WIRE_PROGRESS || h->type == WIRE_PREDICTIONS)
        assert_int_equal(s->frame[2].bytes, h->count);
}

/* "The receiver: whether this sender may send this type": each role's table of handlers has an entry where wire_may_send
 * says so, and nowhere else; every type has a sender, and strangers send none. */
#undef DISPATCH_ENTRY
#define DISPATCH_ENTRY(type, handler, role) [WIRE_##type][WIRE_ROLE_##role] = true,
static const struct {
    wire_role_t role;
    bool takes[WIRE_TYPE_END][WIRE_ROLE_END];
} receivers[] = {{WIRE_ROLE_COORDINATOR, {DISPATCH_COORDINATOR}},
                 {WIRE_ROLE_SHARD, {DISPATCH_SHARD}},
                 {WIRE_ROLE_WORKER, {DISPATCH_CLIENT}}};

static void test_who_may_send_what(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof receivers / sizeof *receivers; r++)
        for (int type = 0; type < WIRE_TYPE_END; type++)
            for (int from = 0; from < WIRE_ROLE_END; from++)
                if (receivers[r].takes[type][from] != wire_may_send(type, (wire_role_t)from, receivers[r].role))
                    fail_msg("role %d and a %s of role %d: the table of handlers and wire_may_send differ", receivers[r].role,
                             wire_type_name(type), from);
    for (int type = 1; type < WIRE_TYPE_END; type++) {
        int roads = 0;
        for (int from = 0; from < WIRE_ROLE_END; from++)
            for (int to = 0; to < WIRE_ROLE_END; to++)
                roads += wire_may_send(type, (wire_role_t)from, (wire_role_t)to);
        assert_true(roads > 0);
        for (int role = 0; role < WIRE_ROLE_END; role++) {
            assert_false(wire_may_send(type, WIRE_ROLE_STRANGER, (wire_role_t)role));
            assert_false(wire_may_send(type, (wire_role_t)role, WIRE_ROLE_STRANGER));
        }
    }
    assert_true(wire_may_send(WIRE_PUSH, WIRE_ROLE_WORKER, WIRE_ROLE_SHARD));
    assert_false(wire_may_send(WIRE_PUSH, WIRE_ROLE_COORDINATOR, WIRE_ROLE_SHARD));
    assert_false(wire_may_send(WIRE_PUSH, WIRE_ROLE_WORKER, WIRE_ROLE_COORDINATOR));
    assert_true(wire_may_send(WIRE_SAVE, WIRE_ROLE_COORDINATOR, WIRE_ROLE_WORKER));
    assert_true(wire_may_send(WIRE_SAVE, WIRE_ROLE_WORKER, WIRE_ROLE_COORDINATOR));
    assert_false(wire_may_send(0, WIRE_ROLE_WORKER, WIRE_ROLE_COORDINATOR));
    assert_false(wire_may_send(999, WIRE_ROLE_WORKER, WIRE_ROLE_COORDINATOR));
    assert_true(wire_is_of_run(WIRE_PULL));
    assert_false(wire_is_of_run(WIRE_STOP));
    assert_false(wire_is_of_run(WIRE_TYPE_END));
}

static void test_fuzz(void **state)
{
    (void)state;
    int64_t accepted = 0, refused = 0;
    for (uint64_t round = 0; round < 400000; round++) {
        uint64_t r = rng_u64(1, 1, round);
        sample_t s;
        make(&s, declared[r % DECLARED].value);
        r >>= 8;
        switch (r % 4) {
        case 0: /* random bytes in the header */
            for (int i = 0; i < 8; i++) {
                uint64_t word = rng_u64(2, round, (uint64_t)i);
                memcpy(s.head + 8 * i, &word, 8);
            }
            break;
        case 1: /* one to four bit flips anywhere in the header */
            for (uint64_t i = 0; i <= (r >> 2) % 4; i++) {
                uint64_t bit = rng_u64(3, round, i) % 512;
                s.head[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            break;
        case 2: /* another size of a frame */
            s.frame[(r >> 2) % 5].bytes = (int64_t)((r >> 8) % 200);
            break;
        default: /* another type, frame count and a payload size that agrees */
            s.header.type = (uint16_t)((r >> 2) % 24);
            s.frames = (int)((r >> 16) % 6);
            s.header.count = (int64_t)((r >> 24) % 8);
            finish(&s);
        }
        wire_header_t back;
        const char *reason = NULL;
        if (wire_decode(s.frame, s.frames, &back, &reason) == ST_OK) {
            accepted++;
            assert_consistent(&s, &back);
        } else {
            refused++;
            assert_non_null(reason);
        }
    }
    /* Flips in run id, step or sequence are legal values: both outcomes must occur, or the test proves nothing. */
    assert_true(accepted > 1000);
    assert_true(refused > 100000);
}

static void test_describe(void **state)
{
    (void)state;
    char text[80];
    wire_header_t h = wire_header(WIRE_PULL, 1, 0, 3, 12, 2048);
    wire_describe(&h, text, sizeof text);
    assert_string_equal(text, "PULL step 12 from rank 3, 2048 keys");
    h = wire_header(WIRE_FLUSH, 1, 0, 0, -1, 0);
    wire_describe(&h, text, sizeof text);
    assert_string_equal(text, "FLUSH step -1 from rank 0");
    h = wire_header(WIRE_STOP, 1, 0, 0, 5, 1);
    wire_describe(&h, text, sizeof text);
    assert_string_equal(text, "STOP step 5 from rank 0, count 1");
    h = wire_header(WIRE_PREDICTIONS, 1, 0, 2, 5, 10);
    memset(text, 'x', sizeof text);
    wire_describe(&h, text, 10);
    assert_string_equal(text, "PREDICTIO");
    assert_int_equal(text[10], 'x');
}

static void test_protocol_document(void **state)
{
    (void)state;
    char *document = NULL;
    assert_int_equal(file_read(DOCUMENT, &document, NULL), ST_OK); /* tests run in the root of the repository */
    char *fresh = wire_reference(document);
    if (!fresh)
        fail_msg("%s has not the marks between which the messages are described", DOCUMENT);
    if (strcmp(fresh, document) != 0)
        fail_msg("%s is not what WIRE_TYPES says; run make docs", DOCUMENT);
    mem_free(fresh);
    mem_free(document);
}

/* With an argument it writes the document's tables: make docs. */
int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return wire_reference_write(DOCUMENT) == ST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_every_type_round_trips),
        cmocka_unit_test(test_every_inconsistency_is_named),
        cmocka_unit_test(test_every_inconsistent_size_is_named),
        cmocka_unit_test(test_every_field_has_bounds),
        cmocka_unit_test(test_allowed_variants),
        cmocka_unit_test(test_who_may_send_what),
        cmocka_unit_test(test_fuzz),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_protocol_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
