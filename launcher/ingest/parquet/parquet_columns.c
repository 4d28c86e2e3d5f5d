/* A walk over the flat tree of the footer. In a list, the names of the repeated group and of its only child ("list", "element",
 * "bag", "array_element" ...) are the writer's, and no part of the column's name. Which of them is the element is said by the
 * rules for backward compatibility in LogicalTypes.md of the format. */
#include "launcher/ingest/parquet/parquet_columns.h"

#include <string.h>

#include "common/base/memory.h"

#define DEPTH_MOST 64
#define FIXED_MOST (1 << 20)

/* Where in the tree the walk is. */
typedef struct walk_place {
    const char *name; /* of the parent, or NULL */
    int definition, repetition, depth;
    bool is_hidden; /* the element's own name is no part of the column's */
    bool is_inner;  /* the repeated child of a list */
} walk_place_t;

typedef struct walk {
    const char *path;
    const parquet_footer_t *footer;
    parquet_columns_t *out;
    size_t next; /* element */
} walk_t;

static status_t damaged(const walk_t *walk, const char *name, const char *why)
{
    return FAIL(ST_INPUT, "%s: the schema of this Parquet file is damaged: column %s: %s; fetch or write it again", walk->path,
                name, why);
}

static parquet_column_t *add_column(walk_t *walk, const char *name, const parquet_element_t *element)
{
    parquet_columns_t *columns = walk->out;
    MEM_GROW(columns->column, columns->capacity, columns->count + 1);
    parquet_column_t *column = &columns->column[columns->count++];
    *column = (parquet_column_t){.name = mem_strdup(name), .leaf = -1, .element = element};
    return column;
}

/* What a column is that its values cannot be made a text of, or NULL. */
static const char *refusal_of(const parquet_element_t *element, int repetition)
{
    if (repetition > 1)
        return "a list inside a list";
    if (element->meaning == MEANS_INTERVAL)
        return "an interval (months, days and milliseconds)";
    if (element->meaning == MEANS_DECIMAL && (element->scale < 0 || element->scale > 76))
        return "a decimal of more than 76 digits";
    if (element->meaning == MEANS_DECIMAL && element->type == PARQUET_FIXED && element->width > 32)
        return "a decimal of more than 32 bytes";
    return NULL;
}

static const char *fault_of(const parquet_element_t *element)
{
    if (element->type < 0 || element->type >= PARQUET_TYPES)
        return "its type is none that there is";
    if (element->type == PARQUET_FIXED && (element->width < 1 || element->width > FIXED_MOST))
        return "its values have a length that cannot be";
    if ((element->meaning == MEANS_UUID && (element->type != PARQUET_FIXED || element->width != 16)) ||
        (element->meaning == MEANS_FLOAT16 && (element->type != PARQUET_FIXED || element->width != 2)))
        return "its values have not the length that their meaning has";
    const bool is_int32 = element->type == PARQUET_INT32, is_int64 = element->type == PARQUET_INT64;
    if ((element->meaning == MEANS_DATE && !is_int32) ||
        ((element->meaning == MEANS_TIME || element->meaning == MEANS_TIMESTAMP) && !is_int32 && !is_int64))
        return "its type is none that a date or a time has";
    return NULL;
}

static status_t add_leaf(walk_t *walk, const char *name, const parquet_element_t *element, const walk_place_t *place)
{
    parquet_column_t *column = add_column(walk, name, element);
    const char *fault = fault_of(element), *refusal = refusal_of(element, place->repetition);
    if (fault)
        return damaged(walk, name, fault);
    column->leaf = walk->out->leaves++;
    column->definition_most = place->definition;
    column->repetition_most = place->repetition;
    column->is_list = place->repetition > 0;
    column->refusal = refusal ? mem_strdup(refusal) : NULL;
    return ST_OK;
}

/* Pass over the elements below one that is not read; their leaves have chunks all the same. */
static status_t pass_over(walk_t *walk, const char *name, int32_t children, int depth)
{
    if (depth > DEPTH_MOST)
        return damaged(walk, name, "it is too deep");
    for (int32_t i = 0; i < children; i++) {
        if (walk->next == walk->footer->elements_count)
            return damaged(walk, name, "it has fewer columns than it says");
        const parquet_element_t *element = &walk->footer->elements[walk->next++];
        if (element->type != PARQUET_GROUP)
            walk->out->leaves++;
        else
            TRY(pass_over(walk, name, element->children, depth + 1));
    }
    return ST_OK;
}

