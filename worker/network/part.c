#include "worker/network/part.h"

#include <stdarg.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"

#define PART_ENTRY(name) &part_##name,
static const part_ops_t *const table[] = {PARTS(PART_ENTRY)};

const part_ops_t *part_get(int i)
{
    return i < (int)(sizeof table / sizeof *table) ? table[i] : NULL;
}

void part_list(const config_t *config, const part_ops_t *list[PARTS_MOST + 1])
{
    const part_ops_t *ops;
    int n = 0;
    for (int i = 0; (ops = part_get(i)); i++)
        if (config_has_part(config, ops->kind)) {
            ASSERT(n < PARTS_MOST);
            list[n++] = ops;
        }
    list[n] = NULL;
}

void part_plan_init(part_plan_t *plan)
{
    *plan = (part_plan_t){0};
}

void part_plan_use_dense(part_plan_t *plan, const config_t *config)
{
    plan->optimizer = config->dense.optimizer;
    plan->settings = config_dense_optimizer(config);
    plan->settings.clip_norm = 0.0f; /* is of all gradients together */
    plan->is_linear = false;
}

void part_plan_use_linear(part_plan_t *plan, const config_t *config)
{
    plan->optimizer = config->linear.optimizer;
    plan->settings = config_linear_optimizer(config);
    plan->is_linear = true;
}

void part_plan_fini(part_plan_t *plan)
{
    mem_free(plan->block);
    *plan = (part_plan_t){0};
}

part_block_t *part_plan_add(part_plan_t *plan, int64_t rows, int64_t width, const char *format, ...)
{
    MEM_GROW(plan->block, plan->block_cap, (size_t)plan->blocks + 1);
    part_block_t *block = &plan->block[plan->blocks++];
    const optimizer_t *optimizer = optimizer_get(plan->optimizer);
    *block = (part_block_t){
        .place =
            {
                .values = plan->parameters,
                .rows = rows,
                .width = width,
                .state = plan->state,
                .state_floats = rows * optimizer->state_floats(width),
                .optimizer = plan->optimizer,
            },
        .optimizer = optimizer,
        .settings = plan->settings,
        .is_linear = plan->is_linear,
    };
    va_list args;
    va_start(args, format);
    vsnprintf(block->place.name, sizeof block->place.name, format, args);
    va_end(args);
    plan->parameters += rows * width;
    plan->state += block->place.state_floats;
    return block;
}

void part_block_unpenalised(part_block_t *block, const config_t *config)
{
    if (!config->dense.penalise_biases || block->of_activation)
        block->settings.l2 = block->settings.weight_decay = block->settings.ftrl_l1 = block->settings.ftrl_l2 = 0.0f;
}

void part_fill(const part_setup_t *setup, float *values, int64_t n, float scale, uint64_t stream, int index)
{
    const uint32_t place[2] = {(uint32_t)setup->component, (uint32_t)index};
    rng_fill_normal(values, n, scale, (uint64_t)setup->config->seed, hash64(place, sizeof place, stream), 0);
}
