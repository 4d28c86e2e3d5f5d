/* Proves of provenance.h: "two programs that differ in nothing else are the same" where only their commits differ, the hosts of
 * a job are each named once, and a manifest's provenance reads back or is not there. */
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "launcher/ranks/provenance.h"
#include "launcher/ranks/roster.h"

static void test_commit_is_no_part_of_a_program(void **state)
{
    (void)state;
    static const char commit[PROVENANCE_COMMIT_BYTES] = "0123456789ab-dirty";
    char program[300], blank[300];
    assert_string_equal(provenance_commit(), "unknown");
    memset(program, 'x', sizeof program);
    memcpy(blank, program, sizeof blank);
    provenance_blank_commit(program, sizeof program); /* before it was said which it is */
    assert_memory_equal(program, blank, sizeof program);

    provenance_set_commit(commit);
    assert_string_equal(provenance_commit(), "0123456789ab-dirty");
    memset(blank + 17, 0, sizeof commit);
    memset(blank + sizeof blank - sizeof commit, 0, sizeof commit);
    memcpy(program + 17, commit, sizeof commit);
    memcpy(program + sizeof program - sizeof commit, commit, sizeof commit);
    provenance_blank_commit(program, sizeof program);
    assert_memory_equal(program, blank, sizeof program);
}

static void test_hosts(void **state)
{
    (void)state;
    roster_entry_t entries[] = {{.host = "node2"}, {.host = "node1"}, {.host = "node2"}, {.host = "node3"}, {.host = "node1"}};
    roster_t roster = {.size = 5, .entries = entries};
    char *hosts = roster_hosts(&roster);
    assert_string_equal(hosts, "node2, node1, node3");
    mem_free(hosts);
}

static void test_reads_back(void **state)
{
    (void)state;
    char date[CLOCK_UTC_BYTES];
    provenance_t p = {.begun = mem_strdup("a"),
                      .ended = mem_strdup(clock_utc(date)),
                      .hosts = mem_strdup("h, i"),
                      .cpu = mem_strdup(provenance_cpu()),
                      .version = mem_strdup(SMELTER_VERSION),
                      .commit = mem_strdup("c"),
                      .march = mem_strdup("x86-64-v3")};
    provenance_t back = {0}, none = {0};
    jsondoc_t *doc = jsondoc_object();
    assert_int_equal(strlen(date), strlen("2026-01-02T03:04:05Z"));
    assert_int_equal(provenance_get(doc, "m", &none), ST_OK);
    assert_null(none.begun);
    provenance_put(doc, &p);
    assert_int_equal(provenance_get(doc, "m", &back), ST_OK);
#define SAME(name) assert_string_equal(back.name, p.name);
    PROVENANCE_TEXTS(SAME)
#undef SAME
    provenance_fini(&back);
    provenance_fini(&p);
    jsondoc_destroy(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_is_no_part_of_a_program),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
