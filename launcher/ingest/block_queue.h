/* block_queue.h - blocks on their way from rows into the file: encoded, hashed and compressed by a few threads of its own, then
 * stored and counted one after the other in the order of the rows. What is in the file does not depend on the threads.
 *
 * One thread fills drafts; the file, the counts and the fields are the queue's between create and finish. */
#ifndef SMELTER_BLOCK_QUEUE_H
#define SMELTER_BLOCK_QUEUE_H

#include "common/data/dataset_file.h"
#include "common/texts/text_keeper.h"
#include "launcher/ingest/block_draft.h"

typedef struct block_queue block_queue_t;

/* block_queue_create - all borrowed until finish or destroy.
 *
 * fields  [numeric + single + multi]: values, missing, low and high are kept up to date as blocks are stored
 * counts  [numeric + single + multi], NULL for numeric fields
 * keeper  of the texts of values, or NULL
 * compress  what it writes
 * ST_SYSTEM where no thread can be started. */
WARN_UNUSED status_t block_queue_create(dataset_file_t *file, const block_shape_t *shape, dataset_field_t *fields,
                                        value_count_t **counts, text_keeper_t *keeper, bool compress, block_queue_t **out);
void block_queue_destroy(block_queue_t **queue);

/* block_queue_draft - the draft to fill, borrowed until block_queue_put. */
block_draft_t *block_queue_draft(block_queue_t *queue);

/* block_queue_put - the draft is full, or the last; waits until there is room for another.  What went wrong with this or an
 * earlier block is said here or by finish. */
WARN_UNUSED status_t block_queue_put(block_queue_t *queue);

/* block_queue_finish - wait until all blocks are stored.  hash  of all of them, in order. */
WARN_UNUSED status_t block_queue_finish(block_queue_t *queue, uint64_t *hash);

#endif
