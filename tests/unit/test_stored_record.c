/* Proves of stored_record.h: what is packed is unpacked again, a changed bit is seen, and "never allocates more than data of
 * this length can hold". And of dataset.h, that records which fit their own checksums and not each other, as somebody may write
 * them on purpose, are refused before anything is made of them. */
#include "common/data/stored_record.h"

#include <sys/stat.h>

#include "common/base/hash.h"
#include "common/data/dataset_file.h"
#include "common/data/dataset_meta.h"
#include "tests/lib/testing.h"

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void test_round_trip(void **state)
{
    (void)state;
    compressor_t *compressor = compressor_create();
    record_t raw = {0}, stored = {0}, back = {0};
    for (int i = 0; i < 500; i++)
        record_put_u64(&raw, (uint64_t)i / 7);
    for (int compressed = 0; compressed < 2; compressed++) {
        const uint64_t hash = stored_record_pack(&raw, compressed ? compressor : NULL, &stored);
        assert_true(hash == hash64(raw.at, raw.bytes, 0));
        assert_true(compressed ? stored.bytes < raw.bytes : stored.bytes == raw.bytes + STORED_RECORD_HEAD_BYTES);
        assert_int_equal(stored_record_unpack(stored.at, stored.bytes, &back), STORED_RECORD_GOOD);
        assert_int_equal(back.bytes, raw.bytes);
        assert_memory_equal(back.at, raw.at, raw.bytes);
        for (size_t at = 0; at < stored.bytes; at++) {
            stored.at[at] ^= 4;
            const stored_record_state_t found = stored_record_unpack(stored.at, stored.bytes, &back);
            if (at < STORED_RECORD_HEAD_BYTES)
                assert_int_equal(found, STORED_RECORD_HEAD);
            else if (!compressed || found != STORED_RECORD_GOOD) /* a frame has bits without meaning */
                assert_int_equal(found, STORED_RECORD_BODY);
            else
                assert_memory_equal(back.at, raw.at, raw.bytes);
            stored.at[at] ^= 4;
        }
        for (size_t bytes = 0; bytes < stored.bytes; bytes++)
            assert_int_equal(stored_record_unpack(stored.at, bytes, &back), STORED_RECORD_HEAD);
    }
    record_fini(&raw);
    record_fini(&stored);
    record_fini(&back);
    compressor_destroy(&compressor);
}

/* Hashes are stored as they are, what lies around them is compressed; nothing of it shows when it is unpacked. */
static void test_random_parts(void **state)
{
    (void)state;
    enum { WORDS = 2000 };
    static uint64_t random[WORDS], even[WORDS];
    compressor_t *compressor = compressor_create();
    record_t raw = {0}, stored = {0}, back = {0};
    for (uint64_t i = 0; i < WORDS; i++)
        random[i] = hash64(&i, sizeof i, 0);
    for (int layout = 0; layout < 8; layout++) { /* what lies before, between and behind */
        record_clear(&raw);
        for (int part = 0; part < 3; part++) {
            if (layout & 1 << part)
                record_put(&raw, even, sizeof even);
            if (part < 2)
                record_put_random(&raw, random, sizeof random - 3 * (size_t)part);
        }
        assert_int_equal(raw.randoms, 2);
        stored_record_pack(&raw, compressor, &stored);
        assert_true(stored.bytes > 2 * sizeof random && stored.bytes < 2 * sizeof random + 400);
        assert_int_equal(stored_record_unpack(stored.at, stored.bytes, &back), STORED_RECORD_GOOD);
        assert_int_equal(back.bytes, raw.bytes);
        assert_memory_equal(back.at, raw.at, raw.bytes);
        stored.at[stored.bytes / 2] ^= 4;
        assert_int_equal(stored_record_unpack(stored.at, stored.bytes, &back), STORED_RECORD_BODY);
    }
    record_put_random(&raw, random, 1000); /* not worth a frame */
    assert_int_equal(raw.randoms, 2);
    record_fini(&raw);
    record_fini(&stored);
    record_fini(&back);
    compressor_destroy(&compressor);
}

/* Under a right checksum of the head: out of memory would end the process. */
static void test_wild_lengths(void **state)
{
    (void)state;
    static const uint64_t claims[] = {UINT64_MAX, UINT64_MAX - 39, UINT64_C(1) << 63, UINT64_C(1) << 62, UINT64_C(1) << 40};
    compressor_t *compressor = compressor_create();
    record_t raw = {0}, stored = {0}, back = {0};
    record_put_u64(&raw, 1);
    for (int compressed = 0; compressed < 2; compressed++)
        for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
            stored_record_pack(&raw, compressed ? compressor : NULL, &stored);
            put_u64(stored.at + 8, claims[i]);
            put_u64(stored.at + 32, hash64(stored.at, 32, 0));
            assert_int_equal(stored_record_unpack(stored.at, stored.bytes, &back), STORED_RECORD_HEAD);
            assert_int_equal(back.capacity, 0);
        }
    record_fini(&raw);
    record_fini(&stored);
    compressor_destroy(&compressor);
}

