/* Two ways to a page. The branches on the way to a leaf are kept, one per level of the tree. Leaves come through a window,
 * which takes more pages at a time while they come one after the other, as they do in a file that was written in order, and a
 * single one where they lie about; of a window those pages are checked that are asked for. A value of several pages is read in
 * one piece.
 *
 * Rejected: a map. It saves the copy of each page, some 0.2 us, and a file that is cut or a disk that fails is a SIGBUS then;
 * and what was checked could be another page by the time it is used. */
#include "common/files/lmdb_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"

#define HEAD_BYTES 256  /* as much of a page as holds what LMDB writes into its heads */
#define WINDOW_PAGES 64 /* 256 KB: as much as a disk gives at once */
#define NEIGHBOURS 2    /* on each side, of a page that LMDB may find nearly empty */
#define WINDOW_GAP 8    /* pages of branches and such between leaves that still come one after the other */

typedef struct tree_level {
    uint64_t page; /* 0: none */
    uint8_t *at;   /* [page_bytes] */
    int index;     /* of the child that is being visited */
} tree_level_t;

struct lmdb_pages {
    disk_t *disk;
    char *name, *advice, *sums_path;
    disk_file_t *file;
    int64_t bytes;
    lmdb_meta_t meta;
    page_sums_t *sums; /* NULL: none */
    bool owns_sums;
    tree_level_t level[LMDB_DEPTH_MOST];

    uint8_t *window; /* [window_n][page_bytes] */
    size_t window_capacity;
    uint64_t window_first, window_n;
    uint64_t window_checked; /* a bit for each page */

    uint8_t *big; /* a value of several pages */
    size_t big_capacity;
};

static status_t damaged(const lmdb_pages_t *pages, uint64_t page, const char *why)
{
    return FAIL(ST_CORRUPT, "%s: page %" PRIu64 " of " LMDB_DATA " %s; %s", pages->name, page, why, pages->advice);
}

/* ---- pages ----------------------------------------------------------------------------------------------------------- */

/* Has the process that changes the file, if there is one, gone on so far that the state which is read may be gone? */
static bool has_gone_on(const lmdb_pages_t *pages)
{
    page_sums_t *now = NULL;
    if (!pages->owns_sums || page_sums_state(pages->sums)->has_all)
        return false;
    if (page_sums_open(pages->disk, pages->sums_path, pages->advice, &now) != ST_OK)
        return false;
    const bool is_gone = page_sums_state(now)->txn > pages->meta.txn + 1;
    page_sums_close(&now);
    return is_gone;
}

/* Hold a page against its checksum. */
static status_t check_sum(lmdb_pages_t *pages, uint64_t page, const uint8_t *at)
{
    uint64_t wanted;
    if (!pages->sums)
        return ST_OK;
    TRY(page_sums_get(pages->sums, page, &wanted));
    const uint64_t found = hash64(at, pages->meta.page_bytes, 0);
    if (found == wanted)
        return ST_OK;
    if (has_gone_on(pages))
        return FAIL(ST_TIMEOUT, "%s: a running job has changed " LMDB_DATA " while it was read; start again when it has ended",
                    pages->name);
    return FAIL(ST_CORRUPT,
                "%s: page %" PRIu64 " of " LMDB_DATA " has checksum %016" PRIx64 ", " LMDB_SUMS " beside it says %016" PRIx64
                ": the disk or a copy changed one of them; %s",
                pages->name, page, found, wanted, pages->advice);
}

static status_t read_pages(const lmdb_pages_t *pages, uint64_t page, uint64_t n, uint8_t *out)
{
    const size_t page_bytes = pages->meta.page_bytes;
    return disk_read(pages->file, (int64_t)(page * page_bytes), out, n * page_bytes);
}

/* A page that trees name: not one of the two heads, and not behind the end. */
static status_t check_number(const lmdb_pages_t *pages, uint64_t page, uint64_t n)
{
    const uint64_t end = pages->meta.pages;
    if (page > 1 && page < end && n <= end - page)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: a tree in " LMDB_DATA " names %" PRIu64 " pages from page %" PRIu64 " on, of %" PRIu64 "; %s",
                pages->name, n, page, end, pages->advice);
}

