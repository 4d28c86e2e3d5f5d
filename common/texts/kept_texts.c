/* The file: a magic number of 8 bytes, pieces, an index, and a tail of 48 bytes that says where the index is. Pieces and index
 * are stored records (stored_record.h), each with hashes of its own; the tail has one, and names the dataset.
 *
 * Keys are divided into 256 parts, so that a few keys can be looked up without reading all. A piece is of one part, or, of what
 * was left at the end, of several in a row: a small file has one piece. Nearly all keys are hashes of the texts, and are made
 * again from them: a key of 8 bytes that cannot be compressed would be more than half of the file.
 *
 * Rejected: records in data.mdb, which would be pages of the file that training reads, with their checksums in memory, and
 * could not be removed by who has to keep the texts to himself. A file in the order of keys: a sort at the end, of what import
 * else never holds in memory. */
#include "common/texts/kept_texts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/data/dataset.h"
#include "common/data/dataset_file.h"
#include "common/data/stored_record.h"
#include "common/data/value_count.h"
#include "common/files/file.h"

#define MAGIC 0x3153545845544d53u /* "SMTEXTS1" */
#define VERSION 1
#define PIECE_LEAST (4 * sizeof(uint64_t)) /* bytes of the index that a piece takes */
#define CUT_LEAST (VALUE_TEXT_MOST - 3)    /* a text was cut there at the earliest */

_Static_assert(sizeof(kept_tail_t) == 48, "no padding");

int kept_texts_part(uint64_t key)
{
    return (int)(hash_mix(key) >> 56);
}

kept_tail_t kept_tail_make(uint64_t index_at, uint64_t index_bytes, uint64_t content_hash)
{
    kept_tail_t tail = {MAGIC, VERSION, index_at, index_bytes, content_hash, 0};
    tail.hash = hash64(&tail, offsetof(kept_tail_t, hash), 0);
    return tail;
}

/* ---- the index ---- */

void kept_index_encode(const kept_index_t *index, record_t *out)
{
    record_put_u64(out, index->bytes);
    record_put_u64(out, index->most);
    record_put_u64(out, index->field_most);
    record_put(out, &index->groups, sizeof index->groups);
    record_put_u64(out, index->count);
    record_put(out, index->fields, index->count * sizeof *index->fields);
    record_put_u64(out, index->n);
    record_put(out, index->pieces, index->n * sizeof *index->pieces);
}

void kept_index_fini(kept_index_t *index)
{
    mem_free(index->fields);
    mem_free(index->pieces);
    *index = (kept_index_t){0};
}

kept_count_t kept_index_values(const kept_index_t *index)
{
    kept_count_t all = index->groups;
    for (uint64_t f = 0; f < index->count; f++) {
        all.kept += index->fields[f].kept;
        all.left += index->fields[f].left;
    }
    return all;
}

static bool are_pieces(const kept_piece_t *piece, uint64_t n, uint64_t end)
{
    uint64_t at = sizeof(uint64_t);
    for (uint64_t i = 0; i < n; i++) {
        if (piece[i].at != at || piece[i].bytes > end - at || piece[i].first > piece[i].last ||
            piece[i].last >= KEPT_TEXTS_PARTS)
            return false;
        at += piece[i].bytes;
    }
    return at == end;
}

bool kept_index_decode(const record_t *raw, uint64_t end, kept_index_t *out)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    *out = (kept_index_t){0};
    out->bytes = record_take_u64(&in);
    out->most = record_take_u64(&in);
    out->field_most = record_take_u64(&in);
    out->groups.kept = record_take_u64(&in);
    out->groups.left = record_take_u64(&in);
    const uint64_t count = record_take_u64(&in);
    const void *fields = record_take(&in, count, sizeof *out->fields);
    const uint64_t n = record_take_u64(&in);
    const void *pieces = record_take(&in, n, sizeof *out->pieces);
    if (in.bad || end < sizeof(uint64_t)) {
        *out = (kept_index_t){0};
        return false;
    }
    out->count = count;
    out->n = n;
    out->fields = mem_alloc((size_t)count, sizeof *out->fields);
    out->pieces = mem_alloc((size_t)n, sizeof *out->pieces);
    if (count > 0)
        memcpy(out->fields, fields, (size_t)count * sizeof *out->fields);
    if (n > 0)
        memcpy(out->pieces, pieces, (size_t)n * sizeof *out->pieces);
    const bool good = are_pieces(out->pieces, n, end);
    if (!good)
        kept_index_fini(out);
    return good;
}

