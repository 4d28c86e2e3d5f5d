/* The replay of a fuzz target, for any compiler: fuzz_NAME [FILE|FOLDER]... runs the target's seeds and each of these inputs
 * once. A finding ends the process, as it would the fuzzer; the last line "running PATH" on standard error says on what.
 *
 * What the input only claims is not to be allocated: the process may have MEMORY_MOST bytes of memory, beside what a sanitizer
 * takes. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/fuzz/harness.h"

#define MEMORY_MOST ((rlim_t)1 << 30)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static int replayed;

static void replay_file(const char *path)
{
    char *data;
    size_t bytes;
    fprintf(stderr, "running %s\n", path);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    bytes = (size_t)ftell(file);
    rewind(file);
    data = MEM_ARRAY(char, bytes);
    if (fread(data, 1, bytes, file) != bytes) {
        perror(path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)data, bytes);
    mem_free(data);
    replayed++;
}

static void replay(const char *path)
{
    struct stat st;
    struct dirent **names;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    const int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char *inside = mem_printf("%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            replay_file(inside);
        mem_free(inside);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    const struct rlimit limit = {MEMORY_MOST, MEMORY_MOST};
    if (!IS_SANITIZED && setrlimit(RLIMIT_DATA, &limit) != 0)
        perror("setrlimit");
    LLVMFuzzerInitialize(&argc, &argv);
    fprintf(stderr, "running the seeds\n");
    replayed = fuzz_seeds_replay();
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d inputs\n", replayed);
    return 0;
}
