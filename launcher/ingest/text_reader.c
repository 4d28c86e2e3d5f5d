/* Bytes flow  file -> in[] -> decoder -> text[] -> lines.  A line is handed out where it lies in text[]; what is left of an
 * unfinished line is moved to the front before more is decoded, so a byte is copied at most once per buffer.            */
#include "launcher/ingest/text_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/compress.h"
#include "common/base/gzip.h"
#include "common/base/hash.h"
#include "common/base/memory.h"
#include "launcher/ingest/file_kind.h"
#include "launcher/ingest/sources.h"

#ifndef TEXT_READER_BYTES /* a fuzzer's are few, so that small inputs cross the ends of buffers */
#define TEXT_READER_BYTES (256u << 10)
#endif
#define IN_BYTES TEXT_READER_BYTES
_Static_assert(IN_BYTES >= FILE_KIND_BYTES, "the kind of a file is told by what is read first");
#define LINE_MOST (256u << 20) /* a longer line is no text; without a bound a binary file would fill the memory */

typedef enum text_kind { TEXT_PLAIN, TEXT_GZIP, TEXT_ZSTD } text_kind_t;

struct text_reader {
    char *path;
    int fd;
    text_kind_t kind;
    int64_t file_bytes, read_bytes; /* read_bytes: of the file, in all */
    bool is_file, refuses_empty;
    fingerprint_t opened; /* as the file was when it was opened */
    hash_stream_t *hash;  /* of what was read */
    uint8_t *in;
    size_t in_next, in_end;
    bool in_done;
    parquet_file_t *parquet; /* NULL of a text */
    gunzip_t *gzip;
    bool inside;    /* inside a gzip member or zstd frame */
    int64_t pieces; /* members or frames that ended */
    unzstd_t *zstd;
    char *text;
    size_t text_capacity, text_next, text_end;
    bool text_done;
    int64_t number;
};

/* ---- bytes of the file ---- */

