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

static uint32_t frozen_bit(const dirty_rows_t *changes)
{
    return changes->mask & ~changes->current;
}

void dirty_rows_fini(dirty_rows_t *changes)
{
    mem_free(changes->groups[0]);
    mem_free(changes->groups[1]);
    *changes = (dirty_rows_t){0};
}

void dirty_rows_start(dirty_rows_t *changes, const row_arena_t *arena)
{
    ASSERT(changes->mask == 0);
    changes->mask = ROW_CHANGED_EVEN | ROW_CHANGED_ODD;
    changes->current = ROW_CHANGED_EVEN;
    for (int64_t id = 0; id < arena->rows; id++)
        dirty_rows_note(changes, id, row_arena_at(arena, id));
}

/* Some row of row number `id`'s group has the bit. */
static void mark_group(dirty_rows_t *changes, int64_t id, uint32_t bit)
{
    const int parity = parity_of(bit);
    const size_t group = (size_t)id / GROUP_ROWS, word = group / WORD_GROUPS;
    if (word >= changes->groups_capacity[parity])
        MEM_GROW(changes->groups[parity], changes->groups_capacity[parity], word + 1);
    changes->groups[parity][word] |= (uint64_t)1 << group % WORD_GROUPS;
}

void dirty_rows_note(dirty_rows_t *changes, int64_t id, row_t *row)
{
    mark_group(changes, id, changes->current);
    row->count |= changes->current;
}

/* The search goes back to a row that waits where it has been already. */
static void search_from(dirty_rows_t *changes, int64_t id)
{
    if (id < changes->next)
        changes->next = id;
}

void dirty_rows_note_frozen(dirty_rows_t *changes, int64_t id, row_t *row)
{
    ASSERT(changes->saving);
    mark_group(changes, id, frozen_bit(changes));
    row->count |= frozen_bit(changes);
    search_from(changes, id);
}

void dirty_rows_moved(dirty_rows_t *changes, int64_t id, const row_t *row)
{
    if (row->count & changes->current)
        mark_group(changes, id, changes->current);
    if (dirty_rows_is_frozen(changes, row)) {
        mark_group(changes, id, frozen_bit(changes));
        search_from(changes, id);
    }
}

void dirty_rows_freeze(dirty_rows_t *changes)
{
    ASSERT(changes->mask != 0 && !changes->saving);
    changes->current = frozen_bit(changes);
    changes->saving = true;
    changes->next = 0;
}

int64_t changes_next(dirty_rows_t *changes, const row_arena_t *arena)
{
    if (!changes->saving)
        return -1;
    const uint32_t frozen = frozen_bit(changes);
    const int parity = parity_of(frozen);
    uint64_t *words = changes->groups[parity];
    const int64_t covered = (int64_t)changes->groups_capacity[parity] * WORD_GROUPS * GROUP_ROWS;
    const int64_t rows = covered < arena->rows ? covered : arena->rows;
    while (changes->next < rows) {
        const int64_t group = changes->next / GROUP_ROWS;
        const uint64_t ahead = words[group / WORD_GROUPS] >> group % WORD_GROUPS;
        if (!(ahead & 1)) {
            changes->next = (group + (ahead ? __builtin_ctzll(ahead) : WORD_GROUPS - group % WORD_GROUPS)) * GROUP_ROWS;
            continue;
        }
        const int64_t behind = (group + 1) * GROUP_ROWS, end = behind < rows ? behind : rows;
        while (changes->next < end) {
            const int64_t id = changes->next++;
            if (row_arena_at(arena, id)->count & frozen)
                return id;
        }
    }
    changes->saving = false;
    if (words)
        memset(words, 0, changes->groups_capacity[parity] * sizeof *words);
    return -1;
}

int64_t changes_bytes(const dirty_rows_t *changes)
{
    return (int64_t)((changes->groups_capacity[0] + changes->groups_capacity[1]) * sizeof *changes->groups[0]);
}
