/* Proves of seal.h: "files that notice when they were changed" - every flipped bit, every cut and every addition is refused,
 * with the file, what is wrong and what to do; what an older program wrote without a seal is read and said to have none. */
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/seal.h"

#define ADVICE "write it again"

static status_t read_text(const char *text, size_t bytes, bool *sealed)
{
    jsondoc_t *doc = NULL;
    char hash[HASH_TEXT_BYTES];
    const char *path = test_path("x.json");
    assert_int_equal(file_write_atomic(path, text, bytes), ST_OK);
    status_t status = seal_read(path, ADVICE, &doc, sealed, hash);
    assert_true((doc != NULL) == (status == ST_OK));
    jsondoc_destroy(&doc);
    return status;
}

/* The text of a sealed file, **owned**. */
static char *sealed_text(size_t *bytes)
{
    jsondoc_t *doc = jsondoc_object();
    char *text, hash[HASH_TEXT_BYTES], again[HASH_TEXT_BYTES];
    test_dir();
    jsondoc_put_text(doc, "name", "caf\xc3\xa9");
    jsondoc_put_number(doc, "logloss", 0.25);
    assert_int_equal(seal_write(doc, test_path("sealed.json"), hash), ST_OK);
    assert_int_equal(file_read(test_path("sealed.json"), &text, bytes), ST_OK);
    hash128_text(text, *bytes, again);
    assert_string_equal(hash, again);
    jsondoc_destroy(&doc);
    return text;
}

static void test_reads_back(void **state)
{
    (void)state;
    size_t bytes;
    char *text = sealed_text(&bytes), hash[HASH_TEXT_BYTES], again[HASH_TEXT_BYTES];
    jsondoc_t *doc;
    bool sealed = false;
    double loss;
    assert_int_equal(seal_read(test_path("sealed.json"), ADVICE, &doc, &sealed, hash), ST_OK);
    assert_true(sealed);
    assert_int_equal(jsondoc_get_number(doc, "x", "logloss", &loss), ST_OK);
    assert_true(loss == 0.25);
    hash128_text(text, bytes, again);
    assert_string_equal(hash, again);
    jsondoc_destroy(&doc);
    mem_free(text);
    hash128_text("", 0, hash);
    assert_string_equal(hash, "99aa06d3014798d86001c324468d497f"); /* of XXH3-128, as published */
}

static void test_every_change_is_noticed(void **state)
{
    (void)state;
    size_t bytes;
    bool sealed;
    char *text = sealed_text(&bytes);
    catch_start();
    for (size_t i = 0; i < bytes; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            text[i] ^= (char)(1 << bit);
            sealed = true; /* in the seal itself a bit may make it one more member, which its reader misses */
            if (read_text(text, bytes, &sealed) != ST_CORRUPT)
                assert_true(!sealed && i >= bytes - strlen(",\n  \"checksum\": \"\"\n}\n") - 32);
            text[i] ^= (char)(1 << bit);
        }
    for (size_t length = 0; length < bytes; length++)
        assert_int_equal(read_text(text, length, &sealed), ST_CORRUPT);
    char *longer = mem_printf("%s\n", text);
    assert_int_equal(read_text(longer, bytes + 1, &sealed), ST_CORRUPT);
    catch_stop();
    mem_free(longer);

    char *digit = strstr(text, "0.25");
    assert_non_null(digit);
    digit[2] = '3';
    catch_start();
    assert_int_equal(read_text(text, bytes, &sealed), ST_CORRUPT);
    catch_stop();
    assert_caught("x.json: was changed after it was written: its checksum is ");
    assert_caught("; write it again");
    mem_free(text);
}

static void test_older_files_have_no_seal(void **state)
{
    (void)state;
    bool sealed = true;
    test_dir();
    static const char old[] = "{\n  \"logloss\": 0.25\n}\n", lost[] = "{\"logloss\": 0.25, \"checksum\": \"0\"}\n";
    assert_int_equal(read_text(old, strlen(old), &sealed), ST_OK);
    assert_false(sealed);
    catch_start();
    assert_int_equal(read_text(lost, strlen(lost), &sealed), ST_CORRUPT);
    catch_stop();
    assert_caught("x.json: was changed after it was written: it does not end with its checksum; write it again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_every_change_is_noticed),
        cmocka_unit_test(test_older_files_have_no_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
