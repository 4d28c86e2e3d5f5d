#include "common/config/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/config_check.h"
#include "common/config/config_paths.h"
#include "common/config/decode.h"
#include "common/config/field_options.h"
#include "common/config/layout.h"
#include "common/config/schema_presets.h"
#include "common/config/sweep.h"
#include "common/files/file.h"

#define VARIANT_NAME_MAX 64 /* with a replica's name and a file's after it, well below the 255 of a file name */

#define SEED_MAX INT64_C(9007199254740991) /* as in config_keys.h: every seed is exact as a double, and so in JSON */

/* ---- variables --------------------------------------------------------------------------------------------------- */

/* expand - replace every ${VARIABLE}. Where that is not possible, *out is NULL and *problem says why; both **owned**. */
static void expand(const char *text, char **out, char **problem)
{
    char *done = mem_strdup("");
    *out = *problem = NULL;
    for (const char *at = text;;) {
        const char *begin = strstr(at, "${");
        char *longer = mem_printf("%s%.*s", done, begin ? (int)(begin - at) : INT_MAX, at);
        mem_free(done);
        done = longer;
        if (!begin)
            break;
        const char *end = strchr(begin, '}');
        if (!end) {
            *problem = mem_printf("'%s' has ${ without its }", text);
            break;
        }
        char *name = mem_printf("%.*s", (int)(end - begin - 2), begin + 2);
        const char *value = getenv(name);
        if (value) {
            longer = mem_printf("%s%s", done, value);
            mem_free(done);
            done = longer;
        } else {
            *problem = mem_printf(
                "environment variable %s is not set, but '%s' uses it; set it (export %s=...) or write the value out", name,
                text, name);
        }
        mem_free(name);
        if (*problem)
            break;
        at = end + 1;
    }
    if (*problem)
        mem_free(done);
    else
        *out = done;
}

status_t config_expand(const char *text, const char *key, char **out)
{
    char *problem, *expanded;
    expand(text, &expanded, &problem);
    if (problem) {
        status_t status = FAIL(ST_INPUT, "%s: %s", key, problem);
        mem_free(problem);
        return status;
    }
    *out = expanded;
    return ST_OK;
}

/* expand_texts - all text keys of a tree, in place. data.input keeps what cannot be replaced: config_expand reports it if it is
 * ever needed. Returns the number of errors. */
static int expand_texts(yaml_t *tree)
{
    const layout_t *layout = layout_config();
    int errors = 0;
    for (int r = 0; r < layout->count; r++) {
        for (int f = 0; f < layout->records[r].count; f++) {
            const field_t *field = &layout->records[r].fields[f];
            yaml_t *node = layout_node(tree, &layout->records[r], field);
            if (field->kind != VALUE_TEXT || node->kind != YAML_SCALAR)
                continue;
            char *problem, *expanded;
            expand(node->text, &expanded, &problem);
            if (expanded) {
                mem_free(node->text);
                node->text = expanded;
            } else if (node != yaml_find(tree, "data.input")) {
                yaml_fail(node, "%s", problem);
                errors++;
            }
            mem_free(problem);
        }
    }
    return errors;
}

/* ---- from trees to configurations -------------------------------------------------------------------------------- */

/* latest - of the nodes of these keys, the one that was said last, which is the one to blame. */
static const yaml_t *latest(const yaml_t *tree, const char *const *keys)
{
    const yaml_t *node = NULL;
    for (int i = 0; i < COMPLAINT_KEYS && keys[i]; i++) {
        const yaml_t *other = yaml_find(tree, keys[i]);
        ASSERT(other);
        if (!node || other->layer > node->layer)
            node = other;
    }
    return node;
}

/* resolve - decode and check a merged tree. is_file: it is what a person wrote, and its paths are yet to be found. */
static status_t resolve(yaml_t *tree, bool is_file, config_t **out)
{
    int errors = config_paths_join(tree);
    errors += expand_texts(tree);
    if (is_file)
        errors += config_paths_resolve(tree);
    TRY(field_options_check(tree) ? ST_INPUT : ST_OK); /* decoded is what is right */
    void *config = NULL;
    TRY(decode_tree(layout_config(), tree, &config));
    complaint_t complaints[COMPLAINTS_MAX];
    int n = config_complaints(config, complaints);
    for (int i = 0; i < n; i++) {
        yaml_fail(latest(tree, complaints[i].keys), "%s", complaints[i].text);
        mem_free(complaints[i].text);
    }
    if (errors + n) {
        layout_destroy(layout_config(), config);
        return ST_INPUT;
    }
    *out = config;
    return ST_OK;
}

