/* test_processors - kinds of processors: how ranks are grouped, what is refused at which level, and how a manifest keeps
 * them. */
#include "launcher/ranks/processors.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/lib/testing.h"

/* A job of n ranks, rank r on hosts[r] with a kernel of that name. */
static roster_t job(int n, const char *const *hosts, const char *const *kernels)
{
    roster_t roster = {
        .size = n, .servers = 1, .shards_per_server = 1, .workers = n - 2, .entries = MEM_ARRAY(roster_entry_t, n)};
    for (int r = 0; r < n; r++) {
        snprintf(roster.entries[r].host, sizeof roster.entries[r].host, "%s", hosts[r]);
        snprintf(roster.entries[r].processor.name, sizeof roster.entries[r].processor.name, "%s", kernels[r]);
        roster.entries[r].processor.probe = kernels[r][0];
    }
    return roster;
}

static const char *const two_hosts[] = {"node1", "node1", "node10", "node2"};
static const char *const one_kind[] = {"haswell", "haswell", "haswell", "haswell"};
static const char *const two_kinds[] = {"haswell", "haswell", "zen", "haswell"};

static void test_ranks_are_grouped(void **state)
{
    (void)state;
    roster_t roster = job(4, two_hosts, two_kinds);
    processors_t all = processors_of(&roster, 3);
    assert_int_equal(all.n, 2);
    assert_string_equal(all.kind[0].processor.name, "haswell");
    assert_string_equal(all.kind[0].hosts, "node1, node2");
    assert_true(all.kind[0].ranks == 3 && all.kind[0].first == 0 && all.kind[0].incarnation == 3);
    assert_string_equal(all.kind[1].hosts, "node10");
    assert_true(all.kind[1].ranks == 1 && all.kind[1].first == 2);
    processors_fini(&all);
    roster_fini(&roster);
}

static void test_a_job_of_two_kinds(void **state)
{
    (void)state;
    static const char yaml[] = "name: x\nsynth: {rows: 10}\ndata: {path: d}\n";
    config_t *config;
    assert_int_equal(config_from_text(yaml, sizeof yaml - 1, "test", &config), ST_OK);
    const experiment_t experiment = {.base = config};
    roster_t same = job(4, two_hosts, one_kind), mixed = job(4, two_hosts, two_kinds);
    catch_start();
    config->determinism = DETERMINISM_SYNC;
    assert_int_equal(processors_check_job(&same, &experiment), ST_OK);
    assert_int_equal(processors_check_job(&mixed, &experiment), ST_INPUT);
    assert_caught("rank 0 and 2 more on node1, node2 (haswell, probe 00000000) and rank 2 on node10 (zen, probe 00000000) "
                  "compute with different "
                  "bits, so that determinism sync cannot be kept");
    config->determinism = DETERMINISM_INVARIANT;
    assert_int_equal(processors_check_job(&mixed, &experiment), ST_INPUT);
    config->cluster.mixed_processors = true;
    assert_int_equal(processors_check_job(&mixed, &experiment), ST_OK);
    config->cluster.mixed_processors = false;
    config->determinism = DETERMINISM_BOUNDED;
    assert_int_equal(processors_check_job(&mixed, &experiment), ST_OK);
    assert_caught("compute with different bits; the run's manifest says so");
    catch_stop();
    catch_start();
    config->determinism = DETERMINISM_PORTABLE;
    assert_int_equal(processors_check_job(&mixed, &experiment), ST_OK);
    assert_string_equal(catch_text(), "");
    catch_stop();
    config_destroy(&config);
    roster_fini(&same);
    roster_fini(&mixed);
}

