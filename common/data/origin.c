#include "common/data/origin.h"

#include "common/data/dataset_meta.h"

#define MAGIC 0x31474952304d53ull /* "SM0RIG1" */

void origin_fini(origin_t *origin)
{
    mem_free(origin->input);
    mem_free(origin->schema);
    mem_free(origin->settings);
    for (int i = 0; i < origin->files_count; i++)
        mem_free(origin->files[i].path);
    mem_free(origin->files);
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
    copy.files = MEM_ARRAY(origin_file_t, origin->files_count);
    for (int i = 0; i < origin->files_count; i++) {
        copy.files[i] = origin->files[i];
        copy.files[i].path = copy_text(origin->files[i].path);
    }
    return copy;
}

static void put_print(const fingerprint_t *print, record_t *out)
{
    record_put_u64(out, (uint64_t)print->bytes);
    record_put_u64(out, (uint64_t)print->modified_ns);
    record_put_u64(out, print->low);
    record_put_u64(out, print->high);
}

static fingerprint_t take_print(record_reader_t *in)
{
    fingerprint_t print = {.bytes = (int64_t)record_take_u64(in)};
    print.modified_ns = (int64_t)record_take_u64(in);
    print.low = record_take_u64(in);
    print.high = record_take_u64(in);
    return print;
}

void origin_files_encode(const origin_file_t *files, int count, record_t *out)
{
    record_put_u64(out, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        record_put_text(out, files[i].path);
        record_put_u64(out, files[i].is_file);
        put_print(&files[i].print, out);
        record_put_u64(out, (uint64_t)files[i].rows);
    }
}

void origin_encode(const origin_t *origin, record_t *out)
{
    record_put_u64(out, MAGIC);
    record_put_u64(out, origin->kind);
    record_put_text(out, origin->input ? origin->input : "");
    record_put_u64(out, origin->is_file);
    put_print(&origin->file, out);
    record_put_text(out, origin->schema ? origin->schema : "");
    record_put_text(out, origin->settings ? origin->settings : "");
    if (origin->files_count > 0)
        origin_files_encode(origin->files, origin->files_count, out);
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

#define FILE_LEAST (7 * sizeof(uint64_t)) /* a file takes this many bytes of the record or more */

void origin_files_take(record_reader_t *in, origin_file_t **files, int *n)
{
    const uint64_t count = record_take_u64(in);
    if (in->bad || count > in->bytes / FILE_LEAST) {
        in->bad = true;
        return;
    }
    *files = MEM_ARRAY(origin_file_t, count);
    *n = (int)count;
    for (uint64_t i = 0; i < count; i++) {
        origin_file_t *file = &(*files)[i];
        file->path = take_text(in);
        file->is_file = record_take_u64(in) != 0;
        file->print = take_print(in);
        file->rows = (int64_t)record_take_u64(in);
    }
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
    origin.file = take_print(&in);
    origin.schema = take_text(&in);
    origin.settings = take_text(&in);
    if (in.next < in.bytes)
        origin_files_take(&in, &origin.files, &origin.files_count);
    const bool good = is_one && kind < ORIGIN_KINDS && !in.bad;
    origin.kind = good ? (origin_kind_t)kind : ORIGIN_UNKNOWN;
    if (!good)
        origin_fini(&origin);
    *out = origin;
    return good;
}
