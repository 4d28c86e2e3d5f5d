/* A recursive-descent reader over libyaml's events. The document interface of libyaml was rejected: it resolves aliases to
 * shared nodes, so that a few lines can stand for gigabytes or for themselves, and it accepts a key given twice. */
#include "common/config/yaml_tree.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/base/memory.h"
#include "common/base/text.h"

#define DEPTH_MAX 32 /* a configuration nests 4 deep; the bound keeps hostile input off the stack */

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static char *dup_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

yaml_t *yaml_create(yaml_kind_t kind, const char *text, yaml_layer_t layer, const char *origin, int line)
{
    ASSERT((kind == YAML_SCALAR) == (text != NULL));
    yaml_t *tree = MEM_NEW(yaml_t);
    tree->kind = kind;
    tree->layer = layer;
    tree->origin = mem_strdup(origin);
    tree->line = line;
    tree->text = dup_or_null(text);
    return tree;
}

void yaml_destroy(yaml_t **tree)
{
    yaml_t *t = *tree;
    *tree = NULL;
    if (!t)
        return;
    for (yaml_t *child = t->first, *next; child; child = next) {
        next = child->next;
        yaml_destroy(&child);
    }
    mem_free(t->origin);
    mem_free(t->scope);
    mem_free(t->key);
    mem_free(t->text);
    mem_free(t);
}

yaml_t *yaml_copy(const yaml_t *tree)
{
    yaml_t *copy = yaml_create(tree->kind, tree->text, tree->layer, tree->origin, tree->line);
    copy->scope = dup_or_null(tree->scope);
    copy->is_open = tree->is_open;
    for (const yaml_t *child = tree->first; child; child = child->next) {
        yaml_t *child_copy = yaml_copy(child);
        yaml_append(copy, child->key, &child_copy);
    }
    return copy;
}

