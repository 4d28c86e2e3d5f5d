#include "tests/lib/testing.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"

static char caught[1 << 16];
static size_t caught_bytes;
static pthread_mutex_t caught_lock = PTHREAD_MUTEX_INITIALIZER;

static void catcher(void *context, log_level_t level, const char *text)
{
    (void)context;
    (void)level;
    pthread_mutex_lock(&caught_lock);
    int n = snprintf(caught + caught_bytes, sizeof caught - caught_bytes, "%s\n", text);
    caught_bytes += (size_t)n < sizeof caught - caught_bytes ? (size_t)n : sizeof caught - caught_bytes - 1;
    pthread_mutex_unlock(&caught_lock);
}

void catch_start(void)
{
    caught_bytes = 0;
    caught[0] = 0;
    log_set_sink(catcher, NULL);
}

void catch_stop(void)
{
    log_set_sink(NULL, NULL);
}

const char *catch_text(void)
{
    return caught;
}

bool catch_has(const char *text)
{
    return strstr(caught, text) != NULL;
}

void assert_caught_at(const char *text, const char *file, int line)
{
    if (catch_has(text))
        return;
    catch_stop();
    print_error("no log line contains \"%s\"; caught:\n%s", text, caught);
    _fail(file, line);
}

void assert_refusal_at(status_t status, const char *text, const char *file, int line)
{
    if (status == ST_MESSAGE && strstr(status_refusal(), text))
        return;
    print_error("%s, and \"%s\" does not contain \"%s\"\n", status_name(status), status_refusal(), text);
    _fail(file, line);
}

static char dir_path[256];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    if (dir_path[0])
        nftw(dir_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_dir(void)
{
    if (dir_path[0])
        remove_dir();
    else
        atexit(remove_dir);
    const char *base = getenv("TMPDIR");
    snprintf(dir_path, sizeof dir_path, "%s/smelter-test.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(dir_path)) {
        perror("mkdtemp");
        abort();
    }
    return dir_path;
}

#define PATHS 64
static char *paths[PATHS];
static int next_path;

const char *test_path(const char *format, ...)
{
    if (!dir_path[0])
        test_dir();
    char name[512];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    char **slot = &paths[next_path++ % PATHS];
    mem_free(*slot);
    *slot = mem_printf("%s/%s", dir_path, name);
    return *slot;
}

const char *test_write(const char *name, const char *text)
{
    const char *path = test_path("%s", name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text, 1, strlen(text), f) != strlen(text) || fclose(f) != 0) {
        perror(path);
        abort();
    }
    return path;
}

const char *test_data(const char *name)
{
    const char *base = getenv("SMELTER_DATA");
    if (!base || !*base)
        return NULL;
    char **slot = &paths[next_path++ % PATHS];
    mem_free(*slot);
    *slot = mem_printf("%s/%s", base, name);
    return access(*slot, R_OK) == 0 ? *slot : NULL;
}

void test_older_manifest(const char *folder)
{
    char *path = mem_printf("%s/manifest.json", folder), *text;
    assert_int_equal(file_read(path, &text, NULL), ST_OK);
    char *format = strstr(text, "\"format\": 6"), *files = strstr(text, ",\n  \"files\": [");
    assert_true(format && files);
    format[strlen("\"format\": ")] = '5';
    strcpy(files, "\n}\n");
    assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
    mem_free(text);
    mem_free(path);
}

void test_fill_disk(const char *path)
{
    static const char zeros[512];
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(zeros, 1, sizeof zeros, file) == sizeof zeros)
        ;
    fclose(file);
}
