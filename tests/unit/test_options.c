/* test_options - the command line: what reaches the command, what --help prints, and one line for everything that is wrong. */
#include "launcher/job/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

static options_t seen;
static const char *ran;

static status_t keep(const options_t *options, const char *name)
{
    seen = *options;
    ran = name;
    return ST_OK;
}

static status_t run_train(const options_t *options)
{
    return keep(options, "train");
}

static status_t run_inspect(const options_t *options)
{
    return keep(options, "inspect");
}

static status_t run_version(const options_t *options)
{
    return keep(options, "version");
}

static status_t run_failing(const options_t *options)
{
    (void)options;
    return ST_PEER;
}

static const command_t commands[] = {
    {"train", "CONFIG", "train one model", " set out rows no-compress resume ", "It prints the result.", run_train},
    {"inspect", "[DIR]", "show things", " schema max-bad-rows ", "", run_inspect},
    {"version", "", "say the version", "", "", run_version},
    {"fail", "", "fails", "", "", run_failing},
};

#define WORDS_MOST 160

static status_t run(const char *const *words)
{
    char *argv[WORDS_MOST + 2] = {(char *)(uintptr_t) "smelter"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    seen = (options_t){0};
    ran = NULL;
    return options_run(argc, argv, commands, 4);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void test_what_reaches_the_command(void **state)
{
    (void)state;
    assert_int_equal(RUN("train", "a.yaml"), ST_OK);
    assert_string_equal(ran, "train");
    assert_string_equal(seen.argument, "a.yaml");
    assert_true(!seen.out && !seen.rows && !seen.no_compress && seen.n_sets == 0);

    assert_int_equal(
        RUN("train", "--set", "seed=1", "--out", "dir", "a.yaml", "--set=model.beta=2", "--no-compress", "--rows=5"), ST_OK);
    assert_string_equal(seen.argument, "a.yaml");
    assert_string_equal(seen.out, "dir");
    assert_string_equal(seen.rows, "5");
    assert_true(seen.no_compress);
    assert_int_equal(seen.n_sets, 2);
    assert_string_equal(seen.sets[0], "seed=1");
    assert_string_equal(seen.sets[1], "model.beta=2");
    assert_string_equal(seen.argv[0], "smelter");
    assert_string_equal(seen.argv[1], "train");

    assert_int_equal(RUN("train", "a.yaml", "--out", "first", "--out", "second"), ST_OK);
    assert_string_equal(seen.out, "second");
    assert_int_equal(RUN("train", "a.yaml", "--out", "--rows"), ST_OK); /* a value may look like an option */
    assert_string_equal(seen.out, "--rows");

    assert_int_equal(RUN("train", "--resume", "a.yaml"), ST_OK); /* only the word auto belongs to it */
    assert_int_equal(seen.resume, RESUME_ALWAYS);
    assert_string_equal(seen.argument, "a.yaml");
    assert_int_equal(RUN("train", "--resume", "auto", "a.yaml"), ST_OK);
    assert_int_equal(seen.resume, RESUME_AUTO);
    assert_string_equal(seen.argument, "a.yaml");
    assert_int_equal(RUN("train", "a.yaml", "--resume=auto", "--rows", "auto"), ST_OK);
    assert_int_equal(seen.resume, RESUME_AUTO);
    assert_int_equal(RUN("train", "a.yaml", "--resume"), ST_OK);
    assert_int_equal(seen.resume, RESUME_ALWAYS);

    assert_int_equal(RUN("inspect"), ST_OK); /* [DIR] may be left out */
    assert_string_equal(ran, "inspect");
    assert_null(seen.argument);
    assert_int_equal(RUN("inspect", "x", "--schema", "s", "--max-bad-rows", "3"), ST_OK);
    assert_string_equal(seen.schema, "s");
    assert_string_equal(seen.max_bad_rows, "3");

    assert_int_equal(RUN("version"), ST_OK);
    assert_string_equal(ran, "version");
    assert_int_equal(RUN("--version"), ST_OK);
    assert_string_equal(ran, "version");
    assert_int_equal(RUN("fail"), ST_PEER);
}

static void test_the_most_sets(void **state)
{
    (void)state;
    const char *words[WORDS_MOST] = {"train", "a.yaml"};
    for (int i = 0; i < 2 * (OPTIONS_MOST + 1); i++)
        words[2 + i] = i % 2 ? "seed=1" : "--set";
    words[2 + 2 * OPTIONS_MOST] = NULL;
    assert_int_equal(run(words), ST_OK);
    assert_int_equal(seen.n_sets, OPTIONS_MOST);
    words[2 + 2 * OPTIONS_MOST] = "--set";
    catch_start();
    assert_int_equal(run(words), ST_INPUT);
    catch_stop();
    assert_caught("more than 64 --set arguments; put them into the configuration file");
    assert_null(ran);
}

/* Exactly one line, with this text, and the command did not run. */
static void check_error(const char *const *words, const char *text)
{
    catch_start();
    const status_t status = run(words);
    catch_stop();
    assert_int_equal(status, ST_INPUT);
    assert_null(ran);
    assert_caught(text);
    assert_ptr_equal(strchr(catch_text(), '\n') + 1, catch_text() + strlen(catch_text()));
}
#define ERROR(text, ...) check_error((const char *const[]){__VA_ARGS__, NULL}, text)

static void test_what_is_wrong(void **state)
{
    (void)state;
    ERROR("there is no command \"trian\"; see smelter --help", "trian", "a.yaml");
    ERROR("there is no command \"--out\"", "--out", "x");
    ERROR("there is no command \"\"", "");
    ERROR("smelter train needs CONFIG; see smelter train --help", "train");
    ERROR("smelter train needs CONFIG", "train", "--out", "x");
    ERROR("smelter train: \"b.yaml\" is one argument too many; see smelter train --help", "train", "a.yaml", "b.yaml");
    ERROR("smelter version: \"x\" is one argument too many", "version", "x");
    ERROR("smelter train does not know the option --workers; see smelter train --help", "train", "a.yaml", "--workers", "2");
    ERROR("smelter train does not know the option --schema; see smelter train --help", "train", "a.yaml", "--schema", "x");
    ERROR("smelter train does not know the option --ou=x", "train", "a.yaml", "--ou=x");
    ERROR("smelter train does not know the option --outer", "train", "a.yaml", "--outer", "x");
    ERROR("smelter train does not know the option --", "train", "a.yaml", "--");
    ERROR("smelter version does not know the option --set", "version", "--set", "a=b");
    ERROR("--out needs a value: --out DIR", "train", "a.yaml", "--out");
    ERROR("--set needs a value: --set KEY=VALUE", "train", "a.yaml", "--set");
    ERROR("--resume=newest: --resume takes no value other than auto", "train", "a.yaml", "--resume=newest");
    ERROR("smelter train needs CONFIG", "train", "--resume", "auto");
    ERROR("--no-compress takes no value", "train", "a.yaml", "--no-compress=yes");
    /* "(did you mean ...?)": what is likely meant, of commands and of the options that the command takes. */
    ERROR("there is no command \"trian\"; see smelter --help (did you mean train?)", "trian", "a.yaml");
    ERROR("there is no command \"zebra\"; see smelter --help\n", "zebra");
    ERROR("does not know the option --no-compres; see smelter train --help (did you mean --no-compress?)", "train",
          "--no-compres");
    ERROR("does not know the option -out=x; see smelter train --help (did you mean --out?)", "train", "-out=x");
    ERROR("does not know the option --shema; see smelter train --help\n", "train", "--shema"); /* inspect's */
    ERROR("does not know the option -x; see smelter train --help\n", "train", "-x");
    ERROR("--quiet and --verbose are opposites", "train", "a.yaml", "-q", "-v");
    ERROR("--quiet takes no value", "train", "--quiet=1", "a.yaml");
}

/* "-q, -v": for this process, for those that it starts, and for other ranks, which have the same command line. */
static void test_quiet_and_verbose(void **state)
{
    (void)state;
    const log_level_t before = log_level();
    assert_int_equal(RUN("train", "-q", "a.yaml"), ST_OK);
    assert_string_equal(seen.argument, "a.yaml");
    assert_int_equal(log_level(), LOG_WARN);
    assert_string_equal(getenv("SMELTER_LOG"), "warn");
    assert_string_equal(getenv("SMELTER_PROGRESS"), "off");
    unsetenv("SMELTER_PROGRESS");
    assert_int_equal(RUN("train", "a.yaml", "--verbose"), ST_OK);
    assert_int_equal(log_level(), LOG_DEBUG);
    assert_null(getenv("SMELTER_PROGRESS"));
    assert_int_equal(RUN("inspect", "-"), ST_OK); /* standard input is no option */
    assert_string_equal(seen.argument, "-");
    unsetenv("SMELTER_LOG");
    log_set_level(before);
}

/* What run prints to standard output, **owned**. */
static char *printed(const char *const *words, status_t *status)
{
    const char *path = test_path("stdout");
    fflush(stdout);
    const int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "w", stdout));
    *status = run(words);
    fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    close(saved);
    char *text;
    size_t bytes;
    assert_int_equal(file_read(path, &text, &bytes), ST_OK);
    return text;
}
#define PRINTED(...) printed((const char *const[]){__VA_ARGS__, NULL}, &status)

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_help(void **state)
{
    (void)state;
    test_dir();
    status_t status;
    static const char *const ways[] = {"--help", "-h", "help", NULL};
    for (int i = 0; i < 4; i++) { /* nothing at all shows the help too, but is an error */
        char *text = printed((const char *const[]){ways[i], NULL}, &status);
        assert_int_equal(status, ways[i] ? ST_OK : ST_INPUT);
        assert_has(text, "usage: smelter COMMAND [ARGUMENT] [OPTIONS]");
        for (int c = 0; c < 4; c++) {
            assert_has(text, commands[c].name);
            assert_has(text, commands[c].summary);
        }
        mem_free(text);
    }
    ERROR("does not know the option --wrong", "train", "--wrong", "--help"); /* the first thing that is wrong counts */
    for (int i = 0; i < 3; i++) {
        char *text = i == 0   ? PRINTED("train", "--help")
                     : i == 1 ? PRINTED("train", "a.yaml", "-h")
                              : PRINTED("train", "--out", "x", "--help");
        assert_int_equal(status, ST_OK);
        assert_null(ran);
        assert_has(text, "usage: smelter train CONFIG [OPTIONS]\n\ntrain one model\n\nIt prints the result.\n");
        assert_has(text, "--set KEY=VALUE");
        assert_has(text, "--out DIR");
        assert_has(text, "--no-compress ");
        assert_has(text, "--help");
        assert_null(strstr(text, "--schema")); /* not one of its options */
        mem_free(text);
    }
    char *text = PRINTED("version", "--help");
    assert_has(text, "usage: smelter version [OPTIONS]\n");
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_reaches_the_command),
        cmocka_unit_test(test_the_most_sets),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_quiet_and_verbose),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
