#include "common/data/origin.h"

#include "common/data/dataset_meta.h"

#define MAGIC 0x31474952304d53ull /* "SM0RIG1" */

void origin_fini(origin_t *origin)
{
    mem_free(origin->input);
    mem_free(origin->schema);
    mem_free(origin->settings);
    *origin = (origin_t){0};
}

static char *copy_text(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

origin_t origin_copy(const origin_t *origin)
{
    origin_t copy = *origin;
    copy.input = copy_text(origin->input);
    copy.schema = copy_text(origin->schema);
    copy.settings = copy_text(origin->settings);
    return copy;
}

void origin_encode(const origin_t *origin, record_t *out)
{
    record_put_u64(out, MAGIC);
    record_put_u64(out, origin->kind);
    record_put_text(out, origin->input ? origin->input : "");
    record_put_u64(out, origin->is_file);
    record_put_u64(out, (uint64_t)origin->file.bytes);
    record_put_u64(out, (uint64_t)origin->file.modified_ns);
    record_put_u64(out, origin->file.low);
    record_put_u64(out, origin->file.high);
    record_put_text(out, origin->schema ? origin->schema : "");
    record_put_text(out, origin->settings ? origin->settings : "");
}

/* A text of any length; **owned**. */
static char *take_text(record_reader_t *in)
{
    const uint64_t bytes = record_take_u64(in);
    const char *text = record_take(in, bytes, 1);
    if (!text)
        return NULL;
    char *copy = MEM_ARRAY(char, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

/* What comes after the last member is a later version's, and is passed over. */
bool origin_decode(const record_t *raw, origin_t *out)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    origin_t origin = {0};
    const bool is_one = record_take_u64(&in) == MAGIC;
    const uint64_t kind = record_take_u64(&in);
    origin.input = take_text(&in);
    origin.is_file = record_take_u64(&in) != 0;
    origin.file.bytes = (int64_t)record_take_u64(&in);
    origin.file.modified_ns = (int64_t)record_take_u64(&in);
    origin.file.low = record_take_u64(&in);
    origin.file.high = record_take_u64(&in);
    origin.schema = take_text(&in);
    origin.settings = take_text(&in);
    const bool good = is_one && kind < ORIGIN_KINDS && !in.bad;
    origin.kind = good ? (origin_kind_t)kind : ORIGIN_UNKNOWN;
    if (!good)
        origin_fini(&origin);
    *out = origin;
    return good;
}
