/* options.h - the command line: one table of commands and one of options; --help, the manual page and the completion of shells
 * are made from them. */
#ifndef SMELTER_OPTIONS_H
#define SMELTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/status.h"

#define OPTIONS_MOST 64 /* --set arguments, and options that stand for one */

/* --resume: from a checkpoint that must be there, or with the word auto from the beginning where there is none. */
typedef enum resume { RESUME_NOT, RESUME_ALWAYS, RESUME_AUTO } resume_t;

typedef struct options {
    const char *argument;   /* the command's main argument, or NULL */
    const char *second;     /* the one after it, of commands that take two */
    const char *third;      /* and after that, of commands that take three */
    const char **arguments; /* all of them, of commands that take any number (ARGUMENT...) */
    int n_arguments;
    const char *sets[OPTIONS_MOST]; /* --set key=value */
    int n_sets;
    const char *from[OPTIONS_MOST]; /* --from */
    int n_from;
    const char *fetch;              /* --fetch */
    const char *out;                /* --out */
    const char *schema;             /* --schema */
    const char *append;             /* --append */
    const char *max_bad_rows;       /* --max-bad-rows */
    const char *label;              /* --label */
    const char *rows;               /* --rows */
    const char *baseline;           /* --baseline */
    const char *tolerance;          /* --tolerance */
    const char *split;              /* --split */
    const char *by_window;          /* --by-window */
    const char *columns;            /* --columns */
    const char *dataset_a;          /* --dataset-a */
    const char *restarts;           /* --restarts */
    const char *initial;            /* --initial */
    const char *mode;               /* --mode, which is in force when the command runs */
    bool json;                      /* --json */
    resume_t resume;                /* --resume, --resume auto */
    bool again;                     /* --again */
    const char *go_on;              /* --continue */
    bool no_compress;               /* --no-compress */
    bool deep;                      /* --deep */
    bool verify;                    /* --verify */
    bool reimport;                  /* --reimport */
    const char *run;                /* predict: RUN, where argument has become its configuration, */
    const char *run_dir;            /* and the folder of that run */
    bool quiet;                     /* -q, --quiet */
    bool verbose;                   /* -v, --verbose */
    char **argv;                    /* the whole command line, for mpirun */
    const struct command *commands; /* [n_commands] all there are, for what is written about them */
    int n_commands;
} options_t;

typedef struct command {
    const char *name;
    const char
        *argument; /* how --help calls the arguments, a word each; "" where there is none; [X] where it may be left out; X...
                          * where there may be several */
    const char *summary; /* one line */
    const char *options; /* the options it takes, without dashes, between spaces */
    const char *help;    /* further text of --help */
    status_t (*run)(const options_t *options);
} command_t;

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_FLAG,
    OPTION_LIST,
    OPTION_RESUME,
    OPTION_LETTER, /* a flag that every command takes, also by its first letter: -q */
} option_kind_t;

typedef struct option_line {
    const char *name, *value; /* value: how --help calls it, NULL where there is none; A|B|C: one of these words */
    option_kind_t kind;
    size_t offset; /* in options_t */
    const char *help;
} option_line_t;

/* options_lines - all options, in the order of --help; options_takes - does the command take this one? */
const option_line_t *options_lines(int *n);
bool options_takes(const command_t *command, const option_line_t *line);

/* What exit codes mean; ends with a NULL. */
typedef struct exit_code {
    const char *code, *meaning;
} exit_code_t;
extern const exit_code_t options_exit_codes[];

/* options_run - parse argv, find the command in commands[n], run it. Prints --help to standard output. ST_INPUT with one line
 * for anything unknown or missing. */
WARN_UNUSED status_t options_run(int argc, char **argv, const command_t *commands, int n);

#endif
