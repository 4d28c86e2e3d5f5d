/* An entry of `columns:` is a column's name, a map that describes one column, or a map with `names:` that describes many alike.
 * All three become one tree per column, which is laid over the defaults of a column and decoded like a configuration. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/bins.h"
#include "common/config/config.h"
#include "common/config/decode.h"
#include "common/config/label_rule.h"
#include "common/config/schema_layout.h"
#include "common/config/schema_presets.h"
#include "common/files/file.h"

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

#define FORMAT_WORD(word, constant, rows, meaning) {#word, constant, meaning},
static const word_t format_words[] = {TEXT_FORMATS(FORMAT_WORD)};
static const word_t kind_words[] = {{"categorical", COLUMN_CATEGORICAL, "one category; empty is a category, too"},
                                    {"numeric", COLUMN_NUMERIC, "one number"},
                                    {"multi", COLUMN_MULTI, "any number of categories, pooled into one vector"}};
static const word_t transform_words[] = {
    {"none", TRANSFORM_NONE, "as it is"},
    {"log1p", TRANSFORM_LOG1P, "numeric: sign(x) log(1 + |x|)"},
    {"standardise", TRANSFORM_STANDARDISE, "numeric: (x - mean) / std over the training split"},
    {"log2_bucket", TRANSFORM_LOG2_BUCKET, "categorical: round(log2(x + 1)) as the category"}};
static const word_t unlabelled_words[] = {
    {"refuse", UNLABELLED_REFUSE, "are bad rows"},
    {"allow", UNLABELLED_ALLOW, "are stored without one, to be scored by smelter predict"}};
static const word_t time_order_words[] = {
    {"none", TIME_ORDER_NONE, "they are counted, and stored as they come"},
    {"check", TIME_ORDER_CHECK, "the first of them ends the import"},
    {"sort", TIME_ORDER_SORT, "all rows are sorted by time; those of one time stay as they come, those without come first"}};
static const word_t pooling_words[] = {{"sum", POOLING_SUM, "sum of the values' vectors"},
                                       {"mean", POOLING_MEAN, "mean of the values' vectors"}};

_Static_assert(sizeof(time_order_t) == sizeof(int32_t) && sizeof(unlabelled_t) == sizeof(int32_t) &&
                   sizeof(text_format_t) == sizeof(int32_t) && sizeof(column_kind_t) == sizeof(int32_t) &&
                   sizeof(column_transform_t) == sizeof(int32_t) && sizeof(pooling_t) == sizeof(int32_t),
               "words decode to 32 bits");

const char *schema_transform_word(column_transform_t value)
{
    for (size_t i = 0; i < sizeof transform_words / sizeof *transform_words; i++)
        if (transform_words[i].value == (int)value)
            return transform_words[i].word;
    ASSERT(!"a transform");
}

text_rows_t schema_rows(text_format_t format)
{
#define FORMAT_ROWS(word, constant, rows, meaning) [constant] = ROWS_OF_##rows,
    static const text_rows_t rows_of[] = {TEXT_FORMATS(FORMAT_ROWS)};
    return rows_of[format];
}

#define WORDS(table) .words = table, .words_count = sizeof(table) / sizeof *(table)
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define NUMBER_TEXT_OF(number) #number
#define NUMBER_TEXT(number) NUMBER_TEXT_OF(number)
#define KEEP_RECORD "keep_values"

static const field_t top_fields[] = {
    {VALUE_WORD, "format", "csv", 0, 0, "how the text is written; .gz and .zst are told by the file's name",
     offsetof(schema_t, format), WORDS(format_words)},
    {VALUE_BOOL, "header", "true", 0, 0, "the first line names the columns; without it they are called c1, c2 ... by position",
     .offset = offsetof(schema_t, header)},
    {VALUE_TEXT, "label", "label", 0, 0,
     "column that holds 0 or 1 (csv, tsv); or {column: NAME, rule: RULE}, which says label_rule, too",
     .offset = offsetof(schema_t, label)},
    {VALUE_TEXT, "label_rule", "", 0, 0,
     "what of the label is 1: " LABEL_RULES_ALLOWED "; empty: it holds 0 or 1, in libsvm and libffm also -1 or +1",
     .offset = offsetof(schema_t, label_rule)},
    {VALUE_TEXT, "weight", "", 0, 0,
     "column of a number, 0 or more, that a row's losses are multiplied by, in units of its mean over the training rows; "
     "empty: "
     "all rows count alike",
     .offset = offsetof(schema_t, weight)},
    {VALUE_WORD, "order", "none", 0, 0, "what is done about rows whose time is before that of a row before them",
     offsetof(schema_t, order), WORDS(time_order_words)},
    {VALUE_WORD, "unlabelled", "refuse", 0, 0, "rows whose label is missing, or that have no column for it",
     offsetof(schema_t, unlabelled), WORDS(unlabelled_words)},
    {VALUE_TEXT, "missing", "", 0, 0,
     "words, a list or one, that stand for nothing in any column, as an empty cell does: [NA, NULL, \\N, nan]; empty: none",
     .offset = offsetof(schema_t, missing)},
    {VALUE_TEXT, "group", "", 0, 0,
     "column of the query id, for PQAUC and swap rates, which leave out rows without one; empty: no groups",
     .offset = offsetof(schema_t, group)},
    {VALUE_TEXT, "time", "", 0, 0,
     "column of the timestamp: whole numbers are stored as they are, numbers with a fraction as millionths, dates (2016-06-14, "
     "2016-06-14 04:06:19.061, 2016-06-14T05:00:00+02:00; without a zone: UTC) as microseconds since 1970; empty: none",
     .offset = offsetof(schema_t, time)},
    {VALUE_INT, "max_bad_rows", "0", 0, 1099511627776,
     "rows that may be left out because something in them is wrong; each is reported",
     .offset = offsetof(schema_t, max_bad_rows)},
    {VALUE_INT, "feature_limit", "281474976710656", 0, 281474976710656,
     "largest feature id (libsvm, libffm); 0: any id, of 64 bits or a text", .offset = offsetof(schema_t, feature_limit)},
    {VALUE_INT, "fields", "0", 0, 4096, "number of fields (libffm); 0: as many as the first 8,192 rows have",
     .offset = offsetof(schema_t, fields)},
};
static const field_t split_fields[] = {
    {VALUE_TEXT, "column", "", 0, 0, "numeric column that divides training from evaluation; empty: by train_fraction",
     .offset = offsetof(schema_t, split_column)},
    {VALUE_NUM, "train_max", "0", -1e300, 1e300, "rows with a value up to this one are training rows",
     .offset = offsetof(schema_t, split_train_max)},
    {VALUE_NUM, "eval_max", "1e+300", -1e300, 1e300,
     "rows with a value above train_max and up to this one are evaluation rows, those above it are the test split",
     .offset = offsetof(schema_t, split_eval_max)},
    {VALUE_BOOL, "words", "false", 0, 0, "split.column holds one of the words train, eval and test in each row",
     .offset = offsetof(schema_t, split_words)},
    {VALUE_NUM, "train_fraction", "1", 0, 1, "share of the rows, from the first on, that are training rows; 0: all evaluate",
     .offset = offsetof(schema_t, train_fraction)},
    {VALUE_NUM, "test_fraction", "0", 0, 0.9999,
     "share of the rows, the last ones, that are the test split, on which nothing is chosen; the rest evaluates",
     .offset = offsetof(schema_t, test_fraction)},
};
static const field_t keep_fields[] = {
    {VALUE_INT, "mb", NUMBER_TEXT(SCHEMA_KEEP_MB), 0, 1048576,
     "texts of all fields and query ids together, MiB; 0: none are kept", .offset = offsetof(schema_t, keep_mb)},
    {VALUE_INT, "field_mb", NUMBER_TEXT(SCHEMA_KEEP_FIELD_MB), 0, 1048576,
     "texts of a field, or of query ids, MiB; values that come first have theirs kept",
     .offset = offsetof(schema_t, keep_field_mb)},
};
static const config_record_t schema_records[] = {
    {"", "the text file", top_fields, COUNT(top_fields), 0, sizeof(schema_t)},
    {"split", "which rows train and which evaluate", split_fields, COUNT(split_fields), 0, sizeof(schema_t)},
    {KEEP_RECORD, "how much of what values read as is kept beside the dataset, to be shown; no part of what is trained on",
     keep_fields, COUNT(keep_fields), 0, sizeof(schema_t)},
};
const layout_t schema_layout = {schema_records, COUNT(schema_records), sizeof(schema_t)};

static const field_t column_fields[] = {
    {VALUE_TEXT, "name", "", 0, 0, "name of the column in the dataset", .offset = offsetof(schema_column_t, name)},
    {VALUE_TEXT, "column", "", 0, 0, "name of the column in the text file; empty: as name",
     .offset = offsetof(schema_column_t, column)},
    {VALUE_WORD, "kind", "categorical", 0, 0, "what the column holds", offsetof(schema_column_t, kind), WORDS(kind_words)},
    {VALUE_WORD, "transform", "none", 0, 0, "what is made of the value", offsetof(schema_column_t, transform),
     WORDS(transform_words)},
    {VALUE_TEXT, "separator", "\"|\"", 0, 0, "one character between the values of a multi column",
     .offset = offsetof(schema_column_t, separator)},
    {VALUE_WORD, "pooling", "sum", 0, 0, "how the vectors of a multi column become one", offsetof(schema_column_t, pooling),
     WORDS(pooling_words)},
    {VALUE_TEXT, "missing", "", 0, 0,
     "words that stand for nothing in this column, in the place of those of the whole file; [] for none; empty: those",
     .offset = offsetof(schema_column_t, missing)},
    {VALUE_TEXT, "fill", "", 0, 0, "number that a missing one is taken for, before the transform; empty: 0 after scaling",
     .offset = offsetof(schema_column_t, fill)},
    {VALUE_BOOL, "indicator", "false", 0, 0,
     "numeric: a second numeric column, NAME_missing, that is 1 where this one is missing, and else 0",
     .offset = offsetof(schema_column_t, indicator)},
    {VALUE_TEXT, "bins", "", 0, 0,
     "categorical: intervals that a number falls into, of which each is a category: a list of edges, [18, 25, 35]; or how "
     "many, "
     "2 to 1024, whose edges are quantiles of the training rows; empty: none",
     .offset = offsetof(schema_column_t, bins)},
};
static const config_record_t column_record = {"", "a column", column_fields, COUNT(column_fields), 0, sizeof(schema_column_t)};
const layout_t schema_column_layout = {&column_record, 1, sizeof(schema_column_t)};

/* ---- lists of words ---------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp((*(const yaml_t *const *)a)->text, (*(const yaml_t *const *)b)->text);
}

/* join_words - a list of words of a map becomes one text, a line for each, sorted; a single word stays. */
static status_t join_words(yaml_t *map, const char *key)
{
    yaml_t *list = yaml_child(map, key);
    if (!list || list->kind != YAML_LIST)
        return ST_OK;
    const yaml_t **words = MEM_ARRAY(const yaml_t *, list->count);
    int n = 0;
    status_t status = ST_OK;
    for (const yaml_t *word = list->first; word && status == ST_OK; word = word->next) {
        words[n++] = word;
        if (word->kind != YAML_SCALAR || !*word->text || strchr(word->text, '\n'))
            status =
                yaml_fail(word, "a list of words is wanted; none of them is empty, as an empty cell always counts as missing");
    }
    char *text = mem_strdup(n ? "" : "\n");
    if (status == ST_OK && n > 0)
        qsort(words, (size_t)n, sizeof *words, by_text);
    for (int i = 0; i < n && status == ST_OK; i++) {
        char *longer = mem_printf("%s%s\n", text, words[i]->text);
        mem_free(text);
        text = longer;
    }
    yaml_t *scalar = yaml_create(YAML_SCALAR, text, list->layer, list->origin, list->line);
    yaml_replace(list, &scalar);
    mem_free(words);
    mem_free(text);
    return status;
}

