/* yaml_tree.h - a YAML document as a tree whose every node remembers where a person wrote it. The only user of libyaml.
 *
 * Trees come from files, from --set arguments and from tables of defaults, and are laid over one another. Nodes keep their
 * place and the layer they came from, so an error found in the merged tree still points at the line to mend. Aliases and merge
 * keys are refused: a configuration says everything where it applies.  Not thread-safe per tree. */
#ifndef SMELTER_YAML_TREE_H
#define SMELTER_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/status.h"

typedef enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP } yaml_kind_t;

/* Later layers win over earlier ones. */
typedef enum yaml_layer { LAYER_DEFAULT, LAYER_FILE, LAYER_VARIANT, LAYER_ARGUMENT } yaml_layer_t;

typedef struct yaml {
    yaml_kind_t kind;
    yaml_layer_t layer;
    char *origin; /* file name, or the --set argument */
    int line;     /* from 1; 0 where the origin has no lines */
    char *scope;  /* in front of the path in messages: "variants.smelu1."; or NULL */
    char *key;    /* inside a map; else NULL */
    char *text;   /* of a scalar; else NULL */
    int count;    /* children of a list or map */
    bool is_open; /* a map of names that are the user's, not ours: it takes any key */
    struct yaml *parent, *first, *last, *next;
} yaml_t;

/* yaml_create - a childless node at a place; text is NULL but for scalars.  Strings are copied.  **Owned**; yaml_destroy. */
yaml_t *yaml_create(yaml_kind_t kind, const char *text, yaml_layer_t layer, const char *origin, int line);
void yaml_destroy(yaml_t **tree);
yaml_t *yaml_copy(const yaml_t *tree); /* **owned**, without parent */

/* yaml_parse - one YAML document.
 *
 * text     [bytes]; line numbers count from first_line, or all are 0 where first_line is 0
 * ST_INPUT with one line per error: syntax, several documents, aliases, a key given twice. An empty document is an empty
 * scalar. */
WARN_UNUSED status_t yaml_parse(const char *text, size_t bytes, const char *origin, int first_line, yaml_layer_t layer,
                                yaml_t **out);

/* yaml_child - the child of a map with this key, or NULL;  yaml_find - the node at a dotted path, or NULL. */
yaml_t *yaml_child(const yaml_t *map, const char *key);
yaml_t *yaml_find(const yaml_t *tree, const char *path);

/* yaml_append - make *child the last child of a list, or of a map under `key`.  Takes ownership: *child becomes NULL. */
void yaml_append(yaml_t *parent, const char *key, yaml_t **child);

/* yaml_take - cut the child with this key out of a map; NULL where there is none.  **Owned**. */
yaml_t *yaml_take(yaml_t *map, const char *key);

/* yaml_replace - put *by where `old` stands in its parent, under the same key, and destroy `old`.  Takes ownership of *by. */
void yaml_replace(yaml_t *old, yaml_t **by);

/* yaml_set_scope - the text in front of the paths of this node and all below. */
void yaml_set_scope(yaml_t *tree, const char *scope);

/* yaml_merge - lay `over` on `base`: maps key by key, all else as a whole; a node never replaces one of a later layer.
 *
 * base  in/out; it holds every key that is known, but for those of maps that are open Every key of `over` that base does not
 * know, and every map in place of a value or the reverse, is an error line of its own and leaves base's node as it is. Returns
 * the number of errors. */
int yaml_merge(yaml_t *base, const yaml_t *over);

/* yaml_flow - the tree as YAML on one line, {a: 1, b: [x, "y z"]}, keys of maps in order of their bytes: trees that say the
 * same give the same text, and it parses back to the tree.  **Owned**, mem_free. */
char *yaml_flow(const yaml_t *tree);

/* yaml_write_string - text as a double-quoted YAML scalar. */
void yaml_write_string(FILE *stream, const char *text);

/* yaml_path - "model.hidden[2]", with the scope in front; **owned**, mem_free. */
char *yaml_path(const yaml_t *tree);

/* yaml_fail - log "FILE:LINE: path: message" and yield ST_INPUT. Where the node is the root, the path is left out. */
status_t yaml_fail(const yaml_t *at, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