/* parse_argument - "key.path=value" as a tree of maps around the value; **owned**. */
static status_t parse_argument(const char *argument, yaml_t **out)
{
    char *origin = mem_printf("--set %s", argument), *path = NULL;
    yaml_t *value = NULL;
    const char *equals = strchr(argument, '=');
    status_t status;
    if (!equals || equals == argument) {
        status = FAIL(ST_INPUT, "%s: write it as --set KEY=VALUE, for example --set train.batch=1024", origin);
        goto done;
    }
    TRY_DONE(yaml_parse(equals + 1, strlen(equals + 1), origin, 0, LAYER_ARGUMENT, &value));
    path = mem_printf("%.*s", (int)(equals - argument), argument);
    for (char *dot; (dot = strrchr(path, '.')); *dot = 0) {
        yaml_t *map = yaml_create(YAML_MAP, NULL, LAYER_ARGUMENT, origin, 0);
        yaml_append(map, dot + 1, &value);
        value = map;
    }
    *out = yaml_create(YAML_MAP, NULL, LAYER_ARGUMENT, origin, 0);
    yaml_append(*out, path, &value);
done:
    yaml_destroy(&value);
    mem_free(origin);
    mem_free(path);
    return status;
}

/* merge_arguments - returns the number of errors. */
static int merge_arguments(yaml_t *tree, const char *const *arguments, int n)
{
    int errors = 0;
    for (int i = 0; i < n; i++) {
        yaml_t *argument;
        if (parse_argument(arguments[i], &argument) != ST_OK) {
            errors++;
            continue;
        }
        errors += yaml_merge(tree, argument);
        yaml_destroy(&argument);
    }
    return errors;
}

/* ---- variants ---------------------------------------------------------------------------------------------------- */

static bool is_file_name(const char *name)
{
    size_t length = strlen(name);
    if (!length || length > VARIANT_NAME_MAX || *name == '.' || *name == '-')
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return false;
    return true;
}

/* take_name - check and remove the name of a variant; **owned**. */
static status_t take_name(yaml_t *variant, const experiment_t *known, char **out)
{
    if (variant->kind != YAML_MAP)
        return yaml_fail(
            variant, "a variant is a map with a name and overrides, for example {name: smelu1, model: {activation: smelu}}");
    yaml_t *node = yaml_take(variant, "name");
    if (!node)
        return yaml_fail(variant, "the variant has no name; add name: NAME");
    status_t status = ST_OK;
    if (node->kind != YAML_SCALAR || !is_file_name(node->text)) {
        status =
            yaml_fail(variant,
                      "name '%s' cannot name a folder; use 1 to %d letters, digits, '_', '-' or '.', not beginning with one of "
                      "the last two",
                      node->text ? node->text : "(not a word)", VARIANT_NAME_MAX);
    }
    for (int i = 0; status == ST_OK && i < known->variants; i++)
        if (strcmp(known->names[i], node->text) == 0)
            status = yaml_fail(variant, "name '%s' is given to two variants; each needs its own", node->text);
    if (status == ST_OK)
        *out = mem_strdup(node->text);
    yaml_destroy(&node);
    return status;
}

/* Sections that hold for the job and not for a run, and what a variant may set of them all the same. A cluster's size, say, is
 * the job's: were it taken from a variant it would be in the report, and nowhere else. */
static const struct common_section {
    const char *name, *allowed[4];
} common_sections[] = {
    {"cluster", {"active_workers", "memory_mb", "mixed_processors"}},
    {"experiment", {"vary"}},
    {"tune", {NULL}},
};

static bool is_allowed(const struct common_section *section, const char *key)
{
    for (int k = 0; section->allowed[k]; k++)
        if (strcmp(section->allowed[k], key) == 0)
            return true;
    return false;
}

