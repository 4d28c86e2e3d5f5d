/* Proves of file.h: a file is replaced as a whole or not at all, folders appear with all that is above them, and every refusal
 * names the path and the reason; of jsondoc.h: what is written reads back, and damage is named. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"

static void assert_content(const char *path, const char *expected)
{
    char *data;
    size_t bytes;
    assert_int_equal(file_read(path, &data, &bytes), ST_OK);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal(data, expected);
    mem_free(data);
}

static void test_write_replaces(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("file");
    assert_int_equal(file_write_atomic(path, "first", 5), ST_OK);
    assert_content(path, "first");
    assert_int_equal(file_write_atomic(path, "", 0), ST_OK);
    assert_content(path, "");
    size_t bytes = 3 << 20;
    char *large = mem_alloc(bytes, 1), *back;
    for (size_t i = 0; i < bytes; i++)
        large[i] = (char)(i * 31);
    assert_int_equal(file_write_atomic(path, large, bytes), ST_OK);
    size_t got;
    assert_int_equal(file_read(path, &back, &got), ST_OK);
    assert_int_equal(got, bytes);
    assert_memory_equal(back, large, bytes);
    mem_free(large);
    mem_free(back);
    assert_false(file_exists(test_path("file.tmp")));
}

static void test_a_refused_write_leaves_the_old_content(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_path("file"), *blocked = test_path("file.tmp");
    assert_int_equal(file_write_atomic(path, "old", 3), ST_OK);
    assert_int_equal(dir_create(blocked), ST_OK); /* a folder where the temporary file wants to be */
    catch_start();
    assert_int_equal(file_write_atomic(path, "new", 3), ST_INPUT);
    catch_stop();
    assert_caught(path);
    assert_caught("cannot write 3 bytes: Is a directory");
    assert_content(path, "old");

    catch_start();
    assert_int_equal(file_write_atomic(test_path("gone/file"), "x", 1), ST_INPUT);
    catch_stop();
    assert_caught("gone/file: cannot write 1 bytes: No such file or directory");
}

static void test_read_names_what_is_wrong(void **state)
{
    (void)state;
    test_dir();
    char *data = (char *)"untouched";
    catch_start();
    assert_int_equal(file_read(test_path("none"), &data, NULL), ST_INPUT);
    assert_int_equal(file_read(test_dir(), &data, NULL), ST_INPUT);
    catch_stop();
    assert_caught("none: cannot read: No such file or directory; give the path of a readable file");
    assert_caught("cannot read: Is a directory");
    assert_string_equal(data, "untouched");
    /* A file whose size is not known before. */
    assert_int_equal(file_read("/proc/self/status", &data, NULL), ST_OK);
    assert_non_null(strstr(data, "VmRSS"));
    mem_free(data);
}

static bool is_empty(const char *path)
{
    bool empty;
    assert_int_equal(dir_look(path, &empty), ST_OK);
    return empty;
}

static void test_folders(void **state)
{
    (void)state;
    test_dir();
    const char *deep = test_path("a/b//c/");
    assert_true(is_empty(deep));
    assert_int_equal(dir_create(deep), ST_OK);
    assert_int_equal(dir_create(deep), ST_OK);
    assert_true(is_empty(deep));
    assert_int_equal(dir_check_writable(deep), ST_OK);
    assert_true(is_empty(deep));
    test_write("a/b/file", "x");
    assert_false(is_empty(test_path("a/b")));

    catch_start();
    assert_int_equal(dir_create(test_path("a/b/file/d")), ST_INPUT);
    catch_stop();
    assert_caught("a/b/file/d: cannot create the folder ");
    assert_caught("a/b/file: a file is in the way; choose a place that is writable");
    catch_start();
    assert_int_equal(dir_create(""), ST_INPUT);
    assert_int_equal(dir_create("/proc/none/of/this"), ST_INPUT);
    assert_int_equal(dir_check_writable("/proc/self"), ST_INPUT);
    catch_stop();
    assert_caught("the name of a folder to create is empty");
    assert_caught("/proc/none/of/this: cannot create the folder /proc/none: ");
    assert_caught("/proc/self: not writable: ");
    bool untouched = true;
    catch_start();
    assert_int_equal(dir_look(test_path("a/b/file"), &untouched), ST_INPUT);
    catch_stop();
    assert_caught("a/b/file: cannot be read as a folder: Not a directory; make it readable, or name another one");
    assert_true(untouched);

    assert_int_equal(dir_remove_tree(test_path("a")), ST_OK);
    assert_false(file_exists(test_path("a")));
    assert_int_equal(dir_remove_tree(test_path("a")), ST_OK);
}

static void test_remove_does_not_follow_links(void **state)
{
    (void)state;
    test_dir();
    assert_int_equal(dir_create(test_path("kept")), ST_OK);
    assert_int_equal(dir_create(test_path("gone")), ST_OK);
    test_write("kept/file", "x");
    assert_int_equal(symlink(test_path("kept"), test_path("gone/link")), 0);
    assert_int_equal(dir_remove_tree(test_path("gone")), ST_OK);
    assert_false(file_exists(test_path("gone")));
    assert_content(test_path("kept/file"), "x");
}

