/* Proves: defaults, file, variant and --set are laid over one another in this order; every kind of wrong configuration is one
 * line that names file, line (or --set argument), key, value and what is allowed; the resolved text loads back to itself; what
 * does not determine a result does not change the hash; every file in configs/ loads; docs/CONFIG.md is what the key table
 * says. */
#include "tests/lib/testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/files/file.h"

#define LEN(array) ((int)(sizeof(array) / sizeof *(array)))

/* load_ok - the experiment of a text that is right. */
static experiment_t *load_ok(const char *yaml, const char *const *sets, int n)
{
    experiment_t *experiment = NULL;
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), sets, n, &experiment), ST_OK);
    return experiment;
}

/* replace - put b in place of every a in text, which is **owned**. */
static void replace(char **text, const char *a, const char *b)
{
    char *out = mem_strdup("");
    for (const char *at = *text; *at;) {
        const char *hit = strstr(at, a);
        char *longer = mem_printf("%s%.*s%s", out, hit ? (int)(hit - at) : (int)strlen(at), at, hit ? b : "");
        mem_free(out);
        out = longer;
        at = hit ? hit + strlen(a) : at + strlen(at);
    }
    mem_free(*text);
    *text = out;
}

/* assert_refused - loading fails, and the lines logged are exactly these; FILE stands for the file's name, ACTIVATIONS for the
 * words of all activations. */
static void assert_refused(const char *yaml, const char *const *sets, int n, const char *expected)
{
#define LISTED(word, constant, doc) ", " #word
    static const char activations[] = WORDS_ACTIVATION(LISTED);
    const char *path = test_write("c.yaml", yaml);
    experiment_t *experiment = NULL;
    catch_start();
    status_t status = experiment_load(path, sets, n, &experiment);
    catch_stop();
    char *got = mem_strdup(catch_text()), *wanted = mem_printf("%s\n", expected);
    replace(&got, path, "FILE");
    replace(&got, activations + strlen(", "), "ACTIVATIONS");
    assert_string_equal(got, wanted);
    assert_int_equal(status, ST_INPUT);
    assert_null(experiment);
    mem_free(got);
    mem_free(wanted);
}

static void test_defaults(void **state)
{
    (void)state;
    experiment_t *e = load_ok("", NULL, 0);
    const config_t *c = e->base;
    assert_int_equal(e->variants, 0);
    assert_string_equal(c->name, "run");
    assert_int_equal(c->determinism, DETERMINISM_SYNC);
    assert_int_equal(c->cluster.workers, 0);
    assert_int_equal(c->cluster.servers, 1);
    assert_int_equal(c->data.order, ORDER_FULL);
    assert_int_equal(c->train.batch, 256);
    assert_int_equal(c->model.hidden.count, 3);
    assert_int_equal(c->model.hidden.at[0], 128);
    assert_int_equal(c->model.hidden.at[2], 32);
    assert_false(c->model.activate_inputs);
    assert_true(c->embedding.epsilon == 1e-10);
    assert_int_equal(c->experiment.vary, 1u << VARY_ORDER);
    experiment_destroy(&e);
    assert_null(e);
}

/* A file that was written for the defaults of version 1 means what it meant, in variants too; what it gives itself stays. */
static void test_first_defaults(void **state)
{
    (void)state;
    const char *sets[] = {"defaults=1"};
    experiment_t *two = load_ok("", NULL, 0), *given = load_ok("train: {batch: 256}\n", sets, 1), *back = NULL;
    experiment_t *one =
        load_ok("defaults: 1\nmodel: {layer_norm: affine}\nvariants: [{name: a, embedding: {dim: 3}}]\n", NULL, 0);
    assert_int_equal(one->base->train.batch, 1024);
    assert_int_equal(one->base->train.epochs, 1);
    assert_true(one->base->model.activate_inputs);
    assert_int_equal(one->base->model.layer_norm, LAYER_NORM_AFFINE);
    assert_true(one->configs[0]->embedding.learning_rate == 0.1);
    assert_int_equal(one->configs[0]->train.batch, 1024);
    assert_int_equal(given->base->train.batch, 256);
    assert_int_equal(given->base->model.layer_norm, LAYER_NORM_NONE);
    /* The hash is of what the keys are, whoever gave them; and what is resolved says all of them. */
    char *text = NULL;
    assert_int_equal(config_text(one->base, &text), ST_OK);
    back = load_ok(text, NULL, 0);
    assert_int_equal(config_hash(back->base), config_hash(one->base));
    assert_true(config_hash(two->base) != config_hash(one->base));
    char difference[512];
    config_t other = *one->base;
    other.model.layer_norm = LAYER_NORM_PLAIN;
    assert_true(config_difference(&other, two->base, difference, sizeof difference));
    assert_string_equal(difference,
                        "its train.batch is 1024, wanted is 256 (defaults: 1 in the file wants what was the default "
                        "when it was trained)");
    mem_free(text);
    experiment_destroy(&one);
    experiment_destroy(&two);
    experiment_destroy(&given);
    experiment_destroy(&back);
}

static void test_merge_order(void **state)
{
    (void)state;
    const char *yaml = "seed: 5\n"
                       "train: {batch: 512, epochs: 3}\n"
                       "model:\n" /* all keys commented out */
                       "variants:\n"
                       "  - name: a\n"
                       "  - {name: b, seed: 6, train: {batch: 256, epochs: 7}, model: {hidden: [8], activation: smelu}}\n";
    const char *sets[] = {"train.epochs=1", "train.epochs=9", "model.hidden=[64,32]", "experiment.vary=[init, order]",
                          "name=x y"};
    experiment_t *e = load_ok(yaml, sets, LEN(sets));
    assert_int_equal(e->variants, 2);
    assert_string_equal(e->names[0], "a");
    assert_string_equal(e->names[1], "b");
    /* File over default, argument over file, the later argument over the earlier. */
    assert_int_equal(e->base->seed, 5);
    assert_int_equal(e->base->train.batch, 512);
    assert_int_equal(e->base->train.epochs, 9);
    assert_int_equal(e->base->train.lanes, 4);
    assert_string_equal(e->base->name, "x y");
    assert_int_equal(e->base->experiment.vary, 1u << VARY_INIT | 1u << VARY_ORDER);
    /* A variant without overrides is the base; overrides win over the file; arguments win over overrides. */
    assert_int_equal(config_hash(e->configs[0]), config_hash(e->base));
    assert_int_equal(e->configs[1]->seed, 6);
    assert_int_equal(e->configs[1]->train.batch, 256);
    assert_int_equal(e->configs[1]->train.epochs, 9);
    assert_int_equal(e->configs[1]->model.activation, ACTIVATION_SMELU);
    assert_int_equal(e->configs[1]->model.hidden.count, 2);
    assert_int_equal(e->configs[1]->model.hidden.at[0], 64);
    assert_string_equal(e->configs[1]->name, "x y");
    experiment_destroy(&e);
}

static void test_words_and_numbers(void **state)
{
    (void)state;
    const char *sets[] = {"cluster.workers=auto",   "model.activate_inputs=no", "model.clip=+2.5e0",
                          "embedding.init_std=.5",  "experiment.vary=[]",       "seed=9007199254740991",
                          "model={weight_norm: 3}", "data.path='a: \"b\" \\ #'"};
    experiment_t *e = load_ok("cluster: {workers: 2}\n", sets, LEN(sets));
    assert_int_equal(e->base->cluster.workers, 0);
    assert_false(e->base->model.activate_inputs);
    assert_true(e->base->model.clip == 2.5);
    assert_true(e->base->embedding.init_std == 0.5);
    assert_int_equal(e->base->experiment.vary, 0);
    assert_int_equal(e->base->seed, 9007199254740991);
    assert_true(e->base->model.weight_norm == 3);
    assert_string_equal(strrchr(e->base->data.path, '/'), "/a: \"b\" \\ #");
    experiment_destroy(&e);
}

