/* row_arena.h - the rows of one table that are in memory, without gaps, in chunks: growth moves no row and copies nothing.
 *
 *     row 0                                         row 1
 *     | key u64 | version u32 | count u32 | payload f32[..] | key ...
 *
 * A row's number is its identity for the index. It stays the same until a row is removed, whose place the last one takes: so
 * rows are always those numbered 0 to rows - 1, and memory goes back to the system from the end, for other tables to use.
 * Rejected: a list of free places (a copy less for a removal, but a table that had many rows keeps their memory for ever, and
 * all who walk over rows would have to tell the living from the dead). Chunks hold a power of two of rows, so that a number
 * turns into an address by a shift, a mask and one load from a small directory. Rows lie back to back, 8-byte aligned:
 * padding them to cache lines would cost a third of the memory at common sizes and save one line in four at best. One
 * owner thread.                                                                                                      */
#ifndef SMELTER_ROW_ARENA_H
#define SMELTER_ROW_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits of row_t.count. */
#define ROW_COUNT_MAX (((uint32_t)1 << 28) - 1) /* the updates so far, which stay at this number once they reach it */
#define ROW_CHANGED_EVEN ((uint32_t)1 << 28)    /* marks of ps/table/dirty_rows.h */
#define ROW_CHANGED_ODD ((uint32_t)1 << 29)
#define ROW_HEAT_ONE \
    ((uint32_t)1 << 30) /* 0 to 3 in the top two bits: how often it was used of late (ps/table/table_resident.c) */
#define ROW_HEAT_MAX ((uint32_t)3 << 30)

#define ROW_LINE_BYTES 64 /* of the cache */

typedef struct row {
    uint64_t key;
    uint32_t version; /* as in table_row_t */
    uint32_t count;   /* the number in its low bits, marks above */
    float payload[];
} row_t;

typedef struct row_arena {
    char **chunks;
    size_t chunks_used, chunks_capacity;
    int64_t rows;
    size_t row_bytes;
    uint32_t chunk_shift; /* log2 of the rows of a chunk */
    bool small_pages;
} row_arena_t;

/* row_arena_init - an empty arena. small_pages: never ask for huge pages; for many tables that share little memory. */
void row_arena_init(row_arena_t *arena, int64_t payload_floats, bool small_pages);
void row_arena_fini(row_arena_t *arena);

/* row_arena_add - a new row, number arena->rows before the call, with a head of zeros; the payload is the caller's to fill.
 * Cannot fail. */
row_t *row_arena_add(row_arena_t *arena);

/* row_arena_remove - the last row takes the place of row number `id` and that number (unless it is that row); the caller tells
 * the index, before. */
void row_arena_remove(row_arena_t *arena, int64_t id);

/* row_arena_trim - give the memory behind the last row back to the system. */
void row_arena_trim(row_arena_t *arena);

/* row_arena_at - row number `id`. */
static inline row_t *row_arena_at(const row_arena_t *arena, int64_t id)
{
    uint64_t i = (uint64_t)id;
    return (row_t *)(arena->chunks[i >> arena->chunk_shift] +
                     (i & (((uint64_t)1 << arena->chunk_shift) - 1)) * arena->row_bytes);
}

/* The lines of the cache that a row touches with its head and the first floats of its payload: those at 0, 64, .. from its
 * beginning, `lines` of them, and that of its last byte. */
typedef struct row_extent {
    int lines;
    ptrdiff_t last;
} row_extent_t;

/* row_arena_extent - of the head and `floats` of the payload, for row_arena_fetch. Not one line more than some row of the arena
 * needs, by where rows can begin in a line. */
row_extent_t row_arena_extent(const row_arena_t *arena, int64_t floats);

/* row_arena_fetch - let the lines of row number `id` come into the cache. Always inlined: to the compiler a function of
 * prefetches alone does nothing, and its calls can go. */
static inline __attribute__((always_inline)) void row_arena_fetch(const row_arena_t *arena, int64_t id, row_extent_t extent)
{
    const char *row = (const char *)row_arena_at(arena, id);
    for (int line = 0; line < extent.lines; line++)
        __builtin_prefetch(row + line * ROW_LINE_BYTES);
    __builtin_prefetch(row + extent.last);
}

/* row_arena_bytes - memory in use, whole pages counted. */
int64_t row_arena_bytes(const row_arena_t *arena);

#endif
