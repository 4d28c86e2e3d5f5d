/* test_addresses - the network that the hosts of a job share: not the bridge that is the same on all of them. */
#include "common/net/addresses.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/lib/testing.h"

static uint32_t ip_of(const char *text)
{
    unsigned a, b, c, d;
    assert_int_equal(sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d), 4);
    return a << 24 | b << 16 | c << 8 | d;
}

/* A host of "interface address bits" entries; an interface in capitals has no carrier. */
static addresses_t host(const char *name, const char *const *entries)
{
    addresses_t host = {0};
    snprintf(host.host, sizeof host.host, "%s", name);
    for (; *entries; entries++) {
        address_t *a = &host.at[host.n++];
        char ip[32];
        int bits;
        assert_int_equal(sscanf(*entries, "%15s %31s %d", a->interface, ip, &bits), 3);
        a->ip = ip_of(ip);
        a->mask = bits ? UINT32_MAX << (32 - bits) : 0;
        a->loopback = strcmp(a->interface, "lo") == 0;
        a->running = a->interface[0] > 'Z';
    }
    return host;
}
#define HOST(name, ...) host(name, (const char *const[]){"lo 127.0.0.1 8", __VA_ARGS__, NULL})

static void chooses(const addresses_t *hosts, int n, const char *wanted, const char *const *expected)
{
    candidates_t chosen[4];
    assert_int_equal(addresses_choose(hosts, n, wanted, true, chosen), ST_OK);
    for (int h = 0; h < n; h++) {
        address_t list[ADDRESS_CANDIDATES];
        for (int c = 0; c < chosen[h].n; c++)
            list[c] = hosts[h].at[chosen[h].at[c]];
        char *text = address_list(list, chosen[h].n, false);
        assert_string_equal(text, expected[h]);
        mem_free(text);
    }
}
#define CHOOSES(hosts, n, wanted, ...) chooses(hosts, n, wanted, (const char *const[]){__VA_ARGS__})

static void refuses(const addresses_t *hosts, int n, const char *wanted, const char *text)
{
    candidates_t chosen[4];
    catch_start();
    assert_int_equal(addresses_choose(hosts, n, wanted, true, chosen), ST_INPUT);
    catch_stop();
    assert_caught(text);
}

static void test_a_shared_network(void **state)
{
    (void)state;
    const addresses_t docker[] = {HOST("node1", "docker0 172.17.0.1 16", "eth0 10.0.0.1 24"),
                                  HOST("node2", "docker0 172.17.0.1 16", "eth0 10.0.0.2 24")};
    CHOOSES(docker, 2, "", "10.0.0.1", "10.0.0.2");
    const addresses_t other_order[] = {HOST("node1", "eno1 192.168.1.5 24", "ib0 10.9.0.1 16"),
                                       HOST("node2", "ib0 10.9.0.2 16", "eno7 192.168.2.5 24"),
                                       HOST("node3", "eth3 192.168.1.7 24", "ib0 10.9.1.3 16")};
    CHOOSES(other_order, 3, "", "10.9.0.1", "10.9.0.2", "10.9.1.3");
    /* One of three has a bridge's network to itself; a cable that is not plugged in is the last
     * choice. */
    const addresses_t three[] = {HOST("a", "ETH9 10.5.0.1 24", "eth0 10.0.0.1 24"),
                                 HOST("b", "br0 172.18.0.1 16", "eth9 10.5.0.2 24", "eth0 10.0.0.2 24"),
                                 HOST("c", "eth9 10.5.0.3 24", "eth0 10.0.0.3 24")};
    CHOOSES(three, 3, "", "10.0.0.1,10.5.0.1", "10.0.0.2,10.5.0.2", "10.0.0.3,10.5.0.3");
}

/* Which of two networks lets connections through is found out later. */
static void test_two_shared_networks(void **state)
{
    (void)state;
    const addresses_t both[] = {HOST("node1", "eth0 10.0.0.1 24", "ETH9 10.5.0.1 24", "ib0 10.9.0.1 16"),
                                HOST("node2", "ib0 10.9.0.2 16", "eth9 10.5.0.2 24", "eth0 10.0.0.2 24")};
    CHOOSES(both, 2, "", "10.0.0.1,10.9.0.1,10.5.0.1", "10.0.0.2,10.9.0.2,10.5.0.2");
    CHOOSES(both, 2, "ib0 , eth0", "10.9.0.1,10.0.0.1", "10.9.0.2,10.0.0.2");
    CHOOSES(both, 2, "10.0.0.0/8", "10.0.0.1,10.5.0.1,10.9.0.1", "10.9.0.2,10.5.0.2,10.0.0.2");
    CHOOSES(both, 2, "10.9.0.2,eth0,eth0", "10.0.0.1", "10.9.0.2,10.0.0.2");
    CHOOSES(both, 1, "", "10.0.0.1");
}