/* join_edges - a list of numbers becomes one text, "[18, 25, 35]"; a single number stays. */
static status_t join_edges(yaml_t *map)
{
    yaml_t *list = yaml_child(map, "bins");
    if (!list || list->kind != YAML_LIST)
        return ST_OK;
    char *text = mem_strdup("[");
    status_t status = ST_OK;
    for (const yaml_t *edge = list->first; edge && status == ST_OK; edge = edge->next) {
        if (edge->kind != YAML_SCALAR || strpbrk(edge->text, ",]"))
            status = yaml_fail(edge, "a number is wanted: edges of bins, such as [18, 25, 35]");
        char *longer = mem_printf("%s%s%s", text, edge == list->first ? "" : ", ", edge->text ? edge->text : "");
        mem_free(text);
        text = longer;
    }
    char *whole = mem_printf("%s]", text);
    yaml_t *scalar = yaml_create(YAML_SCALAR, whole, list->layer, list->origin, list->line);
    yaml_replace(list, &scalar);
    mem_free(whole);
    mem_free(text);
    return status;
}

static status_t check_label(const yaml_t *file, const yaml_t *map)
{
    const yaml_t *column = yaml_child(map, "column"), *rule = yaml_child(map, "rule");
    for (const yaml_t *child = map->first; child; child = child->next)
        if (child != column && child != rule)
            return yaml_fail(child, "not known here; a label is a column's name, or {column: NAME, rule: RULE}");
    if (!column || column->kind != YAML_SCALAR)
        return yaml_fail(column ? column : map, "a label needs column: NAME");
    if (rule && yaml_child(file, "label_rule"))
        return yaml_fail(rule, "label_rule is given, too; remove one");
    return ST_OK;
}

