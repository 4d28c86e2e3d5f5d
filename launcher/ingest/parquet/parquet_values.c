#include "launcher/ingest/parquet/parquet_values.h"

#include <string.h>

#include "common/base/memory.h"

static const char runs_out[] = "there are fewer values in the page than it says";
static const char bad_length[] = "the length of a value is negative or larger than the page";
static const char no_encoding[] = "its values are in an encoding that its type has not, or that is not known here";

static const int32_t plain_width[PARQUET_TYPES] = {
    [PARQUET_INT32] = 4, [PARQUET_INT64] = 8, [PARQUET_INT96] = 12, [PARQUET_FLOAT] = 4, [PARQUET_DOUBLE] = 8};

static bool is_whole(int32_t type)
{
    return type == PARQUET_INT32 || type == PARQUET_INT64;
}

static bool is_bytes(int32_t type)
{
    return type == PARQUET_BYTES || type == PARQUET_FIXED;
}

/* ---- start ---- */

static const char *open_deltas(delta_packed_t *deltas, const uint8_t *bytes, size_t count, int32_t most)
{
    const char *fault = delta_packed_open(deltas, bytes, count);
    return !fault && deltas->count > (uint64_t)most ? "there are more values in the page than it says" : fault;
}

/* Lengths, and behind them what they are of. */
static const char *start_lengths(parquet_values_t *values, const uint8_t *bytes, size_t count)
{
    uint64_t total;
    const uint8_t *at;
    delta_packed_t scan;
    const char *fault = open_deltas(&scan, bytes, count, values->most);
    values->deltas = scan;
    if (!fault)
        fault = delta_packed_pass(&scan, &at, &total);
    if (fault)
        return fault;
    if (total > (uint64_t)(bytes + count - at))
        return bad_length;
    values->at = at;
    return NULL;
}

/* How much of each value is that of the value before it, and then the rest of each. */
static const char *start_prefixes(parquet_values_t *values, const uint8_t *bytes, size_t count)
{
    uint64_t total;
    const uint8_t *at;
    delta_packed_t scan;
    const char *fault = open_deltas(&scan, bytes, count, values->most);
    values->prefixes = scan;
    values->joined_bytes = 0;
    if (!fault)
        fault = delta_packed_pass(&scan, &at, &total);
    return fault ? fault : start_lengths(values, at, (size_t)(bytes + count - at));
}

static const char *start_index(parquet_values_t *values, const uint8_t *bytes, size_t count)
{
    values->is_index = true;
    if (count == 0) { /* nothing but nulls */
        values->runs = bit_run_hybrid(bytes, 0, 0);
        return NULL;
    }
    if (bytes[0] > 32)
        return "the indices into its dictionary have more than 32 bits";
    values->runs = bit_run_hybrid(bytes + 1, count - 1, bytes[0]);
    return NULL;
}

static const char *start_booleans(parquet_values_t *values, const uint8_t *bytes, size_t count)
{
    if (count == 0) {
        values->runs = bit_run_hybrid(bytes, 0, 1);
        return NULL;
    }
    if (count < 4)
        return runs_out;
    const size_t length = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    if (length > count - 4)
        return "its runs are longer than the page";
    values->runs = bit_run_hybrid(bytes + 4, length, 1);
    return NULL;
}

static const char *start_split(parquet_values_t *values, size_t count, int32_t most)
{
    values->count = count / (size_t)values->width;
    return count % (size_t)values->width || values->count > (uint64_t)most ? "its bytes are not as many as its values have"
                                                                           : NULL;
}

const char *parquet_values_start(parquet_values_t *values, const parquet_element_t *element, int32_t encoding,
                                 const uint8_t *bytes, size_t count, int32_t most)
{
    const int32_t type = element->type;
    values->type = type;
    values->encoding = encoding;
    values->width = type == PARQUET_FIXED ? element->width : plain_width[type];
    values->is_index = false;
    values->most = most;
    values->at = bytes;
    values->end = bytes + count;
    values->next = 0;
    values->batch_next = values->batch_end = 0;
    values->deltas = values->prefixes = (delta_packed_t){0};
    if (count == 0 && encoding >= ENCODING_DELTA_PACKED && encoding <= ENCODING_DELTA_BYTES)
        return NULL; /* nothing but nulls */
    switch (encoding) {
    case ENCODING_PLAIN:
        return NULL;
    case ENCODING_PLAIN_DICTIONARY:
    case ENCODING_RLE_DICTIONARY:
        return type == PARQUET_BOOLEAN ? no_encoding : start_index(values, bytes, count);
    case ENCODING_RLE:
        return type == PARQUET_BOOLEAN ? start_booleans(values, bytes, count) : no_encoding;
    case ENCODING_DELTA_PACKED:
        return is_whole(type) ? open_deltas(&values->deltas, bytes, count, most) : no_encoding;
    case ENCODING_DELTA_LENGTH:
        return type == PARQUET_BYTES ? start_lengths(values, bytes, count) : no_encoding;
    case ENCODING_DELTA_BYTES:
        return is_bytes(type) ? start_prefixes(values, bytes, count) : no_encoding;
    case ENCODING_STREAM_SPLIT:
        return values->width && type != PARQUET_INT96 ? start_split(values, count, most) : no_encoding;
    default:
        return no_encoding;
    }
}