/* Append to in[] unless it is full; sets in_done at the end of the file. */
static status_t read_more(text_reader_t *r)
{
    if (r->in_next == r->in_end)
        r->in_next = r->in_end = 0;
    ssize_t n;
    do
        n = read(r->fd, r->in + r->in_end, IN_BYTES - r->in_end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return FAIL(errno == EISDIR ? ST_INPUT : ST_SYSTEM, "%s: cannot be read: %s", r->path, strerror(errno));
    r->in_done = n == 0;
    hash_stream_add(r->hash, r->in + r->in_end, (size_t)n);
    r->in_end += (size_t)n;
    r->read_bytes += n;
    return ST_OK;
}

static status_t cut_short(const text_reader_t *r, const char *what)
{
    return FAIL(ST_INPUT,
                "%s:%" PRId64 ": the %s data is cut short after byte %" PRId64 " of the file; fetch or write it again", r->path,
                r->number + 1, what, r->read_bytes);
}

static status_t damaged(const text_reader_t *r, const char *what, const char *why)
{
    return FAIL(ST_INPUT, "%s:%" PRId64 ": damaged %s data near byte %" PRId64 " of the file: %s; fetch or write it again",
                r->path, r->number + 1, what, (r->read_bytes - (int64_t)(r->in_end - r->in_next)), why ? why : "unknown error");
}

/* ---- decoders: out[capacity] gets *produced bytes, 0 at the end ---- */

static status_t decode_plain(text_reader_t *r, char *out, size_t capacity, size_t *produced)
{
    size_t n = r->in_end - r->in_next;
    n = n < capacity ? n : capacity;
    memcpy(out, r->in + r->in_next, n);
    r->in_next += n;
    *produced = n;
    return ST_OK;
}

/* Whatever follows the last member or frame and is none. */
static status_t trailing(const text_reader_t *r, const char *what, const char *program)
{
    return FAIL(ST_INPUT,
                "%s: bytes that are no %s data follow the %s data, at byte %" PRId64
                " of the file; if what comes before is all, cut "
                "them off, or "
                "give it through a pipe: %s FILE | smelter import /dev/stdin",
                r->path, what, what, (r->read_bytes - (int64_t)(r->in_end - r->in_next)), program);
}

/* Pass over zero bytes behind a member or frame, which fill the block of a tape or an object store; true where nothing else is
 * left in the buffer. */
static bool is_padding(text_reader_t *r)
{
    if (r->inside || r->pieces == 0)
        return false;
    while (r->in_next < r->in_end && r->in[r->in_next] == 0)
        r->in_next++;
    return r->in_next == r->in_end;
}

static status_t decode_gzip(text_reader_t *r, char *out, size_t capacity, size_t *produced)
{
    if (is_padding(r))
        return ST_OK;
    if (!r->inside && r->pieces > 0 && r->in[r->in_next] != 0x1f)
        return trailing(r, "gzip", "gzip -dc");
    const gunzip_step_t step = gunzip_step(r->gzip, r->in + r->in_next, r->in_end - r->in_next, out, capacity);
    r->in_next += step.consumed;
    *produced = step.produced;
    r->inside = step.inside;
    r->pieces += !step.inside;
    return step.why ? damaged(r, "gzip", step.why) : ST_OK;
}

static status_t decode_zstd(text_reader_t *r, char *out, size_t capacity, size_t *produced)
{
    if (is_padding(r))
        return ST_OK;
    const unzstd_step_t step = unzstd_step(r->zstd, r->in + r->in_next, r->in_end - r->in_next, out, capacity);
    if (step.why && !step.is_damage)
        return FAIL(
            ST_INPUT,
            "%s: this zstd data cannot be read here: %s; give it through a pipe: zstd -dc --long=31 FILE | smelter import "
            "/dev/stdin",
            r->path, step.why);
    if (step.why && !r->inside && r->pieces > 0)
        return trailing(r, "zstd", "zstd -dc");
    r->in_next += step.consumed;
    if (step.why)
        return damaged(r, "zstd", step.why);
    *produced = step.produced;
    r->pieces += step.consumed > 0 && !step.inside;
    r->inside = step.inside;
    return ST_OK;
}

static status_t decode(text_reader_t *r, char *out, size_t capacity, size_t *produced)
{
    *produced = 0;
    while (*produced == 0) {
        if (r->in_next == r->in_end && !r->in_done)
            TRY(read_more(r));
        const bool starved = r->in_next == r->in_end;
        if (starved && !r->inside)
            return ST_OK;
        if (r->kind == TEXT_PLAIN)
            TRY(decode_plain(r, out, capacity, produced));
        else if (r->kind == TEXT_GZIP)
            TRY(decode_gzip(r, out, capacity, produced));
        else
            TRY(decode_zstd(r, out, capacity, produced));
        /* Decoders may still hold output when the input is used up. */
        if (starved && *produced == 0 && r->inside)
            return cut_short(r, r->kind == TEXT_GZIP ? "gzip" : "zstd");
    }
    return ST_OK;
}

/* ---- open and close ---- */

static bool has_suffix(const char *path, const char *suffix)
{
    const size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcmp(path + n - m, suffix) == 0;
}

/* Not every file is a text, plain or compressed: say what it is. */
static status_t refuse_kind(const text_reader_t *r, const void *start, size_t bytes, bool is_unpacked)
{
    const file_kind_t *kind = file_kind(start, bytes < FILE_KIND_BYTES ? bytes : FILE_KIND_BYTES);
    if (!kind)
        return ST_OK;
    return FAIL(ST_INPUT, "%s: %sthis is %s, and import reads text, plain, gzip or zstd; %s%s", r->path,
                is_unpacked ? "inside its compression " : "", kind->name,
                is_unpacked ? "take off the outer compression first, and then " : "", kind->remedy);
}

static bool is_gzip(const uint8_t *in, size_t bytes)
{
    return bytes >= 2 && in[0] == 0x1f && in[1] == 0x8b;
}

/* A frame, or a skippable one before it. */
static bool is_zstd(const uint8_t *in, size_t bytes)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd}, skippable[] = {0x2a, 0x4d, 0x18};
    return bytes >= sizeof frame && (memcmp(in, frame, sizeof frame) == 0 ||
                                     ((in[0] & 0xf0) == 0x50 && memcmp(in + 1, skippable, sizeof skippable) == 0));
}

static status_t detect(text_reader_t *r)
{
    while (r->in_end < FILE_KIND_BYTES && !r->in_done)
        TRY(read_more(r));
    if (r->in_end == 0 && r->refuses_empty)
        return FAIL(ST_INPUT, "%s: the file is empty", r->path);
    if (r->in_end == 0)
        return ST_OK;
    r->kind = is_gzip(r->in, r->in_end) ? TEXT_GZIP : is_zstd(r->in, r->in_end) ? TEXT_ZSTD : TEXT_PLAIN;
    if (r->kind == TEXT_PLAIN)
        TRY(refuse_kind(r, r->in, r->in_end, false));
    if (r->kind != TEXT_GZIP && has_suffix(r->path, ".gz"))
        return FAIL(ST_INPUT, "%s: named .gz but not gzip data, or cut short", r->path);
    if (r->kind != TEXT_ZSTD && has_suffix(r->path, ".zst"))
        return FAIL(ST_INPUT, "%s: named .zst but not zstd data, or cut short", r->path);
    if (r->kind == TEXT_GZIP)
        r->gzip = gunzip_create();
    else if (r->kind == TEXT_ZSTD)
        r->zstd = unzstd_create();
    return ST_OK;
}

