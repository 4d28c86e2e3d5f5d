/* Texts gather in a piece for each part of the keys; a piece that is full is packed by whoever filled it, after its turn, and
 * goes to the file. What is left at the end is packed with its neighbours. */
#include "common/texts/text_keeper.h"

#include "common/data/dataset.h"
#include "common/data/dataset_file.h"
#include "common/data/stored_record.h"
#include "common/data/value_count.h"
#include "common/files/disk.h"
#include "common/texts/kept_texts.h"

#define PIECE_BYTES ((size_t)65000) /* of a full one, so that with a text more it has room in 64 KiB */
#define SHORT ((size_t)16)
#define ROOM_LEAST ((size_t)1 << 10)
#define ENTRY_HEAD (sizeof(uint64_t) + 1) /* of a text in a piece */
#define GROUPS_KNOWN ((size_t)1 << 18)    /* query ids that are known to be kept already, the last ones: 2 MiB */

/* Of each text its key, a byte with its length, and itself. */
struct text_piece {
    uint64_t first, last;
    uint8_t *bytes; /* **owned**, [used] of room for them */
    size_t used, room, n;
    record_t stored;
};

struct text_keeper {
    disk_file_t *file;
    kept_index_t index; /* bytes, bounds and counts: who adds; pieces: who writes */
    size_t pieces_capacity;
    uint64_t end;          /* of the file */
    uint64_t *field_bytes; /* [index.count + 1] the last of query ids */
    text_piece_t part[KEPT_TEXTS_PARTS];
    text_piece_t *full; /* [count] */
    size_t count, full_capacity;
    text_piece_t *spare; /* [spares] memory of pieces that were written */
    size_t spares, spare_capacity;
    uint64_t *known; /* [GROUPS_KNOWN] by the key, or NULL */
};

/* ---- pieces ---- */

static void piece_fini(text_piece_t *piece)
{
    mem_free(piece->bytes);
    record_fini(&piece->stored);
    *piece = (text_piece_t){0};
}

/* Room for a text more, or for many, and behind it for SHORT. */
static uint8_t *piece_room(text_piece_t *piece, size_t bytes)
{
    const size_t wanted = piece->used + bytes + SHORT;
    if (wanted > piece->room)
        MEM_GROW(piece->bytes, piece->room, wanted < ROOM_LEAST ? ROOM_LEAST : wanted);
    return piece->bytes + piece->used;
}

/* Most texts are shorter than what a call of memcpy is worth. Up to SHORT bytes behind the text are copied with it. */
static void copy_text(uint8_t *to, const uint8_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += SHORT)
        memcpy(to + i, from + i, SHORT);
}

static void piece_put(text_piece_t *piece, uint64_t key, const char *text, size_t bytes)
{
    uint8_t *at = piece_room(piece, ENTRY_HEAD + bytes);
    memcpy(at, &key, sizeof key);
    at[sizeof key] = (uint8_t)bytes;
    memcpy(at + ENTRY_HEAD, text, bytes);
    piece->used += ENTRY_HEAD + bytes;
    piece->n++;
}

static uint64_t entry_key(const uint8_t *entry)
{
    uint64_t key;
    memcpy(&key, entry, sizeof key);
    return key;
}

static size_t entry_bytes(const uint8_t *entry)
{
    return entry[ENTRY_HEAD - 1];
}

/* Which texts are not what their keys are hashes of; returns how many. */
static uint64_t find_keyed(const text_piece_t *piece, uint8_t *is_keyed)
{
    uint64_t keyed = 0;
    const uint8_t *at = piece->bytes;
    for (size_t i = 0; i < piece->n; i++, at += ENTRY_HEAD + entry_bytes(at)) {
        is_keyed[i] = dataset_key((const char *)at + ENTRY_HEAD, (int)entry_bytes(at)) != entry_key(at);
        keyed += is_keyed[i];
    }
    return keyed;
}

