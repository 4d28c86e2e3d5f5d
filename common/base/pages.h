/* pages.h - anonymous memory straight from the kernel, for blocks that are large, long-lived and filled bit by bit.
 *
 * Unlike mem_alloc's blocks these cost memory only where they have been written, and use huge pages where that pays: a
 * table's rows are visited at random, and with 4 KB pages every visit would miss the TLB as well as the cache.          */
#ifndef SMELTER_PAGES_H
#define SMELTER_PAGES_H

#include <stddef.h>

#define PAGE_BYTES ((size_t)4096)
#define PAGE_HUGE_BYTES ((size_t)2 << 20)

/* pages_map - `bytes` (rounded up to whole pages) of zeros, aligned to a huge page, **owned**; pages_unmap releases.
 * The first `small_bytes` stay on 4 KB pages, so that a block of which little is used costs little; the whole huge pages behind
 * them are asked for as such. As with mem_alloc, a refusal ends the process with one clear line. */
void *pages_map(size_t bytes, size_t small_bytes) __attribute__((warn_unused_result));
void pages_unmap(void *block, size_t bytes);

/* pages_release - give back the memory behind the first `used` bytes of a block of pages_map(bytes, small_bytes), as
 * pages_touched counts it; it is zeros when it is next read. */
void pages_release(void *block, size_t bytes, size_t small_bytes, size_t used);

/* pages_touched - memory behind a block of pages_map(bytes, small_bytes) whose first `used` bytes have been written. */
size_t pages_touched(size_t bytes, size_t small_bytes, size_t used);

#endif
