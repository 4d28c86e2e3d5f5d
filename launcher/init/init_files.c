#include "launcher/init/init_files.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/printable.h"
#include "common/base/text.h"
#include "common/config/layout.h"
#include "common/config/yaml_tree.h"
#include "common/data/dataset.h"
#include "launcher/ingest/input_format.h"

/* ---- pieces of YAML ----------------------------------------------------------------------------------------------------- */

static void put_text(FILE *out, const char *text)
{
    bool plain = isalpha((unsigned char)*text) || *text == '_';
    for (const char *c = text; *c && plain; c++)
        plain = isalnum((unsigned char)*c) || *c == '_';
    if (plain)
        fputs(text, out);
    else
        yaml_write_string(out, text);
}

/* "# lead text": names in it may hold anything, and nothing may end the comment. */
static void put_comment(FILE *out, const char *indent, const char *lead, const char *text)
{
    char *shown = printable_copy(text);
    fprintf(out, "%s# %s%s\n", indent, lead, shown);
    mem_free(shown);
}

static void put_question(FILE *out, const char *indent, const char *question)
{
    if (question)
        put_comment(out, indent, "? ", question);
}

/* "key: COLUMN", with why it is this one. */
static void put_key(FILE *out, const char *key, const char *column, const char *why, const char *question)
{
    put_question(out, "", question);
    fprintf(out, "%s: ", key);
    put_text(out, column);
    if (why) {
        char *shown = printable_copy(why);
        fprintf(out, " # %s", shown);
        mem_free(shown);
    }
    fputc('\n', out);
}

static FILE *open_text(char **text, size_t *bytes)
{
    FILE *out = open_memstream(text, bytes);
    ASSERT(out);
    return out;
}

static char *close_text(FILE *out, char **text)
{
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *copy = mem_strdup(*text);
    free(*text);
    return copy;
}

/* ---- the schema --------------------------------------------------------------------------------------------------------- */

static void put_head(FILE *out, const sample_t *sample, const char *input, const char *what)
{
    char rows[TEXT_BYTES], all[TEXT_BYTES];
    put_comment(out, "", what, input);
    fprintf(out,
            "# as smelter init guessed it from %s%s rows%s%s%s. A line that begins with \"# ?\" asks what you know better.\n",
            sample->rows == sample->in_file && sample->is_counted ? "all " : "the first ", text_count(sample->rows, rows),
            sample->rows == sample->in_file && sample->is_counted ? "" : " of ",
            sample->rows == sample->in_file && sample->is_counted ? ""
            : sample->is_counted                                  ? ""
                                                                  : "about ",
            sample->rows == sample->in_file && sample->is_counted ? "" : text_count(sample->in_file, all));
}

/* How a number is scaled, and which words stand for none. */
static void put_number(FILE *out, const column_guess_t *guess, const sample_column_t *column)
{
    fprintf(out, ", kind: numeric, transform: %s", schema_transform_word(guess->transform));
    const char *comma = ", missing: [";
    for (int i = 0; sample_words[i]; i++)
        if (column->words & UINT32_C(1) << i) {
            fputs(comma, out);
            yaml_write_string(out, sample_words[i]);
            comma = ", ";
        }
    fputs(column->words ? "]}" : "}", out);
}

static void put_column(FILE *out, const sample_t *sample, const guess_t *guess, int c)
{
    const column_guess_t *column = &guess->column[c];
    const char *name = sample->column[c].name;
    put_question(out, "  ", column->question);
    fputs("  - {name: ", out);
    if (strlen(name) >= sizeof((dataset_field_t *)0)->name) { /* a dataset's names are shorter than a file's may be */
        char *shorter = mem_printf("column_%d", c + 1);
        put_text(out, shorter);
        fputs(", column: ", out);
        mem_free(shorter);
    }
    put_text(out, name);
    if (column->input == INPUT_NUMERIC)
        put_number(out, column, &sample->column[c]);
    else if (column->input == INPUT_MULTI)
        fprintf(out, ", kind: multi, separator: \"%c\", pooling: mean}", column->separator);
    else
        fputs(", kind: categorical}", out);
    char *why = printable_copy(column->why);
    fprintf(out, " # %s\n", why);
    mem_free(why);
}

static void put_columns(FILE *out, const sample_t *sample, const guess_t *guess)
{
    int left = 0;
    fputs("\ncolumns:\n", out);
    for (int c = 0; c < sample->columns; c++)
        if (guess->column[c].input != INPUT_NOT)
            put_column(out, sample, guess, c);
        else
            left += c != guess->label;
    if (!left)
        return;
    fputs("\n# Left out; to have one as an input, add it above.\n", out);
    for (int c = 0; c < sample->columns; c++)
        if (guess->column[c].input == INPUT_NOT && c != guess->label) {
            char *lead = printable_copy(*sample->column[c].name ? sample->column[c].name : "(no name)");
            char *text = mem_printf("  %s: ", lead);
            put_comment(out, "", text, guess->column[c].why);
            mem_free(text);
            mem_free(lead);
        }
}