/* check_common - the number of keys of a variant that hold for all; each an error line. */
static int check_common(const yaml_t *variant)
{
    const yaml_t *defaults = yaml_child(variant, "defaults");
    int errors = defaults ? 1 : 0;
    if (defaults)
        yaml_fail(defaults, "holds for all variants; move it to the top of the file");
    for (size_t i = 0; i < sizeof common_sections / sizeof *common_sections; i++) {
        const struct common_section *section = &common_sections[i];
        const yaml_t *found = yaml_child(variant, section->name);
        for (const yaml_t *key = found && found->kind == YAML_MAP ? found->first : NULL; key; key = key->next) {
            if (is_allowed(section, key->key))
                continue;
            const bool workers = strcmp(section->name, "cluster") == 0 && strcmp(key->key, "workers") == 0;
            yaml_fail(key, "holds for all variants; move it to the top of the file%s",
                      workers ? ", and say here with cluster.active_workers how many of them train" : "");
            errors++;
        }
    }
    return errors;
}

/* add_variant - append the configuration of one entry of `variants:`. Arguments are in `base` already, and win by their
 * layer. */
static status_t add_variant(const yaml_t *base, const yaml_t *entry, experiment_t *experiment)
{
    yaml_t *variant = yaml_copy(entry), *merged = NULL;
    char *name = NULL, *place = yaml_path(entry);
    config_t *config = NULL;
    status_t status;
    yaml_set_scope(variant, place);
    TRY_DONE(take_name(variant, experiment, &name));
    mem_free(place);
    place = mem_printf("variants.%s.", name);
    yaml_set_scope(variant, place);
    merged = yaml_copy(base);
    int errors = yaml_merge(merged, variant);
    errors += check_common(variant);
    TRY_DONE(resolve(merged, true, &config));
    errors += config_unused_settings(merged);
    if (errors) {
        status = ST_INPUT;
        goto done;
    }
    experiment->names[experiment->variants] = name;
    experiment->configs[experiment->variants++] = config;
    name = NULL;
    config = NULL;
done:
    config_destroy(&config);
    yaml_destroy(&variant);
    yaml_destroy(&merged);
    mem_free(name);
    mem_free(place);
    return status;
}

/* add_variants - all entries, each error of each reported. */
static status_t add_variants(const yaml_t *base, const yaml_t *list, experiment_t *experiment)
{
    if (list->kind == YAML_SCALAR && !*list->text)
        return ST_OK;
    if (list->kind != YAML_LIST)
        return yaml_fail(list, "a list of variants is wanted, each beginning with '- name: NAME'");
    experiment->names = MEM_ARRAY(char *, list->count);
    experiment->configs = MEM_ARRAY(config_t *, list->count);
    status_t status = ST_OK;
    for (const yaml_t *entry = list->first; entry; entry = entry->next)
        if (add_variant(base, entry, experiment) != ST_OK)
            status = ST_INPUT;
    return status;
}

/* variants_text - "relu, smelu1": all names; **owned**. */
static char *variants_text(const experiment_t *experiment)
{
    char *known = mem_strdup("");
    for (int i = 0; i < experiment->variants; i++) {
        char *longer = mem_printf("%s%s%s", known, i ? ", " : "", experiment->names[i]);
        mem_free(known);
        known = longer;
    }
    return known;
}

static status_t check_baseline(const yaml_t *base, const experiment_t *experiment)
{
    const char *baseline = experiment->base->experiment.baseline;
    if (!experiment->variants || !*baseline || config_variant(experiment, baseline) >= 0)
        return ST_OK;
    char *known = variants_text(experiment);
    status_t status = yaml_fail(yaml_find(base, "experiment.baseline"), "'%s' is no variant; allowed: %s", baseline, known);
    mem_free(known);
    return status;
}

/* said_at - the node to blame for a key of a variant: its entry in the list where that has the key, else the base. */
static const yaml_t *said_at(const yaml_t *base, const yaml_t *list, int variant, const char *key)
{
    const yaml_t *entry = list->first;
    for (int i = 0; i < variant; i++)
        entry = entry->next;
    const yaml_t *node = yaml_find(base, key), *own = yaml_find(entry, key);
    return own && node->layer != LAYER_ARGUMENT ? own : node;
}

