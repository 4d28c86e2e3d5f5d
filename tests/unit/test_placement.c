/* test_placement - ARCHITECTURE: "servers go around the hosts"; the coordinator and workers keep the launcher's order. */
#include "launcher/ranks/placement.h"

#include <string.h>

#include "tests/lib/testing.h"

/* hosts: one letter for each of the launcher's ranks; expected: its number of each rank of the job. */
static void places(placement_t placement, const char *hosts, int servers, const char *expected)
{
    int host_of[16] = {0}, order[16], size = (int)strlen(hosts);
    char text[17] = "";
    for (int r = 0; r < size; r++)
        host_of[r] = hosts[r];
    placement_order(placement, host_of, size, servers, order);
    for (int r = 0; r < size; r++)
        text[r] = "0123456789abcdef"[order[r]];
    assert_string_equal(text, expected);
}

static void test_hosts_in_turn(void **state)
{
    (void)state;
    places(PLACEMENT_SPREAD, "aaaaa", 2, "01234");
    places(PLACEMENT_SPREAD, "aaabb", 2, "01324");
    places(PLACEMENT_SPREAD, "aabbb", 2, "01234");
    places(PLACEMENT_SPREAD, "aaabb", 1, "01234");
    places(PLACEMENT_SPREAD, "aaaabbbbcccc", 3,
           "01482356"
           "79ab");
    places(PLACEMENT_SPREAD, "abcabcabc", 4, "031264578");
    places(PLACEMENT_RANKS, "aaabb", 2, "01234");
}

/* The coordinator may be alone on its host, and a host may have fewer ranks than its turns. */
static void test_hosts_that_have_none_left(void **state)
{
    (void)state;
    places(PLACEMENT_SPREAD, "abbbb", 2, "01234");
    places(PLACEMENT_SPREAD, "aabcccc", 5, "0123456");
    places(PLACEMENT_SPREAD, "aaaab", 3, "01423");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_in_turn),
        cmocka_unit_test(test_hosts_that_have_none_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