static void put_label(FILE *out, const sample_t *sample, const guess_t *guess)
{
    const char *name = sample->column[guess->label].name;
    if (!guess->label_rule) {
        put_key(out, "label", name, guess->label_why, guess->label_question);
        return;
    }
    char *why = printable_copy(guess->label_why);
    put_question(out, "", guess->label_question);
    fputs("label: {column: ", out);
    put_text(out, name);
    fprintf(out, ", rule: %s} # %s\n", guess->label_rule, why);
    mem_free(why);
}

static void put_split(FILE *out, const sample_t *sample, const guess_t *guess)
{
    char number[32];
    put_question(out, "", guess->split_question);
    if (guess->split_why)
        put_comment(out, "", "", guess->split_why);
    if (sample->columns && !isnan(guess->train_max)) {
        layout_number(guess->train_max, number);
        fputs("split: {column: ", out);
        put_text(out, sample->column[guess->time].name);
        fprintf(out, ", train_max: %s}\n", number);
    } else {
        fputs("split: {train_fraction: 0.8}\n", out);
    }
}

char *init_schema_text(const sample_t *sample, const guess_t *guess, const char *input)
{
    char *text;
    size_t bytes;
    FILE *out = open_text(&text, &bytes);
    put_head(out, sample, input, "What the columns are of ");
    fprintf(out, "# docs/CONFIG.md describes the keys.\n\nformat: %s\n", input_format_get(sample->format)->name);
    if (sample->columns) {
        fprintf(out, "header: %s\n", sample->header ? "true" : "false");
        put_label(out, sample, guess);
        if (guess->group >= 0)
            put_key(out, "group", sample->column[guess->group].name, guess->group_why, guess->group_question);
        else
            put_question(out, "", guess->group_question);
        if (guess->time >= 0)
            put_key(out, "time", sample->column[guess->time].name, guess->time_why, guess->time_question);
        fputs(guess->is_sorted ? "order: sort\n" : "", out);
    }
    fputs(sample->any_id ? "feature_limit: 0 # ids are texts, or above 2^48\n" : "", out);
    put_split(out, sample, guess);
    if (guess->max_bad_rows)
        put_comment(out, "", "", guess->bad_why);
    if (guess->max_bad_rows)
        fprintf(out, "max_bad_rows: %" PRId64 "\n", guess->max_bad_rows);
    if (sample->columns)
        put_columns(out, sample, guess);
    return close_text(out, &text);
}

/* ---- the experiment ----------------------------------------------------------------------------------------------------- */

/* What a comparison of minutes needs of a file with so many rows. */
typedef struct experiment_size {
    int64_t batch, epochs, max_steps, replicas;
} experiment_size_t;

#define STEPS_WANTED 200    /* of an epoch, at least, where there are enough rows */
#define VISITS_MOST 4000000 /* examples that a run learns from */

static experiment_size_t size_of(int64_t rows)
{
    const int64_t train = rows * 4 / 5;
    experiment_size_t size = {.batch = 16};
    while (size.batch < 256 && size.batch * 2 * STEPS_WANTED <= train)
        size.batch *= 2;
    size.epochs = train < 5000 ? 5 : train < 50000 ? 3 : train < 1000000 ? 2 : 1;
    size.max_steps = train * size.epochs > VISITS_MOST ? VISITS_MOST / size.batch : 0;
    size.replicas = train <= 500000 ? 3 : 2;
    return size;
}

/* Weights of numbers overshoot at the rate at which those of rows, which are touched now and then, learn best. */
static int count_numbers(const sample_t *sample, const guess_t *guess)
{
    int numbers = 0;
    for (int c = 0; c < sample->columns; c++)
        numbers += c != guess->label && guess->column[c].input == INPUT_NUMERIC;
    return numbers;
}

/* The file's name up to its first point, of letters that a folder may have. */
static char *experiment_name(const char *input)
{
    const char *slash = strrchr(input, '/'), *base = slash ? slash + 1 : input;
    char *name = mem_printf("%.*s", (int)strcspn(base, "."), base);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            *c = '_';
    if (!isalnum((unsigned char)*name)) {
        mem_free(name);
        name = mem_strdup("experiment");
    }
    return name;
}

