/* record.h - bytes of a stored record: a growing writer and a reader that never leaves its bounds.
 *
 * Little-endian, as every machine that the project supports. Arrays are aligned to 8 bytes, so that a record read into
 * aligned memory can be used in place.                                                                              */
#ifndef SMELTER_RECORD_H
#define SMELTER_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are stored little-endian");

/* Bytes of a record that no compressor can shrink. */
typedef struct record_part {
    size_t begin, end;
} record_part_t;

typedef struct record {
    uint8_t *at; /* **owned**; record_fini */
    size_t bytes, capacity;
    record_part_t *random; /* **owned**, [randoms], ascending */
    size_t randoms, randoms_capacity;
} record_t;

static inline void record_fini(record_t *record)
{
    mem_free(record->at);
    mem_free(record->random);
    *record = (record_t){0};
}

/* record_room - append room for an array, aligned to 8 bytes and zeroed; valid until the next append. */
static inline void *record_room(record_t *record, size_t bytes)
{
    const size_t start = (record->bytes + 7) & ~(size_t)7, end = (start + bytes + 7) & ~(size_t)7;
    MEM_GROW(record->at, record->capacity, end);
    memset(record->at + record->bytes, 0, end - record->bytes);
    record->bytes = end;
    return record->at + start;
}

static inline void record_put(record_t *record, const void *data, size_t bytes)
{
    void *room = record_room(record, bytes);
    if (bytes > 0)
        memcpy(room, data, bytes);
}

/* record_clear - nothing is in it; its storage is kept. */
static inline void record_clear(record_t *record)
{
    record->bytes = record->randoms = 0;
}

/* record_put_random - record_put of hashes and the like: a compressor need not try. It is told of parts that are worth it. */
static inline void record_put_random(record_t *record, const void *data, size_t bytes)
{
    enum { LEAST = 4096 };
    record_put(record, data, bytes);
    if (bytes < LEAST)
        return;
    MEM_GROW(record->random, record->randoms_capacity, record->randoms + 1);
    const size_t begin = record->bytes - ((bytes + 7) & ~(size_t)7);
    record->random[record->randoms++] = (record_part_t){begin, begin + bytes};
}

static inline void record_put_u64(record_t *record, uint64_t value)
{
    record_put(record, &value, sizeof value);
}

static inline void record_put_f64(record_t *record, double value)
{
    record_put(record, &value, sizeof value);
}

static inline void record_put_text(record_t *record, const char *text)
{
    const size_t bytes = strlen(text);
    record_put_u64(record, bytes);
    record_put(record, text, bytes);
}

typedef struct record_reader {
    const uint8_t *at; /* borrowed, 8-byte aligned */
    size_t bytes, next;
    bool bad; /* something was asked for that is not there; all further answers are zero */
} record_reader_t;

/* record_take - the next array of count elements, borrowed; NULL where the record is too short. */
static inline const void *record_take(record_reader_t *reader, uint64_t count, size_t size)
{
    size_t bytes;
    if (reader->bad || __builtin_mul_overflow(count, size, &bytes) || bytes > reader->bytes - reader->next) {
        reader->bad = true;
        return NULL;
    }
    const void *start = reader->at + reader->next;
    const size_t padded = (bytes + 7) & ~(size_t)7, left = reader->bytes - reader->next;
    reader->next += padded < left ? padded : left;
    return start;
}

static inline uint64_t record_take_u64(record_reader_t *reader)
{
    uint64_t value = 0;
    const void *at = record_take(reader, 1, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static inline double record_take_f64(record_reader_t *reader)
{
    double value = 0;
    const void *at = record_take(reader, 1, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

/* record_take_text - copy a text of at most capacity - 1 bytes; a longer one makes the reader bad. */
static inline void record_take_text(record_reader_t *reader, char *out, size_t capacity)
{
    const uint64_t bytes = record_take_u64(reader);
    const char *text = record_take(reader, bytes, 1);
    out[0] = 0;
    if (!text || bytes >= capacity) {
        reader->bad = true;
        return;
    }
    memcpy(out, text, bytes);
    out[bytes] = 0;
}

#endif
