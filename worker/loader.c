#include "worker/loader.h"

#include <pthread.h>
#include <time.h>

#include "common/base/memory.h"
#include "worker/visit_store.h"

#define SLOTS 5 /* 3 with the owner, 1 ready, 1 being built */

struct loader {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    dataset_t *dataset;
    batch_builder_t *builder;

    /* guarded by lock */
    batch_plan_t plan;
    bool quit, busy, begun;         /* begun: what the plan needs for its first batch is there */
    int64_t built, given, recycled; /* batches of this plan */
    int64_t end;                    /* batches in this plan */
    status_t status;

    batch_t slots[SLOTS];
    loader_scratch_t scratch;
};

/* Make ready for batch `index`, piece by piece, so that the loader can be stopped in between, and build it: *built. */
static status_t go_on(loader_t *l, int64_t index, int64_t end, bool *built)
{
    *built = false;
    if (!l->begun) {
        l->begun = true;
        return visit_store_create(&l->plan, l->dataset, &l->scratch.visits);
    }
    if (l->scratch.visits && visit_store_has_work(l->scratch.visits, index))
        return visit_store_work(l->scratch.visits);
    TRY(batch_plan_build(&l->plan, index, l->dataset, l->builder, &l->scratch, &l->slots[index % SLOTS]));
    if (index + 1 == end)
        visit_store_destroy(&l->scratch.visits); /* the dataset is its owner's again */
    *built = true;
    return ST_OK;
}

static void *run(void *argument)
{
    loader_t *l = argument;
    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        if (l->status != ST_OK || l->built >= l->end || l->built - l->recycled >= SLOTS) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        const int64_t index = l->built, end = l->end;
        bool built;
        l->busy = true;
        pthread_mutex_unlock(&l->lock);
        status_t status = go_on(l, index, end, &built);
        pthread_mutex_lock(&l->lock);
        l->busy = false;
        l->status = status;
        l->built += built;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

status_t loader_create(dataset_t *dataset, int shards, const uint16_t *slot_shard, const table_plan_t *table_plan,
                       loader_t **out)
{
    loader_t *l = MEM_NEW(loader_t);
    l->dataset = dataset;
    l->builder = batch_builder_create(dataset, shards, slot_shard, table_plan);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&l->thread, NULL, run, l) != 0) {
        batch_builder_destroy(&l->builder);
        mem_free(l);
        return FAIL(ST_SYSTEM, "cannot start the thread that prepares batches; the limit on threads is too low");
    }
    *out = l;
    return ST_OK;
}

void loader_destroy(loader_t **loader)
{
    loader_t *l = *loader;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    for (int i = 0; i < SLOTS; i++)
        batch_reset(&l->slots[i]);
    batch_builder_destroy(&l->builder);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    visit_store_destroy(&l->scratch.visits);
    loader_scratch_fini(&l->scratch);
    mem_free(l);
    *loader = NULL;
}

void loader_start(loader_t *l, const batch_plan_t *plan)
{
    pthread_mutex_lock(&l->lock);
    l->end = 0; /* nothing more of the plan before is begun */
    while (l->busy)
        pthread_cond_wait(&l->changed, &l->lock);
    visit_store_destroy(&l->scratch.visits);
    l->begun = false;
    l->plan = *plan;
    l->built = l->given = l->recycled = 0;
    l->end = batch_plan_batches(plan, dataset_info(l->dataset));
    l->status = ST_OK;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

status_t loader_next(loader_t *l, int64_t timeout_ms, batch_t **out)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    status_t status = ST_OK;
    pthread_mutex_lock(&l->lock);
    while (l->status == ST_OK && l->given < l->end && l->given >= l->built && status == ST_OK)
        if (pthread_cond_timedwait(&l->changed, &l->lock, &until) != 0)
            status = ST_TIMEOUT;
    if (l->given < l->built || l->given >= l->end) {
        *out = l->given < l->end ? &l->slots[l->given++ % SLOTS] : NULL;
        status = ST_OK;
    } else if (l->status != ST_OK) {
        status = l->status;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

void loader_recycle(loader_t *l, batch_t *batch)
{
    pthread_mutex_lock(&l->lock);
    ASSERT(l->recycled < l->given && batch == &l->slots[l->recycled % SLOTS]);
    l->recycled++;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}