/* check_reference - a key of a variant that names another variant. */
static status_t check_reference(const yaml_t *place, const experiment_t *experiment, int variant, const char *key,
                                const char *name)
{
    if (!*name)
        return ST_OK;
    int other = config_variant(experiment, name);
    if (other >= 0 && other != variant)
        return ST_OK;
    if (other == variant)
        return yaml_fail(place, "variant %s names itself in %s; name another variant", name, key);
    char *known = variants_text(experiment);
    status_t status =
        yaml_fail(place, "variant %s: %s '%s' is no variant; allowed: %s", experiment->names[variant], key, name, known);
    mem_free(known);
    return status;
}

/* check_teachers - no variant may be its own teacher's teacher, however far up. */
static status_t check_teachers(const yaml_t *place, const experiment_t *experiment, int variant)
{
    char *path = mem_strdup(experiment->names[variant]);
    status_t status = ST_OK;
    int at = variant;
    for (int steps = 0; steps <= experiment->variants && status == ST_OK; steps++) {
        at = config_variant(experiment, experiment->configs[at]->teacher.variant);
        if (at < 0)
            break;
        char *longer = mem_printf("%s -> %s", path, experiment->names[at]);
        mem_free(path);
        path = longer;
        if (at == variant)
            status = yaml_fail(place, "teachers form a cycle: %s; one of them must have no teacher", path);
    }
    mem_free(path);
    return status;
}

/* check_references - what variants say about one another. */
static status_t check_references(const yaml_t *base, const yaml_t *list, const experiment_t *e)
{
    static const char *const match = "complexity.match", *const teacher = "teacher.variant";
    status_t status = ST_OK;
    if (!e->variants && (*e->base->complexity.match || *e->base->teacher.variant)) {
        const char *key = *e->base->complexity.match ? match : teacher;
        return yaml_fail(yaml_find(base, key), "%s names a variant, but the file has no variants; add a list of variants", key);
    }
    for (int v = 0; v < e->variants; v++) {
        const config_t *c = e->configs[v];
        const yaml_t *place = said_at(base, list, v, match);
        if (check_reference(place, e, v, match, c->complexity.match) != ST_OK ||
            check_reference(said_at(base, list, v, teacher), e, v, teacher, c->teacher.variant) != ST_OK)
            status = ST_INPUT;
        else if (*c->complexity.match && *e->configs[config_variant(e, c->complexity.match)]->complexity.match)
            status = yaml_fail(place, "variant %s: complexity.match '%s' is itself scaled to another variant; name that one",
                               e->names[v], c->complexity.match);
    }
    for (int v = 0; v < e->variants && status == ST_OK; v++)
        status = check_teachers(said_at(base, list, v, teacher), e, v);
    return status;
}

/* ---- interface --------------------------------------------------------------------------------------------------- */

/* keep_only - leave the variant of experiment.only, its teachers and those that give them their size; drop the others. */
static status_t keep_only(const yaml_t *base, experiment_t *experiment)
{
    const char *only = experiment->base->experiment.only;
    if (!*only || !experiment->variants)
        return ST_OK;
    const int wanted = config_variant(experiment, only);
    if (wanted < 0) {
        char *known = variants_text(experiment);
        status_t status = yaml_fail(yaml_find(base, "experiment.only"), "'%s' is no variant; allowed: %s", only, known);
        mem_free(known);
        return status;
    }
    bool *keep = MEM_ARRAY(bool, experiment->variants);
    for (int v = wanted; v >= 0; v = config_variant(experiment, experiment->configs[v]->teacher.variant)) {
        const int size = config_variant(experiment, experiment->configs[v]->complexity.match);
        keep[v] = true;
        if (size >= 0)
            keep[size] = true;
    }
    int kept = 0;
    for (int v = 0; v < experiment->variants; v++)
        if (keep[v]) {
            experiment->names[kept] = experiment->names[v];
            experiment->configs[kept++] = experiment->configs[v];
        } else {
            mem_free(experiment->names[v]);
            config_destroy(&experiment->configs[v]);
        }
    experiment->variants = kept;
    mem_free(keep);
    return ST_OK;
}

/* use_defaults - those of the version that the file, or an argument, asks for. */
static void use_defaults(yaml_t *tree)
{
    const yaml_t *version = yaml_find(tree, "defaults");
    if (version->kind == YAML_SCALAR && strcmp(version->text, "1") == 0)
        layout_first_defaults(tree);
}

