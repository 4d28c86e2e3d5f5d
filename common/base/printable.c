#include "common/base/printable.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/terminal.h"

#define MOST_UNIT 4 /* bytes of a character in UTF-8, and of \xNN */

/* ---- characters ---- */

/* Is it one that a terminal or a reader is not to act on? */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || (character >= 0x200e && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

/* Bytes that a character has by its first one; 0 where no character begins with it. */
static size_t length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* The length of the character at text[0], or 0 where its first byte is to be escaped. *is_cut: the bytes end before it does. */
static size_t character_at(const unsigned char *text, size_t bytes, bool *is_cut)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t length = length_of(text[0]);
    *is_cut = false;
    if (length == 0)
        return 0;
    uint32_t character = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i == bytes) {
            *is_cut = true;
            return 0;
        }
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    const bool is_valid = character >= least[length] && character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
    return is_valid && !is_control(character) ? length : 0;
}

/* One character, or one byte as \xNN. Returns how many bytes of text were used; *put tells how many of out. */
static size_t put_unit(char out[MOST_UNIT + 1], const unsigned char *text, size_t bytes, size_t *put)
{
    bool is_cut;
    const size_t length = character_at(text, bytes, &is_cut);
    if (length > 0) {
        memcpy(out, text, length);
        *put = length;
        return length;
    }
    static const char digits[] = "0123456789abcdef";
    const char escaped[MOST_UNIT] = {'\\', 'x', digits[text[0] >> 4], digits[text[0] & 15]};
    memcpy(out, escaped, sizeof escaped);
    *put = sizeof escaped;
    return 1;
}

size_t printable_put(char *out, size_t capacity, const char *text, size_t bytes)
{
    size_t at = 0;
    ASSERT(capacity > 0);
    for (size_t i = 0; i < bytes;) {
        char unit[MOST_UNIT + 1];
        size_t put;
        i += put_unit(unit, (const unsigned char *)text + i, bytes - i, &put);
        if (at + put >= capacity)
            break;
        memcpy(out + at, unit, put);
        at += put;
    }
    out[at] = 0;
    return at;
}

char *printable_copy(const char *text)
{
    const size_t bytes = strlen(text);
    char *out = mem_alloc(bytes * MOST_UNIT + 1, 1);
    printable_put(out, bytes * MOST_UNIT + 1, text, bytes);
    return out;
}

/* ---- stream ---- */

typedef struct stream {
    int fd;
    unsigned char held[MOST_UNIT]; /* a character that has begun */
    size_t held_bytes;
    char *line; /* on a terminal: the line that has begun; **owned** */
    size_t line_bytes, line_capacity;
} stream_t;

static int first_error; /* of any stream: there is one, in place of stdout */

int printable_stream_error(void)
{
    return first_error;
}

static bool write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            first_error = first_error ? first_error : errno;
            return false;
        }
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* text[bytes] with the last character left out, and held, where it has not ended. */
static size_t escape_piece(stream_t *stream, const unsigned char *text, size_t bytes, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < bytes;) {
        bool is_cut;
        if (text[i] == '\n' || text[i] == '\t') {
            out[at++] = (char)text[i++];
            continue;
        }
        character_at(text + i, bytes - i, &is_cut);
        if (is_cut) {
            stream->held_bytes = bytes - i;
            memcpy(stream->held, text + i, bytes - i);
            break;
        }
        size_t put;
        i += put_unit(out + at, text + i, bytes - i, &put);
        at += put;
    }
    return at;
}

#define LINE_MOST 16384 /* what is longer is no text for a person */

/* A line without its newline, folded where it is prose: a program may be handed what begins like JSON. */
static bool write_line(const stream_t *stream, const char *line, size_t bytes, int width)
{
    char rows[2 * LINE_MOST];
    size_t first = 0;
    while (first < bytes && line[first] == ' ')
        first++;
    if (first == bytes || strchr("{}[]\"", line[first]))
        return write_all(stream->fd, line, bytes);
    return write_all(stream->fd, rows, terminal_fold(rows, sizeof rows, line, bytes, width, -1));
}

/* Whole lines go out, each folded; the last one waits for its end. */
static bool write_folded(stream_t *stream, const char *text, size_t bytes, int width)
{
    bool good = true;
    MEM_GROW(stream->line, stream->line_capacity, stream->line_bytes + bytes);
    memcpy(stream->line + stream->line_bytes, text, bytes);
    stream->line_bytes += bytes;
    char *line = stream->line, *end = line + stream->line_bytes;
    for (char *newline; good && (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1) {
        if (newline - line > LINE_MOST)
            good = write_all(stream->fd, line, (size_t)(newline - line));
        else
            good = write_line(stream, line, (size_t)(newline - line), width);
        good = good && write_all(stream->fd, "\n", 1);
    }
    stream->line_bytes = (size_t)(end - line);
    memmove(stream->line, line, stream->line_bytes);
    return good;
}

static ssize_t stream_write(void *cookie, const char *data, size_t bytes)
{
    stream_t *stream = cookie;
    const size_t held = stream->held_bytes, all = held + bytes;
    unsigned char *text = mem_alloc(all, 1);
    char *out = mem_alloc(all * MOST_UNIT + MOST_UNIT + 1, 1);
    memcpy(text, stream->held, held);
    memcpy(text + held, data, bytes);
    stream->held_bytes = 0;
    const size_t escaped = escape_piece(stream, text, all, out);
    const int width = terminal_is_own(stream->fd) ? terminal_width(stream->fd) : 0;
    const bool good = width ? write_folded(stream, out, escaped, width) : write_all(stream->fd, out, escaped);
    mem_free(out);
    mem_free(text);
    return good ? (ssize_t)bytes : 0;
}

static int stream_close(void *cookie)
{
    stream_t *stream = cookie;
    char out[MOST_UNIT * MOST_UNIT + 1];
    const size_t n = printable_put(out, sizeof out, (const char *)stream->held, stream->held_bytes);
    const bool good = write_all(stream->fd, stream->line, stream->line_bytes) && write_all(stream->fd, out, n);
    mem_free(stream->line);
    mem_free(stream);
    return good ? 0 : EOF;
}

FILE *printable_stream(int fd)
{
    stream_t *stream = MEM_NEW(stream_t);
    stream->fd = fd;
    FILE *file = fopencookie(stream, "w", (cookie_io_functions_t){.write = stream_write, .close = stream_close});
    ASSERT(file);
    if (isatty(fd))
        setvbuf(file, NULL, _IOLBF, BUFSIZ);
    return file;
}
