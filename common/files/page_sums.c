#include "common/files/page_sums.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/memory.h"

#define MAGIC 0x31534d5553504d53u /* "SMPSUMS1" */
#define VERSION 1
#define BLOCK 512                         /* sums that are read at a time, 4 KB of the disk */
#define PAGES_MOST ((uint64_t)1 << 48)    /* of any file */
#define APPENDED_LEAST ((int64_t)1 << 20) /* bytes of changes that are worth no saving yet */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sums are written as they lie in memory");

typedef enum record_kind { RECORD_ALL = 1, RECORD_LIVE, RECORD_CHANGE } record_kind_t;

typedef struct sums_head {
    uint64_t magic;
    uint32_t version, page_bytes;
    uint64_t hash;
} sums_head_t;

typedef struct sums_record {
    uint64_t kind, txn, pages, n, entries_hash, hash;
} sums_record_t;

typedef struct changed_sum {
    uint64_t page, sum;
} changed_sum_t;

#define TABLE_AT ((int64_t)(sizeof(sums_head_t) + sizeof(sums_record_t)))

struct page_sums {
    disk_t *disk;
    char *path;
    const char *advice;
    disk_file_t *file; /* opened sums: the table is fetched from it; created ones: changes are appended; else NULL */
    page_sums_state_t state;
    uint64_t stored;  /* opened sums: of pages below this one the table is stored */
    uint64_t **block; /* [block_capacity] of BLOCK sums, or NULL where none was fetched or set */
    size_t block_capacity;
    int64_t appended; /* bytes of changes behind the table */
};

page_sums_t *page_sums_create(disk_t *disk, const char *path)
{
    page_sums_t *sums = MEM_NEW(page_sums_t);
    sums->disk = disk;
    sums->path = mem_strdup(path);
    return sums;
}

void page_sums_close(page_sums_t **sums)
{
    page_sums_t *s = *sums;
    if (!s)
        return;
    disk_close(&s->file);
    for (size_t b = 0; b < s->block_capacity; b++)
        mem_free(s->block[b]);
    mem_free(s->block);
    mem_free(s->path);
    mem_free(s);
    *sums = NULL;
}

const page_sums_state_t *page_sums_state(const page_sums_t *sums)
{
    return &sums->state;
}

static uint64_t *block_of(page_sums_t *sums, uint64_t page)
{
    const size_t b = page / BLOCK;
    MEM_GROW(sums->block, sums->block_capacity, b + 1);
    if (!sums->block[b])
        sums->block[b] = MEM_ARRAY(uint64_t, BLOCK);
    return sums->block[b];
}

void page_sums_set(page_sums_t *sums, uint64_t page, uint64_t sum)
{
    block_of(sums, page)[page % BLOCK] = sum;
}

/* ---- read ------------------------------------------------------------------------------------------------------------ */

/* The block that holds a page's sum, from the disk where it is there for the first time. */
static status_t fetch(page_sums_t *sums, uint64_t page, uint64_t **out)
{
    const size_t b = page / BLOCK;
    const uint64_t first = (uint64_t)b * BLOCK, n = sums->stored > first ? sums->stored - first : 0;
    const bool is_here = b < sums->block_capacity && sums->block[b];
    uint64_t *block = block_of(sums, page);
    *out = block;
    if (is_here || n == 0)
        return ST_OK;
    const status_t status =
        disk_read(sums->file, TABLE_AT + (int64_t)(first * sizeof *block), block, (n < BLOCK ? n : BLOCK) * sizeof *block);
    if (status != ST_OK) {
        mem_free(block);
        sums->block[b] = NULL;
    }
    return status;
}

status_t page_sums_get(page_sums_t *sums, uint64_t page, uint64_t *out)
{
    uint64_t *block = NULL;
    TRY(fetch(sums, page, &block));
    *out = block[page % BLOCK];
    return ST_OK;
}

static status_t damaged(const page_sums_t *sums, const char *what)
{
    return FAIL(ST_CORRUPT, "%s: holds the checksums of the pages of the file beside it, and is damaged: %s; %s", sums->path,
                what, sums->advice);
}