static const struct {
    const char *yaml, *expected;
} refused_files[] = {
    /* keys */
    {"\ntrain:\n  bacth: 3\n", "FILE:3: train.bacth: unknown key; did you mean train.batch?"},
    {"batch: 3\n", "FILE:1: batch: unknown key; did you mean train.batch?"},
    {"complexity: {zebra: 3}\n", "FILE:1: complexity.zebra: unknown key; allowed in complexity: match, by"},
    {"zebra: 3\n", "FILE:1: zebra: unknown key; allowed: name, defaults, seed, determinism, kernels, warm_start, cluster, "
                   "data, synth, train, "
                   "model, embedding, fields, "
                   "dense, linear, objective, complexity, teacher, experiment, tune, checkpoint, evaluate, variants"},
    {"seed: 1\ntrain:\n  batch: 4\n  epochs: 1\n  batch: 8\n", "FILE:5: train.batch: given twice, first in line 3; remove one"},
    {"[a]: 1\n", "FILE:1: a key must be a plain word"},
    /* kinds */
    {"- 1\n", "FILE:1: a list is given; a map of keys to values (key: value) is wanted"},
    {"hello\n", "FILE:1: 'hello' is given; a map of keys to values (key: value) is wanted"},
    {"model: relu\n", "FILE:1: model: 'relu' is given; a map of keys to values (key: value) is wanted"},
    {"seed: {a: 1}\n", "FILE:1: seed: a map of keys to values is given; a single value is wanted"},
    {"model:\n  hidden: {a: 1}\n", "FILE:2: model.hidden: a map of keys to values is given; a single list is wanted"},
    {"model:\n  hidden: [{a: 1}]\n",
     "FILE:2: model.hidden[1]: a map of keys to values is given; allowed: a list of 1 to 64 whole "
     "numbers from 1 to 65536"},
    {"seed:\n  - 1\n", "FILE:1: seed: a list is given; allowed: a whole number from 0 to 9007199254740991"},
    {"name: [a]\n", "FILE:1: name: a list is given; allowed: text"},
    {"model: {hidden: 64}\n",
     "FILE:1: model.hidden: '64' is not a list; allowed: a list of 1 to 64 whole numbers from 1 to 65536"},
    {"model: {hidden: []}\n",
     "FILE:1: model.hidden: the list has 0 elements; allowed: a list of 1 to 64 whole numbers from 1 to "
     "65536"},
    {"model: {hidden: [8, [9]]}\n",
     "FILE:1: model.hidden[2]: a list is given; allowed: a list of 1 to 64 whole numbers from 1 to "
     "65536"},
    {"model: {activate_inputs: maybe}\n", "FILE:1: model.activate_inputs: 'maybe' is given; allowed: true or false"},
    /* numbers */
    {"train: {batch: 1k}\n", "FILE:1: train.batch: '1k' is not a whole number; allowed: a whole number from 1 to 16777216"},
    {"train: {batch: 1.5}\n", "FILE:1: train.batch: '1.5' is not a whole number; allowed: a whole number from 1 to 16777216"},
    {"train: {batch: 010}\n", "FILE:1: train.batch: '010' is not a whole number; allowed: a whole number from 1 to 16777216"},
    {"train: {batch: }\n", "FILE:1: train.batch: '' is not a whole number; allowed: a whole number from 1 to 16777216"},
    {"train: {batch: -8}\n", "FILE:1: train.batch: -8 is out of range; allowed: a whole number from 1 to 16777216"},
    {"train: {batch: 99999999999999999999999}\n",
     "FILE:1: train.batch: 99999999999999999999999 is out of range; allowed: a whole number from 1 to 16777216"},
    {"cluster:\n  ports: 20000\n",
     "FILE:2: cluster.ports: cluster.ports '20000' is not two numbers with a hyphen between them; write a range such as "
     "20000-20100"},
    {"cluster: {ports: 20000-20100-1}\n", "FILE:1: cluster.ports: cluster.ports '20000-20100-1' is not two numbers with a "
                                          "hyphen between them; write a range such as 20000-20100"},
    {"cluster: {ports: 0-9}\n", "FILE:1: cluster.ports: cluster.ports '0-9' has a number that is no port, which is 1 to 65535; "
                                "write a range such as 20000-20100"},
    {"cluster: {ports: 20000-99999}\n", "FILE:1: cluster.ports: cluster.ports '20000-99999' has a number that is no port, "
                                        "which is 1 to 65535; write a range such as 20000-20100"},
    {"cluster: {ports: 300-200}\n",
     "FILE:1: cluster.ports: cluster.ports '300-200' ends before it begins; write a range such as 20000-20100"},
    {"cluster: {memory_mb: -1}\n", "FILE:1: cluster.memory_mb: -1 is out of range; allowed: a whole number from 0 to 16777216"},
    {"embedding: {min_count: -1}\n",
     "FILE:1: embedding.min_count: -1 is out of range; allowed: a whole number from 0 to 1000000000"},
    {"embedding: {ttl_steps: -1}\n",
     "FILE:1: embedding.ttl_steps: -1 is out of range; allowed: a whole number from 0 to 1099511627776"},
    {"checkpoint: {every_steps: -1}\n",
     "FILE:1: checkpoint.every_steps: -1 is out of range; allowed: a whole number from 0 to 1099511627776"},
    {"checkpoint: {every_seconds: -0.5}\n",
     "FILE:1: checkpoint.every_seconds: -0.5 is out of range; allowed: a number from 0 to 31536000"},
    {"checkpoint: {keep: 0}\n", "FILE:1: checkpoint.keep: 0 is out of range; allowed: a whole number from 1 to 1000000"},
    {"cluster: {servers: 0}\n",
     "FILE:1: cluster.servers: 0 is out of range; allowed: per_host or a whole number from 1 to 1024"},
    {"cluster: {workers: 0}\n", "FILE:1: cluster.workers: 0 is out of range; allowed: auto or a whole number from 1 to 4096"},
    {"cluster: {workers: all}\n",
     "FILE:1: cluster.workers: 'all' is not a whole number; allowed: auto or a whole number from 1 to "
     "4096"},
    {"model: {clip: nan}\n", "FILE:1: model.clip: 'nan' is not a number; allowed: a number from 0 to 1000000"},
    {"model: {clip: 1e999}\n", "FILE:1: model.clip: '1e999' is not a number; allowed: a number from 0 to 1000000"},
    {"model: {clip: 0x10}\n", "FILE:1: model.clip: '0x10' is not a number; allowed: a number from 0 to 1000000"},
    {"model: {beta: 0}\n", "FILE:1: model.beta: 0 is out of range; allowed: a number from 1e-06 to 1000000"},
    {"model:\n  hidden:\n    - 8\n    - 0\n",
     "FILE:4: model.hidden[2]: 0 is out of range; allowed: a list of 1 to 64 whole numbers "
     "from 1 to 65536"},
    /* words */
    {"model: {activation: smel}\n",
     "FILE:1: model.activation: 'smel' is not known here (did you mean smelu?); allowed: one of ACTIVATIONS"},
    {"model: {hidden: [4, 4], layer_activation: [relu, smleu]}\n",
     "FILE:1: model.layer_activation[2]: 'smleu' is not known here (did you mean smelu?); allowed: a list of 0 to 64 "
     "of ACTIVATIONS"},
    {"model: {layer_activation: relu}\n",
     "FILE:1: model.layer_activation: 'relu' is not a list; allowed: a list of 0 to 64 of ACTIVATIONS"},
    /* activations */
    {"model: {layer_activation: [relu, smelu]}\n",
     "FILE:1: model.layer_activation: model.layer_activation has 2 elements for the 3 layers of model.hidden; give one for "
     "each, or [] to use model.activation"},
    {"model:\n  hidden: [8]\n  layer_beta: [1, 2]\n", "FILE:3: model.layer_beta: model.layer_beta has 2 elements for the 1 "
                                                      "layers of model.hidden; give one for each, or [] to "
                                                      "use model.beta"},
    {"model: {layer_beta: [1, 2, 0]}\n",
     "FILE:1: model.layer_beta[3]: 0 is out of range; allowed: a list of 0 to 64 numbers from 1e-06 to 1000000"},
    {"model: {gsmelu_left: 1}\n",
     "FILE:1: model.gsmelu_left: model.gsmelu_right 1 must be above model.gsmelu_left 1, by 0.001 at least"},
    {"model: {gsmelu_level: 0.5}\n", "FILE:1: model.gsmelu_level: 0.5 is out of range; allowed: a number from -1000000 to 0"},
    {"model: {activation: gsmelu, gsmelu: network, layer_beta: [1, 2, 3]}\n",
     "FILE:1: model.gsmelu: model.gsmelu network learns one set for all layers, so model.layer_beta cannot give each its "
     "own "
     "start; use model.beta or model.gsmelu layer"},
    {"model: {parts: []}\n",
     "FILE:1: model.parts: model.parts is empty, so there would be no network; name one part or more, such as "
     "[linear, mlp]"},
    {"model: {parts: [linear, mlp], cross_rank: 8}\n",
     "FILE:1: model.cross_rank: model.cross_rank is of the part cross, and model.parts has none; add cross, or leave it out"},
    {"model: {cross_form: stacked}\n",
     "FILE:1: model.cross_form: model.cross_form is of the part cross, and model.parts has none; add cross, or leave it out"},
    {"model: {parts: [linear, cross], cross_form: stacked}\n",
     "FILE:1: model.cross_form: model.cross_form stacked hands what cross makes on to mlp, and model.parts has none; add mlp, "
     "or use parallel"},
    {"model: {parts: [fn]}\n",
     "FILE:1: model.parts[1]: 'fn' is not known here (did you mean fm?); allowed: a list of any of linear, fm, cross, mlp"},
    {"model: {parts: [linear], components: 2}\nobjective: {kind: antidistill, decorrelate: hidden}\n",
     "FILE:2: objective.decorrelate: objective.decorrelate hidden looks at hidden layers, and model.parts has no mlp; "
     "use logits, or add mlp"},
    {"model: {parts: [linear]}\nvariants: [{name: a}, {name: b, complexity: {match: a}}]\n",
     "FILE:2: variants.b.complexity.match: complexity.match scales embedding.dim and model.hidden, and a network of "
     "model.parts [linear] "
     "has neither; leave it out"},
    {"model: {beta_spread: 2, layer_beta: [1, 2, 3]}\n",
     "FILE:1: model.beta_spread: model.beta_spread finds each layer's width, and model.layer_beta gives it; leave out one of "
     "the two"},
    {"model: {beta_spread: 2, activation: gsmelu}\n",
     "FILE:1: model.beta_spread: model.beta_spread finds one width for each layer, and gsmelu has two; use smelu, or "
     "model.gsmelu layer, which learns them"},
    {"model: {rescu_knots: [0, 2, 1], rescu_slopes: [0, 1, 2]}\n",
     "FILE:1: model.rescu_knots: model.rescu_knots[3] 1 is not above the knot before it, 2; write knots in ascending "
     "order"},
    {"model: {rescu_knots: [0, 1, 2]}\n",
     "FILE:1: model.rescu_knots: model.rescu_slopes has 2 elements and model.rescu_knots 3; every knot needs its slope"},
    {"model: {rescu_knots: []}\n",
     "FILE:1: model.rescu_knots: the list has 0 elements; allowed: a list of 1 to 64 numbers from -1000000 to 1000000"},
    {"determinism: 2\n",
     "FILE:1: determinism: '2' is not known here; allowed: one of async, bounded, sync, invariant, portable"},
    {"experiment: {vary: [init, data]}\n",
     "FILE:1: experiment.vary[2]: 'data' is not known here; allowed: a list of any of init, "
     "order, level, workers, noise"},
    {"experiment: {vary: init}\n",
     "FILE:1: experiment.vary: 'init' is not a list; allowed: a list of any of init, order, level, workers, noise"},
    {"experiment: {vary: [order, {init: 1}, dice]}\n",
     "FILE:1: experiment.vary[2]: a map of keys to values is given; allowed: a list of any of init, order, level, workers, "
     "noise\n"
     "FILE:1: experiment.vary[3]: 'dice' is not known here; allowed: a list of any of init, order, level, workers, noise"},
    /* YAML */
    {"seed: [1\n",
     "FILE:2: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence that begins in line 1"},
    {"train:\n\tbatch: 3\n",
     "FILE:2: not valid YAML: found character that cannot start any token, while scanning for the next token; "
     "indent with spaces, not tabs"},
    {"name: a\nname2: \xff\n", "FILE:2: not valid YAML: invalid leading UTF-8 octet (byte 0xff); save the file as UTF-8"},
    {"seed: 1\n---\nseed: 2\n", "FILE:2: a second YAML document begins here; one is allowed"},
    {"train: &t {batch: 4}\nmodel: *t\n", "FILE:2: alias *t: aliases are not supported; write the value out"},
    {"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "FILE:2: alias *a: aliases are not supported; write the value out"},
    {"train:\n  <<: {batch: 4}\n", "FILE:2: merge key <<: merge keys are not supported; write the keys out"},
    {"seed: 1\nname: !secret x\n", "FILE:2: tag !secret: not supported here; remove the tag"},
    {"name: !!binary eA==\n", "FILE:1: tag !!binary: not supported here; remove the tag"},
    {"model: {hidden: !!set {8}}\n", "FILE:1: tag !!set: not supported here; remove the tag"},
    {"model: {hidden: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[8]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}\n",
     "FILE:1: nested more than 32 deep"},
    {"n\xc3\xa4me: \"\xc3\xa4\xc3\xb6\"\ntrain:\n  \tbatch: 3\n",
     "FILE:3: not valid YAML: found character that cannot start any token, while scanning for the next token; "
     "indent with spaces, not tabs"},
    {"name: \"a\\0b\"\n", "FILE:1: a NUL character inside a value"},
    /* several at once */
    {"seed: x\ncluster:\n  servers: 0\n  sevrers: 2\nmodel: {activation: tanh}\n",
     "FILE:4: cluster.sevrers: unknown key; did you mean cluster.servers?\n"
     "FILE:1: seed: 'x' is not a whole number; allowed: a whole number from 0 to 9007199254740991\n"
     "FILE:3: cluster.servers: 0 is out of range; allowed: per_host or a whole number from 1 to 1024\n"
     "FILE:5: model.activation: 'tanh' is not known here; allowed: one of ACTIVATIONS"},
};

/* What YAML allows and says no more than the keys do: tags of plain values, an anchor that nothing points to, JSON, UTF-16. */
static void test_other_spellings(void **state)
{
    (void)state;
    experiment_t *e = load_ok("%YAML 1.1\n---\nname: !!str 010\nseed: !!int \"7\"\n"
                              "model: !!map {\"hidden\": !!seq [8, 4,], clip: &c !!float 2, activate_inputs: off}\n...\n",
                              NULL, 0);
    assert_string_equal(e->base->name, "010");
    assert_int_equal(e->base->seed, 7);
    assert_int_equal(e->base->model.hidden.count, 2);
    assert_int_equal(e->base->model.hidden.at[1], 4);
    assert_true(e->base->model.clip == 2);
    assert_false(e->base->model.activate_inputs);
    experiment_destroy(&e);

    char path[256];
    snprintf(path, sizeof path, "%s", test_write("c.yaml", ""));
    FILE *file = fopen(path, "w");
    static const char text[] = "\xff\xfen\0a\0m\0e\0:\0 \0\xe4\0\n\0s\0e\0e\0d\0:\0 \0\x39\0\n\0";
    assert_int_equal(fwrite(text, sizeof text - 1, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(experiment_load(path, NULL, 0, &e), ST_OK);
    assert_string_equal(e->base->name, "\xc3\xa4");
    assert_int_equal(e->base->seed, 9);
    experiment_destroy(&e);
}

static void test_refused_in_files(void **state)
{
    (void)state;
    for (int i = 0; i < LEN(refused_files); i++)
        assert_refused(refused_files[i].yaml, NULL, 0, refused_files[i].expected);
}

static void test_refused_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *set, *expected;
    } cases[] = {
        {"train.batch", "--set train.batch: write it as --set KEY=VALUE, for example --set train.batch=1024"},
        {"=3", "--set =3: write it as --set KEY=VALUE, for example --set train.batch=1024"},
        {"train.bach=8", "--set train.bach=8: train.bach: unknown key; did you mean train.batch?"},
        {"trian.batch=8", "--set trian.batch=8: trian: unknown key; did you mean train?"},
        {"train.batch.size=8",
         "--set train.batch.size=8: train.batch: a map of keys to values is given; a single value is wanted"},
        {"train.batch=",
         "--set train.batch=: train.batch: '' is not a whole number; allowed: a whole number from 1 to 16777216"},
        {"train.batch=0", "--set train.batch=0: train.batch: 0 is out of range; allowed: a whole number from 1 to 16777216"},
        {"model.hidden=[64,x]",
         "--set model.hidden=[64,x]: model.hidden[2]: 'x' is not a whole number; allowed: a list of 1 to 64 whole "
         "numbers from 1 to 65536"},
        {"model.hidden=[64",
         "--set model.hidden=[64: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence"},
        {"train={batch: 4, batch: 8}", "--set train={batch: 4, batch: 8}: batch: given twice; remove one"},
        {"train=4", "--set train=4: train: '4' is given; a map of keys to values (key: value) is wanted"},
    };
    for (int i = 0; i < LEN(cases); i++)
        assert_refused("variants: [{name: a}, {name: b}]\n", &cases[i].set, 1, cases[i].expected);
}

static void test_impossible_combinations(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *set, *expected;
    } cases[] = {
        {"train:\n  lanes: 3\n", NULL,
         "FILE:2: train.lanes: train.lanes 3 is not a power of two, which determinism sync needs; use 1, 2, 4, 8 ..."},
        {"determinism: portable\nkernels: openblas\n", NULL,
         "FILE:2: kernels: kernels openblas gives the bits of its version and of this processor, and determinism portable "
         "promises the same on all; remove kernels, or set determinism: invariant"},
        {"determinism: invariant\ntrain: {lanes: 6, batch: 12}\n", NULL,
         "FILE:2: train.lanes: train.lanes 6 is not a power of two, which determinism invariant needs; use 1, 2, 4, 8 ..."},
        {"train: {lanes: 6, batch: 12}\n", "determinism=invariant",
         "--set determinism=invariant: determinism: train.lanes 6 is not a power of two, which determinism invariant needs; "
         "use 1, 2, 4, "
         "8 ..."},
        {"determinism: async\ntrain: {lanes: 8, batch: 4}\n", NULL,
         "FILE:2: train.lanes: train.lanes 8 are more than train.batch 4; use at most one lane per example"},
        {"train: {batch: 10}\n", NULL,
         "FILE:1: train.batch: train.batch 10 cannot be divided into train.lanes 4 equal lanes; use a batch of 8 or 12"},
        {"determinism: invariant\n", "cluster.workers=5",
         "--set cluster.workers=5: cluster.workers: cluster.workers 5 are more than train.lanes 4, so some would have nothing "
         "to do; use at "
         "most 4 workers or more lanes"},
        {"cluster:\n  workers: 5\n", NULL,
         "FILE:2: cluster.workers: cluster.workers 5 are more than train.lanes 4, so some would have nothing to do; use at "
         "most 4 workers "
         "or more lanes"},
        {"data: {input: /a.csv}\n", NULL,
         "FILE:1: data.input: data.input '/a.csv' needs data.schema to say what its columns are; name a YAML file or a preset "
         "(criteo, "
         "avazu, libsvm)"},
        {"data: {input: /a.csv, schema: criteo}\nsynth:\n  rows: 10\n", NULL,
         "FILE:3: synth.rows: synth.rows 10 and data.input '/a.csv' both say where the dataset comes from; remove one"},
    };
    for (int i = 0; i < LEN(cases); i++)
        assert_refused(cases[i].yaml, &cases[i].set, cases[i].set != NULL, cases[i].expected);

    /* What looks alike and is allowed: no power of two and no equal share where nothing depends on it. */
    const char *sets[] = {"determinism=bounded", "train.lanes=6", "train.batch=12", "cluster.workers=5"};
    experiment_t *e = load_ok("", sets, LEN(sets));
    experiment_destroy(&e);
    const char *three[] = {"cluster.workers=3"};
    e = load_ok("determinism: sync\n", three, 1);
    experiment_destroy(&e);
    e = load_ok("determinism: invariant\n", three, 1);
    experiment_destroy(&e);
}