void parquet_values_fini(parquet_values_t *values)
{
    mem_free(values->joined);
    values->joined = NULL;
    values->joined_capacity = 0;
}

/* ---- next ---- */

static const char *next_run(parquet_values_t *values, parquet_value_t *out)
{
    if (values->batch_next == values->batch_end) { /* as many as come along */
        const char *fault = bit_run_read(&values->runs, values->run_batch, 1);
        if (fault)
            return fault;
        values->batch_next = 0;
        values->batch_end = 1 + bit_run_take(&values->runs, values->run_batch + 1, PARQUET_VALUES_BATCH - 1);
    }
    out->number = values->run_batch[values->batch_next++];
    return NULL;
}

static const char *next_delta(parquet_values_t *values, int64_t *out)
{
    if (values->batch_next == values->batch_end) {
        const uint64_t left = values->deltas.left;
        const int n = left < PARQUET_VALUES_BATCH ? (int)left : PARQUET_VALUES_BATCH;
        if (n == 0)
            return runs_out;
        const char *fault = delta_packed_read(&values->deltas, values->delta_batch, n);
        if (fault)
            return fault;
        values->batch_next = 0;
        values->batch_end = n;
    }
    *out = values->delta_batch[values->batch_next++];
    return NULL;
}

static const char *take_bytes(parquet_values_t *values, int64_t bytes, parquet_value_t *out)
{
    if (bytes < 0 || bytes > values->end - values->at || bytes > INT32_MAX)
        return bad_length;
    out->at = values->at;
    out->bytes = (int32_t)bytes;
    values->at += bytes;
    return NULL;
}

static const char *next_joined(parquet_values_t *values, parquet_value_t *out)
{
    int64_t prefix, suffix;
    const char *fault = values->prefixes.left ? delta_packed_read(&values->prefixes, &prefix, 1) : runs_out;
    if (!fault)
        fault = next_delta(values, &suffix);
    if (!fault)
        fault = take_bytes(values, suffix, out);
    if (fault)
        return fault;
    if (prefix < 0 || (uint64_t)prefix > values->joined_bytes || prefix + suffix > INT32_MAX)
        return "a value begins like one that is shorter";
    values->joined_bytes = (size_t)(prefix + suffix);
    MEM_GROW(values->joined, values->joined_capacity, values->joined_bytes + 1);
    memcpy(values->joined + prefix, out->at, (size_t)suffix);
    out->at = values->joined;
    out->bytes = (int32_t)values->joined_bytes;
    return values->type == PARQUET_FIXED && out->bytes != values->width ? "a value has not the length that its column has"
                                                                        : NULL;
}

/* A number of this many bytes, with its sign where it is whole. */
static int64_t number_at(const uint8_t *at, int32_t type)
{
    int32_t small;
    int64_t large;
    if (type == PARQUET_INT64 || type == PARQUET_DOUBLE) {
        memcpy(&large, at, sizeof large);
        return large;
    }
    memcpy(&small, at, sizeof small);
    return small;
}

static const char *next_split(parquet_values_t *values, parquet_value_t *out)
{
    const size_t width = (size_t)values->width;
    if (values->next == values->count)
        return runs_out;
    MEM_GROW(values->joined, values->joined_capacity, width);
    for (size_t i = 0; i < width; i++)
        values->joined[i] = values->at[i * values->count + values->next];
    values->next++;
    out->at = values->joined;
    out->bytes = values->width;
    if (values->type != PARQUET_FIXED)
        out->number = number_at(out->at, values->type);
    return NULL;
}

static const char *next_plain(parquet_values_t *values, parquet_value_t *out)
{
    if (values->type == PARQUET_BOOLEAN) {
        if (values->next / 8 >= (uint64_t)(values->end - values->at))
            return runs_out;
        out->number = values->at[values->next / 8] >> values->next % 8 & 1;
        values->next++;
        return NULL;
    }
    if (values->width == 0) {
        uint32_t length;
        if ((size_t)(values->end - values->at) < sizeof length)
            return runs_out;
        memcpy(&length, values->at, sizeof length);
        values->at += sizeof length;
        return take_bytes(values, length, out);
    }
    if (values->end - values->at < values->width)
        return runs_out;
    out->at = values->at;
    out->bytes = values->width;
    values->at += values->width;
    if (values->type != PARQUET_FIXED && values->type != PARQUET_INT96)
        out->number = number_at(out->at, values->type);
    return NULL;
}

const char *parquet_values_next(parquet_values_t *values, parquet_value_t *out)
{
    int64_t number;
    const char *fault;
    switch (values->encoding) {
    case ENCODING_PLAIN:
        return next_plain(values, out);
    case ENCODING_DELTA_PACKED:
        fault = next_delta(values, &number);
        out->number = fault ? 0 : values->type == PARQUET_INT32 ? (int32_t)number : number;
        return fault;
    case ENCODING_DELTA_LENGTH:
        fault = next_delta(values, &number);
        return fault ? fault : take_bytes(values, number, out);
    case ENCODING_DELTA_BYTES:
        return next_joined(values, out);
    case ENCODING_STREAM_SPLIT:
        return next_split(values, out);
    default:
        return next_run(values, out);
    }
}
