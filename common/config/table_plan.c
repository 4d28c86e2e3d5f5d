#include "common/config/table_plan.h"

#include "common/base/memory.h"

/* The number of a field's table: a new one where the field is the first that needs it. of_owner [fields]: 1 + the table of each
 * owner, 0: none yet. */
static int32_t take_table(table_plan_t *plan, const field_wish_t *wish, int32_t *of_owner, int optimizer)
{
    const int32_t owner = wish->owner;
    if (of_owner[owner] == 0) {
        plan->table[plan->set_tables] = (set_table_t){wish->width, optimizer, owner, 0};
        of_owner[owner] = ++plan->set_tables;
    }
    set_table_t *table = &plan->table[of_owner[owner] - 1];
    plan->is_shared |= table->fields++ > 0;
    return of_owner[owner] - 1;
}

void table_plan_init_fields(table_plan_t *plan, int sets, int fields, const field_wish_t *wish, int optimizer)
{
    *plan = (table_plan_t){.sets = sets,
                           .fields = fields,
                           .width = fields ? wish[0].width : 0,
                           .first_cross = fields,
                           .field = MEM_ARRAY(planned_field_t, fields),
                           .table = MEM_ARRAY(set_table_t, fields)};
    int32_t *of_owner = MEM_ARRAY(int32_t, fields);
    for (int f = 0; f < fields; f++) {
        const int32_t width = wish[f].width, owner = wish[f].owner;
        ASSERT(owner >= 0 && owner < fields && wish[owner].owner == owner && wish[owner].width == width);
        plan->field[f] = (planned_field_t){width, plan->columns, take_table(plan, &wish[f], of_owner, optimizer)};
        plan->columns += width;
        if (width > plan->widest)
            plan->widest = width;
        if (width != plan->width)
            plan->width = 0;
    }
    mem_free(of_owner);
    plan->tables = (uint32_t)sets * (uint32_t)plan->set_tables;
    if (fields == 0 || !wish[0].name)
        return;
    plan->name = MEM_ARRAY(char *, fields);
    for (int f = 0; f < fields; f++)
        plan->name[f] = mem_strdup(wish[f].name);
}

void table_plan_init_widths(table_plan_t *plan, int sets, int fields, const int32_t *width, int optimizer)
{
    field_wish_t *wish = MEM_ARRAY(field_wish_t, fields);
    for (int f = 0; f < fields; f++)
        wish[f] = (field_wish_t){NULL, width[f], f};
    table_plan_init_fields(plan, sets, fields, wish, optimizer);
    mem_free(wish);
}

void table_plan_add_linear(table_plan_t *plan, int optimizer)
{
    ASSERT(!plan->linear);
    plan->linear = 1;
    plan->linear_optimizer = optimizer;
    plan->width += plan->fields > 0 && plan->width == plan->field[0].width;
    plan->widest += plan->fields > 0;
    for (int f = 0; f < plan->fields; f++)
        plan->field[f].width++;
    for (int t = 0; t < plan->set_tables; t++)
        plan->table[t].width++;
}

void table_plan_init_wishes(table_plan_t *plan, const config_t *config, int fields, const field_wish_t *wish)
{
    const int sets = config->model.share_embeddings ? 1 : (int)config->model.components;
    table_plan_init_fields(plan, sets, fields, wish, config->embedding.optimizer);
    if (config_has_part(config, PART_LINEAR))
        table_plan_add_linear(plan, config->linear.optimizer);
}

void table_plan_init_rows(table_plan_t *plan, const config_t *config, int tables, const int32_t *width)
{
    const int32_t linear = config_has_part(config, PART_LINEAR);
    field_wish_t *wish = MEM_ARRAY(field_wish_t, tables);
    for (int t = 0; t < tables; t++)
        wish[t] = (field_wish_t){NULL, width[t] - linear, t};
    table_plan_init_wishes(plan, config, tables, wish);
    mem_free(wish);
}

void table_plan_init(table_plan_t *plan, const config_t *config, int fields)
{
    field_wish_t *wish = MEM_ARRAY(field_wish_t, fields);
    for (int f = 0; f < fields; f++)
        wish[f] = (field_wish_t){NULL, (int32_t)config_embedding_dim(config), f};
    table_plan_init_wishes(plan, config, fields, wish);
    plan->is_plain = true;
    mem_free(wish);
}

void table_plan_fini(table_plan_t *plan)
{
    for (int f = 0; plan->name && f < plan->fields; f++)
        mem_free(plan->name[f]);
    mem_free(plan->name);
    mem_free(plan->field);
    mem_free(plan->table);
    mem_free(plan->cross);
    *plan = (table_plan_t){0};
}
