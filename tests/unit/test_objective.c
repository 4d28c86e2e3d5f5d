/* Proves: for every objective x schedule x teacher, the gradients by logits and by hidden outputs are those of the loss that
 * docs/MATH.md section 4 writes down (finite differences of an oracle in double that shares no code with the objective, targets
 * under stop-gradient held fixed); a plain ensemble's gradient has the bits of the loss kernel; schedules are the lines their
 * contract says; a loss that is not finite names step and component. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/kernels/loss.h"
#include "worker/objective.h"

#define ROWS 23
#define WIDTH 5
#define KMAX 6

typedef struct lane {
    const config_t *config;
    float z[KMAX][ROWS], hidden[KMAX][ROWS * WIDTH], p[KMAX][ROWS], dz[KMAX][ROWS], dhidden[KMAX][ROWS * WIDTH];
    float y[ROWS], teacher[ROWS], weight[ROWS];
    bool has_teacher, has_weight;
    double label_weight, teacher_weight, extra_weight; /* at the step */
    double scale;
    int rows;
} lane_t;

static experiment_t *load(const char *yaml)
{
    experiment_t *e = NULL;
    assert_int_equal(experiment_load(test_write("c.yaml", yaml), NULL, 0, &e), ST_OK);
    return e;
}

static void fill(lane_t *l, const config_t *config, int rows, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->config = config;
    l->rows = rows;
    l->scale = 1.0 / 64;
    for (int k = 0; k < KMAX; k++) {
        for (int i = 0; i < ROWS; i++)
            l->z[k][i] = (float)(1.5 * rng_normal(seed, (uint64_t)k, (uint64_t)i) + 0.5 * rng_normal(seed, 99, (uint64_t)i));
        for (int i = 0; i < ROWS * WIDTH; i++)
            l->hidden[k][i] =
                (float)(rng_normal(seed, 20 + (uint64_t)k, (uint64_t)i) + 0.7 * rng_normal(seed, 98, (uint64_t)i));
    }
    for (int i = 0; i < ROWS; i++) {
        l->y[i] = (float)(rng_u64(seed, 50, (uint64_t)i) & 1);
        l->teacher[i] = (float)(1.0 / (1.0 + exp(-rng_normal(seed, 51, (uint64_t)i))));
    }
}

static status_t apply(lane_t *l, int64_t step, int64_t steps)
{
    const float *z[KMAX], *hidden[KMAX];
    float *p[KMAX], *dz[KMAX], *dhidden[KMAX];
    for (int k = 0; k < KMAX; k++) {
        z[k] = l->z[k];
        hidden[k] = l->hidden[k];
        p[k] = l->p[k];
        dz[k] = l->dz[k];
        dhidden[k] = l->dhidden[k];
    }
    const objective_lane_t view = {.rows = l->rows,
                                   .step = step,
                                   .scale = (float)l->scale,
                                   .y = l->y,
                                   .weight = l->has_weight ? l->weight : NULL,
                                   .teacher = l->has_teacher ? l->teacher : NULL,
                                   .z = z,
                                   .hidden = hidden,
                                   .p = p,
                                   .dz = dz,
                                   .dhidden = dhidden};
    objective_t *o = objective_create(l->config, steps, ROWS, WIDTH);
    status_t status = objective_apply(o, &view);
    objective_destroy(&o);
    assert_null(o);
    return status;
}

/* ---- the oracle: the whole loss of a lane in double ---------------------------------------------------------------------- */

