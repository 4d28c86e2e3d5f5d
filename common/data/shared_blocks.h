/* shared_blocks.h - decoded blocks of a dataset in memory that the readers of one host share: one of them decodes a block, the
 * others find it there.
 *
 * The memory is a file without a name (cluster_host_file), in which every block has a place of its own; what nobody holds takes
 * none. A reader may die at any moment: nobody waits for another for longer than a moment, and what is half written is never
 * given out. One thread each; readers are processes, or threads with a descriptor each. */
#ifndef SMELTER_SHARED_BLOCKS_H
#define SMELTER_SHARED_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct shared_blocks shared_blocks_t;

/* shared_blocks_open - join those who share the file `descriptor`, which is **taken over**. identity: of the dataset;
 * blocks: of it; most_bytes: of one of them, the same of all readers, but for those that are larger and not shared. NULL
 * where others share another dataset just now, or the system has no such memory. */
shared_blocks_t *shared_blocks_open(int descriptor, uint64_t identity, int64_t blocks, size_t most_bytes);
/* shared_blocks_close - after everything that was taken was given back. */
void shared_blocks_close(shared_blocks_t **shared);

typedef enum shared_take {
    SHARED_READY,   /* the block is there, and stays until it is given back */
    SHARED_TO_FILL, /* the caller asks for room, writes there, and says so; or gives it back where it cannot */
    SHARED_NONE     /* not to be had: it is of another meaning, or another reader has worked on it for too long */
} shared_take_t;

/* shared_blocks_take - block `number`. meaning: how values are made of what is stored, the same for all that may use them.
 * at     out, where it is ready: the block's bytes;  values  out: what the one who filled it said */
shared_take_t shared_blocks_take(shared_blocks_t *shared, int64_t number, uint64_t meaning, void **at, uint64_t *values);

/* shared_blocks_room - for a block to fill; NULL where it is too large or there is no memory.
 * shared_blocks_filled - it is written: as if it had been taken and was ready. */
void *shared_blocks_room(shared_blocks_t *shared, int64_t number, size_t bytes);
void shared_blocks_filled(shared_blocks_t *shared, int64_t number, uint64_t meaning, uint64_t values);

/* shared_blocks_give - give back what was taken; the last one to do so frees the memory. */
void shared_blocks_give(shared_blocks_t *shared, int64_t number);

/* shared_blocks_bytes - of all blocks that anybody holds. */
int64_t shared_blocks_bytes(const shared_blocks_t *shared);

#endif
