/* Proves: a run starts from another's parameters by name and shape. Every float that a plan sends lies where the block of that
 * name lies in the new network and is the float of that block in the old one (checked against numbers that say where they come
 * from); tables follow field names, not numbers; what does not fit is not taken and listed with the reason; folders that are no
 * finished run, or a changed one, are refused. */
#include "tests/lib/testing.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/data/field_plan.h"
#include "common/files/file.h"
#include "launcher/coordinator/warm_start.h"
#include "launcher/run/input_fields.h"
#include "launcher/run/manifest.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

static const dataset_field_t old_fields[] = {
    {.name = "age", .kind = COLUMN_NUMERIC, .scale = 1},
    {.name = "user", .kind = COLUMN_CATEGORICAL},
    {.name = "item", .kind = COLUMN_CATEGORICAL},
    {.name = "tags", .kind = COLUMN_MULTI},
};
static const dataset_info_t old_info = {.numeric = 1, .single = 2, .multi = 1, .fields = old_fields};

/* The fields of another dataset: item and user change places, tags are gone, hour is new. */
static const dataset_field_t new_fields[] = {
    {.name = "age", .kind = COLUMN_NUMERIC, .scale = 1},
    {.name = "item", .kind = COLUMN_CATEGORICAL},
    {.name = "user", .kind = COLUMN_CATEGORICAL},
    {.name = "hour", .kind = COLUMN_CATEGORICAL},
};
static const dataset_info_t new_info = {.numeric = 1, .single = 3, .multi = 0, .fields = new_fields};

static const char *const base = "model: {components: 2, hidden: [6, 4], layer_norm: affine}\nembedding: {dim: 3}\n";

static config_t *load(const char *const *sets, int n)
{
    experiment_t *e = NULL;
    char *text = NULL;
    config_t *config = NULL;
    char *path = mem_strdup(test_write("c.yaml", base));
    assert_int_equal(experiment_load(path, sets, n, &e), ST_OK);
    assert_int_equal(config_text(e->base, &text), ST_OK);
    assert_int_equal(config_from_text(text, strlen(text), "test", &config), ST_OK);
    experiment_destroy(&e);
    mem_free(text);
    mem_free(path);
    return config;
}

static model_t *network(const config_t *config, const dataset_info_t *info, int k)
{
    model_t *model = NULL;
    table_plan_t plan;
    assert_int_equal(field_plan_of(&plan, config, info, "d"), ST_OK);
    assert_int_equal(model_create(config, k, embedding_shape(&plan, info->numeric), 1, &model), ST_OK);
    table_plan_fini(&plan);
    return model;
}

/* The float at `i` of component k of the finished run says so. */
static float mark(int k, int64_t i)
{
    return (float)(k * 100000 + i);
}

/* A finished run of `base`; returns its folder, **owned**. */
static char *finished_run_of(const char *const *sets, int n_sets)
{
    char *dir = mem_strdup(test_dir()), *text;
    config_t *config = load(sets, n_sets);
    assert_int_equal(config_text(config, &text), ST_OK);
    char *path = mem_printf("%s/config.yaml", dir);
    assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
    mem_free(path);
    mem_free(text);
    input_fields_t inputs = input_fields_of(&old_info);
    assert_int_equal(input_fields_write(dir, &inputs), ST_OK);
    input_fields_fini(&inputs);
    for (int k = 0; k < 2; k++) {
        model_t *model = network(config, &old_info, k);
        const int64_t n = model_parameters(model) + model_state_count(model);
        float *floats = MEM_ARRAY(float, n);
        for (int64_t i = 0; i < n; i++)
            floats[i] = mark(k, i);
        path = mem_printf("%s/dense-%d.f32", dir, k);
        assert_int_equal(file_write_atomic(path, floats, (size_t)n * sizeof *floats), ST_OK);
        mem_free(path);
        mem_free(floats);
        model_destroy(&model);
    }
    config_t whole = *config; /* as of a run without a short batch */
    whole.train.last_batch = LAST_BATCH_OWN;
    float p = 0.5f;
    manifest_t manifest = {.experiment = mem_strdup("x"),
                           .variant = mem_strdup("x"),
                           .determinism = mem_strdup("sync"),
                           .build = mem_strdup("b"),
                           .kernels = mem_strdup("k"),
                           .config_hash = config_hash(&whole),
                           .workers = 1,
                           .servers = 3,
                           .shards_per_server = 2,
                           .predictions = 1};
    memset(manifest.result.digest, '0', 32);
    manifest.result.predictions = &p;
    assert_int_equal(manifest_write(dir, &manifest), ST_OK);
    manifest.result.predictions = NULL;
    manifest_fini(&manifest);
    config_destroy(&config);
    return dir;
}