/* The record at `at`; *found is false where it is not whole. */
static status_t read_record(page_sums_t *sums, int64_t at, int64_t bytes, sums_record_t *out, bool *found)
{
    *found = false;
    if (bytes - at < (int64_t)sizeof *out)
        return ST_OK;
    TRY(disk_read(sums->file, at, out, sizeof *out));
    const uint64_t room = (uint64_t)(bytes - at) - sizeof *out,
                   size = out->kind == RECORD_CHANGE ? sizeof(changed_sum_t) : sizeof(uint64_t);
    *found = out->hash == hash64(out, offsetof(sums_record_t, hash), 0) && out->pages < PAGES_MOST && out->n <= room / size;
    return ST_OK;
}

static void take_state(page_sums_t *sums, const sums_record_t *record)
{
    sums->state.txn = record->txn;
    sums->state.pages = record->pages;
    sums->state.has_all = record->kind == RECORD_ALL;
}

/* A change whose head is whole: *found is false where its entries are not. */
static status_t read_change(page_sums_t *sums, int64_t at, const sums_record_t *record, bool *found)
{
    changed_sum_t *entries = mem_alloc(record->n, sizeof *entries);
    status_t status;
    TRY_DONE(disk_read(sums->file, at, entries, record->n * sizeof *entries));
    *found = hash64(entries, record->n * sizeof *entries, 0) == record->entries_hash;
    for (uint64_t i = 0; *found && i < record->n; i++)
        *found = entries[i].page < record->pages;
    for (uint64_t i = 0; *found && i < record->n; i++) {
        uint64_t *block = NULL;
        TRY_DONE(fetch(sums, entries[i].page, &block));
        block[entries[i].page % BLOCK] = entries[i].sum;
    }
    if (*found)
        take_state(sums, record);
done:
    mem_free(entries);
    return status;
}

/* Changes up to the first that is not whole: it was being written when its writer died. Where it is damaged instead, what was
 * built on its state does not fit the one before: the reader of the file's content finds that out, and this says why. */
static status_t read_changes(page_sums_t *sums, int64_t at, int64_t bytes)
{
    for (bool found = true; found;) {
        sums_record_t record = {0};
        TRY(read_record(sums, at, bytes, &record, &found));
        found = found && record.kind == RECORD_CHANGE && record.txn > sums->state.txn;
        if (found)
            TRY(read_change(sums, at + (int64_t)sizeof record, &record, &found));
        if (found)
            at += (int64_t)(sizeof record + record.n * sizeof(changed_sum_t));
        else if (at < bytes)
            log_warn("%s: its last record is not whole, by a crash or by damage: the state before it counts", sums->path);
    }
    return ST_OK;
}

static status_t read_all(page_sums_t *sums, int64_t bytes)
{
    sums_head_t head;
    sums_record_t table;
    bool found = false;
    if (bytes < TABLE_AT)
        return damaged(sums, "it is shorter than its head");
    TRY(disk_read(sums->file, 0, &head, sizeof head));
    if (head.magic != MAGIC || head.hash != hash64(&head, offsetof(sums_head_t, hash), 0))
        return damaged(sums, "its head is not what was written");
    if (head.version != VERSION)
        return FAIL(ST_CORRUPT, "%s: checksums of format %u; this build reads format %d: use the build that wrote them",
                    sums->path, head.version, VERSION);
    TRY(read_record(sums, sizeof head, bytes, &table, &found));
    if (!found || (table.kind != RECORD_ALL && table.kind != RECORD_LIVE) || table.n != table.pages)
        return damaged(sums, "its table is not what was written, or was cut short");
    sums->state.page_bytes = head.page_bytes;
    sums->stored = table.pages;
    take_state(sums, &table);
    if (table.kind == RECORD_ALL)
        return ST_OK;
    return read_changes(sums, TABLE_AT + (int64_t)(table.n * sizeof(uint64_t)), bytes);
}

