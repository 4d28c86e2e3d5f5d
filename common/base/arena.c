/* Chunks are filled from the front; a block that would leave much of a chunk unused gets one of its own, behind the chunk that
 * is being filled. Under the address sanitizer every block is a chunk, so that a step over an array's end is seen. */
#include "common/base/arena.h"

#include "common/base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#define CHUNK_BYTES ((size_t)0)
#else
#define CHUNK_BYTES ((size_t)64 << 10)
#endif

typedef struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes;
    _Alignas(MEM_ALIGN) char data[];
} arena_chunk_t;

static arena_chunk_t *create_chunk(size_t bytes)
{
    arena_chunk_t *chunk = mem_alloc(1, sizeof *chunk + bytes);
    chunk->bytes = bytes;
    return chunk;
}

/* Room for a block at the front of a chunk of its own. */
static void *alloc_alone(arena_t *arena, size_t bytes)
{
    arena_chunk_t *chunk = create_chunk(bytes);
    chunk->next = arena->chunks->next;
    arena->chunks->next = chunk;
    return chunk->data;
}

void *arena_alloc(arena_t *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        mem_refused("an array of %zu elements of %zu bytes", count, size);
    bytes = bytes ? (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN : MEM_ALIGN;
    if (bytes > arena->left) {
        if (arena->chunks && bytes > CHUNK_BYTES / 4)
            return alloc_alone(arena, bytes);
        arena_chunk_t *chunk = create_chunk(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->left = chunk->bytes;
    }
    char *block = arena->chunks->data + arena->chunks->bytes - arena->left;
    arena->left -= bytes;
    return block;
}

void arena_fini(arena_t *arena)
{
    while (arena->chunks) {
        arena_chunk_t *chunk = arena->chunks;
        arena->chunks = chunk->next;
        mem_free(chunk);
    }
    arena->left = 0;
}
