#include "common/config/field_options.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* A whole number from `least` to `most`; an error line where it is none. */
static bool read_number(const yaml_t *node, int64_t least, int64_t most, int64_t *out)
{
    const char *text = node->kind == YAML_SCALAR ? node->text : "";
    const bool is_whole = *text && strlen(text) <= 15 && !text[strspn(text, "0123456789")] && (*text != '0' || !text[1]);
    *out = is_whole ? strtoll(text, NULL, 10) : -1;
    if (*out >= least && *out <= most)
        return true;
    yaml_fail(node, "%s%s%s is given; allowed: a whole number from %" PRId64 " to %" PRId64, *text ? "'" : "",
              *text ? text : "no number", *text ? "'" : "", least, most);
    return false;
}

/* A field's name, as long as one can be. */
static bool check_name(const yaml_t *node, const char *name)
{
    if (*name && strlen(name) <= FIELD_NAME_MAX)
        return true;
    yaml_fail(node, "'%.80s' is no name of a field; they have 1 to %d bytes", name, FIELD_NAME_MAX);
    return false;
}

static int read_widths(const yaml_t *map, field_options_t *out)
{
    int errors = 0;
    out->width = MEM_ARRAY(field_width_t, map->count);
    for (const yaml_t *child = map->first; child; child = child->next) {
        int64_t width;
        if (check_name(child, child->key) && read_number(child, 1, FIELD_WIDTH_MAX, &width))
            out->width[out->widths++] = (field_width_t){mem_strdup(child->key), (int32_t)width};
        else
            errors++;
    }
    return errors;
}

static int read_shares(const yaml_t *map, field_options_t *out)
{
    int errors = 0;
    out->share = MEM_ARRAY(field_share_t, map->count);
    for (const yaml_t *child = map->first; child; child = child->next) {
        const char *owner = child->kind == YAML_SCALAR ? child->text : "";
        const yaml_t *next = yaml_child(map, owner);
        if (!check_name(child, child->key) || !check_name(child, owner)) {
            errors++;
        } else if (next && next != child && next->kind == YAML_SCALAR && strcmp(next->text, owner) != 0) {
            yaml_fail(child, "'%s' itself has its rows in the table of '%s'; name that one", owner, next->text);
            errors++;
        } else if (strcmp(child->key, owner) != 0) {
            out->share[out->shares++] = (field_share_t){mem_strdup(child->key), mem_strdup(owner)};
        }
    }
    return errors;
}

static bool has_part(const field_cross_t *cross, const char *name)
{
    for (int i = 0; i < cross->parts; i++)
        if (strcmp(cross->part[i], name) == 0)
            return true;
    return false;
}

/* Of the same fields, in whatever order? */
static bool same_parts(const field_cross_t *a, const field_cross_t *b)
{
    bool same = a->parts == b->parts;
    for (int i = 0; same && i < a->parts; i++)
        same = has_part(b, a->part[i]);
    return same;
}

static int read_parts(const yaml_t *list, field_cross_t *cross)
{
    if (!list || list->kind != YAML_LIST || list->count < 2 || list->count > CROSS_PARTS_MAX) {
        yaml_fail(list, "a cross is of 2 to %d fields; write it as [user_id, tab]", CROSS_PARTS_MAX);
        return 1;
    }
    for (const yaml_t *child = list->first; child; child = child->next) {
        const char *name = child->kind == YAML_SCALAR ? child->text : "";
        if (!check_name(child, name))
            return 1;
        if (has_part(cross, name)) {
            yaml_fail(child, "'%s' is in this cross before; name each field once", name);
            return 1;
        }
        cross->part[cross->parts++] = mem_strdup(name);
        char *longer = cross->name ? mem_printf("%s x %s", cross->name, name) : mem_strdup(name);
        mem_free(cross->name);
        cross->name = longer;
    }
    return 0;
}

/* A cross that is a map. */
static int read_settings(const yaml_t *map, field_cross_t *cross)
{
    int errors = 0;
    int64_t number;
    for (const yaml_t *child = map->first; child; child = child->next) {
        if (strcmp(child->key, "of") == 0) {
            errors += read_parts(child, cross);
        } else if (strcmp(child->key, "width") == 0) {
            errors += !read_number(child, 1, FIELD_WIDTH_MAX, &number);
            cross->width = (int32_t)number;
        } else if (strcmp(child->key, "buckets") == 0) {
            errors += !read_number(child, 0, FIELD_BUCKETS_MAX, &cross->buckets);
        } else {
            yaml_fail(child, "unknown key; allowed in a cross: of, width, buckets");
            errors++;
        }
    }
    if (yaml_child(map, "of"))
        return errors;
    yaml_fail(map, "the cross does not say what it is of; write it as {of: [user_id, tab]}");
    return errors + 1;
}

static int read_cross(const yaml_t *node, field_options_t *out)
{
    field_cross_t *cross = &out->cross[out->crosses++];
    const int errors = node->kind == YAML_MAP ? read_settings(node, cross) : read_parts(node, cross);
    for (int i = 0; errors == 0 && i < out->crosses - 1; i++)
        if (same_parts(&out->cross[i], cross)) {
            yaml_fail(node, "'%s' is a cross of the same fields as '%s'; keep one of them", cross->name, out->cross[i].name);
            return 1;
        }
    return errors;
}

