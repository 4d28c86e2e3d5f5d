#include "common/data/dataset_meta.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/printable.h"
#include "common/math/real.h"

#define MAGIC 0x314154454d4d53ull /* "SMMETA1" */
#define VERSION 1
#define VERSION_EXTRAS \
    0x100                  /* beside the version: weights, several labels, rows without one; readers that know of none refuse */
#define VERSION_TEST 0x200 /* likewise: a test split */
#define EXTRA_WEIGHT 1
#define EXTRA_LACK 2
#define SECTION_LABELS 0x534c4542414cull    /* "LABELS" */
#define SECTION_RULES 0x53454c5552ull       /* "RULES" */
#define RULES_MOST 64                       /* kinds of rules that any version has */
#define FIELD_LEAST (11 * sizeof(uint64_t)) /* a field takes this many bytes of the record or more */
#define ROWS_MOST (UINT64_C(1) << 53)

void dataset_meta_init(dataset_meta_t *meta, const dataset_field_t *fields, int n)
{
    ASSERT(n >= 0);
    *meta = (dataset_meta_t){.count = n};
    meta->fields = MEM_ARRAY(dataset_field_t, n);
    meta->top = mem_alloc((size_t)n, sizeof *meta->top);
    meta->top_count = MEM_ARRAY(int, n);
    if (fields)
        memcpy(meta->fields, fields, (size_t)n * sizeof *fields);
    meta->info.fields = meta->fields;
    dataset_meta_labels(meta, 1);
}

void dataset_meta_labels(dataset_meta_t *meta, int n)
{
    mem_free(meta->label_of);
    meta->label_of = MEM_ARRAY(dataset_label_t, n);
    meta->info.label_of = meta->label_of;
    meta->info.labels = n;
}

void dataset_meta_fini(dataset_meta_t *meta)
{
    mem_free(meta->fields);
    mem_free(meta->label_of);
    mem_free(meta->top);
    mem_free(meta->top_count);
    *meta = (dataset_meta_t){0};
}

block_shape_t dataset_meta_shape(const dataset_meta_t *meta)
{
    const dataset_info_t *info = &meta->info;
    return (block_shape_t){info->numeric,    info->single,         info->multi,  info->has_group, info->has_time,
                           info->has_weight, info->may_lack_label, info->labels, info->label,     info->weight_mean};
}

