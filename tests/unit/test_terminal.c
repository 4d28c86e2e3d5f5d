/* Proves of terminal.h: "lines no wider than it is, and a little colour. Elsewhere, in files and pipes, text stays as it was
 * written." */
#include "common/base/terminal.h"
#include "tests/lib/testing.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/printable.h"

static void assert_folded(const char *text, int width, int indent, const char *expected)
{
    char out[512];
    const size_t n = terminal_fold(out, sizeof out - 1, text, strlen(text), width, indent);
    out[n] = 0;
    assert_string_equal(out, expected);
}

static void test_lines(void **state)
{
    (void)state;
    assert_folded("", 20, 0, "");
    assert_folded("twelve words", 20, 0, "twelve words");
    assert_folded("exactly twenty long.", 20, 0, "exactly twenty long.");
    assert_folded("exactly twenty long. no more", 20, 0, "exactly twenty long.\nno more");
    assert_folded("exactly twenty-one it is", 20, 4, "exactly twenty-one\n    it is");
    assert_folded("a  b                  and far away", 20, 0, "a  b\nand far away");
    /* A word that no row takes is cut, at a character. */
    assert_folded("see abcdefghijklmnopqrstuvwxyz now", 20, 2, "see\n  abcdefghijklmnopqr\n  stuvwxyz now");
    assert_folded("äöüäöüäöüäöüäöüäöüäöü", 20, 0, "äöüäöüäöüäöüäöüäöüäö\nü");
    /* Under the text behind the gap, as of --help; or under the first word. */
    assert_folded("  --out D  where results of it go to", 24, -1, "  --out D  where results\n           of it go to");
    assert_folded("   three words of text, and more", 20, -1, "   three words of\n   text, and more");
    assert_folded("plain words of text, and more", 20, -1, "plain words of text,\nand more");
    char out[8];
    assert_int_equal(terminal_fold(out, sizeof out, "a text of many words", 20, 20, 0), sizeof out);
}

static char *table_at(const char *text, int width)
{
    char *out = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&out, &bytes);
    terminal_put_table(stream, text, width);
    fclose(stream);
    return out;
}

static void test_tables(void **state)
{
    (void)state;
    static const char text[] = "         95 % interval        of the\n"
                               "variant   over queries  +-    change\n"
                               "rélu          1 to 2 %   3         -\n"
                               "smelu-1   10.5 to 11 %      +100.0 %\n";
    static const char parted[] = "         95 % interval\n"
                                 "variant   over queries  +-\n"
                                 "rélu          1 to 2 %   3\n"
                                 "smelu-1   10.5 to 11 %\n"
                                 "\n"
                                 "           of the\n"
                                 "variant    change\n"
                                 "rélu            -\n"
                                 "smelu-1  +100.0 %\n";
    char *out = table_at(text, 0);
    assert_string_equal(out, text);
    free(out);
    out = table_at(text, 36);
    assert_string_equal(out, text);
    free(out);
    out = table_at(text, 30);
    assert_string_equal(out, parted);
    free(out);
    out = table_at("one  two\n", 20);
    assert_string_equal(out, "one  two\n");
    free(out);
    out = table_at("", 20);
    assert_string_equal(out, "");
    free(out);
}

static void assert_log(const char *line, int width, bool colour, const char *expected)
{
    char out[512];
    const size_t n = terminal_log_line(out, sizeof out - 1, line, strlen(line), width, colour);
    out[n] = 0;
    assert_string_equal(out, expected);
}

static void test_log_lines(void **state)
{
    (void)state;
    assert_log("12:34:56.789 smelter: all is well\n", 80, true, "12:34:56.789 smelter: all is well\n");
    assert_log("12:34:56.789 smelter: error: all: is lost\n", 0, true,
               "12:34:56.789 smelter: \033[31merror\033[0m: all: is lost\n");
    assert_log("\r\033[K12:34:56.789 worker 1 on n: warn: error: some of it\n", 40, true,
               "\r\033[K12:34:56.789 worker 1 on n: \033[33mwarn\033[0m: error:\n             some of it\n");
    assert_log("12:34:56.789 smelter: error: all is lost\n", 30, false,
               "12:34:56.789 smelter: error:\n             all is lost\n");
    assert_log("12:34:56.789 smelter: a warn: word\n", 80, true, "12:34:56.789 smelter: a warn: word\n");
    assert_log("\n", 80, true, "\n");
}

static void set_columns(int fd, unsigned short columns)
{
    assert_int_equal(ioctl(fd, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = columns}), 0);
}

static void test_what_a_terminal_is(void **state)
{
    (void)state;
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    unsetenv("COLUMNS");
    set_columns(slave, 100);
    assert_int_equal(terminal_width(slave), 100);
    set_columns(slave, 0); /* it does not know */
    assert_int_equal(terminal_width(slave), 80);
    set_columns(slave, 5);
    assert_int_equal(terminal_width(slave), 0);
    setenv("COLUMNS", "60", 1);
    assert_int_equal(terminal_width(slave), 60);
    setenv("COLUMNS", "sixty", 1);
    set_columns(slave, 70);
    assert_int_equal(terminal_width(slave), 70);
    unsetenv("COLUMNS");

    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(terminal_has_colour(slave));
    setenv("NO_COLOR", "1", 1);
    assert_false(terminal_has_colour(slave));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(terminal_has_colour(slave));

    const int file = open("/dev/null", O_WRONLY);
    setenv("TERM", "xterm", 1);
    setenv("COLUMNS", "60", 1); /* of a shell's terminal, which this is not */
    assert_int_equal(terminal_width(file), 0);
    assert_false(terminal_has_colour(file));
    unsetenv("COLUMNS");
    close(file);

    FILE *stream = printable_stream(slave);
    fputs("  trained        by smelter, and by nobody else, on a host with a name of its own\n"
          "{\"json\": \"is for programs, and stays as it is, however long its line may be, to be copied\"}\nhalf a ",
          stream);
    fflush(stream);
    fputs("line\n", stream);
    assert_int_equal(fclose(stream), 0);
    char text[1024];
    size_t n = 0;
    for (text[0] = 0; !strstr(text, "half a line\r\n"); text[n] = 0) { /* a terminal passes on what it has in pieces */
        const ssize_t got = read(master, text + n, sizeof text - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_string_equal(text,
                        "  trained        by smelter, and by nobody else, on a host with a name\r\n"
                        "                 of its own\r\n"
                        "{\"json\": \"is for programs, and stays as it is, however long its line may be, to be copied\"}\r\n"
                        "half a line\r\n");
    close(slave);
    close(master);
}

/* "It learns by SMELTER_COLUMNS how wide those of the process are that started mpirun", whatever mpirun gives it. */
static void test_a_rank(void **state)
{
    (void)state;
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    unsetenv("SMELTER_COLUMNS");
    setenv("TERM", "xterm", 1);
    terminal_is_behind();
    assert_false(terminal_is_own(slave) || terminal_has_colour(slave));
    assert_int_equal(terminal_width(slave), 0);
    setenv("SMELTER_COLUMNS", "0,90", 1);
    assert_int_equal(terminal_width(STDOUT_FILENO), 0);
    assert_int_equal(terminal_width(STDERR_FILENO), 90);
    close(slave);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_log_lines), cmocka_unit_test(test_what_a_terminal_is),
        cmocka_unit_test(test_a_rank), /* the last one: it stays one */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