/* Those with keys of their own before the others, each kind in its order. */
static void encode(const text_piece_t *piece, record_t *raw)
{
    uint8_t *is_keyed = MEM_ARRAY(uint8_t, piece->n);
    const uint64_t keyed = find_keyed(piece, is_keyed);
    record_clear(raw);
    record_put_u64(raw, piece->n);
    record_put_u64(raw, keyed);
    const size_t keys_at = raw->bytes, lengths_at = keys_at + (size_t)keyed * sizeof(uint64_t);
    const size_t texts_at = lengths_at + ((piece->n + 7) & ~(size_t)7);
    record_room(raw, texts_at - keys_at + piece->used - piece->n * ENTRY_HEAD);
    MEM_GROW(raw->at, raw->capacity, raw->bytes + SHORT);
    uint8_t *key = raw->at + keys_at, *length = raw->at + lengths_at, *text = raw->at + texts_at;
    for (int kind = keyed > 0; kind >= 0; kind--) {
        const uint8_t *at = piece->bytes;
        for (size_t i = 0; i < piece->n; i++, at += ENTRY_HEAD + entry_bytes(at)) {
            if (is_keyed[i] != kind)
                continue;
            const size_t bytes = entry_bytes(at);
            if (kind) {
                memcpy(key, at, sizeof(uint64_t));
                key += sizeof(uint64_t);
            }
            *length++ = (uint8_t)bytes;
            copy_text(text, at + ENTRY_HEAD, bytes);
            text += bytes;
        }
    }
    mem_free(is_keyed);
}

static void pack(text_piece_t *piece, record_t *raw, compressor_t *compressor)
{
    encode(piece, raw);
    stored_record_pack(raw, compressor, &piece->stored);
}

static status_t write_piece(text_keeper_t *k, const text_piece_t *piece)
{
    kept_index_t *index = &k->index;
    TRY(disk_append(k->file, piece->stored.at, piece->stored.bytes));
    MEM_GROW(index->pieces, k->pieces_capacity, (size_t)index->n + 1);
    index->pieces[index->n++] = (kept_piece_t){k->end, piece->stored.bytes, piece->first, piece->last};
    k->end += piece->stored.bytes;
    return ST_OK;
}

/* ---- create and destroy ---- */

void text_keeper_destroy(text_keeper_t **keeper)
{
    text_keeper_t *k = *keeper;
    if (!k)
        return;
    for (int p = 0; p < KEPT_TEXTS_PARTS; p++)
        piece_fini(&k->part[p]);
    for (size_t i = 0; i < k->count; i++)
        piece_fini(&k->full[i]);
    for (size_t i = 0; i < k->spares; i++)
        piece_fini(&k->spare[i]);
    disk_close(&k->file);
    kept_index_fini(&k->index);
    mem_free(k->full);
    mem_free(k->spare);
    mem_free(k->field_bytes);
    mem_free(k->known);
    mem_free(k);
    *keeper = NULL;
}

status_t text_keeper_create(const char *folder, int fields, int64_t most, int64_t field_most, text_keeper_t **out)
{
    text_keeper_t *k = MEM_NEW(text_keeper_t);
    char *path = mem_printf("%s/" DATASET_TEXTS, folder);
    const uint64_t magic = kept_tail_make(0, 0, 0).magic;
    status_t status;
    TRY_DONE(disk_create(disk_posix(), path, &k->file));
    TRY_DONE(disk_append(k->file, &magic, sizeof magic));
    k->end = sizeof magic;
    k->index.most = (uint64_t)most;
    k->index.field_most = (uint64_t)field_most;
    k->index.count = (uint64_t)fields;
    k->index.fields = MEM_ARRAY(kept_count_t, fields);
    k->field_bytes = MEM_ARRAY(uint64_t, fields + 1);
    *out = k;
    k = NULL;
done:
    text_keeper_destroy(&k);
    mem_free(path);
    return status;
}

/* ---- add ---- */

/* Without the beginning of a character that was cut. */
static size_t whole_characters(const char *text, size_t bytes)
{
    if (bytes < VALUE_TEXT_MOST)
        return bytes;
    size_t first = bytes - 1;
    while (first > bytes - 4 && ((unsigned char)text[first] & 0xc0) == 0x80)
        first--;
    const unsigned char lead = (unsigned char)text[first];
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return first + length > bytes ? first : bytes;
}

static void add(text_keeper_t *k, kept_count_t *count, uint64_t *of_field, uint64_t key, const char *text, size_t bytes)
{
    bytes = whole_characters(text, bytes);
    if (k->index.bytes + bytes > k->index.most || *of_field + bytes > k->index.field_most) {
        count->left++;
        return;
    }
    count->kept++;
    k->index.bytes += bytes;
    *of_field += bytes;
    const int p = kept_texts_part(key);
    text_piece_t *piece = &k->part[p];
    if (!piece->bytes && k->spares > 0)
        *piece = k->spare[--k->spares];
    piece_put(piece, key, text, bytes);
    if (piece->used < PIECE_BYTES)
        return;
    piece->first = piece->last = (uint64_t)p;
    MEM_GROW(k->full, k->full_capacity, k->count + 1);
    k->full[k->count++] = *piece;
    *piece = (text_piece_t){0};
}

