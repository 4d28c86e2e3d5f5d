/* time_text.h - the time of a row, as text files have it: a number in the file's own unit, or a date.
 *
 *     1465877179              stored as it is, whatever it counts
 *     1465877179.061          stored as millionths
 *     2016-06-14              a date, and with a time of day after a space or a T: 2016-06-14 04:06[:19[.061]][Z | +02:00 |
 * +0200 | +02];
 *                             stored as microseconds since 1970-01-01 00:00:00 UTC, which it is taken for where it names no
 * zone */
#ifndef SMELTER_TIME_TEXT_H
#define SMELTER_TIME_TEXT_H

#include <stdint.h>

#include "common/data/census.h"

typedef enum time_form { TIME_MISSING, TIME_WHOLE, TIME_FRACTION, TIME_DATE } time_form_t;

/* time_read - *value is a whole number, millionths, or microseconds, as *form says; both are written on success only.
 * Digits behind the sixth of a fraction round. Returns NULL, or what is wrong. */
const char *time_read(const char *text, int bytes, time_form_t *form, int64_t *value);

/* time_ticks - how many of what times count are a second. Whole numbers and millionths of them count what is likely by the size
 * of one of them, `sample`: seconds since 1970 up to the year 5138, above that milli-, micro- or nanoseconds. */
int64_t time_ticks(int64_t sample, time_unit_t unit);

#define TIME_TEXT 96
/* time_write - a stored time as a person reads it: "1465877179.061", "2016-06-14 04:06:19.061 UTC". Returns text. */
const char *time_write(int64_t value, time_unit_t unit, char text[TIME_TEXT]);

#endif
