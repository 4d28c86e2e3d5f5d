/* input_file.h - the text of an import, made of a fuzz target's input: plain, or compressed here, so that what is inside can
 * change and the outside stays whole, and then cut or changed at one place; as a file in memory, which import opens by its
 * path. Every target of texts reads its first bytes alike:
 *
 *     u8 {bits 0-1: 0 plain, 1 gzip, 2 zstd, 3 plain, as the input has it}, u16 cut, u16 place, u8 change, the text          */
#ifndef SMELTER_INPUT_FILE_H
#define SMELTER_INPUT_FILE_H

#include "tests/fuzz/harness.h"

enum { INPUT_PLAIN, INPUT_GZIP, INPUT_ZSTD, INPUT_RAW };
#define INPUT_HEAD_BYTES 6

/* input_file_make - the file, of at most `most` bytes of text; its path, borrowed until the next call. */
const char *input_file_make(fuzz_input_t *input, size_t most);

/* input_file_seed - a seed for the target: `head` bytes that it reads before, the way the text is kept, and the text. */
void input_file_seed(const char *name, const void *head, size_t head_bytes, int way, const char *text);

#endif
