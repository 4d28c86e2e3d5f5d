#include "launcher/ingest/parquet/parquet_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/gzip.h"
#include "common/base/memory.h"
#include "launcher/ingest/parquet/parquet_codec.h"
#include "launcher/ingest/parquet/thrift_compact.h"

#ifndef PARQUET_READ_BYTES
#define PARQUET_READ_BYTES (64u << 10) /* read at once, at least */
#endif
#define HEAD_MOST (16u << 20) /* a page's head may have statistics with values of any length */

#define VALUES_MOST (1 << 27)

typedef struct page_head {
    parquet_page_t page;
    int32_t raw_bytes, packed_bytes;
    uint32_t checksum;
    bool has_checksum, has_levels, is_packed;
} page_head_t;

status_t parquet_pages_damaged(const parquet_pages_t *pages, const char *why)
{
    return FAIL(ST_INPUT, "%s: column %s: damaged before byte %" PRId64 " of the file: %s; fetch or write it again",
                pages->path, pages->column, pages->at, why);
}

status_t parquet_pages_start(parquet_pages_t *pages, const parquet_chunk_t *chunk, const parquet_column_t *column, int64_t end)
{
    pages->column = column->name;
    pages->codec = chunk->codec;
    pages->at = chunk->first;
    pages->end = end;
    if (chunk->is_encrypted)
        return FAIL(ST_INPUT, "%s: column %s is encrypted, which is not read; write it without encryption", pages->path,
                    column->name);
    if (chunk->is_elsewhere)
        return FAIL(ST_INPUT, "%s: column %s is in another file, which is not read; write the columns into one file",
                    pages->path, column->name);
    if (!chunk->is_described || chunk->type != column->element->type)
        return parquet_pages_damaged(pages, "the footer does not say what its pages are");
    const char *refusal = parquet_codec_refusal(chunk->codec);
    if (refusal)
        return FAIL(ST_INPUT, "%s: column %s is %s", pages->path, column->name, refusal);
    if (chunk->values < 0 || chunk->first < PARQUET_MAGIC_BYTES || chunk->first > end)
        return parquet_pages_damaged(pages, "the footer says that its pages are outside of the file");
    return ST_OK;
}

void parquet_pages_fini(parquet_pages_t *pages)
{
    mem_free(pages->file);
    mem_free(pages->raw);
    pages->file = pages->raw = NULL;
    pages->file_capacity = pages->raw_capacity = 0;
}

/* Bytes of the file from `at` on: at least `bytes`, which are there, and more where they come along. */
static status_t fetch(parquet_pages_t *pages, int64_t at, size_t bytes, const uint8_t **out, size_t *there)
{
    const int64_t from = at - pages->file_at;
    if (!pages->file || from < 0 || from > (int64_t)pages->file_bytes || pages->file_bytes - (size_t)from < bytes) {
        const size_t left = (size_t)(pages->end - at);
        const size_t want = bytes > PARQUET_READ_BYTES ? bytes : PARQUET_READ_BYTES < left ? PARQUET_READ_BYTES : left;
        MEM_GROW(pages->file, pages->file_capacity, want + 1);
        pages->file_bytes = 0;
        TRY(parquet_read_at(pages->fd, pages->path, at, pages->file, want));
        pages->file_at = at;
        pages->file_bytes = want;
    }
    *out = pages->file + (at - pages->file_at);
    *there = pages->file_bytes - (size_t)(at - pages->file_at);
    return ST_OK;
}

/* ---- heads ---- */

/* Of a data page, or of a dictionary, which begins alike. */
static void read_data_head(thrift_t *thrift, parquet_page_t *page)
{
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1)
            page->values = thrift_int32(thrift, &field);
        else if (field.id == 2)
            page->encoding = thrift_int32(thrift, &field);
        else if (field.id == 3 && page->kind == PAGE_DATA)
            page->definition_encoding = thrift_int32(thrift, &field);
        else if (field.id == 4 && page->kind == PAGE_DATA)
            page->repetition_encoding = thrift_int32(thrift, &field);
        else
            thrift_skip(thrift, &field);
}

static void read_data_v2_head(thrift_t *thrift, page_head_t *head)
{
    parquet_page_t *page = &head->page;
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1)
            page->values = thrift_int32(thrift, &field);
        else if (field.id == 4)
            page->encoding = thrift_int32(thrift, &field);
        else if (field.id == 5)
            page->definition_bytes = thrift_int32(thrift, &field);
        else if (field.id == 6)
            page->repetition_bytes = thrift_int32(thrift, &field);
        else if (field.id == 7)
            head->is_packed = thrift_bool(thrift, &field);
        else
            thrift_skip(thrift, &field);
}

static void read_described(thrift_t *thrift, const thrift_field_t *field, page_head_t *head)
{
    static const parquet_page_kind_t kinds[] = {[5] = PAGE_DATA, [6] = PAGE_INDEX, [7] = PAGE_DICTIONARY, [8] = PAGE_DATA_V2};
    if (field->id == 6 || head->has_levels || (int32_t)kinds[field->id] != head->page.kind) {
        thrift_skip(thrift, field);
        return;
    }
    thrift_struct(thrift, field);
    head->has_levels = true;
    if (field->id == 8)
        read_data_v2_head(thrift, head);
    else
        read_data_head(thrift, &head->page);
}

