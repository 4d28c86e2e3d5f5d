/* Written through its map, and not by calls: what lies in the pages is rows of a hundred bytes that are read and written one
 * here, one there, and a system call for each would cost more than the row. The system's file cache holds what is used, gives
 * it up when memory is wanted, and writes it to the disk at its leisure. */
#include "ps/table/page_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"

#define BYTES_STEP ((size_t)256 << 10) /* it begins with one, and grows by an eighth and whole steps */

#define WANTED_MOST 256 /* runs of a call */
#define COLD_TIMES 64   /* so often pages are named once some were missing; then it is tried without */
#define COLD_SHARE 16   /* of the pages touched: fewer that are missing are not worth it */

/* ---- room ------------------------------------------------------------------------------------------------------------ */

static uint64_t free_mb(const page_pool_t *pool)
{
    struct statvfs fs;
    return statvfs(pool->path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize >> 20 : UINT64_MAX;
}

/* Say so, the first time and whenever the space has halved, while the next few steps of growth still fit. */
static void warn_of_little_room(page_pool_t *pool, size_t growth)
{
    const uint64_t left = free_mb(pool);
    if (left >= (uint64_t)growth >> 18 || (pool->warned_mb && left > pool->warned_mb / 2))
        return;
    log_warn("%s: the disk is getting full: %" PRIu64
             " MB are left there, and the rows that do not fit into cluster.memory_mb take %zu MB and grow; make room or raise "
             "memory_mb",
             pool->path, left, pool->bytes >> 20);
    pool->warned_mb = left ? left : 1;
}

static status_t failed_map(const page_pool_t *pool, size_t bytes)
{
    return FAIL(ST_SYSTEM,
                "%s: cannot map %zu KB of rows that do not fit into cluster.memory_mb: %s; raise the limit of address space "
                "(ulimit -v), or memory_mb",
                pool->path, bytes >> 10, strerror(errno));
}

/* Give the file its blocks, then the map its size: what is mapped is there. */
static status_t set_size(page_pool_t *pool, size_t bytes)
{
    const int rc = posix_fallocate(pool->fd, (off_t)pool->bytes, (off_t)(bytes - pool->bytes));
    char text[FILE_ERROR_TEXT];
    if (rc != 0)
        return FAIL(ST_SYSTEM,
                    "%s: no room for %zu KB of rows that do not fit into cluster.memory_mb: %s; %" PRIu64
                    " MB are free there, less a quota or a limit of file size: make room, or choose another place with --out",
                    pool->path, bytes >> 10, file_error_text(rc, text), free_mb(pool));
    void *map = pool->map ? mremap(pool->map, pool->bytes, bytes, MREMAP_MAYMOVE)
                          : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pool->fd, 0);
    if (map == MAP_FAILED)
        return failed_map(pool, bytes);
    pool->map = map;
    pool->bytes = bytes;
    madvise(map, bytes, MADV_RANDOM); /* a hint: neighbours in the file are of no use */
    return ST_OK;
}

/* ---- open and close -------------------------------------------------------------------------------------------------- */

static status_t open_empty(page_pool_t *pool)
{
    TRY(dir_remove_tree(pool->path));
    TRY(dir_create(pool->path));
    char *name = mem_printf("%s/rows", pool->path), text[FILE_ERROR_TEXT];
    pool->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const int error = errno;
    mem_free(name);
    if (pool->fd < 0)
        return FAIL(
            file_blame(error),
            "%s: cannot make a file for rows that do not fit into cluster.memory_mb: %s; check that the folder is writable "
            "and not full",
            pool->path, file_error_text(error, text));
    return set_size(pool, BYTES_STEP);
}

status_t page_pool_open(const char *path, page_pool_t **out)
{
    page_pool_t *pool = MEM_NEW(page_pool_t);
    pool->path = mem_strdup(path);
    pool->fd = -1;
    pool->self = pidfd_open(getpid(), 0);
    const status_t status = open_empty(pool);
    if (status == ST_OK)
        *out = pool;
    else
        page_pool_close(&pool);
    return status;
}

