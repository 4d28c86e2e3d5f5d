#include "common/base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

void mem_refused(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_error("out of memory: %s", text);
    exit(1);
}

static void out_of_memory(size_t bytes)
{
    mem_refused("%zu bytes were refused; give the process more memory or make the model, the batch or the caches smaller",
                bytes);
}

void *mem_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        out_of_memory(SIZE_MAX / 2);
    bytes = (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    if (bytes == 0)
        bytes = MEM_ALIGN;
    void *block = aligned_alloc(MEM_ALIGN, bytes);
    if (!block)
        out_of_memory(bytes);
    memset(block, 0, bytes);
    return block;
}

void mem_free(void *block)
{
    free(block);
}

/* glibc would come to these bounds by itself, were a block of 32 MB freed once. Else it gives memory back whenever more is free
 * than twice the largest block so far, which two messages are, and the kernel clears every page of the next ones. */
void mem_keep_messages(void)
{
    const int block_bytes = 32 << 20;
    mallopt(M_MMAP_THRESHOLD, block_bytes);
    mallopt(M_TRIM_THRESHOLD, 2 * block_bytes);
}

void mem_grow(void **block, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return;
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted < need)
        wanted *= 2;
    void *grown = mem_alloc(wanted, size);
    if (*block)
        memcpy(grown, *block, *capacity * size);
    mem_free(*block);
    *block = grown;
    *capacity = wanted;
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mem_alloc(bytes, 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = mem_alloc((size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
