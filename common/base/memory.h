/* memory.h - allocation that cannot fail, of zeroed and aligned blocks. For an object of many arrays: common/base/arena.h.
 *
 * mem_alloc never returns NULL: running out of memory ends the process with one clear line, because nothing in a
 * training step can go on without its buffers. All blocks are 64-byte aligned and zeroed.                          */
#ifndef SMELTER_MEMORY_H
#define SMELTER_MEMORY_H

#include <stddef.h>

#include "common/base/status.h"

#define MEM_ALIGN 64 /* a cache line, and one AVX-512 register */

/* mem_alloc - `count` elements of `size` bytes, zeroed, 64-byte aligned, **owned** by the caller; mem_free releases. */
void *mem_alloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
void mem_free(void *block);

#define MEM_NEW(type) ((type *)mem_alloc(1, sizeof(type)))
#define MEM_ARRAY(type, n) ((type *)mem_alloc((size_t)(n), sizeof(type)))

/* mem_grow - make *block hold at least `need` elements (doubling); contents up to *capacity are kept, the rest is zero. */
void mem_grow(void **block, size_t *capacity, size_t need, size_t size);
#define MEM_GROW(ptr, capacity, need) mem_grow((void **)&(ptr), &(capacity), (need), sizeof *(ptr))

/* mem_keep_messages - from here on, what the process frees of blocks up to 32 MB stays with it, at most 64 MB at the end of
 * each heap: for ranks that take and free the same messages at every step. Call it before threads. */
void mem_keep_messages(void);

/* mem_refused - log "out of memory: " and what was refused, for what, and what to do; end the process, the one place below main
 * that does. */
void mem_refused(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

char *mem_strdup(const char *text) __attribute__((warn_unused_result));                          /* **owned**; mem_free */
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((warn_unused_result)); /* **owned** */

#endif
