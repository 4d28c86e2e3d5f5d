/* thrift_compact.h - reads Thrift's compact protocol, in which Parquet keeps its footer and the heads of pages
 * (thrift-compact-protocol.md of Apache Thrift).
 *
 * What is wrong is remembered, and every later call yields nothing: a reader looks at `fault` once, at its end. No count is
 * believed: a list's items take a byte each at least. Not thread-safe. */
#ifndef SMELTER_THRIFT_COMPACT_H
#define SMELTER_THRIFT_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum thrift_type {
    THRIFT_STOP,
    THRIFT_TRUE,
    THRIFT_FALSE,
    THRIFT_BYTE,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_SET,
    THRIFT_MAP,
    THRIFT_STRUCT,
    THRIFT_UUID
} thrift_type_t;

typedef struct thrift {
    const uint8_t *at, *end;
    const char *fault; /* NULL, or what is wrong */
    bool is_short;     /* the fault is that the bytes end; with more of them it may be none */
} thrift_t;

/* A field of a struct; zeros before its first one. */
typedef struct thrift_field {
    int id;
    thrift_type_t type;
} thrift_field_t;

/* bytes are borrowed as long as the reader is used. */
thrift_t thrift_init(const void *bytes, size_t count);

/* thrift_next - the next field of the struct; false after its last one or a fault. Its value is read, or skipped, next. */
bool thrift_next(thrift_t *thrift, thrift_field_t *field);

int64_t thrift_int(thrift_t *thrift, const thrift_field_t *field);
int32_t thrift_int32(thrift_t *thrift, const thrift_field_t *field);
bool thrift_bool(thrift_t *thrift, const thrift_field_t *field);
const uint8_t *thrift_binary(thrift_t *thrift, const thrift_field_t *field, size_t *bytes);
/* thrift_struct - check that the field is one; its fields come next. */
void thrift_struct(thrift_t *thrift, const thrift_field_t *field);
/* thrift_list - number of items, which come next, all of this type. */
int64_t thrift_list(thrift_t *thrift, const thrift_field_t *field, thrift_type_t of);
void thrift_skip(thrift_t *thrift, const thrift_field_t *field);

#endif
