/* The last bytes of a file are the footer, its length (u32), and PAR1. Names and numbers of fields are those of
 * parquet.thrift. */
#include "launcher/ingest/parquet/parquet_footer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "launcher/ingest/parquet/thrift_compact.h"

#define TAIL_BYTES 8

/* ---- the schema ---- */

enum { /* ConvertedType */
       CONVERTED_MAP = 1,
       CONVERTED_MAP_KEY_VALUE,
       CONVERTED_LIST,
       CONVERTED_DECIMAL = 5,
       CONVERTED_DATE,
       CONVERTED_TIME_MILLIS,
       CONVERTED_TIME_MICROS,
       CONVERTED_TIMESTAMP_MILLIS,
       CONVERTED_TIMESTAMP_MICROS,
       CONVERTED_UINT_8,
       CONVERTED_UINT_64 = 14,
       CONVERTED_INTERVAL = 21
};

static void set_converted(parquet_element_t *element, int32_t converted)
{
    static const parquet_meaning_t meanings[] = {
        [CONVERTED_MAP] = MEANS_MAP,
        [CONVERTED_MAP_KEY_VALUE] = MEANS_MAP,
        [CONVERTED_LIST] = MEANS_LIST,
        [CONVERTED_DECIMAL] = MEANS_DECIMAL,
        [CONVERTED_DATE] = MEANS_DATE,
        [CONVERTED_TIME_MILLIS] = MEANS_TIME,
        [CONVERTED_TIME_MICROS] = MEANS_TIME,
        [CONVERTED_TIMESTAMP_MILLIS] = MEANS_TIMESTAMP,
        [CONVERTED_TIMESTAMP_MICROS] = MEANS_TIMESTAMP,
        [CONVERTED_UINT_8... CONVERTED_UINT_64] = MEANS_UNSIGNED,
        [CONVERTED_INTERVAL] = MEANS_INTERVAL,
    };
    if (converted < 0 || converted > CONVERTED_INTERVAL || meanings[converted] == MEANS_PLAIN)
        return;
    element->meaning = meanings[converted];
    if (converted >= CONVERTED_UINT_8 && converted <= CONVERTED_UINT_64)
        element->bits = 8 << (converted - CONVERTED_UINT_8);
    if (converted >= CONVERTED_TIME_MILLIS && converted <= CONVERTED_TIMESTAMP_MICROS)
        element->digits = converted == CONVERTED_TIME_MILLIS || converted == CONVERTED_TIMESTAMP_MILLIS ? 3 : 6;
}

static void read_decimal(thrift_t *thrift, parquet_element_t *element)
{
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1)
            element->scale = thrift_int32(thrift, &field);
        else
            thrift_skip(thrift, &field);
}

/* {1: is it UTC, 2: {one of 1 milliseconds, 2 microseconds, 3 nanoseconds}} */
static void read_time(thrift_t *thrift, parquet_element_t *element)
{
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);) {
        if (field.id != 2) {
            thrift_skip(thrift, &field);
            continue;
        }
        thrift_struct(thrift, &field);
        for (thrift_field_t unit = {0}; thrift_next(thrift, &unit); thrift_skip(thrift, &unit))
            element->digits = 3 * unit.id;
    }
    if (element->digits < 3 || element->digits > 9)
        element->meaning = MEANS_PLAIN; /* a unit of the future: the number is what is known */
}

static void read_integer(thrift_t *thrift, parquet_element_t *element)
{
    element->meaning = MEANS_PLAIN;
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1)
            element->bits = thrift_int32(thrift, &field);
        else if (field.id == 2)
            element->meaning = thrift_bool(thrift, &field) ? MEANS_PLAIN : MEANS_UNSIGNED;
        else
            thrift_skip(thrift, &field);
}

