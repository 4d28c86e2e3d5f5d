#include "ps/load.h"

#include <pthread.h>

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/net/slots.h"
#include "ps/store.h"

typedef struct load {
    const load_plan_t *plan;
    const char *path; /* of the store being read */
    load_sum_t sum;
} load_t;

static status_t take_row(void *context, uint32_t from, int64_t payload_floats, const table_row_t *row)
{
    load_t *load = context;
    const load_plan_t *plan = load->plan;
    if (slots_shard((int)hash_slot(row->key), plan->shards) != plan->shard)
        return ST_OK;
    if (from >= (uint32_t)plan->maps)
        return FAIL(ST_INPUT, "%s: holds table %u, and %d tables were expected: the run had other fields or components",
                    load->path, from, plan->maps);
    const int32_t to = plan->map[from];
    if (to < 0)
        return ST_OK;
    ASSERT((uint32_t)to < plan->n_tables);
    const int64_t wanted = table_payload_floats(plan->tables[to]);
    if (payload_floats != wanted)
        return FAIL(
            ST_INPUT,
            "%s: rows of table %u have %lld floats with optimizer state, %lld are wanted: the run had another embedding.dim "
            "or embedding.optimizer",
            load->path, from, (long long)payload_floats, (long long)wanted);
    TRY(table_put(plan->tables[to], row));
    table_digest_row(from, payload_floats, row, &load->sum.digest);
    load->sum.rows++;
    return ST_OK;
}

static status_t read_store(load_t *load)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    if (!file_exists(load->path))
        return FAIL(ST_INPUT, "%s: is not on this host; copy the run's whole folder to every host that runs a server",
                    load->path);
    store_t *store = NULL;
    pthread_mutex_lock(&one_at_a_time);
    status_t status = store_open(load->path, false, &store);
    if (status == ST_OK)
        status = store_scan(store, take_row, load);
    store_close(&store);
    pthread_mutex_unlock(&one_at_a_time);
    return status;
}

status_t load_tables(const load_plan_t *plan, load_sum_t *out)
{
    ASSERT(plan->folders > 0 && plan->shard >= 0 && plan->shard < plan->shards);
    load_t load = {.plan = plan};
    const int first = slots_first(plan->shard, plan->shards), end = slots_first(plan->shard + 1, plan->shards);
    for (int folder = 0; folder < plan->folders; folder++) {
        if (slots_first(folder, plan->folders) >= end || slots_first(folder + 1, plan->folders) <= first)
            continue;
        char *path = mem_printf("%s/store/shard-%d", plan->run_dir, folder);
        load.path = path;
        status_t status = read_store(&load);
        mem_free(path);
        TRY(status);
    }
    *out = load.sum;
    return ST_OK;
}
