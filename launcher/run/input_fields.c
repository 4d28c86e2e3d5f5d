#include "launcher/run/input_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/texts/dataset_print.h"

/* How a field is taken, as a word of the file and of messages. */
static const struct word {
    const char *word;
    column_kind_t kind;
    pooling_t pooling;
} words[] = {
    {"numeric", COLUMN_NUMERIC, POOLING_SUM},
    {"categorical", COLUMN_CATEGORICAL, POOLING_SUM},
    {"multi-valued, summed", COLUMN_MULTI, POOLING_SUM},
    {"multi-valued, averaged", COLUMN_MULTI, POOLING_MEAN},
};
#define WORDS (int)(sizeof words / sizeof *words)

static const char *word_of(const dataset_field_t *field)
{
    for (int i = 0; i < WORDS; i++)
        if (words[i].kind == field->kind && (field->kind != COLUMN_MULTI || words[i].pooling == field->pooling))
            return words[i].word;
    ASSERT(false);
    return NULL;
}

static int32_t fields_of(const input_fields_t *inputs)
{
    return inputs->numeric + inputs->single + inputs->multi;
}

input_fields_t input_fields_copy(const input_fields_t *inputs)
{
    input_fields_t copy = {inputs->numeric, inputs->single, inputs->multi, NULL, {0}};
    const int32_t n = fields_of(inputs);
    copy.fields = MEM_ARRAY(dataset_field_t, n);
    if (n > 0)
        memcpy(copy.fields, inputs->fields, (size_t)n * sizeof *copy.fields);
    return copy;
}

input_fields_t input_fields_of(const dataset_info_t *info)
{
    const input_fields_t borrowed = {info->numeric, info->single, info->multi, (dataset_field_t *)(uintptr_t)info->fields, {0}};
    return input_fields_copy(&borrowed);
}

void input_fields_fini(input_fields_t *inputs)
{
    mem_free(inputs->fields);
    field_options_fini(&inputs->named);
    *inputs = (input_fields_t){0};
}

void input_fields_name(input_fields_t *inputs, const config_t *config)
{
    field_options_fini(&inputs->named);
    field_options_of(config, &inputs->named);
}

/* The field of this name, or NULL. */
static const dataset_field_t *find(const input_fields_t *inputs, const char *name)
{
    for (int32_t f = 0; f < fields_of(inputs); f++)
        if (strcmp(inputs->fields[f].name, name) == 0)
            return &inputs->fields[f];
    return NULL;
}

/* ---- scaling --------------------------------------------------------------------------------------------------------- */

void input_fields_scale_as(input_fields_t *inputs, const input_fields_t *model)
{
    for (int32_t f = 0; f < inputs->numeric; f++) {
        const dataset_field_t *like = find(model, inputs->fields[f].name);
        if (!like || like->kind != COLUMN_NUMERIC)
            continue;
        inputs->fields[f].mean = like->mean;
        inputs->fields[f].scale = like->scale;
    }
}

bool input_fields_is_scaled_as(const input_fields_t *inputs, const input_fields_t *model)
{
    bool same = true;
    for (int32_t f = 0; f < inputs->numeric; f++) {
        const dataset_field_t *field = &inputs->fields[f], *like = find(model, field->name);
        if (like && like->kind == COLUMN_NUMERIC)
            same = same && field->mean == like->mean && field->scale == like->scale;
    }
    return same;
}

/* ---- file ------------------------------------------------------------------------------------------------------------ */

static jsondoc_t *crosses_json(const field_options_t *named)
{
    jsondoc_t *list = jsondoc_array();
    for (int i = 0; i < named->crosses; i++) {
        const field_cross_t *cross = &named->cross[i];
        jsondoc_t *one = jsondoc_object(), *of = jsondoc_array();
        jsondoc_put_text(one, "name", cross->name);
        for (int p = 0; p < cross->parts; p++)
            jsondoc_append_text(of, cross->part[p]);
        jsondoc_put(one, "of", &of);
        if (cross->width)
            jsondoc_put_integer(one, "width", cross->width);
        if (cross->buckets)
            jsondoc_put_integer(one, "buckets", cross->buckets);
        jsondoc_append(list, &one);
    }
    return list;
}

