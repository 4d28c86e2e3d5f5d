/* Levels say what is there: a value whose definition level is the column's highest, and a row begins where the repetition level
 * is 0. Columns without nulls and lists have no levels (Nested Encoding in the format's README). */
#include "launcher/ingest/parquet/parquet_cursor.h"

#include <string.h>

#include "common/base/memory.h"

#define LIST_MOST (1 << 24) /* what is longer was not meant to be a row */
#define LIST_BYTES_MOST ((size_t)256 << 20)

void parquet_cursor_init(parquet_cursor_t *cursor, int fd, const char *path, const parquet_column_t *column, bool as_number)
{
    *cursor = (parquet_cursor_t){.column = column, .as_number = as_number, .pages = {.fd = fd, .path = path}};
}

void parquet_cursor_fini(parquet_cursor_t *cursor)
{
    parquet_pages_fini(&cursor->pages);
    parquet_values_fini(&cursor->values);
    mem_free(cursor->dictionary.at);
    mem_free(cursor->ends);
    *cursor = (parquet_cursor_t){0};
}

status_t parquet_cursor_start(parquet_cursor_t *cursor, const parquet_chunk_t *chunk, int64_t end)
{
    TRY(parquet_pages_start(&cursor->pages, chunk, cursor->column, end));
    cursor->chunk_left = chunk->values;
    cursor->page_left = 0;
    cursor->level_next = cursor->level_end = 0;
    cursor->has_dictionary = false;
    return ST_OK;
}

static status_t damaged(const parquet_cursor_t *cursor, const char *why)
{
    return parquet_pages_damaged(&cursor->pages, why);
}

/* ---- pages ---- */

static status_t read_dictionary(parquet_cursor_t *cursor, const parquet_page_t *page)
{
    if (cursor->has_dictionary)
        return damaged(cursor, "it has two dictionaries");
    const bool is_plain = page->encoding == ENCODING_PLAIN || page->encoding == ENCODING_PLAIN_DICTIONARY;
    if (!is_plain || cursor->column->element->type == PARQUET_BOOLEAN)
        return damaged(cursor, "its dictionary is in an encoding that dictionaries have not");
    const char *fault =
        parquet_values_start(&cursor->values, cursor->column->element, ENCODING_PLAIN, page->bytes, page->count, page->values);
    cursor->dictionary.bytes = cursor->entries = 0;
    for (int32_t i = 0; i < page->values && !fault; i++) {
        parquet_value_t value = {0};
        fault = parquet_values_next(&cursor->values, &value);
        if (!fault)
            fault = parquet_text_put(&cursor->dictionary, cursor->column->element, cursor->as_number, &value);
        MEM_GROW(cursor->ends, cursor->ends_capacity, cursor->entries + 1);
        cursor->ends[cursor->entries++] = cursor->dictionary.bytes;
    }
    cursor->has_dictionary = true;
    return fault ? damaged(cursor, fault) : ST_OK;
}

static int bits_of(int most)
{
    int bits = 0;
    for (; most; most >>= 1)
        bits++;
    return bits;
}

/* The levels of a page of version 1, which are before its values: with their length where they are runs. */
static const char *split_levels(const parquet_page_t *page, int32_t encoding, int most, size_t *at, bit_run_t *out)
{
    const uint8_t *bytes = page->bytes + *at;
    const size_t there = page->count - *at;
    const int width = bits_of(most);
    if (most == 0)
        return NULL;
    if (encoding == ENCODING_BIT_PACKED) {
        const size_t count = ((size_t)page->values * (size_t)width + 7) / 8;
        if (count > there)
            return "its levels are longer than the page";
        *out = bit_run_old(bytes, count, width);
        *at += count;
        return NULL;
    }
    if (encoding != ENCODING_RLE)
        return "its levels are in an encoding that levels have not";
    if (there < 4)
        return "its levels are longer than the page";
    const size_t count = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    if (count > there - 4)
        return "its levels are longer than the page";
    *out = bit_run_hybrid(bytes + 4, count, width);
    *at += 4 + count;
    return NULL;
}

static const char *start_page(parquet_cursor_t *cursor, const parquet_page_t *page)
{
    const parquet_column_t *column = cursor->column;
    size_t at = 0;
    if (page->values > cursor->chunk_left)
        return "its pages have more values than the column";
    if (page->kind == PAGE_DATA_V2) {
        const size_t repetitions = (size_t)page->repetition_bytes, definitions = (size_t)page->definition_bytes;
        cursor->repetitions = bit_run_hybrid(page->bytes, repetitions, bits_of(column->repetition_most));
        cursor->definitions = bit_run_hybrid(page->bytes + repetitions, definitions, bits_of(column->definition_most));
        at = repetitions + definitions;
    } else {
        const char *fault = split_levels(page, page->repetition_encoding, column->repetition_most, &at, &cursor->repetitions);
        if (!fault)
            fault = split_levels(page, page->definition_encoding, column->definition_most, &at, &cursor->definitions);
        if (fault)
            return fault;
    }
    const char *fault = parquet_values_start(&cursor->values, column->element, page->encoding, page->bytes + at,
                                             page->count - at, page->values);
    if (!fault && cursor->values.is_index && !cursor->has_dictionary)
        fault = "its values are in a dictionary that is not there";
    cursor->page_left = page->values;
    cursor->chunk_left -= page->values;
    return fault;
}

