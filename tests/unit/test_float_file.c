/* Proves what float_file.h says: all blocks of a file are read, whatever its length; and a file that is cut or changed is one
 * error when it is read, and nothing else. */
#include "tests/lib/testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/float_file.h"

enum { MOST = 2 * FLOAT_FILE_BLOCK + 3 };

static float number[MOST];

static const char *write_floats(int64_t n)
{
    const char *path = test_path("p.f32");
    for (int64_t i = 0; i < MOST; i++)
        number[i] = (float)i / 7.0f;
    assert_int_equal(file_write_atomic(path, number, (size_t)n * sizeof *number), ST_OK);
    return path;
}

static void test_reads_every_block(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, FLOAT_FILE_BLOCK - 1, FLOAT_FILE_BLOCK, FLOAT_FILE_BLOCK + 1, MOST};
    static float block[FLOAT_FILE_BLOCK];
    test_dir();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        float_file_t *file;
        char checksum[HASH_TEXT_BYTES];
        int64_t n;
        assert_int_equal(float_file_open(disk_posix(), write_floats(sizes[s]), &file, &n), ST_OK);
        assert_int_equal(n, sizes[s]);
        hash128_text(number, (size_t)n * sizeof *number, checksum);
        assert_string_equal(float_file_checksum(file), checksum);
        for (int64_t first = 0; first < n; first += FLOAT_FILE_BLOCK) {
            const int64_t count = n - first < FLOAT_FILE_BLOCK ? n - first : FLOAT_FILE_BLOCK;
            assert_int_equal(float_file_read(file, first, count, block), ST_OK);
            assert_memory_equal(block, number + first, (size_t)count * sizeof *block);
        }
        float_file_close(&file);
        assert_null(file);
    }
}

static void test_what_is_no_more_the_same_is_refused(void **state)
{
    (void)state;
    static float block[FLOAT_FILE_BLOCK];
    float_file_t *file;
    int64_t n;
    test_dir();
    const char *path = write_floats(MOST);
    assert_int_equal(float_file_open(disk_posix(), path, &file, &n), ST_OK);
    FILE *other = fopen(path, "r+");
    assert_non_null(other);
    assert_int_equal(fseek(other, FLOAT_FILE_BLOCK * sizeof(float), SEEK_SET), 0);
    assert_int_equal(fwrite("xyz", 3, 1, other), 1);
    assert_int_equal(fclose(other), 0);
    catch_start();
    assert_int_equal(float_file_read(file, 0, FLOAT_FILE_BLOCK, block), ST_OK);
    assert_int_equal(float_file_read(file, FLOAT_FILE_BLOCK, FLOAT_FILE_BLOCK, block), ST_CORRUPT);
    catch_stop();
    assert_caught("p.f32: was changed while it was read: floats 16384 to 32767 are not what they were before");
    assert_int_equal(truncate(path, 100), 0);
    catch_start();
    assert_int_equal(float_file_read(file, 0, FLOAT_FILE_BLOCK, block), ST_CORRUPT);
    catch_stop();
    assert_caught("p.f32: ends at byte 100, 65436 bytes before it should; it was cut short");
    float_file_close(&file);
    assert_int_equal(truncate(path, 99), 0);
    catch_start();
    assert_int_equal(float_file_open(disk_posix(), path, &file, &n), ST_CORRUPT);
    catch_stop();
    assert_caught("p.f32: has 99 bytes, which is no number of floats");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_block),
        cmocka_unit_test(test_what_is_no_more_the_same_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
