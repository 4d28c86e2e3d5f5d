#include "launcher/ingest/parquet/parquet_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "launcher/ingest/parquet/parquet_cursor.h"

#define HASH_BYTES (1u << 20)
#define START_BYTES 64 /* by which a text is told from what is none */

struct parquet_file {
    char *path;
    int fd;
    fingerprint_t opened;
    parquet_footer_t footer;
    parquet_columns_t columns;
    parquet_cursor_t **cursor; /* [columns.count], NULL: not wanted */
    parquet_cell_t *cells;     /* [columns.count] */
    size_t *starts, *ends;     /* [columns.count] of the cells, in the buffer */
    parquet_buffer_t buffer;
    size_t group; /* of the next row */
    int64_t group_left, row;
};

/* A CSV may begin with a column of this name; then it has no control characters, and no end of a Parquet file. */
bool parquet_file_is(const char *path)
{
    uint8_t start[START_BYTES];
    char tail[PARQUET_MAGIC_BYTES];
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    const ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, start, sizeof start, 0) : 0;
    bool is = n >= PARQUET_MAGIC_BYTES &&
              (memcmp(start, "PAR1", PARQUET_MAGIC_BYTES) == 0 || memcmp(start, "PARE", PARQUET_MAGIC_BYTES) == 0);
    const bool has_end = is && pread(fd, tail, sizeof tail, st.st_size - (off_t)sizeof tail) == (ssize_t)sizeof tail &&
                         memcmp(tail, start, sizeof tail) == 0;
    if (is && !has_end) {
        bool is_text = true;
        for (ssize_t i = 0; i < n; i++)
            is_text = is_text && (start[i] >= 0x20 || start[i] == '\n' || start[i] == '\r' || start[i] == '\t');
        is = !is_text;
    }
    close(fd);
    return is;
}

status_t parquet_file_open(const char *path, parquet_file_t **out)
{
    parquet_file_t *file = MEM_NEW(parquet_file_t);
    struct stat st;
    status_t status;
    file->path = mem_strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &st) != 0)
        TRY_DONE(FAIL(ST_INPUT, "%s: cannot be opened: %s", path, strerror(errno)));
    if (!fingerprint_stat(&st, &file->opened))
        TRY_DONE(FAIL(ST_INPUT, "%s: is no file; Parquet is read from a file, not from a pipe or a folder", path));
    if (!parquet_file_is(path))
        TRY_DONE(FAIL(ST_INPUT, "%s: is no Parquet file: it does not begin with PAR1", path));
    TRY_DONE(parquet_footer_read(file->fd, path, file->opened.bytes, &file->footer));
    TRY_DONE(parquet_columns_make(path, &file->footer, &file->columns));
    file->cursor = MEM_ARRAY(parquet_cursor_t *, file->columns.count);
    file->cells = MEM_ARRAY(parquet_cell_t, file->columns.count);
    file->starts = MEM_ARRAY(size_t, file->columns.count);
    file->ends = MEM_ARRAY(size_t, file->columns.count);
    *out = file;
    return ST_OK;
done:
    parquet_file_close(&file);
    return status;
}

void parquet_file_close(parquet_file_t **file)
{
    parquet_file_t *f = *file;
    if (!f)
        return;
    for (size_t c = 0; f->cursor && c < f->columns.count; c++)
        if (f->cursor[c]) {
            parquet_cursor_fini(f->cursor[c]);
            mem_free(f->cursor[c]);
        }
    if (f->fd >= 0)
        close(f->fd);
    parquet_columns_fini(&f->columns);
    parquet_footer_fini(&f->footer);
    mem_free(f->cursor);
    mem_free(f->cells);
    mem_free(f->starts);
    mem_free(f->ends);
    mem_free(f->buffer.at);
    mem_free(f->path);
    mem_free(f);
    *file = NULL;
}

