#include "launcher/job/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/base/text.h"
#include "common/cluster/launch.h"
#include "common/files/file_mode.h"

static const option_line_t option_lines[] = {
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), "where results go"},
    {"set", "KEY=VALUE", OPTION_LIST, offsetof(options_t, sets), "override a key of the configuration; may be repeated"},
    {"from", "DIR", OPTION_LIST, offsetof(options_t, from), "the same folder as another host has it; may be repeated"},
    {"fetch", "COMMAND", OPTION_TEXT, offsetof(options_t, fetch), "how to copy a folder from another host"},
    {"schema", "FILE", OPTION_TEXT, offsetof(options_t, schema),
     "what the columns are: a YAML file or criteo, avazu, libsvm, libffm"},
    {"append", "DATASET", OPTION_TEXT, offsetof(options_t, append), "add the rows to this dataset, in the place of --out"},
    {"max-bad-rows", "N", OPTION_TEXT, offsetof(options_t, max_bad_rows),
     "go on with up to N bad rows (default: the schema's)"},
    {"baseline", "VARIANT", OPTION_TEXT, offsetof(options_t, baseline), "the variant to compare with (experiment.baseline)"},
    {"tolerance", "LOSS", OPTION_TEXT, offsetof(options_t, tolerance), "how much worse the logloss may be (tune.tolerance)"},
    {"label", "COLUMN", OPTION_TEXT, offsetof(options_t, label), "the column to predict (default: guessed)"},
    {"rows", "N", OPTION_TEXT, offsetof(options_t, rows), "how many rows"},
    {"split", "train|eval|test|all", OPTION_TEXT, offsetof(options_t, split), "which examples (default: eval)"},
    {"by-window", "day|hour|SECONDS", OPTION_TEXT, offsetof(options_t, by_window), "the metrics of each window of time, too"},
    {"columns", "A,B", OPTION_TEXT, offsetof(options_t, columns),
     "columns of the input, or fields of a dataset, to carry along"},
    {"dataset-a", "DATASET", OPTION_TEXT, offsetof(options_t, dataset_a),
     "the same examples with the fields that RUN_A knows (default: DATASET)"},
    {"initial", "DIR", OPTION_TEXT, offsetof(options_t, initial), "write what the run's training started from as plain arrays"},
    {"verify", NULL, OPTION_FLAG, offsetof(options_t, verify), "check every byte of its files first"},
    {"deep", NULL, OPTION_FLAG, offsetof(options_t, deep), "look up the first row that differs, too"},
    {"restarts", "N", OPTION_TEXT, offsetof(options_t, restarts), "start up to N times again where the job fails (default: 0)"},
    {"mode", "MODE", OPTION_TEXT, offsetof(options_t, mode), "who may read what is written, such as 0750 (default: 0700)"},
    {"json", NULL, OPTION_FLAG, offsetof(options_t, json), "print JSON"},
    {"resume", "[auto]", OPTION_RESUME, offsetof(options_t, resume),
     "go on from the newest checkpoint in --out; auto: begin where there is none"},
    {"continue", "DIR", OPTION_TEXT, offsetof(options_t, go_on),
     "go on from the finished runs in DIR with the rows appended to the dataset since"},
    {"again", NULL, OPTION_FLAG, offsetof(options_t, again), "remove the run in --out and train anew"},
    {"reimport", NULL, OPTION_FLAG, offsetof(options_t, reimport),
     "make the dataset again where its input, schema or settings have changed"},
    {"no-compress", NULL, OPTION_FLAG, offsetof(options_t, no_compress), "store blocks without zstd"},
    {"quiet", NULL, OPTION_LETTER, offsetof(options_t, quiet), "say warnings, errors and results alone"},
    {"verbose", NULL, OPTION_LETTER, offsetof(options_t, verbose), "say more of what is done (SMELTER_LOG=debug)"},
};
#define OPTION_LINES (int)(sizeof option_lines / sizeof *option_lines)

const exit_code_t options_exit_codes[] = {
    {"0", "done"},
    {"1", "failed; another start may do better. Of diff, tune and checkpoint verify: what was compared differs, nothing "
          "fulfils what was asked, something is damaged"},
    {"2", "what was given is wrong: command line, configuration, schema, data; another start would end alike"},
    {"3", "stopped, as a signal asked; saved where there was time"},
    {NULL, NULL},
};

const option_line_t *options_lines(int *n)
{
    *n = OPTION_LINES;
    return option_lines;
}

bool options_takes(const command_t *command, const option_line_t *line)
{
    char word[64];
    snprintf(word, sizeof word, " %s ", line->name);
    return line->kind == OPTION_LETTER || strstr(command->options, word) != NULL;
}