status_t page_sums_open(disk_t *disk, const char *path, const char *advice, page_sums_t **out)
{
    page_sums_t *sums = page_sums_create(disk, path);
    int64_t bytes = 0;
    status_t status;
    sums->advice = advice;
    TRY_DONE(disk_open(disk, path, &sums->file, &bytes));
    TRY_DONE(read_all(sums, bytes));
    *out = sums;
    return ST_OK;
done:
    page_sums_close(&sums);
    return status;
}

/* ---- write ----------------------------------------------------------------------------------------------------------- */

static status_t append_record(page_sums_t *sums, record_kind_t kind, const page_sums_state_t *state, int64_t n,
                              uint64_t entries_hash)
{
    sums_record_t record = {kind, state->txn, state->pages, (uint64_t)n, entries_hash, 0};
    record.hash = hash64(&record, offsetof(sums_record_t, hash), 0);
    return disk_append(sums->file, &record, sizeof record);
}

static status_t append_table(page_sums_t *sums, const page_sums_state_t *state)
{
    static const uint64_t none[BLOCK];
    sums_head_t head = {MAGIC, VERSION, (uint32_t)state->page_bytes, 0};
    head.hash = hash64(&head, offsetof(sums_head_t, hash), 0);
    TRY(disk_append(sums->file, &head, sizeof head));
    TRY(append_record(sums, state->has_all ? RECORD_ALL : RECORD_LIVE, state, (int64_t)state->pages, 0));
    for (uint64_t first = 0; first < state->pages; first += BLOCK) {
        const size_t b = first / BLOCK, n = state->pages - first < BLOCK ? state->pages - first : BLOCK;
        const uint64_t *block = b < sums->block_capacity && sums->block[b] ? sums->block[b] : none;
        TRY(disk_append(sums->file, block, n * sizeof *block));
    }
    return disk_sync(sums->file);
}

static status_t sync_folder_of(page_sums_t *sums)
{
    char *folder = mem_strdup(sums->path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    const status_t status = disk_sync_dir(sums->disk, slash ? folder : ".");
    mem_free(folder);
    return status;
}

status_t page_sums_save(page_sums_t *sums, const page_sums_state_t *state)
{
    char *fresh = mem_printf("%s.tmp", sums->path);
    status_t status;
    disk_close(&sums->file);
    sums->appended = 0;
    TRY_DONE(disk_create(sums->disk, fresh, &sums->file));
    TRY_DONE(append_table(sums, state));
    TRY_DONE(disk_rename(sums->disk, fresh, sums->path));
    TRY_DONE(sync_folder_of(sums));
    sums->state = *state;
done:
    if (status != ST_OK)
        disk_close(&sums->file);
    mem_free(fresh);
    return status;
}

static status_t append_change(page_sums_t *sums, const page_sums_state_t *state, const uint64_t *pages, int64_t n)
{
    changed_sum_t *entries = MEM_ARRAY(changed_sum_t, n);
    const size_t bytes = (size_t)n * sizeof *entries;
    status_t status;
    for (int64_t i = 0; i < n; i++)
        entries[i] = (changed_sum_t){pages[i], block_of(sums, pages[i])[pages[i] % BLOCK]};
    TRY_DONE(append_record(sums, RECORD_CHANGE, state, n, hash64(entries, bytes, 0)));
    TRY_DONE(disk_append(sums->file, entries, bytes));
    TRY_DONE(disk_sync(sums->file));
    sums->appended += (int64_t)(sizeof(sums_record_t) + bytes);
    sums->state = *state;
done:
    if (status != ST_OK)
        disk_close(&sums->file);
    mem_free(entries);
    return status;
}

/* When the changes take more room than the table it is time to save the table anew; also after an error, which leaves the end
 * of the file open. */
status_t page_sums_commit(page_sums_t *sums, const page_sums_state_t *state, const uint64_t *pages, int64_t n)
{
    const int64_t table = (int64_t)(sums->state.pages * sizeof(uint64_t));
    ASSERT(!state->has_all);
    if (!sums->file || (sums->appended > APPENDED_LEAST && sums->appended > table))
        return page_sums_save(sums, state);
    return append_change(sums, state, pages, n);
}
