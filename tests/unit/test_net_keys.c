/* test_net_keys - SECURITY: "Another job, or an earlier start of this one is a stranger, with the same user and configuration,
 * too"; "a libzmq without CURVE cannot encrypt, and a job that is to be encrypted does not start with it". */
#include "common/net/net_keys.h"

#include <string.h>

#include "common/net/zeromq.h"
#include "tests/lib/job_keys.h"
#include "tests/lib/testing.h"

enum { N = 5 };

static bool lacks_curve;

/* In the place of libzmq's. */
int zmq_has(const char *capability)
{
    return !(lacks_curve && strcmp(capability, "curve") == 0);
}

static void test_names(void **state)
{
    (void)state;
    char name[NET_NAME_TEXT];
    assert_string_equal(net_keys_name(0xab, name), "r000000ab");
    assert_int_equal(net_keys_rank(name, 9), 0xab);
    static const char *const wrong[] = {"", "r", "r0000000", "x000000ab", "r000000AB", "r0000000g", "r00100000", "rffffffff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(net_keys_rank(wrong[i], strlen(wrong[i])), -1);
    assert_int_equal(net_keys_rank("r000000ab0", 10), -1);
}

static void test_certificates(void **state)
{
    (void)state;
    net_keys_t *job[N], *older[N];
    uint8_t key[NET_KEY_BYTES], none[NET_KEY_BYTES] = {0};
    job_keys_make(N, true, job);
    job_keys_make(N, true, older);
    for (int r = 0; r < N; r++) {
        assert_int_equal(net_keys_self(job[r]), r);
        assert_string_equal(net_keys_public(job[0], r), net_keys_card(job[r])->public_key);
        assert_string_equal(net_keys_card(job[r])->token, ""); /* nothing secret travels */
        assert_non_null(zmq_z85_decode(key, net_keys_public(job[r], r)));
        for (int at = 0; at < N; at++) {
            assert_int_equal(net_keys_rank_of_key(job[at], key), r);
            assert_int_equal(net_keys_rank_of_key(older[at], key), -1);
        }
    }
    assert_int_equal(net_keys_rank_of_key(job[0], none), -1);
    char name[NET_NAME_TEXT], zeros[NET_TOKEN_TEXT] = "";
    assert_int_equal(net_keys_rank_of_token(job[0], net_keys_name(1, name), 9, zeros, NET_TOKEN_TEXT - 1), -1);
    job_keys_drop(N, job);
    job_keys_drop(N, older);
}

static void test_tokens(void **state)
{
    (void)state;
    net_keys_t *job[N], *older[N];
    char name[NET_NAME_TEXT];
    uint8_t none[NET_KEY_BYTES] = {0};
    job_keys_make(N, false, job);
    job_keys_make(N, false, older);
    for (int r = 0; r < N; r++) {
        const char *token = net_keys_card(job[r])->token;
        assert_int_equal(strlen(token), NET_TOKEN_TEXT - 1);
        for (int said = 0; said < N + 1; said++) {
            net_keys_name(said, name);
            assert_int_equal(net_keys_rank_of_token(job[1], name, 9, token, NET_TOKEN_TEXT - 1), said == r ? r : -1);
            assert_int_equal(net_keys_rank_of_token(older[1], name, 9, token, NET_TOKEN_TEXT - 1), -1);
        }
        assert_int_equal(net_keys_rank_of_token(job[1], net_keys_name(r, name), 9, token, NET_TOKEN_TEXT - 2), -1);
        assert_int_equal(net_keys_rank_of_token(job[1], net_keys_name(r, name), 9, "", 0), -1);
    }
    assert_int_equal(net_keys_rank_of_key(job[0], none), -1);
    job_keys_drop(N, job);
    job_keys_drop(N, older);
}

/* A card that never came lets nobody in. */
static void test_empty_cards(void **state)
{
    (void)state;
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        net_keys_t *keys;
        net_card_t cards[2] = {{.token = ""}};
        char name[NET_NAME_TEXT], zeros[NET_TOKEN_TEXT] = "";
        uint8_t none[NET_KEY_BYTES] = {0};
        assert_int_equal(net_keys_create(0, encrypt, &keys), ST_OK);
        cards[0] = *net_keys_card(keys);
        net_keys_meet(keys, cards, 2);
        assert_int_equal(net_keys_rank_of_token(keys, net_keys_name(1, name), 9, zeros, NET_TOKEN_TEXT - 1), -1);
        assert_int_equal(net_keys_rank_of_key(keys, none), -1);
        net_keys_destroy(&keys);
        assert_null(keys);
        net_keys_destroy(&keys);
    }
}

static void test_no_curve(void **state)
{
    (void)state;
    net_keys_t *keys;
    lacks_curve = true;
    catch_start();
    assert_int_equal(net_keys_create(0, true, &keys), ST_INPUT);
    catch_stop();
    assert_caught("this machine's libzmq has no CURVE (it was built without libsodium); install Debian's libzmq5");
    assert_int_equal(net_keys_create(0, false, &keys), ST_OK);
    lacks_curve = false;
    net_keys_destroy(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_certificates), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_empty_cards), cmocka_unit_test(test_no_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
