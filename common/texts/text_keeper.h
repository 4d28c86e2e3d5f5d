/* text_keeper.h - writes the texts of a dataset's values beside it while it is imported (kept_texts.h). What is kept depends on
 * the order in which values are added, and the bytes of the file on nothing else.
 *
 * add and take are one thread's at a time, write another's at a time; a batch is its owner's. Memory: 16 MiB, and as much for
 * batches. */
#ifndef SMELTER_TEXT_KEEPER_H
#define SMELTER_TEXT_KEEPER_H

#include "common/base/compress.h"
#include "common/base/status.h"
#include "common/data/record.h"

typedef struct text_keeper text_keeper_t;

/* text_keeper_create - a new file in the folder.
 *
 * fields             single and multi, for bounds and counts
 * most, field_most   bytes of texts in all, and of a field's. What comes when a bound was met is left out
 * ST_INPUT, ST_SYSTEM: it cannot be made. */
WARN_UNUSED status_t text_keeper_create(const char *folder, int fields, int64_t most, int64_t field_most, text_keeper_t **out);
void text_keeper_destroy(text_keeper_t **keeper);

/* text_keeper_add - a value that the field did not have before.  text_keeper_add_group - a query id, which may have been added
 * before; most of those are passed over. */
void text_keeper_add(text_keeper_t *keeper, int field, uint64_t key, const char *text, size_t bytes);
void text_keeper_add_group(text_keeper_t *keeper, uint64_t key, const char *text, size_t bytes);

typedef struct text_piece text_piece_t;

/* Pieces on their way to the file. Empty at first (all zero); text_batch_fini. */
typedef struct text_batch {
    text_piece_t *piece; /* [count] to be written, or [spent], whose memory the keeper takes back */
    size_t count, spent, capacity;
    compressor_t *compressor;
    record_t raw;
} text_batch_t;

/* text_keeper_take - move pieces that are full to an empty batch.
 * text_batch_pack - encode, hash and compress them, which is most of the work; any thread.
 * text_keeper_write - append them; the batch is empty then. */
void text_keeper_take(text_keeper_t *keeper, text_batch_t *batch);
void text_batch_pack(text_batch_t *batch, bool compress);
WARN_UNUSED status_t text_keeper_write(text_keeper_t *keeper, text_batch_t *batch);
void text_batch_fini(text_batch_t *batch);

/* text_keeper_finish - the rest, the index, and the hash of the dataset that it is of; on the disk when it returns. */
WARN_UNUSED status_t text_keeper_finish(text_keeper_t *keeper, bool compress, uint64_t content_hash);

#endif
