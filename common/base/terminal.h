/* terminal.h - what a terminal shows: lines no wider than it is, and a little colour.
 *
 * Elsewhere, in files and pipes, text stays as it was written. COLUMNS says how wide a terminal is, else the terminal itself;
 * NO_COLOR, or TERM=dumb, that it has no colours. A rank's output passes through mpirun, which may give it a terminal that
 * nobody looks at; it learns by SMELTER_COLUMNS how wide those of the process are that started mpirun. A character is taken as
 * one column.  Any thread. */
#ifndef SMELTER_TERMINAL_H
#define SMELTER_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* terminal_width - columns of the terminal behind a descriptor; 0: there is none, or none that is wide enough to break lines
 * for. */
int terminal_width(int fd);

/* terminal_is_own - is a terminal behind the descriptor, and nothing in between? */
bool terminal_is_own(int fd);

/* terminal_is_behind - from now on, of a rank: what it writes passes through mpirun. Before other threads start. */
void terminal_is_behind(void);

/* terminal_tell_children - let processes that this one starts, behind pipes, know how wide its terminals are. */
void terminal_tell_children(void);

/* terminal_has_colour - is there a terminal behind the descriptor, and does its owner want colours? */
bool terminal_has_colour(int fd);

/* terminal_fold - a line of text[bytes], without its newline, as rows of at most `width` columns, broken between words, each
 * but the first behind `indent` spaces; an indent below 0: under what stands behind the line's first gap of two spaces or more,
 * else under its first word. out[capacity] is cut where it is too small. Returns the length of what was put, without a NUL. */
size_t terminal_fold(char *out, size_t capacity, const char *text, size_t bytes, int width, int indent);

/* terminal_log_line - a line of the log (log.h) with its newline, and what clears the live line in front of it, as a terminal
 * of this width shows it: folded, the word for its level in colour. */
size_t terminal_log_line(char *out, size_t capacity, const char *line, size_t bytes, int width, bool colour);

/* terminal_put_table - lines of columns that are aligned by spaces, two at least between any two columns in all lines. A table
 * that is wider than `width` becomes several below one another, each with the first column; width 0: as it is. */
void terminal_put_table(FILE *out, const char *text, int width);

#endif
