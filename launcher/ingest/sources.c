#include "launcher/ingest/sources.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/base/memory.h"

static void add(sources_t *s, const char *path)
{
    MEM_GROW(s->paths, s->capacity, (size_t)s->count + 1);
    s->paths[s->count++] = mem_strdup(path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What a folder's owner keeps beside its data: _SUCCESS, _committed_1, .part-0.crc. */
static bool is_beside(const char *path)
{
    const char *name = base_name(path);
    return *name == '.' || *name == '_';
}

static void leave_out(sources_t *s, const char *path)
{
    char *longer = s->left_out ? mem_printf("%s, %s", s->left_out, path) : mem_strdup(path);
    mem_free(s->left_out);
    s->left_out = longer;
}

/* ---- folders and patterns ------------------------------------------------------------------------------------------------ */

static status_t add_folder(sources_t *s, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return FAIL(ST_INPUT, "%s: the folder cannot be read: %s", folder, strerror(errno));
    const int first = s->count;
    const char *gap = folder[strlen(folder) - 1] == '/' ? "" : "/";
    status_t status = ST_OK;
    for (struct dirent *entry; status == ST_OK && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = mem_printf("%s%s%s", folder, gap, entry->d_name);
        if (is_beside(path))
            leave_out(s, path);
        else if (is_folder(path))
            status = FAIL(ST_INPUT,
                          "%s: there is a folder in it, %s, and import reads the files of one; give '%s%s*/*' for those "
                          "one level below",
                          folder, entry->d_name, folder, gap);
        else
            add(s, path);
        mem_free(path);
    }
    closedir(dir);
    if (status == ST_OK && s->count == first)
        status = FAIL(ST_INPUT, "%s: there is no file in the folder to import%s%s", folder, s->left_out ? "; left out: " : "",
                      s->left_out ? s->left_out : "");
    if (s->count > first)
        qsort(s->paths + first, (size_t)(s->count - first), sizeof *s->paths, by_name);
    return status;
}

static status_t add_pattern(sources_t *s, const char *pattern)
{
    glob_t found = {0};
    const int code = glob(pattern, GLOB_NOSORT | GLOB_BRACE, NULL, &found);
    status_t status = ST_OK;
    if (code == GLOB_NOMATCH)
        status = FAIL(ST_INPUT, "%s: no file matches this pattern", pattern);
    else if (code != 0)
        status = FAIL(ST_SYSTEM, "%s: the files of this pattern cannot be listed: %s", pattern,
                      code == GLOB_NOSPACE ? "out of memory" : "a folder cannot be read");
    if (status == ST_OK)
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_name);
    const int first = s->count;
    const bool names_them = *base_name(pattern) == '_' || *base_name(pattern) == '.';
    for (size_t i = 0; status == ST_OK && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (is_beside(path) && !names_them)
            leave_out(s, path);
        else if (is_folder(path))
            status = add_folder(s, path);
        else
            add(s, path);
    }
    globfree(&found);
    if (status == ST_OK && s->count == first)
        status = FAIL(ST_INPUT, "%s: no file matches this pattern but what is left out: %s", pattern, s->left_out);
    return status;
}

/* ---- what fits together -------------------------------------------------------------------------------------------------- */

/* The ending that names a format, compression apart: "csv" of a.csv.gz; bytes 0 where there is none. */
static const char *ending(const char *path, size_t *bytes)
{
    static const char *const packed[] = {".gz", ".zst"};
    const char *name = base_name(path);
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (n > strlen(packed[i]) && strcmp(name + n - strlen(packed[i]), packed[i]) == 0)
            n -= strlen(packed[i]);
    size_t at = n;
    while (at > 0 && name[at - 1] != '.')
        at--;
    *bytes = at > 1 ? n - at : 0;
    return name + at;
}

/* An ending that says nothing, such as that of part-00000.snappy or log.2024, would be no reason: those that are known are. */
static bool is_format(const char *word, size_t bytes)
{
    static const char *const words[] = {"csv", "tsv",     "tab", "libsvm", "svm",  "libfm", "libffm",
                                        "ffm", "parquet", "orc", "avro",   "json", "jsonl"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == bytes && memcmp(words[i], word, bytes) == 0)
            return true;
    return false;
}

static status_t check_formats(const sources_t *s)
{
    const char *first = NULL;
    for (int i = 0; i < s->count; i++) {
        size_t a, b;
        const char *word = ending(s->paths[i], &a);
        if (!is_format(word, a))
            continue;
        const char *known = first ? ending(first, &b) : NULL;
        if (known && (a != b || memcmp(word, known, a) != 0))
            return FAIL(ST_INPUT, "%s and %s are files of two formats, and an import reads one; give those of one, '*.%.*s'",
                        first, s->paths[i], (int)b, known);
        first = first ? first : s->paths[i];
    }
    return ST_OK;
}

typedef struct source_place {
    dev_t device;
    ino_t number;
    const char *path;
} source_place_t;

static int by_place(const void *a, const void *b)
{
    const source_place_t *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* A file that is given twice would be in the dataset twice. */
static status_t check_twins(const sources_t *s)
{
    source_place_t *places = MEM_ARRAY(source_place_t, s->count);
    int n = 0;
    bool has_stdin = false;
    status_t status = ST_OK;
    for (int i = 0; i < s->count && status == ST_OK; i++) {
        struct stat st;
        const bool is_stdin = strcmp(s->paths[i], SOURCE_STDIN) == 0;
        if (is_stdin && has_stdin)
            status = FAIL(ST_INPUT, "- is given twice, and there is one standard input; remove one");
        has_stdin |= is_stdin;
        if (!is_stdin && stat(s->paths[i], &st) == 0 && S_ISREG(st.st_mode))
            places[n++] = (source_place_t){st.st_dev, st.st_ino, s->paths[i]};
    }
    if (n > 0)
        qsort(places, (size_t)n, sizeof *places, by_place);
    for (int i = 1; i < n && status == ST_OK; i++)
        if (by_place(&places[i - 1], &places[i]) == 0)
            status = FAIL(ST_INPUT, "%s and %s are one file, given twice; remove one", places[i - 1].path, places[i].path);
    mem_free(places);
    return status;
}

/* ---- all ----------------------------------------------------------------------------------------------------------------- */

status_t sources_find(const char *const *specs, int n, sources_t *out)
{
    for (int i = 0; i < n; i++) {
        struct stat st;
        const bool is_there = stat(specs[i], &st) == 0;
        if (is_there && S_ISDIR(st.st_mode))
            TRY(add_folder(out, specs[i]));
        else if (!is_there && strpbrk(specs[i], "*?[{"))
            TRY(add_pattern(out, specs[i]));
        else
            add(out, specs[i]);
    }
    if (out->left_out)
        log_info("left out, as names that begin with . or _ are: %s", out->left_out);
    if (out->count == 1)
        return ST_OK;
    TRY(check_formats(out));
    return check_twins(out);
}

void sources_fini(sources_t *sources)
{
    for (int i = 0; i < sources->count; i++)
        mem_free(sources->paths[i]);
    mem_free(sources->paths);
    mem_free(sources->left_out);
    *sources = (sources_t){0};
}

char **sources_lines(const char *text, int *n)
{
    char *copy = mem_strdup(text);
    int count = 1;
    for (const char *at = text; *at; at++)
        count += *at == '\n';
    char **lines = MEM_ARRAY(char *, count);
    *n = 0;
    for (char *at = copy; *n < count;) {
        lines[(*n)++] = at;
        at = strchr(at, '\n');
        if (!at)
            break;
        *at++ = 0;
    }
    return lines;
}