static void test_check_workers(void **state)
{
    (void)state;
    experiment_t *e = load_ok("determinism: invariant\ncluster: {workers: auto}\ntrain: {lanes: 8}\n", NULL, 0);
    for (int workers = 1; workers <= 20; workers++) {
        bool fits = workers <= 8;
        catch_start();
        status_t status = config_check_workers(e->base, workers);
        catch_stop();
        assert_int_equal(status, fits ? ST_OK : ST_INPUT);
        char *expected =
            mem_printf("cluster.workers %d are more than train.lanes 8, so some would have nothing to do; use at most 8 "
                       "workers or more lanes\n",
                       workers);
        assert_string_equal(catch_text(), fits ? "" : expected);
        mem_free(expected);
    }
    e->base->determinism = DETERMINISM_ASYNC;
    assert_int_equal(config_check_workers(e->base, 7), ST_OK);
    catch_start();
    assert_int_equal(config_check_workers(e->base, 9), ST_INPUT);
    catch_stop();
    assert_caught("cluster.workers 9 are more than train.lanes 8");
    experiment_destroy(&e);
}

static void test_refused_variants(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *expected;
    } cases[] = {
        {"variants: {a: 1}\n", "FILE:1: variants: a map of keys to values is given; a single list is wanted"},
        {"variants: a\n", "FILE:1: variants: a list of variants is wanted, each beginning with '- name: NAME'"},
        {"variants:\n  - relu\n",
         "FILE:2: variants[1]: a variant is a map with a name and overrides, for example {name: smelu1, model: "
         "{activation: smelu}}"},
        {"variants:\n  - name: a\n  - seed: 2\n", "FILE:3: variants[2]: the variant has no name; add name: NAME"},
        {"variants:\n  - name: a\n  - name: b\n  - name: a\n",
         "FILE:4: variants[3]: name 'a' is given to two variants; each needs its "
         "own"},
        {"variants: [{name: a/b}]\n",
         "FILE:1: variants[1]: name 'a/b' cannot name a folder; use 1 to 64 letters, digits, '_', '-' or "
         "'.', not beginning with one of the last two"},
        {"variants: [{name: ..}]\n",
         "FILE:1: variants[1]: name '..' cannot name a folder; use 1 to 64 letters, digits, '_', '-' or '.', "
         "not beginning with one of the last two"},
        {"variants: [{name: ''}]\n",
         "FILE:1: variants[1]: name '' cannot name a folder; use 1 to 64 letters, digits, '_', '-' or '.', "
         "not beginning with one of the last two"},
        {"variants:\n  - name: a\n    modle: {beta: 2}\n", "FILE:3: variants.a.modle: unknown key; did you mean model?"},
        {"variants:\n  - name: a\n    model:\n      beta: x\n",
         "FILE:4: variants.a.model.beta: 'x' is not a number; allowed: a number from 1e-06 to 1000000"},
        {"variants:\n  - name: a\n    train: {lanes: 3}\n", "FILE:3: variants.a.train.lanes: train.lanes 3 is not a power of "
                                                            "two, which determinism sync needs; use 1, 2, 4, 8 ..."},
        {"variants:\n  - name: a\n    experiment: {replicas: 4}\n",
         "FILE:3: variants.a.experiment.replicas: holds for all variants; move it to the top of the file"},
        {"variants:\n  - name: a\n    defaults: 1\n",
         "FILE:3: variants.a.defaults: holds for all variants; move it to the top of the file"},
        {"variants:\n  - name: a\n    cluster: {workers: 2, active_workers: 1}\n",
         "FILE:3: variants.a.cluster.workers: holds for all variants; move it to the top of the file, and say here with "
         "cluster.active_workers how many of them train"},
        {"variants:\n  - {name: a, cluster: {servers: 2}}\n  - {name: b, tune: {goal: loss}, experiment: {vary: [level]}}\n",
         "FILE:2: variants.a.cluster.servers: holds for all variants; move it to the top of the file\n"
         "FILE:3: variants.b.tune.goal: holds for all variants; move it to the top of the file"},
        {"variants:\n  - name: a\n    sweep: {cluster.workers: [1, 2]}\n",
         "FILE:3: variants.a-workers1.cluster.workers: holds for all variants; move it to the top of the file, and say here "
         "with "
         "cluster.active_workers how many of them train\n"
         "FILE:3: variants.a-workers2.cluster.workers: holds for all variants; move it to the top of the file, and say here "
         "with "
         "cluster.active_workers how many of them train"},
        {"experiment:\n  baseline: c\nvariants: [{name: a}, {name: b}]\n",
         "FILE:2: experiment.baseline: 'c' is no variant; allowed: a, b"},
        /* Two variants, an error each. */
        {"variants:\n  - {name: a, model: {beta: x}}\n  - {name: b, sede: 1}\n",
         "FILE:2: variants.a.model.beta: 'x' is not a number; allowed: a number from 1e-06 to 1000000\n"
         "FILE:3: variants.b.sede: unknown key; did you mean seed?"},
    };
    for (int i = 0; i < LEN(cases); i++)
        assert_refused(cases[i].yaml, NULL, 0, cases[i].expected);

    experiment_t *e = load_ok("experiment: {baseline: relu}\n", NULL, 0); /* a run's own file has no variants */
    experiment_destroy(&e);
    e = load_ok("variants:\n", NULL, 0);
    assert_int_equal(e->variants, 0);
    experiment_destroy(&e);
}

