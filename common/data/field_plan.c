#include "common/data/field_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/field_options.h"

_Static_assert(sizeof((dataset_field_t *)0)->name == FIELD_NAME_MAX + 1, "names in a configuration are as long as a dataset's");

/* What is being planned. */
typedef struct planning {
    const config_t *config;
    const known_fields_t *known;
    field_options_t options;
    planned_cross_t *cross; /* [options.crosses] */
    field_wish_t *wish;
    int n;
} planning_t;

static const dataset_field_t *embedded(const known_fields_t *known)
{
    return known->fields + known->numeric;
}

/* The number of the embedding field of this name, or -1. */
static int find(const known_fields_t *known, const char *name)
{
    for (int f = 0; f < known->single + known->multi; f++)
        if (strcmp(embedded(known)[f].name, name) == 0)
            return f;
    return -1;
}

static bool is_numeric(const known_fields_t *known, const char *name)
{
    for (int f = 0; f < known->numeric; f++)
        if (strcmp(known->fields[f].name, name) == 0)
            return true;
    return false;
}

/* Names of fields for a message, the first ones of many. */
static void list_names(const known_fields_t *known, int n, char *text, size_t bytes)
{
    size_t used = 0;
    *text = 0;
    for (int f = 0; f < n && used < bytes; f++) {
        const bool is_full = used + sizeof embedded(known)[f].name + 8 > bytes;
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", f ? ", " : "", is_full ? ".." : embedded(known)[f].name);
        if (is_full)
            break;
    }
}

