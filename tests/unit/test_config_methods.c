/* Proves: the keys of ensembles, co-distillation, anti-distillation, distillation and equal complexity are checked, each wrong
 * combination by one line that names file, line and key; the helpers of config.h that read them agree with their contract. */
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/config/peer_group.h"

static experiment_t *load_ok(const char *yaml)
{
    experiment_t *experiment = NULL;
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), NULL, 0, &experiment), ST_OK);
    return experiment;
}

static const struct {
    const char *yaml, *line;
} refused[] = {
    {"model: {components: 0}\n", "c.yaml:1: model.components: "},
    {"objective: {kind: codistil}\n", "did you mean codistill?"},
    {"objective:\n  kind: codistill\n", "c.yaml:2: objective.kind: objective.kind codistill binds components together, but "
                                        "model.components is 1; use 2 or more"},
    {"objective: {kind: antidistill}\n",
     "objective.kind antidistill binds components together, but model.components is 1; use 2 or more"},
    {"model: {components: 4}\nobjective: {kind: codistill, peers: 3}\n",
     "c.yaml:2: objective.peers: objective.peers 3 cannot divide model.components 4 into 2 or more equal peers"},
    {"model: {components: 4}\nobjective: {kind: codistill, peers: 1}\n",
     "objective.peers 1 cannot divide model.components 4 into 2 or more equal peers"},
    {"model: {components: 2}\nobjective: {kind: antidistill, burn_in: 0.5, until: 0.5}\n",
     "c.yaml:2: objective.until: objective.until 0.5 is not after objective.burn_in 0.5, so its loss would never act; let "
     "it end later "
     "or begin earlier"},
    {"teacher: {variant: x, burn_in: 1}\n",
     "c.yaml:1: teacher.burn_in: teacher.until 1 is not after teacher.burn_in 1, so its loss"},
    {"model: {components: 2}\nobjective:\n  kind: antidistill\n  form: groups\n",
     "c.yaml:4: objective.form: objective.form groups is a form of co-distillation; use objective.kind codistill or "
     "objective.form joint"},
    {"model: {components: 2, share_embeddings: true}\nobjective: {kind: codistill, form: groups}\n",
     "c.yaml:1: model.share_embeddings: model.share_embeddings gives all peers the same tables, but with objective.form "
     "groups each "
     "peer has its own; use one of the two"},
    {"model: {components: 2}\nobjective: {kind: codistill, form: apart}\n", "c.yaml:2: objective.form: "},
    {"model: {components: 2}\nobjective: {kind: codistill, form: groups, exchange_steps: 0}\n",
     "c.yaml:2: objective.exchange_steps: "},
    {"model: {components: 3}\nobjective: {kind: codistill, form: groups}\ncluster: {workers: 4}\n",
     "c.yaml:3: cluster.workers: objective.form groups needs as many workers for each of its 3 peers, but cluster.workers "
     "is 4; use 3, "
     "6, ... workers"},
    {"model: {components: 2}\nobjective: {kind: codistill, form: groups}\ncluster: {workers: 10}\n",
     "c.yaml:3: cluster.workers: train.lanes 4 cannot be divided among the 5 workers that each of 2 peers has of "
     "cluster.workers 10; use "
     "at most 4 for each peer"},
    {"model: {components: 2}\nobjective: {kind: codistill, form: groups}\ncluster: {workers: 12}\ndeterminism: invariant\n",
     "the 6 workers that each of 2 peers has of cluster.workers 12; use at most 4 for each peer"},
    {"objective: {burn_in: 1.5}\n", "c.yaml:1: objective.burn_in: "},
    {"model: {components: 2, deploy: 2}\n",
     "c.yaml:1: model.deploy: model.deploy '2' is no component; allowed: auto, mean, or a number from 0 to 1"},
    {"model: {deploy: best}\n", "model.deploy 'best' is no component; allowed: auto, mean, or a number from 0 to 0"},
    {"model: {deploy: -1}\n", "model.deploy '-1' is no component"},
    {"model: {components: 4, deploy: 2}\nobjective: {kind: codistill, peers: 2}\n", "or a number from 0 to 1"},
    {"teacher: {variant: x, weight: 0, label_weight: 0}\n",
     "c.yaml:1: teacher.weight: teacher.weight and teacher.label_weight are both 0, so nothing would be learned"},
    {"teacher: {run: /x, weight: 0, label_weight: 0}\n", "are both 0, so nothing would be learned"},
    {"teacher: {run: /x, burn_in: 1}\n", "teacher.until 1 is not after teacher.burn_in 1"},
    {"variants:\n  - {name: a}\n  - {name: b, teacher: {variant: a, run: /x}}\n",
     "teacher.run '/x' and teacher.variant 'a' both name a teacher; keep one of them"},
    {"teacher: {variant: x}\n", "c.yaml:1: teacher.variant: teacher.variant names a variant, but the file has no variants"},
    {"complexity: {match: x}\n", "c.yaml:1: complexity.match: complexity.match names a variant, but the file has no variants"},
    {"variants:\n  - name: a\n  - {name: b, teacher: {variant: c}}\n",
     "c.yaml:3: variants[2].teacher.variant: variant b: teacher.variant 'c' is no variant; allowed: a, b"},
    {"variants:\n  - {name: a, teacher: {variant: a}}\n", "variant a names itself in teacher.variant; name another variant"},
    {"variants:\n  - {name: a, teacher: {variant: c}}\n  - {name: b, teacher: {variant: a}}\n  - {name: c, teacher: "
     "{variant: b}}\n",
     "c.yaml:2: variants[1].teacher.variant: teachers form a cycle: a -> c -> b -> a; one of them must have no teacher"},
    {"variants:\n  - {name: a, complexity: {match: z}}\n", "variant a: complexity.match 'z' is no variant; allowed: a"},
    {"variants:\n  - {name: a}\n  - {name: b, complexity: {match: a}}\n  - {name: c, complexity: {match: b}}\n",
     "c.yaml:4: variants[3].complexity.match: variant c: complexity.match 'b' is itself scaled to another variant; name "
     "that one"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        experiment_t *experiment = NULL;
        catch_start();
        status_t status = experiment_load(test_write("c.yaml", refused[i].yaml), NULL, 0, &experiment);
        catch_stop();
        assert_caught(refused[i].line);
        assert_int_equal(status, ST_INPUT);
        assert_null(experiment);
    }
}

