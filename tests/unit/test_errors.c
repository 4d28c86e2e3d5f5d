/* Proves the tables of docs/ERRORS.md: each line that they show is one that the program can print. A line is looked for in the
 * string literals of the sources, in which a conversion (%s, %d) stands for any text; more than half of the line must be
 * spelled in one literal. */
#include "tests/lib/testing.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memory.h"
#include "common/files/file.h"

enum { ANY = 1 };       /* in a pattern: any text, also none */
enum { SHORTEST = 10 }; /* literals without that many characters are not messages */
enum { LONGEST_LINE = 255 };

typedef struct patterns {
    char **text; /* **owned**, [n] */
    size_t n, capacity;
} patterns_t;

static void patterns_fini(patterns_t *patterns)
{
    for (size_t i = 0; i < patterns->n; i++)
        mem_free(patterns->text[i]);
    mem_free(patterns->text);
}

/* One literal, from behind its quote, is added to the pattern; returns where its closing quote is. */
static const char *add_literal(const char *at, char *pattern, size_t *length)
{
    for (; *at && *at != '"'; at++) {
        char c = *at;
        if (c == '\\' && at[1]) {
            at++;
            c = *at == 'n' || *at == 't' ? ' ' : *at;
        } else if (c == '%' && at[1] == '%') {
            at++;
        } else if (c == '%') {
            while (at[1] && strchr("-+ #0123456789.*hlzjt", at[1]))
                at++;
            at += at[1] != '"' && at[1]; /* where the literal ends here, a macro such as PRId64 follows */
            c = ANY;
        }
        pattern[(*length)++] = c;
    }
    return at;
}

/* From the quote that ends a literal: whether nothing but space, comments and macros in capitals stands before the next. */
static const char *next_literal(const char *at)
{
    for (at++; *at;) {
        if (strncmp(at, "PRI", 3) == 0)
            at += strcspn(at, " \n\")");
        else if (isspace((unsigned char)*at) || isupper((unsigned char)*at) || *at == '_')
            at++;
        else
            break;
    }
    return *at == '"' ? at : NULL;
}

/* All string literals of a source, those that stand side by side as one. */
static void read_patterns(const char *source, patterns_t *out)
{
    char *pattern = MEM_ARRAY(char, strlen(source) + 1);
    for (const char *at = source; *at; at++) {
        if (strncmp(at, "/*", 2) == 0) {
            at = strstr(at, "*/");
            assert_non_null(at);
            at++;
        } else if (*at == '\'') {
            at += at[1] == '\\' ? 3 : 2;
        } else if (*at == '"') {
            size_t length = 0;
            for (const char *open = at; open; open = next_literal(at)) {
                if (open > at)
                    pattern[length++] = ANY; /* for the macro that may stand between */
                at = add_literal(open + 1, pattern, &length);
            }
            pattern[length] = 0;
            if (length < SHORTEST)
                continue;
            MEM_GROW(out->text, out->capacity, out->n + 1);
            out->text[out->n++] = mem_strdup(pattern);
        }
    }
    mem_free(pattern);
}

static void read_folder(const char *folder, patterns_t *out)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *path = mem_printf("%s/%s", folder, entry->d_name), *source;
        const char *dot = strrchr(entry->d_name, '.');
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode) && entry->d_name[0] != '.') {
            read_folder(path, out);
        } else if (dot && (strcmp(dot, ".c") == 0 || strcmp(dot, ".h") == 0)) {
            assert_int_equal(file_read(path, &source, NULL), ST_OK);
            read_patterns(source, out);
            mem_free(source);
        }
        mem_free(path);
    }
    closedir(dir);
}

/* The most characters of the line that a part of the pattern spells where it matches all of it; -1 where none does. */
static int spelled(const char *line, const char *pattern)
{
    const size_t n = strlen(line), m = strlen(pattern);
    assert_true(n <= LONGEST_LINE);
    int most = -1, from[LONGEST_LINE + 1], next[LONGEST_LINE + 1]; /* [i]: of line[i..] from a place of the pattern on */
    for (size_t i = 0; i <= n; i++)
        next[i] = i == n ? 0 : -1;
    for (size_t j = m; j-- > 0;) {
        from[n] = 0;
        for (size_t i = n; i-- > 0;) {
            if (pattern[j] == ANY)
                from[i] = from[i + 1] > next[i] ? from[i + 1] : next[i];
            else
                from[i] = line[i] == pattern[j] && next[i + 1] >= 0 ? next[i + 1] + 1 : -1;
        }
        most = from[0] > most ? from[0] : most;
        memcpy(next, from, sizeof next);
    }
    return most;
}

