/* LMDB writes a page that changes to another place, and gives a place that became free in one transaction to new pages in the
 * next but one. So of the trees of two states in a row all pages that are in both are the same, with all that is below them,
 * and a walk through the trees of the new state need only enter pages that are new: those that were not in use before. Pages
 * that the transaction made free are in no new tree; their list is in the database of free pages, under its number.
 *
 * What remains: LMDB reads through its map, so that a page which the disk changes between the check and the transaction, some
 * milliseconds, is believed; and where many removals in one place leave pages nearly empty, LMDB may look at neighbours further
 * away than those that are checked.
 *
 * Rejected: the sums of all pages after each fold. It reads the whole base, however little changed. Rejected: sums at fixed
 * places that are overwritten. A crash between the two leaves sums of no state, unless each is stored twice. */
#include "common/files/live_sums.h"

#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/lmdb_pages.h"
#include "common/files/page_sums.h"

struct live_sums {
    disk_t *disk;
    char *folder, *name, *advice;
    page_sums_t *sums;
    page_sums_state_t state; /* that the sums are of; stored unless a commit failed */
    bool is_stored, is_lost; /* is_lost: a transaction could not be read, so that nobody knows its pages */

    uint64_t *in_use; /* [in_use_words] a bit for each page: it is in a tree of that state */
    size_t in_use_words;
    uint64_t *changed; /* [n_changed] pages of the transaction that is being committed */
    size_t n_changed, changed_capacity;
    size_t page_bytes;

    lmdb_pages_t *reader; /* between begin and end */
    lmdb_tree_t tree;
};

live_sums_t *live_sums_create(disk_t *disk, const char *folder, const char *name, const char *advice)
{
    live_sums_t *sums = MEM_NEW(live_sums_t);
    char *path = mem_printf("%s/" LMDB_SUMS, folder);
    sums->disk = disk;
    sums->folder = mem_strdup(folder);
    sums->name = mem_strdup(name);
    sums->advice = mem_strdup(advice);
    sums->sums = page_sums_create(disk, path);
    mem_free(path);
    return sums;
}

void live_sums_destroy(live_sums_t **sums)
{
    live_sums_t *s = *sums;
    if (!s)
        return;
    lmdb_pages_close(&s->reader);
    page_sums_close(&s->sums);
    mem_free(s->in_use);
    mem_free(s->changed);
    mem_free(s->folder);
    mem_free(s->name);
    mem_free(s->advice);
    mem_free(s);
    *sums = NULL;
}

/* ---- after a transaction ------------------------------------------------------------------------------------------------ */

static bool is_in_use(const live_sums_t *sums, uint64_t page)
{
    return page / 64 < sums->in_use_words && sums->in_use[page / 64] >> page % 64 & 1;
}

static void take_page(live_sums_t *sums, uint64_t page, const uint8_t *at)
{
    MEM_GROW(sums->in_use, sums->in_use_words, page / 64 + 1);
    sums->in_use[page / 64] |= (uint64_t)1 << page % 64;
    MEM_GROW(sums->changed, sums->changed_capacity, sums->n_changed + 1);
    sums->changed[sums->n_changed++] = page;
    page_sums_set(sums->sums, page, hash64(at, sums->page_bytes, 0));
}

/* The list of pages that a transaction since the last commit made free: how many, and their numbers. */
static status_t take_free(void *context, const lmdb_node_t *node)
{
    live_sums_t *sums = context;
    uint64_t txn = 0, n = 0, page;
    if (node->key.bytes != sizeof txn || node->data.bytes < sizeof n)
        return ST_OK;
    memcpy(&txn, node->key.at, sizeof txn);
    memcpy(&n, node->data.at, sizeof n);
    for (uint64_t i = 1; txn > sums->state.txn && i <= n && (i + 1) * sizeof page <= node->data.bytes; i++) {
        memcpy(&page, node->data.at + i * sizeof page, sizeof page);
        if (is_in_use(sums, page))
            sums->in_use[page / 64] &= ~((uint64_t)1 << page % 64);
    }
    return ST_OK;
}

static bool enters(void *context, uint64_t page)
{
    return !is_in_use(context, page);
}

static void entered(void *context, uint64_t page, uint64_t n, const uint8_t *at)
{
    live_sums_t *sums = context;
    for (uint64_t i = 0; i < n; i++)
        take_page(sums, page + i, at + i * sums->page_bytes);
}

static status_t take_transaction(live_sums_t *sums, lmdb_pages_t *pages)
{
    const lmdb_meta_t *meta = lmdb_pages_meta(pages);
    const lmdb_walk_t walk = {enters, entered, sums};
    const uint8_t *head;
    sums->page_bytes = meta->page_bytes;
    sums->n_changed = 0;
    TRY(lmdb_pages_scan(pages, &meta->free, take_free, sums));
    TRY(lmdb_pages_walk(pages, &walk));
    TRY(lmdb_pages_head(pages, &head));
    take_page(sums, meta->txn & 1, head);
    sums->state = (page_sums_state_t){meta->txn, meta->pages, meta->page_bytes, false};
    return ST_OK;
}

status_t live_sums_commit(live_sums_t *sums)
{
    lmdb_pages_t *pages = NULL;
    status_t status;
    TRY_DONE(lmdb_pages_open_with(sums->disk, sums->folder, sums->name, sums->advice, NULL, &pages));
    if (lmdb_pages_meta(pages)->txn == sums->state.txn && sums->is_stored)
        goto done;
    if (sums->is_lost)
        TRY_DONE(FAIL(ST_CORRUPT, "%s: the checksums of its pages were lost when " LMDB_DATA " could not be read; %s",
                      sums->name, sums->advice));
    sums->is_stored = false;
    sums->is_lost = true;
    TRY_DONE(take_transaction(sums, pages));
    sums->is_lost = false;
    TRY_DONE(page_sums_commit(sums->sums, &sums->state, sums->changed, (int64_t)sums->n_changed));
    sums->is_stored = true;
done:
    lmdb_pages_close(&pages);
    return status;
}

/* ---- before a transaction ----------------------------------------------------------------------------------------------- */

status_t live_sums_begin(live_sums_t *sums, const char *tree)
{
    ASSERT(!sums->reader);
    if (!sums->is_stored)
        TRY(live_sums_commit(sums));
    TRY(lmdb_pages_open_with(sums->disk, sums->folder, sums->name, sums->advice, sums->sums, &sums->reader));
    TRY(lmdb_pages_find_tree(sums->reader, tree, &sums->tree));
    return lmdb_pages_check_others(sums->reader, &sums->tree);
}

status_t live_sums_check(live_sums_t *sums, lmdb_bytes_t key, bool removes)
{
    lmdb_bytes_t value;
    bool found;
    TRY(lmdb_pages_get(sums->reader, &sums->tree, key, &value, &found));
    return removes && found ? lmdb_pages_check_around(sums->reader, &sums->tree, key) : ST_OK;
}

void live_sums_end(live_sums_t *sums)
{
    lmdb_pages_close(&sums->reader);
}