static void test_variables(void **state)
{
    (void)state;
    setenv("SMELTER_TEST_A", "one", 1);
    setenv("SMELTER_TEST_B", "", 1);
    unsetenv("SMELTER_TEST_NONE");
    experiment_t *e = load_ok("name: x${SMELTER_TEST_A}y${SMELTER_TEST_B}${SMELTER_TEST_A}\n"
                              "data: {path: $HOME and $$, input: '${SMELTER_TEST_A}/i', schema: criteo}\n",
                              NULL, 0);
    assert_string_equal(e->base->name, "xoneyone");
    assert_string_equal(strrchr(e->base->data.path, '/'), "/$HOME and $$");
    assert_string_equal(strrchr(e->base->data.input, '/') - 4, "/one/i");
    experiment_destroy(&e);

    assert_refused(
        "data:\n  path: ${SMELTER_TEST_NONE}/d\n", NULL, 0,
        "FILE:2: data.path: environment variable SMELTER_TEST_NONE is not set, but '${SMELTER_TEST_NONE}/d' uses it; set it "
        "(export SMELTER_TEST_NONE=...) or write the value out");
    assert_refused("name: a${SMELTER_TEST_A\n", NULL, 0, "FILE:1: name: 'a${SMELTER_TEST_A' has ${ without its }");

    /* The input is not needed where the dataset exists, so its user expands it. */
    e = load_ok("data: {input: '${SMELTER_TEST_NONE}/i', schema: criteo}\n", NULL, 0);
    assert_string_equal(e->base->data.input, "${SMELTER_TEST_NONE}/i");
    char *out = NULL;
    catch_start();
    assert_int_equal(config_expand(e->base->data.input, "data.input", &out), ST_INPUT);
    catch_stop();
    assert_null(out);
    assert_string_equal(catch_text(),
                        "data.input: environment variable SMELTER_TEST_NONE is not set, but '${SMELTER_TEST_NONE}/i' uses "
                        "it; set it (export SMELTER_TEST_NONE=...) or write the value out\n");
    setenv("SMELTER_TEST_NONE", "/now", 1);
    assert_int_equal(config_expand(e->base->data.input, "data.input", &out), ST_OK);
    assert_string_equal(out, "/now/i");
    mem_free(out);
    experiment_destroy(&e);
}

