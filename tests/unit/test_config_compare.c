/* Proves "all keys with different values" and "keys which later versions add leave it as it is": every key of the table is
 * changed in turn and is reported, alone and with its class; a layout with one key more hashes the same. */
#include "tests/lib/testing.h"

#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/config/decode.h"

#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

static config_t *parse(const char *text)
{
    config_t *config;
    assert_int_equal(config_from_text(text, strlen(text), "test", &config), ST_OK);
    return config;
}

/* change - give a field of the struct another value than it has, of whatever kind it is; allowed or not does not matter
 * here. */
static void change(const field_t *field, void *at)
{
    switch (field->kind) {
    case VALUE_INT:
    case VALUE_AUTO:
        ++*(int64_t *)at;
        break;
    case VALUE_NUM:
        *(double *)at += 0.125;
        break;
    case VALUE_BOOL:
        *(bool *)at = !*(bool *)at;
        break;
    case VALUE_TEXT:
        mem_free(*(char **)at);
        *(char **)at = mem_strdup("another \"text\"");
        break;
    case VALUE_TREE:
        mem_free(*(char **)at);
        *(char **)at = mem_strdup("{user_id: 7}");
        break;
    case VALUE_WORD:
        *(int32_t *)at = field->words[*(int32_t *)at == field->words[0].value].value;
        break;
    case VALUE_WORDS:
        *(uint32_t *)at ^= 1u << field->words[0].value;
        break;
    case VALUE_INTS:
    case VALUE_NUMS:
    case VALUE_SERIES:
        /* The three share their layout in memory; a list of no elements is another one than any default but []. */
        mem_free(((config_ints_t *)at)->at);
        *(config_ints_t *)at = (config_ints_t){MEM_ARRAY(int64_t, 1), 1};
        break;
    }
}

/* Each key of the table in turn: it is the one difference, with its class; the hash moves unless the class is free; the text
 * form names it under the same condition. */
static void test_every_key(void **state)
{
    (void)state;
    const layout_t *layout = layout_config();
    config_t *base = parse("name: a\n");
    const uint64_t hash = config_hash(base);
    int seen[CLASS_COUNT] = {0};
    for (int r = 0; r < layout->count; r++) {
        for (int f = 0; f < layout->records[r].count; f++) {
            const config_record_t *record = &layout->records[r];
            const field_t *field = &record->fields[f];
            if (field->kind == VALUE_WORD && field->words_count == 1)
                continue; /* it has no other value yet */
            config_t *other = layout_copy(layout, base);
            config_difference_t *differences;
            char name[128], text[400], first[400] = "";
            int n;
            snprintf(name, sizeof name, "%s%s%s", record->name, *record->name ? "." : "", field->name);
            change(field, (char *)other + record->offset + field->offset);
            config_compare(base, other, &differences, &n);
            assert_int_equal(n, 1);
            assert_string_equal(differences[0].name, name);
            assert_string_not_equal(differences[0].before, differences[0].now);
            assert_int_equal(differences[0].change, field->change);
            seen[differences[0].change]++;
            assert_int_equal(config_hash(other) != hash, differences[0].change != CLASS_FREE);
            assert_int_equal(config_difference(base, other, first, sizeof first), differences[0].change != CLASS_FREE);
            snprintf(text, sizeof text, "its %s is %s, wanted is %s", name, differences[0].before, differences[0].now);
            assert_string_equal(first, *first ? text : "");
            config_differences_destroy(&differences, n);
            assert_null(differences);
            config_destroy(&other);
        }
    }
    for (int c = 0; c < CLASS_COUNT; c++)
        assert_true(seen[c] > 10); /* the loop went over the table */
    config_destroy(&base);
}

/* What a run can and cannot go on with: named here once more, because a resume relies on it. */
static const struct {
    key_class_t change;
    const char *keys[28];
} classes[] = {
    {CLASS_IDENTITY,
     {"seed",
      "determinism",
      "warm_start",
      "data.order",
      "data.order_seed",
      "data.window",
      "synth.rows",
      "synth.seed",
      "train.batch",
      "train.lanes",
      "train.loss",
      "train.last_batch",
      "train.pipeline_depth",
      "train.noise_seed",
      "model.components",
      "model.hidden",
      "model.activation",
      "model.beta",
      "model.layer_norm",
      "model.weight_norm",
      "model.share_embeddings",
      "embedding.dim",
      "embedding.optimizer",
      "embedding.min_count",
      "embedding.ttl_steps",
      "dense.optimizer",
      "objective.kind",
      "teacher.variant"}},
    {CLASS_TUNABLE,
     {"train.epochs", "train.max_steps", "train.staleness", "model.gsmelu_learning_rate", "embedding.learning_rate",
      "embedding.epsilon", "dense.learning_rate", "dense.epsilon", "objective.weight", "objective.until", "teacher.weight"}},
    {CLASS_FREE,
     {"name", "cluster.workers", "cluster.servers", "cluster.shards_per_server", "cluster.deadline_s", "cluster.memory_mb",
      "data.path", "data.input", "data.schema", "data.cache_mb", "train.report_steps", "checkpoint.every_steps",
      "checkpoint.every_seconds", "checkpoint.keep", "evaluate.probe_every", "evaluate.probe_examples", "complexity.match",
      "experiment.replicas", "tune.key"}},
};