int64_t dataset_meta_blocks(const dataset_meta_t *meta)
{
    return (meta->info.rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static void encode_extras(const dataset_meta_t *meta, record_t *out)
{
    const dataset_info_t *info = &meta->info;
    record_put_u64(out, (info->has_weight ? EXTRA_WEIGHT : 0) | (info->may_lack_label ? EXTRA_LACK : 0));
    record_put_f64(out, info->weight_mean);
    record_put_u64(out, (uint64_t)info->labels);
    for (int l = 0; l < info->labels; l++)
        record_put_text(out, meta->label_of[l].name);
}

/* The part of the record that the content hash covers. */
static void encode_content(const dataset_meta_t *meta, record_t *out)
{
    const dataset_info_t *info = &meta->info;
    record_put_u64(out, MAGIC);
    const uint64_t extras = meta->has_extras ? VERSION_EXTRAS : 0, test = info->test_rows ? VERSION_TEST : 0;
    record_put_u64(out, VERSION | extras | test);
    record_put_u64(out, (uint64_t)meta->count);
    record_put_u64(out, (uint64_t)info->rows);
    record_put_u64(out, (uint64_t)info->train_rows);
    if (test)
        record_put_u64(out, (uint64_t)info->test_rows);
    record_put_u64(out, (uint64_t)meta->label_of[0].positives);
    record_put_u64(out, info->has_group);
    record_put_u64(out, info->has_time);
    record_put_u64(out, meta->prefix_split);
    record_put_u64(out, meta->blocks_hash);
    for (int f = 0; f < meta->count; f++) {
        const dataset_field_t *field = &meta->fields[f];
        record_put_text(out, field->name);
        record_put_u64(out, field->kind);
        record_put_u64(out, field->pooling);
        record_put_f64(out, field->mean);
        record_put_f64(out, field->scale);
    }
    if (meta->has_extras)
        encode_extras(meta, out);
}

uint64_t dataset_meta_chain(uint64_t blocks_hash, uint64_t next)
{
    const uint64_t both[2] = {blocks_hash, next};
    return hash64(both, sizeof both, 0);
}

uint64_t dataset_meta_hash(const dataset_meta_t *meta)
{
    record_t content = {0};
    encode_content(meta, &content);
    const uint64_t hash = hash64(content.at, content.bytes, 0);
    record_fini(&content);
    return hash;
}

/* ---- sections ---- */

static void put_section(record_t *out, uint64_t tag, record_t *section)
{
    record_put_u64(out, tag);
    record_put_u64(out, section->bytes);
    record_put(out, section->at, section->bytes);
    record_fini(section);
}

/* Of each label what was counted. */
static void encode_labels(const dataset_meta_t *meta, record_t *out)
{
    record_t section = {0};
    for (int l = 0; l < meta->info.labels; l++) {
        record_put_u64(&section, (uint64_t)meta->label_of[l].positives);
        record_put_u64(&section, (uint64_t)meta->label_of[l].train_positives);
        record_put_u64(&section, (uint64_t)meta->label_of[l].unlabelled);
        if (meta->info.test_rows)
            record_put_u64(&section, (uint64_t)meta->label_of[l].test_positives);
    }
    put_section(out, SECTION_LABELS, &section);
}

static bool decode_labels(record_reader_t *in, dataset_meta_t *meta)
{
    for (int l = 0; l < meta->info.labels; l++) {
        meta->label_of[l].positives = (int64_t)record_take_u64(in);
        meta->label_of[l].train_positives = (int64_t)record_take_u64(in);
        meta->label_of[l].unlabelled = (int64_t)record_take_u64(in);
        meta->label_of[l].test_positives = meta->info.test_rows ? (int64_t)record_take_u64(in) : 0;
    }
    return !in->bad;
}

/* How many rules, their names, and then their texts field by field. */
static void encode_rules(const dataset_meta_t *meta, record_t *out)
{
    record_t section = {0};
    const int n = field_rules_count();
    record_put_u64(&section, (uint64_t)n);
    for (int i = 0; i < n; i++)
        record_put_text(&section, field_rules_name(i));
    for (int f = 0; f < meta->count; f++)
        for (int i = 0; i < n; i++)
            record_put_text(&section, field_rules_get(&meta->fields[f].rules, i));
    put_section(out, SECTION_RULES, &section);
}

static bool decode_rules(record_reader_t *in, dataset_meta_t *meta)
{
    char name[FIELD_RULE_BYTES], unknown[1024];
    int rule[RULES_MOST];
    const uint64_t n = record_take_u64(in);
    if (n > RULES_MOST)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        record_take_text(in, name, sizeof name);
        rule[i] = field_rules_find(name);
    }
    for (int f = 0; f < meta->count; f++)
        for (uint64_t i = 0; i < n; i++)
            if (rule[i] < 0)
                record_take_text(in, unknown, sizeof unknown);
            else
                record_take_text(in, field_rules_text(&meta->fields[f].rules, rule[i]), FIELD_RULE_BYTES);
    return !in->bad;
}

static bool decode_sections(record_reader_t *in, dataset_meta_t *meta)
{
    while (!in->bad && in->next < in->bytes) {
        const uint64_t tag = record_take_u64(in), bytes = record_take_u64(in);
        record_reader_t section = {.at = record_take(in, bytes, 1), .bytes = bytes};
        if (!section.at)
            return false;
        if (tag == SECTION_RULES && !decode_rules(&section, meta))
            return false;
        if (tag == SECTION_LABELS && !decode_labels(&section, meta))
            return false;
    }
    return !in->bad;
}

/* ---- the whole ---- */

void dataset_meta_encode(const dataset_meta_t *meta, record_t *out)
{
    encode_content(meta, out);
    record_put_u64(out, meta->info.content_hash);
    record_put_u64(out, (uint64_t)meta->info.bad_rows);
    record_put_u64(out, meta->compressed);
    for (int f = 0; f < meta->count; f++) {
        const dataset_field_t *field = &meta->fields[f];
        record_put_u64(out, (uint64_t)field->cardinality);
        record_put_u64(out, (uint64_t)field->values);
        record_put_u64(out, (uint64_t)field->missing);
        record_put_f64(out, field->low);
        record_put_f64(out, field->high);
        record_put_u64(out, (uint64_t)meta->top_count[f]);
        for (int i = 0; i < meta->top_count[f]; i++) {
            const value_top_t *top = &meta->top[f][i];
            record_put_u64(out, top->key);
            record_put_u64(out, (uint64_t)top->count);
            record_put_u64(out, top->named);
            record_put_text(out, top->text);
        }
    }
    encode_rules(meta, out);
    if (meta->has_extras)
        encode_labels(meta, out);
}

static bool decode_extras(record_reader_t *in, dataset_meta_t *meta)
{
    dataset_info_t *info = &meta->info;
    const uint64_t flags = record_take_u64(in);
    info->has_weight = flags & EXTRA_WEIGHT;
    info->may_lack_label = flags & EXTRA_LACK;
    info->weight_mean = record_take_f64(in);
    const uint64_t labels = record_take_u64(in), positives = (uint64_t)meta->label_of[0].positives;
    if (in->bad || labels == 0 || labels > DATASET_LABELS_MOST || (info->has_weight && !(info->weight_mean > 0.0)))
        return false;
    dataset_meta_labels(meta, (int)labels);
    meta->label_of[0].positives = (int64_t)positives;
    for (uint64_t l = 0; l < labels; l++)
        record_take_text(in, meta->label_of[l].name, sizeof meta->label_of[l].name);
    return !in->bad;
}

static bool decode_fields(record_reader_t *in, dataset_meta_t *meta)
{
    column_kind_t last = COLUMN_NUMERIC;
    dataset_info_t *info = &meta->info;
    for (int f = 0; f < meta->count; f++) {
        dataset_field_t *field = &meta->fields[f];
        record_take_text(in, field->name, sizeof field->name);
        const uint64_t kind = record_take_u64(in), pooling = record_take_u64(in);
        field->mean = record_take_f64(in);
        field->scale = record_take_f64(in);
        if (kind > COLUMN_MULTI || pooling > POOLING_MEAN)
            return false;
        field->kind = (column_kind_t)kind;
        field->pooling = (pooling_t)pooling;
        info->numeric += field->kind == COLUMN_NUMERIC;
        info->single += field->kind == COLUMN_CATEGORICAL;
        info->multi += field->kind == COLUMN_MULTI;
        /* Fields come as numeric, single, multi. */
        if ((last == COLUMN_CATEGORICAL && field->kind == COLUMN_NUMERIC) ||
            (last == COLUMN_MULTI && field->kind != COLUMN_MULTI))
            return false;
        last = field->kind;
    }
    return !in->bad;
}

static bool decode_statistics(record_reader_t *in, dataset_meta_t *meta)
{
    for (int f = 0; f < meta->count; f++) {
        dataset_field_t *field = &meta->fields[f];
        field->cardinality = (int64_t)record_take_u64(in);
        field->values = (int64_t)record_take_u64(in);
        field->missing = (int64_t)record_take_u64(in);
        field->low = record_take_f64(in);
        field->high = record_take_f64(in);
        const uint64_t tops = record_take_u64(in);
        if (in->bad || tops > DATASET_TOP)
            return false;
        meta->top_count[f] = (int)tops;
        for (uint64_t i = 0; i < tops; i++) {
            value_top_t *top = &meta->top[f][i];
            top->key = record_take_u64(in);
            top->count = (int64_t)record_take_u64(in);
            top->named = record_take_u64(in) != 0;
            record_take_text(in, top->text, sizeof top->text);
        }
    }
    return !in->bad;
}

bool dataset_meta_decode(const record_t *raw, dataset_meta_t *meta)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    const uint64_t magic = record_take_u64(&in), version = record_take_u64(&in), count = record_take_u64(&in);
    const uint64_t rows = record_take_u64(&in), train_rows = record_take_u64(&in);
    const bool has_test = version & VERSION_TEST;
    const uint64_t test_rows = has_test ? record_take_u64(&in) : 0;
    if (magic != MAGIC || (version & ~(uint64_t)(VERSION_EXTRAS | VERSION_TEST)) != VERSION ||
        count > raw->bytes / FIELD_LEAST || rows == 0 || rows > ROWS_MOST || train_rows > rows ||
        test_rows > rows - train_rows || (has_test && test_rows == 0))
        return false;
    dataset_meta_init(meta, NULL, (int)count);
    dataset_info_t *info = &meta->info;
    info->rows = (int64_t)rows;
    info->train_rows = (int64_t)train_rows;
    info->test_rows = (int64_t)test_rows;
    info->eval_rows = (int64_t)(rows - train_rows - test_rows);
    info->positives = meta->label_of[0].positives = (int64_t)record_take_u64(&in);
    info->has_group = record_take_u64(&in) != 0;
    info->has_time = record_take_u64(&in) != 0;
    meta->prefix_split = record_take_u64(&in) != 0;
    meta->blocks_hash = record_take_u64(&in);
    meta->has_extras = version & VERSION_EXTRAS;
    bool good = decode_fields(&in, meta) && (!meta->has_extras || decode_extras(&in, meta));
    if (good) {
        info->content_hash = record_take_u64(&in);
        info->bad_rows = (int64_t)record_take_u64(&in);
        meta->compressed = record_take_u64(&in) != 0;
        good = decode_statistics(&in, meta) && decode_sections(&in, meta) && info->content_hash == dataset_meta_hash(meta);
    }
    if (!good)
        dataset_meta_fini(meta);
    return good;
}

void dataset_block_key(char out[DATASET_KEY_BYTES], int64_t block)
{
    snprintf(out, DATASET_KEY_BYTES, "block %012" PRId64, block);
}

double dataset_meta_number(const dataset_field_t *field, float number)
{
    double x = number / field->scale + field->mean;
    if (fabs(x) < 1e-7 * fabs(field->mean)) /* which is what the rounding of a number makes of 0 */
        x = 0.0;
    const bool is_log = strcmp(field->rules.transform, schema_transform_word(TRANSFORM_LOG1P)) == 0;
    return is_log ? copysign(real_expm1(fabs(x)), x) : x;
}

void dataset_meta_value_text(const dataset_meta_t *meta, int f, uint64_t key, char *text, size_t bytes)
{
    ASSERT(f >= 0 && f < meta->count);
    const char *name = key == dataset_key("", 0) ? "(missing)" : NULL;
    for (int i = 0; i < meta->top_count[f] && !name; i++)
        if (meta->top[f][i].key == key && meta->top[f][i].named)
            name = meta->top[f][i].text;
    if (name)
        printable_put(text, bytes, name, strlen(name));
    else
        snprintf(text, bytes, "#%016" PRIx64, key);
}