/* Read pages around this one: more than before where it goes on, upwards or, as LMDB takes free pages, downwards. */
static status_t move_window(lmdb_pages_t *pages, uint64_t page)
{
    const uint64_t begin = pages->window_first, end = begin + pages->window_n;
    const uint64_t grown = 2 * pages->window_n > WINDOW_PAGES ? WINDOW_PAGES : 2 * pages->window_n;
    uint64_t first = page, n = 1;
    if (page >= end && page - end <= WINDOW_GAP && grown > 0) {
        const uint64_t left = pages->meta.pages - page;
        n = grown < left ? grown : left;
    } else if (page < begin && begin - page <= WINDOW_GAP && grown > 0) {
        n = grown < page + 1 ? grown : page + 1;
        first = page + 1 - n;
    }
    pages->window_n = 0;
    MEM_GROW(pages->window, pages->window_capacity, n * pages->meta.page_bytes);
    TRY(read_pages(pages, first, n, pages->window));
    pages->window_first = first;
    pages->window_n = n;
    pages->window_checked = 0;
    return ST_OK;
}

/* A page through the window; borrowed until the next one. */
static status_t get_page(lmdb_pages_t *pages, uint64_t page, const uint8_t **out)
{
    if (page < pages->window_first || page >= pages->window_first + pages->window_n)
        TRY(move_window(pages, page));
    const uint64_t at = page - pages->window_first, bit = (uint64_t)1 << at;
    const uint8_t *found = pages->window + at * pages->meta.page_bytes;
    if (!(pages->window_checked & bit))
        TRY(check_sum(pages, page, found));
    pages->window_checked |= bit;
    *out = found;
    return ST_OK;
}

static status_t check_kind(const lmdb_pages_t *pages, uint64_t page, const uint8_t *at, lmdb_page_kind_t kind)
{
    char why[LMDB_WHY];
    return lmdb_page_check(at, pages->meta.page_bytes, page, kind, why) ? ST_OK : damaged(pages, page, why);
}

/* The page at a level of a tree: its leaf, or a branch, which stays until another one comes to its level. */
static status_t enter(lmdb_pages_t *pages, const lmdb_tree_t *tree, int depth, uint64_t page, const uint8_t **out)
{
    TRY(check_number(pages, page, 1));
    if (depth == tree->depth - 1) {
        TRY(get_page(pages, page, out));
        return check_kind(pages, page, *out, LMDB_LEAF);
    }
    tree_level_t *level = &pages->level[depth];
    if (level->page != page) {
        if (!level->at)
            level->at = mem_alloc(pages->meta.page_bytes, 1);
        level->page = 0;
        TRY(read_pages(pages, page, 1, level->at));
        TRY(check_sum(pages, page, level->at));
        TRY(check_kind(pages, page, level->at, LMDB_BRANCH));
        level->page = page;
    }
    *out = level->at;
    return ST_OK;
}

static status_t get_node(const lmdb_pages_t *pages, uint64_t page, const uint8_t *at, int index, lmdb_node_t *out)
{
    if (lmdb_node_at(at, pages->meta.page_bytes, index, out))
        return ST_OK;
    return damaged(pages, page, "has a node that reaches outside of it, or of a form that is not used here");
}

/* How many pages of its own a value of this length has. */
static uint64_t big_pages(const lmdb_pages_t *pages, size_t bytes)
{
    return (LMDB_PAGE_HEAD + bytes + pages->meta.page_bytes - 1) / pages->meta.page_bytes;
}

/* A value that has pages of its own; borrowed until the next one. */
static status_t read_big(lmdb_pages_t *pages, uint64_t page, size_t bytes, lmdb_bytes_t *out)
{
    const size_t page_bytes = pages->meta.page_bytes;
    const uint64_t n = big_pages(pages, bytes);
    TRY(check_number(pages, page, n));
    MEM_GROW(pages->big, pages->big_capacity, n * page_bytes);
    TRY(read_pages(pages, page, n, pages->big));
    for (uint64_t i = 0; i < n; i++)
        TRY(check_sum(pages, page + i, pages->big + i * page_bytes));
    TRY(check_kind(pages, page, pages->big, LMDB_OVERFLOW));
    if (lmdb_page_span(pages->big) < n)
        return damaged(pages, page, "has fewer pages than its value needs");
    *out = (lmdb_bytes_t){pages->big + LMDB_PAGE_HEAD, bytes};
    return ST_OK;
}

static status_t get_value(lmdb_pages_t *pages, const lmdb_node_t *node, lmdb_bytes_t *out)
{
    if (node->child)
        return read_big(pages, node->child, node->data.bytes, out);
    *out = node->data;
    return ST_OK;
}