static void print_all(const command_t *commands, int n)
{
    printf("smelter - trains click-through-rate recommenders on a parameter-server cluster and measures how reproducible they "
           "are\n\n"
           "usage: smelter COMMAND [ARGUMENT] [OPTIONS]        smelter COMMAND --help\n\n");
    for (int i = 0; i < n; i++)
        printf("  %-18s %s\n", commands[i].name, commands[i].summary);
    printf("\nUnder mpirun or srun, train, compare and predict take their rank's role; without one they start mpirun, and so "
           "do tune, churn and evaluate.\n\nexit codes:\n");
    for (const exit_code_t *code = options_exit_codes; code->code; code++)
        printf("  %s  %s\n", code->code, code->meaning);
    printf("\nThe manual is printed by smelter man; completion for a shell by smelter completion.\n");
}

/* Lines of a file are about 128 columns; a terminal breaks a paragraph where it wants to. */
static void print_help(const char *help)
{
    const bool as_it_is = terminal_width(STDOUT_FILENO) == 0;
    putchar('\n');
    for (; *help; help++)
        putchar(*help == '\n' && !as_it_is ? ' ' : *help);
    putchar('\n');
}

static void print_one(const command_t *command)
{
    printf("usage: smelter %s %s%s[OPTIONS]\n\n%s\n", command->name, command->argument, *command->argument ? " " : "",
           command->summary);
    if (*command->help)
        print_help(command->help);
    printf("\noptions:\n");
    for (int i = 0; i < OPTION_LINES; i++) {
        const option_line_t *line = &option_lines[i];
        if (!options_takes(command, line))
            continue;
        char left[64], letter[8] = "";
        if (line->kind == OPTION_LETTER)
            snprintf(letter, sizeof letter, "-%c, ", *line->name);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, line->name, line->value ? " " : "", line->value ? line->value : "");
        printf("  %-22s %s\n", left, line->help);
    }
    printf("  %-22s %s\n", "-h, --help", "this text");
}

/* A flag that may have one word behind it, auto: any other is the next argument. Given twice, the last counts. */
static status_t parse_resume(const char *equals, const char *next, int *at, resume_t *out)
{
    const char *word = equals ? equals + 1 : next;
    const bool is_auto = word && strcmp(word, "auto") == 0;
    if (equals && !is_auto)
        return FAIL(ST_INPUT, "--resume=%s: --resume takes no value other than auto", word);
    *at += is_auto && !equals;
    *out = is_auto ? RESUME_AUTO : RESUME_ALWAYS;
    return ST_OK;
}

static status_t add_to_list(const option_line_t *line, const char *value, options_t *out)
{
    const bool is_set = line->offset == offsetof(options_t, sets);
    int *n = is_set ? &out->n_sets : &out->n_from;
    if (*n == OPTIONS_MOST)
        return FAIL(ST_INPUT, "more than %d --%s arguments%s", OPTIONS_MOST, line->name,
                    is_set ? "; put them into the configuration file" : "");
    ((const char **)((char *)out + line->offset))[(*n)++] = value;
    return ST_OK;
}

