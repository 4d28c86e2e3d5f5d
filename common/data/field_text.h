/* field_text.h - what is read out of a field's text, and what is said when that fails. */
#ifndef SMELTER_FIELD_TEXT_H
#define SMELTER_FIELD_TEXT_H

#include <stdint.h>

/* field_number - a decimal number, spaces around it allowed; *out is written on success only.
 * Returns NULL, or what is wrong: not a number, not finite (nan, inf, hexadecimal and names are refused). */
const char *field_number(const char *text, int bytes, double *out);

/* field_label - 0 or 1, or where `minus` is set also -1 and +1. */
const char *field_label(const char *text, int bytes, int minus, uint8_t *out);

/* field_quote - a value as it is shown in a message: in quotes, as printable.h has it, cut at 40 bytes. Returns out. */
#define FIELD_QUOTE_BYTES 176
const char *field_quote(char out[FIELD_QUOTE_BYTES], const char *text, int bytes);

#endif
