/* table_plan.h - which embedding tables a run has: table id -> {component, field, width, optimizer}, and where the rows of each
 * field lie in an input row of the network.
 *
 * Tables are numbered component after component and field after field inside one; ids are part of initial values, digests,
 * stored rows and messages. A run makes its plan once on every rank, from its configuration and the number of its embedding
 * fields (single-valued, then multi-valued); all arithmetic with table numbers is here.
 *
 * All fields have embedding.dim weights a row today, but only table_plan.c knows that: shards, clients, embeddings, sizes and
 * warm starts ask for the width of a field, which is the same in all components.
 *
 * With model.parts linear a row is [embedding | first-order weight]: its last weight has an optimizer of its own and goes into
 * the logit, not into the network's input. */
#ifndef SMELTER_TABLE_PLAN_H
#define SMELTER_TABLE_PLAN_H

#include "common/base/status.h"
#include "common/config/config.h"

typedef struct planned_field {
    int32_t width;     /* weights of a row: D, and the first-order weight where there is one */
    int32_t column;    /* of an input row, where the embedding begins */
    int32_t optimizer; /* optimizer_kind_t, of the embedding */
} planned_field_t;

typedef struct table_plan {
    int32_t sets;    /* of tables: one per component, or one for all (model.share_embeddings) */
    int32_t fields;  /* tables of a set */
    uint32_t tables; /* in all */
    int32_t width;   /* of every field; 0 where fields differ */
    int32_t widest;  /* the largest width */
    int32_t columns; /* of an input row: all embeddings together */
    int32_t linear;  /* first-order weights of a row, 0 or 1: its last weight */
    int32_t linear_optimizer;
    planned_field_t *field; /* [fields], **owned** */
} table_plan_t;

typedef struct planned_table {
    int32_t component; /* number of its set; 0 where components share their tables */
    int32_t field;     /* number among the embedding fields */
    int32_t width, optimizer;
    int32_t linear, linear_optimizer; /* as of the plan */
} planned_table_t;

/* table_plan_init - the plan of a run; table_plan_fini releases it, and does nothing to one that is all zero. */
void table_plan_init(table_plan_t *plan, const config_t *config, int fields);
void table_plan_fini(table_plan_t *plan);

/* table_plan_init_widths - a plan of any widths: width [fields]. */
void table_plan_init_widths(table_plan_t *plan, int sets, int fields, const int32_t *width, int optimizer);

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

/* table_plan_id - the table of a field in a set. The tables of sets [first, end) are those from id(first, 0) to before id(end,
 * 0). */
static inline uint32_t table_plan_id(const table_plan_t *plan, int set, int field)
{
    return (uint32_t)set * (uint32_t)plan->fields + (uint32_t)field;
}

/* table_plan_at - what table `id` is, id < plan->tables. */
static inline planned_table_t table_plan_at(const table_plan_t *plan, uint32_t id)
{
    ASSERT(id < plan->tables);
    const int32_t field = (int32_t)(id % (uint32_t)plan->fields);
    return (planned_table_t){.component = (int32_t)(id / (uint32_t)plan->fields),
                             .field = field,
                             .width = plan->field[field].width,
                             .optimizer = plan->field[field].optimizer,
                             .linear = plan->linear,
                             .linear_optimizer = plan->linear_optimizer};
}

#endif
