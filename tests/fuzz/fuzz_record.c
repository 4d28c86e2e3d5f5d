/* Records of a dataset: what is around each of them (stored_record.h), the three that describe the whole, and those of the
 * texts of its values.
 *
 *     u8 kind {0: stored, 1: meta, 2: origin, 3: census, 4: texts, 5: index of texts}, u8 {bit 0: make its hashes right},
 *     the record                                                                                                         */
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/data/dataset_meta.h"
#include "common/data/stored_record.h"
#include "common/texts/kept_texts.h"
#include "tests/fuzz/harness.h"

#define RECORD_MOST 8192
enum { KIND_STORED, KIND_META, KIND_ORIGIN, KIND_CENSUS, KIND_TEXTS, KIND_INDEX, KINDS };

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* The head's own hash, and of what is not compressed, that of the bytes. */
static void mend_stored(uint8_t *data, size_t bytes)
{
    uint32_t compressed;
    if (bytes < STORED_RECORD_HEAD_BYTES)
        return;
    memcpy(&compressed, data + 4, sizeof compressed);
    if (!compressed)
        put_u64(data + 24, hash64(data + STORED_RECORD_HEAD_BYTES, bytes - STORED_RECORD_HEAD_BYTES, 0));
    put_u64(data + 32, hash64(data, 32, 0));
}

/* The content hash follows what it covers, which ends behind the fields: 10 numbers, and of each a name and 4 numbers. */
static void mend_meta(uint8_t *data, size_t bytes)
{
    record_reader_t in = {.at = data, .bytes = bytes};
    record_take(&in, 2, sizeof(uint64_t));
    const uint64_t fields = record_take_u64(&in);
    record_take(&in, 7, sizeof(uint64_t));
    for (uint64_t f = 0; !in.bad && f < fields; f++) {
        const uint64_t name = record_take_u64(&in);
        record_take(&in, name, 1);
        record_take(&in, 4, sizeof(uint64_t));
    }
    if (!in.bad && bytes - in.next >= sizeof(uint64_t))
        put_u64(data + in.next, hash64(data, in.next, 0));
}

static compressor_t *compressor(void)
{
    static compressor_t *made;
    if (!made)
        made = compressor_create();
    return made;
}

static void run_stored(const uint8_t *data, size_t bytes)
{
    record_t raw = {0};
    const stored_record_state_t state = stored_record_unpack(data, bytes, &raw);
    if (state == STORED_RECORD_GOOD) {
        record_t again = {0}, back = {0};
        stored_record_pack(&raw, compressor(), &again);
        ASSERT(stored_record_unpack(again.at, again.bytes, &back) == STORED_RECORD_GOOD && back.bytes == raw.bytes);
        record_fini(&again);
        record_fini(&back);
    }
    record_fini(&raw);
}

static void run_meta(const record_t *raw)
{
    dataset_meta_t meta = {0};
    if (!dataset_meta_decode(raw, &meta))
        return;
    const dataset_info_t *info = &meta.info;
    ASSERT(info->rows > 0 && info->train_rows + info->eval_rows == info->rows && info->eval_rows >= 0);
    ASSERT(info->numeric + info->single + info->multi == meta.count && dataset_meta_blocks(&meta) > 0);
    char text[64];
    for (int f = 0; f < meta.count; f++) {
        ASSERT(meta.top_count[f] >= 0 && meta.top_count[f] <= DATASET_TOP);
        dataset_meta_value_text(&meta, f, meta.top[f][0].key, text, sizeof text);
        dataset_meta_number(&meta.fields[f], 1.0f);
        field_rules_difference(&meta.fields[f].rules, &meta.fields[0].rules);
    }
    record_t again = {0};
    dataset_meta_t back = {0};
    dataset_meta_encode(&meta, &again);
    const bool same = dataset_meta_decode(&again, &back);
    ASSERT(same && back.count == meta.count && back.info.content_hash == info->content_hash);
    record_fini(&again);
    dataset_meta_fini(&back);
    dataset_meta_fini(&meta);
}

static void run_origin(const record_t *raw)
{
    origin_t origin = {0};
    if (origin_decode(raw, &origin)) {
        origin_t copy = origin_copy(&origin);
        ASSERT(origin.kind < ORIGIN_KINDS && copy.input && copy.schema && copy.settings);
        origin_fini(&copy);
    }
    origin_fini(&origin);
}

static void run_census(const record_t *raw)
{
    census_t census = {0};
    day_list_t days;
    if (day_list_decode(raw, &days)) {
        record_t again = {0};
        day_list_encode(&days, &again);
        ASSERT(again.bytes <= raw->bytes && day_list_find(&days, 1) < days.n);
        record_fini(&again);
    }
    day_list_fini(&days);
    if (census_decode(raw, &census)) {
        ASSERT(census.is_recorded && census.unit < TIME_UNITS);
        for (int64_t position = 0; position < 4; position++)
            census_input_row(&census, position);
    }
    census_fini(&census);
}