yaml_t *yaml_child(const yaml_t *map, const char *key)
{
    if (map->kind != YAML_MAP)
        return NULL;
    for (yaml_t *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

yaml_t *yaml_find(const yaml_t *tree, const char *path)
{
    const char *dot = strchr(path, '.');
    if (!dot)
        return yaml_child(tree, path);
    char *head = mem_printf("%.*s", (int)(dot - path), path);
    const yaml_t *child = yaml_child(tree, head);
    mem_free(head);
    return child ? yaml_find(child, dot + 1) : NULL;
}

void yaml_append(yaml_t *parent, const char *key, yaml_t **child)
{
    ASSERT(parent->kind != YAML_SCALAR && (parent->kind == YAML_MAP) == (key != NULL));
    yaml_t *c = *child;
    *child = NULL;
    ASSERT(!c->parent && !c->next);
    char *own_key = dup_or_null(key);
    mem_free(c->key);
    c->key = own_key;
    c->parent = parent;
    if (parent->last)
        parent->last->next = c;
    else
        parent->first = c;
    parent->last = c;
    parent->count++;
}

/* link_to - the pointer that holds `child` in its parent's chain, and the child before it. */
static yaml_t **link_to(yaml_t *child, yaml_t **before)
{
    *before = NULL;
    yaml_t **link = &child->parent->first;
    while (*link != child) {
        ASSERT(*link);
        *before = *link;
        link = &(*link)->next;
    }
    return link;
}

yaml_t *yaml_take(yaml_t *map, const char *key)
{
    yaml_t *child = yaml_child(map, key);
    if (!child)
        return NULL;
    yaml_t *before;
    *link_to(child, &before) = child->next;
    if (map->last == child)
        map->last = before;
    map->count--;
    child->next = child->parent = NULL;
    return child;
}

void yaml_replace(yaml_t *old, yaml_t **by)
{
    yaml_t *b = *by, *before;
    *by = NULL;
    ASSERT(!b->parent && !b->next);
    mem_free(b->key);
    b->key = dup_or_null(old->key);
    b->parent = old->parent;
    b->next = old->next;
    *link_to(old, &before) = b;
    if (old->parent->last == old)
        old->parent->last = b;
    old->parent = old->next = NULL;
    yaml_destroy(&old);
}

void yaml_set_scope(yaml_t *tree, const char *scope)
{
    mem_free(tree->scope);
    tree->scope = mem_strdup(scope);
    for (yaml_t *child = tree->first; child; child = child->next)
        yaml_set_scope(child, scope);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* path_below_root - without the scope; **owned**. The path of a list's element is the list's with the position, from 1. */
static char *path_below_root(const yaml_t *tree)
{
    if (!tree->parent)
        return mem_strdup("");
    char *above = path_below_root(tree->parent), *path;
    if (tree->key) {
        path = mem_printf("%s%s%s", above, *above ? "." : "", tree->key);
    } else {
        int position = 1;
        for (const yaml_t *sibling = tree->parent->first; sibling != tree; sibling = sibling->next)
            position++;
        path = mem_printf("%s[%d]", above, position);
    }
    mem_free(above);
    return path;
}

char *yaml_path(const yaml_t *tree)
{
    char *below = path_below_root(tree), *path = mem_printf("%s%s", tree->scope ? tree->scope : "", below);
    mem_free(below);
    size_t length = strlen(path);
    if (length && path[length - 1] == '.') /* The scope's own node. */
        path[length - 1] = 0;
    return path;
}

status_t yaml_fail(const yaml_t *at, const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    char place[32] = "", *path = yaml_path(at);
    if (at->line)
        snprintf(place, sizeof place, ":%d", at->line);
    status_t status = FAIL(ST_INPUT, "%s%s: %s%s%s", at->origin, place, path, *path ? ": " : "", message);
    mem_free(path);
    return status;
}

/* ---- merging ----------------------------------------------------------------------------------------------------- */

/* fail_unknown - name the key that is meant, or the section where a key of this name lives, or else all keys known here. */
static void fail_unknown(const yaml_t *base, const yaml_t *over)
{
    char *above = path_below_root(base), *known = mem_strdup("");
    const char *dot = *above ? "." : "";
    const char **keys = MEM_ARRAY(const char *, base->count);
    int n = 0;
    for (const yaml_t *child = base->first; child; child = child->next) {
        char *longer = mem_printf("%s%s%s", known, n ? ", " : "", child->key);
        mem_free(known);
        known = longer;
        keys[n++] = child->key;
    }
    const yaml_t *root = base;
    while (root->parent)
        root = root->parent;
    const yaml_t *elsewhere = yaml_child(root, over->key);
    for (const yaml_t *section = root->first; section && !elsewhere; section = section->next)
        elsewhere = yaml_child(section, over->key);

    const char *near = text_nearest(over->key, keys, n);
    if (near) {
        yaml_fail(over, "unknown key; did you mean %s%s%s?", above, dot, near);
    } else if (elsewhere) {
        char *path = path_below_root(elsewhere);
        yaml_fail(over, "unknown key; did you mean %s?", path);
        mem_free(path);
    } else {
        yaml_fail(over, "unknown key; allowed%s%s: %s", *above ? " in " : "", above, known);
    }
    mem_free(keys);
    mem_free(known);
    mem_free(above);
}

int yaml_merge(yaml_t *base, const yaml_t *over)
{
    /* A section whose keys are all commented out reads as an empty scalar and says nothing. */
    if (over->kind == YAML_SCALAR && !*over->text)
        return 0;
    if (over->kind != YAML_MAP) {
        const char *text = over->text ? over->text : "a list", *quote = over->text ? "'" : "";
        yaml_fail(over, "%s%.60s%s%s is given; a map of keys to values (key: value) is wanted", quote, text,
                  strlen(text) > 60 ? ".." : "", quote); /* another file than one of keys is one long text */
        return 1;
    }
    int errors = 0;
    for (const yaml_t *child = over->first; child; child = child->next) {
        yaml_t *known = yaml_child(base, child->key);
        if (!known && base->is_open) {
            yaml_t *copy = yaml_copy(child);
            yaml_append(base, child->key, &copy);
        } else if (!known) {
            fail_unknown(base, child);
            errors++;
        } else if (known->kind == YAML_MAP) {
            errors += yaml_merge(known, child);
        } else if (child->kind == YAML_MAP) {
            yaml_fail(child, "a map of keys to values is given; a single %s is wanted",
                      known->kind == YAML_LIST ? "list" : "value");
            errors++;
        } else if (child->layer >= known->layer) {
            yaml_t *copy = yaml_copy(child);
            yaml_replace(known, &copy);
        }
    }
    return errors;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; owned */
    const char *text, *origin;
    size_t bytes;
    int first_line;
    yaml_layer_t layer;
    int errors;
} reader_t;

static int line_of(const reader_t *reader, size_t line_from_0)
{
    return reader->first_line ? reader->first_line + (int)line_from_0 : 0;
}

static status_t fail_at(reader_t *reader, int line, const char *format, ...) PRINTF_LIKE(3, 4);
static status_t fail_at(reader_t *reader, int line, const char *format, ...)
{
    char message[512], place[32] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (line)
        snprintf(place, sizeof place, ":%d", line);
    reader->errors++;
    return FAIL(ST_INPUT, "%s%s: %s", reader->origin, place, message);
}

/* is_tab_indented - is a tab in front of this line's first word? It is the one cause that cannot be seen in an editor. */
static bool is_tab_indented(const reader_t *reader, size_t line)
{
    const char *at = reader->text, *end = at + reader->bytes;
    for (; line && at; line--)
        if ((at = memchr(at, '\n', (size_t)(end - at))))
            at++;
    while (at && at < end && *at == ' ')
        at++;
    return at && at < end && *at == '\t';
}

static status_t fail_syntax(reader_t *reader)
{
    const yaml_parser_t *p = &reader->parser;
    const char *problem = p->problem ? p->problem : "unreadable";
    if (p->error == YAML_READER_ERROR) {
        size_t line = 0;
        for (size_t i = 0; i < p->problem_offset && i < reader->bytes; i++)
            line += reader->text[i] == '\n';
        return fail_at(reader, line_of(reader, line), "not valid YAML: %s (byte 0x%02x); save the file as UTF-8", problem,
                       (unsigned)p->problem_value);
    }
    const char *hint = is_tab_indented(reader, p->problem_mark.line) ? "; indent with spaces, not tabs" : "";
    int line = line_of(reader, p->problem_mark.line), begin = line_of(reader, p->context_mark.line);
    if (p->context && begin && begin != line)
        return fail_at(reader, line, "not valid YAML: %s, %s that begins in line %d%s", problem, p->context, begin, hint);
    return fail_at(reader, line, "not valid YAML: %s%s%s%s", problem, p->context ? ", " : "", p->context ? p->context : "",
                   hint);
}

/* check_tag - a tag that says what a plain value, list or map is anyway is passed over; any other would change what the value
 * means, and nothing here knows how. */
static status_t check_tag(reader_t *reader)
{
#define CORE "tag:yaml.org,2002:"
    static const char *const scalars[] = {CORE "str", CORE "int", CORE "float", CORE "bool", NULL},
                             *const lists[] = {CORE "seq", NULL}, *const maps[] = {CORE "map", NULL};
    const yaml_event_t *event = &reader->event;
    const char *const *known = scalars, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        tag = (const char *)event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = (const char *)event->data.sequence_start.tag;
        known = lists;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = (const char *)event->data.mapping_start.tag;
        known = maps;
    }
    if (!tag || strcmp(tag, "!") == 0)
        return ST_OK;
    for (; *known; known++)
        if (strcmp(tag, *known) == 0)
            return ST_OK;
    const bool core = strncmp(tag, CORE, strlen(CORE)) == 0;
    return fail_at(reader, line_of(reader, event->start_mark.line), "tag %s%.80s: not supported here; remove the tag",
                   core ? "!!" : "", core ? tag + strlen(CORE) : tag);
#undef CORE
}

static status_t next_event(reader_t *reader)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event))
        return fail_syntax(reader);
    if (reader->event.type == YAML_ALIAS_EVENT)
        return fail_at(reader, line_of(reader, reader->event.start_mark.line),
                       "alias *%s: aliases are not supported; write the value out",
                       (const char *)reader->event.data.alias.anchor);
    return check_tag(reader);
}

