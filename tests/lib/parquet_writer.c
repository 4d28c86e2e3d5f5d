#include "tests/lib/parquet_writer.h"

#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>

#include "common/base/compress.h"
#include "common/base/memory.h"

enum { T_TRUE = 1, T_FALSE, T_I32 = 5, T_I64, T_BINARY = 8, T_LIST, T_STRUCT = 12 };
enum { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTES, FIXED };

typedef struct bytes {
    uint8_t *at;
    size_t count, capacity;
} bytes_t;

static void put(bytes_t *out, const void *data, size_t count)
{
    MEM_GROW(out->at, out->capacity, out->count + count + 1);
    if (count > 0)
        memcpy(out->at + out->count, data, count);
    out->count += count;
}

static void put_byte(bytes_t *out, int byte)
{
    put(out, &(uint8_t){(uint8_t)byte}, 1);
}

static void put_little(bytes_t *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put_byte(out, (int)(value >> (8 * i) & 255));
}

static void put_varint(bytes_t *out, uint64_t value)
{
    for (; value >= 128; value >>= 7)
        put_byte(out, (int)(value & 127) | 128);
    put_byte(out, (int)value);
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* ---- thrift ---- */

static void put_field(bytes_t *out, int *last, int id, int type)
{
    put_byte(out, (id - *last) << 4 | type);
    *last = id;
}

static void put_i32(bytes_t *out, int *last, int id, int64_t value)
{
    put_field(out, last, id, T_I32);
    put_varint(out, zigzag(value));
}

static void put_i64(bytes_t *out, int *last, int id, int64_t value)
{
    put_field(out, last, id, T_I64);
    put_varint(out, zigzag(value));
}

static void put_text(bytes_t *out, int *last, int id, const char *text)
{
    put_field(out, last, id, T_BINARY);
    put_varint(out, strlen(text));
    put(out, text, strlen(text));
}

static void put_list(bytes_t *out, int *last, int id, int type, int count)
{
    put_field(out, last, id, T_LIST);
    put_byte(out, (count < 15 ? count : 15) << 4 | type);
    if (count >= 15)
        put_varint(out, (uint64_t)count);
}

/* ---- encodings ---- */

static void put_bits(bytes_t *out, const uint64_t *values, int count, int width)
{
    const int bits = count * width;
    const size_t first = out->count;
    for (int i = 0; i < (bits + 7) / 8; i++)
        put_byte(out, 0);
    for (int i = 0; i < bits; i++)
        out->at[first + (size_t)i / 8] |= (uint8_t)((values[i / width] >> (i % width) & 1) << (i % 8));
}

/* Packed groups of eight, but runs where eight and more are equal. */
static void put_hybrid(bytes_t *out, const uint64_t *values, int count, int width)
{
    for (int i = 0; i < count;) {
        int equal = 1;
        while (i + equal < count && values[i + equal] == values[i])
            equal++;
        if (equal >= 8 || count - i < 8) {
            put_varint(out, (uint64_t)equal << 1);
            put_little(out, values[i], (width + 7) / 8);
            i += equal;
        } else {
            put_varint(out, 1 << 1 | 1);
            put_bits(out, values + i, 8, width);
            i += 8;
        }
    }
}

static void put_old(bytes_t *out, const uint64_t *values, int count, int width)
{
    const int bits = count * width;
    const size_t first = out->count;
    for (int i = 0; i < (bits + 7) / 8; i++)
        put_byte(out, 0);
    for (int i = 0; i < bits; i++)
        out->at[first + (size_t)i / 8] |= (uint8_t)((values[i / width] >> (width - 1 - i % width) & 1) << (7 - i % 8));
}

/* Blocks of 128 in four miniblocks. */
static void put_delta(bytes_t *out, const int64_t *values, int count)
{
    put_varint(out, 128);
    put_varint(out, 4);
    put_varint(out, (uint64_t)count);
    put_varint(out, zigzag(count ? values[0] : 0));
    for (int i = 1; i < count; i += 128) {
        const int n = count - i < 128 ? count - i : 128;
        uint64_t delta[128] = {0};
        int64_t least = INT64_MAX;
        for (int k = 0; k < n; k++) {
            const int64_t d = (int64_t)((uint64_t)values[i + k] - (uint64_t)values[i + k - 1]);
            least = d < least ? d : least;
        }
        for (int k = 0; k < n; k++)
            delta[k] = (uint64_t)values[i + k] - (uint64_t)values[i + k - 1] - (uint64_t)least;
        put_varint(out, zigzag(least));
        uint8_t width[4] = {0};
        for (int k = 0; k < n; k++)
            while (width[k / 32] < 64 && delta[k] >> width[k / 32])
                width[k / 32]++;
        put(out, width, 4);
        for (int m = 0; m * 32 < n; m++)
            put_bits(out, delta + m * 32, 32, width[m]);
    }
}

static int width_of(const made_element_t *element)
{
    static const int widths[] = {[INT32] = 4, [INT64] = 8, [INT96] = 12, [FLOAT] = 4, [DOUBLE] = 8};
    return element->type == FIXED ? element->width : element->type == BYTES ? 0 : widths[element->type];
}

static size_t length_of(const made_value_t *value)
{
    return value->bytes < 0 ? strlen(value->text) : (size_t)value->bytes;
}

static void put_plain(bytes_t *out, const made_element_t *element, const made_value_t *value)
{
    if (element->type == BYTES)
        put_little(out, length_of(value), 4);
    if (element->type >= BYTES || element->type == INT96)
        put(out, value->text, length_of(value));
    else
        put_little(out, (uint64_t)value->number, width_of(element));
}

static void put_lengths(bytes_t *out, const made_value_t *values, int count, bool is_prefixed)
{
    int64_t *prefix = MEM_ARRAY(int64_t, count + 1), *suffix = MEM_ARRAY(int64_t, count + 1);
    for (int i = 0; i < count; i++) {
        const size_t here = length_of(&values[i]), before = i ? length_of(&values[i - 1]) : 0;
        while (is_prefixed && (size_t)prefix[i] < here && (size_t)prefix[i] < before &&
               values[i].text[prefix[i]] == values[i - 1].text[prefix[i]])
            prefix[i]++;
        suffix[i] = (int64_t)here - prefix[i];
    }
    if (is_prefixed)
        put_delta(out, prefix, count);
    put_delta(out, suffix, count);
    for (int i = 0; i < count; i++)
        put(out, values[i].text + prefix[i], (size_t)suffix[i]);
    mem_free(prefix);
    mem_free(suffix);
}

static void put_split(bytes_t *out, const made_element_t *element, const made_value_t *values, int count)
{
    for (int b = 0; b < width_of(element); b++)
        for (int i = 0; i < count; i++)
            put_byte(out, element->type == FIXED ? values[i].text[b] : (int)((uint64_t)values[i].number >> (8 * b) & 255));
}

/* values: those that are not null */
static void put_values(bytes_t *out, const made_element_t *element, int encoding, const made_value_t *values, int count,
                       int first)
{
    uint64_t *numbers = MEM_ARRAY(uint64_t, count + 1);
    bytes_t runs = {0};
    for (int i = 0; i < count; i++)
        numbers[i] = encoding == 2 || encoding == 8 ? (uint64_t)(first + i) : (uint64_t)values[i].number;
    if (encoding == 2 || encoding == 8) {
        put_byte(out, 9);
        put_hybrid(out, numbers, count, 9);
    } else if (encoding == 3) {
        put_hybrid(&runs, numbers, count, 1);
        put_little(out, runs.count, 4);
        put(out, runs.at, runs.count);
    } else if (encoding == 5) {
        put_delta(out, (const int64_t *)numbers, count);
    } else if (encoding == 6 || encoding == 7) {
        put_lengths(out, values, count, encoding == 7);
    } else if (encoding == 9) {
        put_split(out, element, values, count);
    } else if (element->type == BOOLEAN) {
        put_bits(out, numbers, count, 1);
    } else {
        for (int i = 0; i < count; i++)
            put_plain(out, element, &values[i]);
    }
    mem_free(numbers);
    mem_free(runs.at);
}

/* ---- codecs ---- */

static void put_big(uint8_t *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t gzip(const bytes_t *raw, uint8_t *out, size_t room)
{
    z_stream zlib = {.next_in = raw->at, .avail_in = (uInt)raw->count, .next_out = out, .avail_out = (uInt)room};
    ASSERT(deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    ASSERT(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&zlib);
    return room - zlib.avail_out;
}

static void compress_page(const bytes_t *raw, int codec, bytes_t *out)
{
    size_t room = compress_bound(raw->count) + 1024;
    uint8_t *packed = MEM_ARRAY(uint8_t, room);
    if (codec == 1) {
        room = snappy_max_compressed_length(raw->count) > room ? 0 : room;
        ASSERT(snappy_compress((const char *)raw->at, raw->count, (char *)packed, &room) == SNAPPY_OK);
    } else if (codec == 2) {
        room = gzip(raw, packed, room);
    } else if (codec == 6) {
        compressor_t *compressor = compressor_create();
        room = compress_block(compressor, raw->at, raw->count, packed, room);
        compressor_destroy(&compressor);
    } else if (codec == 5) {
        const int n = LZ4_compress_default((const char *)raw->at, (char *)packed + 8, (int)raw->count, (int)room - 8);
        put_big(packed, raw->count);
        put_big(packed + 4, (size_t)n);
        room = (size_t)n + 8;
    } else if (codec == 7) {
        room = (size_t)LZ4_compress_default((const char *)raw->at, (char *)packed, (int)raw->count, (int)room);
    } else {
        memcpy(packed, raw->at, raw->count);
        room = raw->count;
    }
    put(out, packed, room);
    mem_free(packed);
}

/* ---- pages ---- */

static void put_page_head(bytes_t *out, int kind, size_t raw, const bytes_t *page, bool has_checksum, const bytes_t *described)
{
    int last = 0;
    put_i32(out, &last, 1, kind);
    put_i32(out, &last, 2, (int64_t)raw);
    put_i32(out, &last, 3, (int64_t)page->count);
    if (has_checksum)
        put_i32(out, &last, 4, (int32_t)crc32(0, page->at, (uInt)page->count));
    put_field(out, &last, kind == 0 ? 5 : kind == 2 ? 7 : 8, T_STRUCT);
    put(out, described->at, described->count);
    put_byte(out, 0);
}

static int bits_of(int most)
{
    int bits = 0;
    for (; most; most >>= 1)
        bits++;
    return bits;
}

static void put_levels(bytes_t *out, const made_column_t *column, int first, int count, bool is_definition)
{
    const int most = is_definition ? column->definition_most : column->repetition_most, width = bits_of(most);
    uint64_t *levels = MEM_ARRAY(uint64_t, count + 1);
    bytes_t runs = {0};
    for (int i = 0; i < count; i++)
        levels[i] = (uint64_t)(is_definition ? column->values[first + i].definition : column->values[first + i].repetition);
    if (most > 0 && column->is_old && !column->is_v2)
        put_old(out, levels, count, width);
    else if (most > 0)
        put_hybrid(&runs, levels, count, width);
    if (most > 0 && !column->is_old && !column->is_v2)
        put_little(out, runs.count, 4);
    put(out, runs.at, runs.count);
    mem_free(runs.at);
    mem_free(levels);
}

static void put_data_page(bytes_t *out, const made_element_t *element, const made_column_t *column, int first, int count,
                          int *valued)
{
    made_value_t *there = MEM_ARRAY(made_value_t, count + 1);
    bytes_t repetitions = {0}, definitions = {0}, raw = {0}, page = {0}, head = {0};
    int n = 0, last = 0;
    for (int i = 0; i < count; i++)
        if (column->values[first + i].definition == column->definition_most)
            there[n++] = column->values[first + i];
    put_levels(&repetitions, column, first, count, false);
    put_levels(&definitions, column, first, count, true);
    const size_t levels = repetitions.count + definitions.count;
    bytes_t *into = column->is_v2 ? &page : &raw;
    put(into, repetitions.at, repetitions.count);
    put(into, definitions.at, definitions.count);
    put_values(&raw, element, column->encoding, there, n, *valued);
    *valued += n;
    put(&raw, "", 0);
    compress_page(&raw, column->codec, &page);
    put_i32(&head, &last, 1, count);
    put_i32(&head, &last, 2, column->is_v2 ? count - n : column->encoding);
    put_i32(&head, &last, 3, column->is_v2 ? count : column->is_old ? 4 : 3);
    put_i32(&head, &last, 4, column->is_v2 ? column->encoding : column->is_old ? 4 : 3);
    if (column->is_v2) {
        put_i32(&head, &last, 5, (int64_t)definitions.count);
        put_i32(&head, &last, 6, (int64_t)repetitions.count);
    }
    put_byte(&head, 0);
    put_page_head(out, column->is_v2 ? 3 : 0, raw.count + (column->is_v2 ? levels : 0), &page, column->has_checksum, &head);
    put(out, page.at, page.count);
    mem_free(there);
    mem_free(repetitions.at);
    mem_free(definitions.at);
    mem_free(raw.at);
    mem_free(page.at);
    mem_free(head.at);
}

static void put_dictionary(bytes_t *out, const made_element_t *element, const made_column_t *column)
{
    bytes_t raw = {0}, page = {0}, head = {0};
    int n = 0, last = 0;
    for (int i = 0; i < column->count; i++)
        if (column->values[i].definition == column->definition_most) {
            put_plain(&raw, element, &column->values[i]);
            n++;
        }
    put(&raw, "", 0);
    compress_page(&raw, column->codec, &page);
    put_i32(&head, &last, 1, n);
    put_i32(&head, &last, 2, column->encoding == 2 ? 2 : 0);
    put_field(&head, &last, 3, T_FALSE);
    put_byte(&head, 0);
    put_page_head(out, 2, raw.count, &page, column->has_checksum, &head);
    put(out, page.at, page.count);
    mem_free(raw.at);
    mem_free(page.at);
    mem_free(head.at);
}

/* ---- the footer ---- */

static void put_logical(bytes_t *out, const made_element_t *element)
{
    int last = 0, inner = 0, unit = 0;
    put_field(out, &last, element->logical, T_STRUCT);
    if (element->logical == 5) {
        put_i32(out, &inner, 1, element->scale);
        put_i32(out, &inner, 2, 38);
    } else if (element->logical == 7 || element->logical == 8) {
        put_field(out, &inner, 1, T_TRUE);
        put_field(out, &inner, 2, T_STRUCT);
        put_field(out, &unit, element->unit, T_STRUCT);
        put_byte(out, 0);
        put_byte(out, 0);
    }
    put_byte(out, 0);
    put_byte(out, 0);
}

static void put_element(bytes_t *out, const made_element_t *element)
{
    int last = 0;
    if (element->type != MADE_GROUP)
        put_i32(out, &last, 1, element->type);
    if (element->width)
        put_i32(out, &last, 2, element->width);
    put_i32(out, &last, 3, element->repetition);
    put_text(out, &last, 4, element->name);
    if (element->children)
        put_i32(out, &last, 5, element->children);
    if (element->converted)
        put_i32(out, &last, 6, element->converted - 1);
    if (element->scale)
        put_i32(out, &last, 7, element->scale);
    if (element->logical) {
        put_field(out, &last, 10, T_STRUCT);
        put_logical(out, element);
    }
    put_byte(out, 0);
}

static void put_chunk(bytes_t *out, const made_element_t *element, const made_column_t *column, size_t first, size_t data,
                      size_t end)
{
    int last = 0, inner = 0;
    put_i64(out, &last, 2, (int64_t)first);
    put_field(out, &last, 3, T_STRUCT);
    put_i32(out, &inner, 1, element->type);
    put_list(out, &inner, 2, T_I32, 1);
    put_varint(out, zigzag(column->encoding));
    put_list(out, &inner, 3, T_BINARY, 1);
    put_varint(out, strlen(element->name));
    put(out, element->name, strlen(element->name));
    put_i32(out, &inner, 4, column->codec);
    put_i64(out, &inner, 5, column->count);
    put_i64(out, &inner, 6, (int64_t)(end - first));
    put_i64(out, &inner, 7, (int64_t)(end - first));
    put_i64(out, &inner, 9, (int64_t)data);
    if (data > first)
        put_i64(out, &inner, 11, (int64_t)first);
    put_byte(out, 0);
    if (column->is_encrypted) {
        put_field(out, &last, 8, T_STRUCT);
        put_byte(out, 0);
    }
    put_byte(out, 0);
}

static void put_group(bytes_t *out, bytes_t *chunks, const made_file_t *file)
{
    int leaf = 0;
    for (int c = 0; c < file->columns_count; c++, leaf++) {
        const made_column_t *column = &file->columns[c];
        while (file->elements[leaf].type == MADE_GROUP)
            leaf++;
        const made_element_t *element = &file->elements[leaf];
        const size_t first = out->count;
        int valued = 0;
        if (column->encoding == 2 || column->encoding == 8)
            put_dictionary(out, element, column);
        const size_t data = out->count;
        const int page = column->page_values ? column->page_values : column->count;
        for (int i = 0; i < column->count; i += page)
            put_data_page(out, element, column, i, column->count - i < page ? column->count - i : page, &valued);
        put_chunk(chunks, element, column, first, data, out->count);
    }
}

uint8_t *parquet_write(const made_file_t *file, size_t *bytes)
{
    bytes_t out = {0}, groups = {0}, footer = {0};
    const made_element_t root = {"schema", MADE_GROUP, 0, file->root_children, 0, 0, 0, 0, 0};
    int last = 0;
    put(&out, "PAR1", 4);
    for (int g = 0; g < file->groups; g++) {
        int inner = 0;
        bytes_t chunks = {0};
        put_group(&out, &chunks, file);
        put_list(&groups, &inner, 1, T_STRUCT, file->columns_count);
        put(&groups, chunks.at, chunks.count);
        put_i64(&groups, &inner, 2, 1);
        put_i64(&groups, &inner, 3, file->rows);
        put_byte(&groups, 0);
        mem_free(chunks.at);
    }
    put_i32(&footer, &last, 1, 1);
    put_list(&footer, &last, 2, T_STRUCT, file->elements_count + 1);
    put_element(&footer, &root);
    for (int i = 0; i < file->elements_count; i++)
        put_element(&footer, &file->elements[i]);
    put_i64(&footer, &last, 3, file->rows * file->groups);
    put_list(&footer, &last, 4, T_STRUCT, file->groups);
    put(&footer, groups.at, groups.count);
    put_text(&footer, &last, 6, "smelter's tests");
    put_byte(&footer, 0);
    put(&out, footer.at, footer.count);
    put_little(&out, footer.count, 4);
    put(&out, "PAR1", 4);
    mem_free(groups.at);
    mem_free(footer.at);
    *bytes = out.count;
    return out.at;
}
