/* Proves: the size of a model is the number of weights that the network and the tables really have; scaling to another
 * variant's size finds the best of all pairs of widths (brute force), keeps the shape of the network, comes near, and is
 * refused where it cannot be met. */
#include "tests/lib/testing.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/job/complexity.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

static const dataset_field_t fields[] = {
    {.name = "n0", .kind = COLUMN_NUMERIC},
    {.name = "n1", .kind = COLUMN_NUMERIC},
    {.name = "c0", .kind = COLUMN_CATEGORICAL, .cardinality = 10000},
    {.name = "c1", .kind = COLUMN_CATEGORICAL, .cardinality = 700},
    {.name = "m0", .kind = COLUMN_MULTI, .cardinality = 33},
};
static const dataset_info_t info = {.numeric = 2, .single = 2, .multi = 1, .fields = fields};

static experiment_t *load(const char *yaml)
{
    experiment_t *e = NULL;
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), NULL, 0, &e), ST_OK);
    return e;
}

/* Against models that are really made. */
static void test_count(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "model: {hidden: [9, 5]}\n",
        "model: {hidden: [7], components: 3}\nembedding: {dim: 3}\n",
        "model: {hidden: [7, 6, 5], components: 2, layer_norm: affine}\nembedding: {dim: 5}\n",
        "model: {hidden: [7, 6, 5], components: 4, layer_norm: plain, weight_norm: 2, share_embeddings: true}\n",
        "model: {hidden: [7, 6], components: 2, parts: [mlp, linear]}\n",
        "model: {parts: [linear], share_embeddings: true, components: 2}\n",
        "model: {hidden: [7, 6], components: 2, activation: gsmelu, gsmelu: layer}\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = load(cases[i]);
        const config_t *c = e->base;
        int64_t dense = 0, flops = 0;
        table_plan_t plan;
        table_plan_init(&plan, c, info.single + info.multi);
        for (int k = 0; k < c->model.components; k++) {
            model_t *model = NULL;
            assert_int_equal(model_create(c, k, embedding_shape(&plan, info.numeric), 1, &model), ST_OK);
            dense += model_parameters(model);
            flops += model_flops(model);
            const model_size_t size = model_size(c, embedding_shape(&plan, info.numeric));
            assert_true(size.parameters == model_parameters(model) && size.state == model_state_count(model));
            assert_true(size.flops == model_flops(model));
            gsmelu_set_t sets[GSMELU_SETS_MAX]; /* learned numbers do not make a variant larger */
            dense -= 5 * model_gsmelu_sets(c, embedding_shape(&plan, info.numeric), sets);
            model_destroy(&model);
        }
        const int64_t sets = c->model.share_embeddings ? 1 : c->model.components;
        assert_true(complexity_count(c, &info, COMPLEXITY_PARAMETERS) == (double)(dense + sets * 10733 * plan.width));
        assert_true(complexity_count(c, &info, COMPLEXITY_FLOPS) == (double)flops);
        table_plan_fini(&plan);
        experiment_destroy(&e);
    }
}

/* What complexity.c minimises, from the sizes of the two networks. */
static double score(const config_t *c, double target, int64_t dim, int64_t hidden)
{
    const double size = complexity_count(c, &info, c->complexity.by);
    return fabs(size / target - 1.0) +
           0.05 * fabs(log((double)c->model.hidden.at[0] / (double)hidden * (double)dim / (double)c->embedding.dim));
}

static void test_best_of_all(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "model: {components: 3, hidden: [60]}\n",
        "model: {components: 3, hidden: [60]}\ncomplexity: {by: flops}\n",
        "model: {components: 2, hidden: [40], layer_norm: affine}\nembedding: {dim: 5}\n",
        "model: {components: 4, hidden: [90], share_embeddings: true}\n",
    };
    experiment_t *single = load("model: {hidden: [100]}\nembedding: {dim: 12}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = load(cases[i]);
        config_t *c = e->base;
        const int64_t dim = c->embedding.dim, hidden = c->model.hidden.at[0];
        const double target = complexity_count(single->base, &info, c->complexity.by);
        double best = INFINITY;
        for (c->embedding.dim = 1; c->embedding.dim <= 40; c->embedding.dim++)
            for (c->model.hidden.at[0] = 1; c->model.hidden.at[0] <= 400; c->model.hidden.at[0]++)
                best = fmin(best, score(c, target, dim, hidden));
        c->embedding.dim = dim;
        c->model.hidden.at[0] = hidden;
        assert_int_equal(complexity_scale(c, "x", &info, target), ST_OK);
        assert_true(score(c, target, dim, hidden) <= best + 1e-12);
        experiment_destroy(&e);
    }
    experiment_destroy(&single);
}