/* read_scalar - the text of the current scalar event; **owned**. */
static status_t read_scalar(reader_t *reader, char **out)
{
    const char *value = (const char *)reader->event.data.scalar.value;
    if (strlen(value) != reader->event.data.scalar.length)
        return fail_at(reader, line_of(reader, reader->event.start_mark.line), "a NUL character inside a value");
    *out = mem_strdup(value);
    return ST_OK;
}

static status_t read_node(reader_t *reader, int depth, yaml_t **out);

static status_t read_children(reader_t *reader, yaml_t *node, int depth)
{
    status_t status = ST_OK;
    bool is_map = node->kind == YAML_MAP;
    yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    char *key = NULL;
    yaml_t *child = NULL;
    for (;;) {
        TRY_DONE(next_event(reader));
        if (reader->event.type == end)
            break;
        int line = line_of(reader, reader->event.start_mark.line);
        if (is_map) {
            if (reader->event.type != YAML_SCALAR_EVENT)
                TRY_DONE(fail_at(reader, line, "a key must be a plain word"));
            TRY_DONE(read_scalar(reader, &key));
            if (strcmp(key, "<<") == 0)
                TRY_DONE(fail_at(reader, line, "merge key <<: merge keys are not supported; write the keys out"));
            TRY_DONE(next_event(reader));
        }
        TRY_DONE(read_node(reader, depth + 1, &child));
        child->line = line; /* of the key: where a person looks for it */
        yaml_append(node, key, &child);
        mem_free(key);
        key = NULL;
    }
done:
    mem_free(key);
    yaml_destroy(&child);
    return status;
}