/* fail_unknown - with the option of the command that is most likely meant. */
static status_t fail_unknown(const command_t *command, const char *word)
{
    const char *names[OPTION_LINES + 1], *bare = word + strspn(word, "-");
    int n = 0;
    for (int i = 0; i < OPTION_LINES; i++)
        if (options_takes(command, &option_lines[i]))
            names[n++] = option_lines[i].name;
    names[n++] = "help";
    char *name = mem_printf("%.*s", (int)strcspn(bare, "="), bare);
    const char *near = text_nearest(name, names, n);
    mem_free(name);
    return FAIL(ST_INPUT, "smelter %s does not know the option %s; see smelter %s --help%s%s%s", command->name, word,
                command->name, near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
}

/* find_option - the line of the command for --NAME, --NAME=VALUE or a letter; NULL where there is none. */
static const option_line_t *find_option(const command_t *command, const char *word)
{
    const bool is_letter = word[1] != '-';
    const char *name = word + (is_letter ? 1 : 2);
    const size_t length = strcspn(name, "=");
    for (int i = 0; i < OPTION_LINES; i++) {
        const option_line_t *line = &option_lines[i];
        const bool is_named = is_letter ? line->kind == OPTION_LETTER && *line->name == *name && length == 1
                                        : strlen(line->name) == length && strncmp(line->name, name, length) == 0;
        if (is_named && options_takes(command, line))
            return line;
    }
    return NULL;
}

/* One option of a command; *at moves over its value. */
static status_t parse_option(const command_t *command, char **argv, int argc, int *at, options_t *out)
{
    const char *equals = strchr(argv[*at], '=');
    const option_line_t *line = find_option(command, argv[*at]);
    if (!line)
        return fail_unknown(command, argv[*at]);
    if (line->kind == OPTION_FLAG || line->kind == OPTION_LETTER) {
        *(bool *)((char *)out + line->offset) = true;
        return equals ? FAIL(ST_INPUT, "--%s takes no value", line->name) : ST_OK;
    }
    if (line->kind == OPTION_RESUME)
        return parse_resume(equals, *at + 1 < argc ? argv[*at + 1] : NULL, at, &out->resume);
    const char *value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    if (!value)
        return FAIL(ST_INPUT, "--%s needs a value: --%s %s", line->name, line->name, line->value);
    if (line->kind == OPTION_LIST)
        return add_to_list(line, value, out);
    *(const char **)((char *)out + line->offset) = value;
    return ST_OK;
}

/* How many arguments a command takes. */
static int words_of(const command_t *command)
{
    int words = *command->argument != 0;
    for (const char *at = command->argument; *at; at++)
        words += *at == ' ';
    return words;
}

static bool takes_any(const command_t *command)
{
    const size_t n = strlen(command->argument);
    return n > 3 && strcmp(command->argument + n - 3, "...") == 0;
}

static status_t parse(const command_t *command, int argc, char **argv, options_t *out, bool *helped)
{
    for (int i = 2; i < argc; i++) {
        *helped = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
        if (*helped)
            return ST_OK;
        if (argv[i][0] == '-' && argv[i][1]) {
            TRY(parse_option(command, argv, argc, &i, out));
            continue;
        }
        out->arguments[out->n_arguments++] = argv[i];
        if (!out->argument && *command->argument)
            out->argument = argv[i];
        else if (takes_any(command))
            continue;
        else if (!out->second && words_of(command) > 1)
            out->second = argv[i];
        else if (!out->third && words_of(command) > 2)
            out->third = argv[i];
        else
            return FAIL(ST_INPUT, "smelter %s: \"%s\" is one argument too many; see smelter %s --help", command->name, argv[i],
                        command->name);
    }
    const int given = !out->argument ? 0 : !out->second ? 1 : !out->third ? 2 : 3;
    if (*command->argument != '[' && given < words_of(command))
        return FAIL(ST_INPUT, "smelter %s needs %s; see smelter %s --help", command->name, command->argument, command->name);
    return file_mode_apply(out->mode);
}

static status_t find(const char *name, const command_t *commands, int n, const command_t **out)
{
    for (int i = 0; i < n; i++)
        if (strcmp(commands[i].name, name) == 0) {
            *out = &commands[i];
            return ST_OK;
        }
    const char **names = MEM_ARRAY(const char *, n);
    for (int i = 0; i < n; i++)
        names[i] = commands[i].name;
    const char *near = text_nearest(name, names, n);
    mem_free(names);
    return FAIL(ST_INPUT, "there is no command \"%s\"; see smelter --help%s%s%s", name, near ? " (did you mean " : "",
                near ? near : "", near ? "?)" : "");
}

/* What -q and -v mean: other ranks have the same command line, and what this process starts has its environment. */
static status_t apply_volume(const options_t *options)
{
    if (options->quiet && options->verbose)
        return FAIL(ST_INPUT, "--quiet and --verbose are opposites; give one of them");
    if (options->quiet || options->verbose)
        setenv("SMELTER_LOG", options->quiet ? "warn" : "debug", 1);
    if (options->quiet)
        setenv("SMELTER_PROGRESS", "off", 1);
    return ST_OK;
}

/* From the words of the line to what they mean: which command, its options, or that --help is wanted. */
static status_t understand(int argc, char **argv, const char *name, options_t *options, const command_t **command, bool *helped)
{
    TRY(find(name, options->commands, options->n_commands, command));
    TRY(parse(*command, argc, argv, options, helped));
    return apply_volume(options);
}

static status_t carry_out(const command_t *command, const options_t *options, bool helped)
{
    if (options->quiet || options->verbose)
        TRY(log_level_from_environment());
    if (!helped)
        return command->run(options);
    print_one(command);
    return ST_OK;
}

status_t options_run(int argc, char **argv, const command_t *commands, int n)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_all(commands, n);
        return argc > 1 ? ST_OK : ST_INPUT;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    const command_t *command = NULL;
    options_t options = {.argv = argv, .arguments = MEM_ARRAY(const char *, argc + 1), .commands = commands, .n_commands = n};
    bool helped = false;
    const log_level_t level = log_level();
    const launch_t launch = launch_read();
    if (launch.rank >= 0)
        terminal_is_behind();
    if (launch.rank > 0)
        log_set_level(LOG_NONE); /* all ranks have the same command line: what is wrong with it is said once */
    status_t status = understand(argc, argv, name, &options, &command, &helped);
    log_set_level(level);
    if (status != ST_OK)
        launch_let_first_speak(&launch);
    else
        status = carry_out(command, &options, helped);
    mem_free(options.arguments);
    return status;
}
