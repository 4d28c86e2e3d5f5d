#include "tests/fuzz/letter.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/net/message.h"

#define ELEMENTS_MOST 64
#define WIDTH 4 /* of a row, where nobody knows it but the tables */

/* What the frames of each type hold. */
#define BODY_ROW(name, bytes, ...) bytes,
static const int element_bytes[] = {WIRE_BODIES(BODY_ROW)};
#define FIT_ROW(name, bytes, fit, ...) WIRE_FIT_##fit,
static const wire_fit_t fit_of[] = {WIRE_BODIES(FIT_ROW)};
#define TYPE_ROW(name, value, a, b, c, ...) [value] = {WIRE_BODY_##a, WIRE_BODY_##b, WIRE_BODY_##c},
static const wire_body_t bodies[WIRE_TYPE_END][WIRE_FRAMES] = {WIRE_TYPES(TYPE_ROW, WIRE_NOTHING)};

static size_t size_of(wire_body_t body)
{
    return (size_t)element_bytes[body];
}

/* A body of a fixed layout is one element of its size. */
static bool is_fixed(wire_body_t body)
{
    return fit_of[body] == WIRE_FIT_ONE;
}

int64_t letter_number(fuzz_input_t *input)
{
    static const int64_t wild[] = {
        INT64_MAX,           INT64_MIN,        INT64_MAX - 1, INT64_C(1) << 62, INT64_C(1) << 53, INT32_MAX, (int64_t)INT32_MIN,
        (int64_t)UINT32_MAX, INT64_C(1) << 32, 4000000000,    1 << 16,          1 << 20,          1000,      -1000};
    enum { FIRST_WILD = 200, WILD = sizeof wild / sizeof *wild };
    const int byte = fuzz_byte(input);
    if (byte < FIRST_WILD)
        return byte - 4;
    return byte - FIRST_WILD < WILD ? wild[byte - FIRST_WILD] : (int64_t)fuzz_number(input, 8);
}

static int64_t elements_of(fuzz_input_t *input, unsigned how, wire_body_t body, int64_t count)
{
    if ((how & 3) == 3)
        return fuzz_byte(input) % (ELEMENTS_MOST + 1);
    int64_t fits = is_fixed(body) ? 1 : count;
    if (body == WIRE_BODY_GRADIENTS || body == WIRE_BODY_WEIGHTS)
        fits = count < 0 || count > ELEMENTS_MOST ? count : count * WIDTH;
    if (body == WIRE_BODY_SEGMENTS)
        fits = 1;
    fits = fits < 0 ? 0 : fits > ELEMENTS_MOST * WIDTH ? ELEMENTS_MOST * WIDTH : fits;
    fits += (how & 3) == 1 ? 1 : (how & 3) == 2 ? -1 : 0;
    return fits < 0 ? 0 : fits;
}

static void put_small(char *at, size_t size, uint64_t number, wire_body_t body)
{
    const float real = (float)number / 8.0f;
    if (body == WIRE_BODY_SEGMENTS) /* a number of a table, and of keys */
        number = (number & 15) | (number >> 4) << 32;
    if (size == sizeof real && body != WIRE_BODY_TABLE_MAP)
        memcpy(at, &real, sizeof real);
    else
        memcpy(at, &number, size < sizeof number ? size : sizeof number);
}

static wire_frame_t read_frame(fuzz_input_t *input, wire_body_t body, int64_t count)
{
    enum { ZEROS, BYTES, SMALL, ASCENDING };
    const unsigned how = fuzz_byte(input), fill = how >> 2 & 3;
    const size_t size = size_of(body) ? size_of(body) : 1, n = (size_t)elements_of(input, how, body, count), bytes = n * size;
    char *data = mem_alloc(bytes + 1, 1);
    for (size_t i = 0; i < n && (fill == SMALL || fill == ASCENDING); i++)
        put_small(data + i * size, size, fill == SMALL ? fuzz_byte(input) : i, body);
    for (size_t i = 0; i < bytes && fill == BYTES && input->left > 0; i++)
        data[i] = (char)fuzz_byte(input);
    for (unsigned i = 0; i < (how >> 4 & 3) && bytes >= sizeof(int64_t); i++) {
        const size_t words = bytes / 4 - 1, at = fuzz_byte(input) % words * 4;
        const int64_t number = letter_number(input);
        memcpy(data + at, &number, sizeof number);
    }
    return (wire_frame_t){data, (int64_t)bytes};
}

void letter_read(fuzz_input_t *input, uint64_t run_id, uint32_t incarnation, letter_t *out)
{
    *out = (letter_t){0};
    const wire_type_t type = (wire_type_t)(fuzz_byte(input) % WIRE_TYPE_END);
    out->from = fuzz_byte(input);
    const unsigned odd = fuzz_byte(input);
    out->header = wire_header(type, run_id + (odd & 1), incarnation + (odd >> 1 & 1), 0, letter_number(input), 0);
    out->header.count = letter_number(input);
    out->header.sequence = (uint64_t)letter_number(input);
    out->header.table = (uint32_t)letter_number(input);
    out->header.piece = (uint16_t)(odd >> 4);
    const int frames = wire_type_frames(type);
    out->n = (frames < 0 ? 0 : frames) - (int)(odd >> 2 & 1) + (int)(odd >> 3 & 1);
    out->n = out->n < 0 ? 0 : out->n > WIRE_FRAMES ? WIRE_FRAMES : out->n;
    for (int i = 0; i < out->n; i++)
        out->frame[i] = read_frame(input, i < frames ? bodies[type][i] : WIRE_BODY_CONFIG, out->header.count);
}

void letter_fini(letter_t *letter)
{
    for (int i = 0; i < letter->n; i++)
        mem_free((void *)letter->frame[i].data);
    letter->n = 0;
}