static void expect_path(const char *seen, const char *folder, const char *name)
{
    char *expected = mem_printf("%s/%s", folder, name);
    assert_string_equal(seen, expected);
    mem_free(expected);
}

/* "Beside the file that says it"; an argument is relative to the current folder, and a preset is no path. */
static void test_paths_are_beside_the_file(void **state)
{
    (void)state;
    char *beside = realpath(test_path("."), NULL), here[4096];
    assert_non_null(getcwd(here, sizeof here));
    char *above = mem_strdup(beside);
    *strrchr(above, '/') = 0;
    static const char text[] =
        "warm_start: runs/a\nteacher: {run: runs/c}\ndata: {path: ../no.such.d, input: ./x/in.csv, schema: s.yaml}\n";
    experiment_t *e = load_ok(text, NULL, 0);
    expect_path(e->base->data.path, above, "no.such.d");
    expect_path(e->base->data.input, beside, "x/in.csv");
    expect_path(e->base->data.schema, beside, "s.yaml");
    expect_path(e->base->warm_start, beside, "runs/a");
    expect_path(e->base->teacher.run, beside, "runs/c");
    experiment_destroy(&e);
    const char *arguments[] = {"data.schema=t.yaml", "data.path=d", "data.input=../in.csv", "warm_start=runs/b",
                               "teacher.run=d"};
    e = load_ok(text, arguments, 5);
    expect_path(e->base->data.schema, here, "t.yaml");
    expect_path(e->base->data.path, here, "d");
    assert_string_equal(e->base->warm_start, "runs/b"); /* as it is written, which is part of the run's hash */
    assert_string_equal(e->base->teacher.run, "d");
    experiment_destroy(&e);
    const char *preset[] = {"data.schema=criteo"};
    e = load_ok(text, preset, 1);
    assert_string_equal(e->base->data.schema, "criteo");
    experiment_destroy(&e);
    e = load_ok("data: {path: /somewhere/d, schema: libsvm, input: '${HOME}/in'}\n", NULL, 0);
    assert_string_equal(e->base->data.path, "/somewhere/d");
    assert_string_equal(e->base->data.schema, "libsvm");
    experiment_destroy(&e);
    mem_free(above);
    free(beside);
}

