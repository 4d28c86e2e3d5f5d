/* harness.h - what every fuzz target shares. A target is a file tests/fuzz/fuzz_NAME.c with two functions:
 *
 *     LLVMFuzzerTestOneInput    reads one input, any bytes at all, and must come back: what it calls may refuse, and may not
 *                               crash, leak, write outside, wait, or allocate what the input only claims. Its own checks are
 *                               ASSERT.
 *     fuzz_seeds                inputs to begin with, made by the functions that write such things, so that they follow a
 *                               format that changes
 *
 * Built by clang with libFuzzer it is a fuzzer (make fuzz), built by any compiler with harness_main.c a replay (make check).
 * What an input means is the target's: numbers are taken from its front by fuzz_byte and fuzz_number, the rest by fuzz_rest. */
#ifndef SMELTER_HARNESS_H
#define SMELTER_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- of the target ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz_seeds - hand each seed to fuzz_seed; name: of its file, unique in the target. */
void fuzz_seeds(void);

/* ---- for the target ---- */

void fuzz_seed(const char *name, const void *data, size_t bytes);
void fuzz_seed_text(const char *name, const char *text);
/* fuzz_seed_with - `head` bytes that choose what the target does, then the data. */
void fuzz_seed_with(const char *name, const void *head, size_t head_bytes, const void *data, size_t bytes);

typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input_t;

/* Zeros, where the input has ended. fuzz_number: little-endian, of 1 to 8 bytes. */
uint8_t fuzz_byte(fuzz_input_t *input);
uint64_t fuzz_number(fuzz_input_t *input, int bytes);
/* fuzz_rest - a copy of at most `most` of the bytes that are left, aligned as all of mem_alloc and of exactly their number, so
 * that a read behind its end is seen; **owned**, mem_free.
 * fuzz_rest_text - likewise, and a NUL behind it that is not counted. */
uint8_t *fuzz_rest(fuzz_input_t *input, size_t most, size_t *bytes);
char *fuzz_rest_text(fuzz_input_t *input, size_t most, size_t *bytes);

/* ---- for libFuzzer and harness_main.c ---- */

/* LLVMFuzzerInitialize - silences the log; with --seeds=FOLDER writes the seeds there and ends the process. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* fuzz_seeds_replay - each seed through the target; how many there were. */
int fuzz_seeds_replay(void);

#endif