static double sigma(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

static double cross_entropy(double q, double z)
{
    return -q * log(sigma(z)) - (1.0 - q) * log(sigma(-z));
}

/* What component k learns from: the mean over the peers it does not belong to of their means. */
static double target(const lane_t *l, int k, int i)
{
    const int components = (int)l->config->model.components, peers = (int)config_peers(l->config), members = components / peers;
    const bool logit = l->config->objective.loss == DISTANCE_LOGIT;
    double sum = 0.0;
    for (int g = 0; g < peers; g++) {
        double peer = 0.0;
        for (int j = 0; j < members; j++)
            peer += logit ? (double)l->z[g * members + j][i] : sigma(l->z[g * members + j][i]);
        if (g != k / members)
            sum += peer / members;
    }
    return sum / (peers - 1);
}

static double decorrelation(const lane_t *l, double *const *h, int w)
{
    const int components = (int)l->config->model.components, n = l->rows;
    const bool correlation = l->config->objective.statistic == STATISTIC_CORRELATION;
    double total = 0.0;
    int pairs = 0;
    for (int k = 0; k < components; k++)
        for (int j = k + 1; j < components; j++, pairs++)
            for (int a = 0; a < w; a++)
                for (int b = 0; b < w; b++) {
                    double ma = 0, mb = 0, vab = 0, va = 0, vb = 0;
                    for (int i = 0; i < n; i++) {
                        ma += h[k][i * w + a] / n;
                        mb += h[j][i * w + b] / n;
                    }
                    for (int i = 0; i < n; i++) {
                        vab += (h[k][i * w + a] - ma) * (h[j][i * w + b] - mb) / n;
                        va += pow(h[k][i * w + a] - ma, 2) / n;
                        vb += pow(h[j][i * w + b] - mb, 2) / n;
                    }
                    total += correlation ? vab * vab / ((va + 1e-6) * (vb + 1e-6)) : vab * vab;
                }
    return total / pairs / (w * w);
}

/* The lane's loss at logits z and hidden outputs h; the targets of co-distillation stay those of the lane as it is. */
static double oracle(const lane_t *l, double *const *z, double *const *h)
{
    const config_t *c = l->config;
    const int components = (int)c->model.components;
    double sum = 0.0;
    for (int k = 0; k < components; k++)
        for (int i = 0; i < l->rows; i++) {
            const bool is_taught = l->has_teacher && !isnan(l->teacher[i]);
            sum += (l->has_teacher && !is_taught ? 1.0 : l->label_weight) * cross_entropy(l->y[i], z[k][i]);
            if (is_taught)
                sum += l->teacher_weight * cross_entropy(l->teacher[i], z[k][i]);
            if (c->objective.kind == OBJECTIVE_CODISTILL && c->objective.loss == DISTANCE_LOGIT)
                sum += l->extra_weight * pow(z[k][i] - target(l, k, i), 2) / 2;
            else if (c->objective.kind == OBJECTIVE_CODISTILL)
                sum += l->extra_weight * cross_entropy(target(l, k, i), z[k][i]);
        }
    if (c->objective.kind == OBJECTIVE_ANTIDISTILL && c->objective.decorrelate == DECORRELATE_HIDDEN)
        sum += l->extra_weight * l->rows * decorrelation(l, h, WIDTH);
    else if (c->objective.kind == OBJECTIVE_ANTIDISTILL)
        sum += l->extra_weight * l->rows * decorrelation(l, z, 1);
    return sum * l->scale;
}

static double *widen(const float *from, int n)
{
    double *to = MEM_ARRAY(double, n);
    for (int i = 0; i < n; i++)
        to[i] = from[i];
    return to;
}

static double difference(const lane_t *l, double *const *z, double *const *h, double *at)
{
    const double kept = *at, step = 1e-5;
    *at = kept + step;
    double above = oracle(l, z, h);
    *at = kept - step;
    double below = oracle(l, z, h);
    *at = kept;
    return (above - below) / (2 * step);
}

static void check_gradients(lane_t *l)
{
    double *z[KMAX], *h[KMAX], largest = 0.0;
    const int components = (int)l->config->model.components;
    const bool hidden =
        l->config->objective.kind == OBJECTIVE_ANTIDISTILL && l->config->objective.decorrelate == DECORRELATE_HIDDEN;
    for (int k = 0; k < components; k++) {
        z[k] = widen(l->z[k], ROWS);
        h[k] = widen(l->hidden[k], ROWS * WIDTH);
    }
    for (int k = 0; k < components; k++) {
        for (int i = 0; i < l->rows; i++)
            assert_true(fabs(difference(l, z, h, &z[k][i]) - l->dz[k][i]) < 2e-6 * l->scale * 64);
        for (int i = 0; hidden && i < l->rows * WIDTH; i++) {
            assert_true(fabs(difference(l, z, h, &h[k][i]) - l->dhidden[k][i]) < 2e-7);
            largest = fmax(largest, fabs(l->dhidden[k][i]));
        }
    }
    assert_true(!hidden || l->extra_weight == 0.0 || l->rows == 1 || largest > 1e-5); /* something was compared */
    for (int k = 0; k < components; k++) {
        mem_free(z[k]);
        mem_free(h[k]);
    }
}

static const char *const kinds[] = {
    "model: {components: 1}\n",
    "model: {components: 3}\n",
    "model: {components: 2}\nobjective: {kind: codistill, weight: 0.7}\n",
    "model: {components: 5}\nobjective: {kind: codistill, weight: 0.7, loss: logit}\n",
    "model: {components: 6}\nobjective: {kind: codistill, weight: 3, peers: 3}\n",
    "model: {components: 4}\nobjective: {kind: codistill, weight: 2, peers: 2, loss: logit}\n",
    "model: {components: 3}\nobjective: {kind: antidistill, weight: 1.3}\n",
    "model: {components: 2}\nobjective: {kind: antidistill, weight: 1.3, statistic: covariance}\n",
    "model: {components: 3}\nobjective: {kind: antidistill, weight: 2, decorrelate: hidden}\n",
    "model: {components: 4}\nobjective: {kind: antidistill, weight: 2, decorrelate: hidden, statistic: covariance}\n",
};

static void test_gradients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int rows = 1; rows <= ROWS; rows += ROWS - 1) {
            experiment_t *e = load(kinds[i]);
            lane_t l;
            fill(&l, e->base, rows, 7 + i);
            l.label_weight = 1.0;
            l.extra_weight = e->base->objective.weight;
            assert_int_equal(apply(&l, 0, 10), ST_OK);
            for (int k = 0; k < e->base->model.components; k++)
                for (int r = 0; r < rows; r++)
                    assert_true(fabs(l.p[k][r] - sigma(l.z[k][r])) < 1e-6);
            check_gradients(&l);
            experiment_destroy(&e);
        }
}