/* Paths were relative to the current folder once: what is found there alone is named, and not taken or passed over. */
static void test_the_old_meaning_of_paths_is_told(void **state)
{
    (void)state;
    static const char *const keys[] = {"data: {path: %s}\n", "data: {schema: criteo, input: %s}\n", "data: {schema: %s}\n",
                                       "warm_start: %s\n"};
    for (int i = 0; i < 4; i++) {
        char *text = mem_printf(keys[i], "Makefile"); /* in the current folder, which is the project's root */
        experiment_t *e = NULL;
        catch_start();
        assert_int_equal(experiment_load(test_write("c.yaml", text), NULL, 0, &e), ST_INPUT);
        catch_stop();
        assert_caught("'Makefile' is relative to the folder of this file, and there is no ");
        assert_caught("/Makefile: write it from the file's folder, or give --set ");
        mem_free(text);
    }
    test_write("Makefile", "\n"); /* beside the file: that one is meant */
    experiment_t *e = load_ok("data: {path: Makefile}\n", NULL, 0);
    experiment_destroy(&e);
    assert_int_equal(unlink(test_path("Makefile")), 0);
}

/* Random-looking doubles, every word and every list must survive text -> file -> text. */
static void test_text_loads_back(void **state)
{
    (void)state;
    const char *sets[] = {"embedding.learning_rate=0.12345678901234567",
                          "model.clip=0.1",
                          "embedding.epsilon=3e-17",
                          "model.beta=1e-6",
                          "dense.learning_rate=123456.789",
                          "seed=9007199254740991",
                          "cluster.workers=2",
                          "model.hidden=[1,65536,7]",
                          "experiment.vary=[order,init]",
                          "name=\"q\\\"\\\\ \\t\\n # é: [x] \\x01\\x80\\uFEFF\\uFFFE\"",
                          "model.activation=smelu",
                          "embedding.optimizer=adagrad_row",
                          "determinism=async",
                          "data.schema=x.yaml",
                          "experiment.baseline=b",
                          "model.activate_inputs=off",
                          "model.layer_activation=[gsmelu,relu,gsmelu]",
                          "model.layer_beta=[3,0.1,1e-6]",
                          "model.rescu_knots=[-0.1,0.2,0.7]",
                          "model.rescu_slopes=[0,1,-1]"};
    experiment_t *first = load_ok("variants: [{name: b}]\n", sets, LEN(sets)), *second = NULL;
    char *text, *again;
    assert_int_equal(config_text(first->base, &text), ST_OK);
    second = load_ok(text, NULL, 0);
    assert_int_equal(config_text(second->base, &again), ST_OK);
    assert_string_equal(text, again);
    assert_true(second->base->embedding.learning_rate == 0.12345678901234567);
    assert_true(second->base->embedding.epsilon == 3e-17);
    assert_true(second->base->dense.learning_rate == 123456.789);
    assert_string_equal(second->base->name, "q\"\\ \t\n # \xc3\xa9: [x] \x01\xc2\x80\xef\xbb\xbf\xef\xbf\xbe");
    assert_int_equal(second->base->cluster.workers, 2);
    assert_int_equal(second->base->model.hidden.at[1], 65536);
    assert_int_equal(second->base->model.layer_activation.count, 3);
    assert_int_equal(second->base->model.layer_activation.at[0], ACTIVATION_GSMELU);
    assert_int_equal(second->base->model.layer_activation.at[1], ACTIVATION_RELU);
    assert_true(second->base->model.layer_beta.at[1] == 0.1);
    assert_int_equal(first->base->model.hidden.count, 3);
    assert_int_equal(second->base->determinism, DETERMINISM_ASYNC);
    assert_int_equal(config_hash(first->base), config_hash(second->base));
    mem_free(text);
    mem_free(again);
    experiment_destroy(&first);
    experiment_destroy(&second);
}

/* One value per key that differs from the default, and whether the hash may move: the contract's list, written out. */
static void test_hash(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        bool moves;
    } cases[] = {
        {"name=x", false},
        {"cluster.workers=2", false},
        {"cluster.servers=2", false},
        {"cluster.transport=tcp", false},
        {"cluster.shards_per_server=2", false},
        {"data.path=x", false},
        {"data.schema=libsvm", false},
        {"data.cache_mb=7", false},
        {"train.report_steps=7", false},
        {"experiment.replicas=7", false},
        {"experiment.vary=[]", false},
        {"seed=2", true},
        {"determinism=invariant", true},
        {"data.order=window", true},
        {"data.order_seed=2", true},
        {"data.window=9", true},
        {"train.batch=512", true},
        {"train.lanes=2", true},
        {"train.epochs=4", true},
        {"train.pipeline_depth=0", true},
        {"model.components=2", true},
        {"model.hidden=[128,64]", true},
        {"model.beta=2", true},
        {"model.activation=smelu", true},
        {"embedding.dim=4", true},
        {"embedding.optimizer=sgd", true},
        {"dense.epsilon=0", true},
    };
    experiment_t *base = load_ok("", NULL, 0);
    uint64_t hash = config_hash(base->base), seen[LEN(cases)];
    for (int i = 0; i < LEN(cases); i++) {
        experiment_t *e = load_ok("", &cases[i].set, 1);
        seen[i] = config_hash(e->base);
        assert_int_equal(seen[i] != hash, cases[i].moves);
        for (int j = 0; j < i && cases[i].moves; j++)
            assert_int_not_equal(seen[i], seen[j]);
        experiment_destroy(&e);
    }
    const char *input[] = {"data.input=a.csv", "data.schema=libsvm"};
    experiment_t *e = load_ok("", input, 2);
    assert_int_equal(config_hash(e->base), hash);
    experiment_destroy(&e);
    experiment_destroy(&base);
}

/* A setting that the optimizer does not know is refused where it stands, unless it was said for another optimizer, or says
 * nothing new. */
