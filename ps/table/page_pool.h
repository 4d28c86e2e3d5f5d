/* page_pool.h - a file of pages that are handed out and taken back, in memory by a map: what a spill lies in.
 *
 * Pages come in runs of one or more, neighbours in the file. A run that is given back serves the next one of its length. The
 * file grows by an eighth at a time and never shrinks; it goes with the pool. Nothing in it outlives the pool, so it is never
 * synced. Its blocks are reserved before the map may use them, so that a full disk is an error here and not a SIGBUS.
 *
 * One owner thread. Errors are logged; after one only page_pool_close is left.                                           */
#ifndef SMELTER_PAGE_POOL_H
#define SMELTER_PAGE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

#define PAGE_POOL_PAGE 4096 /* what a disk and the system's file cache read and write */
#define PAGE_POOL_NONE UINT32_MAX

/* Given-back runs of one length, each with the number of the next in its first bytes. */
typedef struct page_runs {
    uint32_t run, first; /* PAGE_POOL_NONE: there are none */
} page_runs_t;

typedef struct page_pool {
    char *path; /* of the folder */
    int fd;
    char *map;
    size_t bytes;      /* of the file and the map */
    uint32_t used;     /* pages that were ever handed out */
    page_runs_t *free; /* by length */
    size_t n_free, free_capacity;
    uint64_t warned_mb; /* free space when it was last warned about; 0: never */
} page_pool_t;

/* page_pool_open - an empty pool in the folder `path`, which is made or emptied. ST_INPUT: not writable; ST_SYSTEM: disk. */
WARN_UNUSED status_t page_pool_open(const char *path, page_pool_t **out);
/* page_pool_close - and remove the folder. */
void page_pool_close(page_pool_t **pool);

/* page_pool_get - a run of pages; *page becomes the number of the first. What is in them is undefined. The map may move.
 * ST_SYSTEM: the disk is full; a warning comes long before. */
WARN_UNUSED status_t page_pool_get(page_pool_t *pool, uint32_t run, uint32_t *page);
/* page_pool_put - give a run back. */
void page_pool_put(page_pool_t *pool, uint32_t run, uint32_t page);

/* page_pool_at - where a page is in memory, until the next page_pool_get. */
static inline char *page_pool_at(const page_pool_t *pool, uint32_t page)
{
    return pool->map + (size_t)page * PAGE_POOL_PAGE;
}

/* page_pool_bytes - of the file. */
int64_t page_pool_bytes(const page_pool_t *pool);

#endif