/* read_node - the node that the current event starts. */
static status_t read_node(reader_t *reader, int depth, yaml_t **out)
{
    int line = line_of(reader, reader->event.start_mark.line);
    if (depth > DEPTH_MAX)
        return fail_at(reader, line, "nested more than %d deep", DEPTH_MAX);
    if (reader->event.type == YAML_SCALAR_EVENT) {
        char *text = NULL;
        TRY(read_scalar(reader, &text));
        *out = yaml_create(YAML_SCALAR, text, reader->layer, reader->origin, line);
        mem_free(text);
        return ST_OK;
    }
    ASSERT(reader->event.type == YAML_MAPPING_START_EVENT || reader->event.type == YAML_SEQUENCE_START_EVENT);
    yaml_kind_t kind = reader->event.type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
    yaml_t *node = yaml_create(kind, NULL, reader->layer, reader->origin, line);
    status_t status = read_children(reader, node, depth);
    if (status == ST_OK)
        *out = node;
    else
        yaml_destroy(&node);
    return status;
}

/* report_twins - an error line per key given twice. After reading, when all paths are known. */
static void report_twins(reader_t *reader, const yaml_t *tree)
{
    for (const yaml_t *child = tree->first; child; child = child->next) {
        const yaml_t *first = child->key ? yaml_child(tree, child->key) : child;
        if (first != child && first->line) {
            reader->errors++;
            yaml_fail(child, "given twice, first in line %d; remove one", first->line);
        } else if (first != child) {
            reader->errors++;
            yaml_fail(child, "given twice; remove one");
        }
        report_twins(reader, child);
    }
}

