/* smelter completion - what bash, zsh or fish completes a command line with, from the tables of commands, options and
 * configuration keys. */
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/layout.h"
#include "launcher/commands/commands.h"

/* ---- what there is to complete ------------------------------------------------------------------------------------------ */

static void put_commands(const options_t *options)
{
    for (int c = 0; c < options->n_commands; c++)
        printf("%s%s", c ? " " : "", options->commands[c].name);
}

/* name= train.batch= ...: what --set takes. */
static void put_keys(void)
{
    const layout_t *layout = layout_config();
    for (int r = 0; r < layout->count; r++)
        for (int f = 0; f < layout->records[r].count; f++)
            printf("%s%s%s%s=", r + f ? " " : "", layout->records[r].name, *layout->records[r].name ? "." : "",
                   layout->records[r].fields[f].name);
}

/* A|B|C as A B C; nothing where it is no list of words. */
static void put_choices(const char *value)
{
    for (const char *c = strchr(value, '|') ? value : ""; *c && *c != ' '; c++)
        putchar(*c == '|' ? ' ' : *c);
}

typedef enum value_sort { TAKES_NOTHING, TAKES_KEYS, TAKES_WORDS, TAKES_FILES, TAKES_TEXT } value_sort_t;

static value_sort_t sort_of(const option_line_t *line)
{
    if (!line->value)
        return TAKES_NOTHING;
    if (strcmp(line->value, "KEY=VALUE") == 0)
        return TAKES_KEYS;
    if (strchr(line->value, '|'))
        return TAKES_WORDS;
    if (strcmp(line->value, "DIR") == 0 || strcmp(line->value, "FILE") == 0 || strcmp(line->value, "DATASET") == 0)
        return TAKES_FILES;
    return TAKES_TEXT;
}

/* ---- bash --------------------------------------------------------------------------------------------------------------- */

static void put_bash_values(void)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    for (int i = 0; i < n; i++) {
        const value_sort_t sort = sort_of(&lines[i]);
        if (sort == TAKES_NOTHING || sort == TAKES_FILES || lines[i].kind == OPTION_RESUME)
            continue;
        printf("    --%s) ", lines[i].name);
        if (sort != TAKES_TEXT)
            fputs("COMPREPLY=($(compgen -W \"", stdout);
        if (sort == TAKES_KEYS)
            put_keys();
        else
            put_choices(lines[i].value);
        if (sort != TAKES_TEXT)
            fputs("\" -- \"$cur\")); ", stdout);
        fputs(sort == TAKES_KEYS ? "compopt -o nospace; return ;;\n" : "return ;;\n", stdout);
    }
}

static void put_bash_options(const options_t *options)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    for (int c = 0; c < options->n_commands; c++) {
        const command_t *command = &options->commands[c];
        printf("    %s) options=\"", command->name);
        for (int i = 0; i < n; i++)
            if (options_takes(command, &lines[i]))
                printf("--%s ", lines[i].name);
        fputs("--help\" words=\"", stdout);
        put_choices(command->argument);
        fputs("\" ;;\n", stdout);
    }
}

static void put_bash(const options_t *options)
{
    fputs("# completion of smelter for bash; made by smelter completion bash\n"
          "_smelter() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options='' words=''\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"",
          stdout);
    put_commands(options);
    fputs(" --help --version\" -- \"$cur\"))\n"
          "        return\n"
          "    fi\n"
          "    case $prev in\n",
          stdout);
    put_bash_values();
    fputs("    esac\n"
          "    case ${COMP_WORDS[1]} in\n",
          stdout);
    put_bash_options(options);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    elif [ -n \"$words\" ] && [ \"$COMP_CWORD\" = 2 ]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    else\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\")) && compopt -o filenames\n"
          "    fi\n"
          "}\n"
          "complete -F _smelter smelter\n",
          stdout);
}

/* ---- zsh ---------------------------------------------------------------------------------------------------------------- */

/* Inside of single quotes, where [ ] and : mean something to zsh. */
static void put_zsh_text(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text == '\n' ? ' ' : *text);
}

