/* Proves the rules of the tree (docs/ARCHITECTURE.md) on the tree itself: arrows run launcher -> {ps, worker} -> common, and
 * from room to room inside each of them without a circle; every foreign library has one file; names are unique. Every rule is
 * also shown to catch a made-up tree that breaks it. */
#include "tests/lib/testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"

/* From a room (longest prefix first) to the rooms it may include; "common/" stands for all of them, and a room may always
 * include itself. The rows are in an order in which every arrow points upwards, so that the rooms of each folder form no
 * circle. */
#define MOST_ARROWS 10
static const struct arrow {
    const char *from, *to[MOST_ARROWS];
} arrows[] = {
    {"common/base/", {NULL}},
    {"common/files/", {"common/base/"}},
    {"common/process/", {"common/base/"}},
    {"common/math/", {NULL}},
    {"common/products/", {"common/base/"}},
    {"common/kernels/", {"common/products/", "common/math/", "common/base/"}},
    {"common/metrics/", {"common/kernels/", "common/math/", "common/base/"}},
    {"common/config/", {"common/kernels/", "common/files/", "common/base/"}},
    {"common/net/", {"common/process/", "common/kernels/", "common/base/"}},
    {"common/cluster/", {"common/process/", "common/kernels/", "common/base/"}},
    {"common/data/", {"common/config/", "common/metrics/", "common/files/", "common/math/", "common/base/"}},
    {"common/texts/", {"common/data/", "common/config/", "common/metrics/", "common/files/", "common/base/"}},
    {"ps/table/", {"common/"}},
    {"ps/checkpoint/", {"ps/table/", "common/"}},
    {"ps/", {"ps/table/", "ps/checkpoint/", "common/"}},
    {"worker/network/", {"common/"}},
    {"worker/", {"worker/network/", "common/"}},
    {"launcher/ingest/parquet/", {"common/"}},
    {"launcher/ingest/rows/", {"common/"}},
    {"launcher/ingest/", {"launcher/ingest/parquet/", "launcher/ingest/rows/", "common/"}},
    {"launcher/init/", {"launcher/ingest/", "common/"}},
    {"launcher/metrics/", {"common/"}},
    {"launcher/ranks/", {"common/"}},
    {"launcher/run/", {"launcher/metrics/", "launcher/ranks/", "ps/", "common/"}},
    {"launcher/checkpoint/", {"launcher/run/", "launcher/metrics/", "launcher/ranks/", "ps/", "common/"}},
    {"launcher/report/", {"launcher/run/", "launcher/metrics/", "launcher/ranks/", "common/"}},
    {"launcher/figures/", {"launcher/report/", "worker/", "common/"}},
    {"launcher/coordinator/",
     {"launcher/checkpoint/", "launcher/run/", "launcher/metrics/", "launcher/ranks/", "ps/", "worker/", "common/"}},
    {"launcher/job/", {"launcher/coordinator/", "launcher/ranks/", "ps/", "worker/", "common/"}},
    {"launcher/", {"launcher/", "ps/", "worker/", "common/"}}, /* main.c and the commands */
};

