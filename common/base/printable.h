/* printable.h - text that came from data, from files or from their names, as it may be shown: nothing in it moves the cursor,
 * changes colours or hides what follows.
 *
 * UTF-8 stays as it is, whatever the language. Control characters (C0, DEL, C1, line and paragraph separators, those that turn
 * the direction of writing) and bytes that are not UTF-8 become \xNN, byte by
 * byte. */
#ifndef SMELTER_PRINTABLE_H
#define SMELTER_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

/* printable_put - text[bytes] as it may be shown, in out[capacity], with a NUL; cut between two characters where it does not
 * fit. Returns the length of what was put.  Cannot fail. */
size_t printable_put(char *out, size_t capacity, const char *text, size_t bytes);

/* printable_copy - the same of a whole text; **owned**, mem_free. */
char *printable_copy(const char *text);

/* printable_stream - a stream that writes to the descriptor what it is given, as it may be shown; line ends and tabs stay. It
 * takes the place of stdout, so that no command can forget it. A character may be written in pieces. Buffered by line on a
 * terminal, where lines that are too wide are broken between words (terminal.h), but for JSON. fclose destroys it; the
 * descriptor stays open. */
FILE *printable_stream(int fd);

/* printable_stream_error - errno of the first write of such a stream that failed, or 0. */
int printable_stream_error(void);

#endif