static void test_scale(void **state)
{
    (void)state;
    static const struct {
        const char *variant;
        double within; /* relative */
    } cases[] = {
        {"model: {components: 3, hidden: [128, 64, 32]}\nembedding: {dim: 16}\n", 0.05},
        {"model: {components: 3, hidden: [128, 64, 32]}\nembedding: {dim: 16}\ncomplexity: {by: flops}\n", 0.01},
        {"model: {components: 2, share_embeddings: true}\nembedding: {dim: 4}\n", 0.03},
        {"model: {components: 1, hidden: [4, 4]}\nembedding: {dim: 2}\n", 0.03}, /* upwards */
        {"model: {components: 1, hidden: [128, 64, 32]}\nembedding: {dim: 16}\n", 0.0},
    };
    experiment_t *single = load("model: {hidden: [128, 64, 32]}\nembedding: {dim: 16}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = load(cases[i].variant);
        config_t *c = e->base;
        const double target = complexity_count(single->base, &info, c->complexity.by);
        const int64_t *hidden = c->model.hidden.at, first = hidden[0], last = hidden[c->model.hidden.count - 1];
        assert_int_equal(complexity_scale(c, "x", &info, target), ST_OK);
        assert_true(fabs(complexity_count(c, &info, c->complexity.by) / target - 1.0) <= cases[i].within);
        /* Hidden layers keep their proportions, but for rounding. */
        const double factor = (double)hidden[0] / (double)first;
        assert_true(fabs((double)hidden[c->model.hidden.count - 1] - factor * (double)last) <= 1.0);
        experiment_destroy(&e);
    }
    experiment_destroy(&single);
}

/* A width of a field's own counts as it is, and follows the common one. */
static void test_named_widths(void **state)
{
    (void)state;
    experiment_t *plain = load("model: {hidden: [20]}\nembedding: {dim: 8}\n"),
                 *own = load("model: {hidden: [20]}\nembedding: {dim: 8}\nfields: {widths: {c1: 24}}\n");
    const double dense = 20 * 16; /* as many more inputs of the first layer, and weights of 700 rows */
    assert_true(complexity_count(own->base, &info, COMPLEXITY_PARAMETERS) -
                    complexity_count(plain->base, &info, COMPLEXITY_PARAMETERS) ==
                dense + 700 * 16);
    const double target = complexity_count(own->base, &info, COMPLEXITY_PARAMETERS) / 2;
    assert_int_equal(complexity_scale(own->base, "x", &info, target), ST_OK);
    assert_int_equal(own->base->embedding.dim, 4);
    assert_string_equal(own->base->fields.widths, "{c1: 12}");
    assert_true(fabs(complexity_count(own->base, &info, COMPLEXITY_PARAMETERS) / target - 1.0) < 0.03);
    experiment_destroy(&plain);
    experiment_destroy(&own);
}

static void test_refused(void **state)
{
    (void)state;
    experiment_t *e = load("model: {components: 3, hidden: [8, 4]}\n");
    /* 3 components of 10733 rows, 5 + 1 weights, 1 + 1, 1 + 1 */
    const double least = 3 * (10733 + 6 + 2 + 2);
    assert_int_equal(complexity_scale(e->base, "narrow", &info, least), ST_OK);
    assert_int_equal(e->base->embedding.dim, 1);
    assert_int_equal(e->base->model.hidden.at[0], 1);
    experiment_destroy(&e);
    e = load("model: {components: 3, hidden: [8, 4]}\n");
    catch_start();
    assert_int_equal(complexity_scale(e->base, "narrow", &info, least - 1), ST_INPUT);
    catch_stop();
    assert_caught("variant narrow: complexity.match cannot be met: with every width 1 it has 32,229 parameters, and 32,228 are "
                  "wanted; use "
                  "fewer components or share_embeddings");
    assert_int_equal(e->base->embedding.dim, 8);
    experiment_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),        cmocka_unit_test(test_best_of_all), cmocka_unit_test(test_scale),
        cmocka_unit_test(test_named_widths), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
