/* config.h - checked option structs of a run and of an experiment.
 *
 * A configuration is a YAML tree. Defaults, file, variant and --set overrides are trees laid over one another in that
 * order; the result is decoded and range-checked by the schema made from config_keys.h. What is wrong is reported with
 * file, line and key (or the --set argument it came from) and what is allowed there, as ST_INPUT.
 *
 *     name: quickstart              # keys of the sections in config_keys.h
 *     model: {hidden: [64, 32]}
 *     variants:                     # only for experiments; every entry is a name and a tree of overrides
 *       - name: smelu1
 *         model: {activation: smelu, beta: 1}                                                                       */
#ifndef SMELTER_CONFIG_H
#define SMELTER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config_keys.h"

#define CONFIG_WORD(word, constant, doc) constant,
typedef enum determinism { WORDS_DETERMINISM(CONFIG_WORD) DETERMINISM_COUNT } determinism_t;
typedef enum kernels { WORDS_KERNELS(CONFIG_WORD) KERNELS_COUNT } kernels_t;
typedef enum transport { WORDS_TRANSPORT(CONFIG_WORD) TRANSPORT_COUNT } transport_t;
typedef enum encryption { WORDS_ENCRYPTION(CONFIG_WORD) ENCRYPTION_COUNT } encryption_t;
typedef enum placement { WORDS_PLACEMENT(CONFIG_WORD) PLACEMENT_COUNT } placement_t;
typedef enum data_order { WORDS_ORDER(CONFIG_WORD) ORDER_COUNT } data_order_t;
typedef enum last_batch { WORDS_LAST_BATCH(CONFIG_WORD) LAST_BATCH_COUNT } last_batch_t;
typedef enum activation_kind { WORDS_ACTIVATION(CONFIG_WORD) ACTIVATION_COUNT } activation_kind_t;
typedef enum loss_kind { WORDS_LOSS(CONFIG_WORD) LOSS_COUNT } loss_kind_t;
typedef enum network_part_kind { WORDS_PART(CONFIG_WORD) PART_COUNT } network_part_kind_t;
typedef enum cross_form { WORDS_CROSS_FORM(CONFIG_WORD) CROSS_FORM_COUNT } cross_form_t;
typedef enum gsmelu_learning { WORDS_GSMELU(CONFIG_WORD) GSMELU_COUNT } gsmelu_learning_t;
typedef enum weight_norm_mode { WORDS_WEIGHT_NORM(CONFIG_WORD) WEIGHT_NORM_COUNT } weight_norm_mode_t;
typedef enum layer_norm { WORDS_LAYER_NORM(CONFIG_WORD) LAYER_NORM_COUNT } layer_norm_t;
typedef enum optimizer_kind { WORDS_OPTIMIZER(CONFIG_WORD) OPTIMIZER_COUNT } optimizer_kind_t;
typedef enum combine { WORDS_COMBINE(CONFIG_WORD) COMBINE_COUNT } combine_t;
typedef enum objective_kind { WORDS_OBJECTIVE(CONFIG_WORD) OBJECTIVE_COUNT } objective_kind_t;
typedef enum objective_form { WORDS_FORM(CONFIG_WORD) FORM_COUNT } objective_form_t;
typedef enum distance { WORDS_DISTANCE(CONFIG_WORD) DISTANCE_COUNT } distance_t;
typedef enum decorrelate { WORDS_DECORRELATE(CONFIG_WORD) DECORRELATE_COUNT } decorrelate_t;
typedef enum statistic { WORDS_STATISTIC(CONFIG_WORD) STATISTIC_COUNT } statistic_t;
typedef enum complexity_measure { WORDS_COMPLEXITY(CONFIG_WORD) COMPLEXITY_COUNT } complexity_measure_t;
typedef enum soft_labels { WORDS_SOFT_LABELS(CONFIG_WORD) SOFT_LABELS_COUNT } soft_labels_t;
typedef enum teacher_replica { WORDS_TEACHER_REPLICA(CONFIG_WORD) TEACHER_REPLICA_COUNT } teacher_replica_t;
typedef enum tune_goal { WORDS_TUNE_GOAL(CONFIG_WORD) TUNE_GOAL_COUNT } tune_goal_t;
typedef enum validated { WORDS_VALIDATED(CONFIG_WORD) VALIDATED_COUNT } validated_t;
typedef enum scored { WORDS_SCORED(CONFIG_WORD) SCORED_COUNT } scored_t;
typedef enum vary { WORDS_VARY(CONFIG_WORD) VARY_COUNT } vary_t; /* a set holds bit 1 << word */

typedef struct config_ints {
    int64_t *at;
    unsigned count;
} config_ints_t;
typedef struct config_nums {
    double *at;
    unsigned count;
} config_nums_t;