/* Of a host in the middle each other one dials the address on its own network. */
static void test_hosts_in_a_row(void **state)
{
    (void)state;
    const addresses_t row[] = {HOST("a", "eth0 10.1.0.1 24"), HOST("b", "eth0 10.1.0.2 24", "eth1 10.2.0.2 24"),
                               HOST("c", "eth0 10.2.0.3 24")};
    catch_start();
    CHOOSES(row, 3, "", "10.1.0.1", "10.1.0.2,10.2.0.2", "10.2.0.3");
    catch_stop();
    assert_caught("they use 10.1.0.1 on a, 10.1.0.2 or 10.2.0.2 on b, 10.2.0.3 on c.");
    const candidates_t of_b = {.n = 2, .at = {1, 2}};
    assert_int_equal(addresses_sort(&row[0], &row[1], &of_b).at[0], 1);
    const candidates_t from_c = addresses_sort(&row[2], &row[1], &of_b);
    assert_int_equal(from_c.n, 2);
    assert_int_equal(from_c.at[0], 2);
    assert_int_equal(from_c.at[1], 1);
}

static void test_networks_joined_by_routers(void **state)
{
    (void)state;
    const addresses_t cloud[] = {HOST("node1", "docker0 172.17.0.1 16", "ens4 10.128.0.2 32"),
                                 HOST("node2", "docker0 172.17.0.1 16", "ens4 10.128.0.3 32")};
    catch_start();
    CHOOSES(cloud, 2, "", "10.128.0.2", "10.128.0.3");
    catch_stop();
    assert_caught("the hosts have no network in common; they use 10.128.0.2 on node1, 10.128.0.3 on node2.");
    assert_caught("set cluster.interface: node1 has lo (127.0.0.1), docker0 (172.17.0.1), ens4 (10.128.0.2); node2 has");
    const addresses_t none[] = {HOST("node1", "docker0 172.17.0.1 16"),
                                HOST("node2", "docker0 172.17.0.1 16", "eth0 10.0.0.2 24")};
    refuses(none, 2, "",
            "node1 has no address that other hosts could reach: node1 has lo (127.0.0.1), docker0 (172.17.0.1); node2 has");
}

static void test_one_host(void **state)
{
    (void)state;
    const addresses_t eth = HOST("node1", "eth0 10.0.0.1 24"),
                      alone = {.n = 1, .at = {{.ip = ip_of("127.0.0.1"), .loopback = 1}}};
    CHOOSES(&eth, 1, "", "10.0.0.1");
    CHOOSES(&alone, 1, "", "127.0.0.1");
}

static void test_a_wish(void **state)
{
    (void)state;
    const addresses_t hosts[] = {HOST("node1", "docker0 172.17.0.1 16", "eth0 10.0.0.1 24", "ib0 10.9.0.1 16"),
                                 HOST("node2", "docker0 172.17.0.1 16", "ib0 10.9.0.2 16", "eth0 10.0.0.2 24")};
    CHOOSES(hosts, 2, "ib0", "10.9.0.1", "10.9.0.2");
    CHOOSES(hosts, 2, "docker0,10.9.0.0/16", "10.9.0.1", "10.9.0.2");
    CHOOSES(hosts, 1, "10.9.0.1", "10.9.0.1");
    CHOOSES(hosts, 1, "lo", "127.0.0.1");
    refuses(
        hosts, 2, "docker0",
        "cluster.interface \"docker0\": node1 and node2 have the same address there, 172.17.0.1, and cannot reach each other");
    refuses(hosts, 2, "lo", "have the same address there, 127.0.0.1");
    refuses(hosts, 2, "eth7",
            "no interface that is up has the name or IPv4 address \"eth7\"; this host has: lo (127.0.0.1), docker0");
    refuses(hosts, 2, "10.0.0.1", "address \"10.0.0.1\"; node2 has: lo (127.0.0.1), docker0");
    refuses(hosts, 2, "10.9.0.0/40", "address \"10.9.0.0/40\"; this host has");
}

static void test_this_host(void **state)
{
    (void)state;
    addresses_t here;
    assert_int_equal(addresses_here("me", &here), ST_OK);
    assert_string_equal(here.host, "me");
    CHOOSES(&here, 1, "lo", "127.0.0.1");
    CHOOSES(&here, 1, "127.0.0.0/8", "127.0.0.1");
}

static void test_networks_as_open_mpi_takes_them(void **state)
{
    (void)state;
    char text[ADDRESS_NETWORK_BYTES];
    const addresses_t h = HOST("a", "eth0 10.1.2.3 16", "ppp0 10.9.9.9 32");
    assert_string_equal(address_network(&h.at[0], text), "127.0.0.1/8");
    assert_string_equal(address_network(&h.at[1], text), "10.1.2.3/16");
    assert_string_equal(address_network(&h.at[2], text), "ppp0");
    char *list = address_list(&h.at[0], 3, true);
    assert_string_equal(list, "127.0.0.1/8,10.1.2.3/16,ppp0");
    mem_free(list);
    address_t found[ADDRESS_CANDIDATES];
    assert_int_equal(addresses_find("eth77,lo", found), 1);
    assert_int_equal(found[0].ip, 0x7f000001);
    assert_true(addresses_find("127.0.0.0/8", found) && found[0].ip == 0x7f000001);
    assert_false(addresses_find("eth77", found) || addresses_find("", found) || addresses_find(" ", found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shared_network), cmocka_unit_test(test_two_shared_networks),
        cmocka_unit_test(test_hosts_in_a_row),   cmocka_unit_test(test_networks_joined_by_routers),
        cmocka_unit_test(test_one_host),         cmocka_unit_test(test_a_wish),
        cmocka_unit_test(test_this_host),        cmocka_unit_test(test_networks_as_open_mpi_takes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