status_t yaml_parse(const char *text, size_t bytes, const char *origin, int first_line, yaml_layer_t layer, yaml_t **out)
{
    reader_t reader = {.text = text, .origin = origin, .bytes = bytes, .first_line = first_line, .layer = layer};
    yaml_t *tree = NULL;
    if (!yaml_parser_initialize(&reader.parser))
        return FAIL(ST_SYSTEM, "%s: libyaml has no memory", origin);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, bytes);

    status_t status;
    TRY_DONE(next_event(&reader));
    ASSERT(reader.event.type == YAML_STREAM_START_EVENT);
    TRY_DONE(next_event(&reader));
    if (reader.event.type == YAML_STREAM_END_EVENT) {
        tree = yaml_create(YAML_SCALAR, "", layer, origin, first_line);
    } else {
        ASSERT(reader.event.type == YAML_DOCUMENT_START_EVENT);
        TRY_DONE(next_event(&reader));
        TRY_DONE(read_node(&reader, 0, &tree));
        TRY_DONE(next_event(&reader)); /* the end of the document */
        TRY_DONE(next_event(&reader));
        if (reader.event.type != YAML_STREAM_END_EVENT)
            fail_at(&reader, line_of(&reader, reader.event.start_mark.line),
                    "a second YAML document begins here; one is allowed");
        report_twins(&reader, tree);
    }
    status = reader.errors ? ST_INPUT : ST_OK;
    if (status == ST_OK) {
        *out = tree;
        tree = NULL;
    }
done:
    yaml_destroy(&tree);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* only_escaped - bytes of the character at `c` that YAML takes as an escape only, beyond ASCII: U+0080 to U+009F, the byte
 * order mark and the two that are no characters; 0 for all others. */
static int only_escaped(const unsigned char *c)
{
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2;
    if (c[0] == 0xef && ((c[1] == 0xbb && c[2] == 0xbf) || (c[1] == 0xbf && c[2] >= 0xbe)))
        return 3;
    return 0;
}

void yaml_write_string(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        int bytes = only_escaped(c);
        if (bytes == 2) {
            fprintf(stream, "\\u00%02x", c[1]);
            c++;
        } else if (bytes == 3) {
            fprintf(stream, "\\u%04x", (unsigned)((c[0] & 0x0f) << 12 | (c[1] & 0x3f) << 6 | (c[2] & 0x3f)));
            c += 2;
        } else if (*c == '"' || *c == '\\') {
            fprintf(stream, "\\%c", *c);
        } else if (*c < 0x20 || *c == 0x7f) {
            fprintf(stream, "\\x%02x", *c);
        } else {
            fputc(*c, stream);
        }
    }
    fputc('"', stream);
}

/* A word that reads as itself without quotes, wherever it stands. */
static bool is_plain(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")];
}

static void write_word(FILE *stream, const char *text)
{
    if (is_plain(text))
        fputs(text, stream);
    else
        yaml_write_string(stream, text);
}

static int by_child_key(const void *a, const void *b)
{
    return strcmp((*(const yaml_t *const *)a)->key, (*(const yaml_t *const *)b)->key);
}

static void write_flow(FILE *stream, const yaml_t *tree)
{
    if (tree->kind == YAML_SCALAR) {
        write_word(stream, tree->text);
        return;
    }
    const bool is_map = tree->kind == YAML_MAP;
    const yaml_t **children = MEM_ARRAY(const yaml_t *, tree->count);
    int n = 0;
    for (const yaml_t *child = tree->first; child; child = child->next)
        children[n++] = child;
    if (is_map && n)
        qsort(children, (size_t)n, sizeof *children, by_child_key);
    fputc(is_map ? '{' : '[', stream);
    for (int i = 0; i < n; i++) {
        fputs(i ? ", " : "", stream);
        if (is_map) {
            write_word(stream, children[i]->key);
            fputs(": ", stream);
        }
        write_flow(stream, children[i]);
    }
    fputc(is_map ? '}' : ']', stream);
    mem_free(children);
}

char *yaml_flow(const yaml_t *tree)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    ASSERT(stream);
    write_flow(stream, tree);
    ASSERT(fclose(stream) == 0);
    return text;
}