static const char *read_levels(parquet_cursor_t *cursor)
{
    const parquet_column_t *column = cursor->column;
    const int n = cursor->page_left < PARQUET_LEVELS ? cursor->page_left : PARQUET_LEVELS;
    const char *fault = NULL;
    if (column->repetition_most > 0)
        fault = bit_run_read(&cursor->repetitions, cursor->repetition, n);
    if (!fault && column->definition_most > 0)
        fault = bit_run_read(&cursor->definitions, cursor->definition, n);
    for (int i = 0; i < n && !fault; i++)
        if ((column->definition_most > 0 && cursor->definition[i] > (uint32_t)column->definition_most) ||
            (column->repetition_most > 0 && cursor->repetition[i] > (uint32_t)column->repetition_most))
            fault = "a level is higher than its column's highest";
    cursor->page_left -= n;
    cursor->level_next = 0;
    cursor->level_end = n;
    return fault;
}

/* Is there another value? Its levels are then at level_next. */
static status_t look(parquet_cursor_t *cursor, bool *is_there)
{
    while (cursor->level_next == cursor->level_end) {
        const char *fault = NULL;
        parquet_page_t page;
        *is_there = false;
        if (cursor->page_left > 0) {
            fault = read_levels(cursor);
        } else if (cursor->chunk_left > 0) {
            TRY(parquet_pages_next(&cursor->pages, &page));
            if (page.kind == PAGE_DICTIONARY)
                TRY(read_dictionary(cursor, &page));
            else
                fault = start_page(cursor, &page);
        } else {
            return ST_OK;
        }
        if (fault)
            return damaged(cursor, fault);
    }
    *is_there = true;
    return ST_OK;
}

/* ---- rows ---- */

static const char *put_value(parquet_cursor_t *cursor, parquet_buffer_t *buffer)
{
    parquet_value_t value = {0};
    const size_t start = buffer->bytes;
    const char *fault = parquet_values_next(&cursor->values, &value);
    if (fault)
        return fault;
    if (!cursor->values.is_index) {
        fault = parquet_text_put(buffer, cursor->column->element, cursor->as_number, &value);
    } else if ((uint64_t)value.number >= cursor->entries) {
        fault = "an index is outside of its dictionary";
    } else {
        const size_t first = value.number ? cursor->ends[value.number - 1] : 0;
        parquet_buffer_put(buffer, cursor->dictionary.at + first, cursor->ends[value.number] - first);
    }
    if (buffer->bytes - start > INT32_MAX)
        fault = "a value is longer than 2 GiB";
    return fault;
}

static status_t put_element(parquet_cursor_t *cursor, parquet_buffer_t *buffer)
{
    const size_t start = buffer->bytes;
    const char *fault = put_value(cursor, buffer);
    if (fault)
        return damaged(cursor, fault);
    if (memchr(buffer->at + start, 0, buffer->bytes - start))
        return FAIL(ST_INPUT, "%s: column %s: a value of a list has a zero byte, which ends values here; write it as text",
                    cursor->pages.path, cursor->column->name);
    parquet_buffer_put(buffer, "", 1);
    return ST_OK;
}

static status_t put_list(parquet_cursor_t *cursor, parquet_buffer_t *buffer)
{
    const uint32_t most = (uint32_t)cursor->column->definition_most;
    const size_t start = buffer->bytes;
    bool is_there = true;
    int64_t count = 0;
    parquet_buffer_put(buffer, "", 0);
    if (cursor->repetition[cursor->level_next] != 0)
        return damaged(cursor, "its first row begins inside a list");
    do {
        if (cursor->definition[cursor->level_next++] == most)
            TRY(put_element(cursor, buffer));
        if (++count > LIST_MOST || buffer->bytes - start > LIST_BYTES_MOST)
            return damaged(cursor, "a list has more than 16,777,216 values or 256 MiB");
        TRY(look(cursor, &is_there));
    } while (is_there && cursor->repetition[cursor->level_next] != 0);
    return ST_OK;
}

status_t parquet_cursor_row(parquet_cursor_t *cursor, parquet_buffer_t *buffer)
{
    const parquet_column_t *column = cursor->column;
    bool is_there;
    TRY(look(cursor, &is_there));
    if (!is_there)
        return damaged(cursor, "it has fewer rows than its row group");
    if (column->is_list)
        return put_list(cursor, buffer);
    const int at = cursor->level_next++;
    if (column->definition_most > 0 && cursor->definition[at] < (uint32_t)column->definition_most)
        return ST_OK;
    const char *fault = put_value(cursor, buffer);
    return fault ? damaged(cursor, fault) : ST_OK;
}

status_t parquet_cursor_finish(parquet_cursor_t *cursor)
{
    bool is_there;
    TRY(look(cursor, &is_there));
    return is_there ? damaged(cursor, "it has more rows than its row group") : ST_OK;
}