/* What the configuration says of a field. */
static void put_named(jsondoc_t *one, const field_options_t *named, const char *name)
{
    const char *owner = field_options_owner(named, name);
    for (int i = 0; i < named->widths; i++)
        if (strcmp(named->width[i].name, name) == 0)
            jsondoc_put_integer(one, "width", named->width[i].width);
    if (strcmp(owner, name) != 0)
        jsondoc_put_text(one, "rows_of", owner);
}

jsondoc_t *input_fields_json(const input_fields_t *inputs)
{
    jsondoc_t *doc = jsondoc_object(), *list = jsondoc_array();
    for (int32_t f = 0; f < fields_of(inputs); f++) {
        const dataset_field_t *field = &inputs->fields[f];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", field->name);
        jsondoc_put_text(one, "kind", word_of(field));
        if (field->kind == COLUMN_NUMERIC) {
            jsondoc_put_number(one, "mean", field->mean);
            jsondoc_put_number(one, "scale", field->scale);
        }
        for (int i = 0; i < field_rules_count(); i++)
            if (*field_rules_get(&field->rules, i))
                jsondoc_put_text(one, field_rules_name(i), field_rules_get(&field->rules, i));
        put_named(one, &inputs->named, field->name);
        jsondoc_append(list, &one);
    }
    jsondoc_put(doc, "fields", &list);
    if (inputs->named.crosses) {
        jsondoc_t *crosses = crosses_json(&inputs->named);
        jsondoc_put(doc, "crosses", &crosses);
    }
    return doc;
}

static char *path_of(const char *run_dir)
{
    return run_path(run_dir, FILE_INPUTS);
}

status_t input_fields_write(const char *run_dir, const input_fields_t *inputs)
{
    jsondoc_t *doc = input_fields_json(inputs);
    char *path = path_of(run_dir);
    status_t status = jsondoc_write(doc, path);
    mem_free(path);
    jsondoc_destroy(&doc);
    return status;
}

static status_t decode_rules(const jsondoc_t *one, const char *where, field_rules_t *rules)
{
    for (int i = 0; i < field_rules_count(); i++) {
        const char *key = field_rules_name(i), *text;
        if (!jsondoc_has(one, key))
            continue;
        TRY(jsondoc_get_text(one, where, key, &text));
        if (snprintf(field_rules_text(rules, i), FIELD_RULE_BYTES, "%s", text) >= FIELD_RULE_BYTES)
            return FAIL(ST_CORRUPT, "%s: \"%s\" is \"%s\", longer than any that smelter writes", where, key, text);
    }
    return ST_OK;
}

static status_t decode_field(const jsondoc_t *one, const char *path, dataset_field_t *field)
{
    const char *name, *word;
    TRY(jsondoc_get_text(one, path, "name", &name));
    TRY(jsondoc_get_text(one, path, "kind", &word));
    int i = 0;
    while (i < WORDS && strcmp(words[i].word, word) != 0)
        i++;
    if (i == WORDS || strlen(name) >= sizeof field->name)
        return FAIL(ST_CORRUPT, "%s: field \"%s\" of kind \"%s\" is not one that smelter writes", path, name, word);
    *field = (dataset_field_t){.kind = words[i].kind, .pooling = words[i].pooling, .scale = 1};
    memcpy(field->name, name, strlen(name) + 1);
    TRY(decode_rules(one, path, &field->rules));
    if (field->kind != COLUMN_NUMERIC)
        return ST_OK;
    TRY(jsondoc_get_number(one, path, "mean", &field->mean));
    return jsondoc_get_number(one, path, "scale", &field->scale);
}