static void test_settings_of_another_optimizer(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "dense: {momentum: 0.5}\n",
        "dense: {momentum: 0.5}\nvariants: [{name: a}, {name: b, dense: {optimizer: momentum}}]\n",
        "embedding: {optimizer: adam}\nvariants: [{name: a, embedding: {ftrl_l1: 1}}]\n",
        "embedding: {optimizer: adam, nesterov: true}\n",
        "dense: {optimizer: ftrl, weight_decay: 1}\n",
        "dense: {schedule: step, decay_until: 9}\n",
        "dense: {schedule: step, decay_from: 9, warmup_steps: 10}\n",
        "linear: {schedule: cosine, decay_until: 9, warmup_steps: 9}\n",
    };
    static const char *const said[] = {
        "FILE:1: dense.momentum: optimizer adagrad does not know this setting; leave it out, or choose another dense.optimizer",
        "FILE:1: dense.momentum: optimizer adagrad does not know this setting; leave it out, or choose another "
        "dense.optimizer",
        "FILE:2: variants.a.embedding.ftrl_l1: optimizer adam does not know this setting; leave it out, or choose another "
        "embedding.optimizer",
        "FILE:1: embedding.nesterov: optimizer adam does not know this setting; leave it out, or choose another "
        "embedding.optimizer",
        "FILE:1: dense.weight_decay: optimizer ftrl does not know this setting; leave it out, or choose another "
        "dense.optimizer",
        "FILE:1: dense.decay_until: schedule step does not know this setting; leave it out, or choose another dense.schedule",
        "FILE:1: dense.decay_from: dense.decay_from is 9, but the learning rate rises for 10 steps (dense.warmup_steps); let "
        "it "
        "fall later, or rise sooner",
        "FILE:1: linear.decay_until: linear.decay_until 9 ends the fall of linear.learning_rate before it begins, at step 9; "
        "let "
        "it end later, or begin sooner",
    };
    static const char *const right[] = {
        "dense: {momentum: 0.90, nesterov: false, optimizer: sgd}\n",
        "dense: {epsilon: 0.5, initial_accumulator: 3, optimizer: sgd}\n",
        "dense: {warmup_steps: 3, l2: 1, weight_decay: 1, clip_norm: 1, decay_factor: 0.10}\n",
        "dense: {warmup_steps: 3, schedule: cosine, decay_until: 4, decay_factor: 0}\n",
        "dense: {optimizer: momentum, momentum: 0.5}\nvariants: [{name: a, dense: {optimizer: sgd}}]\n",
        "dense: {momentum: 0.5}\nvariants: [{name: a, dense: {optimizer: momentum}}]\n",
        "embedding: {optimizer: adam, beta1: 0.5, beta2: 0.5, epsilon: 1}\ndense: {optimizer: ftrl, ftrl_l1: 1, ftrl_beta: "
        "0}\n",
    };
    for (int i = 0; i < LEN(wrong); i++)
        assert_refused(wrong[i], NULL, 0, said[i]);
    for (int i = 0; i < LEN(right); i++) {
        experiment_t *e = load_ok(right[i], NULL, 0);
        experiment_destroy(&e);
    }
}

static void test_replicas(void **state)
{
    (void)state;
    static const struct {
        const char *vary;
        int init, order;
    } cases[] = {{"experiment.vary=[]", 0, 0},
                 {"experiment.vary=[init]", 1, 0},
                 {"experiment.vary=[order]", 0, 1},
                 {"experiment.vary=[init,order]", 1, 1}};
    for (int i = 0; i < LEN(cases); i++) {
        experiment_t *e = load_ok("seed: 100\ndata: {order_seed: 200}\nmodel: {hidden: [5, 6]}\n", &cases[i].vary, 1);
        for (int r = 0; r < 3; r++) {
            config_t *c = NULL;
            assert_int_equal(config_for_replica(e->base, r, &c), ST_OK);
            assert_int_equal(c->seed, 100 + r * cases[i].init);
            assert_int_equal(c->data.order_seed, 200 + r * cases[i].order);
            assert_int_equal(c->model.hidden.at[1], 6);
            assert_ptr_not_equal(c->model.hidden.at, e->base->model.hidden.at);
            assert_ptr_not_equal(c->name, e->base->name);
            config_destroy(&c);
            assert_null(c);
        }
        experiment_destroy(&e);
    }
    experiment_t *e = load_ok("data: {order_seed: 9007199254740991}\n", NULL, 0);
    config_t *c = NULL;
    catch_start();
    assert_int_equal(config_for_replica(e->base, 1, &c), ST_INPUT);
    catch_stop();
    assert_null(c);
    assert_string_equal(catch_text(), "replica 1: its seed is above 9007199254740991; use a smaller seed or data.order_seed\n");
    experiment_destroy(&e);
}

static void test_missing_file(void **state)
{
    (void)state;
    experiment_t *e = NULL;
    catch_start();
    assert_int_equal(experiment_load(test_path("none.yaml"), NULL, 0, &e), ST_INPUT);
    assert_caught(test_path("none.yaml"));
    assert_caught("No such file or directory");
    catch_start();
    assert_int_equal(experiment_load(test_path("."), NULL, 0, &e), ST_INPUT);
    catch_stop();
    assert_caught(test_path("."));
    assert_null(e);
}

/* Hostile input ends in an error, not in a full stack. */
static void test_deep_nesting(void **state)
{
    (void)state;
    char deep[2001];
    memset(deep, '[', 2000);
    deep[2000] = 0;
    assert_refused(deep, NULL, 0, "FILE:1: nested more than 32 deep");
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(config_determinism_word(DETERMINISM_ASYNC), "async");
    assert_string_equal(config_determinism_word(DETERMINISM_INVARIANT), "invariant");
    assert_string_equal(config_activation_word(ACTIVATION_SMELU), "smelu");
}

/* "configs/: every file is run by a test": here, every one loads; a name that ends in _schema.yaml is an import schema. */
static void test_shipped_files(void **state)
{
    (void)state;
    DIR *dir = opendir("configs");
    assert_non_null(dir);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        files++;
        char *path = mem_printf("configs/%s", entry->d_name);
        if (strstr(entry->d_name, "_schema.yaml")) {
            schema_t *schema = NULL;
            assert_int_equal(schema_load(path, &schema), ST_OK);
            schema_destroy(&schema);
        } else {
            experiment_t *e = NULL;
            assert_int_equal(experiment_load(path, NULL, 0, &e), ST_OK);
            if (*e->base->data.schema) {
                schema_t *schema = NULL;
                assert_int_equal(schema_load(e->base->data.schema, &schema), ST_OK);
                schema_destroy(&schema);
            }
            experiment_destroy(&e);
        }
        mem_free(path);
    }
    closedir(dir);
    assert_true(files >= 3);
}

/* parameters - of all components: embeddings per distinct value, and the dense layers on `inputs` inputs. */
static double parameters(const config_t *c, double values, int fields, int numeric)
{
    double inputs = (double)fields * (double)c->embedding.dim + numeric, sum = values * (double)c->embedding.dim;
    for (unsigned i = 0; i <= c->model.hidden.count; i++) {
        double width = i < c->model.hidden.count ? (double)c->model.hidden.at[i] : 1;
        sum += (inputs + 1) * width;
        inputs = width;
    }
    return sum * (double)c->model.components;
}

/* The shipped comparisons are fair: the ensemble is scaled to the single network's parameters, or has as many within 15 %. */
static void test_shipped_ensembles_are_of_equal_complexity(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int fields, numeric;
        double values;
    } cases[] = {{"configs/quickstart.yaml", 8, 0, 0}, {"configs/kuairand.yaml", 26, 0, 45543}};
    for (int i = 0; i < LEN(cases); i++) {
        experiment_t *e = NULL;
        assert_int_equal(experiment_load(cases[i].path, NULL, 0, &e), ST_OK);
        const int three = config_variant(e, "ensemble3");
        assert_true(three >= 3);
        assert_string_equal(e->names[0], "relu");
        const struct config_complexity *scaled = &e->configs[three]->complexity;
        if (*scaled->match) {
            assert_string_equal(scaled->match, "relu");
            assert_int_equal(scaled->by, COMPLEXITY_PARAMETERS);
            experiment_destroy(&e);
            continue;
        }
        double single = parameters(e->configs[0], cases[i].values, cases[i].fields, cases[i].numeric);
        double ensemble = parameters(e->configs[three], cases[i].values, cases[i].fields, cases[i].numeric);
        assert_true(ensemble > single * 0.85 && ensemble < single * 1.15);
        experiment_destroy(&e);
    }
}