/* Steps 0 .. 99, burn-in 20, ramp to 60, end at 90: the weight at each is what the line says, for the teacher likewise. */
static void test_schedules(void **state)
{
    (void)state;
    static const struct {
        int64_t step;
        double share;
    } at[] = {{0, 0}, {19, 0}, {20, 0}, {30, 0.25}, {40, 0.5}, {59, 0.975}, {60, 1}, {89, 1}, {90, 0}, {99, 0}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        assert_true(fabs(objective_share(0.2, 0.4, 0.9, at[i].step, 100) - at[i].share) < 1e-12);
        for (size_t kind = 2; kind < sizeof kinds / sizeof *kinds; kind++) {
            char *yaml = mem_printf(
                "%sname: x\nteacher: {variant: b, weight: 0.4, label_weight: 0.3, burn_in: 0.2, ramp: 0.4, until: 0.9}\n"
                "variants: [{name: a}, {name: b, teacher: {variant: ''}}]\n",
                kinds[kind]);
            const char *sets[] = {"objective.burn_in=0.2", "objective.ramp=0.4", "objective.until=0.9"};
            experiment_t *e = NULL;
            assert_int_equal(experiment_load(test_write("c.yaml", yaml), sets, 3, &e), ST_OK);
            lane_t l;
            fill(&l, e->configs[0], ROWS, 70 + kind);
            l.has_teacher = true;
            l.teacher[kind % ROWS] = l.teacher[ROWS - 1] = NAN; /* of these it has none: they learn from the label alone */
            l.extra_weight = at[i].share * e->base->objective.weight;
            l.teacher_weight = at[i].share * 0.4;
            l.label_weight = 1.0 - 0.7 * at[i].share;
            memset(l.dhidden, 77, sizeof l.dhidden); /* what an earlier lane left there must not stay */
            assert_int_equal(apply(&l, at[i].step, 100), ST_OK);
            check_gradients(&l);
            experiment_destroy(&e);
            mem_free(yaml);
        }
    }
    assert_true(objective_share(0, 0, 1, 0, 5) == 1.0 && objective_share(0, 0, 1, 4, 5) == 1.0);
    assert_true(objective_share(1, 0, 1, 4, 5) == 0.0 && objective_share(0, 1, 1, 0, 5) == 0.0);
}

/* "gradients never meet": a component of a plain ensemble gets the bits of the loss kernel, whatever sits beside it; so does
 * every component before the burn-in is over. */
static void test_plain_bits(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        const char *sets[] = {"objective.burn_in=0.5"};
        experiment_t *e = NULL;
        assert_int_equal(experiment_load(test_write("c.yaml", kinds[kind]), sets, 1, &e), ST_OK);
        lane_t l;
        fill(&l, e->base, ROWS, 3);
        assert_int_equal(apply(&l, 49, 100), ST_OK);
        for (int k = 0; k < e->base->model.components; k++) {
            float p[ROWS], dz[ROWS];
            loss_probability(p, l.z[k], ROWS);
            loss_logistic.gradient(dz, l.z[k], p, l.y, ROWS, (float)l.scale);
            assert_memory_equal(dz, l.dz[k], sizeof dz);
            assert_memory_equal(p, l.p[k], sizeof p);
        }
        experiment_destroy(&e);
    }
}

