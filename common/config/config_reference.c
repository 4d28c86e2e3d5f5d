/* docs/CONFIG.md is made from the same tables as the decoder, so a key that is not in it does not exist. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/config/layout.h"
#include "common/config/schema_layout.h"
#include "common/config/schema_presets.h"
#include "common/files/file.h"

#define CLASS_LINE(word, constant, doc) "* `" #word "`: " doc ".\n"
#define CLASSES WORDS_CLASS(CLASS_LINE)
#define CLASS_NAME(word, constant, doc) #word,
static const char *const class_names[] = {WORDS_CLASS(CLASS_NAME)};

static const char head[] =
    "# Configuration\n"
    "\n"
    "This file is generated (`make docs`) from `common/config/config_keys.h`, `common/config/schema.c` and\n"
    "the tables of kernels; a test compares them.\n"
    "\n"
    "A configuration is a YAML file. Every key has a default, so a file holds what differs:\n"
    "\n"
    "```yaml\n"
    "name: demo\n"
    "determinism: sync\n"
    "data: {path: ../out/data/demo}\n"
    "model:\n"
    "  hidden: [64, 32]\n"
    "  activation: smelu\n"
    "  layer_norm: plain\n"
    "```\n"
    "\n"
    "The defaults are those of version 2, which learn well on data of many kinds (EXPERIMENTS.md). A file that was written\n"
    "for the first version says `defaults: 1`, and means what it meant.\n"
    "\n"
    "Defaults, the file, a variant's overrides and `--set` arguments are laid over one another in this order; maps\n"
    "are merged key by key, values and lists are replaced as a whole. The result is checked before anything starts.\n"
    "An error is one line that names the file, the line, the key, the value and what is allowed:\n"
    "\n"
    "    demo.yaml:7: model.layer_norm: 'plane' is not known here (did you mean plain?); allowed: one of none, plain, affine\n"
    "    --set train.lanes=3: train.lanes: train.lanes 3 is not a power of two, which determinism sync needs; use 1, 2, 4, 8 "
    "...\n"
    "\n"
    "The class of a key says what another value means for a run that has begun:\n"
    "\n" CLASSES "\n"
    "The resolved configuration, with every key, is written into the directory of a run and can be used as a\n"
    "configuration itself.\n"
    "\n"
    "* **`--set KEY=VALUE`** overrides any key, with the value in YAML: `--set train.batch=512`,\n"
    "  `--set model.hidden=[64,32]`, `--set data.input=''`. It may be given several times; it wins over variants.\n"
    "* **`${VARIABLE}`** in a text value is replaced from the environment. An unset variable is an error, in\n"
    "  `data.input` only when the input is needed.\n"
    "* A relative `data.schema` is a file beside the configuration; given by `--set`, it is relative to the current\n"
    "  folder.\n"
    "* YAML aliases and merge keys are not supported.\n";

static const char between[] =
    "\n"
    "## Variants\n"
    "\n"
    "`smelter compare` trains every variant `experiment.replicas` times. A variant is a name, which becomes the name\n"
    "of a folder, and any keys that differ from the rest of the file. All variants run on one cluster: of `cluster` a\n"
    "variant may set `active_workers`, `memory_mb` and `mixed_processors`, of `experiment` `vary`, of `tune`\n"
    "nothing. An entry with `sweep` stands for one variant per value, or per combination of values, named like\n"
    "smelu-beta0.5:\n"
    "\n"
    "```yaml\n"
    "experiment: {replicas: 3, vary: [order], baseline: relu}\n"
    "variants:\n"
    "  - name: relu\n"
    "  - name: smelu1\n"
    "    model: {activation: smelu, beta: 1}\n"
    "  - name: smelu\n"
    "    model: {activation: smelu}\n"
    "    sweep: {model.beta: [0.5, 2, 4]}\n"
    "  - name: ensemble3\n"
    "    model: {components: 3, hidden: [36, 18]}\n"
    "    embedding: {dim: 3}\n"
    "```\n"
    "\n"
    "## What must fit together\n"
    "\n"
    "* `train.lanes` is a power of two at `determinism` `sync` and above, at most `train.batch`, and divides\n"
    "  it.\n"
    "* `cluster.workers` is at most `train.lanes`: each worker has a lane. Where it does not divide them, workers with fewer\n"
    "  lanes wait for the others.\n"
    "* `data.input` needs `data.schema` and excludes `synth.rows`: a dataset has one source.\n"
    "* `model.layer_activation` and `model.layer_beta`, where given, have an element for each layer of `model.hidden`.\n"
    "* `model.gsmelu_right` is above `model.gsmelu_left`; `model.gsmelu: network` excludes `model.layer_beta`.\n"
    "* `model.beta_spread` excludes `model.layer_beta` and the activation `gsmelu`.\n"
    "* `model.rescu_knots` ascend, and `model.rescu_slopes` has as many elements.\n"
    "* `experiment.baseline` names a variant.\n"
    "* `smelter compare` wants two or more `experiment.replicas`, since one has nothing to differ from. Single runs are "
    "compared by\n"
    "  accuracy and cost alone where that is said, by `experiment.vary: []`.\n"
    "\n"
    "## Import schema\n"
    "\n"
    "What the columns of a text file are: a YAML file of its own, named by `data.schema` or `smelter import\n"
    "--schema`.\n"
    "\n"
    "```yaml\n"
    "format: csv\n"
    "label: is_click\n"
    "group: user_id\n"
    "time: time_ms\n"
    "split: {column: date, train_max: 20220504}\n"
    "columns:\n"
    "  - user_id                                     # a name alone: categorical\n"
    "  - {name: tags, kind: multi, separator: \",\", pooling: mean}\n"
    "  - {name: length, column: duration_ms, transform: log2_bucket}\n"
    "  - {kind: numeric, transform: log1p, names: [likes, shares], columns: [n_like, n_share]}\n"
    "```\n"
    "\n"
    "An entry with `names:` stands for a column per name; `columns:` then names as many columns of the text file.\n"
    "libsvm and libffm files have no `columns:`. Several labels stand under `labels:` in the place of `label`, a column's\n"
    "name or `{name: NAME, column: NAME, rule: RULE}` each; `data.label` of a configuration chooses one.\n"
    "\n"
    "```yaml\n"
    "label: {column: rating, rule: \">= 4\"}            # 1 where it is 4 or more, else 0\n"
    "missing: [NA, \"NULL\", \\N]                      # read as an empty cell, in every column\n"
    "columns:\n"
    "  - {name: age, kind: numeric, missing: [\"-1\"], fill: 30, indicator: true}\n"
    "```\n";

static void write_cell(FILE *stream, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', stream);
        fputc(*text, stream);
    }
}

/* What the default was in version 1, where that was another. */
static void write_first_default(FILE *stream, const config_record_t *record, const field_t *field)
{
    char *name = mem_printf("%s%s%s", record->name, *record->name ? "." : "", field->name);
    const char *value = layout_first_default(name);
    if (value)
        fprintf(stream, "; with `defaults: 1`: `%s`", value);
    mem_free(name);
}