/* "variant x: fields.widths: " and what is wrong there. */
static status_t refuse(const planning_t *p, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
static status_t refuse(const planning_t *p, const char *key, const char *format, ...)
{
    char text[STATUS_REASON_BYTES];
    const char *variant = p->known->variant;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return FAIL(ST_INPUT, "%s%s%s%s: %s", variant ? "variant " : "", variant ? variant : "", variant ? ": " : "", key, text);
}

/* The embedding field that `key` of the configuration names. */
static status_t look_up(const planning_t *p, const char *key, const char *name, int *out)
{
    const known_fields_t *known = p->known;
    const int n = known->single + known->multi;
    char list[400];
    *out = find(known, name);
    if (*out >= 0)
        return ST_OK;
    if (is_numeric(known, name))
        return refuse(p, key, "'%s' of %s is a numeric field, which has no embedding; import it as a category, or leave it out",
                      name, known->where);
    const char **names = MEM_ARRAY(const char *, n);
    for (int f = 0; f < n; f++)
        names[f] = embedded(known)[f].name;
    const char *near = text_nearest(name, names, n);
    list_names(known, n, list, sizeof list);
    const status_t status =
        near ? refuse(p, key, "%s has no field '%s'; did you mean '%s'?", known->where, name, near)
             : refuse(p, key, "%s has no field '%s'; its categorical fields are %s", known->where, name, n ? list : "none");
    mem_free(names);
    return status;
}

/* ---- shared tables ----------------------------------------------------------------------------------------------------- */

/* May two fields have their rows in one table? Only where the same text has the same key in both. Separators, weights and what
 * is made of nothing do not matter for that; a multi-valued field has no transform. */
static status_t check_keys(const planning_t *p, const dataset_field_t *field, const dataset_field_t *owner)
{
    static const char *const other[] = {"separator", "weights", "missing"};
    for (int i = 0; i < field_rules_count(); i++) {
        const char *rule = field_rules_name(i), *a = field_rules_get(&field->rules, i), *b = field_rules_get(&owner->rules, i);
        bool matters = true;
        for (size_t o = 0; o < sizeof other / sizeof *other; o++)
            matters = matters && strcmp(rule, other[o]) != 0;
        if (strcmp(rule, "transform") == 0) {
            const char *none = schema_transform_word(TRANSFORM_NONE);
            a = *a ? a : none;
            b = *b ? b : none;
        }
        if (strcmp(rule, "keys") == 0 && (!*a || !*b))
            return refuse(
                p, "fields.share",
                "%s does not record how the keys of '%s' and '%s' were made, so they may not be the same for the same "
                "text; import it again",
                p->known->where, field->name, owner->name);
        if (matters && strcmp(a, b) != 0)
            return refuse(
                p, "fields.share",
                "'%s' and '%s' cannot have their rows in one table: the %s of one is '%s', of the other '%s', so that "
                "the same text has two keys; import both alike",
                field->name, owner->name, field_rules_noun(i), a, b);
    }
    return ST_OK;
}

static status_t check_shares(const planning_t *p)
{
    for (int i = 0; i < p->options.shares; i++) {
        int field, owner;
        TRY(look_up(p, "fields.share", p->options.share[i].name, &field));
        TRY(look_up(p, "fields.share", p->options.share[i].owner, &owner));
        TRY(check_keys(p, &embedded(p->known)[field], &embedded(p->known)[owner]));
    }
    return ST_OK;
}

/* ---- crosses ------------------------------------------------------------------------------------------------------------ */

static status_t plan_cross(planning_t *p, const field_cross_t *from, planned_cross_t *out)
{
    const known_fields_t *known = p->known;
    *out = (planned_cross_t){.parts = from->parts, .buckets = from->buckets};
    for (int i = 0; i < from->parts; i++) {
        int part;
        TRY(look_up(p, "fields.crosses", from->part[i], &part));
        if (part >= known->single)
            return refuse(p, "fields.crosses",
                          "'%s' of %s holds any number of values, and '%s' is made of one of each; cross single-valued fields",
                          from->part[i], known->where, from->name);
        out->part[i] = part;
    }
    if (find(known, from->name) >= 0 || is_numeric(known, from->name))
        return refuse(p, "fields.crosses", "%s has a field '%s' of its own; import it under another name", known->where,
                      from->name);
    return ST_OK;
}

static status_t plan_crosses(planning_t *p)
{
    p->cross = MEM_ARRAY(planned_cross_t, p->options.crosses);
    for (int i = 0; i < p->options.crosses; i++)
        TRY(plan_cross(p, &p->options.cross[i], &p->cross[i]));
    return ST_OK;
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------ */

/* Crosses stand behind the single-valued fields, and are such. */
static int number_of(const planning_t *p, int embedded_field)
{
    return embedded_field < p->known->single ? embedded_field : embedded_field + p->options.crosses;
}

/* What of a width is embedding. */
static int32_t dim_of(const planning_t *p, int32_t width)
{
    return config_embedding_dim(p->config) ? width : 0;
}

static void wish_for_field(planning_t *p, int f)
{
    const char *name = embedded(p->known)[f].name;
    const int owner = find(p->known, field_options_owner(&p->options, name));
    p->wish[p->n++] = (field_wish_t){name, dim_of(p, field_options_width(&p->options, p->config, name)), number_of(p, owner)};
}

static void wish_for_all(planning_t *p)
{
    const known_fields_t *known = p->known;
    const int32_t dim = (int32_t)p->config->embedding.dim;
    p->wish = MEM_ARRAY(field_wish_t, known->single + p->options.crosses + known->multi);
    for (int f = 0; f < known->single; f++)
        wish_for_field(p, f);
    for (int i = 0; i < p->options.crosses; i++, p->n++) {
        const field_cross_t *cross = &p->options.cross[i];
        p->wish[p->n] = (field_wish_t){cross->name, dim_of(p, cross->width ? cross->width : dim), p->n};
    }
    for (int f = known->single; f < known->single + known->multi; f++)
        wish_for_field(p, f);
}

static status_t plan(planning_t *p)
{
    int field;
    for (int i = 0; i < p->options.widths; i++)
        TRY(look_up(p, "fields.widths", p->options.width[i].name, &field));
    TRY(check_shares(p));
    TRY(plan_crosses(p));
    wish_for_all(p);
    return ST_OK;
}

bool field_plan_is_named(const config_t *config)
{
    return strcmp(config->fields.widths, "{}") != 0 || strcmp(config->fields.share, "{}") != 0 ||
           strcmp(config->fields.crosses, "[]") != 0;
}

status_t field_plan_init(table_plan_t *out, const config_t *config, const known_fields_t *known)
{
    planning_t p = {.config = config, .known = known};
    *out = (table_plan_t){0};
    field_options_of(config, &p.options);
    const status_t status = plan(&p);
    if (status == ST_OK) {
        table_plan_init_wishes(out, config, p.n, p.wish);
        out->is_plain = !field_plan_is_named(config);
        out->first_cross = known->single;
        out->crosses = p.options.crosses;
        out->cross = p.cross;
        p.cross = NULL;
    }
    field_options_fini(&p.options);
    mem_free(p.wish);
    mem_free(p.cross);
    return status;
}

status_t field_plan_of_variant(table_plan_t *out, const config_t *config, const dataset_info_t *info, const char *path,
                               const char *variant)
{
    char *where = mem_printf("dataset %s", path);
    const known_fields_t known = {info->fields, info->numeric, info->single, info->multi, where, variant};
    const status_t status = field_plan_init(out, config, &known);
    mem_free(where);
    return status;
}

status_t field_plan_of(table_plan_t *out, const config_t *config, const dataset_info_t *info, const char *path)
{
    return field_plan_of_variant(out, config, info, path, NULL);
}