static char *finished_run(void)
{
    return finished_run_of(NULL, 0);
}

/* Where the plan puts floats of component k: got[i] is the number that lands on float i, or -1. */
static float *landed(const warm_start_t *plan, int k, int64_t n)
{
    float *got = MEM_ARRAY(float, n);
    for (int64_t i = 0; i < n; i++)
        got[i] = -1.0f;
    for (int p = 0; p < plan->n_pieces; p++)
        for (int64_t i = 0; plan->pieces[p].component == k && i < plan->pieces[p].n; i++) {
            const int64_t at = plan->pieces[p].first + i;
            assert_true(at >= 0 && at < n && got[at] == -1.0f); /* inside, and once */
            got[at] = plan->pieces[p].floats[i];
        }
    return got;
}

/* Values and state of a block come from the block of the same name, or from nowhere. */
static void check_block(const warm_start_t *plan, const config_t *config, const dataset_info_t *info, int k, const char *name,
                        bool taken)
{
    config_t *old = load(NULL, 0);
    model_t *here = network(config, info, k), *there = network(old, &old_info, k);
    model_block_t to, from;
    int i = 0, j = 0;
    while (model_block(here, i, &to) && strcmp(to.name, name) != 0)
        i++;
    while (model_block(there, j, &from) && strcmp(from.name, name) != 0)
        j++;
    assert_string_equal(to.name, name);
    float *got = landed(plan, k, model_parameters(here) + model_state_count(here));
    for (int64_t n = 0; n < to.rows * to.width; n++)
        assert_true(got[to.values + n] == (taken ? mark(k, from.values + n) : -1.0f));
    assert_true(to.state_floats > 0);
    for (int64_t n = 0; n < to.state_floats; n++)
        assert_true(got[model_parameters(here) + to.state + n] ==
                    (taken ? mark(k, model_parameters(there) + from.state + n) : -1.0f));
    mem_free(got);
    model_destroy(&here);
    model_destroy(&there);
    config_destroy(&old);
}

static warm_start_t plan_ok(config_t *config, const char *dir, const dataset_info_t *info)
{
    warm_start_t plan;
    mem_free(config->warm_start);
    config->warm_start = mem_strdup(dir);
    catch_start();
    assert_int_equal(warm_start_plan(config, info, &plan), ST_OK);
    catch_stop();
    return plan;
}

static void test_same(void **state)
{
    (void)state;
    config_t *config = load(NULL, 0);
    char *dir = finished_run();
    warm_start_t plan = plan_ok(config, dir, &old_info);
    assert_int_equal(manifest_shards(&plan.run), 6);
    assert_int_equal(plan.tables, 6);
    assert_int_equal(plan.tables_taken, 6);
    for (int t = 0; t < 6; t++)
        assert_int_equal(plan.map[t], t);
    assert_int_equal(plan.blocks, 2 * 10);
    assert_int_equal(plan.blocks_taken, plan.blocks);
    for (int k = 0; k < 2; k++) {
        model_t *model = network(config, &old_info, k);
        const int64_t n = model_parameters(model) + model_state_count(model);
        float *got = landed(&plan, k, n);
        for (int64_t i = 0; i < n; i++)
            assert_true(got[i] == mark(k, i));
        mem_free(got);
        model_destroy(&model);
    }
    assert_caught("6 of 6 tables and 20 of 20 blocks of the networks are taken");
    warm_start_fini(&plan);
    config_destroy(&config);
    mem_free(dir);
}

