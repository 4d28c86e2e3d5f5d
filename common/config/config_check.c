/* Lanes are what makes a result independent of the cluster's size: the global batch is always cut into the same lanes, and
 * sums are over the tree of lanes, whichever worker computes one. Hence the rules here: lanes form a whole binary tree,
 * each lane has as many examples as the others, and each worker has a lane. */
#include "common/config/config_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/port_range.h"
#include "common/config/validation.h"
#include "common/kernels/gsmelu.h"

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

/* groups_complaint - why a group of this many workers for each peer cannot share the lanes of its batches, or why there are no
 * such groups; **owned**, or NULL where they fit. */
static char *groups_complaint(const config_t *config, int64_t workers)
{
    const int64_t lanes = config->train.lanes, groups = config_groups(config);
    if (workers % groups)
        return mem_printf("objective.form groups needs as many workers for each of its %" PRId64
                          " peers, but cluster.workers is %" PRId64 "; use %" PRId64 ", "
                          "%" PRId64 ", ... workers",
                          groups, workers, groups, 2 * groups);
    if (workers / groups <= lanes)
        return NULL;
    return mem_printf("train.lanes %" PRId64 " cannot be divided among the %" PRId64 " workers that each of %" PRId64
                      " peers has of cluster.workers %" PRId64 "; use "
                      "at most %" PRId64 " for each peer",
                      lanes, workers / groups, groups, workers, lanes);
}

/* workers_complaint - why the lanes cannot be spread over this many workers; **owned**, or NULL where they can. */
static char *workers_complaint(const config_t *config, int64_t workers)
{
    const int64_t lanes = config->train.lanes;
    if (config_groups(config) > 1)
        return groups_complaint(config, workers);
    if (workers <= lanes)
        return NULL;
    return mem_printf("cluster.workers %" PRId64 " are more than train.lanes %" PRId64
                      ", so some would have nothing to do; use at most %" PRId64 " "
                      "workers or more lanes",
                      workers, lanes, lanes);
}

status_t config_check_workers(const config_t *config, int workers)
{
    ASSERT(workers > 0);
    if (config->cluster.active_workers > workers)
        return FAIL(ST_INPUT, "cluster.active_workers is %" PRId64 ", but there are %d workers; use a smaller number or auto",
                    config->cluster.active_workers, workers);
    const bool around = config->experiment.vary & 1u << VARY_WORKERS;
    char *text = NULL;
    for (int active = around ? 1 : config_active_workers(config, workers); !text && active <= workers; active++) {
        text = workers_complaint(config, active);
        if (!around)
            break;
    }
    if (!text)
        return ST_OK;
    status_t status = FAIL(ST_INPUT, "%s", text);
    mem_free(text);
    return status;
}

static int add(complaint_t *out, int n, const char *first, const char *second, const char *third, char *text)
{
    ASSERT(n < COMPLAINTS_MAX);
    out[n] = (complaint_t){{first, second, third}, text};
    return n + 1;
}

/* deploy_complaint - what is wrong with model.deploy; **owned**, or NULL. */
static char *deploy_complaint(const config_t *config)
{
    const char *deploy = config->model.deploy;
    int64_t peers = config_peers(config);
    if (strcmp(deploy, "auto") == 0 || strcmp(deploy, "mean") == 0)
        return NULL;
    char *end;
    int64_t number = strtoll(deploy, &end, 10);
    if (*deploy >= '0' && *deploy <= '9' && !*end && number < peers)
        return NULL;
    return mem_printf("model.deploy '%s' is no component; allowed: auto, mean, or a number from 0 to %" PRId64, deploy,
                      peers - 1);
}

/* schedule_complaint - a scheduled loss that never acts; **owned**, or NULL. */
static char *schedule_complaint(const char *section, double burn_in, double until)
{
    if (burn_in < until)
        return NULL;
    return mem_printf("%s.until %g is not after %s.burn_in %g, so its loss would never act; let it end later or begin earlier",
                      section, until, section, burn_in);
}