/* A chain of teachers is no cycle, and a cycle that a variant only leads to is reported for its members. */
static void test_chains_of_teachers(void **state)
{
    (void)state;
    experiment_t *e =
        load_ok("variants:\n  - {name: a, teacher: {variant: b}}\n  - {name: b, teacher: {variant: c}}\n  - name: c\n");
    assert_int_equal(config_variant(e, "c"), 2);
    assert_int_equal(config_variant(e, "d"), -1);
    assert_string_equal(e->configs[1]->teacher.variant, "c");
    experiment_destroy(&e);
    catch_start();
    assert_int_equal(
        experiment_load(test_write("c.yaml", "variants:\n  - {name: a, teacher: {variant: b}}\n"
                                             "  - {name: b, teacher: {variant: c}}\n  - {name: c, teacher: {variant: b}}\n"),
                        NULL, 0, &e),
        ST_INPUT);
    catch_stop();
    assert_caught("teachers form a cycle: b -> c -> b");
}

static void test_groups(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int64_t peers;
        int first, last;
    } cases[] = {
        {"model: {components: 1}\n", 1, 0, 1},
        {"model: {components: 3}\n", 3, 0, 3},
        {"model: {components: 3, deploy: 1}\n", 3, 1, 2},
        {"model: {components: 3, share_embeddings: true}\n", 3, 0, 3},
        {"model: {components: 2}\nobjective: {kind: antidistill}\n", 2, 0, 2},
        {"model: {components: 2}\nobjective: {kind: codistill}\n", 2, 0, 1},
        {"model: {components: 2, deploy: mean}\nobjective: {kind: codistill}\n", 2, 0, 2},
        {"model: {components: 6, deploy: 1}\nobjective: {kind: codistill, peers: 3}\n", 3, 2, 4},
        {"model: {components: 6}\nobjective: {kind: codistill, peers: 2}\n", 2, 0, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = load_ok(cases[i].yaml);
        int first, last;
        config_deploy(e->base, &first, &last);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(last, cases[i].last);
        assert_int_equal(config_peers(e->base), cases[i].peers);
        experiment_destroy(&e);
    }
}