static void test_shapes(void **state)
{
    (void)state;
    const char *sets[] = {"model.hidden=[6,9]", "model.components=3"};
    config_t *config = load(sets, 2);
    char *dir = finished_run();
    warm_start_t plan = plan_ok(config, dir, &old_info);
    assert_int_equal(plan.tables_taken, 6);
    for (int k = 0; k < 2; k++) {
        check_block(&plan, config, &old_info, k, "layer 1 weights", true);
        check_block(&plan, config, &old_info, k, "layer 1 gain", true);
        check_block(&plan, config, &old_info, k, "layer 1 shift", true);
        check_block(&plan, config, &old_info, k, "layer 2 weights", false); /* [9][6] against [4][6] */
        check_block(&plan, config, &old_info, k, "layer 2 bias", false);
        check_block(&plan, config, &old_info, k, "layer 3 weights", false);
        check_block(&plan, config, &old_info, k, "layer 3 bias", true);
    }
    assert_caught("layer 2 weights of component 1 is not taken: it has another shape there");
    assert_caught("component 2 starts anew: the run has 2");
    warm_start_fini(&plan);
    config_destroy(&config);

    const char *wide[] = {"model.parts=[mlp,linear]", "embedding.dim=3"};
    config = load(wide, 2);
    plan = plan_ok(config, dir, &old_info);
    assert_int_equal(plan.tables_taken, 0);
    assert_caught("table user of component 0 is not taken: its rows have no first-order weights, and those here have");
    check_block(&plan, config, &old_info, 0, "layer 1 bias", true);
    check_block(&plan, config, &old_info, 0, "linear bias", false);
    warm_start_fini(&plan);
    config_destroy(&config);

    const char *plain[] = {"model.layer_norm=plain", "dense.optimizer=sgd", "model.components=1"};
    config = load(plain, 2);
    plan = plan_ok(config, dir, &old_info);
    assert_int_equal(plan.blocks_taken, 0);
    assert_int_equal(plan.n_pieces, 0);
    assert_caught("layer 1 bias of component 0 is not taken: it was trained by another optimizer");
    warm_start_fini(&plan);
    config_destroy(&config);
    config = load(plain + 2, 1);
    plan = plan_ok(config, dir, &old_info);
    assert_int_equal(plan.tables_taken, 3);
    assert_int_equal(plan.map[2], 2);
    assert_int_equal(plan.map[3], -1);
    assert_caught("table user of component 1 is not taken: this run has no such component");
    warm_start_fini(&plan);
    config_destroy(&config);
    mem_free(dir);
}

static void test_fields(void **state)
{
    (void)state;
    config_t *config = load(NULL, 0);
    char *dir = finished_run();
    warm_start_t plan = plan_ok(config, dir, &new_info);
    static const int32_t expected[] = {1, 0, -1, 4, 3, -1}; /* user, item, tags of both components */
    assert_memory_equal(plan.map, expected, sizeof expected);
    assert_caught("table tags of component 1 is not taken: the dataset has no such field");
    assert_caught("the tables of hour start anew: the run has no such field");
    /* Layer 1 has the same shape, 3 fields of 3 and a number, but its columns mean other inputs. */
    check_block(&plan, config, &new_info, 0, "layer 1 weights", false);
    check_block(&plan, config, &new_info, 0, "layer 1 bias", true);
    check_block(&plan, config, &new_info, 1, "layer 2 weights", true);
    assert_caught("layer 1 weights of component 0 is not taken: the inputs have other names, widths or another order");
    warm_start_fini(&plan);
    config_destroy(&config);
    mem_free(dir);
}

/* Columns of layer 1 mean the same where fields of the same names are as wide. */
static void test_widths(void **state)
{
    (void)state;
    const char *sets[] = {"fields.widths={user: 2, item: 4}", "model.components=1"};
    config_t *config = load(sets, 2);
    char *dir = finished_run();
    warm_start_t plan = plan_ok(config, dir, &old_info);
    static const int32_t expected[] = {-1, -1, 2, -1, -1, -1};
    assert_memory_equal(plan.map, expected, sizeof expected);
    assert_caught("table user of component 0 is not taken: its rows have another width or optimizer");
    assert_caught("layer 1 weights of component 0 is not taken: the inputs have other names, widths or another order");
    warm_start_fini(&plan);
    config_destroy(&config);
    mem_free(dir);
}

/* Crosses go by name and number of buckets. */
static void test_crosses(void **state)
{
    (void)state;
    const char *same[] = {"fields.crosses=[[user, item]]"}, *fewer[] = {"fields.crosses=[{of: [user, item], buckets: 9}]"};
    char *dir = finished_run_of(same, 1);
    config_t *config = load(same, 1);
    warm_start_t plan = plan_ok(config, dir, &old_info);
    static const int32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7}; /* user, item, user x item, tags of both components */
    assert_int_equal(plan.tables, 8);
    assert_memory_equal(plan.map, all, sizeof all);
    assert_int_equal(plan.blocks_taken, plan.blocks);
    warm_start_fini(&plan);
    config_destroy(&config);
    config = load(fewer, 1);
    plan = plan_ok(config, dir, &old_info);
    assert_int_equal(plan.map[2], -1);
    assert_caught("table user x item of component 0 is not taken: the cross has another number of buckets there");
    warm_start_fini(&plan);
    config_destroy(&config);
    mem_free(dir);
}

