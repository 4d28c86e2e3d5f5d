#include "launcher/checkpoint/checkpoint_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "common/net/slots.h"
#include "common/process/failpoint.h"

#define MOST_COUNT (INT64_C(1) << 53)
#define MOST_SHARDS 65536
#define MOST_COMPONENTS 64               /* the bound of model.components */
#define MOST_BYTES (INT64_C(64) << 20)   /* of a manifest: two orders of magnitude over one with MOST_SHARDS / 16 shards */
#define CHECKSUM ",\n  \"checksum\": \"" /* what comes before the checksum; the text up to here is what it covers */

void checkpoint_manifest_fini(checkpoint_manifest_t *m)
{
#define FREE(name) mem_free(m->name);
    CHECKPOINT_TEXTS(FREE)
#undef FREE
    mem_free(m->deltas);
    mem_free(m->shards);
    mem_free(m->dense);
    mem_free(m->config);
    input_fields_fini(&m->inputs);
    places_fini(&m->places);
    processors_fini(&m->processors);
    *m = (checkpoint_manifest_t){0};
}

int64_t checkpoint_manifest_bytes(const checkpoint_manifest_t *m)
{
    int64_t bytes = m->progress.bytes;
    for (int64_t s = 0; s < checkpoint_manifest_shards(m); s++)
        bytes += m->shards[s].bytes;
    for (int64_t k = 0; k < m->components; k++)
        bytes += m->dense[k].bytes;
    return bytes;
}

