/* table_plan.h - which embedding tables a run has: table id -> {component, field, width, optimizer}, and where the rows of each
 * field lie in an input row of the network.
 *
 * Tables are numbered component after component and, inside one, in the order in which its fields need them; ids are part of
 * initial values, digests, stored rows and messages. A field has a table of its own unless it shares another's. A run makes its
 * plan once on every rank, from its configuration and its embedding fields (single-valued ones, crosses of these, then
 * multi-valued); all arithmetic with table numbers is here. Names of fields become numbers where the fields are known
 * (common/data/field_plan.h); a shard hears in BEGIN only how many there are, and in TABLES how wide tables are that differ.
 *
 * Shards, clients, embeddings, sizes and warm starts ask for the width of a table, which is the same in all components.
 *
 * With model.parts linear a row is [embedding | first-order weight]: its last weight has an optimizer of its own and goes into
 * the logit, not into the network's input. */
#ifndef SMELTER_TABLE_PLAN_H
#define SMELTER_TABLE_PLAN_H

#include <stdbool.h>

#include "common/base/status.h"
#include "common/config/config.h"

#define CROSS_PARTS_MAX 8

typedef struct planned_field {
    int32_t width;  /* weights of a row: D, and the first-order weight where there is one */
    int32_t column; /* of an input row, where the embedding begins */
    int32_t table;  /* of a set, where its rows are */
} planned_field_t;

/* A table of a set. */
typedef struct set_table {
    int32_t width;     /* of its rows, as of a field */
    int32_t optimizer; /* optimizer_kind_t, of the embedding */
    int32_t field;     /* whose name it has */
    int32_t fields;    /* that have their rows in it */
} set_table_t;

/* A field whose key is made of the keys of others (docs/MATH.md). */
typedef struct planned_cross {
    int32_t parts, part[CROSS_PARTS_MAX]; /* numbers of single-valued fields of the dataset */
    int64_t buckets;                      /* different keys that it may have; 0: no limit */
} planned_cross_t;

typedef struct table_plan {
    int32_t sets;       /* of tables: one per component, or one for all (model.share_embeddings) */
    int32_t fields;     /* of an input row */
    int32_t set_tables; /* tables of a set */
    uint32_t tables;    /* in all */
    int32_t width;      /* of every field; 0 where fields differ */
    int32_t widest;     /* the largest width */
    int32_t columns;    /* of an input row: all embeddings together */
    int32_t linear;     /* first-order weights of a row, 0 or 1: its last weight */
    int32_t linear_optimizer;
    bool is_plain;                /* it is what table_plan_init makes */
    bool is_shared;               /* some table has the rows of several fields */
    int32_t first_cross, crosses; /* fields [first_cross, first_cross + crosses) are crosses */
    planned_field_t *field;       /* [fields], **owned**, as all */
    set_table_t *table;           /* [set_tables] */
    planned_cross_t *cross;       /* [crosses] */
    char **name;                  /* [fields]; NULL where only numbers are known */
} table_plan_t;

typedef struct planned_table {
    int32_t component; /* number of its set; 0 where components share their tables */
    int32_t table;     /* number in its set */
    int32_t field;     /* whose name it has */
    int32_t width, optimizer;
    int32_t linear, linear_optimizer; /* as of the plan */
} planned_table_t;

/* What is to be planned for a field. */
typedef struct field_wish {
    const char *name; /* copied; NULL: not known, of no field then */
    int32_t width;    /* of its embedding */
    int32_t owner;    /* the field whose table has its rows: itself, or one which is its own owner and as wide */
} field_wish_t;

/* table_plan_init - the plan of a run that says nothing of single fields: each has a table of its own, of embedding.dim.
 * table_plan_fini releases it, and does nothing to one that is all zero. */
void table_plan_init(table_plan_t *plan, const config_t *config, int fields);
void table_plan_fini(table_plan_t *plan);

/* table_plan_init_wishes - the plan of a run that does.  table_plan_init_rows - of a run whose tables have rows of these
 * widths, first-order weights included: width [tables], each of a field of its own. */
void table_plan_init_wishes(table_plan_t *plan, const config_t *config, int fields, const field_wish_t *wish);
void table_plan_init_rows(table_plan_t *plan, const config_t *config, int tables, const int32_t *width);

/* table_plan_init_widths - a table of its own for each field, of any width: width [fields].
 * table_plan_init_fields - a plan of any fields: wish [fields]. Crosses are the caller's to fill in. */
void table_plan_init_widths(table_plan_t *plan, int sets, int fields, const int32_t *width, int optimizer);
void table_plan_init_fields(table_plan_t *plan, int sets, int fields, const field_wish_t *wish, int optimizer);

/* table_plan_add_linear - give every row a first-order weight with this optimizer. Once. */
void table_plan_add_linear(table_plan_t *plan, int optimizer);

/* table_plan_dim - columns that a field has in an input row. */
static inline int32_t table_plan_dim(const table_plan_t *plan, int field)
{
    return plan->field[field].width - plan->linear;
}

/* table_plan_set - the set of tables that a component has its rows from. */
static inline int table_plan_set(const table_plan_t *plan, int component)
{
    return plan->sets > 1 ? component : 0;
}

/* table_plan_id - a table of a set. The tables of sets [first, end) are those from id(first, 0) to before id(end, 0). */
static inline uint32_t table_plan_id(const table_plan_t *plan, int set, int table)
{
    return (uint32_t)set * (uint32_t)plan->set_tables + (uint32_t)table;
}

/* table_plan_at - what table `id` is, id < plan->tables. */
static inline planned_table_t table_plan_at(const table_plan_t *plan, uint32_t id)
{
    ASSERT(id < plan->tables);
    const int32_t table = (int32_t)(id % (uint32_t)plan->set_tables);
    const set_table_t *of = &plan->table[table];
    return (planned_table_t){.component = (int32_t)(id / (uint32_t)plan->set_tables),
                             .table = table,
                             .field = of->field,
                             .width = of->width,
                             .optimizer = of->optimizer,
                             .linear = plan->linear,
                             .linear_optimizer = plan->linear_optimizer};
}

#endif