/* The C type of each kind of key. */
#define CONFIG_C_INT int64_t
#define CONFIG_C_AUTO int64_t
#define CONFIG_C_PER_HOST int64_t
#define CONFIG_C_NUM double
#define CONFIG_C_BOOL bool
#define CONFIG_C_TEXT char *
#define CONFIG_C_TREE char *
#define CONFIG_C_INTS config_ints_t
#define CONFIG_C_NUMS config_nums_t
#define CONFIG_C_WORD(table) int32_t
#define CONFIG_C_WORDS(table) uint32_t
#define CONFIG_C_SERIES(table) config_ints_t
#define CONFIG_MEMBER(kind, name, initial, least, most, class, doc) CONFIG_C_##kind name;
#define CONFIG_STRUCT(section, KEYS, doc) \
    struct config_##section { \
        KEYS(CONFIG_MEMBER) \
    } section;

/* The resolved configuration: config->cluster.workers, config->model.hidden.at[i], ... Words hold their enum's value. */
typedef struct config {
    CONFIG_TOP(CONFIG_MEMBER)
    CONFIG_SECTIONS(CONFIG_STRUCT)
} config_t;

/* An experiment file: the base configuration and its variants. */
typedef struct experiment {
    config_t *base;
    int variants;       /* 0 where the file has no `variants:` */
    char **names;       /* [variants], unique, usable as file names */
    config_t **configs; /* [variants], base with the variant's overrides and the --set overrides */
} experiment_t;

/* experiment_load - read and check a configuration file.
 *
 * path       YAML file; paths inside it are relative to its folder and are made absolute, so that the resolved configuration
 * works
 *            from anywhere (config_paths.h)
 * overrides  [n] "key.path=value" strings from --set, applied last, to the base and to every variant
 * out        **owned**; experiment_destroy
 * ST_INPUT with one line per error that names file, line, key, value and what is allowed.                           */
WARN_UNUSED status_t experiment_load(const char *path, const char *const *overrides, int n, experiment_t **out);
void experiment_destroy(experiment_t **experiment);

/* config_text - the resolved configuration as YAML text, all keys; **owned**, mem_free. It loads back to itself. */
WARN_UNUSED status_t config_text(const config_t *config, char **text);

/* config_hash - hash of everything that determines the result of a run: name and value of each key that is not of class free
 * and differs from its default (from what was done before the key came: CONFIG_FORMER), sorted by name, so that keys which
 * later versions add leave it as it is. Free are, among others,
 * the cluster (its size must not matter at L3), data.path/input/schema (content is compared by the dataset's own hash) and
 * complexity (the widths it leads to are hashed). */
uint64_t config_hash(const config_t *config);

/* config_difference - the first key that config_hash covers and that two configurations have with different values, as "its
 * train.epochs is 2, wanted is 1". Writes at most size bytes to text; false, and nothing written, where there is none. For all
 * differences: config_compare.h. */
bool config_difference(const config_t *found, const config_t *wanted, char *text, size_t size);

/* config_from_text - a configuration that config_text wrote, on this host or another, now or in an earlier version, checked
 * like a file, its paths as they are; **owned**, config_destroy. Keys that it lacks mean what was done before they came
 * (CONFIG_FORMER, else their defaults). `origin` names it in errors. */
WARN_UNUSED status_t config_from_text(const char *text, size_t bytes, const char *origin, config_t **out);

/* config_peers - groups of components that predict together: the peers of co-distillation, else every component alone. */
static inline int64_t config_peers(const config_t *config)
{
    bool grouped = config->objective.kind == OBJECTIVE_CODISTILL && config->objective.peers;
    return grouped ? config->objective.peers : config->model.components;
}

/* config_groups - groups of workers that train apart from each other, each its own peer (objective.form groups); else 1. */
static inline int64_t config_groups(const config_t *config)
{
    bool apart = config->objective.kind == OBJECTIVE_CODISTILL && config->objective.form == FORM_GROUPS;
    return apart ? config_peers(config) : 1;
}

/* config_is_taught - has a run of this configuration a teacher, a variant or another run? */
static inline bool config_is_taught(const config_t *config)
{
    return *config->teacher.variant || *config->teacher.run;
}

/* config_uses_own_kernels - are the products of its networks our own (common/products/product.h)? */
static inline bool config_uses_own_kernels(const config_t *config)
{
    return config->kernels == KERNELS_OWN || (config->kernels == KERNELS_AUTO && config->determinism == DETERMINISM_PORTABLE);
}

/* config_has_part - is a network made with this part (model.parts)? */
static inline bool config_has_part(const config_t *config, network_part_kind_t part)
{
    return config->model.parts & 1u << part;
}

