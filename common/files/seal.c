/* The checksum is taken over bytes as they lie in the file, not over values: a reader needs no agreement on how numbers are
 * written, and a person can check it with `head -c -53 FILE | xxhsum -H2`. */
#include "common/files/seal.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"

#define HEAD ",\n  \"checksum\": \""
#define TAIL "\"\n}\n"
#define HEAD_BYTES (sizeof HEAD - 1)
#define TAIL_BYTES (sizeof TAIL - 1)
#define SEAL_BYTES (HEAD_BYTES + HASH_TEXT_BYTES - 1 + TAIL_BYTES)

status_t seal_write(const jsondoc_t *doc, const char *path, char hash[HASH_TEXT_BYTES])
{
    char *body = jsondoc_text(doc, true), *end = strrchr(body, '}'), checksum[HASH_TEXT_BYTES];
    ASSERT(end && end > body && end[-1] == '\n');
    end[-1] = 0;
    hash128_text(body, strlen(body), checksum);
    char *text = mem_printf("%s" HEAD "%s" TAIL, body, checksum);
    status_t status = file_write_atomic(path, text, strlen(text));
    if (status == ST_OK && hash)
        hash128_text(text, strlen(text), hash);
    mem_free(text);
    mem_free(body);
    return status;
}

/* The checksum that ends the text, of HASH_TEXT_BYTES - 1 digits, or NULL where it ends in another way. */
static const char *find_checksum(const char *text, size_t bytes)
{
    if (bytes < SEAL_BYTES)
        return NULL;
    const char *seal = text + bytes - SEAL_BYTES;
    const bool whole = memcmp(seal, HEAD, HEAD_BYTES) == 0 && memcmp(text + bytes - TAIL_BYTES, TAIL, TAIL_BYTES) == 0;
    return whole ? seal + HEAD_BYTES : NULL;
}

static status_t check(const char *path, const char *advice, const char *text, const char *checksum)
{
    char found[HASH_TEXT_BYTES];
    hash128_text(text, (size_t)(checksum - HEAD_BYTES - text), found);
    if (memcmp(found, checksum, HASH_TEXT_BYTES - 1) == 0)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: was changed after it was written: its checksum is %s, its last line says %.*s; %s", path,
                found, HASH_TEXT_BYTES - 1, checksum, advice);
}

status_t seal_read(const char *path, const char *advice, jsondoc_t **out, bool *sealed, char hash[HASH_TEXT_BYTES])
{
    char *text;
    size_t bytes;
    jsondoc_t *doc = NULL;
    TRY(file_read(path, &text, &bytes));
    const char *checksum = find_checksum(text, bytes);
    status_t status;
    TRY_DONE(checksum ? check(path, advice, text, checksum) : ST_OK);
    TRY_DONE(jsondoc_parse(text, bytes, path, &doc));
    if (!checksum && jsondoc_has(doc, "checksum"))
        TRY_DONE(FAIL(ST_CORRUPT, "%s: was changed after it was written: it does not end with its checksum; %s", path, advice));
    hash128_text(text, bytes, hash);
    *sealed = checksum != NULL;
    *out = doc;
    doc = NULL;
done:
    jsondoc_destroy(&doc);
    mem_free(text);
    return status;
}