/* ---- open ------------------------------------------------------------------------------------------------------------ */

void lmdb_pages_close(lmdb_pages_t **pages)
{
    lmdb_pages_t *p = *pages;
    if (!p)
        return;
    disk_close(&p->file);
    if (p->owns_sums)
        page_sums_close(&p->sums);
    for (int i = 0; i < LMDB_DEPTH_MOST; i++)
        mem_free(p->level[i].at);
    mem_free(p->window);
    mem_free(p->big);
    mem_free(p->name);
    mem_free(p->advice);
    mem_free(p->sums_path);
    mem_free(p);
    *pages = NULL;
}

status_t lmdb_pages_head(lmdb_pages_t *pages, const uint8_t **out)
{
    return get_page(pages, pages->meta.txn & 1, out);
}

/* The head at `offset`, which is a page's first bytes. */
static status_t read_meta(const lmdb_pages_t *pages, uint64_t page, int64_t offset, lmdb_meta_t *out)
{
    uint8_t head[HEAD_BYTES];
    const int64_t left = pages->bytes - offset;
    const size_t n = left <= 0 ? 0 : left < HEAD_BYTES ? (size_t)left : HEAD_BYTES;
    char why[LMDB_WHY];
    if (n)
        TRY(disk_read(pages->file, offset, head, n));
    return lmdb_meta_decode(head, n, out, why) ? ST_OK : damaged(pages, page, why);
}

/* The two heads: each transaction writes the one that the transaction before did not. */
static status_t read_metas(const lmdb_pages_t *pages, lmdb_meta_t metas[2])
{
    TRY(read_meta(pages, 0, 0, &metas[0]));
    TRY(read_meta(pages, 1, (int64_t)metas[0].page_bytes, &metas[1]));
    return metas[1].page_bytes == metas[0].page_bytes ? ST_OK : damaged(pages, 1, "says another size of pages than page 0");
}

/* The state that the checksums are of, or without them the last one. */
static status_t choose_meta(lmdb_pages_t *pages)
{
    lmdb_meta_t metas[2];
    TRY(read_metas(pages, metas));
    if (!pages->sums) {
        pages->meta = metas[metas[1].txn > metas[0].txn];
        return ST_OK;
    }
    const page_sums_state_t *state = page_sums_state(pages->sums);
    for (int i = 0; i < 2; i++)
        if (metas[i].txn == state->txn && metas[i].pages == state->pages && metas[i].page_bytes == state->page_bytes)
            pages->meta = metas[i];
    if (pages->meta.pages)
        return ST_OK;
    return FAIL(ST_CORRUPT,
                "%s: " LMDB_DATA " is of transactions %" PRIu64 " and %" PRIu64 ", and " LMDB_SUMS " beside it of %" PRIu64
                ": they do not belong together, or one is damaged; %s",
                pages->name, metas[0].txn, metas[1].txn, state->txn, pages->advice);
}

static status_t open_state(lmdb_pages_t *pages)
{
    if (pages->bytes == 0)
        return FAIL(ST_CORRUPT, "%s: " LMDB_DATA " is empty; %s", pages->name, pages->advice);
    TRY(choose_meta(pages));
    const int64_t wanted = (int64_t)(pages->meta.pages * pages->meta.page_bytes);
    if (pages->bytes < wanted)
        return FAIL(ST_CORRUPT, "%s: " LMDB_DATA " was cut short: %" PRId64 " bytes of %" PRId64 "; %s", pages->name,
                    pages->bytes, wanted, pages->advice);
    /* The head that was chosen, held against its checksum. */
    const uint8_t *head;
    char why[LMDB_WHY];
    TRY(lmdb_pages_head(pages, &head));
    if (lmdb_meta_decode(head, pages->meta.page_bytes, &pages->meta, why))
        return ST_OK;
    return damaged(pages, pages->meta.txn & 1, why);
}