const parquet_columns_t *parquet_file_columns(const parquet_file_t *file)
{
    return &file->columns;
}

int64_t parquet_file_rows(const parquet_file_t *file)
{
    return file->footer.rows;
}

int64_t parquet_file_row(const parquet_file_t *file)
{
    return file->row;
}

status_t parquet_file_want(parquet_file_t *file, int column, parquet_use_t use)
{
    const parquet_column_t *wanted = &file->columns.column[column];
    if (wanted->refusal)
        return FAIL(ST_INPUT, "%s: column %s cannot be read: it is %s", file->path, wanted->name, wanted->refusal);
    if (wanted->is_list && use != PARQUET_AS_MANY)
        return FAIL(ST_INPUT, "%s: column %s is a list, which only an input of kind: multi can be", file->path, wanted->name);
    if (file->cursor[column]) {
        file->cursor[column]->as_number = file->cursor[column]->as_number || use == PARQUET_AS_NUMBER;
        return ST_OK;
    }
    file->cursor[column] = MEM_NEW(parquet_cursor_t);
    parquet_cursor_init(file->cursor[column], file->fd, file->path, wanted, use == PARQUET_AS_NUMBER);
    return ST_OK;
}

static status_t start_group(parquet_file_t *file)
{
    const parquet_group_t *group = &file->footer.groups[file->group++];
    for (size_t c = 0; c < file->columns.count; c++)
        if (file->cursor[c])
            TRY(parquet_cursor_start(file->cursor[c], &file->footer.chunks[group->first_chunk + file->columns.column[c].leaf],
                                     file->footer.pages_end));
    file->group_left = group->rows;
    return ST_OK;
}

static status_t finish_group(parquet_file_t *file)
{
    for (size_t c = 0; c < file->columns.count && file->group > 0; c++)
        if (file->cursor[c])
            TRY(parquet_cursor_finish(file->cursor[c]));
    return ST_OK;
}

status_t parquet_file_next(parquet_file_t *file, const parquet_cell_t **cells, bool *end)
{
    parquet_buffer_t *buffer = &file->buffer;
    while (file->group_left == 0) {
        TRY(finish_group(file));
        *end = file->group == file->footer.groups_count;
        if (*end)
            return ST_OK;
        TRY(start_group(file));
    }
    buffer->bytes = 0;
    for (size_t c = 0; c < file->columns.count; c++) {
        file->starts[c] = buffer->bytes;
        if (file->cursor[c])
            TRY(parquet_cursor_row(file->cursor[c], buffer));
        file->ends[c] = buffer->bytes;
        if (file->cursor[c] || c == 0)
            parquet_buffer_put(buffer, "", 1);
        else
            file->starts[c] = file->ends[c] = buffer->bytes - 1; /* the NUL of the cell before */
    }
    for (size_t c = 0; c < file->columns.count; c++)
        file->cells[c] = (parquet_cell_t){buffer->at + file->starts[c], (int)(file->ends[c] - file->starts[c]),
                                          file->columns.column[c].is_list};
    file->group_left--;
    file->row++;
    *cells = file->cells;
    *end = false;
    return ST_OK;
}

status_t parquet_file_fingerprint(const parquet_file_t *file, fingerprint_t *out)
{
    hash_stream_t *stream = hash_stream_create();
    uint8_t *piece = MEM_ARRAY(uint8_t, HASH_BYTES);
    status_t status = ST_OK;
    *out = file->opened;
    for (int64_t at = 0; at < out->bytes && status == ST_OK; at += HASH_BYTES) {
        const size_t bytes = out->bytes - at < HASH_BYTES ? (size_t)(out->bytes - at) : HASH_BYTES;
        status = parquet_read_at(file->fd, file->path, at, piece, bytes);
        hash_stream_add(stream, piece, bytes);
    }
    hash_stream_value(stream, &out->low, &out->high);
    hash_stream_destroy(&stream);
    mem_free(piece);
    return status;
}
