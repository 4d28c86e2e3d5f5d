#include "ps/checkpoint/pending_gradients.h"

#include <string.h>

#include "common/base/memory.h"

/* What one sender pushed to one table in one step. */
typedef struct pushes {
    uint64_t *keys;
    float *g;
    size_t n, keys_capacity, g_capacity;
} pushes_t;

struct pending_gradients {
    int64_t first, end;
    table_t *const *tables;
    uint32_t n_tables;
    pushes_t **senders; /* [n_senders] of each, [end - first][n_tables]; NULL: nothing yet, whatever number comes after it */
    size_t n_senders, capacity;
};

static int64_t pushes_of_sender(const pending_gradients_t *pending)
{
    return (pending->end - pending->first) * pending->n_tables;
}

/* NULL: the sender has pushed nothing at all. */
static pushes_t *pushes_at(const pending_gradients_t *pending, int64_t step, int sender, uint32_t table)
{
    ASSERT(step >= pending->first && step < pending->end && table < pending->n_tables);
    pushes_t *pushes = pending->senders[sender];
    return pushes ? &pushes[(step - pending->first) * pending->n_tables + table] : NULL;
}

pending_gradients_t *pending_gradients_create(int64_t first, int64_t end, table_t *const *tables, uint32_t n_tables)
{
    ASSERT(first <= end);
    pending_gradients_t *pending = MEM_NEW(pending_gradients_t);
    *pending = (pending_gradients_t){.first = first, .end = end, .tables = tables, .n_tables = n_tables};
    return pending;
}

void pending_gradients_destroy(pending_gradients_t **pending)
{
    pending_gradients_t *p = *pending;
    if (!p)
        return;
    for (size_t s = 0; s < p->n_senders; s++) {
        for (int64_t i = 0; p->senders[s] && i < pushes_of_sender(p); i++) {
            mem_free(p->senders[s][i].keys);
            mem_free(p->senders[s][i].g);
        }
        mem_free(p->senders[s]);
    }
    mem_free(p->senders);
    mem_free(p);
    *pending = NULL;
}

void pending_gradients_put(pending_gradients_t *pending, int64_t step, int sender, uint32_t table, uint64_t key, const float *g)
{
    MEM_GROW(pending->senders, pending->capacity, (size_t)sender + 1);
    if (pending->n_senders <= (size_t)sender)
        pending->n_senders = (size_t)sender + 1;
    if (!pending->senders[sender])
        pending->senders[sender] = MEM_ARRAY(pushes_t, pushes_of_sender(pending));
    pushes_t *pushes = pushes_at(pending, step, sender, table);
    const size_t dim = (size_t)table_options(pending->tables[table])->dim;
    MEM_GROW(pushes->keys, pushes->keys_capacity, pushes->n + 1);
    MEM_GROW(pushes->g, pushes->g_capacity, (pushes->n + 1) * dim);
    pushes->keys[pushes->n] = key;
    memcpy(pushes->g + pushes->n * dim, g, dim * sizeof *g);
    pushes->n++;
}

void pending_gradients_visit(const pending_gradients_t *pending, int64_t step, pending_gradients_visit_fn *visit, void *context)
{
    for (int s = 0; s < (int)pending->n_senders; s++)
        for (uint32_t t = 0; t < pending->n_tables; t++) {
            const pushes_t *pushes = pushes_at(pending, step, s, t);
            const int64_t dim = table_options(pending->tables[t])->dim;
            for (int64_t i = 0; pushes && i < (int64_t)pushes->n; i++)
                visit(context, step, s, t, pushes->keys[i], pushes->g + i * dim);
        }
}

void pending_gradients_apply(const pending_gradients_t *pending, int64_t step)
{
    const int senders = (int)pending->n_senders;
    const uint64_t **keys = MEM_ARRAY(const uint64_t *, senders);
    const float **g = MEM_ARRAY(const float *, senders);
    int64_t *n = MEM_ARRAY(int64_t, senders);
    for (uint32_t t = 0; t < pending->n_tables; t++) {
        int64_t any = 0;
        for (int s = 0; s < senders; s++) {
            const pushes_t *pushes = pushes_at(pending, step, s, t);
            keys[s] = pushes ? pushes->keys : NULL;
            g[s] = pushes ? pushes->g : NULL;
            any |= n[s] = pushes ? (int64_t)pushes->n : 0;
        }
        if (any)
            table_push_merged(pending->tables[t], keys, g, n, senders, (uint32_t)step);
    }
    mem_free(keys);
    mem_free(g);
    mem_free(n);
}