/* Lanes must suffice for the workers that take part, not for those that wait. */
static void test_active_workers(void **state)
{
    (void)state;
    experiment_t *e = NULL;
    const char *path = test_write("active.yaml", "cluster: {workers: 3, active_workers: 1}\ntrain: {lanes: 1}\n");
    assert_int_equal(experiment_load(path, NULL, 0, &e), ST_OK);
    assert_int_equal(config_active_workers(e->base, 3), 1);
    assert_int_equal(config_check_workers(e->base, 3), ST_OK);
    experiment_destroy(&e);
    catch_start();
    path = test_write("active.yaml", "cluster: {workers: 3, active_workers: 2}\ntrain: {lanes: 1}\n");
    assert_int_equal(experiment_load(path, NULL, 0, &e), ST_INPUT);
    catch_stop();
    assert_caught("cluster.workers 2 are more than train.lanes 1");
}

/* A sweep stands for a variant per combination of values, and is refused where it cannot be one. */
static void test_sweep(void **state)
{
    (void)state;
    const char *path = test_write("sweep.yaml", "variants:\n"
                                                "  - name: relu\n"
                                                "  - name: s\n"
                                                "    model: {activation: smelu}\n"
                                                "    sweep: {model.beta: [0.5, 2], embedding.dim: [4, 8, 16]}\n"
                                                "  - {name: last, experiment: {vary: [init]}}\n");
    experiment_t *e = NULL;
    assert_int_equal(experiment_load(path, NULL, 0, &e), ST_OK);
    static const char *const names[] = {"relu",         "s-beta0.5-dim4", "s-beta0.5-dim8", "s-beta0.5-dim16",
                                        "s-beta2-dim4", "s-beta2-dim8",   "s-beta2-dim16",  "last"};
    assert_int_equal(e->variants, LEN(names));
    for (int v = 0; v < e->variants; v++)
        assert_string_equal(e->names[v], names[v]);
    for (int v = 1; v <= 6; v++) {
        assert_int_equal(e->configs[v]->model.activation, ACTIVATION_SMELU);
        assert_true(e->configs[v]->model.beta == (v <= 3 ? 0.5 : 2.0));
        assert_int_equal(e->configs[v]->embedding.dim, 4 << (v - 1) % 3);
    }
    assert_int_equal(e->configs[0]->experiment.vary, 1u << VARY_ORDER);
    assert_int_equal(e->configs[7]->experiment.vary, 1u << VARY_INIT);
    experiment_destroy(&e);

    static const struct {
        const char *text, *message;
    } bad[] = {
        {"variants: [{name: a, sweep: {model.beta: 2}}]\n", "variants[1].sweep.model.beta: a list of values is wanted"},
        {"variants: [{name: a, sweep: {model.beta: []}}]\n", "a list of values is wanted"},
        {"variants: [{name: a, sweep: {model.hidden: [[1, 2]]}}]\n",
         "variants[1].sweep.model.hidden[1]: a sweep's values are words or numbers"},
        {"variants: [{name: a, sweep: 3}]\n", "keys with lists of values are wanted"},
        {"variants: [{sweep: {model.beta: [1]}}]\n", "a variant with a sweep needs a name"},
        {"variants: [{name: a, sweep: {model.beat: [1]}}]\n", "unknown key; did you mean"},
        {"variants: [{name: a, sweep: {model.beta: [x]}}]\n", "'x' is not a number"},
    };
    for (int i = 0; i < LEN(bad); i++) {
        catch_start();
        assert_int_equal(experiment_load(test_write("bad.yaml", bad[i].text), NULL, 0, &e), ST_INPUT);
        catch_stop();
        assert_caught(bad[i].message);
    }
}

/* The grid of clusters that the quick start promises. */
static void test_quickstart_on_every_cluster(void **state)
{
    (void)state;
    for (int w = 1; w <= 4; w *= 2) {
        for (int s = 1; s <= 3; s++) {
            char workers[64], servers[64];
            snprintf(workers, sizeof workers, "cluster.workers=%d", w);
            snprintf(servers, sizeof servers, "cluster.servers=%d", s);
            const char *sets[] = {workers, servers, "determinism=invariant"};
            experiment_t *e = NULL;
            assert_int_equal(experiment_load("configs/quickstart.yaml", sets, 3, &e), ST_OK);
            assert_int_equal(e->configs[3]->cluster.workers, w);
            assert_int_equal(e->configs[3]->cluster.servers, s);
            assert_int_equal(e->configs[3]->determinism, DETERMINISM_INVARIANT);
            experiment_destroy(&e);
        }
    }
}

#define KEY_NAME(kind, name, initial, least, most, class, doc) #name,
#define SECTION_NAMES(section, KEYS, doc) \
    static const char *const names_##section[] = {KEYS(KEY_NAME)}; \
    for (int i = 0; i < LEN(names_##section); i++) { \
        char *row = mem_printf("\n| `" #section ".%s` | ", names_##section[i]); \
        if (!strstr(text, row)) \
            fail_msg("docs/CONFIG.md has no row for " #section ".%s", names_##section[i]); \
        mem_free(row); \
    }

static void test_reference(void **state)
{
    (void)state;
    char *fresh, *text;
    assert_int_equal(config_write_reference(test_path("CONFIG.md")), ST_OK);
    assert_int_equal(file_read(test_path("CONFIG.md"), &fresh, NULL), ST_OK);
    assert_int_equal(file_read("docs/CONFIG.md", &text, NULL), ST_OK);
    if (strcmp(fresh, text) != 0)
        fail_msg("docs/CONFIG.md is not what the key tables say; run make docs");
    CONFIG_SECTIONS(SECTION_NAMES)
    assert_non_null(strstr(text, "\n| `determinism` | `sync` | "));
    mem_free(fresh);

    /* Its first example is a configuration, and its error lines are the ones that come. */
    const char *begin = strstr(text, "```yaml\n") + strlen("```yaml\n"), *end = strstr(begin, "```");
    char *example = mem_printf("%.*s", (int)(end - begin), begin);
    experiment_t *e = load_ok(example, NULL, 0);
    experiment_destroy(&e);
    char *plain = strstr(example, "plain");
    assert_non_null(plain);
    memcpy(plain, "plane", strlen("plane"));
    const char *path = test_write("demo.yaml", example), *lanes[] = {"train.lanes=3"};
    catch_start();
    assert_int_equal(experiment_load(path, NULL, 0, &e), ST_INPUT);
    catch_stop();
    const char *line = strstr(catch_text(), "demo.yaml:");
    assert_non_null(line);
    assert_non_null(strstr(text, line));
    catch_start();
    assert_int_equal(experiment_load(test_write("empty.yaml", ""), lanes, 1, &e), ST_INPUT);
    catch_stop();
    assert_non_null(strstr(text, catch_text()));
    mem_free(example);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_first_defaults),
        cmocka_unit_test(test_merge_order),
        cmocka_unit_test(test_words_and_numbers),
        cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_refused_in_files),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_impossible_combinations),
        cmocka_unit_test(test_check_workers),
        cmocka_unit_test(test_refused_variants),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_paths_are_beside_the_file),
        cmocka_unit_test(test_the_old_meaning_of_paths_is_told),
        cmocka_unit_test(test_text_loads_back),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_settings_of_another_optimizer),
        cmocka_unit_test(test_replicas),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_active_workers),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_shipped_ensembles_are_of_equal_complexity),
        cmocka_unit_test(test_quickstart_on_every_cluster),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