char *init_experiment_text(const sample_t *sample, const guess_t *guess, const char *input)
{
    const experiment_size_t size = size_of(sample->in_file);
    char *name = experiment_name(input), *text;
    size_t bytes;
    FILE *out = open_text(&text, &bytes);
    put_head(out, sample, input, "A first comparison on ");
    fprintf(out,
            "#\n#     smelter check experiment.yaml       says what would go wrong, without training\n"
            "#     smelter compare experiment.yaml     trains all variants, and writes a report\n#\n"
            "# docs/CONFIG.md describes the keys.\n\nname: %s\ndefaults: 2 # what keys mean that are not given\n\ndata:\n  "
            "path: %s_dataset # imported on first use\n  input: ",
            name, name);
    yaml_write_string(out, input);
    fputs("\n  schema: schema.yaml\n  order: full # replicas see the rows in different orders\n\ncluster: {workers: 2, "
          "servers: 1}\n\n",
          out);
    fprintf(out, "train:\n  batch: %" PRId64 "\n  epochs: %" PRId64 "\n", size.batch, size.epochs);
    if (size.max_steps)
        fprintf(out, "  max_steps: %" PRId64 " # for a first look; remove it to learn from all rows\n", size.max_steps);
    fputs("\nmodel:\n  hidden: [64, 32]\n\n", out);
    fprintf(out,
            "experiment:\n  replicas: %" PRId64
            " # more tell smaller differences from chance\n  vary: [order]\n  baseline: relu\n\n"
            "variants:\n"
            "  - name: relu\n"
            "  # A smooth ReLU: its half-width beta is what smelter tune finds.\n"
            "  - {name: smelu, model: {activation: smelu, beta: 3}}\n"
            "  # Two networks, together of as many parameters as the one of relu.\n"
            "  - {name: ensemble, model: {components: 2}, complexity: {match: relu, by: parameters}}\n"
            "  # A logistic regression, which the others must be better than to be worth their cost; it is cheap, and needs "
            "more visits.\n"
            "  - {name: linear, model: {parts: [linear]}, linear: {learning_rate: %s}, train: {epochs: %" PRId64 "}}\n",
            size.replicas, count_numbers(sample, guess) ? "0.3" : "1", size.epochs > 4 ? size.epochs : 4);
    mem_free(name);
    return close_text(out, &text);
}

/* ---- for a person ------------------------------------------------------------------------------------------------------- */

static void print_role(const sample_t *sample, const char *role, int column, const char *why)
{
    if (column >= 0)
        printf("  %-10s %s: %s\n", role, sample->column[column].name, why);
    else
        printf("  %-10s none\n", role);
}

static void print_inputs(const sample_t *sample, const guess_t *guess)
{
    int n[4] = {0};
    for (int c = 0; c < sample->columns; c++)
        n[guess->column[c].input] += c != guess->label;
    printf("  %-10s %d categorical, %d numeric, %d multi-valued\n", "inputs", n[INPUT_CATEGORICAL], n[INPUT_NUMERIC],
           n[INPUT_MULTI]);
    enum { SHOWN = 12 };
    int shown = 0;
    for (int c = 0; c < sample->columns; c++) {
        if (guess->column[c].input != INPUT_NOT || c == guess->label)
            continue;
        if (shown++ == SHOWN)
            break;
        printf("  %-10s %s: %s\n", "left out", *sample->column[c].name ? sample->column[c].name : "(no name)",
               guess->column[c].why);
    }
    if (n[INPUT_NOT] > SHOWN)
        printf("  %-10s %d more\n", "left out", n[INPUT_NOT] - SHOWN);
}

static void print_question(const char *question)
{
    if (question)
        printf("  ? %s\n", question);
}

void init_print(const sample_t *sample, const guess_t *guess, const char *input, const char *dir)
{
    char rows[TEXT_BYTES];
    printf("%s: %s%s rows%s\n", input, sample->is_counted ? "" : "about ", text_count(sample->in_file, rows),
           sample->columns ? "" : " of features");
    if (sample->columns) {
        print_role(sample, "label", guess->label, guess->label_why);
        print_role(sample, "group", guess->group, guess->group_why);
        print_role(sample, "time", guess->time, guess->time_why);
        print_inputs(sample, guess);
    } else {
        printf("  %-10s %.1f %% are 1\n", "label", 100.0 * guess->positive);
    }
    printf("  %-10s %s\n", "split", guess->split_why ? guess->split_why : "the last rows evaluate");
    print_question(guess->label_question);
    print_question(guess->group_question);
    print_question(guess->time_question);
    print_question(guess->split_question);
    for (int c = 0; c < sample->columns; c++)
        print_question(guess->column[c].question);
    printf("\nWhat was guessed, and why, is in %s/schema.yaml; what is compared, in %s/experiment.yaml. Next:\n\n"
           "  smelter compare %s/experiment.yaml\n",
           dir, dir, dir);
}
