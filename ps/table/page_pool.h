/* page_pool.h - a file of pages that are handed out and taken back, in memory by a map: what a spill lies in.
 *
 * Pages come in runs of one or more, neighbours in the file. A run that is given back serves the next one of its length. The
 * file grows by an eighth at a time and never shrinks; it goes with the pool. Nothing in it outlives the pool, so it is never
 * synced. Its blocks are reserved before the map may use them, so that a full disk is an error here and not a SIGBUS.
 *
 * Pages that the system's file cache has given up are read from the disk one by one as they are touched, each a wait. So
 * whoever is about to touch many says so before and after, and once some were missing he is asked to name them first: then
 * the disk has all of them to read at the same time.
 *
 * One owner thread. Errors are logged; after one only page_pool_close is left.                                           */
#ifndef SMELTER_PAGE_POOL_H
#define SMELTER_PAGE_POOL_H

#include <stdbool.h>
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
    int self;    /* of this process, for page_pool_want; -1: there is none */
    int cold;    /* times that pages are to be named, because some were missing */
    long faults; /* of this thread, and pages handed out, when it began to touch pages */
    uint32_t used_then;
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

/* page_pool_begin - about to touch pages; true: page_pool_want is worth its while. page_pool_end - they were touched, about
 * `n` of them. Cost: a system call each. */
bool page_pool_begin(page_pool_t *pool);
void page_pool_end(page_pool_t *pool, int64_t n);

/* page_pool_want - let runs [n] of the same length come from the disk, without waiting for them; a hint. Cost: a system call
 * for 256 of them. */
void page_pool_want(const page_pool_t *pool, uint32_t run, const uint32_t *pages, int64_t n);

/* page_pool_bytes - of the file. */
int64_t page_pool_bytes(const page_pool_t *pool);

#endif