/* ---- a dataset of records that somebody wrote ---------------------------------------------------------------------------- */

enum { ROWS = 10, TRAIN = 4 };

static record_t meta_of(int64_t rows, int64_t train_rows, int64_t test_rows)
{
    const dataset_field_t field = {.name = "x", .kind = COLUMN_CATEGORICAL};
    dataset_meta_t meta;
    record_t record = {0};
    dataset_meta_init(&meta, &field, 1);
    meta.info.rows = rows;
    meta.info.train_rows = train_rows;
    meta.info.test_rows = test_rows;
    meta.info.content_hash = dataset_meta_hash(&meta);
    dataset_meta_encode(&meta, &record);
    dataset_meta_fini(&meta);
    return record;
}

/* Write a dataset of a meta record and a split, and open it. */
static status_t open_tested(int64_t rows, int64_t train_rows, int64_t test_rows, uint64_t split, uint64_t test)
{
    static int made;
    const char *path = test_path("made-%d", made++);
    dataset_file_t *file = NULL;
    dataset_t *dataset = NULL;
    uint64_t hash;
    record_t meta = meta_of(rows, train_rows, test_rows), bits = {0};
    record_put_u64(&bits, split);
    if (test_rows)
        record_put_u64(&bits, test);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(dataset_file_create(path, false, &file), ST_OK);
    assert_int_equal(dataset_file_put(file, DATASET_META, &meta, &hash), ST_OK);
    assert_int_equal(dataset_file_put(file, DATASET_SPLIT, &bits, &hash), ST_OK);
    dataset_file_close(&file);
    record_fini(&meta);
    record_fini(&bits);
    catch_start();
    const status_t status = dataset_open(path, 0, &dataset);
    catch_stop();
    dataset_close(&dataset);
    return status;
}

static status_t open_made(int64_t rows, int64_t train_rows, uint64_t split)
{
    return open_tested(rows, train_rows, 0, split, 0);
}

static void test_test_rows_that_do_not_fit(void **state)
{
    (void)state;
    assert_int_equal(open_tested(ROWS, TRAIN, 2, 0x00f, 0xc00), ST_CORRUPT); /* of rows that there are not */
    assert_caught("record split does not have 4 training rows and 2 test rows");
    assert_int_equal(open_tested(ROWS, TRAIN, 2, 0x00f, 0x030), ST_OK);
    assert_int_equal(open_tested(ROWS, TRAIN, 2, 0x00f, 0x033), ST_OK); /* what trains is of no other split */
    assert_int_equal(open_tested(ROWS, TRAIN, 2, 0x00f, 0x010), ST_CORRUPT);
    assert_int_equal(open_tested(100, 64, 30, UINT64_MAX, UINT64_MAX), ST_CORRUPT); /* the record is short of test bits */
    assert_int_equal(open_tested(ROWS, TRAIN, 7, 0x00f, 0x030), ST_CORRUPT);
    assert_caught("record meta is damaged or of another version of smelter");
    assert_int_equal(open_tested(ROWS, TRAIN, -1, 0x00f, 0x030), ST_CORRUPT);
}

static void test_records_that_do_not_fit(void **state)
{
    (void)state;
    assert_int_equal(open_made(ROWS, TRAIN, 0x00f), ST_OK);
    assert_int_equal(open_made(ROWS, TRAIN, 0x01f), ST_CORRUPT);
    assert_caught("record split does not have 4 training rows");
    assert_int_equal(open_made(ROWS, TRAIN, 0x007), ST_CORRUPT); /* one row of evaluation more than there is room for */
    assert_int_equal(open_made(ROWS, ROWS, 0x1ff), ST_CORRUPT);
    assert_int_equal(open_made(ROWS, 0, 0x001), ST_CORRUPT);
    assert_int_equal(open_made(1000, TRAIN, 0x00f), ST_CORRUPT); /* the record has 64 bits */
    assert_int_equal(open_made(INT64_C(1) << 50, TRAIN, 0x00f), ST_CORRUPT);
    assert_caught("says 1125899906842624 rows, and data.mdb of");
    assert_int_equal(open_made(INT64_MAX, TRAIN, 0x00f), ST_CORRUPT);
    assert_caught("record meta is damaged or of another version of smelter");
    assert_int_equal(open_made(ROWS, INT64_MIN, 0x00f), ST_CORRUPT);
    assert_int_equal(open_made(ROWS, ROWS + 1, 0x00f), ST_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_random_parts),
        cmocka_unit_test(test_wild_lengths),
        cmocka_unit_test(test_records_that_do_not_fit),
        cmocka_unit_test(test_test_rows_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
