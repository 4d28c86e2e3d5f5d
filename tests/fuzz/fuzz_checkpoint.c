/* The manifest of a checkpoint (launcher/checkpoint/checkpoint_manifest.h).
 *
 *     u8 {bit 0: make its checksum right}, the text                                                                          */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "launcher/checkpoint/checkpoint_manifest.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"

#define TEXT_MOST 16384
#define CHECKSUM ",\n  \"checksum\": \""
#define DIGITS 16

static void mend(char *text, size_t bytes)
{
    char *end = NULL, digits[DIGITS + 1];
    for (char *at = text; (at = strstr(at, CHECKSUM)); at++)
        end = at;
    if (!end || bytes - (size_t)(end - text) < sizeof CHECKSUM - 1 + DIGITS)
        return;
    snprintf(digits, sizeof digits, "%016" PRIx64, hash64(text, (size_t)(end - text), 0));
    memcpy(end + sizeof CHECKSUM - 1, digits, DIGITS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    size_t bytes;
    const bool mends = fuzz_byte(&in) & 1;
    char *text = fuzz_rest_text(&in, TEXT_MOST, &bytes);
    if (mends)
        mend(text, bytes);
    fuzz_file(FILE_MANIFEST, text, bytes);
    checkpoint_manifest_t m = {0};
    if (checkpoint_manifest_read(fuzz_disk(), "/c", &m) == ST_OK) {
        ASSERT(m.n_deltas > 0 && m.deltas[m.n_deltas - 1] == m.step && checkpoint_manifest_shards(&m) > 0);
        ASSERT(checkpoint_manifest_bytes(&m) >= 0 && checkpoint_manifest_rows(&m) >= 0);
        jsondoc_t *doc = checkpoint_manifest_json(&m);
        char *shown = jsondoc_text(doc, true);
        mem_free(shown);
        jsondoc_destroy(&doc);
    }
    checkpoint_manifest_fini(&m);
    fuzz_files_forget();
    mem_free(text);
    return 0;
}

static void seed(const char *name, const checkpoint_manifest_t *m)
{
    size_t bytes;
    const uint8_t mends = 1;
    const status_t status = checkpoint_manifest_commit(fuzz_disk(), "/c", m);
    ASSERT(status == ST_OK);
    const void *text = fuzz_disk_written(&bytes);
    fuzz_seed_with(name, &mends, 1, text, bytes);
}

void fuzz_seeds(void)
{
    int64_t deltas[] = {5, 10};
    checkpoint_shard_t shards[] = {{7, 1, 700, 1, 2}, {8, 2, 800, UINT64_MAX, 4}};
    checkpoint_file_t dense[] = {{64, 3}, {64, 4}};
    dataset_field_t fields[] = {{.name = "price", .kind = COLUMN_NUMERIC, .mean = 0.5, .scale = 2},
                                {.name = "user", .kind = COLUMN_CATEGORICAL, .scale = 1}};
    processors_kind_t kind = {.processor = {.name = "Haswell", .probe = 9}, .incarnation = 1, .ranks = 3, .hosts = "a, b"};
    char word[] = "w", config[] = "name: x\nseed: 1\n";
    checkpoint_manifest_t m = {.experiment = word,
                               .variant = word,
                               .determinism = word,
                               .build = word,
                               .kernels = word,
                               .time = word,
                               .config = config,
                               .step = 10,
                               .steps = 100,
                               .depth = 1,
                               .workers = 3,
                               .servers = 1,
                               .shards_per_server = 1,
                               .tables = 6,
                               .deltas = deltas + 1,
                               .n_deltas = 1,
                               .shards = shards,
                               .dense = dense,
                               .components = 1,
                               .progress = {56, 9}};
    seed("small", &m);
    m.servers = 2;
    m.deltas = deltas;
    m.n_deltas = 2;
    m.components = 2;
    m.run_id = 7;
    m.teacher_checksum = 8;
    m.inputs = (input_fields_t){1, 1, 0, fields, {0}};
    m.processors = (processors_t){&kind, 1};
    seed("large", &m);
}