void text_reader_close(text_reader_t **reader)
{
    text_reader_t *r = *reader;
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    parquet_file_close(&r->parquet);
    gunzip_destroy(&r->gzip);
    unzstd_destroy(&r->zstd);
    hash_stream_destroy(&r->hash);
    mem_free(r->in);
    mem_free(r->text);
    mem_free(r->path);
    mem_free(r);
    *reader = NULL;
}

static status_t more_text(text_reader_t *r);

status_t text_reader_open(const char *path, bool may_be_empty, text_reader_t **out)
{
    text_reader_t *r = MEM_NEW(text_reader_t);
    const bool is_stdin = strcmp(path, SOURCE_STDIN) == 0;
    r->path = mem_strdup(is_stdin ? "standard input" : path);
    r->refuses_empty = !may_be_empty;
    r->in = MEM_ARRAY(uint8_t, IN_BYTES);
    r->hash = hash_stream_create();
    r->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    status_t status;
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        status = FAIL(ST_INPUT, "%s: cannot be opened: %s", r->path, strerror(errno));
        goto done;
    }
    if (is_stdin && isatty(r->fd))
        TRY_DONE(FAIL(ST_INPUT, "standard input is a terminal; give a file, or write into smelter by a pipe"));
    r->is_file = fingerprint_stat(&st, &r->opened);
    r->file_bytes = r->opened.bytes;
    if (r->is_file && parquet_file_is(path)) {
        TRY_DONE(parquet_file_open(path, &r->parquet));
        *out = r;
        return ST_OK;
    }
    TRY_DONE(detect(r));
    while (r->text_end < FILE_KIND_BYTES && !r->text_done)
        TRY_DONE(more_text(r));
    if (r->kind != TEXT_PLAIN)
        TRY_DONE(refuse_kind(r, r->text, r->text_end, true));
    if (r->text_end >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0)
        r->text_next = 3;
    *out = r;
    return ST_OK;
done:
    text_reader_close(&r);
    return status;
}

/* ---- lines ---- */

/* Decode more behind text_end, keeping room for a NUL. */
static status_t more_text(text_reader_t *r)
{
    if (r->text_next > 0) {
        memmove(r->text, r->text + r->text_next, r->text_end - r->text_next);
        r->text_end -= r->text_next;
        r->text_next = 0;
    }
    if (r->text_end > LINE_MOST)
        return FAIL(ST_INPUT, "%s:%" PRId64 ": the line is longer than %u bytes; this is not a text file", r->path,
                    r->number + 1, LINE_MOST);
    MEM_GROW(r->text, r->text_capacity, r->text_end + IN_BYTES + 1);
    size_t produced;
    TRY(decode(r, r->text + r->text_end, r->text_capacity - r->text_end - 1, &produced));
    r->text_end += produced;
    r->text_done = produced == 0;
    return ST_OK;
}

status_t text_reader_line(text_reader_t *r, char **line, size_t *bytes)
{
    size_t searched = 0;
    char *end;
    for (;;) {
        char *start = r->text + r->text_next;
        const size_t have = r->text_end - r->text_next;
        end = have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        if (end || r->text_done)
            break;
        searched = have;
        TRY(more_text(r));
    }
    char *start = r->text + r->text_next;
    if (!end) {
        if (r->text_next == r->text_end) {
            *line = NULL;
            *bytes = 0;
            return ST_OK;
        }
        end = r->text + r->text_end;
        r->text_next = r->text_end;
    } else {
        r->text_next = (size_t)(end - r->text) + 1;
    }
    if (end > start && end[-1] == '\r')
        end--;
    *end = 0;
    *line = start;
    *bytes = (size_t)(end - start);
    r->number++;
    return ST_OK;
}

bool text_reader_is_empty(const text_reader_t *reader)
{
    return reader->text_done && reader->text_next == reader->text_end;
}

parquet_file_t *text_reader_parquet(const text_reader_t *reader)
{
    return reader->parquet;
}

const char *text_reader_path(const text_reader_t *reader)
{
    return reader->path;
}

int64_t text_reader_number(const text_reader_t *reader)
{
    return reader->number;
}

bool text_reader_fingerprint(const text_reader_t *reader, fingerprint_t *out)
{
    if (!reader->is_file)
        return false;
    if (reader->parquet)
        return parquet_file_fingerprint(reader->parquet, out) == ST_OK;
    *out = reader->opened;
    out->bytes = reader->read_bytes; /* more than there were, where the file grew meanwhile */
    hash_stream_value(reader->hash, &out->low, &out->high);
    return true;
}

double text_reader_share(const text_reader_t *reader)
{
    if (reader->parquet && parquet_file_rows(reader->parquet) > 0)
        return (double)parquet_file_row(reader->parquet) / (double)parquet_file_rows(reader->parquet);
    return reader->file_bytes > 0 ? (double)reader->read_bytes / (double)reader->file_bytes : 0.0;
}