/* config_embedding_dim - columns of an embedding row that the network sees: embedding.dim, or 0 where all parts do without. */
static inline int64_t config_embedding_dim(const config_t *config)
{
    return config->model.parts == 1u << PART_LINEAR ? 0 : config->embedding.dim;
}

/* config_embedding_optimizer, config_dense_optimizer, config_linear_optimizer - the settings of the optimizer of embedding
 * rows, of that of dense parameters, and of that of first-order weights, from their sections: the learning rate and the numbers
 * of CONFIG_OPTIMIZER_SETTINGS. */
optimizer_settings_t config_embedding_optimizer(const config_t *config);
optimizer_settings_t config_dense_optimizer(const config_t *config);
optimizer_settings_t config_linear_optimizer(const config_t *config);

/* config_embedding_schedule, config_dense_schedule, config_linear_schedule - how their learning rates change over a training of
 * this many steps. */
schedule_t config_embedding_schedule(const config_t *config, int64_t steps);
schedule_t config_dense_schedule(const config_t *config, int64_t steps);
schedule_t config_linear_schedule(const config_t *config, int64_t steps);

/* config_deploy - the components [*first, *last) whose predictions are combined into the deployed one (model.deploy). */
void config_deploy(const config_t *config, int *first, int *last);

/* config_variant - number of the variant of this name, -1 where there is none. */
int config_variant(const experiment_t *experiment, const char *name);

/* config_for_replica - copy with the seeds of replica r; **owned**, config_destroy. */
WARN_UNUSED status_t config_for_replica(const config_t *config, int replica, config_t **out);
void config_destroy(config_t **config);

/* config_to_score - what the network of `teacher` scores the training split of `student` with, on that one's cluster:
 * `student`, but for the network, its embeddings and what else they need. Lanes, which cut a batch for training alone, stay
 * the student's, so that they fit its workers. No path of the teacher's is left.  **owned**, config_destroy. */
config_t *config_to_score(const config_t *teacher, const config_t *student);

/* config_active_workers - how many of a job's `workers` take part in a run: all, or cluster.active_workers of them (counted
 * around where replicas differ in their number of workers). */
int config_active_workers(const config_t *config, int workers);

/* config_check_workers - do groups and lanes fit this number of workers at the configuration's determinism level? For the
 * launcher, once `auto` is resolved; experiment_load has checked a number that the file gives. ST_INPUT says which
 * counts fit. */
WARN_UNUSED status_t config_check_workers(const config_t *config, int workers);

/* config_expand - text with every ${VARIABLE} replaced from the environment; **owned**, mem_free. For data.input, the
 * one text key that experiment_load leaves as written where a variable is unset, because a dataset that exists needs no
 * input. ST_INPUT names the variable that is unset and `key`, the configuration key the text belongs to. */
WARN_UNUSED status_t config_expand(const char *text, const char *key, char **out);

/* config_word - the YAML word of an enumeration's value; table names as in config_keys.h. */
const char *config_determinism_word(determinism_t value);
const char *config_activation_word(activation_kind_t value);
const char *config_order_word(data_order_t value);
const char *config_part_word(network_part_kind_t value);

/* config_write_reference - docs/CONFIG.md, generated from config_keys.h; the test suite compares it with the file. */
WARN_UNUSED status_t config_write_reference(const char *path);

/* ---- import schema: what the columns of a text file are ---------------------------------------------------------- */

typedef enum column_kind { COLUMN_CATEGORICAL, COLUMN_NUMERIC, COLUMN_MULTI } column_kind_t;
typedef enum column_transform {
    TRANSFORM_NONE,
    TRANSFORM_LOG1P,       /* numeric: sign(x) log(1 + |x|) */
    TRANSFORM_STANDARDISE, /* numeric: (x - mean) / std over the training split */
    TRANSFORM_LOG2_BUCKET, /* categorical: round(log2(x + 1)), the value as a category */
} column_transform_t;
typedef enum pooling { POOLING_SUM, POOLING_MEAN } pooling_t;

/* Input formats: F(word, constant, what rows have, "meaning"). COLUMNS are named by the schema; FEATURES are all inputs.
 * Each has a file: see launcher/ingest/input_format.h. */
#define TEXT_FORMATS(F) \
    F(csv, FORMAT_CSV, COLUMNS, "comma-separated, quoted as RFC 4180 says") \
    F(tsv, FORMAT_TSV, COLUMNS, "tab-separated") \
    F(libsvm, FORMAT_LIBSVM, FEATURES, "LABEL ID:VALUE ..., also libfm") \
    F(libffm, FORMAT_LIBFFM, FEATURES, "LABEL FIELD:ID:VALUE ..., a multi-valued field f0, f1 ... for each FIELD") \
    F(parquet, FORMAT_PARQUET, COLUMNS, "Apache Parquet, which a file that begins with PAR1 is read as whatever is said here")
