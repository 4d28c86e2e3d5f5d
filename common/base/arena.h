/* arena.h - memory of an object that holds many arrays: they are taken one by one and given back together, with the object.
 *
 * An arena that is all zero is empty. Blocks are aligned and zeroed as those of mem_alloc, never move, and cannot be given back
 * alone: what grows is a block of its own (mem_grow). Not for rows of tables, see ps/table/row_arena.h. One thread at a
 * time. */
#ifndef SMELTER_ARENA_H
#define SMELTER_ARENA_H

#include <stddef.h>

typedef struct arena {
    struct arena_chunk *chunks; /* the one that is being filled first */
    size_t left;                /* bytes of it */
} arena_t;

/* arena_alloc - `count` elements of `size` bytes, borrowed until arena_fini. */
void *arena_alloc(arena_t *arena, size_t count, size_t size) __attribute__((malloc, warn_unused_result));
#define ARENA_ARRAY(arena, type, n) ((type *)arena_alloc((arena), (size_t)(n), sizeof(type)))

/* arena_fini - give everything back; the arena is empty then. */
void arena_fini(arena_t *arena);

#endif