/* add_teacher - what is wrong with the teacher, where there is one. */
static int add_teacher(const config_t *config, complaint_t *out, int n)
{
    if (!config_is_taught(config))
        return n;
    char *late = schedule_complaint("teacher", config->teacher.burn_in, config->teacher.until);
    if (late)
        n = add(out, n, "teacher.until", "teacher.burn_in", NULL, late);
    if (*config->teacher.variant && *config->teacher.run)
        n = add(out, n, "teacher.run", "teacher.variant", NULL,
                mem_printf("teacher.run '%s' and teacher.variant '%s' both name a teacher; keep one of them",
                           config->teacher.run, config->teacher.variant));
    if (config->teacher.weight == 0.0 && config->teacher.label_weight == 0.0)
        n = add(out, n, "teacher.weight", "teacher.label_weight", NULL,
                mem_strdup(
                    "teacher.weight and teacher.label_weight are both 0, so nothing would be learned; use a weight above 0"));
    return n;
}

/* add_methods - what is wrong with objective and teacher. */
static int add_methods(const config_t *config, complaint_t *out, int n)
{
    const int64_t components = config->model.components, peers = config->objective.peers;
    const int kind = config->objective.kind;
    if (kind != OBJECTIVE_INDEPENDENT && components < 2)
        n = add(out, n, "objective.kind", "model.components", NULL,
                mem_printf("objective.kind %s binds components together, but model.components is %" PRId64 "; use 2 or more",
                           kind == OBJECTIVE_CODISTILL ? "codistill" : "antidistill", components));
    else if (kind == OBJECTIVE_CODISTILL && peers && (peers < 2 || components % peers))
        n = add(out, n, "objective.peers", "model.components", NULL,
                mem_printf("objective.peers %" PRId64 " cannot divide model.components %" PRId64 " into 2 or more equal peers",
                           peers, components));
    else if (config->objective.form == FORM_GROUPS && kind != OBJECTIVE_CODISTILL)
        n = add(
            out, n, "objective.form", "objective.kind", NULL,
            mem_strdup(
                "objective.form groups is a form of co-distillation; use objective.kind codistill or objective.form joint"));
    else if (config->objective.form == FORM_GROUPS && config->model.share_embeddings)
        n = add(
            out, n, "model.share_embeddings", "objective.form", NULL,
            mem_strdup(
                "model.share_embeddings gives all peers the same tables, but with objective.form groups each peer has its own; "
                "use one of the two"));
    else {
        char *deploy = deploy_complaint(config);
        if (deploy)
            n = add(out, n, "model.deploy", "model.components", NULL, deploy);
    }
    char *late = kind == OBJECTIVE_INDEPENDENT
                     ? NULL
                     : schedule_complaint("objective", config->objective.burn_in, config->objective.until);
    if (late)
        n = add(out, n, "objective.until", "objective.burn_in", NULL, late);
    return add_teacher(config, out, n);
}

/* add_per_layer - a list that gives something for each hidden layer must have as many elements. */
static int add_per_layer(const config_t *config, const char *key, unsigned count, const char *scalar, complaint_t *out, int n)
{
    const unsigned hidden = config->model.hidden.count;
    if (!count || count == hidden)
        return n;
    return add(out, n, key, "model.hidden", NULL,
               mem_printf("%s has %u elements for the %u layers of model.hidden; give one for each, or [] to use %s", key,
                          count, hidden, scalar));
}

static bool has_gsmelu(const config_t *config)
{
    for (unsigned l = 0; l < config->model.layer_activation.count; l++)
        if (config->model.layer_activation.at[l] == ACTIVATION_GSMELU)
            return true;
    return config->model.activation == ACTIVATION_GSMELU;
}