static void test_what_came_before(void **state)
{
    (void)state;
    static const char *const other_kind[] = {"zen", "zen", "zen", "zen"};
    roster_t a = job(4, two_hosts, one_kind), b = job(4, two_hosts, other_kind);
    processors_t before = processors_of(&a, 1), now = processors_of(&b, 2), none = {0};
    config_t config = {.determinism = DETERMINISM_INVARIANT};
    catch_start();
    assert_int_equal(processors_check_earlier("DIR", "was", &before, &before, &config), ST_OK);
    assert_int_equal(processors_check_earlier("DIR", "was", &none, &now, &config), ST_OK); /* not recorded */
    assert_int_equal(processors_check_earlier("DIR", "was", &before, &now, &config), ST_INPUT);
    assert_caught(
        "DIR: was computed by rank 0 and 3 more on node1, node10, node2 (haswell, probe 00000000); here rank 0 and 3 more");
    config.cluster.mixed_processors = true;
    assert_int_equal(processors_check_earlier("DIR", "was", &before, &now, &config), ST_OK);
    config = (config_t){.determinism = DETERMINISM_ASYNC};
    assert_int_equal(processors_check_earlier("DIR", "was", &before, &now, &config), ST_OK);
    assert_caught("bits differ from here on");
    /* Once two kinds took part, going on with one of them alone is said too. */
    processors_t both = processors_copy(&before);
    processors_add(&both, &now);
    processors_add(&both, &now);
    assert_int_equal(both.n, 2);
    config.determinism = DETERMINISM_SYNC;
    assert_int_equal(processors_check_earlier("DIR", "was", &both, &before, &config), ST_INPUT);
    catch_stop();
    catch_start();
    config.determinism = DETERMINISM_PORTABLE;
    assert_int_equal(processors_check_earlier("DIR", "was", &both, &before, &config), ST_OK);
    processors_warn_scores("DIR", &before, &now, &config);
    assert_string_equal(catch_text(), "");
    config.determinism = DETERMINISM_INVARIANT;
    processors_warn_scores("DIR", &before, &now, &config);
    assert_caught("the last bits of a score may be others than there");
    catch_stop();
    processors_fini(&before);
    processors_fini(&now);
    processors_fini(&both);
    roster_fini(&a);
    roster_fini(&b);
}

static void test_in_a_manifest(void **state)
{
    (void)state;
    roster_t roster = job(4, two_hosts, two_kinds);
    processors_t all = processors_of(&roster, 7), back, none = {0};
    all.kind[1].processor.probe = UINT64_MAX;
    jsondoc_t *doc = jsondoc_object(), *old = jsondoc_object();
    processors_put(doc, &all);
    processors_put(old, &none);
    assert_int_equal(processors_get(doc, "m", &back), ST_OK);
    assert_int_equal(back.n, 2);
    assert_memory_equal(back.kind, all.kind, 2 * sizeof *back.kind);
    processors_fini(&back);
    assert_int_equal(processors_get(old, "m", &back), ST_OK);
    assert_int_equal(back.n, 0);
    jsondoc_destroy(&doc);
    jsondoc_destroy(&old);
    processors_fini(&all);
    roster_fini(&roster);
}

static void test_this_processor(void **state)
{
    (void)state;
    const processor_t *here = processor_here();
    char text[PROCESSOR_TEXT_BYTES];
    processor_t other = *here;
    assert_non_null(strstr(here->name, " kernel "));
    assert_non_null(strstr(here->name, ", glibc "));
    assert_non_null(strstr(here->name, "-bit vectors"));
    assert_true(processor_is_same(here, &other));
    strcpy(strrchr(other.name, ','), ", 1024-bit vectors"); /* no bit depends on their width */
    assert_true(processor_is_same(here, &other));
    strcpy(strrchr(other.name, ','), "");
    assert_true(processor_is_same(here, &other));
    strcpy(strrchr(other.name, ','), ""); /* the library's variant */
    assert_false(processor_is_same(here, &other));
    other = *here;
    other.probe ^= 1;
    assert_false(processor_is_same(here, &other));
    assert_non_null(strstr(processor_text(here, text), ", probe "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_are_grouped), cmocka_unit_test(test_a_job_of_two_kinds),
        cmocka_unit_test(test_what_came_before),  cmocka_unit_test(test_in_a_manifest),
        cmocka_unit_test(test_this_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
