#include "ps/table/frequency_filter.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "ps/table/table_impl.h"

table_options_t frequency_filter_counts(const table_options_t *options, uint32_t tables)
{
    table_options_t o = *options;
    o.id = tables + options->id;
    o.dim = 1;
    o.linear = 0;
    o.optimizer = OPTIMIZER_SGD;
    o.init_std = 0.0f;
    o.settings = (optimizer_settings_t){0};
    o.min_count = 0;
    o.counts = o.defaults = NULL;
    return o;
}

table_options_t frequency_filter_defaults(const table_options_t *options, uint32_t tables)
{
    table_options_t o = *options;
    o.id = 2 * tables + options->id;
    o.min_count = o.ttl_steps = 0;
    o.counts = o.defaults = NULL;
    o.row_cache = NULL;
    return o;
}

uint64_t frequency_filter_default_key(uint32_t slot)
{
    /* The steps of hash_mix undone, the last one first. */
    uint64_t h = (uint64_t)slot << 54;
    h = h ^ h >> 31 ^ h >> 62;
    h *= 0x319642b2d24d8ec3u;
    h = h ^ h >> 27 ^ h >> 54;
    h *= 0x96de1b173f119089u;
    h = h ^ h >> 30 ^ h >> 60;
    return h - 0x9e3779b97f4a7c15u;
}

void frequency_filter_weights(const table_t *table, uint64_t key, float *w)
{
    const uint64_t shared = frequency_filter_default_key(hash_slot(key));
    table_peek(table->options.defaults, &shared, 1, w);
}

/* Sum the gradients of each slot's keys in order and step the slots' default rows. keys [n] are sorted; at: index of the
 * gradient. */
static void push_defaults(const table_t *table, const placed_key_t *keys, int64_t n, uint32_t step)
{
    const int64_t dim = table->dim;
    uint64_t *shared = MEM_ARRAY(uint64_t, n);
    float *sums = MEM_ARRAY(float, n *dim);
    int64_t slots = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t slot = hash_slot(keys[i].key);
        const float *g = table->deferred.g + keys[i].at * dim;
        float *sum = sums + slots * dim;
        if (i > 0 && hash_slot(keys[i - 1].key) == slot) {
            sum -= dim;
            for (int64_t j = 0; j < dim; j++)
                sum[j] += g[j];
        } else {
            memcpy(sum, g, (size_t)dim * sizeof *g);
            shared[slots++] = frequency_filter_default_key(slot);
        }
    }
    table_push(table->options.defaults, shared, sums, slots, step);
    mem_free(shared);
    mem_free(sums);
}

/* A row for a key that has none, or an expired one. */
static void give_row(table_t *table, uint64_t key, uint32_t version)
{
    int64_t id = table_find(table, key);
    row_t *row;
    if (id == KEY_INDEX_NONE) {
        id = table->arena.rows;
        row = table_create_row(table, key);
    } else {
        row = row_arena_at(&table->arena, id);
        table_before_change(table, id, row);
        table_reset_row(table, row);
        row->count &= ~ROW_COUNT_MAX;
    }
    row->version = version;
}

/* Called when a push has visited all its rows: those it deferred have none, and expired ones are in memory. */
void frequency_filter_push(table_t *table, uint32_t step)
{
    deferred_t *d = &table->deferred;
    placed_key_t *sorted = MEM_ARRAY(placed_key_t, d->n), *scratch = MEM_ARRAY(placed_key_t, d->n);
    uint32_t *counts = MEM_ARRAY(uint32_t, d->n);
    for (int64_t i = 0; i < d->n; i++)
        sorted[i] = (placed_key_t){d->keys[i], i};
    key_order_sort_stored(sorted, scratch, d->n);
    int64_t passed = 0;
    for (int64_t i = 0; i < d->n; i++)
        d->keys[i] = sorted[i].key;
    table_count_pushes(table->options.counts, d->keys, d->n, step, counts);
    for (int64_t i = 0; i < d->n; i++)
        if (counts[i] >= table->options.min_count) {
            give_row(table, d->keys[i], step + 1);
            d->keys[passed++] = d->keys[i];
        }
    table_settle(table->options.counts); /* rows may leave from here on */
    table_remove(table->options.counts, d->keys, passed);
    push_defaults(table, sorted, d->n, step);
    mem_free(sorted);
    mem_free(scratch);
    mem_free(counts);
    d->n = 0;
}
