/* live_sums.h - the checksums of an LMDB file that a process changes (common/files/page_sums.h), kept true from transaction to
 * transaction at the cost of the pages that change.
 *
 * After each transaction its owner commits the sums, and begins no other before: then there is at any moment, also after a
 * crash, a state of the file of which all sums are stored, the last one or the one before it, because LMDB never writes to
 * pages of either. Whoever reads the file reads that state (common/files/lmdb_pages.h).
 *
 * Before each transaction its owner has the pages checked that LMDB will read: LMDB itself believes them, and what it copies
 * from a damaged page would get a new checksum.  One thread.                                                            */
#ifndef SMELTER_LIVE_SUMS_H
#define SMELTER_LIVE_SUMS_H

#include "common/files/disk.h"
#include "common/files/lmdb_page.h"

typedef struct live_sums live_sums_t;

/* live_sums_create - of the file in `folder`, of which nothing is stored yet. name, advice: begin and end the lines of errors;
 * copied. **owned**; live_sums_destroy. */
live_sums_t *live_sums_create(disk_t *disk, const char *folder, const char *name, const char *advice);
void live_sums_destroy(live_sums_t **sums);

/* live_sums_commit - a transaction is durable: so are the sums of its pages on return. Without a new transaction, nothing.
 * ST_SYSTEM, ST_INPUT: the disk refused; what is stored is the state before then, and another commit stores all. */
WARN_UNUSED status_t live_sums_commit(live_sums_t *sums);

/* Before a transaction: live_sums_begin, then live_sums_check for every key of a database that is to be looked up, replaced or
 * inserted, ascending for the sake of speed, or removed (`removes`), then live_sums_end, also after an error. ST_CORRUPT names
 * a page that is damaged.  Cost: the pages on the ways to the keys, each read once. */
WARN_UNUSED status_t live_sums_begin(live_sums_t *sums, const char *tree);
WARN_UNUSED status_t live_sums_check(live_sums_t *sums, lmdb_bytes_t key, bool removes);
void live_sums_end(live_sums_t *sums);

#endif