/* ---- a piece ---- */

void kept_table_fini(kept_table_t *table)
{
    mem_free(table->key);
    mem_free(table->at);
    mem_free(table->slot);
    *table = (kept_table_t){0};
}

static void fill_table(kept_table_t *table)
{
    for (uint64_t i = 0; i < table->n; i++) {
        if (i >= table->keyed)
            table->key[i] = dataset_key(table->text + table->at[i], (int)(table->at[i + 1] - table->at[i]));
        uint64_t s = hash_mix(table->key[i]) & table->mask;
        while (table->slot[s])
            s = (s + 1) & table->mask;
        table->slot[s] = (uint32_t)i + 1;
    }
}

bool kept_table_read(const record_t *raw, kept_table_t *out)
{
    record_reader_t in = {.at = raw->at, .bytes = raw->bytes};
    *out = (kept_table_t){0};
    const uint64_t n = record_take_u64(&in), keyed = record_take_u64(&in);
    if (in.bad || n > raw->bytes || keyed > n)
        return false;
    const uint64_t *key = record_take(&in, keyed, sizeof *key);
    const uint8_t *length = record_take(&in, n, 1);
    if (in.bad)
        return false;
    out->n = n;
    out->keyed = keyed;
    out->at = MEM_ARRAY(uint32_t, n + 1);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < n; i++) {
        bytes += length[i];
        out->at[i + 1] = (uint32_t)bytes;
    }
    out->text = record_take(&in, bytes, 1);
    if (in.bad || bytes > UINT32_MAX) {
        kept_table_fini(out);
        return false;
    }
    out->key = MEM_ARRAY(uint64_t, n);
    if (keyed > 0)
        memcpy(out->key, key, (size_t)keyed * sizeof *key);
    for (out->mask = 7; out->mask < 2 * n;)
        out->mask = out->mask * 2 + 1;
    out->slot = MEM_ARRAY(uint32_t, out->mask + 1);
    fill_table(out);
    return true;
}

int64_t kept_table_find(const kept_table_t *table, uint64_t key)
{
    if (table->n == 0)
        return -1;
    for (uint64_t s = hash_mix(key) & table->mask; table->slot[s]; s = (s + 1) & table->mask)
        if (table->key[table->slot[s] - 1] == key)
            return table->slot[s] - 1;
    return -1;
}

/* ---- the reader ---- */

struct kept_texts {
    int descriptor;
    uint64_t bytes; /* of the file */
    kept_index_t index;
    record_t *raw; /* [index.n] pieces that were read */
    kept_table_t *table;
    bool *is_read;
    record_t stored;
};

static void put_fault(char fault[KEPT_TEXTS_FAULT], const char *what)
{
    snprintf(fault, KEPT_TEXTS_FAULT, "%s", what);
}

void kept_texts_close(kept_texts_t **kept)
{
    kept_texts_t *k = *kept;
    if (!k)
        return;
    for (uint64_t i = 0; k->raw && i < k->index.n; i++) {
        record_fini(&k->raw[i]);
        kept_table_fini(&k->table[i]);
    }
    mem_free(k->raw);
    mem_free(k->table);
    mem_free(k->is_read);
    kept_index_fini(&k->index);
    record_fini(&k->stored);
    if (k->descriptor >= 0)
        close(k->descriptor);
    mem_free(k);
    *kept = NULL;
}