static void read_logical(thrift_t *thrift, parquet_element_t *element)
{
    static const parquet_meaning_t meanings[] = {
        [2] = MEANS_MAP,       [3] = MEANS_LIST,      [5] = MEANS_DECIMAL, [6] = MEANS_DATE,     [7] = MEANS_TIME,
        [8] = MEANS_TIMESTAMP, [10] = MEANS_UNSIGNED, [14] = MEANS_UUID,   [15] = MEANS_FLOAT16, [16] = MEANS_VARIANT};
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);) {
        const bool is_known = field.id > 0 && field.id < (int)(sizeof meanings / sizeof *meanings);
        const parquet_meaning_t meaning = is_known ? meanings[field.id] : MEANS_PLAIN;
        if (meaning != MEANS_PLAIN)
            element->meaning = meaning;
        thrift_struct(thrift, &field);
        if (meaning == MEANS_DECIMAL)
            read_decimal(thrift, element);
        else if (meaning == MEANS_TIME || meaning == MEANS_TIMESTAMP)
            read_time(thrift, element);
        else if (meaning == MEANS_UNSIGNED)
            read_integer(thrift, element);
        else
            thrift_skip(thrift, &field);
    }
}

static char *read_name(thrift_t *thrift, const thrift_field_t *field)
{
    size_t bytes;
    const uint8_t *name = thrift_binary(thrift, field, &bytes);
    return mem_printf("%.*s", (int)bytes, (const char *)name);
}

static void read_element(thrift_t *thrift, parquet_footer_t *footer)
{
    MEM_GROW(footer->elements, footer->elements_capacity, footer->elements_count + 1);
    parquet_element_t *element = &footer->elements[footer->elements_count++];
    *element = (parquet_element_t){.type = PARQUET_GROUP};
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        switch (field.id) {
        case 1:
            element->type = thrift_int32(thrift, &field);
            break;
        case 2:
            element->width = thrift_int32(thrift, &field);
            break;
        case 3:
            element->repetition = thrift_int32(thrift, &field);
            break;
        case 4:
            mem_free(element->name);
            element->name = read_name(thrift, &field);
            break;
        case 5:
            element->children = thrift_int32(thrift, &field);
            break;
        case 6:
            set_converted(element, thrift_int32(thrift, &field));
            break;
        case 7:
            element->scale = thrift_int32(thrift, &field);
            break;
        case 10:
            read_logical(thrift, element);
            break;
        default:
            thrift_skip(thrift, &field);
        }
    if (!element->name)
        element->name = mem_strdup("");
}

/* ---- row groups ---- */

static void read_chunk_description(thrift_t *thrift, parquet_chunk_t *chunk)
{
    int64_t dictionary = 0;
    chunk->is_described = true;
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        switch (field.id) {
        case 1:
            chunk->type = thrift_int32(thrift, &field);
            break;
        case 4:
            chunk->codec = thrift_int32(thrift, &field);
            break;
        case 5:
            chunk->values = thrift_int(thrift, &field);
            break;
        case 9:
            chunk->first = thrift_int(thrift, &field);
            break;
        case 11:
            dictionary = thrift_int(thrift, &field);
            break;
        default:
            thrift_skip(thrift, &field);
        }
    /* Some writers say 0 where the dictionary is the first page all the same. */
    if (dictionary > 0 && dictionary < chunk->first)
        chunk->first = dictionary;
}

static void read_chunk(thrift_t *thrift, parquet_footer_t *footer)
{
    MEM_GROW(footer->chunks, footer->chunks_capacity, footer->chunks_count + 1);
    parquet_chunk_t *chunk = &footer->chunks[footer->chunks_count++];
    *chunk = (parquet_chunk_t){.type = -1};
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);) {
        chunk->is_elsewhere = chunk->is_elsewhere || field.id == 1;
        chunk->is_encrypted = chunk->is_encrypted || field.id == 8 || field.id == 9;
        if (field.id == 3) {
            thrift_struct(thrift, &field);
            read_chunk_description(thrift, chunk);
        } else {
            thrift_skip(thrift, &field);
        }
    }
}

static void read_group(thrift_t *thrift, parquet_footer_t *footer)
{
    MEM_GROW(footer->groups, footer->groups_capacity, footer->groups_count + 1);
    parquet_group_t *group = &footer->groups[footer->groups_count++];
    *group = (parquet_group_t){.first_chunk = (int64_t)footer->chunks_count};
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1) {
            group->chunks = thrift_list(thrift, &field, THRIFT_STRUCT);
            for (int64_t i = 0; i < group->chunks && !thrift->fault; i++)
                read_chunk(thrift, footer);
        } else if (field.id == 3) {
            group->rows = thrift_int(thrift, &field);
        } else {
            thrift_skip(thrift, &field);
        }
}