static int read_crosses(const yaml_t *list, field_options_t *out)
{
    int errors = 0;
    if (list->kind != YAML_LIST || list->count > FIELD_CROSSES_MAX) {
        yaml_fail(list, "a list of at most %d crosses is wanted, each a list of fields such as [user_id, tab]",
                  FIELD_CROSSES_MAX);
        return 1;
    }
    out->cross = MEM_ARRAY(field_cross_t, list->count);
    for (const yaml_t *child = list->first; child; child = child->next)
        errors += read_cross(child, out);
    return errors;
}

static int read_all(const yaml_t *widths, const yaml_t *share, const yaml_t *crosses, field_options_t *out)
{
    *out = (field_options_t){0};
    return read_widths(widths, out) + read_shares(share, out) + read_crosses(crosses, out);
}

/* A field in another's table has the width of that one. dim: embedding.dim as it is given, which may be no number. */
static int check_shares(const yaml_t *widths, const char *dim, const field_options_t *options)
{
    int errors = 0;
    for (int i = 0; i < options->shares; i++) {
        const field_share_t *share = &options->share[i];
        const yaml_t *own = yaml_child(widths, share->name), *shared = yaml_child(widths, share->owner);
        const char *wanted = shared && shared->kind == YAML_SCALAR ? shared->text : dim;
        if (!own || own->kind != YAML_SCALAR || strcmp(own->text, wanted) == 0)
            continue;
        yaml_fail(own, "%s is another width than the %s of '%s', whose table fields.share gives it too; leave it out",
                  own->text, wanted, share->owner);
        errors++;
    }
    return errors;
}

int field_options_check(const yaml_t *tree)
{
    field_options_t options;
    const yaml_t *widths = yaml_find(tree, "fields.widths"), *dim = yaml_find(tree, "embedding.dim");
    int errors = read_all(widths, yaml_find(tree, "fields.share"), yaml_find(tree, "fields.crosses"), &options);
    if (errors == 0 && dim->kind == YAML_SCALAR)
        errors = check_shares(widths, dim->text, &options);
    field_options_fini(&options);
    return errors;
}

static yaml_t *parse(const char *text)
{
    yaml_t *tree;
    const status_t status = yaml_parse(text, strlen(text), "fields", 0, LAYER_FILE, &tree);
    ASSERT(status == ST_OK); /* yaml_flow wrote it */
    return tree;
}

void field_options_of(const config_t *config, field_options_t *out)
{
    yaml_t *widths = parse(config->fields.widths), *share = parse(config->fields.share),
           *crosses = parse(config->fields.crosses);
    const int errors = read_all(widths, share, crosses, out);
    ASSERT(errors == 0);
    yaml_destroy(&widths);
    yaml_destroy(&share);
    yaml_destroy(&crosses);
}

void field_options_fini(field_options_t *options)
{
    for (int i = 0; i < options->widths; i++)
        mem_free(options->width[i].name);
    for (int i = 0; i < options->shares; i++) {
        mem_free(options->share[i].name);
        mem_free(options->share[i].owner);
    }
    for (int i = 0; i < options->crosses; i++) {
        for (int p = 0; p < options->cross[i].parts; p++)
            mem_free(options->cross[i].part[p]);
        mem_free(options->cross[i].name);
    }
    mem_free(options->width);
    mem_free(options->share);
    mem_free(options->cross);
    *options = (field_options_t){0};
}

const char *field_options_owner(const field_options_t *options, const char *name)
{
    for (int i = 0; i < options->shares; i++)
        if (strcmp(options->share[i].name, name) == 0)
            return options->share[i].owner;
    return name;
}

/* What is said of the field itself; 0: nothing. */
static int32_t own_width(const field_options_t *options, const char *name)
{
    for (int i = 0; i < options->widths; i++)
        if (strcmp(options->width[i].name, name) == 0)
            return options->width[i].width;
    return 0;
}

int32_t field_options_width(const field_options_t *options, const config_t *config, const char *name)
{
    const int32_t width = own_width(options, field_options_owner(options, name));
    return width ? width : (int32_t)config->embedding.dim;
}

/* ---- scaling ------------------------------------------------------------------------------------------------------------ */

int32_t field_options_scaled(int64_t width, double factor)
{
    const double w = round((double)width * factor);
    return w < 1.0 ? 1 : w > FIELD_WIDTH_MAX ? FIELD_WIDTH_MAX : (int32_t)w;
}

static void scale_node(yaml_t *node, double factor)
{
    char *text = mem_printf("%d", field_options_scaled(atoll(node->text), factor));
    mem_free(node->text);
    node->text = text;
}

static void write_back(char **text, yaml_t *tree)
{
    mem_free(*text);
    *text = yaml_flow(tree);
    yaml_destroy(&tree);
}

void field_options_scale(config_t *config, double factor)
{
    yaml_t *widths = parse(config->fields.widths);
    for (yaml_t *child = widths->first; child; child = child->next)
        scale_node(child, factor);
    write_back(&config->fields.widths, widths);
    yaml_t *crosses = parse(config->fields.crosses);
    for (yaml_t *child = crosses->first; child; child = child->next) {
        yaml_t *width = child->kind == YAML_MAP ? yaml_child(child, "width") : NULL;
        if (width)
            scale_node(width, factor);
    }
    write_back(&config->fields.crosses, crosses);
}
