#include "common/files/lmdb_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pages are read as they lie in the file");

#define MAGIC 0xBEEFC0DEu
#define VERSION 1u
#define NO_PAGE UINT64_MAX
#define PAGE_BYTES_LEAST 256
#define KIND_MASK 0x3FEFu /* the other bits mean something in memory only */
#define NODE_HEAD 8
#define NODE_OVERFLOW 1u
#define NODE_TREE 2u
#define LOWER_AT 12
#define UPPER_AT 14

typedef struct stored_tree {
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
} stored_tree_t;

typedef struct stored_meta {
    uint32_t magic, version;
    uint64_t address, map_bytes;
    stored_tree_t free, main;
    uint64_t last_page, txn;
} stored_meta_t;

static uint16_t u16_at(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t u64_at(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* A tree is empty where there is no root, and only there. */
static bool take_tree(const stored_tree_t *stored, lmdb_tree_t *out)
{
    if (stored->depth > LMDB_DEPTH_MOST || (stored->depth == 0) != (stored->root == NO_PAGE))
        return false;
    *out = (lmdb_tree_t){stored->root, stored->depth, stored->overflows, stored->entries};
    return true;
}

bool lmdb_meta_decode(const uint8_t *page, size_t bytes, lmdb_meta_t *out, char why[LMDB_WHY])
{
    stored_meta_t meta;
    if (bytes < LMDB_PAGE_HEAD + sizeof meta) {
        snprintf(why, LMDB_WHY, "has %zu bytes, too few for the head of an LMDB file", bytes);
        return false;
    }
    memcpy(&meta, page + LMDB_PAGE_HEAD, sizeof meta);
    if ((u16_at(page + 10) & KIND_MASK) != LMDB_META || meta.magic != MAGIC || meta.version != VERSION) {
        snprintf(why, LMDB_WHY, "is no head of an LMDB file: magic %08x, version %u", meta.magic, meta.version);
        return false;
    }
    const size_t page_bytes = meta.free.pad;
    if (page_bytes < PAGE_BYTES_LEAST || page_bytes > LMDB_PAGE_BYTES_MOST || (page_bytes & (page_bytes - 1)) ||
        meta.last_page < 1 || meta.last_page >= INT64_MAX / LMDB_PAGE_BYTES_MOST) {
        snprintf(why, LMDB_WHY, "says that the file has %" PRIu64 " pages of %zu bytes", meta.last_page + 1, page_bytes);
        return false;
    }
    lmdb_meta_t found = {.page_bytes = page_bytes, .pages = meta.last_page + 1, .txn = meta.txn};
    if (!take_tree(&meta.free, &found.free) || !take_tree(&meta.main, &found.main)) {
        snprintf(why, LMDB_WHY, "names trees of depths %u and %u with roots %" PRIu64 " and %" PRIu64, meta.free.depth,
                 meta.main.depth, meta.free.root, meta.main.root);
        return false;
    }
    *out = found;
    return true;
}

bool lmdb_tree_decode(lmdb_bytes_t record, lmdb_tree_t *out)
{
    stored_tree_t stored;
    if (record.bytes != sizeof stored)
        return false;
    memcpy(&stored, record.at, sizeof stored);
    return stored.flags == 0 && take_tree(&stored, out);
}

int lmdb_page_nodes(const uint8_t *page)
{
    return (u16_at(page + LOWER_AT) - LMDB_PAGE_HEAD) / 2;
}

uint32_t lmdb_page_span(const uint8_t *page)
{
    return u32_at(page + LOWER_AT);
}

bool lmdb_page_check(const uint8_t *page, size_t page_bytes, uint64_t number, lmdb_page_kind_t kind, char why[LMDB_WHY])
{
    static const char *const kinds[] = {[LMDB_BRANCH] = "branch", [LMDB_LEAF] = "leaf", [LMDB_OVERFLOW] = "overflow page"};
    const unsigned found = u16_at(page + 10) & KIND_MASK;
    if (u64_at(page) != number) {
        snprintf(why, LMDB_WHY, "says that it is page %" PRIu64, u64_at(page));
        return false;
    }
    if (found != kind) {
        snprintf(why, LMDB_WHY, "is of kind %u, and a %s (%d) belongs there", found, kinds[kind], (int)kind);
        return false;
    }
    if (kind == LMDB_OVERFLOW)
        return true;
    const unsigned lower = u16_at(page + LOWER_AT), upper = u16_at(page + UPPER_AT);
    if (lower < LMDB_PAGE_HEAD + 2 || lower % 2 || upper < lower || upper > page_bytes) {
        snprintf(why, LMDB_WHY, "has its nodes from byte %u on, and their places up to byte %u", upper, lower);
        return false;
    }
    return true;
}

bool lmdb_node_at(const uint8_t *page, size_t page_bytes, int index, lmdb_node_t *out)
{
    const bool is_branch = (u16_at(page + 10) & KIND_MASK) == LMDB_BRANCH;
    const size_t at = u16_at(page + LMDB_PAGE_HEAD + 2 * index), upper = u16_at(page + UPPER_AT);
    if (at < upper || at % 2 || at + NODE_HEAD > page_bytes)
        return false;
    const uint8_t *node = page + at;
    const uint64_t low = u16_at(node), high = u16_at(node + 2), flags = u16_at(node + 4);
    const size_t key_bytes = u16_at(node + 6), room = page_bytes - at - NODE_HEAD;
    if (key_bytes > room)
        return false;
    *out = (lmdb_node_t){.key = {node + NODE_HEAD, key_bytes}};
    if (is_branch) {
        out->child = low | high << 16 | flags << 32;
        return true;
    }
    const size_t data_bytes = low | high << 16;
    const uint8_t *data = node + NODE_HEAD + key_bytes;
    out->data = (lmdb_bytes_t){data, data_bytes};
    if (flags == NODE_OVERFLOW && sizeof(uint64_t) <= room - key_bytes) {
        out->data.at = NULL;
        out->child = u64_at(data);
        return out->child > 1;
    }
    out->is_tree = flags == NODE_TREE;
    return (flags == 0 || out->is_tree) && data_bytes <= room - key_bytes;
}

int lmdb_compare(lmdb_bytes_t a, lmdb_bytes_t b)
{
    const int order = memcmp(a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);
    return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}
