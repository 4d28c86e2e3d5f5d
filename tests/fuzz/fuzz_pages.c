/* An LMDB file read without LMDB (common/files/lmdb_pages.h): one that LMDB wrote, of a branch, leaves and a value with pages
 * of its own, changed in places.
 *
 *     u8 {bit 0: with checksums of what it was, bit 2: cut}, u16 bytes that are cut off,
 *     changes: u8 page, u16 place, u8 n, n bytes                                                                             */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/lmdb_pages.h"
#include "common/files/page_sums.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"
#include "tests/lib/testing.h"

enum { PAGE = 4096, KEYS = 150, BIG = 9000, CHANGES_MOST = 24, FOLDER_BYTES = 512 };
#define TREE "rows"

static char *base, *base_sums; /* as LMDB left it, and its checksums */
static size_t base_bytes, sums_bytes;

static void put(MDB_txn *txn, MDB_dbi dbi, const char *key, size_t bytes)
{
    static char value[BIG] = "value";
    MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {bytes, value};
    const int code = mdb_put(txn, dbi, &k, &v, 0);
    ASSERT(code == 0);
}

static void make_base(void)
{
    char folder[FOLDER_BYTES], key[32];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi rows;
    snprintf(folder, sizeof folder, "%s", test_dir());
    ASSERT(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 2) == 0 && mdb_env_open(env, folder, MDB_NOLOCK, 0600) == 0);
    ASSERT(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, TREE, MDB_CREATE, &rows) == 0);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key %04d", i);
        put(txn, rows, key, i == KEYS / 2 ? BIG : 90);
    }
    ASSERT(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    status_t status = lmdb_pages_seal(disk_posix(), folder, "base");
    ASSERT(status == ST_OK);
    char *path = mem_printf("%s/" LMDB_DATA, folder), *sums = mem_printf("%s/" LMDB_SUMS, folder);
    status = file_read(path, &base, &base_bytes);
    ASSERT(status == ST_OK && base_bytes % PAGE == 0);
    status = file_read(sums, &base_sums, &sums_bytes);
    ASSERT(status == ST_OK);
    mem_free(path);
    mem_free(sums);
}

static status_t see(void *context, const lmdb_node_t *node)
{
    int64_t *sum = context;
    for (size_t i = 0; i < node->key.bytes; i++)
        *sum += node->key.at[i];
    for (size_t i = 0; i < node->data.bytes; i++)
        *sum += node->data.at[i];
    return ST_OK;
}

static void read_all(lmdb_pages_t *pages)
{
    lmdb_tree_t tree = {0};
    lmdb_bytes_t value;
    char key[32];
    volatile int64_t seen;
    int64_t sum = 0;
    bool found;
    status_t status = lmdb_pages_find_tree(pages, TREE, &tree);
    if (status == ST_OK)
        status = lmdb_pages_scan(pages, &tree, see, &sum);
    for (int i = 0; i < KEYS && tree.depth; i += KEYS / 6) {
        const int length = snprintf(key, sizeof key, "key %04d", i);
        if (lmdb_pages_get(pages, &tree, (lmdb_bytes_t){(const uint8_t *)key, (size_t)length}, &value, &found) != ST_OK ||
            !found)
            continue;
        for (size_t b = 0; b < value.bytes; b++)
            sum += value.at[b];
    }
    seen = sum;
    (void)seen;
    status = lmdb_pages_verify(pages);
    ASSERT(status == ST_OK || status == ST_CORRUPT);
}

static size_t change(fuzz_input_t *in, char *file, unsigned what)
{
    const size_t cut = fuzz_number(in, 2);
    for (int i = 0; i < CHANGES_MOST && in->left > 0; i++) {
        const size_t page = fuzz_byte(in) % (base_bytes / PAGE), place = fuzz_number(in, 2) % PAGE, n = fuzz_byte(in);
        for (size_t b = 0; b < n && place + b < PAGE && in->left > 0; b++)
            file[page * PAGE + place + b] = (char)fuzz_byte(in);
    }
    return what & 4 ? base_bytes - cut % base_bytes : base_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const unsigned what = fuzz_byte(&in);
    if (!base)
        make_base();
    char *file = MEM_ARRAY(char, base_bytes);
    memcpy(file, base, base_bytes);
    const size_t bytes = change(&in, file, what);
    fuzz_file(LMDB_DATA, file, bytes);
    if (what & 1)
        fuzz_file(LMDB_SUMS, base_sums, sums_bytes);
    lmdb_pages_t *pages = NULL;
    if (lmdb_pages_open(fuzz_disk(), "/none", "the file", "make it again", &pages) == ST_OK) {
        ASSERT(lmdb_pages_bytes(pages) == (int64_t)bytes && lmdb_pages_meta(pages)->page_bytes > 0);
        read_all(pages);
    }
    lmdb_pages_close(&pages);
    fuzz_files_forget();
    mem_free(file);
    return 0;
}

void fuzz_seeds(void)
{
    static const uint8_t whole[] = {0, 0, 0}, sums[] = {1, 0, 0}, cut[] = {4, 0, 0x20};
    fuzz_seed("whole", whole, sizeof whole);
    fuzz_seed("sums", sums, sizeof sums);
    fuzz_seed("cut", cut, sizeof cut);
    for (uint8_t page = 0; page < 6; page++) {
        const uint8_t head[] = {0, 0, 0, page, 8, 0, 8, page, 0, page, 0, 16, 0, 0, 1};
        char *name = mem_printf("head-%u", page);
        fuzz_seed(name, head, sizeof head);
        mem_free(name);
    }
}
