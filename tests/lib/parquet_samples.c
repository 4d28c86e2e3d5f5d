#include "tests/lib/parquet_samples.h"

#include "common/base/memory.h"

enum { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTES, FIXED };
enum { PLAIN, DICTIONARY_OLD = 2, RLE, DELTA = 5, DELTA_LENGTH, DELTA_BYTES, DICTIONARY, SPLIT };

#define ELEMENT(kind, ...) \
    { \
        .name = "v", .type = kind, __VA_ARGS__ \
    }
#define WHOLE \
    { \
        PLAIN, DELTA, DICTIONARY, SPLIT, -1 \
    }
#define FLOATING \
    { \
        PLAIN, DICTIONARY, SPLIT, -1 \
    }
#define N(number) \
    { \
        0, 0, number, "", 0 \
    }
#define T(text) \
    { \
        0, 0, 0, text, -1 \
    }
#define B(text) \
    { \
        0, 0, 0, text, sizeof(text) - 1 \
    }

const parquet_sample_t parquet_samples[] = {
    {"boolean", ELEMENT(BOOLEAN, ), {PLAIN, RLE, -1}, {N(1), N(0), N(0), N(1)}, {"true", "false", "false", "true"}, 4},
    {"int32", ELEMENT(INT32, ), WHOLE, {N(0), N(-1), N(INT32_MAX), N(INT32_MIN)}, {"0", "-1", "2147483647", "-2147483648"}, 4},
    {"int8", ELEMENT(INT32, .converted = MADE_CONVERTED(15)), WHOLE, {N(-128), N(127)}, {"-128", "127"}, 2},
    {"uint32", ELEMENT(INT32, .converted = MADE_CONVERTED(13)), WHOLE, {N(-1), N(7)}, {"4294967295", "7"}, 2},
    {"uint64",
     ELEMENT(INT64, .converted = MADE_CONVERTED(14)),
     WHOLE,
     {N(-1), N(5), N(INT64_MIN)},
     {"18446744073709551615", "5", "9223372036854775808"},
     3},
    {"int64",
     ELEMENT(INT64, ),
     WHOLE,
     {N(INT64_MIN), N(INT64_MAX), N(0), N(-7)},
     {"-9223372036854775808", "9223372036854775807", "0", "-7"},
     4},
    {"date",
     ELEMENT(INT32, .converted = MADE_CONVERTED(6)),
     WHOLE,
     {N(0), N(-1), N(16966)},
     {"1970-01-01", "1969-12-31", "2016-06-14"},
     3},
    {"time", ELEMENT(INT32, .converted = MADE_CONVERTED(7)), WHOLE, {N(14779061), N(0)}, {"04:06:19.061", "00:00:00"}, 2},
    {"millis",
     ELEMENT(INT64, .converted = MADE_CONVERTED(9)),
     WHOLE,
     {N(1465877179061), N(-1), N(0)},
     {"2016-06-14 04:06:19.061", "1969-12-31 23:59:59.999", "1970-01-01 00:00:00"},
     3},
    {"micros", ELEMENT(INT64, .converted = MADE_CONVERTED(10)), WHOLE, {N(1465877179061000)}, {"2016-06-14 04:06:19.061"}, 1},
    {"nanos",
     ELEMENT(INT64, .logical = 8, .unit = 3),
     WHOLE,
     {N(1465877179061000001), N(INT64_MIN)},
     {"2016-06-14 04:06:19.061000001", "1677-09-21 00:12:43.145224192"},
     2},
    {"wild_millis", ELEMENT(INT64, .converted = MADE_CONVERTED(9)), WHOLE, {N(253402300800000)}, {"+10000-01-01 00:00:00"}, 1},
    {"int96", ELEMENT(INT96, ), {PLAIN, DICTIONARY, -1}, {B("\0\0\0\0\0\0\0\0\x8c\x3d\x25\0")}, {"1970-01-01 00:00:00"}, 1},
    {"decimal4",
     ELEMENT(INT32, .converted = MADE_CONVERTED(5), .scale = 2),
     WHOLE,
     {N(125), N(-5), N(0)},
     {"1.25", "-0.05", "0.00"},
     3},
    {"decimal8", ELEMENT(INT64, .logical = 5, .scale = 4), WHOLE, {N(12500)}, {"1.2500"}, 1},
    {"decimal_fixed",
     ELEMENT(FIXED, .converted = MADE_CONVERTED(5), .scale = 3, .width = 9),
     {PLAIN, DICTIONARY, SPLIT, DELTA_BYTES, -1},
     {B("\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), B("\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
     {"2361183241434822606.847", "-0.001"},
     2},
    {"decimal_bytes",
     ELEMENT(BYTES, .converted = MADE_CONVERTED(5), .scale = 0),
     {PLAIN, -1},
     {B("\x01\x00"), B("")},
     {"256", "0"},
     2},
    {"float",
     ELEMENT(FLOAT, ),
     FLOATING,
     {N(0x3dcccccd), N(0x41a00000), N(0x7fc00000), N(0x4b800000), N(0x501502f9)},
     {"0.1", "20.0", "", "16777216.0", "10000000000.0"},
     5},
    {"double",
     ELEMENT(DOUBLE, ),
     FLOATING,
     {N(0x3fb999999999999a), N(0x4341c37937e08000), N(0x3fd5555555555555), N(0x3ee4f8b588e368f1), N(INT64_MIN),
      N(0x7ff0000000000000), N(0x3ff8000000000000)},
     {"0.1", "1e+16", "0.3333333333333333", "1e-05", "-0.0", "inf", "1.5"},
     7},
    {"half", ELEMENT(FIXED, .logical = 15, .width = 2), {PLAIN, SPLIT, -1}, {B("\x66\x40"), B("\0\x3c")}, {"2.2", "1.0"}, 2},
    {"uuid",
     ELEMENT(FIXED, .logical = 14, .width = 16),
     {PLAIN, DICTIONARY, -1},
     {B("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00")},
     {"123e4567-e89b-12d3-a456-426614174000"},
     1},
    {"text",
     ELEMENT(BYTES, .converted = MADE_CONVERTED(0)),
     {PLAIN, DICTIONARY_OLD, DELTA_LENGTH, DELTA_BYTES, -1},
     {T("apple"), T("apples"), T(""), T("ap|e"), T("\"q\", x"), T("apple")},
     {"apple", "apples", "", "ap|e", "\"q\", x", "apple"},
     6},
    {"fixed", ELEMENT(FIXED, .width = 3), {PLAIN, DICTIONARY, DELTA_BYTES, SPLIT, -1}, {T("abc"), T("abd")}, {"abc", "abd"}, 2},
};
const int parquet_samples_count = sizeof parquet_samples / sizeof *parquet_samples;

uint8_t *parquet_sample_file(const parquet_sample_t *sample, int encoding, int codec, bool is_v2, bool is_optional, int repeats,
                             size_t *bytes)
{
    const int rows = sample->count * repeats;
    made_value_t *values = MEM_ARRAY(made_value_t, rows);
    made_element_t element = sample->element;
    element.repetition = is_optional;
    for (int i = 0; i < rows; i++) {
        values[i] = sample->values[i % sample->count];
        values[i].definition = is_optional && i % 3 != 2;
    }
    const made_column_t column = {values, rows,       is_optional, 0,     encoding,          codec,
                                  is_v2,  codec == 0, true,        false, rows > 20 ? 13 : 0};
    const made_file_t file = {&element, 1, 1, &column, 1, rows, 2};
    uint8_t *made = parquet_write(&file, bytes);
    mem_free(values);
    return made;
}

/* tags: ["a", null, "b|c"], [], null */
uint8_t *parquet_nested_file(int layers, int codec, bool is_v2, size_t *bytes)
{
#define GROUP(name, repetition, children, converted) \
    { \
        name, MADE_GROUP, repetition, children, converted, 0, 0, 0, 0 \
    }
#define LEAF(name, type, repetition, converted) \
    { \
        name, type, repetition, 0, converted, 0, 0, 0, 0 \
    }
    static const made_value_t labels[] = {N(1), N(0), N(1)};
    static const made_value_t three[] = {
        {3, 0, 0, "a", -1}, {2, 1, 0, "", 0}, {3, 1, 0, "b|c", -1}, {1, 0, 0, "", 0}, {0, 0, 0, "", 0}};
    static const made_value_t two[] = {{2, 0, 0, "a", -1}, {2, 1, 0, "b|c", -1}, {1, 0, 0, "", 0}, {0, 0, 0, "", 0}};
    static const made_value_t one[] = {{1, 0, 0, "a", -1}, {1, 1, 0, "b|c", -1}, {0, 0, 0, "", 0}, {0, 0, 0, "", 0}};
    static const made_value_t inner[] = {{2, 0, 7, "", 0}, {1, 0, 0, "", 0}, {0, 0, 0, "", 0}};
    static const made_value_t map[] = {{0, 0, 0, "", 0}, {0, 0, 0, "", 0}, {0, 0, 0, "", 0}};
    static const made_element_t lists[4][3] = {
        [1] = {LEAF("tags", BYTES, 2, MADE_CONVERTED(0))},
        [2] = {GROUP("tags", 1, 1, MADE_CONVERTED(3)), LEAF("array", BYTES, 2, MADE_CONVERTED(0))},
        [3] = {GROUP("tags", 1, 1, MADE_CONVERTED(3)), GROUP("list", 2, 1, 0), LEAF("element", BYTES, 1, MADE_CONVERTED(0))},
    };
    const made_element_t rest[] = {GROUP("s", 1, 1, 0),
                                   LEAF("x", INT64, 1, 0),
                                   GROUP("m", 1, 1, MADE_CONVERTED(1)),
                                   GROUP("key_value", 2, 2, 0),
                                   LEAF("key", BYTES, 0, MADE_CONVERTED(0)),
                                   LEAF("value", INT32, 1, 0)};
    made_element_t elements[16] = {LEAF("y", INT32, 0, 0)};
    int n = 1;
    for (int i = 0; i < layers; i++)
        elements[n++] = lists[layers][i];
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        elements[n++] = rest[i];
    const made_value_t *tags = layers == 3 ? three : layers == 2 ? two : one;
    const made_column_t columns[] = {{.values = labels, .count = 3, .codec = codec, .is_v2 = is_v2},
                                     {.values = tags,
                                      .count = layers == 3 ? 5 : 4,
                                      .definition_most = layers,
                                      .repetition_most = 1,
                                      .codec = codec,
                                      .is_v2 = is_v2,
                                      .is_old = layers == 2,
                                      .page_values = layers == 1 && !is_v2 ? 1 : 0},
                                     {.values = inner, .count = 3, .definition_most = 2, .codec = codec, .is_v2 = is_v2},
                                     {.values = map, .count = 3, .definition_most = 2, .repetition_most = 1, .codec = codec},
                                     {.values = map, .count = 3, .definition_most = 3, .repetition_most = 1, .codec = codec}};
    const made_file_t file = {elements, n, 4, columns, 5, 3, 1};
    return parquet_write(&file, bytes);
}
