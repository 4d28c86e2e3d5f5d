#include "common/config/config_paths.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/schema_presets.h"
#include "common/files/file.h"

typedef struct path_key {
    const char *key;
    bool is_identity; /* part of config_hash: an argument stays as it is written */
} path_key_t;

static const path_key_t path_keys[] = {{"data.path", false},    {"data.input", false},      {"data.schema", false},
                                       {"data.scratch", false}, {"cluster.scratch", false}, {"warm_start", true},
                                       {"teacher.run", true}};

/* The folder of the file that says it, absolute and without links; **owned**, NULL where there is no such folder. */
static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash ? mem_printf("%.*s", (int)(slash - file + 1), file) : mem_strdup(".");
    char *whole = realpath(folder, NULL), *copy = whole ? mem_strdup(whole) : NULL;
    free(whole);
    mem_free(folder);
    return copy;
}

/* `folder` has no links, so that a leading ".." of the path is its parent; **owned**. */
static char *join(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    for (;;) {
        while (*path == '/')
            path++;
        if (strncmp(path, "./", 2) == 0) {
            path += 2;
        } else if (strncmp(path, "../", 3) == 0) {
            path += 3;
            while (length > 0 && folder[--length] != '/')
                ;
        } else {
            break;
        }
    }
    if (length == 1 && *folder == '/')
        length = 0;
    return mem_printf("%.*s/%s", (int)length, folder, path);
}

/* The path that was meant once is there, and the one that is meant now is not. */
static int check_old_meaning(const yaml_t *node, const char *key, const char *whole, const char *current)
{
    char *other = join(current, node->text);
    int errors = 0;
    if (!file_exists(whole) && file_exists(other)) {
        yaml_fail(node,
                  "'%s' is relative to the folder of this file, and there is no %s; relative to the current folder there is "
                  "%s: write it "
                  "from the file's folder, or give --set %s=%s",
                  node->text, whole, other, key, node->text);
        errors = 1;
    }
    mem_free(other);
    return errors;
}

static int resolve(yaml_t *node, const path_key_t *key, const char *current);

/* Each of several paths by itself. */
static int resolve_lines(yaml_t *node, const path_key_t *key, const char *current)
{
    char *all = mem_strdup("");
    int errors = 0;
    for (const char *at = node->text; *at;) {
        const size_t bytes = strcspn(at, "\n");
        char *line = mem_printf("%.*s", (int)bytes, at);
        yaml_t *one = yaml_create(YAML_SCALAR, line, node->layer, node->origin, node->line);
        errors += resolve(one, key, current);
        char *longer = mem_printf("%s%s%s", all, *all ? "\n" : "", one->text);
        mem_free(all);
        mem_free(line);
        yaml_destroy(&one);
        all = longer;
        at += bytes + (at[bytes] != 0);
    }
    mem_free(node->text);
    node->text = all;
    return errors;
}

static int resolve(yaml_t *node, const path_key_t *key, const char *current)
{
    const bool is_argument = node->layer == LAYER_ARGUMENT;
    if (node->kind == YAML_SCALAR && strchr(node->text, '\n'))
        return resolve_lines(node, key, current);
    if (strcmp(key->key, "data.input") == 0 && node->kind == YAML_SCALAR && strcmp(node->text, "-") == 0)
        return 0;
    if (node->kind != YAML_SCALAR || !*node->text || *node->text == '/' || strncmp(node->text, "${", 2) == 0)
        return 0;
    if ((is_argument && key->is_identity) || (strcmp(key->key, "data.schema") == 0 && schema_preset(node->text)))
        return 0;
    char *folder = is_argument ? mem_strdup(current) : folder_of(node->origin);
    int errors = 0;
    if (folder) {
        char *whole = join(folder, node->text);
        errors = is_argument ? 0 : check_old_meaning(node, key->key, whole, current);
        mem_free(node->text);
        node->text = whole;
    }
    mem_free(folder);
    return errors;
}

int config_paths_resolve(yaml_t *tree)
{
    char *current = folder_of("");
    int errors = 0;
    for (size_t i = 0; current && i < sizeof path_keys / sizeof *path_keys; i++)
        errors += resolve(yaml_find(tree, path_keys[i].key), &path_keys[i], current);
    mem_free(current);
    return errors;
}

int config_paths_join(yaml_t *tree)
{
    yaml_t *list = yaml_find(tree, "data.input");
    if (list->kind != YAML_LIST)
        return 0;
    char *all = mem_strdup("");
    int errors = 0;
    for (const yaml_t *one = list->first; one; one = one->next) {
        if (one->kind != YAML_SCALAR || !*one->text || strchr(one->text, '\n')) {
            yaml_fail(one, "a list of files, patterns and folders is wanted");
            errors++;
            continue;
        }
        char *longer = mem_printf("%s%s%s", all, *all ? "\n" : "", one->text);
        mem_free(all);
        all = longer;
    }
    yaml_t *scalar = yaml_create(YAML_SCALAR, all, list->layer, list->origin, list->line);
    yaml_replace(list, &scalar);
    mem_free(all);
    return errors;
}