static status_t decode(const jsondoc_t *doc, const char *path, input_fields_t *out)
{
    const jsondoc_t *list;
    TRY(jsondoc_get_array(doc, path, "fields", &list));
    const int64_t n = jsondoc_length(list);
    out->fields = MEM_ARRAY(dataset_field_t, n);
    for (int64_t f = 0; f < n; f++) {
        dataset_field_t *field = &out->fields[f];
        TRY(decode_field(jsondoc_at(list, f), path, field));
        if (f > 0 && field->kind != field[-1].kind && (field->kind == COLUMN_NUMERIC || field[-1].kind == COLUMN_MULTI))
            return FAIL(ST_CORRUPT, "%s: field \"%s\" is out of order: numeric fields come first, multi-valued ones last", path,
                        field->name);
        *(field->kind == COLUMN_NUMERIC ? &out->numeric : field->kind == COLUMN_MULTI ? &out->multi : &out->single) += 1;
    }
    return ST_OK;
}

status_t inputs_decode(const jsondoc_t *doc, const char *where, input_fields_t *out)
{
    input_fields_t read = {0};
    status_t status = decode(doc, where, &read);
    if (status == ST_OK)
        *out = read;
    else
        input_fields_fini(&read);
    return status;
}

bool input_fields_exist(const char *run_dir)
{
    char *path = path_of(run_dir);
    const bool exist = file_exists(path);
    mem_free(path);
    return exist;
}

status_t input_fields_read(const char *run_dir, input_fields_t *out)
{
    jsondoc_t *doc = NULL;
    char *path = path_of(run_dir);
    status_t status = ST_OK;
    if (!file_exists(path)) {
        status = FAIL(
            ST_INPUT,
            "%s is not there: without it there is no telling which fields the model's parameters belong to and how they are "
            "scaled; copy it from where the run was made, or train again",
            path);
        goto done;
    }
    TRY_DONE(jsondoc_read(path, &doc));
    TRY_DONE(inputs_decode(doc, path, out));
done:
    jsondoc_destroy(&doc);
    mem_free(path);
    return status;
}

/* ---- model and data -------------------------------------------------------------------------------------------------- */

/* The first rule of two fields of one name that is not the same. */
static bool rule_difference(const dataset_field_t *model, const dataset_field_t *data, char text[INPUT_FIELDS_DIFFERENCE_BYTES])
{
    const int i = field_rules_difference(&model->rules, &data->rules);
    if (i >= 0)
        snprintf(text, INPUT_FIELDS_DIFFERENCE_BYTES, "%s of field %s is '%s', wanted is '%s'", field_rules_noun(i),
                 model->name, field_rules_get(&data->rules, i), field_rules_get(&model->rules, i));
    return i >= 0;
}

/* The first field that is missing, in another place or of another kind. */
static bool field_difference(const input_fields_t *model, const input_fields_t *data, char text[INPUT_FIELDS_DIFFERENCE_BYTES])
{
    const int32_t wanted = fields_of(model), found = fields_of(data);
    for (int32_t f = 0; f < wanted || f < found; f++) {
        const dataset_field_t *w = f < wanted ? &model->fields[f] : NULL, *d = f < found ? &data->fields[f] : NULL;
        if (w && d && strcmp(w->name, d->name) == 0 && word_of(w) == word_of(d))
            continue;
        char want[160] = "no more", have[160] = "no more";
        if (w)
            snprintf(want, sizeof want, "%s (%s)", w->name, word_of(w));
        if (d)
            snprintf(have, sizeof have, "%s (%s)", d->name, word_of(d));
        snprintf(text, INPUT_FIELDS_DIFFERENCE_BYTES, "field %d is %s, wanted is %s", f + 1, have, want);
        return true;
    }
    return false;
}

