/* lmdb_page.h - the pages of an LMDB file, decoded with every bound checked: no bytes make these functions look outside.
 *
 *     page      u64 number, u16, u16 kind, then u16 lower, u16 upper of a branch or a leaf, u32 pages of an overflow
 *               u16 place of each node, from byte 16 up to lower; the nodes lie between upper and the page's end
 *     node      u16 low, u16 high, u16 flags, u16 bytes of the key, key, data; in a branch low, high and flags are the child's
 *               page; in a leaf low and high are the bytes of the data, which lie in overflow pages where a flag says so
 *     database  u32, u16 flags, u16 depth, u64 branches, leaves, overflow pages, entries, root
 *     meta      page 0 and 1: u32 magic, version, u64 address, map bytes, database of free pages, main database,
 *               u64 last page, transaction; the main database has the records of named ones
 *
 * This is the format of LMDB 0.9 on a little-endian machine with 64-bit words, without databases of several values per key,
 * which nothing here uses.                                                                                           */
#ifndef SMELTER_LMDB_PAGE_H
#define SMELTER_LMDB_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LMDB_PAGE_BYTES_MOST 32768 /* LMDB makes no larger ones */
#define LMDB_PAGE_HEAD 16
#define LMDB_DEPTH_MOST 32

typedef enum lmdb_page_kind { LMDB_BRANCH = 1, LMDB_LEAF = 2, LMDB_OVERFLOW = 4, LMDB_META = 8 } lmdb_page_kind_t;

/* A database: a tree of pages. */
typedef struct lmdb_tree {
    uint64_t root; /* nothing where depth is 0 */
    int depth;     /* 1: the root is a leaf */
    uint64_t overflow_pages, entries;
} lmdb_tree_t;

typedef struct lmdb_meta {
    size_t page_bytes;
    uint64_t pages; /* that the file has, so far as they were ever used */
    uint64_t txn;
    lmdb_tree_t free, main;
} lmdb_meta_t;

typedef struct lmdb_bytes {
    const uint8_t *at;
    size_t bytes;
} lmdb_bytes_t;

typedef struct lmdb_node {
    lmdb_bytes_t key;
    uint64_t child; /* of a branch; of a leaf: the first overflow page, 0 where the data are in the page */
    lmdb_bytes_t data;
    bool is_tree; /* the data are a database's record */
} lmdb_node_t;

#define LMDB_WHY 128

/* lmdb_meta_decode - of the first `bytes` bytes of page 0 or 1. False: it is none, and `why` says what was seen ("..."). */
bool lmdb_meta_decode(const uint8_t *page, size_t bytes, lmdb_meta_t *out, char why[LMDB_WHY]);

/* lmdb_tree_decode - of the record of a named database. False: it is none. */
bool lmdb_tree_decode(lmdb_bytes_t record, lmdb_tree_t *out);

/* lmdb_page_check - is it page `number`, of this kind, with room for what it says that it has?
 * lmdb_page_nodes - how many nodes a checked branch or leaf has.  lmdb_page_span - how many pages a checked overflow has.
 * lmdb_node_at - a node of a checked page; what it points to borrows the page. False: it reaches outside. */
bool lmdb_page_check(const uint8_t *page, size_t page_bytes, uint64_t number, lmdb_page_kind_t kind, char why[LMDB_WHY]);
int lmdb_page_nodes(const uint8_t *page);
uint32_t lmdb_page_span(const uint8_t *page);
bool lmdb_node_at(const uint8_t *page, size_t page_bytes, int index, lmdb_node_t *out);

/* lmdb_compare - the order of keys: by bytes, a shorter one first. */
int lmdb_compare(lmdb_bytes_t a, lmdb_bytes_t b);

#endif