/* add_activations - what is wrong with the activations and their numbers. */
static int add_activations(const config_t *config, complaint_t *out, int n)
{
    const struct config_model *m = &config->model;
    n = add_per_layer(config, "model.layer_activation", m->layer_activation.count, "model.activation", out, n);
    n = add_per_layer(config, "model.layer_beta", m->layer_beta.count, "model.beta", out, n);
    if (m->gsmelu_right - m->gsmelu_left < GSMELU_LEAST_RISE)
        n = add(out, n, "model.gsmelu_right", "model.gsmelu_left", NULL,
                mem_printf("model.gsmelu_right %g must be above model.gsmelu_left %g, by %g at least", m->gsmelu_right,
                           m->gsmelu_left, GSMELU_LEAST_RISE));
    if (m->beta_spread > 0.0 && m->layer_beta.count)
        n = add(
            out, n, "model.beta_spread", "model.layer_beta", NULL,
            mem_strdup("model.beta_spread finds each layer's width, and model.layer_beta gives it; leave out one of the two"));
    if (m->beta_spread > 0.0 && has_gsmelu(config))
        n = add(out, n, "model.beta_spread", "model.activation", NULL,
                mem_strdup("model.beta_spread finds one width for each layer, and gsmelu has two; use smelu, or model.gsmelu "
                           "layer, which learns them"));
    if (m->gsmelu == GSMELU_NETWORK && m->layer_beta.count && has_gsmelu(config))
        n = add(out, n, "model.gsmelu", "model.layer_beta", NULL,
                mem_strdup(
                    "model.gsmelu network learns one set for all layers, so model.layer_beta cannot give each its own start; "
                    "use model.beta or model.gsmelu layer"));
    if (m->rescu_slopes.count != m->rescu_knots.count)
        return add(out, n, "model.rescu_slopes", "model.rescu_knots", NULL,
                   mem_printf("model.rescu_slopes has %u elements and model.rescu_knots %u; every knot needs its slope",
                              m->rescu_slopes.count, m->rescu_knots.count));
    for (unsigned i = 1; i < m->rescu_knots.count; i++)
        if (!(m->rescu_knots.at[i - 1] < m->rescu_knots.at[i]))
            return add(
                out, n, "model.rescu_knots", NULL, NULL,
                mem_printf("model.rescu_knots[%u] %g is not above the knot before it, %g; write knots in ascending order",
                           i + 1, m->rescu_knots.at[i], m->rescu_knots.at[i - 1]));
    return n;
}

/* add_parts - what is wrong with the parts of the network. */
static int add_parts(const config_t *config, complaint_t *out, int n)
{
    if (!config->model.parts)
        return add(
            out, n, "model.parts", NULL, NULL,
            mem_strdup("model.parts is empty, so there would be no network; name one part or more, such as [linear, mlp]"));
    if (config->objective.kind == OBJECTIVE_ANTIDISTILL && config->objective.decorrelate == DECORRELATE_HIDDEN &&
        !config_has_part(config, PART_MLP))
        n = add(
            out, n, "objective.decorrelate", "model.parts", NULL,
            mem_strdup("objective.decorrelate hidden looks at hidden layers, and model.parts has no mlp; use logits, or add "
                       "mlp"));
    const bool stacked = config->model.cross_form == CROSS_FORM_STACKED;
    if (!config_has_part(config, PART_CROSS) && (config->model.cross_rank || stacked))
        n = add(out, n, config->model.cross_rank ? "model.cross_rank" : "model.cross_form", "model.parts", NULL,
                mem_printf("model.cross_%s is of the part cross, and model.parts has none; add cross, or leave it out",
                           config->model.cross_rank ? "rank" : "form"));
    else if (stacked && !config_has_part(config, PART_MLP))
        n = add(
            out, n, "model.cross_form", "model.parts", NULL,
            mem_strdup("model.cross_form stacked hands what cross makes on to mlp, and model.parts has none; add mlp, or use "
                       "parallel"));
    if (*config->complexity.match && config->model.parts == 1u << PART_LINEAR)
        n = add(out, n, "complexity.match", "model.parts", NULL,
                mem_strdup("complexity.match scales embedding.dim and model.hidden, and a network of model.parts [linear] has "
                           "neither; leave it out"));
    return n;
}

/* add_schedule - a learning rate that falls before it has risen, or has fallen before it begins to. keys: of its begin, its end
 * and its warm-up. */
static int add_schedule(const char *section, const char *const keys[3], const schedule_t *schedule, complaint_t *out, int n)
{
    if (schedule->kind == SCHEDULE_CONSTANT)
        return n;
    if (schedule->from < schedule->warmup)
        return add(out, n, keys[0], keys[2], NULL,
                   mem_printf("%s is %" PRId64 ", but the learning rate rises for %" PRId64
                              " steps (%s); let it fall later, or rise sooner",
                              keys[0], schedule->from, schedule->warmup, keys[2]));
    if (schedule->kind == SCHEDULE_COSINE && schedule->until <= schedule->from)
        return add(out, n, keys[1], keys[0], keys[2],
                   mem_printf("%s %" PRId64 " ends the fall of %s.learning_rate before it begins, at step %" PRId64
                              "; let it end later, or begin sooner",
                              keys[1], schedule->until, section, schedule->from));
    return n;
}

