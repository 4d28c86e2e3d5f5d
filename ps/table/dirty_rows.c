#include "ps/table/dirty_rows.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"

#define GROUP_ROWS 64
#define WORD_GROUPS 64

/* The bitmap of an interval's bit. */
static int parity_of(uint32_t bit)
{
    return bit == ROW_CHANGED_ODD;
}

static uint32_t frozen_bit(const dirty_rows_t *dirty)
{
    return dirty->mask & ~dirty->current;
}

void dirty_rows_fini(dirty_rows_t *dirty)
{
    mem_free(dirty->groups[0]);
    mem_free(dirty->groups[1]);
    *dirty = (dirty_rows_t){0};
}

void dirty_rows_start(dirty_rows_t *dirty, const row_arena_t *arena)
{
    ASSERT(dirty->mask == 0);
    dirty->mask = ROW_CHANGED_EVEN | ROW_CHANGED_ODD;
    dirty->current = ROW_CHANGED_EVEN;
    for (int64_t id = 0; id < arena->rows; id++)
        dirty_rows_note(dirty, id, row_arena_at(arena, id));
}

/* Some row of row number `id`'s group has the bit. */
static void mark_group(dirty_rows_t *dirty, int64_t id, uint32_t bit)
{
    const int parity = parity_of(bit);
    const size_t group = (size_t)id / GROUP_ROWS, word = group / WORD_GROUPS;
    if (word >= dirty->groups_capacity[parity])
        MEM_GROW(dirty->groups[parity], dirty->groups_capacity[parity], word + 1);
    dirty->groups[parity][word] |= (uint64_t)1 << group % WORD_GROUPS;
}

void dirty_rows_note(dirty_rows_t *dirty, int64_t id, row_t *row)
{
    mark_group(dirty, id, dirty->current);
    row->count |= dirty->current;
}

/* The search goes back to a row that waits where it has been already. */
static void search_from(dirty_rows_t *dirty, int64_t id)
{
    if (id < dirty->next)
        dirty->next = id;
}

void dirty_rows_note_frozen(dirty_rows_t *dirty, int64_t id, row_t *row)
{
    ASSERT(dirty->saving);
    mark_group(dirty, id, frozen_bit(dirty));
    row->count |= frozen_bit(dirty);
    search_from(dirty, id);
}

void dirty_rows_moved(dirty_rows_t *dirty, int64_t id, const row_t *row)
{
    if (row->count & dirty->current)
        mark_group(dirty, id, dirty->current);
    if (dirty_rows_is_frozen(dirty, row)) {
        mark_group(dirty, id, frozen_bit(dirty));
        search_from(dirty, id);
    }
}

void dirty_rows_freeze(dirty_rows_t *dirty)
{
    ASSERT(dirty->mask != 0 && !dirty->saving);
    dirty->current = frozen_bit(dirty);
    dirty->saving = true;
    dirty->next = 0;
}

int64_t dirty_rows_next(dirty_rows_t *dirty, const row_arena_t *arena)
{
    if (!dirty->saving)
        return -1;
    const uint32_t frozen = frozen_bit(dirty);
    const int parity = parity_of(frozen);
    uint64_t *words = dirty->groups[parity];
    const int64_t covered = (int64_t)dirty->groups_capacity[parity] * WORD_GROUPS * GROUP_ROWS;
    const int64_t rows = covered < arena->rows ? covered : arena->rows;
    while (dirty->next < rows) {
        const int64_t group = dirty->next / GROUP_ROWS;
        const uint64_t ahead = words[group / WORD_GROUPS] >> group % WORD_GROUPS;
        if (!(ahead & 1)) {
            dirty->next = (group + (ahead ? __builtin_ctzll(ahead) : WORD_GROUPS - group % WORD_GROUPS)) * GROUP_ROWS;
            continue;
        }
        const int64_t behind = (group + 1) * GROUP_ROWS, end = behind < rows ? behind : rows;
        while (dirty->next < end) {
            const int64_t id = dirty->next++;
            if (row_arena_at(arena, id)->count & frozen)
                return id;
        }
    }
    dirty->saving = false;
    if (words)
        memset(words, 0, dirty->groups_capacity[parity] * sizeof *words);
    return -1;
}

int64_t dirty_rows_bytes(const dirty_rows_t *dirty)
{
    return (int64_t)((dirty->groups_capacity[0] + dirty->groups_capacity[1]) * sizeof *dirty->groups[0]);
}
