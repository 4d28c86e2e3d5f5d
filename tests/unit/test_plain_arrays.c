/* test_plain_arrays - what is put is in the file of its name, number after number, the document says of what type and shape it
 * is, and a folder that holds something is left alone. */
#include "common/files/plain_arrays.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "tests/lib/testing.h"

static void expect_file(const char *path, const void *bytes, size_t n)
{
    char *data;
    size_t found;
    assert_int_equal(file_read(path, &data, &found), ST_OK);
    assert_int_equal(found, n);
    assert_memory_equal(data, bytes, n);
    mem_free(data);
}

static void expect_shape(const jsondoc_t *document, const char *name, const char *type, int64_t dimensions, int64_t first)
{
    const jsondoc_t *arrays, *array;
    const char *found;
    int64_t *shape, n;
    assert_int_equal(jsondoc_get_object(document, "", "arrays", &arrays), ST_OK);
    assert_int_equal(jsondoc_get_object(arrays, "", name, &array), ST_OK);
    assert_int_equal(jsondoc_get_text(array, "", "type", &found), ST_OK);
    assert_string_equal(found, type);
    assert_int_equal(jsondoc_get_integers(array, "", "shape", 0, 100, &shape, &n), ST_OK);
    assert_int_equal(n, dimensions);
    assert_int_equal(shape[0], first);
    mem_free(shape);
}

static void test_arrays_and_their_document(void **state)
{
    (void)state;
    const char *folder = test_path("arrays/of/one");
    static const uint8_t bytes[3] = {1, 2, 3};
    static const uint64_t keys[1] = {0x0102030405060708u};
    static const int64_t numbers[2] = {-1, 5};
    static const float matrix[6] = {1.5f, -2.0f, 0.0f, 3.0f, 4.0f, 5.0f};
    plain_arrays_t *arrays;
    assert_int_equal(plain_arrays_create(folder, &arrays), ST_OK);
    assert_int_equal(plain_arrays_put(arrays, "bytes", PLAIN_U8, bytes, 3, 0), ST_OK);
    assert_int_equal(plain_arrays_put(arrays, "keys", PLAIN_U64, keys, 1, 0), ST_OK);
    assert_int_equal(plain_arrays_put(arrays, "numbers", PLAIN_I64, numbers, 2, 0), ST_OK);
    assert_int_equal(plain_arrays_put(arrays, "matrix", PLAIN_F32, matrix, 2, 3), ST_OK);
    assert_int_equal(plain_arrays_put(arrays, "none", PLAIN_F32, NULL, 0, 3), ST_OK);
    assert_int_equal(plain_arrays_count(arrays), 5);
    assert_int_equal(plain_arrays_bytes(arrays), 3 + 8 + 16 + 24);
    jsondoc_t *document = jsondoc_object(), *read;
    assert_int_equal(plain_arrays_finish(arrays, document, "all.json"), ST_OK);
    jsondoc_destroy(&document);
    plain_arrays_destroy(&arrays);
    assert_null(arrays);

    expect_file(test_path("arrays/of/one/bytes.u8"), bytes, sizeof bytes);
    expect_file(test_path("arrays/of/one/keys.u64"), "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    expect_file(test_path("arrays/of/one/numbers.i64"), numbers, sizeof numbers);
    expect_file(test_path("arrays/of/one/matrix.f32"), matrix, sizeof matrix);
    expect_file(test_path("arrays/of/one/none.f32"), "", 0);
    assert_int_equal(jsondoc_read(test_path("arrays/of/one/all.json"), &read), ST_OK);
    expect_shape(read, "bytes", "u8", 1, 3);
    expect_shape(read, "numbers", "i64", 1, 2);
    expect_shape(read, "matrix", "f32", 2, 2);
    expect_shape(read, "none", "f32", 2, 0);
    jsondoc_destroy(&read);
}

static void test_what_is_there_stays(void **state)
{
    (void)state;
    plain_arrays_t *arrays = NULL;
    assert_int_equal(dir_create(test_path("full")), ST_OK);
    const char *file = test_write("full/letter", "dear");
    catch_start();
    assert_int_equal(plain_arrays_create(test_path("full"), &arrays), ST_INPUT);
    assert_caught("is not an empty folder");
    catch_start();
    assert_int_equal(plain_arrays_create(file, &arrays), ST_INPUT);
    catch_stop();
    assert_null(arrays);
    expect_file(file, "dear", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays_and_their_document),
        cmocka_unit_test(test_what_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