/* take_label - a label's map {column: NAME, rule: RULE} becomes the keys label and label_rule beside it. */
static status_t take_label(yaml_t *file)
{
    yaml_t *map = yaml_child(file, "label");
    if (!map || map->kind != YAML_MAP)
        return ST_OK;
    const status_t status = check_label(file, map);
    yaml_t *column = yaml_child(map, "column"), *rule = yaml_child(map, "rule");
    if (status != ST_OK) {
        yaml_t *taken = yaml_take(file, "label");
        yaml_destroy(&taken);
        return status;
    }
    if (rule) {
        yaml_t *copy = yaml_copy(rule);
        yaml_append(file, "label_rule", &copy);
    }
    yaml_t *name = yaml_copy(column);
    yaml_replace(map, &name);
    return ST_OK;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

/* is_positional - c1, c2 ... as columns without a header are called. */
static bool is_positional(const char *name)
{
    return name[0] == 'c' && name[1] >= '1' && name[1] <= '9' && !name[1 + strspn(name + 1, "0123456789")];
}

static bool is_finite_number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    return *text && !*end && isfinite((float)value);
}

static bool is_indicator_of(const schema_column_t *column, const char *name)
{
    const size_t n = strlen(column->name);
    return column->indicator && strncmp(name, column->name, n) == 0 && strcmp(name + n, "_missing") == 0;
}

