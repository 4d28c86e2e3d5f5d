/* A width for one field alone is a line in table_plan_init, as long as it follows from the number of the field. One that is
 * configured by the field's name has to become a number before the first run: a shard hears in BEGIN how many fields there are,
 * not what they are called. launcher/job/complexity.h shows how, for widths that only a rank with the dataset can know. */
#include "common/config/table_plan.h"

#include "common/base/memory.h"

void table_plan_init_widths(table_plan_t *plan, int sets, int fields, const int32_t *width, int optimizer)
{
    *plan = (table_plan_t){.sets = sets,
                           .fields = fields,
                           .tables = (uint32_t)sets * (uint32_t)fields,
                           .width = fields ? width[0] : 0,
                           .field = MEM_ARRAY(planned_field_t, fields)};
    for (int f = 0; f < fields; f++) {
        plan->field[f] = (planned_field_t){width[f], plan->columns, optimizer};
        plan->columns += width[f];
        if (width[f] > plan->widest)
            plan->widest = width[f];
        if (width[f] != plan->width)
            plan->width = 0;
    }
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
}

void table_plan_init(table_plan_t *plan, const config_t *config, int fields)
{
    const int sets = config->model.share_embeddings ? 1 : (int)config->model.components;
    int32_t *width = MEM_ARRAY(int32_t, fields);
    for (int f = 0; f < fields; f++)
        width[f] = (int32_t)config_embedding_dim(config);
    table_plan_init_widths(plan, sets, fields, width, config->embedding.optimizer);
    if (config_has_part(config, PART_LINEAR))
        table_plan_add_linear(plan, config->linear.optimizer);
    mem_free(width);
}

void table_plan_fini(table_plan_t *plan)
{
    mem_free(plan->field);
    *plan = (table_plan_t){0};
}