void text_keeper_add(text_keeper_t *k, int field, uint64_t key, const char *text, size_t bytes)
{
    add(k, &k->index.fields[field], &k->field_bytes[field], key, text, bytes);
}

void text_keeper_add_group(text_keeper_t *k, uint64_t key, const char *text, size_t bytes)
{
    if (!k->known)
        k->known = MEM_ARRAY(uint64_t, GROUPS_KNOWN);
    uint64_t *known = &k->known[key % GROUPS_KNOWN];
    if (*known == key)
        return;
    *known = key;
    add(k, &k->index.groups, &k->field_bytes[k->index.count], key, text, bytes);
}

/* ---- batches ---- */

void text_keeper_take(text_keeper_t *k, text_batch_t *batch)
{
    ASSERT(batch->count == 0);
    MEM_GROW(k->spare, k->spare_capacity, k->spares + batch->spent);
    for (size_t i = 0; i < batch->spent; i++)
        k->spare[k->spares++] = batch->piece[i];
    batch->spent = 0;
    MEM_GROW(batch->piece, batch->capacity, k->count);
    for (size_t i = 0; i < k->count; i++)
        batch->piece[i] = k->full[i];
    batch->count = k->count;
    k->count = 0;
}

void text_batch_pack(text_batch_t *batch, bool compress)
{
    if (compress && batch->count > 0 && !batch->compressor)
        batch->compressor = compressor_create_quick();
    for (size_t i = 0; i < batch->count; i++)
        pack(&batch->piece[i], &batch->raw, batch->compressor);
}

status_t text_keeper_write(text_keeper_t *k, text_batch_t *batch)
{
    status_t status = ST_OK;
    for (size_t i = 0; i < batch->count; i++) {
        if (status == ST_OK)
            status = write_piece(k, &batch->piece[i]);
        batch->piece[i].used = batch->piece[i].n = 0;
    }
    batch->spent = batch->count;
    batch->count = 0;
    return status;
}

void text_batch_fini(text_batch_t *batch)
{
    for (size_t i = 0; i < batch->count + batch->spent; i++) /* one of them is 0 */
        piece_fini(&batch->piece[i]);
    mem_free(batch->piece);
    compressor_destroy(&batch->compressor);
    record_fini(&batch->raw);
    *batch = (text_batch_t){0};
}

/* ---- finish ---- */

static void piece_append(text_piece_t *piece, const text_piece_t *more, uint64_t part)
{
    if (piece->n == 0)
        piece->first = part;
    piece->last = part;
    memcpy(piece_room(piece, more->used), more->bytes, more->used);
    piece->used += more->used;
    piece->n += more->n;
}

static status_t write_rest(text_keeper_t *k, record_t *raw, compressor_t *compressor)
{
    text_piece_t rest = {0};
    status_t status;
    for (int p = 0; p < KEPT_TEXTS_PARTS; p++) {
        if (k->part[p].n > 0)
            piece_append(&rest, &k->part[p], (uint64_t)p);
        piece_fini(&k->part[p]);
        if (rest.n == 0 || (rest.used < PIECE_BYTES && p + 1 < KEPT_TEXTS_PARTS))
            continue;
        pack(&rest, raw, compressor);
        TRY_DONE(write_piece(k, &rest));
        piece_fini(&rest);
    }
    status = ST_OK;
done:
    piece_fini(&rest);
    return status;
}

status_t text_keeper_finish(text_keeper_t *k, bool compress, uint64_t content_hash)
{
    compressor_t *compressor = compress ? compressor_create_quick() : NULL;
    record_t raw = {0}, stored = {0};
    kept_tail_t tail;
    status_t status;
    ASSERT(k->count == 0);
    TRY_DONE(write_rest(k, &raw, compressor));
    record_clear(&raw);
    kept_index_encode(&k->index, &raw);
    stored_record_pack(&raw, compressor, &stored);
    TRY_DONE(disk_append(k->file, stored.at, stored.bytes));
    tail = kept_tail_make(k->end, stored.bytes, content_hash);
    TRY_DONE(disk_append(k->file, &tail, sizeof tail));
    status = disk_sync(k->file);
done:
    compressor_destroy(&compressor);
    record_fini(&raw);
    record_fini(&stored);
    return status;
}
