/* text.h - numbers as a person reads them, in a buffer that is the caller's and is what is returned; command lines; what a
 * misspelt word means. Any thread. */
#ifndef SMELTER_TEXT_H
#define SMELTER_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_BYTES 32

/* text_count - 1234567 -> "1,234,567". */
const char *text_count(int64_t value, char text[TEXT_BYTES]);

/* text_duration - seconds rounded: 75 -> "1:15", 3725 -> "1:02:05"; "?" where negative or not a number. */
const char *text_duration(double seconds, char text[TEXT_BYTES]);

/* text_command - n words as one line that a shell reads back as these words; **owned**, mem_free. */
char *text_command(const char *const *word, size_t n);

/* text_nearest - the word that `text` is most likely a misspelling of, or NULL where none of words[n] is near. */
const char *text_nearest(const char *text, const char *const *words, int n);

/* text_csv - write a text as a field of CSV: quoted, as RFC 4180 says, where it would not be read back as one. */
void text_csv(FILE *out, const char *text);

#endif
