#include "launcher/inputs.h"

#include <stdio.h>
#include <string.h>

#include "common/base/jsondoc.h"
#include "common/base/memory.h"

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

status_t inputs_write(const char *run_dir, const dataset_info_t *info)
{
    jsondoc_t *doc = jsondoc_object(), *list = jsondoc_array();
    for (int f = 0; f < info->numeric + info->single + info->multi; f++) {
        const dataset_field_t *field = &info->fields[f];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", field->name);
        jsondoc_put_text(one, "kind", word_of(field));
        if (field->kind == COLUMN_NUMERIC) {
            jsondoc_put_number(one, "mean", field->mean);
            jsondoc_put_number(one, "scale", field->scale);
        }
        jsondoc_append(list, &one);
    }
    jsondoc_put(doc, "fields", &list);
    char *path = mem_printf("%s/inputs.json", run_dir);
    status_t status = jsondoc_write(doc, path);
    mem_free(path);
    jsondoc_destroy(&doc);
    return status;
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
        return FAIL(ST_CORRUPT, "%s: field \"%s\" of kind \"%s\" is none that smelter writes", path, name, word);
    *field = (dataset_field_t){.kind = words[i].kind, .pooling = words[i].pooling, .scale = 1};
    memcpy(field->name, name, strlen(name) + 1);
    if (field->kind != COLUMN_NUMERIC)
        return ST_OK;
    TRY(jsondoc_get_number(one, path, "mean", &field->mean));
    return jsondoc_get_number(one, path, "scale", &field->scale);
}

static status_t decode(const jsondoc_t *doc, const char *path, inputs_t *out)
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

status_t inputs_read(const char *run_dir, inputs_t *out)
{
    jsondoc_t *doc = NULL;
    inputs_t read = {0};
    char *path = mem_printf("%s/inputs.json", run_dir);
    status_t status;
    TRY_DONE(jsondoc_read(path, &doc));
    TRY_DONE(decode(doc, path, &read));
    *out = read;
    read = (inputs_t){0};
done:
    inputs_fini(&read);
    jsondoc_destroy(&doc);
    mem_free(path);
    return status;
}

void inputs_fini(inputs_t *inputs)
{
    mem_free(inputs->fields);
    *inputs = (inputs_t){0};
}

status_t inputs_check(const inputs_t *inputs, const char *run_dir, const dataset_info_t *info, const char *dataset)
{
    const int wanted = inputs->numeric + inputs->single + inputs->multi, found = info->numeric + info->single + info->multi;
    for (int f = 0; f < wanted || f < found; f++) {
        const dataset_field_t *w = f < wanted ? &inputs->fields[f] : NULL, *d = f < found ? &info->fields[f] : NULL;
        if (w && d && strcmp(w->name, d->name) == 0 && word_of(w) == word_of(d))
            continue;
        char want[160] = "no more", have[160] = "no more";
        if (w)
            snprintf(want, sizeof want, "%s (%s)", w->name, word_of(w));
        if (d)
            snprintf(have, sizeof have, "%s (%s)", d->name, word_of(d));
        return FAIL(
            ST_INPUT,
            "dataset %s does not have the fields that %s was trained on: field %d is %s, wanted is %s; import it by the "
            "same schema",
            dataset, run_dir, f + 1, have, want);
    }
    return ST_OK;
}