void page_pool_close(page_pool_t **pool)
{
    page_pool_t *p = *pool;
    if (!p)
        return;
    if (p->map)
        munmap(p->map, p->bytes);
    if (p->fd >= 0)
        close(p->fd);
    if (p->self >= 0)
        close(p->self);
    const int error = dir_discard_tree(p->path);
    if (error)
        log_warn("%s: left behind: %s; nothing reads it, and it may be removed", p->path, strerror(error));
    mem_free(p->free);
    mem_free(p->path);
    mem_free(p);
    *pool = NULL;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

static page_runs_t *runs_of(page_pool_t *pool, uint32_t run)
{
    for (size_t i = 0; i < pool->n_free; i++)
        if (pool->free[i].run == run)
            return &pool->free[i];
    MEM_GROW(pool->free, pool->free_capacity, pool->n_free + 1);
    pool->free[pool->n_free] = (page_runs_t){run, PAGE_POOL_NONE};
    return &pool->free[pool->n_free++];
}

static status_t make_room(page_pool_t *pool, uint32_t run)
{
    const size_t needed = ((size_t)pool->used + run) * PAGE_POOL_PAGE;
    if (needed <= pool->bytes)
        return ST_OK;
    ASSERT(needed / PAGE_POOL_PAGE < PAGE_POOL_NONE); /* 16 TB */
    size_t growth = pool->bytes / 8;
    growth = growth > needed - pool->bytes ? growth : needed - pool->bytes;
    growth = (growth + BYTES_STEP - 1) / BYTES_STEP * BYTES_STEP;
    warn_of_little_room(pool, growth);
    return set_size(pool, pool->bytes + growth);
}

status_t page_pool_get(page_pool_t *pool, uint32_t run, uint32_t *page)
{
    page_runs_t *runs = runs_of(pool, run);
    if (runs->first != PAGE_POOL_NONE) {
        *page = runs->first;
        memcpy(&runs->first, page_pool_at(pool, *page), sizeof runs->first);
        return ST_OK;
    }
    TRY(make_room(pool, run));
    *page = pool->used;
    pool->used += run;
    return ST_OK;
}

void page_pool_put(page_pool_t *pool, uint32_t run, uint32_t page)
{
    page_runs_t *runs = runs_of(pool, run);
    memcpy(page_pool_at(pool, page), &runs->first, sizeof runs->first);
    runs->first = page;
}

/* ---- pages that are on the disk alone -------------------------------------------------------------------------------- */

/* Pages that this thread had to wait for. */
static long faults(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_majflt : 0;
}

bool page_pool_begin(page_pool_t *pool)
{
    pool->faults = faults();
    pool->used_then = pool->used;
    pool->cold -= pool->cold > 0;
    return pool->cold > 0;
}

void page_pool_end(page_pool_t *pool, int64_t n)
{
    const long fresh = (long)(pool->used - pool->used_then); /* a page's first touch counts like one that has to be read */
    if (faults() - pool->faults - fresh > n / COLD_SHARE)
        pool->cold = COLD_TIMES;
}

void page_pool_want(const page_pool_t *pool, uint32_t run, const uint32_t *pages, int64_t n)
{
    struct iovec wanted[WANTED_MOST];
    for (int64_t done = 0; done < n && pool->self >= 0;) {
        size_t some = 0;
        for (; some < WANTED_MOST && done < n; some++, done++)
            wanted[some] = (struct iovec){page_pool_at(pool, pages[done]), (size_t)run * PAGE_POOL_PAGE};
        if (process_madvise(pool->self, wanted, some, MADV_WILLNEED, 0) < 0)
            return;
    }
}

int64_t page_pool_bytes(const page_pool_t *pool)
{
    return (int64_t)pool->bytes;
}