static bool is_label(const schema_t *schema, const char *column)
{
    bool is = !schema->labels_count && strcmp(column, schema->label) == 0;
    for (unsigned l = 0; l < schema->labels_count; l++)
        is |= strcmp(column, schema->labels[l].column) == 0;
    return is;
}

/* check_transform - does the transform fit the kind? */
static status_t check_transform(const schema_column_t *column, const yaml_t *at)
{
    const char *name = column->name;
    if (column->kind == COLUMN_NUMERIC && column->transform == TRANSFORM_LOG2_BUCKET)
        return yaml_fail(at,
                         "column '%s': transform log2_bucket makes a category; use kind: categorical, or transform none, log1p "
                         "or standardise",
                         name);
    if (column->kind == COLUMN_CATEGORICAL &&
        (column->transform == TRANSFORM_LOG1P || column->transform == TRANSFORM_STANDARDISE))
        return yaml_fail(at,
                         "column '%s': transforms log1p and standardise are for numbers; use kind: numeric, or transform none "
                         "or log2_bucket",
                         name);
    if (column->kind == COLUMN_MULTI && column->transform != TRANSFORM_NONE)
        return yaml_fail(at, "column '%s': a multi column has no transform; use transform: none", name);
    return ST_OK;
}

/* check_bins - edges rise, and are of what can be a number. */
static status_t check_bins(const schema_column_t *column, const yaml_t *at)
{
    bins_t bins;
    if (!*column->bins)
        return ST_OK;
    if (column->kind != COLUMN_CATEGORICAL)
        return yaml_fail(at, "column '%s': bins make a category of a number; use kind: categorical, or remove them",
                         column->name);
    if (column->transform != TRANSFORM_NONE)
        return yaml_fail(at, "column '%s': bins and transform %s both make a category of the number; remove one", column->name,
                         schema_transform_word(column->transform));
    const char *fault = bins_parse(column->bins, &bins);
    bins_fini(&bins);
    return fault ? yaml_fail(at, "column '%s': bins %s %s", column->name, column->bins, fault) : ST_OK;
}

/* check_column - rules between the fields of a column and with the columns before it. */
static status_t check_column(const schema_t *schema, const schema_column_t *column, const yaml_t *at)
{
    const char *name = column->name;
    if (!*name)
        return yaml_fail(at, "the column has no name; add name: NAME");
    if (!schema->header && !is_positional(column->column))
        return yaml_fail(at, "'%s' names no column: with header: false columns are called c1, c2 ... by position",
                         column->column);
    if (is_label(schema, column->column))
        return yaml_fail(at, "column '%s' is the label, so it cannot be an input", column->column);
    if (*schema->weight && strcmp(column->column, schema->weight) == 0)
        return yaml_fail(at, "column '%s' is the weight, so it cannot be an input", column->column);
    TRY(check_transform(column, at));
    TRY(check_bins(column, at));
    if (column->kind != COLUMN_NUMERIC && (*column->fill || column->indicator))
        return yaml_fail(at, "column '%s': fill and indicator are for numbers; use kind: numeric, or remove them", name);
    if (*column->fill && (column->fill[strspn(column->fill, "0123456789+-.eE")] || !is_finite_number(column->fill)))
        return yaml_fail(at, "column '%s': fill '%s' is not a number", name, column->fill);
    if (strlen(column->separator) != 1)
        return yaml_fail(at, "column '%s': separator '%s' has %zu bytes; allowed: one character", name, column->separator,
                         strlen(column->separator));
    for (unsigned i = 0; i < schema->columns_count; i++)
        if (strcmp(schema->columns[i].name, name) == 0 || is_indicator_of(&schema->columns[i], name) ||
            is_indicator_of(column, schema->columns[i].name))
            return yaml_fail(at, "column '%s' is given twice; each needs its own name",
                             is_indicator_of(column, schema->columns[i].name) ? schema->columns[i].name : name);
    return ST_OK;
}

/* add_column - one column from a tree with the keys of schema_column_layout. */
static status_t add_column(schema_t *schema, const yaml_t *entry)
{
    yaml_t *tree = layout_defaults(&schema_column_layout, entry->origin), *own = yaml_copy(entry);
    yaml_set_scope(own, entry->scope);
    void *decoded = NULL;
    status_t status;
    int errors = join_words(own, "missing") != ST_OK;
    errors += join_edges(own) != ST_OK;
    errors += yaml_merge(tree, own);
    TRY_DONE(decode_tree(&schema_column_layout, tree, &decoded));
    TRY_DONE(errors ? ST_INPUT : ST_OK);
    schema_column_t *column = decoded;
    if (!*column->column) {
        mem_free(column->column);
        column->column = mem_strdup(column->name);
    }
    TRY_DONE(check_column(schema, column, entry));
    schema->columns[schema->columns_count++] = *column;
    mem_free(column); /* its strings live on in the array */
    decoded = NULL;
done:
    layout_destroy(&schema_column_layout, decoded);
    yaml_destroy(&own);
    yaml_destroy(&tree);
    return status;
}

