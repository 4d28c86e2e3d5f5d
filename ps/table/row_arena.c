#include "ps/table/row_arena.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/base/pages.h"
#include "common/base/status.h"

/* Address space of a chunk, most of it untouched until rows come. Large, because the kernel limits the number of mappings
 * (65,530): 16,384 chunks of at least 32 MB are half a terabyte of rows. Small enough for hundreds of little tables. */
#define CHUNK_BYTES_MAX ((size_t)64 << 20)

#define FETCH_LINES_MAX 8 /* the hardware sees a longer run by itself */

/* A table's first bytes stay on small pages: a field with ten values must not cost a huge page. */
#define SMALL_BYTES PAGE_HUGE_BYTES

static size_t chunk_bytes(const row_arena_t *arena)
{
    return arena->row_bytes << arena->chunk_shift;
}

static size_t small_bytes(const row_arena_t *arena, size_t chunk)
{
    return arena->small_pages ? chunk_bytes(arena) : chunk == 0 ? SMALL_BYTES : 0;
}

void row_arena_init(row_arena_t *arena, int64_t payload_floats, bool small_pages)
{
    ASSERT(payload_floats >= 1);
    *arena = (row_arena_t){.small_pages = small_pages};
    arena->row_bytes = (sizeof(row_t) + (size_t)payload_floats * sizeof(float) + 7) / 8 * 8;
    ASSERT(arena->row_bytes <= CHUNK_BYTES_MAX);
    while (arena->row_bytes << (arena->chunk_shift + 1) <= CHUNK_BYTES_MAX)
        arena->chunk_shift++;
}

void row_arena_fini(row_arena_t *arena)
{
    for (size_t i = 0; i < arena->chunks_used; i++)
        pages_unmap(arena->chunks[i], chunk_bytes(arena));
    mem_free(arena->chunks);
    *arena = (row_arena_t){0};
}

row_t *row_arena_add(row_arena_t *arena)
{
    if ((size_t)(arena->rows >> arena->chunk_shift) == arena->chunks_used) {
        MEM_GROW(arena->chunks, arena->chunks_capacity, arena->chunks_used + 1);
        arena->chunks[arena->chunks_used] = pages_map(chunk_bytes(arena), small_bytes(arena, arena->chunks_used));
        arena->chunks_used++;
    }
    row_t *row = row_arena_at(arena, arena->rows++);
    *row = (row_t){0};
    return row;
}

void row_arena_remove(row_arena_t *arena, int64_t id)
{
    ASSERT(id >= 0 && id < arena->rows);
    arena->rows--;
    if (id != arena->rows)
        memcpy(row_arena_at(arena, id), row_arena_at(arena, arena->rows), arena->row_bytes);
}

/* Bytes of a chunk that hold rows. */
static size_t used_bytes(const row_arena_t *arena, size_t chunk)
{
    const size_t before = chunk << arena->chunk_shift, rows = (size_t)arena->rows;
    const size_t used = rows > before ? rows - before : 0, full = (size_t)1 << arena->chunk_shift;
    return (used < full ? used : full) * arena->row_bytes;
}

void row_arena_trim(row_arena_t *arena)
{
    for (size_t i = (size_t)arena->rows >> arena->chunk_shift; i < arena->chunks_used; i++)
        pages_release(arena->chunks[i], chunk_bytes(arena), small_bytes(arena, i), used_bytes(arena, i));
}

row_extent_t row_arena_extent(const row_arena_t *arena, int64_t floats)
{
    const int64_t bytes = (int64_t)sizeof(row_t) + floats * (int64_t)sizeof(float);
    const int64_t step = (int64_t)(arena->row_bytes & -arena->row_bytes); /* rows begin at multiples of it */
    const int64_t latest = step < ROW_LINE_BYTES ? ROW_LINE_BYTES - step : 0;
    const int64_t lines = (latest + bytes + ROW_LINE_BYTES - 1) / ROW_LINE_BYTES - 1;
    return (row_extent_t){lines < FETCH_LINES_MAX ? (int)lines : FETCH_LINES_MAX, bytes - 1};
}

int64_t row_arena_bytes(const row_arena_t *arena)
{
    size_t bytes = arena->chunks_capacity * sizeof *arena->chunks;
    for (size_t i = 0; i < arena->chunks_used; i++)
        bytes += pages_touched(chunk_bytes(arena), small_bytes(arena, i), used_bytes(arena, i));
    return (int64_t)bytes;
}
