/* lmdb_pages.h - an LMDB file read without LMDB, which believes every page it meets: a bit that flipped in one of them makes it
 * read, and end the process, anywhere.
 *
 * Here a page is read into memory of our own, held against its checksum (common/files/page_sums.h, data.sums beside the file),
 * and its structure is checked before it is followed (common/files/lmdb_page.h). What does not fit is ST_CORRUPT, in a line
 * that names the file and the page; a file that is cut or a disk that fails while it is read are errors too, and no signal. A
 * file without checksums, of an older version, is checked in its structure alone.
 *
 * What is read is one state of the file, that of its last transaction, or of the one that its checksums are of. LMDB leaves the
 * pages of that state alone for two further transactions (common/files/live_sums.h); a reader that is slower gets ST_TIMEOUT.
 * Any number of readers of one file in a process, each of one thread. */
#ifndef SMELTER_LMDB_PAGES_H
#define SMELTER_LMDB_PAGES_H

#include "common/files/disk.h"
#include "common/files/lmdb_page.h"
#include "common/files/page_sums.h"

#define LMDB_DATA "data.mdb"
#define LMDB_SUMS "data.sums"

typedef struct lmdb_pages lmdb_pages_t;

/* lmdb_pages_open - the file in `folder`. name, advice: begin and end the lines of errors; copied.
 * ST_INPUT: there is none; ST_CORRUPT: it is no LMDB file, cut short, or not the one that its checksums are of.
 * **owned**; lmdb_pages_close. */
WARN_UNUSED status_t lmdb_pages_open(disk_t *disk, const char *folder, const char *name, const char *advice,
                                     lmdb_pages_t **out);

/* lmdb_pages_open_with - the same against other checksums than those that are stored, borrowed; NULL: against none. */
WARN_UNUSED status_t lmdb_pages_open_with(disk_t *disk, const char *folder, const char *name, const char *advice,
                                          page_sums_t *sums, lmdb_pages_t **out);
void lmdb_pages_close(lmdb_pages_t **pages);

/* lmdb_pages_meta - of the state that is read.  lmdb_pages_bytes - length of the file.
 * lmdb_pages_need_sums - ST_CORRUPT where it has no checksums: for a file that says that it has some. */
const lmdb_meta_t *lmdb_pages_meta(const lmdb_pages_t *pages);
int64_t lmdb_pages_bytes(const lmdb_pages_t *pages);
WARN_UNUSED status_t lmdb_pages_need_sums(const lmdb_pages_t *pages);

/* lmdb_pages_find_tree - the database of this name. ST_CORRUPT: there is none. */
WARN_UNUSED status_t lmdb_pages_find_tree(lmdb_pages_t *pages, const char *name, lmdb_tree_t *out);

/* lmdb_pages_get - the value of a key; borrowed until the next call. *found is false where there is none. */
WARN_UNUSED status_t lmdb_pages_get(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key, lmdb_bytes_t *value,
                                    bool *found);

/* lmdb_pages_scan - every key with its data, in order; both are borrowed by visit, which must not call anything here, and stops
 * the scan by returning anything but ST_OK, which is returned then. */
typedef status_t lmdb_visit_fn(void *context, const lmdb_node_t *node);
WARN_UNUSED status_t lmdb_pages_scan(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_visit_fn *visit, void *context);

/* lmdb_pages_walk - every page of every tree, those of values with pages of their own included: `enters` says whether a page is
 * read at all, and with it what is below it; `entered` gets what was read, n pages, borrowed until it returns. */
typedef struct lmdb_walk {
    bool (*enters)(void *context, uint64_t page);
    void (*entered)(void *context, uint64_t page, uint64_t n, const uint8_t *at);
    void *context;
} lmdb_walk_t;
WARN_UNUSED status_t lmdb_pages_walk(lmdb_pages_t *pages, const lmdb_walk_t *walk);

/* lmdb_pages_head - the page that says where the trees are; borrowed until the next call. */
WARN_UNUSED status_t lmdb_pages_head(lmdb_pages_t *pages, const uint8_t **out);

/* lmdb_pages_check_others - all trees but this one.  lmdb_pages_check_around - the pages of this tree that are beside the way
 * to a key, which LMDB looks at when it has removed the key. ST_CORRUPT names one that is damaged. */
WARN_UNUSED status_t lmdb_pages_check_others(lmdb_pages_t *pages, const lmdb_tree_t *tree);
WARN_UNUSED status_t lmdb_pages_check_around(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key);

/* lmdb_pages_verify - all of the file: every page that has a checksum, and the structure of all trees. */
WARN_UNUSED status_t lmdb_pages_verify(lmdb_pages_t *pages);

/* lmdb_pages_seal - write the checksums of all pages of a file that nobody changes any more; durable on return. Errors name
 * `name`. Cost: every byte is read once. */
WARN_UNUSED status_t lmdb_pages_seal(disk_t *disk, const char *folder, const char *name);

#endif