static bool read_at(const kept_texts_t *k, uint64_t at, void *out, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t n = pread(k->descriptor, (char *)out + done, bytes - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool read_record(kept_texts_t *k, uint64_t at, uint64_t bytes, record_t *raw)
{
    MEM_GROW(k->stored.at, k->stored.capacity, (size_t)bytes);
    return read_at(k, at, k->stored.at, (size_t)bytes) &&
           stored_record_unpack(k->stored.at, (size_t)bytes, raw) == STORED_RECORD_GOOD;
}

static bool read_index(kept_texts_t *k, const kept_tail_t *tail)
{
    record_t raw = {0};
    const bool good =
        read_record(k, tail->index_at, tail->index_bytes, &raw) && kept_index_decode(&raw, tail->index_at, &k->index);
    record_fini(&raw);
    return good;
}

/* Head, tail and index: "", or what is wrong. */
static void read_ends(kept_texts_t *k, uint64_t content_hash, char fault[KEPT_TEXTS_FAULT])
{
    kept_tail_t tail = {0};
    uint64_t magic = 0;
    struct stat st;
    fault[0] = 0;
    if (fstat(k->descriptor, &st) != 0 || !S_ISREG(st.st_mode)) {
        put_fault(fault, "is no file");
        return;
    }
    k->bytes = (uint64_t)st.st_size;
    if (k->bytes < sizeof magic + sizeof tail || !read_at(k, 0, &magic, sizeof magic) ||
        !read_at(k, k->bytes - sizeof tail, &tail, sizeof tail) || magic != MAGIC || tail.magic != MAGIC ||
        tail.hash != hash64(&tail, offsetof(kept_tail_t, hash), 0))
        put_fault(fault, "is cut short or damaged");
    else if (tail.version != VERSION)
        snprintf(fault, KEPT_TEXTS_FAULT, "is of version %" PRIu64 ", and this smelter knows %d", tail.version, VERSION);
    else if (tail.content_hash != content_hash)
        put_fault(fault, "is of another dataset");
    else if (tail.index_at > k->bytes || tail.index_bytes != k->bytes - sizeof tail - tail.index_at || !read_index(k, &tail))
        put_fault(fault, "has a damaged index");
}

kept_texts_t *kept_texts_open(const char *folder, uint64_t content_hash, char fault[KEPT_TEXTS_FAULT])
{
    char *path = mem_printf("%s/" DATASET_TEXTS, folder);
    kept_texts_t *k = MEM_NEW(kept_texts_t);
    fault[0] = 0;
    k->descriptor = file_open(path, O_RDONLY, 0);
    if (k->descriptor >= 0)
        read_ends(k, content_hash, fault);
    else if (errno != ENOENT && errno != ENOTDIR)
        snprintf(fault, KEPT_TEXTS_FAULT, "cannot be read: %m");
    mem_free(path);
    if (k->descriptor < 0 || *fault) {
        kept_texts_close(&k);
        return NULL;
    }
    k->raw = MEM_ARRAY(record_t, k->index.n);
    k->table = MEM_ARRAY(kept_table_t, k->index.n);
    k->is_read = MEM_ARRAY(bool, k->index.n);
    return k;
}

const kept_index_t *kept_texts_index(const kept_texts_t *kept)
{
    return &kept->index;
}

static bool read_piece(kept_texts_t *k, uint64_t i, char fault[KEPT_TEXTS_FAULT])
{
    const kept_piece_t *piece = &k->index.pieces[i];
    if (k->is_read[i])
        return true;
    k->is_read[i] = read_record(k, piece->at, piece->bytes, &k->raw[i]) && kept_table_read(&k->raw[i], &k->table[i]);
    if (!k->is_read[i])
        snprintf(fault, KEPT_TEXTS_FAULT, "has a damaged piece at byte %" PRIu64, piece->at);
    return k->is_read[i];
}

bool kept_texts_find(kept_texts_t *k, uint64_t key, kept_text_t *out, char fault[KEPT_TEXTS_FAULT])
{
    const uint64_t part = (uint64_t)kept_texts_part(key);
    fault[0] = 0;
    for (uint64_t i = 0; i < k->index.n; i++) {
        if (part < k->index.pieces[i].first || part > k->index.pieces[i].last)
            continue;
        if (!read_piece(k, i, fault))
            return false;
        const kept_table_t *table = &k->table[i];
        const int64_t number = kept_table_find(table, key);
        if (number < 0)
            continue;
        const size_t bytes = table->at[number + 1] - table->at[number];
        *out = (kept_text_t){table->text + table->at[number], bytes, (uint64_t)number < table->keyed && bytes >= CUT_LEAST};
        return true;
    }
    return false;
}

bool kept_texts_verify(kept_texts_t *k, char fault[KEPT_TEXTS_FAULT])
{
    bool good = true;
    fault[0] = 0;
    for (uint64_t i = 0; i < k->index.n && good; i++) {
        const bool was_read = k->is_read[i];
        good = read_piece(k, i, fault);
        if (was_read)
            continue;
        record_fini(&k->raw[i]);
        kept_table_fini(&k->table[i]);
        k->is_read[i] = false;
    }
    return good;
}