static status_t open_file(disk_t *disk, const char *folder, const char *name, const char *advice, page_sums_t *sums,
                          bool stored, lmdb_pages_t **out)
{
    lmdb_pages_t *pages = MEM_NEW(lmdb_pages_t);
    char *data = mem_printf("%s/" LMDB_DATA, folder);
    status_t status;
    pages->disk = disk;
    pages->name = mem_strdup(name);
    pages->advice = mem_strdup(advice);
    pages->sums_path = mem_printf("%s/" LMDB_SUMS, folder);
    pages->sums = sums;
    pages->owns_sums = stored && disk_exists(disk, pages->sums_path);
    TRY_DONE(disk_open(disk, data, &pages->file, &pages->bytes));
    if (pages->owns_sums)
        TRY_DONE(page_sums_open(disk, pages->sums_path, pages->advice, &pages->sums));
    TRY_DONE(open_state(pages));
    *out = pages;
    pages = NULL;
done:
    lmdb_pages_close(&pages);
    mem_free(data);
    return status;
}

status_t lmdb_pages_open(disk_t *disk, const char *folder, const char *name, const char *advice, lmdb_pages_t **out)
{
    return open_file(disk, folder, name, advice, NULL, true, out);
}

status_t lmdb_pages_open_with(disk_t *disk, const char *folder, const char *name, const char *advice, page_sums_t *sums,
                              lmdb_pages_t **out)
{
    return open_file(disk, folder, name, advice, sums, false, out);
}

const lmdb_meta_t *lmdb_pages_meta(const lmdb_pages_t *pages)
{
    return &pages->meta;
}

int64_t lmdb_pages_bytes(const lmdb_pages_t *pages)
{
    return pages->bytes;
}

status_t lmdb_pages_need_sums(const lmdb_pages_t *pages)
{
    return pages->sums ? ST_OK
                       : FAIL(ST_CORRUPT, "%s: " LMDB_SUMS " is missing, the checksums of the pages of " LMDB_DATA "; %s",
                              pages->name, pages->advice);
}

/* ---- read ------------------------------------------------------------------------------------------------------------ */

/* The last node of a branch whose key is not behind `key`; the first one's key does not count. */
static status_t find_child(const lmdb_pages_t *pages, uint64_t page, const uint8_t *at, lmdb_bytes_t key, int *index,
                           uint64_t *child)
{
    lmdb_node_t node;
    int low = 0, high = lmdb_page_nodes(at);
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        TRY(get_node(pages, page, at, middle, &node));
        if (lmdb_compare(node.key, key) <= 0)
            low = middle;
        else
            high = middle;
    }
    TRY(get_node(pages, page, at, low, &node));
    *index = low;
    *child = node.child;
    return ST_OK;
}

/* The node of a leaf with this key; *found is false where there is none. */
static status_t find_node(const lmdb_pages_t *pages, uint64_t page, const uint8_t *at, lmdb_bytes_t key, lmdb_node_t *node,
                          bool *found)
{
    *found = false;
    for (int low = 0, high = lmdb_page_nodes(at); low < high && !*found;) {
        const int middle = (low + high) / 2;
        TRY(get_node(pages, page, at, middle, node));
        const int order = lmdb_compare(node->key, key);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return ST_OK;
}

/* Go down to the leaf where a key belongs. */
static status_t find_leaf(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key, uint64_t *page, const uint8_t **at)
{
    *page = tree->root;
    for (int depth = 0; depth < tree->depth; depth++) {
        const uint64_t here = *page;
        TRY(enter(pages, tree, depth, here, at));
        if (depth < tree->depth - 1)
            TRY(find_child(pages, here, *at, key, &pages->level[depth].index, page));
    }
    return ST_OK;
}

static status_t look_up(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key, lmdb_node_t *node, bool *found)
{
    uint64_t page;
    const uint8_t *at;
    *found = false;
    if (tree->depth == 0)
        return ST_OK;
    TRY(find_leaf(pages, tree, key, &page, &at));
    return find_node(pages, page, at, key, node, found);
}

status_t lmdb_pages_get(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key, lmdb_bytes_t *value, bool *found)
{
    lmdb_node_t node;
    TRY(look_up(pages, tree, key, &node, found));
    return *found ? get_value(pages, &node, value) : ST_OK;
}

status_t lmdb_pages_find_tree(lmdb_pages_t *pages, const char *name, lmdb_tree_t *out)
{
    lmdb_node_t node;
    bool found;
    TRY(look_up(pages, &pages->meta.main, (lmdb_bytes_t){(const uint8_t *)name, strlen(name)}, &node, &found));
    if (found && node.is_tree && lmdb_tree_decode(node.data, out))
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: " LMDB_DATA " has no table \"%s\"; %s", pages->name, name, pages->advice);
}