/* put_text - give a map this key, in place of any it has. */
static void put_text(yaml_t *map, const char *key, const yaml_t *like)
{
    yaml_t *old = yaml_take(map, key);
    yaml_destroy(&old);
    yaml_t *node = yaml_copy(like);
    yaml_append(map, key, &node);
}

static bool is_word_list(const yaml_t *list)
{
    for (const yaml_t *child = list->first; child; child = child->next)
        if (child->kind != YAML_SCALAR)
            return false;
    return list->kind == YAML_LIST && list->count > 0;
}

/* count_columns - how many columns the entries describe at most, to allocate once. */
static int count_columns(const yaml_t *list)
{
    int count = 0;
    for (const yaml_t *entry = list->first; entry; entry = entry->next) {
        const yaml_t *names = yaml_child(entry, "names");
        count += names ? names->count : 1;
    }
    return count;
}

/* add_alike - a column per name, each with what the rest of the entry says. */
static status_t add_alike(schema_t *schema, const yaml_t *entry, const yaml_t *names, const yaml_t *columns)
{
    yaml_t *alike = yaml_copy(entry), *taken = yaml_take(alike, "names");
    yaml_destroy(&taken);
    taken = yaml_take(alike, "columns");
    yaml_destroy(&taken);
    status_t status = ST_OK;
    const yaml_t *column = columns ? columns->first : NULL;
    for (const yaml_t *name = names->first; name && status == ST_OK; name = name->next) {
        put_text(alike, "name", name);
        if (column) {
            put_text(alike, "column", column);
            column = column->next;
        }
        status = add_column(schema, alike);
    }
    yaml_destroy(&alike);
    return status;
}

/* add_entry - the column or columns of one entry. */
static status_t add_entry(schema_t *schema, const yaml_t *entry)
{
    if (entry->kind == YAML_LIST)
        return yaml_fail(entry, "a list is given; a column's name or a map such as {name: age, kind: numeric} is wanted");
    if (entry->kind == YAML_SCALAR) {
        yaml_t *map = yaml_create(YAML_MAP, NULL, entry->layer, entry->origin, entry->line);
        yaml_set_scope(map, entry->scope);
        put_text(map, "name", entry);
        status_t status = add_column(schema, map);
        yaml_destroy(&map);
        return status;
    }
    const yaml_t *names = yaml_child(entry, "names"), *columns = yaml_child(entry, "columns");
    if (!names && !columns)
        return add_column(schema, entry);
    if (!names)
        return yaml_fail(columns, "goes with names: only; use column: for a single column");
    if (!is_word_list(names))
        return yaml_fail(names, "a list of column names is wanted");
    if (yaml_child(entry, "name") || yaml_child(entry, "column"))
        return yaml_fail(entry, "names: describes several columns, so name: and column: cannot stand beside it; use columns:");
    if (columns && (!is_word_list(columns) || columns->count != names->count))
        return yaml_fail(columns, "one column of the text file is needed for each of the %d names", names->count);
    return add_alike(schema, entry, names, columns);
}

static status_t add_columns(schema_t *schema, const yaml_t *list)
{
    if (list->kind != YAML_LIST)
        return yaml_fail(list, "a list of columns is wanted, for example [user_id, {name: age, kind: numeric}]");
    schema->columns = MEM_ARRAY(schema_column_t, count_columns(list));
    status_t status = ST_OK;
    for (const yaml_t *entry = list->first; entry; entry = entry->next) {
        char *place = yaml_path(entry), *scope = mem_printf("%s.", place);
        yaml_t *copy = yaml_copy(entry);
        yaml_set_scope(copy, scope);
        if (add_entry(schema, copy) != ST_OK)
            status = ST_INPUT;
        yaml_destroy(&copy);
        mem_free(scope);
        mem_free(place);
    }
    return status;
}

/* ---- labels ------------------------------------------------------------------------------------------------------ */

static const char *text_of(const yaml_t *map, const char *key)
{
    const yaml_t *child = yaml_child(map, key);
    return child && child->kind == YAML_SCALAR ? child->text : "";
}

/* add_label - one of several: a column's name, or {name: NAME, column: NAME, rule: RULE}, of which a name is enough. */
static status_t add_label(schema_t *schema, yaml_t *entry)
{
    label_rule_t rule;
    if (entry->kind == YAML_LIST)
        return yaml_fail(entry, "a label is a column's name, or {name: NAME, column: NAME, rule: RULE}");
    for (const yaml_t *child = entry->first; child; child = child->next)
        if (strcmp(child->key, "name") && strcmp(child->key, "column") && strcmp(child->key, "rule"))
            return yaml_fail(child, "not known here; a label has name, column and rule");
    TRY(join_words(entry, "rule"));
    const char *name = entry->kind == YAML_SCALAR ? entry->text : text_of(entry, "name");
    const char *column = *text_of(entry, "column") ? text_of(entry, "column") : name;
    name = *name ? name : column;
    if (!*name)
        return yaml_fail(entry, "the label has no name; add name: NAME");
    if (strlen(name) > 63)
        return yaml_fail(entry, "the name of label '%s' is longer than 63 bytes", name);
    if (!schema->header && !is_positional(column))
        return yaml_fail(entry, "'%s' names no column: with header: false columns are called c1, c2 ... by position", column);
    if (!label_rule_parse(text_of(entry, "rule"), &rule))
        return yaml_fail(yaml_child(entry, "rule"), "'%s' is no rule; allowed: " LABEL_RULES_ALLOWED, text_of(entry, "rule"));
    for (unsigned l = 0; l < schema->labels_count; l++)
        if (strcmp(schema->labels[l].name, name) == 0)
            return yaml_fail(entry, "label '%s' is given twice; each needs its own name", name);
    schema->labels[schema->labels_count++] =
        (schema_label_t){mem_strdup(name), mem_strdup(column), mem_strdup(text_of(entry, "rule"))};
    return ST_OK;
}

