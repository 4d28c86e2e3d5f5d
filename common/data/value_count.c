/* An open-addressing table of (key, count, text). Counts are exact, 24 bytes per distinct value at a load of at most 1/2.
 * Texts are not kept for all values of a large field: the first NAMES_FREE values get theirs, later ones only once they
 * make up 1/NAMES_SHARE of what was seen so far. At most NAMES_SHARE values can do so at a time, so texts stay small, and a
 * value that ends that frequent gets its text at its last occurrence at the latest.                                     */
#include "common/data/value_count.h"

#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"

#define NAMES_FREE 65536
#define NAMES_SHARE 1024

typedef struct count_entry {
    uint64_t key;
    int64_t count;
    uint32_t name; /* offset in texts + 1; 0: none */
    uint32_t used;
} count_entry_t;

struct value_count {
    count_entry_t *entries;
    uint64_t mask;
    int64_t distinct, total; /* distinct counts values that were seen, used also those that were only named */
    int64_t used;
    int64_t named;
    char *texts;
    size_t texts_bytes, texts_capacity;
};

value_count_t *value_count_create(void)
{
    value_count_t *counts = MEM_NEW(value_count_t);
    counts->mask = 255;
    counts->entries = MEM_ARRAY(count_entry_t, counts->mask + 1);
    return counts;
}

void value_count_destroy(value_count_t **counts)
{
    if (!*counts)
        return;
    mem_free((*counts)->entries);
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

static count_entry_t *find_or_insert(value_count_t *counts, uint64_t key)
{
    count_entry_t *entry = find(counts, key);
    if (entry->used)
        return entry;
    if ((uint64_t)counts->used * 2 >= counts->mask) {
        count_entry_t *old = counts->entries;
        const uint64_t old_mask = counts->mask;
        counts->mask = counts->mask * 2 + 1;
        counts->entries = MEM_ARRAY(count_entry_t, counts->mask + 1);
        for (uint64_t s = 0; s <= old_mask; s++)
            if (old[s].used)
                *find(counts, old[s].key) = old[s];
        mem_free(old);
        entry = find(counts, key);
    }
    entry->key = key;
    entry->used = 1;
    counts->used++;
    return entry;
}

void value_count_add(value_count_t *counts, uint64_t key, int64_t times)
{
    ASSERT(times >= 0);
    count_entry_t *entry = find_or_insert(counts, key);
    counts->distinct += entry->count == 0 && times > 0;
    entry->count += times;
    counts->total += times;
}

void value_count_name(value_count_t *counts, uint64_t key, const char *text, int bytes)
{
    count_entry_t *entry = find_or_insert(counts, key);
    if (entry->name != 0 || (counts->named >= NAMES_FREE && entry->count * NAMES_SHARE < counts->total))
        return;
    const size_t most = sizeof((value_top_t *)0)->text - 1;
    size_t kept = (size_t)bytes < most ? (size_t)bytes : most;
    while (kept < (size_t)bytes && kept > most - 4 && (text[kept] & 0xc0) == 0x80)
        kept--; /* not inside a character of UTF-8 */
    if (counts->texts_bytes + kept + 1 > UINT32_MAX / 2)
        return;
    MEM_GROW(counts->texts, counts->texts_capacity, counts->texts_bytes + kept + 1);
    memcpy(counts->texts + counts->texts_bytes, text, kept);
    counts->texts[counts->texts_bytes + kept] = 0;
    entry->name = (uint32_t)counts->texts_bytes + 1;
    counts->texts_bytes += kept + 1;
    counts->named++;
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
    return entry->used ? entry->count : 0;
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
        if (!entry->used || entry->count == 0 || (n == most && !is_before(entry->count, entry->key, &out[n - 1])))
            continue;
        int at = n < most ? n++ : n - 1;
        for (; at > 0 && is_before(entry->count, entry->key, &out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = (value_top_t){.key = entry->key, .count = entry->count, .named = entry->name != 0};
        if (entry->name != 0)
            snprintf(out[at].text, sizeof out[at].text, "%s", counts->texts + entry->name - 1);
    }
    return n;
}