static char *name_of(const walk_place_t *place, const parquet_element_t *element)
{
    if (place->is_hidden && place->name)
        return mem_strdup(place->name);
    return place->name ? mem_printf("%s.%s", place->name, element->name) : mem_strdup(element->name);
}

/* Is the repeated child of a list itself the element, with fields of its own, or a layer around it? */
static bool is_layer(const walk_t *walk, const parquet_element_t *list, const parquet_element_t *repeated)
{
    if (repeated->children != 1 || strcmp(repeated->name, "array") == 0)
        return false;
    const size_t bytes = strlen(list->name);
    if (strncmp(repeated->name, list->name, bytes) == 0 && strcmp(repeated->name + bytes, "_tuple") == 0)
        return false;
    const size_t child = (size_t)(repeated - walk->footer->elements) + 1;
    return child < walk->footer->elements_count && walk->footer->elements[child].repetition != PARQUET_REPEATED;
}

static status_t walk_element(walk_t *walk, walk_place_t place, const parquet_element_t *list);

static status_t walk_group(walk_t *walk, const char *name, const parquet_element_t *element, walk_place_t place,
                           const parquet_element_t *list)
{
    if (element->children < 0)
        return damaged(walk, name, "it has a number of columns that cannot be");
    if (element->meaning == MEANS_MAP || element->meaning == MEANS_VARIANT) {
        add_column(walk, name, element)->refusal = mem_strdup(element->meaning == MEANS_MAP ? "a map" : "a variant");
        return pass_over(walk, name, element->children, 0);
    }
    const bool is_list = element->meaning == MEANS_LIST && element->children == 1;
    const bool layer = place.is_inner && is_layer(walk, list, element);
    const size_t at = walk->out->count;
    const bool is_struct = !is_list && !layer;
    if (is_struct)
        add_column(walk, name, element);
    walk_place_t below = {name, place.definition, place.repetition, place.depth + 1, is_list || layer, is_list};
    for (int32_t i = 0; i < element->children; i++)
        TRY(walk_element(walk, below, element));
    if (!is_struct)
        return ST_OK;
    const char *what = place.repetition > 0 ? "a list of structs" : "a struct";
    walk->out->column[at].refusal =
        walk->out->count > at + 1 ? mem_printf("%s; name one of its columns, such as %s", what, walk->out->column[at + 1].name)
                                  : mem_printf("%s without columns", what);
    return ST_OK;
}

/* The next element and what is below it. list: its parent, where that is one. */
static status_t walk_element(walk_t *walk, walk_place_t place, const parquet_element_t *list)
{
    if (walk->next == walk->footer->elements_count)
        return damaged(walk, place.name ? place.name : "(root)", "it has fewer columns than it says");
    const parquet_element_t *element = &walk->footer->elements[walk->next++];
    if (place.depth > DEPTH_MOST)
        return damaged(walk, element->name, "it is too deep");
    if (element->repetition < PARQUET_REQUIRED || element->repetition > PARQUET_REPEATED)
        return damaged(walk, element->name, "it is neither required nor optional nor repeated");
    place.definition += element->repetition != PARQUET_REQUIRED;
    place.repetition += element->repetition == PARQUET_REPEATED;
    place.is_inner = place.is_inner && element->repetition == PARQUET_REPEATED;
    char *name = name_of(&place, element);
    const status_t status =
        element->type == PARQUET_GROUP ? walk_group(walk, name, element, place, list) : add_leaf(walk, name, element, &place);
    mem_free(name);
    return status;
}

status_t parquet_columns_make(const char *path, const parquet_footer_t *footer, parquet_columns_t *out)
{
    parquet_columns_t columns = {0};
    walk_t walk = {path, footer, &columns, 1};
    status_t status = ST_OK;
    for (int32_t i = 0; i < footer->elements[0].children; i++)
        TRY_DONE(walk_element(&walk, (walk_place_t){0}, NULL));
    if (walk.next != footer->elements_count)
        TRY_DONE(damaged(&walk, "(root)", "there are more columns than it says"));
    for (size_t g = 0; g < footer->groups_count; g++)
        if (footer->groups[g].chunks != columns.leaves)
            TRY_DONE(damaged(&walk, "(root)", "a row group has another number of columns"));
    *out = columns;
done:
    if (status != ST_OK)
        parquet_columns_fini(&columns);
    return status;
}

void parquet_columns_fini(parquet_columns_t *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        mem_free(columns->column[i].name);
        mem_free(columns->column[i].refusal);
    }
    mem_free(columns->column);
    *columns = (parquet_columns_t){0};
}
