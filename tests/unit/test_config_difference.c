/* Proves "the first key that config_hash covers and that two configurations have with different values": keys of every kind are
 * named with both values, and keys without an effect on the result are not. */
#include "tests/lib/testing.h"

#include "common/config/config.h"

static experiment_t *load(const char *override)
{
    const char *path = test_write("c.yaml", "name: a\ntrain: {epochs: 2}\n");
    experiment_t *experiment;
    assert_int_equal(experiment_load(path, &override, 1, &experiment), ST_OK);
    return experiment;
}

static void test_the_first_difference_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *override, *text;
    } cases[] = {
        {"train.epochs=1", "its train.epochs is 2, wanted is 1"},
        {"seed=12", "its seed is 1, wanted is 12"},
        {"model.hidden=[8]", "its model.hidden is [128, 64, 32], wanted is [8]"},
        {"model.activation=smelu", "its model.activation is relu, wanted is smelu"},
        {"dense.learning_rate=0.5", "its dense.learning_rate is 0.02, wanted is 0.5"},
    };
    experiment_t *base = load("train.epochs=2");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *other = load(cases[i].override);
        char text[200] = "";
        assert_true(config_difference(base->base, other->base, text, sizeof text));
        assert_string_equal(text, cases[i].text);
        assert_true(config_hash(base->base) != config_hash(other->base));
        experiment_destroy(&other);
    }
    experiment_destroy(&base);
}

static void test_keys_without_effect_are_none(void **state)
{
    (void)state;
    static const char *const overrides[] = {"name=b", "cluster.workers=4", "data.path=elsewhere", "train.report_steps=7",
                                            "experiment.replicas=9"};
    experiment_t *base = load("train.epochs=2");
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
        experiment_t *other = load(overrides[i]);
        char text[8] = "same";
        assert_false(config_difference(base->base, other->base, text, sizeof text));
        assert_string_equal(text, "same");
        assert_true(config_hash(base->base) == config_hash(other->base));
        experiment_destroy(&other);
    }
    experiment_destroy(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_difference_is_named),
        cmocka_unit_test(test_keys_without_effect_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
