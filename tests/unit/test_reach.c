/* test_reach - which addresses of a host let connections through: "each other host tries them" (launcher/ranks/routes.h). */
#include "common/net/reach.h"

#include "common/base/clock.h"
#include "tests/lib/testing.h"

/* Nobody listens at 127.0.0.9, and nobody answers at an address of documentation, to which there may be no route either. */
static void test_the_first_that_answers(void **state)
{
    (void)state;
    reach_places_t own = {.n = 2, .ip = {0x7f000001, 0x7f000002}};
    reach_t reach;
    assert_int_equal(reach_open(&own, 0, 0, &reach), ST_OK);
    assert_true(own.port[0] > 0 && own.port[1] > 0);
    assert_int_equal(reach_try(&own, 2000), 0);
    reach_places_t places = {.n = 3, .ip = {0x7f000009, 0xc0000201, 0x7f000002}, .port = {own.port[0], 9, own.port[1]}};
    const int64_t begun = clock_now_ns();
    assert_int_equal(reach_try(&places, 5000), 2);
    assert_true(clock_now_ns() - begun < 2 * INT64_C(1000000000));
    places.n = 2;
    assert_int_equal(reach_try(&places, 100), -1);
    reach_close(&reach);
    assert_int_equal(reach_try(&own, 2000), -1);
}

static void test_a_range_of_ports(void **state)
{
    (void)state;
    reach_places_t one = {.n = 1, .ip = {0x7f000003}}, other = one;
    reach_t first, second;
    assert_int_equal(reach_open(&one, 0, 0, &first), ST_OK);
    const int port = one.port[0];
    catch_start();
    assert_int_equal(reach_open(&other, port, port, &second), ST_SYSTEM);
    catch_stop();
    assert_caught("127.0.0.3: none of the ports ");
    assert_caught(" of cluster.ports is free (Address already in use)");
    reach_close(&second);
    if (port < 65535 && reach_open(&other, port, port + 1, &second) == ST_OK)
        assert_int_equal(other.port[0], port + 1);
    reach_close(&second);
    reach_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_that_answers),
        cmocka_unit_test(test_a_range_of_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