/* write_fields - the table of a record, then the words of its enumerations. Only keys of a run have classes. */
static void write_fields(FILE *stream, const config_record_t *record, bool classes)
{
    fputs(classes ? "\n| key | default | allowed | class | meaning |\n|---|---|---|---|---|\n"
                  : "\n| key | default | allowed | meaning |\n|---|---|---|---|\n",
          stream);
    for (int f = 0; f < record->count; f++) {
        const field_t *field = &record->fields[f];
        char *allowed = layout_allowed(field);
        fprintf(stream, "| `%s%s%s` | ", record->name, *record->name ? "." : "", field->name);
        fputs(*field->initial ? "`" : "empty", stream);
        write_cell(stream, field->initial);
        fputs(*field->initial ? "`" : "", stream);
        fputs(" | ", stream);
        write_cell(stream, allowed);
        fputs(" | ", stream);
        if (classes)
            fprintf(stream, "%s | ", class_names[field->change]);
        write_cell(stream, field->doc);
        if (classes)
            write_first_default(stream, record, field);
        fputs(" |\n", stream);
        mem_free(allowed);
    }
    for (int f = 0; f < record->count; f++) {
        const field_t *field = &record->fields[f];
        if (!field->words_count)
            continue;
        const field_t *same = record->fields;
        while (same->words != field->words)
            same++;
        if (same < field) {
            fprintf(stream, "\n`%s.%s`: as `%s.%s`.\n", record->name, field->name, record->name, same->name);
            continue;
        }
        fprintf(stream, "\n`%s%s%s`:\n\n", record->name, *record->name ? "." : "", field->name);
        for (int i = 0; i < field->words_count; i++)
            fprintf(stream, "* `%s`: %s\n", field->words[i].word, field->words[i].doc);
    }
}

/* Whatever else is there is not this program's to replace. */
static status_t check_replaced(const char *path)
{
    char *there;
    if (!file_exists(path))
        return ST_OK;
    TRY(file_read(path, &there, NULL));
    const bool is_reference = strncmp(there, head, strcspn(head, "\n") + 1) == 0;
    mem_free(there);
    return is_reference
               ? ST_OK
               : FAIL(ST_INPUT, "%s exists and is no reference of the configuration; choose another file, or remove it", path);
}

status_t config_write_reference(const char *path)
{
    char *text = NULL;
    TRY(check_replaced(path));
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    fputs(head, stream);
    const layout_t *layout = layout_config();
    for (int r = 0; r < layout->count; r++) {
        const config_record_t *record = &layout->records[r];
        if (*record->name)
            fprintf(stream, "\n## %s\n\n%c%s.\n", record->name, record->doc[0] - 'a' + 'A', record->doc + 1);
        else
            fputs("\n## Top level\n", stream);
        write_fields(stream, record, true);
    }
    fputs(between, stream);
    for (int r = 0; r < schema_layout.count; r++)
        write_fields(stream, &schema_layout.records[r], false);
    fputs("\nKeys of an entry of `columns:`\n", stream);
    write_fields(stream, &schema_column_layout.records[0], false);
    fputs("\n### Presets\n", stream);
    for (const schema_preset_t *preset = schema_presets; preset->name; preset++)
        fprintf(stream, "\n`%s`: %s.\n\n```yaml\n%s```\n", preset->name, preset->doc, preset->text);
    ASSERT(fclose(stream) == 0);
    status_t status = file_write_atomic(path, text, bytes);
    mem_free(text);
    return status;
}
