/* kept_texts.h - what the values of a dataset read as: data.texts in its folder, from keys to texts, for what is shown to
 * people. Training never opens it. It is optional, bounded by the schema's keep_values, and no part of the dataset's content:
 * where it is removed, hashes are shown.
 *
 * A text belongs to a key whatever the field, because a key is the hash of its text; query ids are among them. This is the form
 * of the file and its reader; text_keeper.h writes it. */
#ifndef SMELTER_KEPT_TEXTS_H
#define SMELTER_KEPT_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/data/record.h"

#define KEPT_TEXTS_PARTS 256 /* keys are divided by their mixed first bits */
#define KEPT_TEXTS_FAULT 160

/* Of a field, or of the query ids: distinct values whose texts are there, and that are not because a bound was met. Of query
 * ids both may count some twice. */
typedef struct kept_count {
    uint64_t kept, left;
} kept_count_t;

/* A piece of the file: texts of keys of a range of parts. */
typedef struct kept_piece {
    uint64_t at, bytes; /* in the file, as a stored record */
    uint64_t first, last;
} kept_piece_t;

typedef struct kept_index {
    uint64_t bytes, most, field_most; /* of texts: how many there are, and both bounds */
    kept_count_t groups;
    kept_count_t *fields; /* **owned**, [count] single and then multi */
    uint64_t count;
    kept_piece_t *pieces; /* **owned**, [n], ascending in the file */
    uint64_t n;
} kept_index_t;

/* kept_texts_part - of a key. */
int kept_texts_part(uint64_t key);

/* kept_index_encode / decode - behind the pieces; false where it is none of a file in which `end` bytes are before it, and *out
 * is empty then.  kept_index_fini. */
void kept_index_encode(const kept_index_t *index, record_t *out);
WARN_UNUSED bool kept_index_decode(const record_t *raw, uint64_t end, kept_index_t *out);
void kept_index_fini(kept_index_t *index);

/* kept_index_values - of fields and query ids together. */
kept_count_t kept_index_values(const kept_index_t *index);

/* The last bytes of the file. */
typedef struct kept_tail {
    uint64_t magic, version, index_at, index_bytes;
    uint64_t content_hash; /* of the dataset */
    uint64_t hash;         /* of what is before it here */
} kept_tail_t;

/* kept_tail_make - with the hash. */
kept_tail_t kept_tail_make(uint64_t index_at, uint64_t index_bytes, uint64_t content_hash);

/* Texts of a piece, read. A piece is:
 *
 *     u64 n, u64 keyed, u64 key[keyed], u8 length[n], the texts without anything between
 *
 * The first `keyed` are of keys that are not the hashes of their texts, such as those of texts that were cut. */
typedef struct kept_table {
    uint64_t n, keyed;
    uint64_t *key;  /* **owned** */
    uint32_t *at;   /* **owned**, [n + 1] in text */
    uint32_t *slot; /* **owned**, [mask + 1] number + 1 of a text, by its key */
    uint64_t mask;
    const char *text; /* borrowed from the record */
} kept_table_t;

/* kept_table_read - false where the record is no piece, and *out is empty then. The record stays as it is while it is used.
 * kept_table_find - the number of a key's text, or -1.  kept_table_fini. */
WARN_UNUSED bool kept_table_read(const record_t *raw, kept_table_t *out);
int64_t kept_table_find(const kept_table_t *table, uint64_t key);
void kept_table_fini(kept_table_t *table);

/* ---- the reader ---- */

typedef struct kept_texts kept_texts_t;

/* kept_texts_open - those of the dataset in the folder. NULL where there are none, or where something is wrong, which `fault`
 * says then, else "". **owned**, kept_texts_close. */
kept_texts_t *kept_texts_open(const char *folder, uint64_t content_hash, char fault[KEPT_TEXTS_FAULT]);
void kept_texts_close(kept_texts_t **kept);
const kept_index_t *kept_texts_index(const kept_texts_t *kept);

typedef struct kept_text {
    const char *at; /* borrowed until close */
    size_t bytes;
    bool is_cut; /* there was more */
} kept_text_t;

/* kept_texts_find - a key's text; false where there is none, or where the piece that it would be in is damaged, which `fault`
 * says then, else "".  Cost: at first the pieces of the key's part, a 256th of the file, which stay in memory. */
WARN_UNUSED bool kept_texts_find(kept_texts_t *kept, uint64_t key, kept_text_t *out, char fault[KEPT_TEXTS_FAULT]);

/* kept_texts_verify - read every piece; false where one is damaged, which `fault` says. */
WARN_UNUSED bool kept_texts_verify(kept_texts_t *kept, char fault[KEPT_TEXTS_FAULT]);

#endif
