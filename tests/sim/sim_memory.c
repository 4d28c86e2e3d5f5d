#include "tests/sim/sim_memory.h"

#include "common/base/memory.h"

static void (*watch)(void *context);
static void *watch_context;

void sim_memory_watch(void (*see)(void *context), void *context)
{
    watch = see;
    watch_context = context;
}

static void look(void)
{
    if (watch)
        watch(watch_context);
}

/* The linker's names for what callers mean, and for what is in the library. */
void *__real_mem_alloc(size_t count, size_t size);
void *__wrap_mem_alloc(size_t count, size_t size);
void __real_mem_grow(void **block, size_t *capacity, size_t need, size_t size);
void __wrap_mem_grow(void **block, size_t *capacity, size_t need, size_t size);
char *__real_mem_strdup(const char *text);
char *__wrap_mem_strdup(const char *text);

void *__wrap_mem_alloc(size_t count, size_t size)
{
    look();
    return __real_mem_alloc(count, size);
}

void __wrap_mem_grow(void **block, size_t *capacity, size_t need, size_t size)
{
    if (need > *capacity)
        look();
    __real_mem_grow(block, capacity, need, size);
}

char *__wrap_mem_strdup(const char *text)
{
    look();
    return __real_mem_strdup(text);
}