#define ADD_SCHEDULE(section) \
    do { \
        static const char *const keys_[] = {#section ".decay_from", #section ".decay_until", #section ".warmup_steps"}; \
        const schedule_t schedule_ = config_##section##_schedule(config, INT64_MAX); \
        n = add_schedule(#section, keys_, &schedule_, out, n); \
    } while (0)

static int add_schedules(const config_t *config, complaint_t *out, int n)
{
    ADD_SCHEDULE(embedding);
    ADD_SCHEDULE(dense);
    ADD_SCHEDULE(linear);
    return n;
}

/* add_kernels - what is wrong with what makes matrix products. */
static int add_kernels(const config_t *config, complaint_t *out, int n)
{
    if (config->determinism != DETERMINISM_PORTABLE || config->kernels != KERNELS_OPENBLAS)
        return n;
    return add(out, n, "kernels", "determinism", NULL,
               mem_strdup("kernels openblas gives the bits of its version and of this processor, and determinism portable "
                          "promises the same on all; remove kernels, or set determinism: invariant"));
}

/* add_cluster - what is wrong with the places of sockets. */
static int add_cluster(const config_t *config, complaint_t *out, int n)
{
    port_range_t ports;
    const char *why = port_range_parse(config->cluster.ports, &ports);
    if (!why)
        return n;
    return add(out, n, "cluster.ports", NULL, NULL,
               mem_printf("cluster.ports '%s' %s; write a range such as 20000-20100", config->cluster.ports, why));
}

/* add_validation - what is wrong with evaluations while training. */
static int add_validation(const config_t *config, complaint_t *out, int n)
{
    const struct config_evaluate *e = &config->evaluate;
    if (e->every && e->every_epochs > 0.0)
        n = add(out, n, "evaluate.every_epochs", "evaluate.every", NULL,
                mem_printf("evaluate.every %" PRId64 " and evaluate.every_epochs %g both say when; remove one", e->every,
                           e->every_epochs));
    if (e->patience && !e->every && e->every_epochs == 0.0)
        n = add(out, n, "evaluate.patience", "evaluate.every", NULL,
                mem_printf("evaluate.patience %" PRId64
                           " waits for evaluations, and there are none; set evaluate.every or evaluate.every_epochs",
                           e->patience));
    if (validation_window_seconds(e->window) < 0)
        n = add(out, n, "evaluate.window", NULL, NULL,
                mem_printf("evaluate.window '%s' is no length of time; write day, hour, or seconds from 1 to 1000000000",
                           e->window));
    if (e->patience && config->checkpoint.every_steps)
        n = add(out, n, "checkpoint.every_steps", "evaluate.patience", NULL,
                mem_strdup("checkpoint.every_steps goes with no evaluate.patience, which makes a checkpoint at every "
                           "evaluation; remove it"));
    return n;
}

int config_complaints(const config_t *config, complaint_t out[COMPLAINTS_MAX])
{
    int64_t lanes = config->train.lanes, batch = config->train.batch;
    const char *level = config_determinism_word((determinism_t)config->determinism);
    const bool ordered = config->determinism >= DETERMINISM_SYNC;
    int n = 0;
    bool lanes_fit = true;
    if (ordered && !is_power_of_two(lanes)) {
        lanes_fit = false;
        n = add(out, n, "train.lanes", "determinism", NULL,
                mem_printf("train.lanes %" PRId64 " is not a power of two, which determinism %s needs; use 1, 2, 4, 8 ...",
                           lanes, level));
    } else if (lanes > batch) {
        n = add(out, n, "train.lanes", "train.batch", NULL,
                mem_printf("train.lanes %" PRId64 " are more than train.batch %" PRId64 "; use at most one lane per example",
                           lanes, batch));
    } else if (batch % lanes) {
        n = add(out, n, "train.batch", "train.lanes", NULL,
                mem_printf("train.batch %" PRId64 " cannot be divided into train.lanes %" PRId64
                           " equal lanes; use a batch of %" PRId64 " or %" PRId64,
                           batch, lanes, batch / lanes * lanes, (batch / lanes + 1) * lanes));
    }
    const int active = config->cluster.workers ? config_active_workers(config, (int)config->cluster.workers) : 0;
    char *workers = lanes_fit && active ? workers_complaint(config, active) : NULL;
    if (workers)
        n = add(out, n, "cluster.workers", config_groups(config) > 1 ? "objective.form" : "train.lanes", "determinism",
                workers);
    if (*config->data.input && config->synth.rows)
        n = add(out, n, "synth.rows", "data.input", NULL,
                mem_printf("synth.rows %" PRId64 " and data.input '%s' both say where the dataset comes from; remove one",
                           config->synth.rows, config->data.input));
    else if (*config->data.input && !*config->data.schema)
        n = add(
            out, n, "data.input", "data.schema", NULL,
            mem_printf("data.input '%s' needs data.schema to say what its columns are; name a YAML file or a preset (criteo, "
                       "avazu, libsvm)",
                       config->data.input));
    n = add_validation(config, out, add_parts(config, out, add_cluster(config, out, add_kernels(config, out, n))));
    return add_schedules(config, out, add_activations(config, out, add_methods(config, out, n)));
}

/* Does this section's schedule or optimizer make use of the key? Says which of the two it is for. */
static bool knows(const yaml_t *section, const char *key, const yaml_t **chooser)
{
#define SCHEDULE_WORD(word, constant, doc) #word,
#define SCHEDULE_KEY(kind, name, ...) #name " "
    static const char *const schedules[] = {WORDS_SCHEDULE(SCHEDULE_WORD)};
    static const char of_any[] = "l2 clip_norm ", of_schedule[] = CONFIG_SCHEDULE(SCHEDULE_KEY);
    char *wanted = mem_printf("%s ", key);
    const bool is_of_schedule = strstr(of_schedule, wanted);
    bool found = strstr(of_any, wanted);
    *chooser = yaml_child(section, is_of_schedule ? "schedule" : "optimizer");
    for (int i = 0; is_of_schedule && i < SCHEDULE_COUNT; i++)
        found |= strcmp(schedules[i], (*chooser)->text) == 0 && schedule_knows(i, key);
    for (int i = 0; !is_of_schedule && i < OPTIMIZER_COUNT; i++)
        found |= strcmp(optimizer_get(i)->name, (*chooser)->text) == 0 && strstr(optimizer_get(i)->knows, wanted);
    mem_free(wanted);
    return found;
}

/* Was one said before the other: in an earlier layer, or for all variants and the other for one? */
static bool is_said_before(const yaml_t *one, const yaml_t *other)
{
    return one->layer != other->layer ? one->layer < other->layer : !one->scope && other->scope;
}

/* Is a setting what it is where nobody says anything, as all are in the config.yaml of a run? */
static bool is_usual(const char *text, const char *usual)
{
    char *end;
    const double value = strtod(text, &end);
    return strcmp(text, usual) == 0 || (end > text && !*end && value == strtod(usual, NULL));
}

int config_unused_settings(const yaml_t *tree)
{
#define SETTING_KEY(kind, name, initial, ...) {#name, initial},
    static const char *const keys[][2] = {CONFIG_OPTIMIZER(SETTING_KEY)};
    int errors = 0;
    for (const yaml_t *section = tree->first; section; section = section->next) {
        const bool has_optimizer = section->kind == YAML_MAP && yaml_child(section, "optimizer");
        for (size_t i = 0; has_optimizer && i < sizeof keys / sizeof *keys; i++) {
            const char *key = keys[i][0];
            const yaml_t *setting = yaml_child(section, key), *chooser;
            const bool is_old = strcmp(key, "initial_accumulator") == 0 || strcmp(key, "epsilon") == 0;
            if (is_old || knows(section, key, &chooser) || is_said_before(setting, chooser) ||
                is_usual(setting->text, keys[i][1]))
                continue;
            yaml_fail(setting, "%s %s does not know this setting; leave it out, or choose another %s.%s", chooser->key,
                      chooser->text, section->key, chooser->key);
            errors++;
        }
    }
    return errors;
}