status_t experiment_load(const char *path, const char *const *overrides, int n, experiment_t **out)
{
    char *text = NULL;
    size_t bytes;
    yaml_t *file = NULL, *tree = NULL, *variants = NULL;
    experiment_t *experiment = MEM_NEW(experiment_t);
    status_t status;
    TRY_DONE(file_read(path, &text, &bytes));
    TRY_DONE(yaml_parse(text, bytes, path, 1, LAYER_FILE, &file));

    tree = layout_defaults(layout_config(), path);
    layout_add_list(tree, "variants");
    int errors = yaml_merge(tree, file);
    errors += merge_arguments(tree, overrides, n);
    use_defaults(tree);
    variants = layout_take_list(tree, "variants");
    TRY_DONE(sweep_expand(&variants));
    TRY_DONE(resolve(tree, true, &experiment->base));
    if (!variants->first) /* else what is trained are they */
        errors += config_unused_settings(tree);
    /* Where the base does not decode, its errors would be those of every variant once more. */
    TRY_DONE(add_variants(tree, variants, experiment));
    TRY_DONE(errors ? ST_INPUT : ST_OK);
    TRY_DONE(check_baseline(tree, experiment));
    TRY_DONE(check_references(tree, variants, experiment));
    TRY_DONE(keep_only(tree, experiment));
    *out = experiment;
    experiment = NULL;
done:
    experiment_destroy(&experiment);
    yaml_destroy(&file);
    yaml_destroy(&tree);
    yaml_destroy(&variants);
    mem_free(text);
    return status;
}

void experiment_destroy(experiment_t **experiment)
{
    experiment_t *e = *experiment;
    *experiment = NULL;
    if (!e)
        return;
    config_destroy(&e->base);
    for (int i = 0; i < e->variants; i++) {
        mem_free(e->names[i]);
        config_destroy(&e->configs[i]);
    }
    mem_free(e->names);
    mem_free(e->configs);
    mem_free(e);
}

status_t config_text(const config_t *config, char **text)
{
    *text = layout_text(layout_config(), config);
    return ST_OK;
}

status_t config_from_text(const char *text, size_t bytes, const char *origin, config_t **out)
{
    yaml_t *file = NULL, *tree = NULL;
    status_t status;
    TRY_DONE(yaml_parse(text, bytes, origin, 1, LAYER_FILE, &file));
    tree = layout_former(layout_config(), origin);
    if (yaml_merge(tree, file))
        status = ST_INPUT;
    if (status == ST_OK)
        status = resolve(tree, false, out);
done:
    yaml_destroy(&file);
    yaml_destroy(&tree);
    return status;
}

#define SETTING_NUM(value) (float)(value)
#define SETTING_BOOL(value) (value)
#define OPTIMIZER_SETTING(kind, name, ...) .name = SETTING_##kind(section->name),
#define SETTINGS_OF_OPTIMIZER \
    (optimizer_settings_t) \
    { \
        .learning_rate = (float)section->learning_rate, CONFIG_OPTIMIZER_SETTINGS(OPTIMIZER_SETTING) \
    }

optimizer_settings_t config_embedding_optimizer(const config_t *config)
{
    const struct config_embedding *section = &config->embedding;
    return SETTINGS_OF_OPTIMIZER;
}

optimizer_settings_t config_dense_optimizer(const config_t *config)
{
    const struct config_dense *section = &config->dense;
    return SETTINGS_OF_OPTIMIZER;
}

optimizer_settings_t config_linear_optimizer(const config_t *config)
{
    const struct config_linear *section = &config->linear;
    return SETTINGS_OF_OPTIMIZER;
}

/* A section's schedule in a training of `steps`. */
#define SCHEDULE_OF_SECTION \
    (schedule_t) \
    { \
        .kind = section->schedule, .warmup = section->warmup_steps, \
        .from = section->decay_from ? section->decay_from : section->warmup_steps, \
        .until = section->decay_until ? section->decay_until : steps, .every = section->decay_steps, \
        .factor = section->decay_factor, \
    }

schedule_t config_embedding_schedule(const config_t *config, int64_t steps)
{
    const struct config_embedding *section = &config->embedding;
    return SCHEDULE_OF_SECTION;
}

schedule_t config_dense_schedule(const config_t *config, int64_t steps)
{
    const struct config_dense *section = &config->dense;
    return SCHEDULE_OF_SECTION;
}