static status_t scan_leaf(lmdb_pages_t *pages, uint64_t page, const uint8_t *at, lmdb_visit_fn *visit, void *context)
{
    const int nodes = lmdb_page_nodes(at);
    for (int i = 0; i < nodes; i++) {
        lmdb_node_t node;
        TRY(get_node(pages, page, at, i, &node));
        TRY(get_value(pages, &node, &node.data));
        TRY(visit(context, &node));
    }
    return ST_OK;
}

/* The child of the branch at `depth` that is being visited. */
static status_t get_child(const lmdb_pages_t *pages, int depth, uint64_t *child)
{
    const tree_level_t *level = &pages->level[depth];
    lmdb_node_t node;
    TRY(get_node(pages, level->page, level->at, level->index, &node));
    *child = node.child;
    return ST_OK;
}

/* On to the next leaf: up to a branch that has another child, whose page is at *depth then. False: there is no other leaf. */
static bool next_branch(lmdb_pages_t *pages, int *depth)
{
    while (*depth > 0) {
        tree_level_t *level = &pages->level[*depth - 1];
        if (++level->index < lmdb_page_nodes(level->at))
            return true;
        --*depth;
    }
    return false;
}

/* Down from `page` at *depth to the first leaf below it. */
static status_t first_leaf(lmdb_pages_t *pages, const lmdb_tree_t *tree, int *depth, uint64_t *page, const uint8_t **at)
{
    for (;; ++*depth) {
        TRY(enter(pages, tree, *depth, *page, at));
        if (*depth == tree->depth - 1)
            return ST_OK;
        pages->level[*depth].index = 0;
        TRY(get_child(pages, *depth, page));
    }
}