static void test_json_reads_back(void **state)
{
    (void)state;
    test_dir();
    jsondoc_t *doc = jsondoc_object(), *child = jsondoc_object(), *list = jsondoc_array(), *element = jsondoc_object();
    const double third = 1.0 / 3.0;
    jsondoc_put_number(child, "third", third);
    jsondoc_put_number(child, "nan", NAN);
    jsondoc_put_number(child, "infinite", -INFINITY);
    jsondoc_put(doc, "child", &child);
    assert_null(child);
    jsondoc_put_integer(doc, "large", (INT64_C(1) << 53) + 1);
    jsondoc_put_text(doc, "text", "a \"b\" \n\xc3\xa9");
    jsondoc_put_text(doc, "not_utf8", "a\xff");
    jsondoc_append(list, &element);
    jsondoc_put(doc, "list", &list);
    char *line = jsondoc_text(doc, false);
    assert_string_equal(line, "{\"child\": {\"third\": 0.33333333333333331, \"nan\": null, \"infinite\": null}, "
                              "\"large\": 9007199254740993, \"text\": \"a \\\"b\\\" \\n\xc3\xa9\", \"not_utf8\": \"a?\", "
                              "\"list\": [{}]}\n");
    mem_free(line);
    const char *path = test_path("doc.json");
    assert_int_equal(jsondoc_write(doc, path), ST_OK);
    jsondoc_destroy(&doc);
    jsondoc_destroy(&doc);

    assert_int_equal(jsondoc_read(path, &doc), ST_OK);
    const jsondoc_t *inner;
    double number;
    int64_t integer;
    const char *text;
    assert_int_equal(jsondoc_get_object(doc, path, "child", &inner), ST_OK);
    assert_int_equal(jsondoc_get_number(inner, path, "third", &number), ST_OK);
    assert_true(number == third);
    assert_int_equal(jsondoc_get_number(inner, path, "nan", &number), ST_OK);
    assert_true(isnan(number));
    assert_int_equal(jsondoc_get_integer(doc, path, "large", 0, INT64_MAX, &integer), ST_OK);
    assert_true(integer == (INT64_C(1) << 53) + 1);
    assert_int_equal(jsondoc_get_text(doc, path, "text", &text), ST_OK);
    assert_string_equal(text, "a \"b\" \n\xc3\xa9");

    catch_start();
    assert_int_equal(jsondoc_get_text(doc, "FILE", "none", &text), ST_CORRUPT);
    assert_int_equal(jsondoc_get_text(doc, "FILE", "large", &text), ST_CORRUPT);
    assert_int_equal(jsondoc_get_number(doc, "FILE", "text", &number), ST_CORRUPT);
    assert_int_equal(jsondoc_get_integer(doc, "FILE", "text", 0, 1, &integer), ST_CORRUPT);
    assert_int_equal(jsondoc_get_integer(doc, "FILE", "large", 0, 7, &integer), ST_CORRUPT);
    assert_int_equal(jsondoc_get_object(doc, "FILE", "text", &inner), ST_CORRUPT);
    catch_stop();
    assert_string_equal(catch_text(), "FILE: \"none\" is missing\n"
                                      "FILE: \"large\" is not a text\n"
                                      "FILE: \"text\" is not a number\n"
                                      "FILE: \"text\" is not a whole number\n"
                                      "FILE: \"large\" is 9007199254740993; it must be from 0 to 7\n"
                                      "FILE: \"text\" is not an object\n");
    jsondoc_destroy(&doc);
}

static void test_json_damage_is_named(void **state)
{
    (void)state;
    test_dir();
    jsondoc_t *doc = NULL;
    catch_start();
    assert_int_equal(jsondoc_read(test_write("cut.json", "{\"a\": 1,\n \"b\""), &doc), ST_CORRUPT);
    assert_int_equal(jsondoc_read(test_path("none.json"), &doc), ST_INPUT);
    catch_stop();
    assert_caught("cut.json:2:4: not JSON: ");
    assert_caught("none.json: cannot read: No such file or directory");
    assert_null(doc);
}

static void test_json_arrays_and_lines(void **state)
{
    (void)state;
    test_dir();
    const char *path = test_write("lines.jsonl", "{\"a\": 1}\n\n{\"a\": [0.1, 2]}");
    jsondoc_t *lines = NULL;
    const jsondoc_t *array;
    int64_t integer;
    assert_int_equal(jsondoc_read_lines(path, NULL, &lines), ST_OK);
    assert_int_equal(jsondoc_length(lines), 2);
    assert_int_equal(jsondoc_get_integer(jsondoc_at(lines, 0), path, "a", 0, 9, &integer), ST_OK);
    assert_int_equal(integer, 1);
    assert_int_equal(jsondoc_get_array(jsondoc_at(lines, 1), path, "a", &array), ST_OK);
    assert_int_equal(jsondoc_length(array), 2);
    catch_start();
    assert_int_equal(jsondoc_get_array(jsondoc_at(lines, 0), "FILE", "a", &array), ST_CORRUPT);
    catch_stop();
    assert_string_equal(catch_text(), "FILE: \"a\" is not an array\n");
    jsondoc_append_number(lines, 1.0 / 3);
    jsondoc_append_number(lines, NAN);
    jsondoc_append_integer(lines, (INT64_C(1) << 53) + 1);
    char *text = jsondoc_compact(lines, 4);
    assert_string_equal(text, "[{\"a\":1},{\"a\":[0.1,2]},0.3333,null,9007199254740993]");
    mem_free(text);
    jsondoc_destroy(&lines);

    catch_start();
    assert_int_equal(jsondoc_read_lines(test_write("cut.jsonl", "{\"a\": 1}\n{\"a\"\n"), NULL, &lines), ST_CORRUPT);
    catch_stop();
    assert_caught("cut.jsonl:2:4: not JSON: ");
    assert_null(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_replaces),
        cmocka_unit_test(test_a_refused_write_leaves_the_old_content),
        cmocka_unit_test(test_read_names_what_is_wrong),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_remove_does_not_follow_links),
        cmocka_unit_test(test_json_reads_back),
        cmocka_unit_test(test_json_damage_is_named),
        cmocka_unit_test(test_json_arrays_and_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
