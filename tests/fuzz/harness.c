#include "tests/fuzz/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"

/* ---- inputs ------------------------------------------------------------------------------------------------------------ */

uint8_t fuzz_byte(fuzz_input_t *input)
{
    return (uint8_t)fuzz_number(input, 1);
}

uint64_t fuzz_number(fuzz_input_t *input, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes && input->left > 0; i++) {
        number |= (uint64_t)*input->at++ << (8 * i);
        input->left--;
    }
    return number;
}

/* Not mem_alloc, which rounds up: a sanitizer is to see the first byte behind it. */
static void *take(fuzz_input_t *input, size_t most, size_t more, size_t *bytes)
{
    const size_t n = input->left < most ? input->left : most;
    void *copy = NULL;
    const int refused = posix_memalign(&copy, MEM_ALIGN, n + more ? n + more : 1);
    ASSERT(refused == 0);
    if (n > 0)
        memcpy(copy, input->at, n);
    input->at += n;
    input->left -= n;
    *bytes = n;
    return copy;
}

uint8_t *fuzz_rest(fuzz_input_t *input, size_t most, size_t *bytes)
{
    return take(input, most, 0, bytes);
}

char *fuzz_rest_text(fuzz_input_t *input, size_t most, size_t *bytes)
{
    char *text = take(input, most, 1, bytes);
    text[*bytes] = 0;
    return text;
}

/* ---- seeds ------------------------------------------------------------------------------------------------------------- */

static const char *seeds_folder; /* NULL: they are replayed */
static int seeds_count;

void fuzz_seed(const char *name, const void *data, size_t bytes)
{
    seeds_count++;
    if (!seeds_folder) {
        LLVMFuzzerTestOneInput(data, bytes);
        return;
    }
    char *path = mem_printf("%s/%s", seeds_folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || (bytes > 0 && fwrite(data, 1, bytes, file) != bytes) || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    mem_free(path);
}

void fuzz_seed_text(const char *name, const char *text)
{
    fuzz_seed(name, text, strlen(text));
}

void fuzz_seed_with(const char *name, const void *head, size_t head_bytes, const void *data, size_t bytes)
{
    char *seed = MEM_ARRAY(char, head_bytes + bytes);
    memcpy(seed, head, head_bytes);
    if (bytes > 0)
        memcpy(seed + head_bytes, data, bytes);
    fuzz_seed(name, seed, head_bytes + bytes);
    mem_free(seed);
}

int fuzz_seeds_replay(void)
{
    seeds_count = 0;
    seeds_folder = NULL;
    fuzz_seeds();
    return seeds_count;
}

/* ---- begin ------------------------------------------------------------------------------------------------------------- */

static void drop(void *context, log_level_t level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char option[] = "--seeds=";
    setenv("TZ", "UTC", 1);
    if (!getenv("FUZZ_LOG"))
        log_set_sink(drop, NULL);
    for (int i = 1; i < *argc; i++)
        if (strncmp((*argv)[i], option, sizeof option - 1) == 0) {
            seeds_folder = (*argv)[i] + sizeof option - 1;
            if (dir_create(seeds_folder) != ST_OK)
                exit(1);
            fuzz_seeds();
            exit(0);
        }
    return 0;
}