/* add_labels - `labels:` in the place of `label`, which keeps its default. */
static status_t add_labels(schema_t *schema, const yaml_t *tree, yaml_t *list)
{
    static const char *const singles[] = {"label", "label_rule"};
    if (list->kind == YAML_LIST && list->count == 0)
        return ST_OK;
    if (list->kind != YAML_LIST || list->count > SCHEMA_LABELS_MOST)
        return yaml_fail(list,
                         "a list of 1 to %d labels is wanted, for example [click, {name: liked, column: rating, rule: \">= "
                         "4\"}]",
                         SCHEMA_LABELS_MOST);
    for (int i = 0; i < COUNT(singles); i++)
        if (yaml_find(tree, singles[i])->layer != LAYER_DEFAULT)
            return yaml_fail(yaml_find(tree, singles[i]),
                             "labels: names all labels, so this cannot stand beside it; remove one");
    if (schema_rows(schema->format) == ROWS_OF_FEATURES)
        return yaml_fail(list, "a %s file has one label, the first word of a line", format_words[schema->format].word);
    schema->labels = MEM_ARRAY(schema_label_t, list->count);
    status_t status = ST_OK;
    for (yaml_t *entry = list->first; entry && status == ST_OK; entry = entry->next)
        status = add_label(schema, entry);
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* check_names - without a header, columns are named by position. A default that does not fit is the header key's fault. */
static status_t check_names(const schema_t *schema, const yaml_t *tree)
{
    const char *const keys[] = {"label", "group", "time", "weight", "split.column"};
    status_t status = ST_OK;
    for (int i = schema->labels_count ? 1 : 0; i < COUNT(keys) && !schema->header; i++) {
        const yaml_t *node = yaml_find(tree, keys[i]);
        if (*node->text && !is_positional(node->text))
            status = yaml_fail(node->layer == LAYER_DEFAULT ? yaml_find(tree, "header") : node,
                               "%s '%s' names no column: with header: false columns are called c1, c2 ... by position", keys[i],
                               node->text);
    }
    return status;
}

/* check_format - what goes with the label, and with files of this format. */
static status_t check_format(const schema_t *schema, const yaml_t *tree)
{
    label_rule_t rule;
    if (!label_rule_parse(schema->label_rule, &rule))
        return yaml_fail(yaml_find(tree, "label_rule"), "'%s' is no rule; allowed: " LABEL_RULES_ALLOWED, schema->label_rule);
    if (*schema->missing && schema_rows(schema->format) == ROWS_OF_FEATURES)
        return yaml_fail(yaml_find(tree, "missing"), "words for nothing are for columns, and a %s file has none; remove it",
                         format_words[schema->format].word);
    if ((*schema->weight || schema->unlabelled == UNLABELLED_ALLOW) && schema_rows(schema->format) == ROWS_OF_FEATURES)
        return yaml_fail(yaml_find(tree, *schema->weight ? "weight" : "unlabelled"),
                         "is for files with columns, and a %s file has none; remove it", format_words[schema->format].word);
    if (schema->order != TIME_ORDER_NONE && !*schema->time)
        return yaml_fail(yaml_find(tree, "order"), "%s needs time, the column that is looked at",
                         time_order_words[schema->order].word);
    if (schema->fields && schema->format != FORMAT_LIBFFM)
        return yaml_fail(yaml_find(tree, "fields"), "the number of fields is libffm's; a %s file has none",
                         format_words[schema->format].word);
    return ST_OK;
}

/* check_split_column - what belongs to a column that says the split, and what does not. */
static status_t check_split_column(const schema_t *schema, const yaml_t *tree)
{
    const yaml_t *most = yaml_find(tree, "split.train_max"), *eval = yaml_find(tree, "split.eval_max");
    const yaml_t *fractions[] = {yaml_find(tree, "split.train_fraction"), yaml_find(tree, "split.test_fraction")};
    for (int i = 0; i < COUNT(fractions); i++)
        if (fractions[i]->layer != LAYER_DEFAULT)
            return yaml_fail(fractions[i], "split.column and split.%s_fraction both say which rows %s; remove one",
                             i ? "test" : "train", i ? "are the test split" : "train");
    if (schema->split_words && (most->layer != LAYER_DEFAULT || eval->layer != LAYER_DEFAULT))
        return yaml_fail(most->layer != LAYER_DEFAULT ? most : eval,
                         "is for a column of numbers, and split.words says that '%s' holds words; remove one",
                         schema->split_column);
    if (!schema->split_words && most->layer == LAYER_DEFAULT)
        return yaml_fail(yaml_find(tree, "split.column"),
                         "'%s' needs split.train_max, the largest value of a training row; or words: true, where it holds the "
                         "words train, eval and test",
                         schema->split_column);
    if (!schema->split_words && schema->split_eval_max <= schema->split_train_max)
        return yaml_fail(eval, "%g is not above split.train_max %g; rows between the two are the evaluation split",
                         schema->split_eval_max, schema->split_train_max);
    return ST_OK;
}

static status_t check_split(const schema_t *schema, const yaml_t *tree)
{
    static const char *const of_column[] = {"split.train_max", "split.eval_max", "split.words"};
    if (*schema->split_column)
        return check_split_column(schema, tree);
    for (int i = 0; i < COUNT(of_column); i++) {
        const yaml_t *node = yaml_find(tree, of_column[i]);
        if (node->layer != LAYER_DEFAULT)
            return yaml_fail(node, "%s needs split.column, the column %s", of_column[i],
                             i < 2 ? "it is compared with" : "that holds them");
    }
    if (schema->train_fraction + schema->test_fraction > 1.0)
        return yaml_fail(yaml_find(tree, "split.test_fraction"),
                         "split.train_fraction %g and split.test_fraction %g are more than all rows together",
                         schema->train_fraction, schema->test_fraction);
    return ST_OK;
}

static status_t check_whole(const schema_t *schema, const yaml_t *tree, const yaml_t *list)
{
    TRY(check_split(schema, tree));
    TRY(check_format(schema, tree));
    if (schema_rows(schema->format) == ROWS_OF_FEATURES)
        return list->kind != YAML_LIST || list->count
                   ? yaml_fail(list,
                               "every feature id of a %s file is an input; remove columns:", format_words[schema->format].word)
                   : ST_OK;
    if (!*schema->label && !schema->labels_count)
        return yaml_fail(yaml_find(tree, "label"), "empty; name the column that holds 0 or 1");
    TRY(check_names(schema, tree));
    if (list->kind == YAML_LIST && !list->count)
        return yaml_fail(tree, "no columns are given; list the inputs under columns:");
    return ST_OK;
}

static char *whole_path(const char *path)
{
    char *whole = realpath(path, NULL), *copy = mem_strdup(whole ? whole : path);
    free(whole);
    return copy;
}

status_t schema_parse(const char *text, size_t bytes, const char *origin, schema_t **out)
{
    yaml_t *file = NULL, *tree = NULL, *columns = NULL, *labels = NULL;
    void *decoded = NULL;
    status_t status;
    TRY_DONE(yaml_parse(text, bytes, origin, 1, LAYER_FILE, &file));
    tree = layout_defaults(&schema_layout, origin);
    layout_add_list(tree, "columns");
    layout_add_list(tree, "labels");
    int errors = take_label(file) != ST_OK;
    errors += join_words(file, "missing") != ST_OK;
    errors += join_words(file, "label_rule") != ST_OK;
    errors += yaml_merge(tree, file);
    columns = layout_take_list(tree, "columns");
    labels = layout_take_list(tree, "labels");
    TRY_DONE(decode_tree(&schema_layout, tree, &decoded));
    if (errors) { /* A misspelt columns: must not be called missing as well. */
        status = ST_INPUT;
        goto done;
    }
    TRY_DONE(add_labels(decoded, tree, labels));
    TRY_DONE(check_whole(decoded, tree, columns));
    TRY_DONE(add_columns(decoded, columns));
    *out = decoded;
    decoded = NULL;
done:;
    schema_t *schema = decoded;
    schema_destroy(&schema);
    yaml_destroy(&file);
    yaml_destroy(&tree);
    yaml_destroy(&columns);
    yaml_destroy(&labels);
    return status;
}

status_t schema_load(const char *path_or_preset, schema_t **out)
{
    const schema_preset_t *preset = schema_preset(path_or_preset);
    char *text = NULL, *origin = preset ? mem_printf("preset %s", preset->name) : mem_strdup(path_or_preset);
    size_t bytes;
    status_t status;
    if (preset) {
        text = mem_strdup(preset->text);
        bytes = strlen(text);
    } else if (file_exists(path_or_preset)) {
        TRY_DONE(file_read(path_or_preset, &text, &bytes));
    } else {
        status = FAIL(ST_INPUT, "import schema '%s' is neither a file nor a preset; presets: criteo, avazu, libsvm, libffm",
                      path_or_preset);
        goto done;
    }
    TRY_DONE(schema_parse(text, bytes, origin, out));
    (*out)->source = preset ? mem_strdup(preset->name) : whole_path(path_or_preset);
done:
    mem_free(text);
    mem_free(origin);
    return status;
}

void schema_destroy(schema_t **schema)
{
    schema_t *s = *schema;
    *schema = NULL;
    if (!s)
        return;
    for (unsigned i = 0; i < s->columns_count; i++) {
        mem_free(s->columns[i].name);
        mem_free(s->columns[i].column);
        mem_free(s->columns[i].separator);
        mem_free(s->columns[i].missing);
        mem_free(s->columns[i].fill);
        mem_free(s->columns[i].bins);
    }
    for (unsigned l = 0; l < s->labels_count; l++) {
        mem_free(s->labels[l].name);
        mem_free(s->labels[l].column);
        mem_free(s->labels[l].rule);
    }
    mem_free(s->labels);
    mem_free(s->columns);
    mem_free(s->source);
    layout_destroy(&schema_layout, s);
}

/* Keys that datasets were made without: a text of settings that lacks them means their defaults. */
static bool is_left_out(const field_t *field, const char *text)
{
    static const char *const later[] = {"label_rule", "weight",    "unlabelled", "order", "missing",       "fields",
                                        "fill",       "indicator", "eval_max",   "words", "test_fraction", "bins"};
    for (int i = 0; i < COUNT(later); i++)
        if (strcmp(field->name, later[i]) == 0)
            return strcmp(text, field->kind == VALUE_TEXT ? "\"\"" : field->initial) == 0;
    return false;
}

/* Fields of a record as "name: value", with `between` between them. How many rows may be bad decides nothing about those that
 * are good. */
static void write_fields(FILE *out, const config_record_t *record, const void *value, const char *between)
{
    bool is_first = true;
    for (int f = 0; f < record->count; f++) {
        const field_t *field = &record->fields[f];
        if (strcmp(field->name, "max_bad_rows") == 0)
            continue;
        const void *at = (const char *)value + record->offset + field->offset;
        static const char *const empty = ""; /* a schema that was not loaded may have no text here */
        char *text = layout_value(field, field->kind == VALUE_TEXT && !*(char *const *)at ? (const void *)&empty : at);
        if (!is_left_out(field, text)) {
            fprintf(out, "%s%s%s%s: %s", is_first ? "" : between, record->name, *record->name ? "." : "", field->name, text);
            is_first = false;
        }
        mem_free(text);
    }
}

char *schema_text(const schema_t *schema)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    for (int r = 0; r < schema_layout.count; r++) {
        if (strcmp(schema_records[r].name, KEEP_RECORD) == 0)
            continue; /* decides nothing about the rows */
        write_fields(out, &schema_layout.records[r], schema, "\n");
        fputc('\n', out);
    }
    for (unsigned l = 0; l < schema->labels_count; l++)
        fprintf(out, "label %u: name: %s, column: %s, rule: %s\n", l + 1, schema->labels[l].name, schema->labels[l].column,
                schema->labels[l].rule);
    for (unsigned c = 0; c < schema->columns_count; c++) {
        fprintf(out, "column %u: ", c + 1);
        write_fields(out, &column_record, &schema->columns[c], ", ");
        fputc('\n', out);
    }
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *copy = mem_strdup(text);
    free(text);
    return copy;
}

