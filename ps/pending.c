#include "ps/pending.h"

#include <string.h>

#include "common/base/memory.h"

/* The pushes of one step to one table. */
typedef struct pushes {
    uint64_t *keys;
    float *g;
    size_t n, keys_capacity, g_capacity;
} pushes_t;

struct pending {
    int64_t first, end;
    table_t *const *tables;
    uint32_t n_tables;
    pushes_t *pushes; /* [end - first][n_tables] */
    int64_t count;
};

static pushes_t *pushes_at(const pending_t *pending, int64_t step, uint32_t table)
{
    ASSERT(step >= pending->first && step < pending->end && table < pending->n_tables);
    return &pending->pushes[(step - pending->first) * pending->n_tables + table];
}

static void pushes_fini(pushes_t *pushes)
{
    mem_free(pushes->keys);
    mem_free(pushes->g);
    *pushes = (pushes_t){0};
}

pending_t *pending_create(int64_t first, int64_t end, table_t *const *tables, uint32_t n_tables)
{
    ASSERT(first <= end);
    pending_t *pending = MEM_NEW(pending_t);
    *pending = (pending_t){.first = first, .end = end, .tables = tables, .n_tables = n_tables};
    pending->pushes = MEM_ARRAY(pushes_t, (end - first) * n_tables);
    return pending;
}

void pending_destroy(pending_t **pending)
{
    pending_t *p = *pending;
    if (!p)
        return;
    for (int64_t i = 0; i < (p->end - p->first) * p->n_tables; i++)
        pushes_fini(&p->pushes[i]);
    mem_free(p->pushes);
    mem_free(p);
    *pending = NULL;
}

void pending_put(pending_t *pending, int64_t step, uint32_t table, uint64_t key, const float *g)
{
    pushes_t *pushes = pushes_at(pending, step, table);
    const size_t dim = (size_t)table_options(pending->tables[table])->dim;
    MEM_GROW(pushes->keys, pushes->keys_capacity, pushes->n + 1);
    MEM_GROW(pushes->g, pushes->g_capacity, (pushes->n + 1) * dim);
    pushes->keys[pushes->n] = key;
    memcpy(pushes->g + pushes->n * dim, g, dim * sizeof *g);
    pushes->n++;
    pending->count++;
}

void pending_apply(pending_t *pending, int64_t step)
{
    for (uint32_t t = 0; t < pending->n_tables; t++) {
        pushes_t *pushes = pushes_at(pending, step, t);
        if (pushes->n > 0)
            table_push(pending->tables[t], pushes->keys, pushes->g, (int64_t)pushes->n, (uint32_t)step);
        pending->count -= (int64_t)pushes->n;
        pushes_fini(pushes);
    }
}

int64_t pending_count(const pending_t *pending)
{
    return pending->count;
}