bool input_fields_difference(const input_fields_t *model, const input_fields_t *data, char text[INPUT_FIELDS_DIFFERENCE_BYTES])
{
    if (field_difference(model, data, text))
        return true;
    for (int32_t f = 0; f < fields_of(model); f++)
        if (rule_difference(&model->fields[f], &data->fields[f], text))
            return true;
    return false;
}

bool input_fields_difference_by_name(const input_fields_t *model, const input_fields_t *data,
                                     char text[INPUT_FIELDS_DIFFERENCE_BYTES])
{
    for (int32_t f = 0; f < fields_of(model); f++) {
        const dataset_field_t *w = &model->fields[f], *d = find(data, w->name);
        if (d && word_of(w) != word_of(d)) {
            snprintf(text, INPUT_FIELDS_DIFFERENCE_BYTES, "field %s is %s, wanted is %s", w->name, word_of(d), word_of(w));
            return true;
        }
        if (d && rule_difference(w, d, text))
            return true;
    }
    return false;
}

status_t input_fields_check(const input_fields_t *model, const char *run, const input_fields_t *data, const char *dataset)
{
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES];
    if (field_difference(model, data, difference))
        return FAIL(ST_INPUT, "dataset %s does not have the fields that %s was trained on: %s; import it by the same schema",
                    dataset, run, difference);
    if (input_fields_difference(model, data, difference))
        return FAIL(
            ST_INPUT,
            "dataset %s was imported in another way than the data that %s was trained on: %s; import it by the same schema",
            dataset, run, difference);
    return ST_OK;
}

void input_fields_warn_unrecorded(const input_fields_t *model, const char *run, const input_fields_t *data, const char *dataset)
{
    bool run_lacks = false, dataset_lacks = false;
    for (int32_t f = 0; f < fields_of(model); f++) {
        const dataset_field_t *w = &model->fields[f], *d = find(data, w->name);
        run_lacks |= d && !field_rules_recorded(&w->rules);
        dataset_lacks |= d && !field_rules_recorded(&d->rules);
    }
    if (run_lacks || dataset_lacks)
        log_warn("%s%s%s %s not record how import made the values of the fields (transform, separator, keys ..), so it could "
                 "not be checked that %s fits %s in this",
                 run_lacks ? run : "", run_lacks && dataset_lacks ? " and " : "", dataset_lacks ? dataset : "",
                 run_lacks && dataset_lacks ? "do" : "does", dataset, run);
}

/* ---- print ----------------------------------------------------------------------------------------------------------- */

/* Behind the kind of a field: what the configuration says of it. */
static void print_named(const field_options_t *named, const char *name)
{
    const char *owner = field_options_owner(named, name);
    for (int i = 0; i < named->widths; i++)
        if (strcmp(named->width[i].name, name) == 0)
            printf(", width %d", named->width[i].width);
    if (strcmp(owner, name) != 0)
        printf(", with the rows of %s", owner);
}

static void print_crosses(const field_options_t *named)
{
    for (int i = 0; i < named->crosses; i++) {
        const field_cross_t *cross = &named->cross[i];
        printf("    %-20s cross", cross->name);
        if (cross->width)
            printf(", width %d", cross->width);
        if (cross->buckets)
            printf(", %" PRId64 " buckets", cross->buckets);
        printf("\n");
    }
}

void input_fields_print(const input_fields_t *inputs)
{
    printf("  inputs\n");
    for (int32_t f = 0; f < fields_of(inputs); f++) {
        const dataset_field_t *field = &inputs->fields[f];
        printf("    %-20s %s", field->name, word_of(field));
        if (field->kind == COLUMN_NUMERIC)
            printf(", used as (x - %g) * %g", field->mean, field->scale);
        print_named(&inputs->named, field->name);
        printf("\n");
        if (f == inputs->numeric + inputs->single - 1)
            print_crosses(&inputs->named);
    }
    dataset_print_rules(inputs->fields, fields_of(inputs));
}
