/* A buffer is preceded by one cache line that names its pool, its capacity, its holders and the next free buffer. */
#include "common/base/pool.h"

#include <pthread.h>
#include <stdbool.h>

#include "common/base/memory.h"

typedef struct pool_head {
    pool_t *pool;
    struct pool_head *next;
    size_t capacity;
    int holders; /* guarded by the pool's lock */
} pool_head_t;
_Static_assert(sizeof(pool_head_t) <= MEM_ALIGN, "the head fits in front of an aligned buffer");

struct pool {
    pthread_mutex_t lock;
    pool_head_t *free;
    int out;        /* buffers taken and not given back */
    bool destroyed; /* by its owner; buffers that come back are freed */
};

pool_t *pool_create(void)
{
    pool_t *pool = MEM_NEW(pool_t);
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

/* Free what is here, and the pool itself once nothing is out. Called with the lock, which it gives up. */
static void dismantle(pool_t *pool)
{
    while (pool->free) {
        pool_head_t *head = pool->free;
        pool->free = head->next;
        mem_free(head);
    }
    const bool empty = pool->out == 0;
    pthread_mutex_unlock(&pool->lock);
    if (empty) {
        pthread_mutex_destroy(&pool->lock);
        mem_free(pool);
    }
}

void pool_destroy(pool_t **pool)
{
    pool_t *p = *pool;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->destroyed = true;
    dismantle(p);
    *pool = NULL;
}

void *pool_take(pool_t *pool, size_t bytes)
{
    pthread_mutex_lock(&pool->lock);
    pool->out++;
    pool_head_t **at = &pool->free;
    while (*at && (*at)->capacity < bytes)
        at = &(*at)->next;
    pool_head_t *head = *at;
    if (head)
        *at = head->next;
    pthread_mutex_unlock(&pool->lock);
    if (!head) {
        size_t capacity = 4096;
        while (capacity < bytes)
            capacity *= 2;
        head = mem_alloc(capacity + MEM_ALIGN, 1);
        head->pool = pool;
        head->capacity = capacity;
    }
    head->holders = 1;
    return (char *)head + MEM_ALIGN;
}

static pool_head_t *head_of(void *buffer)
{
    return (pool_head_t *)((char *)buffer - MEM_ALIGN);
}

void pool_keep(void *buffer)
{
    pool_head_t *head = head_of(buffer);
    pthread_mutex_lock(&head->pool->lock);
    ASSERT(head->holders > 0);
    head->holders++;
    pthread_mutex_unlock(&head->pool->lock);
}

void pool_give(void *buffer)
{
    pool_head_t *head = head_of(buffer);
    pool_t *pool = head->pool;
    pthread_mutex_lock(&pool->lock);
    ASSERT(pool->out > 0 && head->holders > 0);
    if (--head->holders > 0) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    head->next = pool->free;
    pool->free = head;
    pool->out--;
    if (pool->destroyed)
        dismantle(pool);
    else
        pthread_mutex_unlock(&pool->lock);
}