/* Groups cover the workers and the components once, in their order; a number of workers that the file does not give is checked
 * too. */
static void test_worker_groups(void **state)
{
    (void)state;
    experiment_t *e = load_ok("determinism: invariant\nmodel: {components: 6, deploy: 2}\n"
                              "objective: {kind: codistill, peers: 3, form: groups}\n");
    assert_int_equal(config_groups(e->base), 3);
    for (int workers = 3; workers <= 12; workers += 3) {
        assert_int_equal(config_check_workers(e->base, workers), ST_OK);
        for (int w = 0; w < workers; w++) {
            const peer_group_t g = peer_group_of(e->base, w, workers);
            assert_int_equal(g.groups, 3);
            assert_int_equal(g.workers, workers / 3);
            assert_int_equal(g.number, w / (workers / 3));
            assert_int_equal(g.first_worker, g.number * g.workers);
            assert_int_equal(g.first_component, 2 * g.number);
            assert_int_equal(g.end_component, 2 * g.number + 2);
        }
        assert_int_equal(peer_group_reporting(e->base, workers).number, 2); /* the deployed peer's */
    }
    static const int wrong[] = {1, 4, 15, 24}; /* no multiple; 5 and 8 for each, of 4 lanes */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        catch_start();
        assert_int_equal(config_check_workers(e->base, wrong[i]), ST_INPUT);
        catch_stop();
        assert_caught(i < 2 ? "for each of its 3 peers, but cluster.workers is " : "use at most 4 for each peer");
    }
    experiment_destroy(&e);
    e = load_ok("model: {components: 2, deploy: mean}\nobjective: {kind: codistill, form: groups}\n");
    assert_int_equal(peer_group_reporting(e->base, 4).number, 0);
    experiment_destroy(&e);
    e = load_ok("model: {components: 3}\nobjective: {kind: codistill}\n"); /* joint: one group of all */
    const peer_group_t all = peer_group_of(e->base, 1, 2);
    assert_int_equal(all.groups, 1);
    assert_int_equal(all.workers, 2);
    assert_int_equal(all.first_component, 0);
    assert_int_equal(all.end_component, 3);
    experiment_destroy(&e);
}

/* A configuration travels as text and arrives as it was; a damaged one is refused. */
static void test_travels_as_text(void **state)
{
    (void)state;
    experiment_t *e = load_ok(
        "name: \"a: b\"\nmodel: {components: 4, hidden: [5, 6], deploy: 2}\nobjective: {kind: codistill, weight: 0.1}\n");
    config_t *copy = NULL;
    char *text, *again;
    assert_int_equal(config_text(e->base, &text), ST_OK);
    assert_int_equal(config_from_text(text, strlen(text), "BEGIN", &copy), ST_OK);
    assert_int_equal(config_text(copy, &again), ST_OK);
    assert_string_equal(again, text);
    assert_int_equal(config_hash(copy), config_hash(e->base));
    config_destroy(&copy);
    catch_start();
    assert_int_equal(config_from_text("train: {lanes: 3}\n", 18, "BEGIN", &copy), ST_INPUT);
    assert_int_equal(config_from_text("nonsense: 1\n", 12, "BEGIN", &copy), ST_INPUT);
    catch_stop();
    assert_caught("train.lanes 3 is not a power of two");
    assert_caught("BEGIN:1: nonsense");
    assert_null(copy);
    mem_free(text);
    mem_free(again);
    experiment_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_chains_of_teachers), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_worker_groups), cmocka_unit_test(test_travels_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