static void run_texts(const record_t *raw)
{
    kept_table_t table;
    if (kept_table_read(raw, &table)) {
        ASSERT(table.n <= raw->bytes);
        for (uint64_t i = 0; i < table.n; i++) {
            const int64_t found = kept_table_find(&table, table.key[i]);
            ASSERT(found >= 0 && table.key[found] == table.key[i] && table.at[i] <= table.at[i + 1]);
            ASSERT((const uint8_t *)table.text + table.at[i + 1] <= raw->at + raw->bytes);
        }
    }
    kept_table_fini(&table);
}

static void run_index(const record_t *raw)
{
    kept_index_t index, back;
    record_t again = {0};
    const uint64_t end =
        raw->bytes >= 8 ? *(const uint64_t *)(const void *)raw->at : 0; /* its number of texts, as good as any */
    if (kept_index_decode(raw, end, &index)) {
        kept_index_encode(&index, &again);
        const bool same = kept_index_decode(&again, end, &back);
        ASSERT(same && back.n == index.n && kept_index_values(&back).kept == kept_index_values(&index).kept);
        kept_index_fini(&back);
    }
    kept_index_fini(&index);
    record_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const int kind = fuzz_byte(&in) % KINDS;
    const bool mends = fuzz_byte(&in) & 1;
    size_t bytes;
    uint8_t *copy = fuzz_rest(&in, RECORD_MOST, &bytes);
    const record_t raw = {.at = copy, .bytes = bytes, .capacity = bytes};
    if (mends && kind == KIND_STORED)
        mend_stored(copy, bytes);
    if (mends && kind == KIND_META)
        mend_meta(copy, bytes);
    switch (kind) {
    case KIND_STORED:
        run_stored(copy, bytes);
        break;
    case KIND_META:
        run_meta(&raw);
        break;
    case KIND_ORIGIN:
        run_origin(&raw);
        break;
    case KIND_CENSUS:
        run_census(&raw);
        break;
    case KIND_TEXTS:
        run_texts(&raw);
        break;
    default:
        run_index(&raw);
        break;
    }
    mem_free(copy);
    return 0;
}

static void seed(const char *name, int kind, const record_t *record)
{
    const uint8_t head[] = {(uint8_t)kind, 1};
    fuzz_seed_with(name, head, sizeof head, record->at, record->bytes);
}

static void seed_meta(record_t *out)
{
    dataset_field_t fields[3] = {{.name = "age", .kind = COLUMN_NUMERIC, .scale = 0.5, .mean = 3},
                                 {.name = "city", .kind = COLUMN_CATEGORICAL},
                                 {.name = "words", .kind = COLUMN_MULTI, .pooling = POOLING_MEAN}};
    for (int f = 0; f < 3; f++)
        fields[f].rules = field_rules_libsvm();
    dataset_meta_t meta;
    dataset_meta_init(&meta, fields, 3);
    meta.info.rows = 9000;
    meta.info.train_rows = 8000;
    meta.info.has_time = true;
    meta.prefix_split = true;
    meta.top_count[1] = 1;
    meta.top[1][0].key = 5;
    meta.top[1][0].named = true;
    strcpy(meta.top[1][0].text, "Bern");
    meta.info.content_hash = dataset_meta_hash(&meta);
    dataset_meta_encode(&meta, out);
    dataset_meta_fini(&meta);
}

static void seed_texts(void)
{
    static const uint8_t lengths[] = {1, 4};
    record_t texts = {0};
    record_put_u64(&texts, 2);
    record_put_u64(&texts, 1);
    record_put_u64(&texts, 42);
    record_put(&texts, lengths, sizeof lengths);
    record_put(&texts, "aBern", 5);
    seed("texts", KIND_TEXTS, &texts);
    record_fini(&texts);
    kept_count_t field = {2, 0};
    kept_piece_t pieces[] = {{8, 50, 0, 255}, {58, 42, 7, 7}};
    const kept_index_t index = {
        .bytes = 100, .most = 100, .field_most = 50, .fields = &field, .count = 1, .pieces = pieces, .n = 2};
    kept_index_encode(&index, &texts);
    seed("texts-index", KIND_INDEX, &texts);
    record_fini(&texts);
}

void fuzz_seeds(void)
{
    record_t meta = {0}, other = {0}, stored = {0};
    seed_meta(&meta);
    seed("meta", KIND_META, &meta);
    stored_record_pack(&meta, NULL, &stored);
    seed("stored", KIND_STORED, &stored);
    stored_record_pack(&meta, compressor(), &stored);
    seed("stored-zstd", KIND_STORED, &stored);
    const origin_t origin = {
        .kind = ORIGIN_IMPORT, .input = "/data/a.csv", .is_file = true, .schema = "s", .settings = "x: 1\n"};
    origin_encode(&origin, &other);
    seed("origin", KIND_ORIGIN, &other);
    record_fini(&other);
    census_t census = {.is_recorded = true, .first_descent = -1};
    census_row(&census, 0, 1);
    census_row(&census, 1, 3);
    census_encode(&census, &other);
    seed("census", KIND_CENSUS, &other);
    census_fini(&census);
    record_fini(&other);
    seed_texts();
    record_fini(&stored);
    record_fini(&meta);
}