static void read_footer(thrift_t *thrift, parquet_footer_t *footer)
{
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 2) {
            const int64_t count = thrift_list(thrift, &field, THRIFT_STRUCT);
            for (int64_t i = 0; i < count && !thrift->fault; i++)
                read_element(thrift, footer);
        } else if (field.id == 3) {
            footer->rows = thrift_int(thrift, &field);
        } else if (field.id == 4) {
            const int64_t count = thrift_list(thrift, &field, THRIFT_STRUCT);
            for (int64_t i = 0; i < count && !thrift->fault; i++)
                read_group(thrift, footer);
        } else {
            thrift_skip(thrift, &field);
        }
}

/* ---- the file ---- */

status_t parquet_read_at(int fd, const char *path, int64_t offset, void *out, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = pread(fd, (char *)out + done, bytes - done, offset + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(ST_SYSTEM, "%s: cannot be read: %s", path, strerror(errno));
        if (n == 0)
            return FAIL(ST_INPUT, "%s: the file was cut while it was read; it ends at byte %" PRId64, path,
                        offset + (int64_t)done);
        done += (size_t)n;
    }
    return ST_OK;
}

void parquet_footer_fini(parquet_footer_t *footer)
{
    for (size_t i = 0; i < footer->elements_count; i++)
        mem_free(footer->elements[i].name);
    mem_free(footer->elements);
    mem_free(footer->groups);
    mem_free(footer->chunks);
    *footer = (parquet_footer_t){0};
}

static status_t damaged(const char *path, const char *why)
{
    return FAIL(ST_INPUT, "%s: the footer of this Parquet file is damaged: %s; fetch or write it again", path, why);
}

static status_t check_footer(const char *path, const parquet_footer_t *footer)
{
    int64_t rows = 0;
    if (footer->elements_count < 2)
        return damaged(path, "its schema has no column");
    for (size_t g = 0; g < footer->groups_count; g++) {
        const parquet_group_t *group = &footer->groups[g];
        if (group->rows < 0 || __builtin_add_overflow(rows, group->rows, &rows))
            return damaged(path, "a row group has a number of rows that cannot be");
    }
    if (rows != footer->rows)
        return damaged(path, "its row groups have not as many rows as the file");
    return ST_OK;
}

static status_t read_tail(int fd, const char *path, int64_t file_bytes, uint32_t *length)
{
    uint8_t tail[TAIL_BYTES];
    if (file_bytes < PARQUET_MAGIC_BYTES + TAIL_BYTES)
        return FAIL(ST_INPUT, "%s: a Parquet file cut short: it has %" PRId64 " bytes; fetch or write it again", path,
                    file_bytes);
    TRY(parquet_read_at(fd, path, file_bytes - TAIL_BYTES, tail, sizeof tail));
    if (memcmp(tail + 4, "PARE", PARQUET_MAGIC_BYTES) == 0)
        return FAIL(ST_INPUT, "%s: this Parquet file is encrypted, which is not read; write it without encryption", path);
    if (memcmp(tail + 4, "PAR1", PARQUET_MAGIC_BYTES) != 0)
        return FAIL(ST_INPUT, "%s: a Parquet file cut short: it does not end with PAR1; fetch or write it again", path);
    *length = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
    if (*length > file_bytes - PARQUET_MAGIC_BYTES - TAIL_BYTES)
        return damaged(path, "it is longer than the file");
    return ST_OK;
}

status_t parquet_footer_read(int fd, const char *path, int64_t file_bytes, parquet_footer_t *out)
{
    uint32_t length = 0;
    parquet_footer_t footer = {0};
    TRY(read_tail(fd, path, file_bytes, &length));
    uint8_t *bytes = MEM_ARRAY(uint8_t, length);
    status_t status;
    footer.pages_end = file_bytes - TAIL_BYTES - length;
    TRY_DONE(parquet_read_at(fd, path, footer.pages_end, bytes, length));
    thrift_t thrift = thrift_init(bytes, length);
    read_footer(&thrift, &footer);
    TRY_DONE(thrift.fault ? damaged(path, thrift.fault) : ST_OK);
    TRY_DONE(check_footer(path, &footer));
    *out = footer;
done:
    mem_free(bytes);
    if (status != ST_OK)
        parquet_footer_fini(&footer);
    return status;
}
