#include "common/base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/memory.h"
#include "common/base/status.h"

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* [*from, *to): the part of a block that is made of huge pages; empty where no whole one fits. */
static void huge_part(size_t bytes, size_t small_bytes, size_t *from, size_t *to)
{
    *from = round_up(small_bytes, PAGE_HUGE_BYTES);
    *to = bytes / PAGE_HUGE_BYTES * PAGE_HUGE_BYTES;
    if (*to < *from)
        *to = *from;
}

void *pages_map(size_t bytes, size_t small_bytes)
{
    ASSERT(bytes > 0 && bytes < SIZE_MAX / 2);
    bytes = round_up(bytes, PAGE_BYTES);
    /* Map enough to hold an aligned block, then give the ends back. */
    size_t mapped = bytes + PAGE_HUGE_BYTES;
    char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        mem_refused(
            "%zu bytes for a table were refused: %s; give the process more memory or, where it is a server, spread the tables "
            "over more servers",
            mapped, strerror(errno));
    char *block = (char *)round_up((uintptr_t)base, PAGE_HUGE_BYTES);
    if (block > base)
        munmap(base, (size_t)(block - base));
    munmap(block + bytes, (size_t)(base + mapped - (block + bytes)));

    size_t from, to;
    huge_part(bytes, small_bytes, &from, &to);
    if (from < to)
        madvise(block + from, to - from, MADV_HUGEPAGE); /* advice: where the kernel has none, small pages do */
    return block;
}

void pages_unmap(void *block, size_t bytes)
{
    if (block)
        munmap(block, round_up(bytes, PAGE_BYTES));
}

size_t pages_touched(size_t bytes, size_t small_bytes, size_t used)
{
    ASSERT(used <= bytes);
    size_t from, to;
    huge_part(bytes, small_bytes, &from, &to);
    size_t before = round_up(smaller(used, from), PAGE_BYTES);
    size_t inside = used > from ? round_up(smaller(used, to) - from, PAGE_HUGE_BYTES) : 0;
    size_t behind = used > to && used > from ? round_up(used - to, PAGE_BYTES) : 0;
    return before + inside + behind;
}

void pages_release(void *block, size_t bytes, size_t small_bytes, size_t used)
{
    const size_t kept = pages_touched(bytes, small_bytes, used);
    bytes = round_up(bytes, PAGE_BYTES);
    if (kept < bytes)
        madvise((char *)block + kept, bytes - kept, MADV_DONTNEED); /* a refusal costs memory, nothing else */
}