int64_t checkpoint_manifest_rows(const checkpoint_manifest_t *m)
{
    int64_t rows = 0;
    for (int64_t s = 0; s < checkpoint_manifest_shards(m); s++)
        rows += m->shards[s].rows;
    return rows;
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static status_t write_synced(disk_t *disk, const char *path, const void *data, size_t bytes)
{
    disk_file_t *file = NULL;
    status_t status;
    TRY_DONE(disk_create(disk, path, &file));
    TRY_DONE(disk_append(file, data, bytes));
    TRY_DONE(disk_sync(file));
done:
    disk_close(&file);
    return status;
}

status_t checkpoint_file_write(disk_t *disk, const char *folder, const char *name, const void *data, int64_t bytes,
                               checkpoint_file_t *out)
{
    char *path = mem_printf("%s/%s", folder, name);
    status_t status = write_synced(disk, path, data, (size_t)bytes);
    mem_free(path);
    *out = (checkpoint_file_t){bytes, hash64(data, (size_t)bytes, 0)};
    return status;
}

status_t checkpoint_file_read(disk_t *disk, const char *folder, const char *name, const checkpoint_file_t *written, char **out)
{
    char *path = mem_printf("%s/%s", folder, name), *data = NULL;
    int64_t bytes;
    status_t status;
    TRY_DONE(disk_read_whole(disk, path, written->bytes, &data, &bytes));
    if (bytes != written->bytes)
        TRY_DONE(FAIL(ST_CORRUPT, "%s: has %" PRId64 " bytes, the manifest says %" PRId64 "; it was cut short", path, bytes,
                      written->bytes));
    if (hash64(data, (size_t)bytes, 0) != written->checksum)
        TRY_DONE(FAIL(ST_CORRUPT,
                      "%s: its checksum is %016" PRIx64 ", the manifest says %016" PRIx64
                      "; it is damaged, or that of another checkpoint: put the right one in its place",
                      path, hash64(data, (size_t)bytes, 0), written->checksum));
    *out = data;
    data = NULL;
done:
    mem_free(data);
    mem_free(path);
    return status;
}

/* ---- write ----------------------------------------------------------------------------------------------------------- */

static jsondoc_t *file_json(const checkpoint_file_t *file)
{
    jsondoc_t *doc = jsondoc_object();
    jsondoc_put_integer(doc, "bytes", file->bytes);
    jsondoc_put_hash(doc, "checksum", file->checksum);
    return doc;
}

static void put_lines(jsondoc_t *doc, const char *member, const line_sum_t *sum)
{
    if (!sum->lines)
        return;
    jsondoc_t *one = jsondoc_object();
    jsondoc_put_integer(one, "lines", sum->lines);
    jsondoc_put_hash(one, "checksum", sum->checksum);
    jsondoc_put(doc, member, &one);
}

static jsondoc_t *shard_json(const checkpoint_manifest_t *m, int64_t s)
{
    const int shards = (int)checkpoint_manifest_shards(m), first = slots_first((int)s, shards);
    const checkpoint_shard_t *shard = &m->shards[s];
    jsondoc_t *doc = jsondoc_object();
    jsondoc_put_integer(doc, "first_slot", first);
    jsondoc_put_integer(doc, "slots", slots_first((int)s + 1, shards) - first);
    jsondoc_put_integer(doc, "rows", shard->rows);
    jsondoc_put_integer(doc, "pending", shard->pending);
    jsondoc_put_integer(doc, "bytes", shard->bytes);
    jsondoc_put_hash(doc, "checksum_low", shard->checksum_low);
    jsondoc_put_hash(doc, "checksum_high", shard->checksum_high);
    return doc;
}

jsondoc_t *checkpoint_manifest_json(const checkpoint_manifest_t *m)
{
    jsondoc_t *doc = jsondoc_object(), *deltas = jsondoc_array(), *shards = jsondoc_array(), *dense = jsondoc_array(),
              *totals = jsondoc_object(), *progress = file_json(&m->progress);
    jsondoc_put_integer(doc, "format", CHECKPOINT_FORMAT);
#define PUT(name) jsondoc_put_text(doc, #name, m->name);
    CHECKPOINT_TEXTS(PUT)
#undef PUT
#define PUT(name) jsondoc_put_hash(doc, #name, m->name);
    CHECKPOINT_HASHES(PUT)
#undef PUT
#define PUT(name, member) jsondoc_put_integer(doc, member, m->name);
    CHECKPOINT_COUNTS(PUT)
#undef PUT
    if (m->run_id)
        jsondoc_put_hash(doc, "run_id", m->run_id);
    if (m->teacher_checksum)
        jsondoc_put_hash(doc, "teacher_checksum", m->teacher_checksum);
    for (int64_t i = 0; i < m->n_deltas; i++)
        jsondoc_append_integer(deltas, m->deltas[i]);
    for (int64_t s = 0; s < checkpoint_manifest_shards(m); s++) {
        jsondoc_t *one = shard_json(m, s);
        jsondoc_append(shards, &one);
    }
    for (int64_t k = 0; k < m->components; k++) {
        jsondoc_t *one = file_json(&m->dense[k]);
        jsondoc_append(dense, &one);
    }
    places_put(doc, &m->places);
    processors_put(doc, &m->processors);
    run_totals_put(totals, &m->totals);
    jsondoc_put(doc, "deltas", &deltas);
    jsondoc_put(doc, "shards", &shards);
    jsondoc_put(doc, "dense", &dense);
    jsondoc_put(doc, "progress", &progress);
    put_lines(doc, "steps_lines", &m->steps_lines);
    put_lines(doc, "probe_lines", &m->probe_lines);
    put_lines(doc, "validation_lines", &m->validation_lines);
    jsondoc_put(doc, "totals", &totals);
    if (m->inputs.fields) {
        jsondoc_t *inputs = input_fields_json(&m->inputs);
        jsondoc_put(doc, "inputs", &inputs);
    }
    jsondoc_put_text(doc, "sync", "every file is synced before this one is, and this one is renamed after");
    return doc;
}

status_t checkpoint_manifest_commit(disk_t *disk, const char *folder, const checkpoint_manifest_t *m)
{
    jsondoc_t *doc = checkpoint_manifest_json(m);
    jsondoc_put_text(doc, "config", m->config);
    char *body = jsondoc_text(doc, true), *end = strrchr(body, '}');
    ASSERT(end && end > body && end[-1] == '\n');
    end[-1] = 0;
    char *text = mem_printf("%s" CHECKSUM "%016" PRIx64 "\"\n}\n", body, hash64(body, strlen(body), 0));
    char *path = run_path(folder, FILE_MANIFEST), *temporary = mem_printf("%s.tmp", path);
    disk_file_t *file = NULL;
    status_t status;
    TRY_DONE(disk_create(disk, temporary, &file));
    TRY_DONE(disk_append(file, text, strlen(text)));
    failpoint("commit.manifest_written");
    TRY_DONE(disk_sync(file));
    failpoint("commit.manifest_synced");
    TRY_DONE(disk_rename(disk, temporary, path));
    TRY_DONE(disk_sync_dir(disk, folder));
    failpoint("commit.renamed");
done:
    disk_close(&file);
    if (status != ST_OK) {
        const status_t removed = disk_remove(disk, temporary); /* nothing, where it has its name by now */
        (void)removed;
    }
    mem_free(body);
    mem_free(text);
    mem_free(path);
    mem_free(temporary);
    jsondoc_destroy(&doc);
    return status;
}

/* ---- read ------------------------------------------------------------------------------------------------------------ */

static status_t get_file(const jsondoc_t *doc, const char *where, checkpoint_file_t *out)
{
    TRY(jsondoc_get_integer(doc, where, "bytes", 0, MOST_COUNT, &out->bytes));
    return jsondoc_get_hash(doc, where, "checksum", &out->checksum);
}

/* Checkpoints of older versions know nothing of them. */
static status_t get_lines(const jsondoc_t *doc, const char *where, const char *member, line_sum_t *out)
{
    const jsondoc_t *one;
    if (!jsondoc_has(doc, member))
        return ST_OK;
    TRY(jsondoc_get_object(doc, where, member, &one));
    TRY(jsondoc_get_integer(one, where, "lines", 1, MOST_COUNT, &out->lines));
    return jsondoc_get_hash(one, where, "checksum", &out->checksum);
}

static status_t get_shard(const jsondoc_t *doc, const char *where, int s, int shards, checkpoint_shard_t *out)
{
    int64_t first, slots;
    TRY(jsondoc_get_integer(doc, where, "first_slot", 0, HASH_SLOTS, &first));
    TRY(jsondoc_get_integer(doc, where, "slots", 0, HASH_SLOTS, &slots));
    if (first != slots_first(s, shards) || first + slots != slots_first(s + 1, shards))
        return FAIL(ST_CORRUPT, "%s: shard %d of %d has %" PRId64 " slots from %" PRId64 " on; its slots are %d to %d", where,
                    s, shards, slots, first, slots_first(s, shards), slots_first(s + 1, shards) - 1);
    TRY(jsondoc_get_integer(doc, where, "rows", 0, MOST_COUNT, &out->rows));
    TRY(jsondoc_get_integer(doc, where, "pending", 0, MOST_COUNT, &out->pending));
    TRY(jsondoc_get_integer(doc, where, "bytes", 0, MOST_COUNT, &out->bytes));
    TRY(jsondoc_get_hash(doc, where, "checksum_low", &out->checksum_low));
    return jsondoc_get_hash(doc, where, "checksum_high", &out->checksum_high);
}

static status_t get_deltas(const jsondoc_t *doc, const char *where, checkpoint_manifest_t *m)
{
    TRY(jsondoc_get_integers(doc, where, "deltas", 0, MOST_COUNT, &m->deltas, &m->n_deltas));
    for (int64_t i = 0; i < m->n_deltas; i++)
        if (m->deltas[i] <= (i ? m->deltas[i - 1] : -1))
            return FAIL(ST_CORRUPT, "%s: \"deltas\" are not ascending at %" PRId64, where, m->deltas[i]);
    if (m->n_deltas == 0 || m->deltas[m->n_deltas - 1] != m->step)
        return FAIL(ST_CORRUPT, "%s: the last of \"deltas\" is not that of step %" PRId64, where, m->step);
    return ST_OK;
}

static status_t get_parts(const jsondoc_t *doc, const char *where, checkpoint_manifest_t *m)
{
    const jsondoc_t *shards, *dense, *progress, *totals;
    if (m->servers < 1 || m->shards_per_server < 1 || m->servers > MOST_SHARDS / m->shards_per_server)
        return FAIL(ST_CORRUPT, "%s: %" PRId64 " servers with %" PRId64 " shards each cannot be", where, m->servers,
                    m->shards_per_server);
    const int64_t n = checkpoint_manifest_shards(m);
    TRY(jsondoc_get_array(doc, where, "shards", &shards));
    if (jsondoc_length(shards) != n)
        return FAIL(ST_CORRUPT, "%s: \"shards\" has %" PRId64 " entries for %" PRId64 " shards", where, jsondoc_length(shards),
                    n);
    m->shards = MEM_ARRAY(checkpoint_shard_t, n);
    for (int64_t s = 0; s < n; s++)
        TRY(get_shard(jsondoc_at(shards, s), where, (int)s, (int)n, &m->shards[s]));
    TRY(jsondoc_get_array(doc, where, "dense", &dense));
    m->components = jsondoc_length(dense);
    if (m->components < 1 || m->components > MOST_COMPONENTS)
        return FAIL(ST_CORRUPT, "%s: \"dense\" has %" PRId64 " entries; a run has 1 to %d components", where, m->components,
                    MOST_COMPONENTS);
    m->dense = MEM_ARRAY(checkpoint_file_t, m->components);
    for (int64_t k = 0; k < m->components; k++)
        TRY(get_file(jsondoc_at(dense, k), where, &m->dense[k]));
    TRY(jsondoc_get_object(doc, where, "progress", &progress));
    TRY(get_file(progress, where, &m->progress));
    TRY(jsondoc_get_object(doc, where, "totals", &totals));
    return run_totals_get(totals, where, &m->totals);
}

/* Checkpoints of older versions have none; those of the run are in its inputs.json. */
static status_t get_inputs(const jsondoc_t *doc, const char *where, checkpoint_manifest_t *m)
{
    const jsondoc_t *inputs;
    if (!jsondoc_has(doc, "inputs"))
        return ST_OK;
    TRY(jsondoc_get_object(doc, where, "inputs", &inputs));
    return inputs_decode(inputs, where, &m->inputs);
}

static status_t decode(const jsondoc_t *doc, const char *where, checkpoint_manifest_t *m)
{
#define GET(name) \
    { \
        const char *text; \
        TRY(jsondoc_get_text(doc, where, #name, &text)); \
        m->name = mem_strdup(text); \
    }
    CHECKPOINT_TEXTS(GET)
    GET(config)
#undef GET
#define GET(name) TRY(jsondoc_get_hash(doc, where, #name, &m->name));
    CHECKPOINT_HASHES(GET)
#undef GET
#define GET(name, member) TRY(jsondoc_get_integer(doc, where, member, 0, MOST_COUNT, &m->name));
    CHECKPOINT_COUNTS(GET)
#undef GET
    if (jsondoc_has(doc, "run_id"))
        TRY(jsondoc_get_hash(doc, where, "run_id", &m->run_id));
    if (jsondoc_has(doc, "teacher_checksum"))
        TRY(jsondoc_get_hash(doc, where, "teacher_checksum", &m->teacher_checksum));
    TRY(processors_get(doc, where, &m->processors));
    TRY(get_deltas(doc, where, m));
    TRY(get_inputs(doc, where, m));
    TRY(get_lines(doc, where, "steps_lines", &m->steps_lines));
    TRY(get_lines(doc, where, "probe_lines", &m->probe_lines));
    TRY(get_lines(doc, where, "validation_lines", &m->validation_lines));
    TRY(get_parts(doc, where, m));
    return places_get(doc, where, checkpoint_manifest_shards(m), &m->places);
}

/* A newer format is said to be one even where its checksum is made in another way. */
static status_t check_text(const char *path, const char *text, const jsondoc_t *doc)
{
    int64_t format;
    TRY(jsondoc_get_integer(doc, path, "format", 1, MOST_COUNT, &format));
    if (format > CHECKPOINT_FORMAT)
        return FAIL(ST_INPUT,
                    "%s: has format %" PRId64 ", this program reads up to %d; use the smelter that wrote it, or a newer one",
                    path, format, CHECKPOINT_FORMAT);
    uint64_t checksum;
    TRY(jsondoc_get_hash(doc, path, "checksum", &checksum));
    const char *end = NULL;
    for (const char *at = text; (at = strstr(at, CHECKSUM)); at++)
        end = at;
    const uint64_t found = end ? hash64(text, (size_t)(end - text), 0) : 0;
    if (!end || found != checksum)
        return FAIL(ST_CORRUPT, "%s: its checksum is %016" PRIx64 ", the file says %016" PRIx64 "; it was changed or damaged",
                    path, found, checksum);
    return ST_OK;
}

status_t checkpoint_manifest_read(disk_t *disk, const char *folder, checkpoint_manifest_t *out)
{
    char *path = run_path(folder, FILE_MANIFEST), *text = NULL;
    checkpoint_manifest_t m = {0};
    jsondoc_t *doc = NULL;
    int64_t bytes;
    status_t status;
    TRY_DONE(disk_read_whole(disk, path, MOST_BYTES, &text, &bytes));
    TRY_DONE(jsondoc_parse(text, (size_t)bytes, path, &doc));
    TRY_DONE(check_text(path, text, doc));
    TRY_DONE(decode(doc, path, &m));
    *out = m;
    m = (checkpoint_manifest_t){0};
done:
    checkpoint_manifest_fini(&m);
    jsondoc_destroy(&doc);
    mem_free(text);
    mem_free(path);
    return status;
}
