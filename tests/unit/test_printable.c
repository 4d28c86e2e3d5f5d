/* Proves: "nothing in it moves the cursor, changes colours or hides what follows": control characters and bytes that are no
 * UTF-8 are escaped in log lines and on standard output, and every other character of every language stays. */
#include "tests/lib/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/printable.h"
#include "common/base/rng.h"
#include "common/files/file.h"

static const struct {
    const char *text, *shown;
} cases[] = {
    {"", ""},
    {"plain text, 100 %", "plain text, 100 %"},
    {"\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m"},
    {"\033]0;owned\a", "\\x1b]0;owned\\x07"},
    {"a\tb\nc\r\x7f", "a\\x09b\\x0ac\\x0d\\x7f"},
    {"北京 🙂 Ñandú Ελλάς 👩‍💻", "北京 🙂 Ñandú Ελλάς 👩‍💻"},
    {"\xc2\x9b"
     "31m",
     "\\xc2\\x9b31m"}, /* CSI as one character */
    {"\x9b"
     "31m",
     "\\x9b31m"},                                                              /* and as one byte */
    {"caf\xe9", "caf\\xe9"},                                                   /* Latin-1 */
    {"\xc0\xaf \xe0\x80\xaf \xf8", "\\xc0\\xaf \\xe0\\x80\\xaf \\xf8"},        /* longer than need be, too long */
    {"\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"}, /* a surrogate, beyond Unicode */
    {"\xe5\x8c", "\\xe5\\x8c"},                                                /* cut short */
    {"\xe2\x80\xae"
     "cod",
     "\\xe2\\x80\\xaecod"},              /* turned to the left */
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
};
#define CASES (sizeof cases / sizeof *cases)

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        char *shown = printable_copy(cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        char *again = printable_copy(shown);
        assert_string_equal(again, shown); /* what may be shown stays */
        mem_free(again);
        mem_free(shown);
    }
}

static void test_cut_between_characters(void **state)
{
    (void)state;
    char out[16];
    assert_int_equal(printable_put(out, 8, "北京", 6), 6);
    assert_int_equal(printable_put(out, 6, "北京", 6), 3);
    assert_string_equal(out, "北");
    assert_int_equal(printable_put(out, 5, "a\001", 2), 1);
    assert_int_equal(printable_put(out, 1, "a", 1), 0);
    assert_string_equal(out, "");
}

/* Whatever bytes come: what is shown has no control character, and its length is within four times. */
static void test_random_bytes(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 20000; round++) {
        char text[24], out[4 * sizeof text + 1];
        for (uint64_t i = 0; i < sizeof text; i++)
            text[i] = (char)rng_u64(7, round, i);
        const size_t n = printable_put(out, sizeof out, text, sizeof text);
        for (size_t i = 0; i < n; i++)
            assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
        char *again = printable_copy(out);
        assert_string_equal(again, out);
        mem_free(again);
    }
}

static void test_stream(void **state)
{
    (void)state;
    const char *path = test_path("shown");
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    FILE *stream = printable_stream(fd);
    setvbuf(stream, NULL, _IONBF, 0); /* every byte is a write of its own */
    fputs("a\tb\n", stream);
    for (size_t i = 0; i < CASES; i++)
        if (!strpbrk(cases[i].text, "\t\n") && strcmp(cases[i].text, "\xe5\x8c") != 0)
            fprintf(stream, "%s\n", cases[i].text);
    fputs("\xe5\x8c", stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(close(fd), 0);
    char *expected = mem_strdup("a\tb\n"), *found = NULL;
    for (size_t i = 0; i < CASES; i++)
        if (!strpbrk(cases[i].text, "\t\n") && strcmp(cases[i].text, "\xe5\x8c") != 0) {
            char *longer = mem_printf("%s%s\n", expected, cases[i].shown);
            mem_free(expected);
            expected = longer;
        }
    char *whole = mem_printf("%s\\xe5\\x8c", expected);
    assert_int_equal(file_read(path, &found, NULL), ST_OK);
    assert_string_equal(found, whole);
    mem_free(whole);
    mem_free(expected);
    mem_free(found);
}

static void test_a_full_disk_is_remembered(void **state)
{
    (void)state;
    const int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        skip();
    FILE *stream = printable_stream(fd);
    assert_int_equal(printable_stream_error(), 0);
    fputs("lost\n", stream);
    fclose(stream);
    assert_int_equal(printable_stream_error(), ENOSPC);
    close(fd);
}

static void test_log_lines(void **state)
{
    (void)state;
    catch_start();
    log_warn("%s: no column %s", "\033[2Jin.csv", "北\xc2\x9b");
    catch_stop();
    assert_string_equal(catch_text(), "\\x1b[2Jin.csv: no column 北\\xc2\\x9b\n");
    setenv("SMELTER_PROGRESS", "tty", 1);
    assert_string_equal(log_line_start(), "\r\033[K");
    setenv("SMELTER_PROGRESS", "lines", 1);
    assert_string_equal(log_line_start(), "");
    unsetenv("SMELTER_PROGRESS");
    assert_string_equal(log_line_start(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_cut_between_characters),    cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_stream), cmocka_unit_test(test_a_full_disk_is_remembered), cmocka_unit_test(test_log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
