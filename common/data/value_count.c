/* An open-addressing table of (key, count, text). Counts are exact, 16 bytes per distinct value at a load of at most 1/2.
 * Texts are not kept for all values of a large field: the first NAMES_FREE values get theirs, later ones only once they
 * make up 1/NAMES_SHARE of what was seen so far. At most NAMES_SHARE values can do so at a time, so texts stay small, and a
 * value that ends that frequent gets its text the last time that it is added at the latest.                             */
#include "common/data/value_count.h"

#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/pages.h"

#define NAMES_FREE 65536
#define NAMES_SHARE 1024
#define AHEAD 16 /* values whose entries are on their way from memory: a table of millions is in no cache */

#define COUNT_BITS 41 /* two million million */
#define NAME_BITS 22  /* texts: NAMES_FREE, and a few thousand for each time that the values seen double */

/* 16 bytes, so that none lies across two cache lines. */
typedef struct count_entry {
    uint64_t key;
    uint64_t count : COUNT_BITS;
    uint64_t name : NAME_BITS; /* number of its text + 1; 0: none */
    uint64_t used : 1;
} count_entry_t;

_Static_assert(sizeof(count_entry_t) == 16, "a quarter of a cache line");

struct value_count {
    count_entry_t *entries;
    uint64_t mask;
    int64_t distinct, total; /* distinct counts values that were seen, used also those that were seen no times */
    int64_t used;
    uint32_t named;
    uint32_t *text_at; /* [named] offsets in texts */
    char *texts;
    size_t texts_bytes, text_at_capacity, texts_capacity;
};

static size_t entries_bytes(uint64_t mask)
{
    return (mask + 1) * sizeof(count_entry_t);
}

static count_entry_t *map_entries(uint64_t mask)
{
    return pages_map(entries_bytes(mask), 0);
}

value_count_t *value_count_create(void)
{
    value_count_t *counts = MEM_NEW(value_count_t);
    counts->mask = 255;
    counts->entries = map_entries(counts->mask);
    return counts;
}

void value_count_destroy(value_count_t **counts)
{
    if (!*counts)
        return;
    pages_unmap((*counts)->entries, entries_bytes((*counts)->mask));
    mem_free((*counts)->text_at);
    mem_free((*counts)->texts);
    mem_free(*counts);
    *counts = NULL;
}

static count_entry_t *find(const value_count_t *counts, uint64_t key)
{
    uint64_t s = hash_mix(key) & counts->mask;
    while (counts->entries[s].used && counts->entries[s].key != key)
        s = (s + 1) & counts->mask;
    return &counts->entries[s];
}

static void fetch_ahead(const value_count_t *counts, uint64_t key)
{
    __builtin_prefetch(&counts->entries[hash_mix(key) & counts->mask], 1);
}

static void grow(value_count_t *counts)
{
    count_entry_t *old = counts->entries;
    const uint64_t old_mask = counts->mask;
    counts->mask = counts->mask * 2 + 1;
    counts->entries = map_entries(counts->mask);
    for (uint64_t s = 0; s <= old_mask; s++) {
        const uint64_t ahead = (s + AHEAD) & old_mask;
        if (old[ahead].used)
            fetch_ahead(counts, old[ahead].key);
        if (old[s].used)
            *find(counts, old[s].key) = old[s];
    }
    pages_unmap(old, entries_bytes(old_mask));
}

static count_entry_t *find_or_insert(value_count_t *counts, uint64_t key)
{
    count_entry_t *entry = find(counts, key);
    if (entry->used)
        return entry;
    if ((uint64_t)counts->used * 2 >= counts->mask) {
        grow(counts);
        entry = find(counts, key);
    }
    entry->key = key;
    entry->used = 1;
    counts->used++;
    return entry;
}

static void keep_text(value_count_t *counts, count_entry_t *entry, const char *text, size_t bytes)
{
    const size_t most = sizeof((value_top_t *)0)->text - 1;
    size_t kept = bytes < most ? bytes : most;
    while (kept < bytes && kept > most - 4 && (text[kept] & 0xc0) == 0x80)
        kept--; /* not inside a character of UTF-8 */
    if (counts->texts_bytes + kept + 1 > UINT32_MAX / 2 || counts->named + 1 >= 1u << NAME_BITS)
        return;
    MEM_GROW(counts->text_at, counts->text_at_capacity, (size_t)counts->named + 1);
    MEM_GROW(counts->texts, counts->texts_capacity, counts->texts_bytes + kept + 1);
    memcpy(counts->texts + counts->texts_bytes, text, kept);
    counts->texts[counts->texts_bytes + kept] = 0;
    counts->text_at[counts->named] = (uint32_t)counts->texts_bytes;
    counts->texts_bytes += kept + 1;
    entry->name = ++counts->named;
}

uint32_t value_count_add(value_count_t *counts, uint32_t n, const uint64_t *keys, const uint32_t *times,
                         const value_text_t *texts, const char *memory, uint32_t *fresh)
{
    uint32_t news = 0;
    const int64_t total = counts->total; /* a text is as frequent as its value was before these */
    for (uint32_t i = 0; i < n && i < AHEAD; i++)
        fetch_ahead(counts, keys[i]);
    for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            fetch_ahead(counts, keys[i + AHEAD]);
        count_entry_t *entry = find_or_insert(counts, keys[i]);
        const bool is_text = texts[i].at != VALUE_TEXT_NONE.at;
        if (is_text && entry->name == 0 && (counts->named < NAMES_FREE || (int64_t)entry->count * NAMES_SHARE >= total))
            keep_text(counts, entry, memory + texts[i].at, texts[i].bytes);
        if (entry->count == 0 && times[i] > 0) {
            counts->distinct++;
            if (fresh)
                fresh[news] = i;
            news++;
        }
        ASSERT(entry->count + times[i] < UINT64_C(1) << COUNT_BITS);
        entry->count += times[i];
        counts->total += times[i];
    }
    return news;
}

int64_t value_count_distinct(const value_count_t *counts)
{
    return counts->distinct;
}

int64_t value_count_total(const value_count_t *counts)
{
    return counts->total;
}

int64_t value_count_of(const value_count_t *counts, uint64_t key)
{
    const count_entry_t *entry = find(counts, key);
    return entry->used ? (int64_t)entry->count : 0;
}

static bool is_before(int64_t count, uint64_t key, const value_top_t *other)
{
    return count > other->count || (count == other->count && key < other->key);
}

int value_count_top(const value_count_t *counts, value_top_t *out, int most)
{
    int n = 0;
    for (uint64_t s = 0; s <= counts->mask; s++) {
        const count_entry_t *entry = &counts->entries[s];
        if (!entry->used || entry->count == 0 || (n == most && !is_before((int64_t)entry->count, entry->key, &out[n - 1])))
            continue;
        int at = n < most ? n++ : n - 1;
        for (; at > 0 && is_before((int64_t)entry->count, entry->key, &out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = (value_top_t){.key = entry->key, .count = (int64_t)entry->count, .named = entry->name != 0};
        if (entry->name != 0)
            snprintf(out[at].text, sizeof out[at].text, "%s", counts->texts + counts->text_at[entry->name - 1]);
    }
    return n;
}