/* The one file that may include each foreign header. */
static const struct foreign {
    const char *header, *user;
} foreign[] = {
    {"mpi.h", "common/cluster/cluster.c"},
    {"zmq.h", "common/net/zeromq.h"},
    {"cblas.h", "common/products/gemm.c"},
    {"yaml.h", "common/config/yaml_tree.c"},
    {"jansson.h", "common/files/jsondoc.c"},
    {"xxhash.h", "common/base/hash.c"},
    {"zstd.h", "common/base/compress.c"},
    {"zlib.h", "common/base/gzip.c"},
    {"lmdb.h", "common/files/lmdb_env.h"},
    {"lz4.h", "launcher/ingest/parquet/parquet_codec.c"},
    {"snappy-c.h", "launcher/ingest/parquet/parquet_codec.c"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MOST_FILES 1024

/* What was found, one line per violation. */
typedef struct check {
    const char *root;
    char *file[MOST_FILES]; /* paths relative to root */
    int files;
    bool is_used[COUNT(foreign)];
    int includes;
    char found[1 << 14];
    int violations;
} check_t;

static void PRINTF_LIKE(2, 3) violation(check_t *check, const char *format, ...)
{
    size_t used = strlen(check->found);
    va_list args;
    va_start(args, format);
    vsnprintf(check->found + used, sizeof check->found - used, format, args);
    va_end(args);
    used = strlen(check->found);
    snprintf(check->found + used, sizeof check->found - used, "\n");
    check->violations++;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static void collect(check_t *check, const char *folder)
{
    char *path = mem_printf("%s/%s", check->root, folder);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        char *name = mem_printf("%s%s", folder, entry->d_name), *whole = mem_printf("%s/%s", check->root, name);
        struct stat st;
        if (stat(whole, &st) == 0 && S_ISDIR(st.st_mode)) {
            char *below = mem_printf("%s/", name);
            collect(check, below);
            mem_free(below);
        } else if (ends_with(name, ".c") || ends_with(name, ".h")) {
            assert_true(check->files < MOST_FILES);
            check->file[check->files++] = mem_strdup(name);
        }
        mem_free(name);
        mem_free(whole);
    }
    if (dir)
        closedir(dir);
    mem_free(path);
}

static void check_own_include(check_t *check, const char *file, int line, const char *header)
{
    char *path = mem_printf("%s/%s", check->root, header);
    bool is_there = access(path, R_OK) == 0;
    mem_free(path);
    if (!is_there) {
        violation(check, "%s:%d: \"%s\" is not a path from the root", file, line, header);
        return;
    }
    for (size_t i = 0; i < COUNT(arrows); i++) {
        if (!starts_with(file, arrows[i].from))
            continue;
        bool allowed = starts_with(header, arrows[i].from);
        for (int t = 0; t < MOST_ARROWS && arrows[i].to[t]; t++)
            allowed = allowed || starts_with(header, arrows[i].to[t]);
        if (!allowed)
            violation(check, "%s:%d: \"%s\" is against the arrows", file, line, header);
        return;
    }
    violation(check, "%s:%d: is in a folder without a place in the layers", file, line);
}

static void check_foreign_include(check_t *check, const char *file, int line, const char *header)
{
    for (size_t i = 0; i < COUNT(foreign); i++) {
        if (strcmp(header, foreign[i].header) != 0)
            continue;
        if (strcmp(file, foreign[i].user) == 0) {
            check->is_used[i] = true;
            return;
        }
        violation(check, "%s:%d: <%s> may not be used here", file, line, header);
        return;
    }
}

static void check_file(check_t *check, const char *file)
{
    char *path = mem_printf("%s/%s", check->root, file), *text;
    assert_int_equal(file_read(path, &text, NULL), ST_OK);
    mem_free(path);
    int line = 0;
    for (char *at = text, *next; at && *at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = 0;
        line++;
        char kind, header[256];
        if (sscanf(at, " # include %c%255[^>\"]", &kind, header) != 2)
            continue;
        check->includes++;
        if (kind == '"')
            check_own_include(check, file, line, header);
        else
            check_foreign_include(check, file, line, header);
    }
    mem_free(text);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void check_tree(check_t *check, const char *root)
{
    memset(check, 0, sizeof *check);
    check->root = root;
    static const char *const tops[] = {"common/", "ps/", "worker/", "launcher/"};
    for (size_t i = 0; i < COUNT(tops); i++)
        collect(check, tops[i]);
    for (int i = 0; i < check->files; i++) {
        check_file(check, check->file[i]);
        for (int j = 0; j < i; j++)
            if (strcmp(base_name(check->file[i]), base_name(check->file[j])) == 0)
                violation(check, "%s and %s have the same name", check->file[i], check->file[j]);
    }
    for (int i = 0; i < check->files; i++)
        mem_free(check->file[i]);
}

static void test_this_tree(void **state)
{
    (void)state;
    static check_t check;
    check_tree(&check, ".");
    if (check.violations)
        print_error("%s", check.found);
    assert_int_equal(check.violations, 0);
    /* A check that saw nothing proves nothing: the tests run in the root of the tree. */
    assert_true(check.files > 20);
    assert_true(check.includes > 100);
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (!check.is_used[i])
            fail_msg("%s does not include <%s>: the table of this test is out of date", foreign[i].user, foreign[i].header);
}

/* A made-up tree: common/base/a.h, common/net/b.h, ps/c.h, worker/d.h, launcher/e.h and one file more. */
static void assert_tree(const char *file, const char *text, const char *expected)
{
    static const char *const headers[] = {"common/base/a.h", "common/kernels/k.h", "common/net/b.h",
                                          "ps/c.h",          "worker/d.h",         "launcher/e.h"};
    const char *root = test_dir();
    for (size_t i = 0; i < COUNT(headers); i++) {
        char *folder = mem_printf("%s/%.*s", root, (int)(base_name(headers[i]) - headers[i]), headers[i]);
        assert_int_equal(dir_create(folder), ST_OK);
        mem_free(folder);
        test_write(headers[i], "#include <stdint.h>\n");
    }
    char *folder = mem_printf("%s/%.*s", root, (int)(base_name(file) - file), file);
    assert_int_equal(dir_create(folder), ST_OK);
    mem_free(folder);
    test_write(file, text);

    static check_t check;
    check_tree(&check, root);
    if (check.violations != (expected ? 1 : 0) || (expected && !strstr(check.found, expected)))
        fail_msg("%s: expected \"%s\", found %d: %s", file, expected ? expected : "nothing", check.violations, check.found);
}

static void test_arrows_that_are_allowed(void **state)
{
    (void)state;
    assert_tree("launcher/x.c", "#include \"ps/c.h\"\n#include \"worker/d.h\"\n#include \"common/net/b.h\"\n", NULL);
    assert_tree("ps/x.c", "#include \"ps/c.h\"\n#include \"common/net/b.h\"\n#include \"common/base/a.h\"\n", NULL);
    assert_tree("common/net/x.c", "#include \"common/net/b.h\"\n#include \"common/kernels/k.h\"\n", NULL);
    assert_tree("common/cluster/cluster.c", "#include <mpi.h>\n", NULL);
    assert_tree("common/files/lmdb_env.h", "#include <lmdb.h>\n", NULL);
    assert_tree("common/kernels/x.c", "/* #include <mpi.h> */\nchar *s = \"x\";\n", NULL);
}

static void test_arrows_that_are_not(void **state)
{
    (void)state;
    assert_tree("ps/x.c", "#include \"worker/d.h\"\n", "ps/x.c:1: \"worker/d.h\" is against the arrows");
    assert_tree("worker/x.c", "\n#include \"ps/c.h\"\n", "worker/x.c:2: \"ps/c.h\" is against the arrows");
    assert_tree("worker/x/y.c", "  #  include \"ps/c.h\"\n", "worker/x/y.c:1: \"ps/c.h\" is against the arrows");
    assert_tree("ps/table/x.c", "#include \"ps/c.h\"\n", "ps/table/x.c:1: \"ps/c.h\" is against the arrows");
    assert_tree("launcher/run/x.c", "#include \"launcher/e.h\"\n",
                "launcher/run/x.c:1: \"launcher/e.h\" is against the arrows");
    assert_tree("ps/x.h", "#include \"launcher/e.h\"\n", "ps/x.h:1: \"launcher/e.h\" is against the arrows");
    assert_tree("common/net/x.c", "#include \"worker/d.h\"\n", "common/net/x.c:1: \"worker/d.h\" is against the arrows");
    assert_tree("common/config/x.c", "#include \"common/net/b.h\"\n", "common/config/x.c:1: \"common/net/b.h\" is against");
    assert_tree("common/base/x.c", "#include \"common/kernels/k.h\"\n", "common/base/x.c:1: \"common/kernels/k.h\" is against");
    assert_tree("common/kernels/x.c", "#include \"common/net/b.h\"\n", "common/kernels/x.c:1: \"common/net/b.h\" is against");
    assert_tree("common/other/x.c", "#include \"common/base/a.h\"\n", "common/other/x.c:1: is in a folder without a place");
}

static void test_includes_are_paths_from_the_root(void **state)
{
    (void)state;
    assert_tree("ps/x.c", "#include \"c.h\"\n", "ps/x.c:1: \"c.h\" is not a path from the root");
    assert_tree("ps/x.c", "#include \"common/base/gone.h\"\n", "\"common/base/gone.h\" is not a path from the root");
}

static void test_foreign_libraries_have_one_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(foreign); i++) {
        char *text = mem_printf("#include <%s>\n", foreign[i].header);
        char *expected = mem_printf("launcher/x.c:1: <%s> may not be used here", foreign[i].header);
        assert_tree("launcher/x.c", text, expected);
        mem_free(text);
        mem_free(expected);
    }
    assert_tree("ps/table/table.c", "#include <lmdb.h>\n", "ps/table/table.c:1: <lmdb.h> may not be used here");
    assert_tree("common/cluster/x.c", "#include <mpi.h>\n", "common/cluster/x.c:1: <mpi.h> may not be used here");
}

static void test_names_are_unique(void **state)
{
    (void)state;
    assert_tree("worker/c.h", "", "worker/c.h and ps/c.h have the same name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_tree),
        cmocka_unit_test(test_arrows_that_are_allowed),
        cmocka_unit_test(test_arrows_that_are_not),
        cmocka_unit_test(test_includes_are_paths_from_the_root),
        cmocka_unit_test(test_foreign_libraries_have_one_file),
        cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
