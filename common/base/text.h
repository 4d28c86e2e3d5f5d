/* text.h - numbers as a person reads them. The buffer is the caller's and is what is returned. Any thread. */
#ifndef SMELTER_TEXT_H
#define SMELTER_TEXT_H

#include <stdint.h>

#define TEXT_BYTES 32

/* text_count - 1234567 -> "1,234,567". */
const char *text_count(int64_t value, char text[TEXT_BYTES]);

/* text_duration - seconds rounded: 75 -> "1:15", 3725 -> "1:02:05"; "?" where negative or not a number. */
const char *text_duration(double seconds, char text[TEXT_BYTES]);

#endif
