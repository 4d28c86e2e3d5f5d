#include "tests/lib/noise.h"

#include <string.h>

#include "common/base/rng.h"

#define BODY(name, element, fit, ...) {element, WIRE_FIT_##fit},
static const struct {
    int64_t element;
    wire_fit_t fit;
} bodies[] = {WIRE_BODIES(BODY)};

#define MEANING(name, unit, least, most, doc) {least, most},
static const struct {
    int64_t least, most;
} meanings[] = {WIRE_MEANINGS(MEANING)};

#define TYPE(name, value, a, b, c, scope, step, count, table, sequence) \
    [value] = {{WIRE_BODY_##a, WIRE_BODY_##b, WIRE_BODY_##c}, \
               {WIRE_MEANS_##step, WIRE_MEANS_##count, WIRE_MEANS_##table, WIRE_MEANS_##sequence}},
static const struct {
    wire_body_t body[WIRE_FRAMES];
    wire_meaning_t field[4];
} types[] = {WIRE_TYPES(TYPE, WIRE_NOTHING)};

/* What a field may be at all, at its bounds or far from what a run has. */
static int64_t field_of(wire_meaning_t meaning, uint64_t drawn)
{
    static const int64_t wild[] = {1000003, INT64_C(1) << 31, INT64_C(1) << 40, (INT64_C(1) << 60) - 7, INT64_MAX - 1};
    const int64_t least = meanings[meaning].least, most = meanings[meaning].most;
    const int64_t value = wild[drawn % 5];
    return drawn % 7 == 6 ? most : value >= least && value <= most ? value : most;
}

static int64_t elements_of(wire_fit_t fit, int64_t count, int64_t room, uint64_t drawn)
{
    switch (fit) {
    case WIRE_FIT_ONE:
        return 1;
    case WIRE_FIT_EACH:
    case WIRE_FIT_EACH_OR_NONE:
    case WIRE_FIT_ROWS:
        return count;
    case WIRE_FIT_MULTIPLE:
        return count * (1 + (int64_t)(drawn % 2));
    case WIRE_FIT_SOME:
        return 1 + (int64_t)(drawn % 5);
    case WIRE_FIT_ANY:
        break;
    }
    return (int64_t)(drawn % (uint64_t)(room < 9 ? room : 9));
}

/* Counts of frames are small, so that there is something in them; their contents are random, zeros or all ones. */
void noise_draw(noise_t *noise, wire_type_t type, uint64_t seed, uint64_t number, uint64_t run_id, uint32_t incarnation)
{
    const uint64_t r = rng_u64(seed, (uint64_t)type, number);
    const bool is_counted = meanings[types[type].field[1]].most > 1000 && types[type].body[0] != WIRE_BODY_NONE;
    int64_t field[4];
    for (int i = 0; i < 4; i++)
        field[i] = field_of(types[type].field[i], rng_u64(seed, r, (uint64_t)i));
    const int64_t few = 1 + (int64_t)(r >> 8) % 7;
    field[1] = is_counted || type == WIRE_DIGESTS ? (few < 0 ? -few : few) % 8 + 1 : field[1];
    noise->header = wire_header(type, r % 11 ? run_id : r, r % 13 ? incarnation : incarnation + 1, 0, field[0], field[1]);
    noise->header.table = (uint32_t)field[2];
    noise->header.sequence = (uint64_t)field[3];
    noise->frames = 0;
    for (int i = 0; i < WIRE_FRAMES && types[type].body[i] != WIRE_BODY_NONE; i++) {
        const int64_t element = bodies[types[type].body[i]].element;
        const uint64_t drawn = rng_u64(seed, r, 10 + (uint64_t)i);
        const int64_t bytes = element * elements_of(bodies[types[type].body[i]].fit, field[1], NOISE_BYTES / element, drawn);
        for (int64_t b = 0; b < bytes; b++)
            noise->bytes[i][b] = (char)(drawn % 3 == 0 ? 0 : drawn % 3 == 1 ? 255 : rng_u64(seed, drawn, (uint64_t)b));
        noise->frame[noise->frames++] = (wire_frame_t){noise->bytes[i], bytes};
    }
}
