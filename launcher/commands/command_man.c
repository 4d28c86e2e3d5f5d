/* smelter man - the manual page, in the language of man(7), from the tables of commands and options. */
#include <stdio.h>
#include <string.h>

#include "launcher/commands/commands.h"
#include "launcher/ranks/provenance.h"

/* Text as it stands there: a backslash, a hyphen and a line's first point would mean something to the formatter. Line ends are
 * spaces. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text == '\n' ? ' ' : *text);
}

static void put_option(const option_line_t *line)
{
    fputs(".TP\n.B ", stdout);
    if (line->kind == OPTION_LETTER)
        printf("\\-%c\\fR, \\fB", *line->name);
    fputs("\\-\\-", stdout);
    put_text(line->name);
    if (line->value)
        printf(" \\fI%s", line->value);
    fputs("\\fR\n", stdout);
    put_text(line->help);
    putchar('\n');
}

static void put_command(const command_t *command)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    fputs(".SS smelter ", stdout);
    put_text(command->name);
    putchar(' ');
    put_text(command->argument);
    putchar('\n');
    put_text(command->summary);
    fputs(".\n", stdout);
    if (*command->help) {
        fputs(".PP\n", stdout);
        put_text(command->help);
        putchar('\n');
    }
    for (int i = 0; i < n; i++)
        if (lines[i].kind != OPTION_LETTER && options_takes(command, &lines[i]))
            put_option(&lines[i]);
}

static void put_environment(void)
{
    static const char *const variables[][2] = {
        {"SMELTER_LOG", "how much is said on standard error: error, warn, info (the default), debug or trace."},
        {"SMELTER_PROGRESS", "the live line: tty (redrawn in place), lines (one every few seconds) or off."},
        {"SMELTER_KERNELS", "the kernel of our own matrix products (kernels: own) instead of the fastest here: avx512, avx2, "
                            "neon or plain; all give the same bits."},
        {"COLUMNS", "how wide the terminal is, where it is not to be asked."},
        {"NO_COLOR", "not empty: no colours."},
        {"TMPDIR", "where the sockets of a job and its temporary files are."},
    };
    puts(".SH ENVIRONMENT");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        printf(".TP\n.B %s\n", variables[i][0]);
        put_text(variables[i][1]);
        putchar('\n');
    }
}

status_t command_man(const options_t *options)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    puts(".\\\" made by smelter man\n.TH SMELTER 1 \"\" \"smelter " SMELTER_VERSION "\" \"User Commands\"\n.SH NAME\n"
         "smelter \\- train click\\-through\\-rate recommenders on a parameter\\-server cluster\n.SH SYNOPSIS\n"
         ".B smelter\n.I COMMAND\n[\\fIARGUMENT\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n"
         "Trains click\\-through\\-rate recommenders on a cluster of workers and servers, and measures how reproducible their\n"
         "predictions are. Under mpirun or srun, train, compare and predict take their rank's role; without one they start\n"
         "mpirun, and so do tune, churn and evaluate.\n.SH OPTIONS\nEvery command takes these.");
    for (int i = 0; i < n; i++)
        if (lines[i].kind == OPTION_LETTER)
            put_option(&lines[i]);
    puts(".TP\n.B \\-h\\fR, \\fB\\-\\-help\\fR\nshow how the command is used\n.SH COMMANDS");
    for (int c = 0; c < options->n_commands; c++)
        put_command(&options->commands[c]);
    puts(".SH EXIT STATUS");
    for (const exit_code_t *code = options_exit_codes; code->code; code++) {
        printf(".TP\n.B %s\n", code->code);
        put_text(code->meaning);
        putchar('\n');
    }
    put_environment();
    puts(".SH SEE ALSO\nThe documents that come with it, in share/doc/smelter where it is installed: docs/CONFIG.md, "
         "docs/OPERATIONS.md,\n"
         "docs/ERRORS.md.");
    return ST_OK;
}