schedule_t config_linear_schedule(const config_t *config, int64_t steps)
{
    const struct config_linear *section = &config->linear;
    return SCHEDULE_OF_SECTION;
}

void config_deploy(const config_t *config, int *first, int *last)
{
    const char *deploy = config->model.deploy;
    const int members = (int)(config->model.components / config_peers(config));
    *first = 0;
    *last = (int)config->model.components;
    if (strcmp(deploy, "mean") == 0)
        return;
    if (strcmp(deploy, "auto") != 0)
        *first = atoi(deploy) * members; /* config_complaints has checked it */
    else if (config->objective.kind != OBJECTIVE_CODISTILL)
        return;
    *last = *first + members;
}

int config_variant(const experiment_t *experiment, const char *name)
{
    for (int v = 0; v < experiment->variants; v++)
        if (strcmp(experiment->names[v], name) == 0)
            return v;
    return -1;
}

/* The folder of a run to start from, with {replica} replaced; **owned**. */
static char *replica_folder(const char *folder, int replica)
{
    static const char word[] = "{replica}";
    const char *at = strstr(folder, word);
    return at ? mem_printf("%.*s%d%s", (int)(at - folder), folder, replica, at + strlen(word)) : mem_strdup(folder);
}

status_t config_for_replica(const config_t *config, int replica, config_t **out)
{
    ASSERT(replica >= 0);
    int64_t seed = config->seed + (config->experiment.vary & 1u << VARY_INIT ? replica : 0);
    int64_t order_seed = config->data.order_seed + (config->experiment.vary & 1u << VARY_ORDER ? replica : 0);
    if (seed > SEED_MAX || order_seed > SEED_MAX)
        return FAIL(ST_INPUT, "replica %d: its seed is above %" PRId64 "; use a smaller seed or data.order_seed", replica,
                    SEED_MAX);
    config_t *copy = layout_copy(layout_config(), config);
    copy->seed = seed;
    copy->data.order_seed = order_seed;
    mem_free(copy->warm_start);
    copy->warm_start = replica_folder(config->warm_start, replica);
    if (config->experiment.vary & 1u << VARY_LEVEL)
        copy->determinism = DETERMINISM_ASYNC;
    if (config->experiment.vary & 1u << VARY_WORKERS)
        copy->cluster.active_workers = replica + 1;
    if (config->experiment.vary & 1u << VARY_NOISE)
        copy->train.noise_seed = config->train.noise_seed + replica + 1;
    *out = copy;
    return ST_OK;
}

config_t *config_to_score(const config_t *teacher, const config_t *student)
{
    static char none[] = "";
    config_t scoring = *teacher; /* texts stay their owners' */
    scoring.cluster = student->cluster;
    scoring.data = student->data;
    scoring.determinism = student->determinism;
    scoring.kernels = student->kernels;
    scoring.train.batch = student->train.batch;
    scoring.train.lanes = student->train.lanes;
    scoring.objective.form = FORM_JOINT;
    scoring.warm_start = scoring.teacher.variant = scoring.teacher.run = none;
    return layout_copy(layout_config(), &scoring);
}

int config_active_workers(const config_t *config, int workers)
{
    const int64_t active = config->cluster.active_workers;
    return active ? (int)((active - 1) % workers) + 1 : workers;
}

void config_destroy(config_t **config)
{
    layout_destroy(layout_config(), *config);
    *config = NULL;
}

#define WORD_CASE(word, constant, doc) \
    case constant: \
        return #word;

const char *config_determinism_word(determinism_t value)
{
    switch (value) {
        WORDS_DETERMINISM(WORD_CASE)
    case DETERMINISM_COUNT:
        break;
    }
    ASSERT(!"a level of determinism");
}

const char *config_part_word(network_part_kind_t value)
{
    switch (value) {
        WORDS_PART(WORD_CASE)
    case PART_COUNT:
        break;
    }
    ASSERT(!"a part of a network");
}

const char *config_order_word(data_order_t value)
{
    switch (value) {
        WORDS_ORDER(WORD_CASE)
    case ORDER_COUNT:
        break;
    }
    ASSERT(!"an order of data");
}

const char *config_activation_word(activation_kind_t value)
{
    switch (value) {
        WORDS_ACTIVATION(WORD_CASE)
    case ACTIVATION_COUNT:
        break;
    }
    ASSERT(!"an activation");
}