static void read_head(thrift_t *thrift, page_head_t *head)
{
    *head = (page_head_t){.page = {.kind = -1, .definition_encoding = ENCODING_RLE, .repetition_encoding = ENCODING_RLE},
                          .raw_bytes = -1,
                          .packed_bytes = -1,
                          .is_packed = true};
    for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
        if (field.id == 1) {
            head->page.kind = thrift_int32(thrift, &field);
        } else if (field.id == 2) {
            head->raw_bytes = thrift_int32(thrift, &field);
        } else if (field.id == 3) {
            head->packed_bytes = thrift_int32(thrift, &field);
        } else if (field.id == 4) {
            head->checksum = (uint32_t)thrift_int32(thrift, &field);
            head->has_checksum = true;
        } else if (field.id >= 5 && field.id <= 8) {
            read_described(thrift, &field, head);
        } else {
            thrift_skip(thrift, &field);
        }
}

static status_t fetch_head(parquet_pages_t *pages, page_head_t *head)
{
    for (size_t want = 1;; want *= 4) {
        const uint8_t *bytes;
        size_t there;
        const size_t left = (size_t)(pages->end - pages->at);
        if (left == 0)
            return parquet_pages_damaged(pages, "its pages end before its values do");
        TRY(fetch(pages, pages->at, want < left ? want : left, &bytes, &there));
        thrift_t thrift = thrift_init(bytes, there);
        read_head(&thrift, head);
        if (!thrift.fault) {
            pages->at += thrift.at - bytes;
            return ST_OK;
        }
        if (!thrift.is_short || there >= left || there >= HEAD_MOST) {
            char why[160];
            snprintf(why, sizeof why, "the head of a page: %s", thrift.fault);
            return parquet_pages_damaged(pages, why);
        }
        want = there;
    }
}

static const char *fault_of(const page_head_t *head, int64_t left)
{
    const parquet_page_t *page = &head->page;
    if (head->raw_bytes < 0 || head->packed_bytes < 0 || head->packed_bytes > left)
        return "a page has a size that cannot be";
    if (page->kind != PAGE_DATA && page->kind != PAGE_DICTIONARY && page->kind != PAGE_DATA_V2)
        return NULL;
    if (!head->has_levels || page->values < 0)
        return "a page does not say how many values it has";
    if (page->values > VALUES_MOST)
        return "a page has more than 134,217,728 values";
    if (page->definition_bytes < 0 || page->repetition_bytes < 0 ||
        (int64_t)page->definition_bytes + page->repetition_bytes > head->raw_bytes ||
        (int64_t)page->definition_bytes + page->repetition_bytes > head->packed_bytes)
        return "a page is smaller than the levels in it";
    return NULL;
}

/* ---- pages ---- */

/* The levels of a page of version 2 are not compressed. */
static const char *unpack(parquet_pages_t *pages, const page_head_t *head, const uint8_t *packed, parquet_page_t *page)
{
    const size_t levels = (size_t)page->definition_bytes + (size_t)page->repetition_bytes;
    const size_t raw_bytes = (size_t)head->raw_bytes, packed_bytes = (size_t)head->packed_bytes;
    page->count = raw_bytes;
    if (!head->is_packed || pages->codec == 0) {
        page->bytes = packed;
        return raw_bytes == packed_bytes ? NULL : "an uncompressed page has another size than it says";
    }
    if (raw_bytes - levels > parquet_codec_bound(pages->codec, packed_bytes - levels))
        return "a page would be larger than its bytes can become";
    MEM_GROW(pages->raw, pages->raw_capacity, levels + 1);
    memcpy(pages->raw, packed, levels);
    /* Nothing but nulls: some writers compress nothing, some leave nothing. */
    const bool is_good =
        raw_bytes == levels || parquet_codec_decode(pages->codec, packed + levels, packed_bytes - levels, &pages->raw,
                                                    &pages->raw_capacity, levels, raw_bytes - levels);
    page->bytes = pages->raw;
    return is_good ? NULL : "its compressed data is damaged";
}

status_t parquet_pages_next(parquet_pages_t *pages, parquet_page_t *page)
{
    page_head_t head = {0};
    const uint8_t *packed;
    size_t there;
    for (;;) {
        TRY(fetch_head(pages, &head));
        const char *fault = fault_of(&head, pages->end - pages->at);
        if (fault)
            return parquet_pages_damaged(pages, fault);
        if (head.page.kind == PAGE_DATA || head.page.kind == PAGE_DICTIONARY || head.page.kind == PAGE_DATA_V2)
            break;
        pages->at += head.packed_bytes;
    }
    TRY(fetch(pages, pages->at, (size_t)head.packed_bytes, &packed, &there));
    pages->at += head.packed_bytes;
    if (head.has_checksum && gzip_checksum(packed, (size_t)head.packed_bytes) != head.checksum)
        return parquet_pages_damaged(pages, "the checksum of a page is another than that of its bytes");
    *page = head.page;
    const char *fault = unpack(pages, &head, packed, page);
    return fault ? parquet_pages_damaged(pages, fault) : ST_OK;
}