static void put_zsh_option(const option_line_t *line)
{
    const value_sort_t sort = sort_of(line);
    printf(" '%s--%s[", line->kind == OPTION_LIST ? "*" : "", line->name);
    put_zsh_text(line->help);
    putchar(']');
    if (sort != TAKES_NOTHING) {
        fputs(line->kind == OPTION_RESUME ? "::" : ":", stdout);
        put_zsh_text(line->value);
        putchar(':');
    }
    if (sort == TAKES_KEYS) {
        fputs("_smelter_keys", stdout);
    } else if (sort == TAKES_FILES) {
        fputs("_files", stdout);
    } else if (sort == TAKES_WORDS || line->kind == OPTION_RESUME) {
        putchar('(');
        fputs(line->kind == OPTION_RESUME ? "auto" : "", stdout);
        put_choices(line->value);
        putchar(')');
    }
    putchar('\'');
}

static void put_zsh(const options_t *options)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    fputs("#compdef smelter\n# completion of smelter for zsh; made by smelter completion zsh\n"
          "_smelter_keys() {\n    compadd -S '' -- ",
          stdout);
    put_keys();
    fputs("\n}\n_smelter() {\n    local state context line\n    local -a commands\n    commands=(\n", stdout);
    for (int c = 0; c < options->n_commands; c++) {
        printf("        '%s:", options->commands[c].name);
        put_zsh_text(options->commands[c].summary);
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    _arguments -C '1: :->command' '*:: :->rest'\n"
          "    case $state in\n"
          "    command) _describe command commands ;;\n"
          "    rest)\n"
          "        case $words[1] in\n",
          stdout);
    for (int c = 0; c < options->n_commands; c++) {
        const command_t *command = &options->commands[c];
        printf("        %s) _arguments", command->name);
        for (int i = 0; i < n; i++)
            if (options_takes(command, &lines[i]))
                put_zsh_option(&lines[i]);
        fputs(" '--help[this text]'", stdout);
        if (strchr(command->argument, '|')) {
            fputs(" '1: :(", stdout);
            put_choices(command->argument);
            fputs(")'", stdout);
        }
        fputs(strchr(command->argument, ' ') || !strchr(command->argument, '|') ? " '*: :_files' ;;\n" : " ;;\n", stdout);
    }
    fputs("        esac ;;\n    esac\n}\n_smelter \"$@\"\n", stdout);
}

/* ---- fish --------------------------------------------------------------------------------------------------------------- */

static void put_fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        if (*text == '\'' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text == '\n' ? ' ' : *text);
    putchar('\'');
}

static void put_fish_option(const command_t *command, const option_line_t *line)
{
    const value_sort_t sort = sort_of(line);
    printf("complete -c smelter -n '__fish_seen_subcommand_from %s' -l %s", command->name, line->name);
    if (line->kind == OPTION_LETTER)
        printf(" -s %c", *line->name);
    if (sort == TAKES_FILES)
        fputs(" -r -F", stdout);
    else if (sort == TAKES_KEYS || sort == TAKES_WORDS || (sort == TAKES_TEXT && line->kind != OPTION_RESUME))
        fputs(" -x", stdout);
    if (sort == TAKES_KEYS || sort == TAKES_WORDS) {
        fputs(" -a '", stdout);
        if (sort == TAKES_KEYS)
            put_keys();
        else
            put_choices(line->value);
        putchar('\'');
    }
    fputs(" -d ", stdout);
    put_fish_text(line->help);
    putchar('\n');
}

static void put_fish(const options_t *options)
{
    int n;
    const option_line_t *lines = options_lines(&n);
    fputs("# completion of smelter for fish; made by smelter completion fish\n", stdout);
    for (int c = 0; c < options->n_commands; c++) {
        const command_t *command = &options->commands[c];
        printf("complete -c smelter -f -n __fish_use_subcommand -a %s -d ", command->name);
        put_fish_text(command->summary);
        putchar('\n');
        if (strchr(command->argument, '|')) {
            printf("complete -c smelter %s-n '__fish_seen_subcommand_from %s' -a '",
                   strchr(command->argument, ' ') ? "" : "-f ", command->name);
            put_choices(command->argument);
            fputs("'\n", stdout);
        }
        for (int i = 0; i < n; i++)
            if (options_takes(command, &lines[i]))
                put_fish_option(command, &lines[i]);
    }
}

status_t command_completion(const options_t *options)
{
    static const struct {
        const char *name;
        void (*put)(const options_t *options);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(options->argument, shells[i].name) == 0) {
            shells[i].put(options);
            return ST_OK;
        }
    return FAIL(ST_INPUT, "smelter completion: \"%s\" is none of bash, zsh and fish", options->argument);
}