static void test_classes(void **state)
{
    (void)state;
    const layout_t *layout = layout_config();
    for (int c = 0; c < LEN(classes); c++)
        for (int k = 0; k < LEN(classes[c].keys) && classes[c].keys[k]; k++) {
            const char *key = classes[c].keys[k];
            bool found = false;
            for (int r = 0; r < layout->count; r++)
                for (int f = 0; f < layout->records[r].count; f++) {
                    const config_record_t *record = &layout->records[r];
                    char name[128];
                    snprintf(name, sizeof name, "%s%s%s", record->name, *record->name ? "." : "", record->fields[f].name);
                    if (strcmp(name, key) != 0)
                        continue;
                    found = true;
                    if (record->fields[f].change != classes[c].change)
                        fail_msg("%s has class %d, not %d", key, (int)record->fields[f].change, (int)classes[c].change);
                }
            if (!found)
                fail_msg("there is no key %s", key);
        }
}

static void test_all_differences_in_order(void **state)
{
    (void)state;
    config_t *before = parse("name: a\nembedding: {dim: 4, learning_rate: 0.5}\n"),
             *same = parse("name: a\nembedding: {dim: 4, learning_rate: 0.5}\n");
    config_t *now = parse("name: a\ncluster: {workers: 2}\ndata: {path: \"a \\\"b\\\"\"}\nmodel: {hidden: [7, 3]}\nembedding: "
                          "{dim: 8, learning_rate: 1e-05}\n");
    static const struct {
        const char *name;
        key_class_t change;
        const char *before, *now;
    } wanted[] = {
        {"cluster.workers", CLASS_FREE, "auto", "2"},
        {"data.path", CLASS_FREE, "\"\"", "\"a \\\"b\\\"\""},
        {"model.hidden", CLASS_IDENTITY, "[128, 64, 32]", "[7, 3]"},
        {"embedding.dim", CLASS_IDENTITY, "4", "8"},
        {"embedding.learning_rate", CLASS_TUNABLE, "0.5", "1e-05"},
    };
    config_difference_t *found;
    int n;
    config_compare(before, now, &found, &n);
    assert_int_equal(n, LEN(wanted));
    for (int i = 0; i < n; i++) {
        assert_string_equal(found[i].name, wanted[i].name);
        assert_int_equal(found[i].change, wanted[i].change);
        assert_string_equal(found[i].before, wanted[i].before);
        assert_string_equal(found[i].now, wanted[i].now);
    }
    config_differences_destroy(&found, n);
    config_compare(before, same, &found, &n);
    assert_int_equal(n, 0);
    config_differences_destroy(&found, n);
    config_destroy(&before);
    config_destroy(&same);
    config_destroy(&now);
}

/* A resolved configuration that an earlier version wrote lacks train.last_batch and means what that version did, with the hash
 * that it had. A person's file means the default, which is another run. */
static void test_configurations_from_before_a_key(void **state)
{
    (void)state;
    config_t *older = parse("train: {batch: 48}\nsynth: {rows: 700, group_size: 1}\nmodel: {hidden: [6], components: 2}\n");
    assert_int_equal(older->train.last_batch, LAST_BATCH_OWN);
    assert_true(config_hash(older) == UINT64_C(0xccdfe1ca5ce46fb3)); /* as commit ed0b5d8 computed it */
    experiment_t *now;
    const char *path =
        test_write("c.yaml", "train: {batch: 48}\nsynth: {rows: 700, group_size: 1}\nmodel: {hidden: [6], components: 2}\n");
    assert_int_equal(experiment_load(path, NULL, 0, &now), ST_OK);
    assert_int_equal(now->base->train.last_batch, LAST_BATCH_SCALED);
    assert_true(config_hash(now->base) != config_hash(older));
    char *text;
    assert_int_equal(config_text(now->base, &text), ST_OK);
    config_t *again = parse(text);
    assert_int_equal(again->train.last_batch, LAST_BATCH_SCALED);
    assert_true(config_hash(again) == config_hash(now->base));
    mem_free(text);
    config_destroy(&again);
    config_destroy(&older);
    experiment_destroy(&now);
}

/* ---- keys of later versions ---------------------------------------------------------------------------------------------- */

typedef struct made_up {
    int64_t width;
    double rate;
    int64_t added;
    int64_t path;
} made_up_t;