static void assert_refused(const char *dir, const char *const *sets, int n, status_t wanted, const char *text)
{
    warm_start_t plan;
    config_t *config = load(sets, n);
    mem_free(config->warm_start);
    config->warm_start = mem_strdup(dir);
    catch_start();
    assert_int_equal(warm_start_plan(config, &old_info, &plan), wanted);
    catch_stop();
    assert_caught(text);
    catch_start();
    assert_int_equal(warm_start_check(config, &old_info), wanted);
    catch_stop();
    assert_caught(text);
    config_destroy(&config);
}

/* A check of what fits says nothing. */
static void test_check(void **state)
{
    (void)state;
    char *dir = finished_run();
    config_t *config = load(NULL, 0);
    mem_free(config->warm_start);
    config->warm_start = mem_strdup(dir);
    catch_start();
    assert_int_equal(warm_start_check(config, &new_info), ST_OK);
    catch_stop();
    assert_string_equal(catch_text(), "");
    config_destroy(&config);
    mem_free(dir);
}

static void test_refused(void **state)
{
    (void)state;
    char *dir = finished_run(), *path = mem_printf("%s/dense-1.f32", dir);
    assert_refused("/nowhere", NULL, 0, ST_INPUT,
                   "warm_start: /nowhere holds no finished run (there is no manifest.json); name the folder");
    const char *other[] = {"embedding.dim=2", "dense.optimizer=sgd"};
    assert_refused(dir, other, 2, ST_INPUT, "fits this run by name and shape; the lines above say why");
    assert_int_equal(file_write_atomic(path, "1234", 4), ST_OK);
    assert_refused(dir, NULL, 0, ST_CORRUPT, "dense-1.f32: was changed after training: it holds 4 bytes, the run wrote ");
    mem_free(path);
    mem_free(dir);
    dir = finished_run();
    path = mem_printf("%s/inputs.json", dir);
    assert_int_equal(dir_remove_tree(path), ST_OK);
    assert_refused(dir, NULL, 0, ST_CORRUPT, "inputs.json: is missing; the run wrote ");
    mem_free(path);
    mem_free(dir);
}

static void test_configuration_of_another_run(void **state)
{
    (void)state;
    const char *const sets[] = {"seed=99"};
    char *dir = finished_run(), *path = mem_printf("%s/config.yaml", dir), *text;
    config_t *other = load(sets, 1);
    assert_int_equal(config_text(other, &text), ST_OK);
    assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
    assert_refused(dir, NULL, 0, ST_CORRUPT, "config.yaml");
    config_destroy(&other);
    mem_free(text);
    mem_free(path);
    mem_free(dir);
}

/* A field of both is made in the same way, or the plan is refused; numbers are scaled as in the finished run, wherever they
 * stand. */
static void test_contract(void **state)
{
    (void)state;
    dataset_field_t fields[] = {
        {.name = "width", .kind = COLUMN_NUMERIC, .mean = 5, .scale = 6},
        {.name = "age", .kind = COLUMN_NUMERIC, .mean = 3, .scale = 4},
        {.name = "item", .kind = COLUMN_CATEGORICAL},
        {.name = "tags", .kind = COLUMN_MULTI},
    };
    const dataset_info_t info = {.numeric = 2, .single = 1, .multi = 1, .fields = fields};
    config_t *config = load(NULL, 0);
    char *dir = finished_run();
    warm_start_t plan = plan_ok(config, dir, &info);
    input_fields_t own = input_fields_of(&info);
    input_fields_scale_as(&own, &plan.inputs);
    assert_true(own.fields[0].mean == 5 && own.fields[0].scale == 6 && own.fields[1].mean == 0 && own.fields[1].scale == 1);
    assert_caught("numeric fields keep the scaling of");
    input_fields_fini(&own);
    warm_start_fini(&plan);
    catch_start();
    fields[3].pooling = POOLING_MEAN;
    assert_int_equal(warm_start_plan(config, &info, &plan), ST_INPUT);
    assert_caught("field tags is multi-valued, averaged, wanted is multi-valued, summed; import it by the same schema");
    fields[3] = (dataset_field_t){.name = "other", .kind = COLUMN_MULTI};
    fields[2].kind = COLUMN_MULTI;
    assert_int_equal(warm_start_check(config, &info), ST_INPUT);
    assert_caught("field item is multi-valued, summed, wanted is categorical");
    catch_stop();
    config_destroy(&config);
    mem_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),   cmocka_unit_test(test_shapes),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_widths), cmocka_unit_test(test_crosses), cmocka_unit_test(test_contract),
        cmocka_unit_test(test_check),  cmocka_unit_test(test_refused), cmocka_unit_test(test_configuration_of_another_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