/* Fields of a record that are not at their defaults, or called `always`, as "name: value": one at its default may be in the way
 * of another, or must not be given with it. */
static void write_changed(FILE *out, const config_record_t *record, const void *value, const char *always, const char *before,
                          const char *after, const char *between)
{
    bool is_first = true;
    for (int f = 0; f < record->count; f++) {
        const field_t *field = &record->fields[f];
        const void *at = (const char *)value + record->offset + field->offset;
        const char *text_at = field->kind == VALUE_TEXT ? *(char *const *)at : NULL;
        if (field->kind == VALUE_TEXT && (!text_at || !*text_at))
            continue;
        char *text = layout_value(field, at), *initial = mem_printf("\"%s\"", field->initial);
        if ((strcmp(text, field->initial) != 0 && strcmp(text, initial) != 0) || strcmp(field->name, always) == 0) {
            fprintf(out, "%s%s: %s", is_first ? before : between, field->name, text);
            is_first = false;
        }
        mem_free(text);
        mem_free(initial);
    }
    fputs(is_first ? "" : after, out);
}

char *schema_yaml(const schema_t *schema)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    const bool is_compared = schema->split_column && *schema->split_column && !schema->split_words;
    write_changed(out, &schema_records[0], schema, "format", "", "\n", "\n");
    write_changed(out, &schema_records[2], schema, "", KEEP_RECORD ": {", "}\n", ", ");
    write_changed(out, &schema_records[1], schema, is_compared ? "train_max" : "", "split: {", "}\n", ", ");
    for (unsigned l = 0; l < schema->labels_count; l++) {
        const schema_label_t *label = &schema->labels[l];
        const char *const parts[] = {"name", label->name, "column", label->column, "rule", label->rule};
        fputs(l ? "  - {" : "labels:\n  - {", out);
        for (int i = 0; i < COUNT(parts); i += 2) {
            fprintf(out, "%s%s: ", i ? ", " : "", parts[i]);
            yaml_write_string(out, parts[i + 1]);
        }
        fputs("}\n", out);
    }
    for (unsigned c = 0; c < schema->columns_count; c++)
        write_changed(out, &column_record, &schema->columns[c], "name", c ? "  - {" : "columns:\n  - {", "}\n", ", ");
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *copy = mem_strdup(text);
    free(text);
    return copy;
}
