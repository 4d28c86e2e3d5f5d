/* The manifest of a finished run (launcher/run/manifest.h), with 2 predictions beside it.
 *
 *     u8 {bit 0: make its checksum right}, the text                                                                          */
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/run/manifest.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"
#include "tests/lib/testing.h"

#define TEXT_MOST 16384
#define DIGITS (HASH_TEXT_BYTES - 1)
#define HEAD ",\n  \"checksum\": \""
#define TAIL "\"\n}\n"
#define SEAL (sizeof HEAD - 1 + DIGITS + sizeof TAIL - 1)
#define PREDICTIONS 2

static void mend(char *text, size_t bytes)
{
    char digits[HASH_TEXT_BYTES];
    if (bytes < SEAL)
        return;
    char *seal = text + bytes - SEAL;
    hash128_text(text, bytes - SEAL, digits);
    memcpy(seal, HEAD, sizeof HEAD - 1);
    memcpy(seal + sizeof HEAD - 1, digits, DIGITS);
    memcpy(seal + sizeof HEAD - 1 + DIGITS, TAIL, sizeof TAIL - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float predictions[PREDICTIONS] = {0.25f, 0.5f};
    fuzz_input_t in = {data, size};
    size_t bytes;
    const bool mends = fuzz_byte(&in) & 1;
    char *text = fuzz_rest_text(&in, TEXT_MOST, &bytes);
    if (mends)
        mend(text, bytes);
    fuzz_file(FILE_MANIFEST, text, bytes);
    fuzz_file(FILE_PREDICTIONS, predictions, sizeof predictions);
    manifest_t m = {0};
    bool found = false;
    const status_t status = manifest_read("/none/run", &m, &found);
    if (status == ST_OK) {
        ASSERT(found && m.predictions == PREDICTIONS && manifest_shards(&m) >= 0);
        ASSERT(strlen(m.result.digest) == 32);
        manifest_t *const same = &m;
        const status_t check = manifest_check(same, &m, "/none/run");
        const status_t replicas = manifest_check_replicas(&m, &m, false, false, false);
        ASSERT(check == ST_OK && replicas == ST_OK);
        ASSERT(manifest_check_processors(&m, &m) == ST_OK);
    }
    manifest_fini(&m);
    fuzz_files_forget();
    mem_free(text);
    return 0;
}

static void seed(const char *name, manifest_t *m, bool files)
{
    char *folder = mem_strdup(test_dir()), *path = run_path(folder, FILE_MANIFEST), *text, *list;
    const uint8_t mends = 1;
    size_t bytes;
    status_t status = manifest_write(folder, m);
    ASSERT(status == ST_OK);
    status = file_read(path, &text, &bytes);
    ASSERT(status == ST_OK);
    /* Files beside the manifest are not there for the target. */
    list = strstr(text, "\"files\": [");
    ASSERT(list);
    if (!files) {
        char *close = strchr(list, ']');
        list += strlen("\"files\": [");
        memmove(list, close, strlen(close) + 1);
        bytes = strlen(text);
    }
    fuzz_seed_with(name, &mends, 1, text, bytes);
    mem_free(text);
    mem_free(path);
    mem_free(folder);
}

void fuzz_seeds(void)
{
    float predictions[PREDICTIONS] = {0};
    char word[] = "sync";
    hash_digest_t stores[2] = {{1, 2, 3}, {4, 5, 6}};
    processors_kind_t kind = {.processor = {.name = "Haswell", .probe = 9}, .incarnation = 1, .ranks = 3, .hosts = "a, b"};
    manifest_t m = {.experiment = word, .variant = word, .determinism = word, .build = word, .kernels = word};
    m.predictions = PREDICTIONS;
    m.result.predictions = predictions;
    strcpy(m.result.digest, "0123456789abcdef0123456789abcdef");
    seed("small", &m, false);
    m.workers = 2;
    m.servers = 2;
    m.shards_per_server = 1;
    m.stores = stores;
    m.processors = (processors_t){&kind, 1};
    m.provenance = (provenance_t){word, word, word, word, word, word, word};
    m.run_id = 7;
    seed("large", &m, false);
    seed("files", &m, true);
    run_files_fini(&m.files);
}