static bool is_printed(const char *line, const patterns_t *patterns)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (2 * spelled(line, patterns->text[i]) > (int)strlen(line))
            return true;
    return false;
}

/* The texts between backticks in a cell; those without a space are names of keys and options. Returns how many are missing. */
static int check_cell(const char *cell, const char *end, const patterns_t *patterns, int *checked)
{
    int missing = 0;
    for (const char *open; (open = memchr(cell, '`', (size_t)(end - cell)));) {
        const char *close = memchr(open + 1, '`', (size_t)(end - open - 1));
        assert_non_null(close);
        char *line = mem_printf("%.*s", (int)(close - open - 1), open + 1);
        if (strchr(line, ' ')) {
            ++*checked;
            if (!is_printed(line, patterns)) {
                print_message("# no source prints: %s\n", line);
                missing++;
            }
        }
        mem_free(line);
        cell = close + 1;
    }
    return missing;
}

/* Lines stand in the first column, or in the second of the table whose first one says what happens. */
static int check_document(char *text, const patterns_t *patterns, int *checked)
{
    int missing = 0, column = 0;
    for (char *rest = text, *row; (row = strsep(&rest, "\n"));) {
        if (row[0] != '|')
            column = 0;
        else if (column == 0)
            column = strncmp(row, "| the line says", 15) == 0 ? 1 : strncmp(row, "| what happens", 14) == 0 ? 2 : 3;
        else if (column < 3 && row[1] != '-') {
            const char *cell = row + 1, *end = strstr(cell, " |");
            if (column == 2) {
                cell = end + 2;
                end = strstr(cell, " |");
            }
            assert_non_null(end);
            missing += check_cell(cell, end, patterns, checked);
        }
    }
    return missing;
}

static void lines_of_the_tables_are_printed(void **state)
{
    (void)state;
    static const char *const folders[] = {"common", "ps", "worker", "launcher"};
    patterns_t patterns = {0};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        read_folder(folders[i], &patterns);
    MEM_GROW(patterns.text, patterns.capacity, patterns.n + 1);
    patterns.text[patterns.n++] = mem_strdup(strerror(ENOSPC)); /* what the system says, behind a file's name */
    char *text;
    int checked = 0;
    assert_int_equal(file_read("docs/ERRORS.md", &text, NULL), ST_OK);
    assert_int_equal(check_document(text, &patterns, &checked), 0);
    assert_true(checked > 60);
    mem_free(text);
    patterns_fini(&patterns);
}

static void a_line_that_no_source_prints_is_found(void **state)
{
    (void)state;
    patterns_t patterns = {0};
    read_patterns("/* \"in a comment it is no text\" */ char c = '\"'; log_warn(\"%s holds %\" PRId64 \" rows\"\n"
                  "    \" of shard \" NUMBER \".\", name, rows, shard); f(\"another text: %.1f %%\", x);",
                  &patterns);
    assert_int_equal(patterns.n, 2);
    assert_true(is_printed("store holds 12 rows of shard 3.", &patterns));
    assert_true(is_printed("another text: 1.5 %", &patterns));
    assert_false(is_printed("holds 12 lines of shard 3", &patterns));
    assert_false(is_printed("in a comment it is no text", &patterns));
    char rows[] =
        "| the line says | it means |\n|---|---|\n| `holds 7 rows of shard 1`, `holds nothing at all` | `not looked at` |\n\n"
        "| what happens | what the log says |\n|---|---|\n| `not here` | `another text of mine`, `a_key` |\n";
    int checked = 0;
    assert_int_equal(check_document(rows, &patterns, &checked), 2);
    assert_int_equal(checked, 3);
    patterns_fini(&patterns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_the_tables_are_printed),
        cmocka_unit_test(a_line_that_no_source_prints_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