#define TEXT_FORMAT_CONSTANT(word, constant, rows, meaning) constant,
typedef enum text_format { TEXT_FORMATS(TEXT_FORMAT_CONSTANT) TEXT_FORMAT_COUNT } text_format_t;
typedef enum text_rows { ROWS_OF_COLUMNS, ROWS_OF_FEATURES } text_rows_t;

typedef enum unlabelled { UNLABELLED_REFUSE, UNLABELLED_ALLOW } unlabelled_t; /* rows without a label */

typedef enum time_order { TIME_ORDER_NONE, TIME_ORDER_CHECK, TIME_ORDER_SORT } time_order_t;

typedef struct schema_column {
    char *name;   /* of the column in the dataset, unique */
    char *column; /* of the column in the text file: as in its header, or c1, c2 ... (1-based position) where there is no
                        * header; equals name where the schema does not say otherwise */
    column_kind_t kind;
    column_transform_t transform;
    char *separator;   /* COLUMN_MULTI: one character between values; default "|" */
    pooling_t pooling; /* COLUMN_MULTI */
    char *missing;     /* words, a line each, that stand for nothing, in the place of the schema's; "" or NULL: those */
    char *fill;        /* COLUMN_NUMERIC: number of the text that a missing one is taken for; "" or NULL: 0 after scaling */
    bool indicator;    /* COLUMN_NUMERIC: a second field NAME_missing is 1 where this one is missing */
    char *bins;        /* COLUMN_CATEGORICAL: intervals that its numbers fall into (bins.h); "" or NULL: none */
} schema_column_t;

/* One of several labels. */
typedef struct schema_label {
    char *name, *column, *rule; /* **owned**; as schema_t.label and label_rule */
} schema_label_t;

#define SCHEMA_LABELS_MOST 16
#define SCHEMA_KEEP_MB 256 /* keep_values where a schema does not say otherwise, and of generated data */
#define SCHEMA_KEEP_FIELD_MB 64

typedef struct schema {
    text_format_t format;
    bool header;          /* CSV, TSV: the first line names the columns; default true */
    char *label;          /* column of the label */
    char *label_rule;     /* what of it is 1 (label_rule.h); "" or NULL: it holds 0 or 1 */
    char *weight;         /* column of the weight of a row in loss and metrics, or "" or NULL */
    bool may_lack_weight; /* so may files that are to be scored, and of their rows those without a label; not in the text */
    unlabelled_t unlabelled;
    time_order_t order;
    schema_label_t *labels; /* [labels_count] all labels, where there are several; then `label` is "" */
    unsigned labels_count;
    char *missing;      /* words, a line each, that stand for nothing in any column; "" or NULL: none */
    char *group;        /* column of the query id, or "" */
    char *time;         /* numeric column of the timestamp, or "" */
    char *split_column; /* numeric column; rows with a value <= split_train_max are training rows; or "" */
    double split_train_max;
    double split_eval_max; /* rows above it are test rows, where it is above split_train_max; default 1e300 */
    bool split_words;      /* split_column holds the words train, eval and test instead */
    double train_fraction; /* where split_column is "": the first share of the rows trains; default 1 */
    double test_fraction;  /* and the last share of them is the test split; default 0 */
    int64_t max_bad_rows;  /* default 0 */
    int64_t feature_limit; /* libsvm, libffm: the largest feature id allowed, default 2^48; 0: any id, also a text */
    int64_t fields;        /* libffm: 0 to fields - 1; 0: as many as the first rows have */
    int64_t keep_mb;       /* of texts of values that are kept beside the dataset, MiB; default 256, 0: none */
    int64_t keep_field_mb; /* the same of a field; default 64 */
    schema_column_t *columns;
    unsigned columns_count;
    char *source; /* **owned**: the preset or the file it was loaded from, absolute; NULL of one that was not loaded */
} schema_t;

/* schema_load - from a YAML file or a preset's name (criteo, avazu, libsvm, libffm); **owned**, schema_destroy. */
WARN_UNUSED status_t schema_load(const char *path_or_preset, schema_t **out);

/* schema_parse - from a text that is in memory; origin names it in messages.
 * schema_yaml - a text that schema_parse reads as the same schema; **owned**, mem_free. */
WARN_UNUSED status_t schema_parse(const char *text, size_t bytes, const char *origin, schema_t **out);
char *schema_yaml(const schema_t *schema);
void schema_destroy(schema_t **schema);
const char *schema_transform_word(column_transform_t value);
text_rows_t schema_rows(text_format_t format);

/* schema_text - everything in a schema that decides about the rows of the dataset, one setting or column a line; **owned**,
 * mem_free. Two that mean the same have the same text, however they are written. */
char *schema_text(const schema_t *schema);

#endif