status_t lmdb_pages_scan(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_visit_fn *visit, void *context)
{
    int depth = 0;
    uint64_t page = tree->root, leaves = 0;
    while (tree->depth > 0) {
        const uint8_t *at;
        TRY(first_leaf(pages, tree, &depth, &page, &at));
        if (++leaves > pages->meta.pages)
            return damaged(pages, page, "is met more often than a tree can have it");
        TRY(scan_leaf(pages, page, at, visit, context));
        if (!next_branch(pages, &depth))
            break;
        TRY(get_child(pages, depth - 1, &page));
    }
    return ST_OK;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static status_t pass_over(void *context, const lmdb_node_t *node)
{
    (void)context;
    (void)node;
    return ST_OK;
}

typedef struct found_trees {
    lmdb_tree_t *tree;
    size_t n, capacity;
} found_trees_t;

static status_t take_tree(void *context, const lmdb_node_t *node)
{
    found_trees_t *found = context;
    lmdb_tree_t tree;
    if (node->is_tree && lmdb_tree_decode(node->data, &tree)) {
        MEM_GROW(found->tree, found->capacity, found->n + 1);
        found->tree[found->n++] = tree;
    }
    return ST_OK;
}

/* The named databases; **owned**: mem_free(out->tree). */
static status_t find_trees(lmdb_pages_t *pages, found_trees_t *out)
{
    found_trees_t found = {0};
    const status_t status = lmdb_pages_scan(pages, &pages->meta.main, take_tree, &found);
    if (status == ST_OK)
        *out = found;
    else
        mem_free(found.tree);
    return status;
}

status_t lmdb_pages_check_others(lmdb_pages_t *pages, const lmdb_tree_t *tree)
{
    found_trees_t found = {0};
    status_t status;
    TRY_DONE(lmdb_pages_scan(pages, &pages->meta.free, pass_over, NULL));
    TRY_DONE(find_trees(pages, &found));
    for (size_t i = 0; i < found.n; i++)
        if (!tree || found.tree[i].root != tree->root)
            TRY_DONE(lmdb_pages_scan(pages, &found.tree[i], pass_over, NULL));
done:
    mem_free(found.tree);
    return status;
}

status_t lmdb_pages_verify(lmdb_pages_t *pages)
{
    const uint8_t *at;
    if (pages->sums && page_sums_state(pages->sums)->has_all)
        for (uint64_t page = 0; page < pages->meta.pages; page++)
            TRY(get_page(pages, page, &at));
    return lmdb_pages_check_others(pages, NULL);
}

/* A page by its number alone, which the page above says the kind of. */
static status_t check_child(lmdb_pages_t *pages, const lmdb_tree_t *tree, int depth, uint64_t page)
{
    const uint8_t *at;
    TRY(check_number(pages, page, 1));
    TRY(get_page(pages, page, &at));
    return check_kind(pages, page, at, depth == tree->depth - 1 ? LMDB_LEAF : LMDB_BRANCH);
}

/* LMDB fills a page that has become nearly empty from one beside it, on every level, and goes on to the next leaf. */
status_t lmdb_pages_check_around(lmdb_pages_t *pages, const lmdb_tree_t *tree, lmdb_bytes_t key)
{
    uint64_t page;
    const uint8_t *at;
    TRY(find_leaf(pages, tree, key, &page, &at));
    for (int depth = 0; depth < tree->depth - 1; depth++) {
        const tree_level_t *level = &pages->level[depth];
        const int nodes = lmdb_page_nodes(level->at);
        for (int i = level->index - NEIGHBOURS; i <= level->index + NEIGHBOURS; i++) {
            lmdb_node_t node;
            if (i < 0 || i >= nodes)
                continue;
            TRY(get_node(pages, level->page, level->at, i, &node));
            TRY(check_child(pages, tree, depth + 1, node.child));
        }
    }
    int depth = tree->depth - 1;
    if (!next_branch(pages, &depth))
        return ST_OK;
    TRY(get_child(pages, depth - 1, &page));
    return first_leaf(pages, tree, &depth, &page, &at);
}

static status_t walk_leaf(lmdb_pages_t *pages, const lmdb_walk_t *walk, uint64_t page, const uint8_t *at)
{
    const int nodes = lmdb_page_nodes(at);
    for (int i = 0; i < nodes; i++) {
        lmdb_node_t node;
        TRY(get_node(pages, page, at, i, &node));
        if (!node.child || !walk->enters(walk->context, node.child))
            continue;
        TRY(get_value(pages, &node, &node.data));
        walk->entered(walk->context, node.child, big_pages(pages, node.data.bytes), pages->big);
    }
    return ST_OK;
}

/* As deep as the tree. */
static status_t walk_tree(lmdb_pages_t *pages, const lmdb_tree_t *tree, const lmdb_walk_t *walk, int depth, uint64_t page)
{
    const uint8_t *at;
    if (!walk->enters(walk->context, page))
        return ST_OK;
    TRY(enter(pages, tree, depth, page, &at));
    walk->entered(walk->context, page, 1, at);
    if (depth == tree->depth - 1)
        return walk_leaf(pages, walk, page, at);
    const int nodes = lmdb_page_nodes(at);
    for (int i = 0; i < nodes; i++) {
        lmdb_node_t node;
        TRY(get_node(pages, page, at, i, &node));
        TRY(walk_tree(pages, tree, walk, depth + 1, node.child));
    }
    return ST_OK;
}

static status_t walk_one(lmdb_pages_t *pages, const lmdb_tree_t *tree, const lmdb_walk_t *walk)
{
    return tree->depth ? walk_tree(pages, tree, walk, 0, tree->root) : ST_OK;
}

status_t lmdb_pages_walk(lmdb_pages_t *pages, const lmdb_walk_t *walk)
{
    found_trees_t found = {0};
    status_t status;
    TRY_DONE(walk_one(pages, &pages->meta.free, walk));
    TRY_DONE(walk_one(pages, &pages->meta.main, walk));
    TRY_DONE(find_trees(pages, &found));
    for (size_t i = 0; i < found.n; i++)
        TRY_DONE(walk_one(pages, &found.tree[i], walk));
done:
    mem_free(found.tree);
    return status;
}

status_t lmdb_pages_seal(disk_t *disk, const char *folder, const char *name)
{
    char *path = mem_printf("%s/" LMDB_SUMS, folder);
    page_sums_t *sums = page_sums_create(disk, path);
    lmdb_pages_t *pages = NULL;
    status_t status;
    TRY_DONE(disk_remove(disk, path));
    TRY_DONE(lmdb_pages_open(disk, folder, name, "the disk does not hold what was just written to it", &pages));
    for (uint64_t page = 0; page < pages->meta.pages; page++) {
        const uint8_t *at;
        TRY_DONE(get_page(pages, page, &at));
        page_sums_set(sums, page, hash64(at, pages->meta.page_bytes, 0));
    }
    const page_sums_state_t state = {pages->meta.txn, pages->meta.pages, pages->meta.page_bytes, true};
    TRY_DONE(page_sums_save(sums, &state));
done:
    page_sums_close(&sums);
    lmdb_pages_close(&pages);
    mem_free(path);
    return status;
}
