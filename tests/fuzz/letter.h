/* letter.h - messages made of a fuzz target's input: bytes that choose, so that most of them are well formed, and numbers that
 * are wild now and then. Every target of a receiver reads them alike:
 *
 *     u8 type, u8 who sends it,
 *     u8 {bit 0: another run, bit 1: another incarnation, bit 2: a frame less, bit 3: a frame more, bits 4-7: number of
 *         the piece},
 *     number step, number count, number sequence, number table, and of each body frame:
 *     u8 {bits 0-1: as many elements as count, one more, one less, or as many as a byte says;
 *         bits 2-3: zeros, bytes of the input, a byte each as small numbers, ascending small numbers;
 *         bits 4-5: numbers of 64 bits that are put somewhere}
 *
 * A number is a byte: up to 199 that less 4, above it one of a list of the wild, or the 8 bytes that follow. */
#ifndef SMELTER_LETTER_H
#define SMELTER_LETTER_H

#include "common/net/wire.h"
#include "tests/fuzz/harness.h"

typedef struct letter {
    wire_header_t header;
    unsigned from;                   /* who sends it, by number */
    int n;                           /* of frames */
    wire_frame_t frame[WIRE_FRAMES]; /* **owned**; letter_fini */
} letter_t;

/* letter_number - a number as above. */
int64_t letter_number(fuzz_input_t *input);

/* letter_read - the next message, of this run. letter_fini - its frames. */
void letter_read(fuzz_input_t *input, uint64_t run_id, uint32_t incarnation, letter_t *out);
void letter_fini(letter_t *letter);

/* ---- seeds: the same bytes, written -------------------------------------------------------------------------------------- */

#define LETTER_FITS 0x0c          /* a frame of ascending small numbers that fits */
#define LETTER_ZEROS 0x00         /* zeros that fit */
#define LETTER_EXACTLY(n) 3, (n)  /* two bytes: as many elements, zeros */
#define LETTER_BYTES(n) 0x0b, (n) /* two bytes, and n bytes behind: as many elements, each a byte as a small number */
#define LETTER(type, from, step, count, sequence) \
    (type), (from), 0, (uint8_t)((step) + 4), (uint8_t)((count) + 4), (uint8_t)((sequence) + 4), 4

#endif
