#include "launcher/ingest/parquet/thrift_compact.h"

#define DEPTH_MOST 32 /* of what is skipped; Parquet's own structs are five deep */
#define VARINT_BITS 64

static void set_fault(thrift_t *thrift, const char *fault)
{
    if (!thrift->fault)
        thrift->fault = fault;
    thrift->at = thrift->end;
}

static void run_out(thrift_t *thrift)
{
    thrift->is_short = thrift->is_short || !thrift->fault;
    set_fault(thrift, "the bytes end in the middle of it");
}

thrift_t thrift_init(const void *bytes, size_t count)
{
    return (thrift_t){.at = bytes, .end = (const uint8_t *)bytes + count};
}

static uint8_t read_byte(thrift_t *thrift)
{
    if (thrift->at == thrift->end) {
        run_out(thrift);
        return 0;
    }
    return *thrift->at++;
}

static uint64_t read_varint(thrift_t *thrift)
{
    uint64_t value = 0;
    for (int shift = 0; shift < VARINT_BITS; shift += 7) {
        const uint8_t byte = read_byte(thrift);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    set_fault(thrift, "a number has more than 64 bits");
    return 0;
}

static int64_t read_zigzag(thrift_t *thrift)
{
    const uint64_t value = read_varint(thrift);
    return (int64_t)(value >> 1 ^ -(value & 1));
}

static void skip_bytes(thrift_t *thrift, uint64_t bytes)
{
    if (bytes > (uint64_t)(thrift->end - thrift->at))
        run_out(thrift);
    else
        thrift->at += bytes;
}

bool thrift_next(thrift_t *thrift, thrift_field_t *field)
{
    const uint8_t head = read_byte(thrift);
    const int delta = head >> 4;
    field->type = (thrift_type_t)(head & 15);
    if (thrift->fault || field->type == THRIFT_STOP)
        return false;
    if (field->type > THRIFT_UUID)
        set_fault(thrift, "a field is of a type that there is not");
    const int64_t id = delta ? field->id + delta : read_zigzag(thrift);
    if (id < INT16_MIN || id > INT16_MAX)
        set_fault(thrift, "the number of a field is out of range");
    field->id = (int)id;
    return !thrift->fault;
}

static bool is_of(thrift_t *thrift, const thrift_field_t *field, thrift_type_t type)
{
    if (field->type != type)
        set_fault(thrift, "a field is of another type than it should be");
    return !thrift->fault;
}

int64_t thrift_int(thrift_t *thrift, const thrift_field_t *field)
{
    if (field->type == THRIFT_BYTE)
        return (int8_t)read_byte(thrift);
    if (field->type != THRIFT_I16 && field->type != THRIFT_I32 && field->type != THRIFT_I64)
        set_fault(thrift, "a field is of another type than it should be");
    return thrift->fault ? 0 : read_zigzag(thrift);
}

int32_t thrift_int32(thrift_t *thrift, const thrift_field_t *field)
{
    const int64_t value = thrift_int(thrift, field);
    if (value < INT32_MIN || value > INT32_MAX) {
        set_fault(thrift, "a number is out of the range of 32 bits");
        return 0;
    }
    return (int32_t)value;
}

bool thrift_bool(thrift_t *thrift, const thrift_field_t *field)
{
    if (field->type != THRIFT_TRUE)
        (void)is_of(thrift, field, THRIFT_FALSE);
    return field->type == THRIFT_TRUE;
}

const uint8_t *thrift_binary(thrift_t *thrift, const thrift_field_t *field, size_t *bytes)
{
    *bytes = 0;
    if (!is_of(thrift, field, THRIFT_BINARY))
        return thrift->at;
    const uint64_t length = read_varint(thrift);
    const uint8_t *start = thrift->at;
    skip_bytes(thrift, length);
    *bytes = thrift->fault ? 0 : (size_t)length;
    return thrift->fault ? thrift->at : start;
}

void thrift_struct(thrift_t *thrift, const thrift_field_t *field)
{
    (void)is_of(thrift, field, THRIFT_STRUCT);
}

static uint64_t read_list_head(thrift_t *thrift, thrift_type_t *type)
{
    const uint8_t head = read_byte(thrift);
    const uint64_t count = head >> 4 == 15 ? read_varint(thrift) : head >> 4;
    *type = (thrift_type_t)(head & 15);
    if (count > (uint64_t)(thrift->end - thrift->at))
        run_out(thrift);
    return thrift->fault ? 0 : count;
}

int64_t thrift_list(thrift_t *thrift, const thrift_field_t *field, thrift_type_t of)
{
    thrift_type_t type;
    if (!is_of(thrift, field, THRIFT_LIST))
        return 0;
    const uint64_t count = read_list_head(thrift, &type);
    if (count > 0 && type != of)
        set_fault(thrift, "a list is of another type than it should be");
    return thrift->fault ? 0 : (int64_t)count;
}

static void skip_value(thrift_t *thrift, thrift_type_t type, bool is_item, int depth);

static void skip_items(thrift_t *thrift, uint64_t count, thrift_type_t type, thrift_type_t second, int depth)
{
    for (uint64_t i = 0; i < count && !thrift->fault; i++) {
        skip_value(thrift, type, true, depth);
        if (second != THRIFT_STOP)
            skip_value(thrift, second, true, depth);
    }
}

static void skip_map(thrift_t *thrift, int depth)
{
    const uint64_t count = read_varint(thrift);
    if (count == 0 || thrift->fault)
        return;
    const uint8_t types = read_byte(thrift);
    if ((types & 15) == THRIFT_STOP)
        set_fault(thrift, "a map is of a type that there is not");
    skip_items(thrift, count, (thrift_type_t)(types >> 4), (thrift_type_t)(types & 15), depth);
}

/* A boolean field has its value in its head, a boolean item a byte. */
static void skip_value(thrift_t *thrift, thrift_type_t type, bool is_item, int depth)
{
    thrift_type_t of;
    uint64_t count;
    if (depth == DEPTH_MOST)
        set_fault(thrift, "its structs are too deep");
    switch (thrift->fault ? THRIFT_STOP : type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        skip_bytes(thrift, is_item);
        break;
    case THRIFT_BYTE:
        skip_bytes(thrift, 1);
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        read_varint(thrift);
        break;
    case THRIFT_DOUBLE:
        skip_bytes(thrift, 8);
        break;
    case THRIFT_UUID:
        skip_bytes(thrift, 16);
        break;
    case THRIFT_BINARY:
        skip_bytes(thrift, read_varint(thrift));
        break;
    case THRIFT_LIST:
    case THRIFT_SET:
        count = read_list_head(thrift, &of);
        skip_items(thrift, count, of, THRIFT_STOP, depth + 1);
        break;
    case THRIFT_MAP:
        skip_map(thrift, depth + 1);
        break;
    case THRIFT_STRUCT:
        for (thrift_field_t field = {0}; thrift_next(thrift, &field);)
            skip_value(thrift, field.type, false, depth + 1);
        break;
    default:
        set_fault(thrift, "a value is of a type that there is not");
    }
}

void thrift_skip(thrift_t *thrift, const thrift_field_t *field)
{
    skip_value(thrift, field->type, false, 0);
}