/* "the gradient .. is multiplied by w", but for statistics of outputs, which have none; a weight of 1 changes no bit. */
static void test_weights(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        experiment_t *e = load(kinds[kind]);
        const bool is_statistic = e->base->objective.kind == OBJECTIVE_ANTIDISTILL;
        lane_t plain, l;
        fill(&plain, e->base, ROWS, 4);
        plain.has_teacher = !is_statistic;
        l = plain;
        assert_int_equal(apply(&plain, 99, 100), ST_OK);
        l.has_weight = true;
        for (int i = 0; i < ROWS; i++)
            l.weight[i] = 1.0f;
        assert_int_equal(apply(&l, 99, 100), ST_OK);
        assert_memory_equal(l.dz, plain.dz, sizeof l.dz);
        for (int i = 0; i < ROWS; i++)
            l.weight[i] = (float)(i % 3);
        assert_int_equal(apply(&l, 99, 100), ST_OK);
        for (int k = 0; k < e->base->model.components && !is_statistic; k++)
            for (int i = 0; i < ROWS; i++)
                assert_float_equal(l.dz[k][i], plain.dz[k][i] * l.weight[i], 1e-9f);
        assert_memory_equal(l.dhidden, plain.dhidden, sizeof l.dhidden);
        experiment_destroy(&e);
    }
}

/* A dead unit, constant over the lane, gets no gradient and makes none that is not finite. */
static void test_dead_unit(void **state)
{
    (void)state;
    experiment_t *e = load(kinds[8]);
    lane_t l;
    fill(&l, e->base, ROWS, 5);
    for (int i = 0; i < ROWS; i++)
        l.hidden[1][i * WIDTH + 2] = 0.0f;
    assert_int_equal(apply(&l, 0, 10), ST_OK);
    for (int i = 0; i < ROWS * WIDTH; i++)
        for (int k = 0; k < 3; k++)
            assert_true(isfinite(l.dhidden[k][i]));
    for (int i = 0; i < ROWS; i++)
        assert_true(fabsf(l.dhidden[1][i * WIDTH + 0]) > 0.0f);
    experiment_destroy(&e);
}

/* "None where n is below what the statistic needs": two examples are always correlated by 1 or -1, and one has no covariance.
 * The lane at the end of a short last batch then gets the bits of the plain loss; as `own`, and with an example more, it does
 * not. */
static void test_lane_too_short_for_the_statistic(void **state)
{
    (void)state;
    static const struct {
        const char *extra;
        int rows;
        bool plain;
    } cases[] = {
        {"train.last_batch=scaled", 2, true},         {"train.last_batch=scaled", 3, false},
        {"train.last_batch=own", 2, false},           {"objective.statistic=covariance", 1, true},
        {"objective.statistic=covariance", 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        experiment_t *e = NULL;
        assert_int_equal(
            experiment_load(test_write("c.yaml", "model: {components: 3}\nobjective: {kind: antidistill, weight: 1.3}\n"),
                            &cases[i].extra, 1, &e),
            ST_OK);
        lane_t l;
        float p[ROWS], dz[ROWS];
        fill(&l, e->base, cases[i].rows, 3);
        assert_int_equal(apply(&l, 0, 10), ST_OK);
        loss_probability(p, l.z[0], l.rows);
        loss_logistic.gradient(dz, l.z[0], p, l.y, l.rows, (float)l.scale);
        assert_int_equal(memcmp(dz, l.dz[0], sizeof *dz * (size_t)l.rows) == 0, cases[i].plain);
        experiment_destroy(&e);
    }
}

static void test_divergence(void **state)
{
    (void)state;
    experiment_t *e = load(kinds[2]);
    lane_t l;
    fill(&l, e->base, ROWS, 5);
    l.z[1][4] = NAN;
    catch_start();
    assert_int_equal(apply(&l, 12, 100), ST_INPUT);
    catch_stop();
    assert_caught("step 12: the loss of component 1 is nan: the training diverged; lower the learning rates");
    experiment_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),  cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_plain_bits), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_dead_unit),  cmocka_unit_test(test_lane_too_short_for_the_statistic),
        cmocka_unit_test(test_divergence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
