#include "common/config/sweep.h"

#include <ctype.h>
#include <string.h>

#include "common/base/memory.h"

#define SWEEP_MOST 1000 /* variants of one entry; more is a mistake in the file */

/* set_path - put a copy of `value` at a dotted path below a map, making the maps on the way. */
static status_t set_path(yaml_t *map, const char *path, const yaml_t *value)
{
    const char *dot = strchr(path, '.');
    char *key = dot ? mem_printf("%.*s", (int)(dot - path), path) : mem_strdup(path);
    yaml_t *child = yaml_child(map, key);
    status_t status = ST_OK;
    if (!dot) {
        yaml_t *copy = yaml_copy(value);
        if (child)
            yaml_replace(child, &copy);
        else
            yaml_append(map, key, &copy);
    } else if (child && child->kind != YAML_MAP) {
        status = yaml_fail(value, "the sweep's key goes through %s, which is not a group of keys", key);
    } else {
        if (!child) {
            yaml_t *fresh = yaml_create(YAML_MAP, NULL, value->layer, value->origin, value->line);
            yaml_append(map, key, &fresh);
            child = yaml_child(map, key);
        }
        status = set_path(child, dot + 1, value);
    }
    mem_free(key);
    return status;
}

/* add_suffix - name: NAME becomes NAME-keyVALUE; characters that a folder's name cannot have become '_'. */
static status_t add_suffix(yaml_t *entry, const char *path, const yaml_t *value)
{
    yaml_t *name = yaml_child(entry, "name");
    if (!name || name->kind != YAML_SCALAR)
        return yaml_fail(entry, "a variant with a sweep needs a name, which its variants begin with");
    const char *key = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;
    char *text = mem_printf("%s-%s%s", name->text, key, value->text);
    for (char *c = text + strlen(name->text); *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            *c = '_';
    yaml_t *fresh = yaml_create(YAML_SCALAR, text, name->layer, name->origin, name->line);
    yaml_replace(name, &fresh);
    mem_free(text);
    return ST_OK;
}

/* expand - append to `out` the variants of `entry` over the sweep's keys from `key` on. Takes ownership of *entry. */
static status_t expand(yaml_t **entry, const yaml_t *key, yaml_t *out)
{
    if (!key) {
        yaml_append(out, NULL, entry);
        return out->count <= SWEEP_MOST ? ST_OK : yaml_fail(out, "the sweeps ask for more than %d variants", SWEEP_MOST);
    }
    yaml_t *one = NULL;
    status_t status = ST_OK;
    if (key->kind != YAML_LIST || key->count == 0)
        TRY_DONE(yaml_fail(key, "a list of values is wanted, for instance [0.5, 1, 2]"));
    for (const yaml_t *value = key->first; value; value = value->next) {
        if (value->kind != YAML_SCALAR)
            TRY_DONE(yaml_fail(value, "a sweep's values are words or numbers, not lists"));
        one = yaml_copy(*entry);
        TRY_DONE(set_path(one, key->key, value));
        TRY_DONE(add_suffix(one, key->key, value));
        TRY_DONE(expand(&one, key->next, out));
    }
done:
    yaml_destroy(&one);
    yaml_destroy(entry);
    return status;
}

status_t sweep_expand(yaml_t **list)
{
    const yaml_t *from = *list;
    if (from->kind != YAML_LIST)
        return ST_OK;
    yaml_t *out = yaml_create(YAML_LIST, NULL, from->layer, from->origin, from->line);
    out->key = from->key ? mem_strdup(from->key) : NULL;
    status_t status = ST_OK;
    for (const yaml_t *at = from->first; at && status == ST_OK; at = at->next) {
        /* The sweep is read where it stands in the file, so that errors in it can say where that is. */
        const yaml_t *sweep = at->kind == YAML_MAP ? yaml_child(at, "sweep") : NULL;
        yaml_t *entry = yaml_copy(at), *taken = sweep ? yaml_take(entry, "sweep") : NULL;
        if (!sweep)
            yaml_append(out, NULL, &entry);
        else if (sweep->kind != YAML_MAP || sweep->count == 0)
            status = yaml_fail(sweep, "keys with lists of values are wanted, for instance {model.beta: [0.5, 1, 2]}");
        else
            status = expand(&entry, sweep->first, out);
        yaml_destroy(&entry);
        yaml_destroy(&taken);
    }
    if (status == ST_OK) {
        yaml_destroy(list);
        *list = out;
    } else {
        yaml_destroy(&out);
    }
    return status;
}