static const field_t first_fields[] = {
    {VALUE_INT, "width", "8", 0, 100, "", .offset = offsetof(made_up_t, width), .change = CLASS_IDENTITY},
    {VALUE_NUM, "rate", "0.50", 0, 1, "", .offset = offsetof(made_up_t, rate), .change = CLASS_TUNABLE},
};
/* One version later: a key in front, one behind, a free one, and another order. */
static const field_t later_fields[] = {
    {VALUE_INT, "added", "3", 0, 100, "", .offset = offsetof(made_up_t, added), .change = CLASS_IDENTITY},
    {VALUE_NUM, "rate", "0.50", 0, 1, "", .offset = offsetof(made_up_t, rate), .change = CLASS_TUNABLE},
    {VALUE_INT, "path", "1", 0, 100, "", .offset = offsetof(made_up_t, path), .change = CLASS_FREE},
    {VALUE_INT, "width", "8", 0, 100, "", .offset = offsetof(made_up_t, width), .change = CLASS_IDENTITY},
};
static const config_record_t first_record = {"model", "", first_fields, LEN(first_fields), 0, sizeof(made_up_t)};
static const config_record_t later_record = {"model", "", later_fields, LEN(later_fields), 0, sizeof(made_up_t)};
static const layout_t first = {&first_record, 1, sizeof(made_up_t)}, later = {&later_record, 1, sizeof(made_up_t)};

/* What each version makes of the same file. */
static uint64_t hash_of(const layout_t *layout, const char *text)
{
    yaml_t *file, *tree = layout_defaults(layout, "test");
    void *value;
    assert_int_equal(yaml_parse(text, strlen(text), "test", 1, LAYER_FILE, &file), ST_OK);
    assert_int_equal(yaml_merge(tree, file), 0);
    assert_int_equal(decode_tree(layout, tree, &value), ST_OK);
    const uint64_t hash = layout_hash(layout, value);
    layout_destroy(layout, value);
    yaml_destroy(&file);
    yaml_destroy(&tree);
    return hash;
}

static void test_a_new_key_moves_no_hash(void **state)
{
    (void)state;
    static const char *const files[] = {"model: {}\n", "model: {width: 9}\n", "model: {rate: 0.25}\n",
                                        "model: {width: 9, rate: 0.25}\n", "model: {width: 25}\n"};
    uint64_t hashes[LEN(files)];
    for (int i = 0; i < LEN(files); i++) {
        hashes[i] = hash_of(&first, files[i]);
        assert_true(hash_of(&later, files[i]) == hashes[i]);
        for (int j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
    assert_true(hash_of(&first, "model: {width: 8, rate: 0.5}\n") == hashes[0]); /* a default that is written out */
    assert_true(hash_of(&later, "model: {added: 3, path: 7}\n") == hashes[0]);   /* and one of the free keys */
    assert_true(hash_of(&later, "model: {added: 4}\n") != hashes[0]);
    assert_true(hash_of(&later, "model: {added: 9}\n") != hashes[1]); /* a value counts with its name */
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

static void test_read_resolved(void **state)
{
    (void)state;
    config_t *config = parse("name: a\nseed: 3\nmodel: {hidden: [5]}\nwarm_start: \"x: y\"\n"), *back;
    config_difference_t *found;
    char *text;
    int n;
    assert_int_equal(config_text(config, &text), ST_OK);
    assert_int_equal(config_read_resolved(test_write("config.yaml", text), &back), ST_OK);
    config_compare(config, back, &found, &n);
    assert_int_equal(n, 0);
    config_differences_destroy(&found, n);
    config_destroy(&back);
    mem_free(text);

    /* One of an older version: what it does not have is at its default. */
    assert_int_equal(config_read_resolved(test_write("old.yaml", "name: a\nseed: 3\n"), &back), ST_OK);
    config_compare(config, back, &found, &n);
    assert_int_equal(n, 2);
    assert_string_equal(found[0].name, "warm_start");
    assert_string_equal(found[1].name, "model.hidden");
    config_differences_destroy(&found, n);
    config_destroy(&back);

    catch_start();
    assert_int_equal(config_read_resolved(test_path("none.yaml"), &back), ST_INPUT);
    assert_caught("none.yaml");
    assert_int_equal(config_read_resolved(test_write("bad.yaml", "train: {lanes: 3}\n"), &back), ST_INPUT);
    assert_caught("bad.yaml:1: train.lanes: train.lanes 3 is not a power of two");
    assert_int_equal(config_read_resolved(test_write("bad.yaml", "model: {colour: 3}\n"), &back), ST_INPUT);
    assert_caught("bad.yaml:1: model.colour: unknown key");
    catch_stop();
    config_destroy(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_all_differences_in_order),
        cmocka_unit_test(test_configurations_from_before_a_key),
        cmocka_unit_test(test_a_new_key_moves_no_hash),
        cmocka_unit_test(test_read_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
