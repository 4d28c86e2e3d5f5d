/* dirty_rows.h - which rows of a table changed since the last freeze, and which of those frozen then are still to be saved.
 *
 * Time is cut into intervals by freezes. Each row has two bits in `count`, one for even intervals and one for odd: the current
 * interval's bit says "changed since the last freeze", the other one "changed before it, and not saved yet". So a freeze only
 * swaps the meaning of the bits, whatever the number of rows. That a save costs as much as there are changes and not as there
 * are rows is the work of one more bit for each group of 64 rows and interval: some row of the group may be marked.
 *
 * A change looks at the row's two bits, which are in the line being written anyway; only the first change of an interval goes
 * further. Rejected: lists of changed rows (8 bytes a row where all change), a copy of the table's pages by fork or mprotect (a
 * page of 4 KB copied for a row of 100 bytes, a fault for each). */
#ifndef SMELTER_DIRTY_ROWS_H
#define SMELTER_DIRTY_ROWS_H

#include <stdbool.h>

#include "ps/table/row_arena.h"

typedef struct dirty_rows {
    uint32_t mask;       /* both bits of `count`; 0 while nothing is tracked */
    uint32_t current;    /* the bit of the interval in progress */
    bool saving;         /* rows of the interval before may still be marked */
    int64_t next;        /* row where the search for those goes on */
    uint64_t *groups[2]; /* by parity of the interval: bit g is set where a row of [64 g, 64 g + 64) may be marked */
    size_t groups_capacity[2];
} dirty_rows_t;

void dirty_rows_fini(dirty_rows_t *dirty);

/* dirty_rows_start - track from now on; all rows of the arena count as changed. */
void dirty_rows_start(dirty_rows_t *dirty, const row_arena_t *arena);

/* dirty_rows_has - the row needs no further note before it changes: it is marked as changed and not waiting to be saved, or
 * nothing is tracked. */
static inline bool dirty_rows_has(const dirty_rows_t *dirty, const row_t *row)
{
    return (row->count & dirty->mask) == dirty->current;
}

/* dirty_rows_is_frozen - the row is waiting to be saved. */
static inline bool dirty_rows_is_frozen(const dirty_rows_t *dirty, const row_t *row)
{
    return (row->count & dirty->mask & ~dirty->current) != 0;
}

/* dirty_rows_note - mark row number `id` as changed. */
void dirty_rows_note(dirty_rows_t *dirty, int64_t id, row_t *row);

/* dirty_rows_note_frozen - mark row number `id`, which has just come into memory, as waiting to be saved. */
void dirty_rows_note_frozen(dirty_rows_t *dirty, int64_t id, row_t *row);

/* dirty_rows_moved - a row with its marks is row number `id` now. */
void dirty_rows_moved(dirty_rows_t *dirty, int64_t id, const row_t *row);

/* dirty_rows_freeze - begin a new interval. The rows of the one before it must have been saved. */
void dirty_rows_freeze(dirty_rows_t *dirty);

/* dirty_rows_next - the number of a row that waits to be saved, or -1 when there is none left; the caller clears its mark by
 * dirty_rows_saved.  Cost: the rows of groups with changes, one load for 4,096 rows without. */
int64_t dirty_rows_next(dirty_rows_t *dirty, const row_arena_t *arena);

static inline void dirty_rows_saved(const dirty_rows_t *dirty, row_t *row)
{
    row->count &= ~(dirty->mask & ~dirty->current);
}

int64_t dirty_rows_bytes(const dirty_rows_t *dirty);

#endif
