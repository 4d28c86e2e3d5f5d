/* page_sums.h - the checksums of a file's pages, in a file beside it (FILE.sums): a head, and records one after the other.
 *
 *     head      u64 magic, u32 version, u32 bytes of a page, u64 hash of the 16 bytes before
 *     record    u64 kind, transaction, pages, n, hash of a change's entries, hash of the 40 bytes before, and then
 *                 ALL       u64 sum[n]             of every page; n = pages
 *                 LIVE      u64 sum[n]             the same, but only those of pages in use mean anything
 *                 CHANGE    {u64 page, u64 sum}[n] of pages that the transaction wrote
 *
 * A sum is the XXH3-64 of a page's bytes. A file that is finished has one record, ALL. One that a process changes by
 * transactions has LIVE and a CHANGE for each transaction since; the last one may be cut off by a crash, and then does not
 * count. The sums of the first record need no checksum of their own: one that was damaged does not fit its page.
 *
 * Whoever reads looks a page's sum up; sums are fetched from the disk 512 at a time. One thread at a time.           */
#ifndef SMELTER_PAGE_SUMS_H
#define SMELTER_PAGE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/files/disk.h"

typedef struct page_sums page_sums_t;

/* Which state of the file the sums are of. */
typedef struct page_sums_state {
    uint64_t txn, pages;
    size_t page_bytes;
    bool has_all; /* every page has a sum, whether it is in use or not */
} page_sums_state_t;

/* page_sums_open - read the sums that are stored at `path`. advice ends the line of an error; borrowed.
 * ST_INPUT: there are none; ST_CORRUPT: they are damaged. **owned**; page_sums_close. */
WARN_UNUSED status_t page_sums_open(disk_t *disk, const char *path, const char *advice, page_sums_t **out);

/* page_sums_create - none yet, to be set and saved at `path`. **owned**; page_sums_close, which saves nothing. */
page_sums_t *page_sums_create(disk_t *disk, const char *path);
void page_sums_close(page_sums_t **sums);

/* page_sums_state - of what is stored. */
const page_sums_state_t *page_sums_state(const page_sums_t *sums);

/* page_sums_get - of a page < pages.  ST_CORRUPT, ST_SYSTEM: the file of sums cannot be read any more. */
WARN_UNUSED status_t page_sums_get(page_sums_t *sums, uint64_t page, uint64_t *out);

/* page_sums_set - in memory, of sums that were created. Cost: memory for 512 sums, at the first page of as many. */
void page_sums_set(page_sums_t *sums, uint64_t page, uint64_t sum);

/* page_sums_save - put the sums that were set, of this state, in the place of what is stored: durable, in one step. ST_INPUT,
 * ST_SYSTEM: the disk refused. */
WARN_UNUSED status_t page_sums_save(page_sums_t *sums, const page_sums_state_t *state);

/* page_sums_commit - the same where the sums of pages[n] alone have changed since they were saved or committed, at a cost of
 * these. After an error the next one stores all. */
WARN_UNUSED status_t page_sums_commit(page_sums_t *sums, const page_sums_state_t *state, const uint64_t *pages, int64_t n);

#endif
