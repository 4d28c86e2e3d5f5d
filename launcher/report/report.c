/* The table has parts of about 100 columns, quality above reproducibility above cost, because one line with every number and
 * its unit would be wider than a terminal. Cells are made as text first; a column is as wide as its widest
 * cell. */
#include "launcher/report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/files/seal.h"
#include "launcher/ranks/provenance.h"
#include "launcher/report/results_file.h"
#include "launcher/report/summary.h"

/* In %, by how much `value` is above `base`. */
static double relative_percent(double value, double base)
{
    return 100.0 * (value - base) / base;
}

/* ---- results.json ---------------------------------------------------------------------------------------------------- */

static jsondoc_t *cost_object(const cost_t *cost)
{
    jsondoc_t *object = jsondoc_object();
    run_result_put_cost(object, cost);
    return object;
}

static jsondoc_t *replica_object(const replica_result_t *replica)
{
    jsondoc_t *object = jsondoc_object(), *metrics = jsondoc_object(), *cost = cost_object(&replica->cost);
    run_result_put_quality(metrics, &replica->quality);
    jsondoc_put_integer(object, "replica", replica->replica);
    jsondoc_put_integer(object, "init_seed", replica->init_seed);
    jsondoc_put_integer(object, "order_seed", replica->order_seed);
    jsondoc_put_text(object, "digest", replica->digest);
    if (*replica->manifest)
        jsondoc_put_text(object, "manifest", replica->manifest);
    jsondoc_put(object, "metrics", &metrics);
    jsondoc_put(object, "cost", &cost);
    return object;
}

static jsondoc_t *slices_array(const pd_slice_t *slice, int32_t n)
{
    jsondoc_t *slices = jsondoc_array();
    for (int32_t i = 0; i < n; i++) {
        jsondoc_t *object = jsondoc_object();
        jsondoc_put_text(object, "column", slice[i].column);
        jsondoc_put_text(object, "value", slice[i].value);
        jsondoc_put_integer(object, "examples", slice[i].examples);
        jsondoc_put_number(object, "pd_relative", slice[i].pd_relative);
        jsondoc_append(slices, &object);
    }
    return slices;
}

static jsondoc_t *most_different_array(const experiment_result_t *result, const variant_result_t *variant)
{
    jsondoc_t *examples = jsondoc_array();
    for (int32_t i = 0; i < variant->n_most_different; i++) {
        const int64_t index = variant->most_different[i];
        jsondoc_t *object = jsondoc_object(), *predictions = jsondoc_array();
        jsondoc_put_integer(object, "index", index);
        if (result->label)
            jsondoc_put_integer(object, "label", result->label[index]);
        jsondoc_put_number(object, "pd_relative", variant->pd_of_example[index]);
        for (int32_t r = 0; r < variant->replicas; r++)
            jsondoc_append_number(predictions, (double)variant->replica[r].predictions[index]);
        jsondoc_put(object, "predictions", &predictions);
        jsondoc_append(examples, &object);
    }
    return examples;
}

static void put_hash(jsondoc_t *object, const char *key, const config_t *config)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, config_hash(config));
    jsondoc_put_text(object, key, text);
}

/* What a reader of results.json groups variants by; the whole configuration lies in the runs' folders. Variants of one family
 * differ in beta alone, variants of one method in activation and beta. */
static jsondoc_t *config_object(const config_t *config)
{
    jsondoc_t *object = jsondoc_object(), *hidden = jsondoc_array();
    for (unsigned l = 0; l < config->model.hidden.count; l++)
        jsondoc_append_integer(hidden, config->model.hidden.at[l]);
    jsondoc_put_text(object, "activation", config_activation_word((activation_kind_t)config->model.activation));
    jsondoc_put_number(object, "beta", config->model.beta);
    jsondoc_put_integer(object, "components", config->model.components);
    jsondoc_put(object, "hidden", &hidden);
    jsondoc_put_integer(object, "embedding_dim", config->embedding.dim);
    config_t same = *config;
    same.model.beta = 1;
    put_hash(object, "family", &same);
    same.model.activation = ACTIVATION_RELU;
    put_hash(object, "method", &same);
    return object;
}

static jsondoc_t *teaching_object(const experiment_result_t *result, const distillation_cost_t *teaching)
{
    static const char *const words[] = {
        [SAVING_UNKNOWN] = "unknown", [SAVING_NEVER] = "never", [SAVING_REACHED] = "reached", [SAVING_AT_MOST] = "at_most"};
    jsondoc_t *object = jsondoc_object();
    jsondoc_put_text(object, "teacher", result->variant[teaching->teacher].name);
    jsondoc_put_integer(object, "runs", teaching->runs);
#define PUT(name, doc) jsondoc_put_number(object, #name, teaching->name);
    TEACHING_FIELDS(PUT)
#undef PUT
    jsondoc_put_text(object, "held_out_saving", words[teaching->held_out_saving]);
    jsondoc_put_integer(object, "held_out_points", teaching->held_out_points);
    if (teaching->without >= 0)
        jsondoc_put_text(object, "without", result->variant[teaching->without].name);
    return object;
}

static jsondoc_t *variant_object(const experiment_result_t *result, const variant_result_t *variant)
{
    jsondoc_t *object = jsondoc_object(), *metrics = jsondoc_object(), *cost = cost_object(&variant->cost);
    jsondoc_t *slices = slices_array(variant->slice, variant->slices);
    jsondoc_t *worst = slices_array(variant->worst, variant->worst_slices);
    jsondoc_t *different = most_different_array(result, variant), *replicas = jsondoc_array();
    run_result_put_quality(metrics, &variant->quality);
    result_put_reproducibility(metrics, variant);
    for (int32_t r = 0; r < variant->replicas; r++) {
        jsondoc_t *replica = replica_object(&variant->replica[r]);
        jsondoc_append(replicas, &replica);
    }
    jsondoc_put_text(object, "name", variant->name);
    if (variant->config) {
        jsondoc_t *config = config_object(variant->config);
        jsondoc_put(object, "config", &config);
    }
    jsondoc_put(object, "metrics", &metrics);
    jsondoc_put(object, "cost", &cost);
    if (variant->teaching.runs) {
        jsondoc_t *teaching = teaching_object(result, &variant->teaching);
        jsondoc_put(object, "teaching", &teaching);
    }
    jsondoc_put_text(object, "determinism", variant->determinism);
    jsondoc_put(object, "replicas", &replicas);
    jsondoc_put(object, "slices", &slices);
    jsondoc_put(object, "worst_slices", &worst);
    jsondoc_put(object, "most_different", &different);
    return object;
}

status_t report_write_json(const experiment_result_t *result, const char *path)
{
    jsondoc_t *doc = jsondoc_object(), *variants = jsondoc_array();
    char *verdict = summary_text(result);
    for (int32_t v = 0; v < result->variants; v++) {
        jsondoc_t *variant = variant_object(result, &result->variant[v]);
        jsondoc_append(variants, &variant);
    }
    jsondoc_put_text(doc, "experiment", result->name);
    jsondoc_put_text(doc, "baseline", result_baseline(result)->name);
    jsondoc_put_text(doc, "verdict", verdict);
    jsondoc_put_text(doc, "verdict_variant", summary_best(result)->name);
    jsondoc_put_text(doc, "command", result->command ? result->command : "");
    jsondoc_put_integer(doc, "eval_examples", result->eval_examples);
    jsondoc_put_integer(doc, "queries", result->queries);
    jsondoc_put_integer(doc, "examples_without_query", result->without_query);
    jsondoc_put_number(doc, "base_rate_logloss", result_base_rate_logloss(result));
    jsondoc_put_integer(doc, "top_k", RESULT_TOP_K);
    jsondoc_put_integer(doc, "resamples", RESULT_RESAMPLES);
    jsondoc_put_number(doc, "confidence", BOOTSTRAP_CONFIDENCE);
    jsondoc_put(doc, "variants", &variants);
    provenance_put_here(doc);
    status_t status = results_put_files(doc, path);
    if (status == ST_OK)
        status = seal_write(doc, path, NULL);
    jsondoc_destroy(&doc);
    mem_free(verdict);
    return status;
}

/* ---- results.csv ----------------------------------------------------------------------------------------------------- */

static void csv_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv_double(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, ",%.17g", value);
    else
        fputc(',', out);
}

static void csv_int64_t(FILE *out, int64_t value)
{
    fprintf(out, ",%" PRId64, value);
}

static void csv_estimate(FILE *out, estimate_t estimate)
{
    csv_double(out, estimate.value);
    csv_double(out, estimate.low);
    csv_double(out, estimate.high);
}

/* Empty for all but students. */
static void csv_teaching(FILE *out, const experiment_result_t *result, const distillation_cost_t *teaching)
{
    const bool is_student = teaching->runs > 0;
    fputc(',', out);
    if (is_student)
        csv_text(out, result->variant[teaching->teacher].name);
    csv_double(out, is_student ? teaching->runs : NAN);
#define VALUE(name, doc) csv_double(out, is_student ? teaching->name : NAN);
    TEACHING_FIELDS(VALUE)
#undef VALUE
}

/* Losses of which the CSV also gives the difference from the baseline. */
#define RELATIVE_LOSSES(X) X(logloss) X(auc_loss) X(pqauc_loss)

static void csv_head(FILE *out)
{
    fputs("name,determinism,replicas", out);
#define HEAD(name, doc) fputs("," #name, out);
    QUALITY_FIELDS(HEAD)
#undef HEAD
#define HEAD(name) fputs("," #name "_vs_baseline_percent", out);
    RELATIVE_LOSSES(HEAD)
#undef HEAD
#define HEAD(name, doc) fputs("," #name "," #name "_low," #name "_high", out);
    REPRODUCIBILITY_FIELDS(HEAD)
#undef HEAD
    fputs(",pd_pairs,pd_difference,pd_difference_low,pd_difference_high,"
          "pd_levelled_difference,pd_levelled_difference_low,pd_levelled_difference_high",
          out);
#define HEAD(name, doc) fputs("," #name "_se", out);
    REPLICA_ERRORS(HEAD)
#undef HEAD
#define HEAD(type, name, how, unit) fputs("," #name, out);
    COST_FIELDS(HEAD)
#undef HEAD
    fputs(",teacher,teacher_runs", out);
#define HEAD(name, doc) fputs("," #name, out);
    TEACHING_FIELDS(HEAD)
#undef HEAD
    fputc('\n', out);
}

static void csv_row(FILE *out, const experiment_result_t *result, const variant_result_t *variant)
{
    const variant_result_t *base = result_baseline(result);
    csv_text(out, variant->name);
    fputc(',', out);
    csv_text(out, variant->determinism);
    csv_int64_t(out, variant->replicas);
#define VALUE(name, doc) csv_double(out, variant->quality.name);
    QUALITY_FIELDS(VALUE)
#undef VALUE
#define VALUE(name) csv_double(out, relative_percent(variant->quality.name, base->quality.name));
    RELATIVE_LOSSES(VALUE)
#undef VALUE
#define VALUE(name, doc) csv_estimate(out, variant->reproducibility.name);
    REPRODUCIBILITY_FIELDS(VALUE)
#undef VALUE
    csv_int64_t(out, variant->pd_pairs);
    csv_estimate(out, variant->pd_difference);
    csv_estimate(out, variant->pd_levelled_difference);
#define VALUE(name, doc) csv_double(out, variant->error.name);
    REPLICA_ERRORS(VALUE)
#undef VALUE
#define VALUE(type, name, how, unit) csv_##type(out, variant->cost.name);
    COST_FIELDS(VALUE)
#undef VALUE
    csv_teaching(out, result, &variant->teaching);
    fputc('\n', out);
}

status_t report_write_csv(const experiment_result_t *result, const char *path)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    csv_head(out);
    for (int32_t v = 0; v < result->variants; v++)
        csv_row(out, result, &result->variant[v]);
    status_t status = fclose(out) == 0 ? file_write_atomic(path, text, bytes)
                                       : FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    free(text);
    return status;
}

/* ---- verdict.txt ----------------------------------------------------------------------------------------------------- */

status_t report_write_verdict(const experiment_result_t *result, const char *path)
{
    char *verdict = summary_text(result), *line = mem_printf("%s\n", verdict);
    status_t status = file_write_atomic(path, line, strlen(line));
    mem_free(line);
    mem_free(verdict);
    return status;
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

#define MOST_COLUMNS 12
#define CELL_BYTES 72

/* rows: two of heads, then one per variant. The first column is aligned left. */
typedef struct text_grid {
    int columns, rows;
    char (*cell)[MOST_COLUMNS][CELL_BYTES];
} text_grid_t;

static text_grid_t grid_make(int rows)
{
    return (text_grid_t){.rows = rows, .cell = mem_alloc((size_t)rows, sizeof(char[MOST_COLUMNS][CELL_BYTES]))};
}

static void PRINTF_LIKE(4, 5) grid_set(text_grid_t *grid, int row, int column, const char *format, ...)
{
    ASSERT(row < grid->rows && column < MOST_COLUMNS);
    if (column >= grid->columns)
        grid->columns = column + 1;
    va_list args;
    va_start(args, format);
    vsnprintf(grid->cell[row][column], CELL_BYTES, format, args);
    va_end(args);
}

static void grid_print(const text_grid_t *grid, FILE *out)
{
    int width[MOST_COLUMNS] = {0};
    for (int row = 0; row < grid->rows; row++)
        for (int column = 0; column < grid->columns; column++) {
            int length = (int)strlen(grid->cell[row][column]);
            if (length > width[column])
                width[column] = length;
        }
    for (int row = 0; row < grid->rows; row++) {
        fprintf(out, "%-*s", width[0], grid->cell[row][0]);
        for (int column = 1; column < grid->columns; column++)
            fprintf(out, "  %*s", width[column], grid->cell[row][column]);
        fputc('\n', out);
    }
}

static void set_count(text_grid_t *grid, int row, int column, double value)
{
    char text[TEXT_BYTES];
    grid_set(grid, row, column, "%s", isfinite(value) ? text_count((int64_t)llrint(value), text) : "-");
}

/* With the given number of digits after the point and a unit; "-" where the value is not defined. */
static void set_number(text_grid_t *grid, int row, int column, double value, int digits, const char *unit)
{
    if (isfinite(value))
        grid_set(grid, row, column, "%.*f%s", digits, value, unit);
    else
        grid_set(grid, row, column, "-");
}

/* The difference of a value from the baseline's, in %; "(=)" marks the baseline, where it has a value. */
static void set_difference(text_grid_t *grid, int row, int column, double value, double base, bool is_base)
{
    double difference = relative_percent(value, base);
    if (is_base && isfinite(base))
        grid_set(grid, row, column, "(=)");
    else if (isfinite(difference))
        grid_set(grid, row, column, "%+.2f %%", difference);
    else
        grid_set(grid, row, column, "-");
}

static const char *level_of(const char *determinism)
{
    static const char *const levels[][2] = {
        {"async", "L0 async"}, {"bounded", "L1 bounded"}, {"sync", "L2 sync"}, {"invariant", "L3 invariant"}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(determinism, levels[i][0]) == 0)
            return levels[i][1];
    return determinism;
}

static void heads(text_grid_t *grid, const char *const names[][2], size_t n)
{
    for (int column = 0; column < (int)n; column++)
        for (int line = 0; line < 2; line++)
            grid_set(grid, line, column, "%s", names[column][line]);
}

static void print_quality(const experiment_result_t *result, FILE *out)
{
    static const char *const names[][2] = {
        {"", "variant"},      {"", "logloss"},         {"", ""}, {"AUC", "loss"}, {"", ""}, {"PQAUC", "loss"}, {"", ""},
        {"cali-", "bration"}, {"determinism", "level"}};
    text_grid_t grid = grid_make(result->variants + 2);
    heads(&grid, names, sizeof names / sizeof *names);
    const variant_result_t *base = result_baseline(result);
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        int row = v + 2;
        bool is_base = variant == base;
        grid_set(&grid, row, 0, "%s", variant->name);
        set_number(&grid, row, 1, variant->quality.logloss, 5, "");
        set_difference(&grid, row, 2, variant->quality.logloss, base->quality.logloss, is_base);
        set_number(&grid, row, 3, variant->quality.auc_loss, 5, "");
        set_difference(&grid, row, 4, variant->quality.auc_loss, base->quality.auc_loss, is_base);
        set_number(&grid, row, 5, variant->quality.pqauc_loss, 5, "");
        set_difference(&grid, row, 6, variant->quality.pqauc_loss, base->quality.pqauc_loss, is_base);
        set_number(&grid, row, 7, variant->quality.calibration, 3, "");
        grid_set(&grid, row, 8, "%s", level_of(variant->determinism));
    }
    grid_print(&grid, out);
    mem_free(grid.cell);
}

/* In %, with its interval over queries, its standard error over replicas and its difference in the next columns. */
static int set_difference_measure(text_grid_t *grid, int row, int column, estimate_t estimate, double error, double base,
                                  bool is_base, bool with_interval)
{
    set_number(grid, row, column++, 100.0 * estimate.value, 2, " %");
    if (with_interval && isfinite(estimate.low))
        grid_set(grid, row, column++, "%.2f to %.2f %%", 100.0 * estimate.low, 100.0 * estimate.high);
    else if (with_interval)
        grid_set(grid, row, column++, "-");
    if (isfinite(error))
        grid_set(grid, row, column++, "+- %.2f", 100.0 * error);
    else
        grid_set(grid, row, column++, "-");
    set_difference(grid, row, column++, estimate.value, base, is_base);
    return column;
}

/* Intervals of what is not here are in the files: those of PD over queries are narrow, and replicas differ more. */
static void print_reproducibility(const experiment_result_t *result, FILE *out)
{
    static const char *const names[][2] = {
        {"", "variant"},         {"relative", "PD"}, {"95 % interval", "over queries"},
        {"+- over", "replicas"}, {"", ""},           {"levelled", "PD"},
        {"+- over", "replicas"}, {"", ""},           {"swap at", "top 1"},
        {"swap at", "top k"},
    };
    text_grid_t grid = grid_make(result->variants + 2);
    heads(&grid, names, sizeof names / sizeof *names);
    if (!result->queries)
        grid_set(&grid, 1, 2, "over examples");
    grid_set(&grid, 1, 9, "top %d", RESULT_TOP_K);
    const variant_result_t *base = result_baseline(result);
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const reproducibility_t *r = &variant->reproducibility, *of_base = &base->reproducibility;
        const bool is_base = variant == base;
        const int row = v + 2;
        grid_set(&grid, row, 0, "%s", variant->name);
        int column = set_difference_measure(&grid, row, 1, r->pd_relative, variant->error.pd_relative,
                                            of_base->pd_relative.value, is_base, true);
        column = set_difference_measure(&grid, row, column, r->pd_levelled, variant->error.pd_levelled,
                                        of_base->pd_levelled.value, is_base, false);
        set_number(&grid, row, column++, 100.0 * r->swap_top1.value, 1, " %");
        set_number(&grid, row, column, 100.0 * r->swap_topk.value, 1, " %");
    }
    grid_print(&grid, out);
    mem_free(grid.cell);
}

static void print_cost(const experiment_result_t *result, FILE *out)
{
    static const char *const names[][2] = {{"", "variant"},        {"examples", "/ s"}, {"rows pulled", "/ example"},
                                           {"bytes", "/ example"}, {"", "parameters"},  {"FLOPs", "/ example"},
                                           {"CPU time", "s"},      {"wall time", "s"},  {"peak memory", "MiB"}};
    text_grid_t grid = grid_make(result->variants + 2);
    heads(&grid, names, sizeof names / sizeof *names);
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const cost_t *cost = &variant->cost;
        int row = v + 2;
        grid_set(&grid, row, 0, "%s", variant->name);
        set_count(&grid, row, 1, cost->examples_per_second);
        set_number(&grid, row, 2, cost->rows_pulled_per_example, 1, "");
        set_count(&grid, row, 3, cost->bytes_per_example);
        set_count(&grid, row, 4, (double)cost->parameters);
        set_count(&grid, row, 5, (double)cost->flops_per_example);
        set_number(&grid, row, 6, cost->cpu_seconds, 1, "");
        set_number(&grid, row, 7, cost->wall_seconds, 1, "");
        set_count(&grid, row, 8, (double)cost->peak_rss_bytes / (1 << 20));
    }
    grid_print(&grid, out);
    mem_free(grid.cell);
}

static bool has_students(const experiment_result_t *result)
{
    for (int32_t v = 0; v < result->variants; v++)
        if (result->variant[v].teaching.runs)
            return true;
    return false;
}

/* What students cost with their part of their teachers' runs; alone they are in the table above. */
static void print_students(const experiment_result_t *result, FILE *out)
{
    static const char *const names[][2] = {
        {"student with", "its teacher"}, {"taught", "by"},  {"teacher", "runs"},
        {"their CPU", "time s"},         {"CPU time", "s"}, {"wall time", "s"},
        {"rows pulled", "/ example"},
    };
    text_grid_t grid = grid_make(result->variants + 2);
    heads(&grid, names, sizeof names / sizeof *names);
    int row = 2;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const distillation_cost_t *teaching = &variant->teaching;
        if (!teaching->runs)
            continue;
        grid_set(&grid, row, 0, "%s", variant->name);
        grid_set(&grid, row, 1, "%s", result->variant[teaching->teacher].name);
        grid_set(&grid, row, 2, "%d", teaching->runs);
        set_number(&grid, row, 3, teaching->teachers_cpu_seconds, 1, "");
        set_number(&grid, row, 4, teaching->cpu_seconds_with_teacher, 1, "");
        set_number(&grid, row, 5, teaching->wall_seconds_with_teacher, 1, "");
        set_number(&grid, row, 6, teaching->rows_pulled_per_example_with_teacher, 1, "");
        row++;
    }
    grid.rows = row;
    grid_print(&grid, out);
    mem_free(grid.cell);
}

/* What the teacher saves, on examples that neither has seen. */
static void print_saving(const experiment_result_t *result, const variant_result_t *student, FILE *out)
{
    const distillation_cost_t *teaching = &student->teaching;
    const char *without = result->variant[teaching->without].name;
    const double change = 100.0 * teaching->held_out_logloss_change, share = 100.0 * teaching->held_out_share_of_examples;
    if (teaching->held_out_saving == SAVING_NEVER)
        fprintf(out, "%s does not reach %s's held-out logloss: it ends %.2f %% above\n", student->name, without, change);
    else if (teaching->held_out_points > 1)
        fprintf(out,
                "%s reaches %s's held-out logloss %s %.1f %% of its examples, %.1f %% of its wall time (by %d trainings of "
                "different "
                "length)\n",
                student->name, without, teaching->held_out_saving == SAVING_REACHED ? "after" : "within", share,
                100.0 * teaching->held_out_share_of_wall_seconds, teaching->held_out_points);
    else
        fprintf(out,
                "%s ends at %s's held-out logloss or below it, %+.2f %%, after %.1f %% of its examples; when it gets there, "
                "shorter "
                "trainings of it would tell (train.max_steps)\n",
                student->name, without, change, share);
}

/* One line per student. */
static void print_savings(const experiment_result_t *result, FILE *out)
{
    for (int32_t v = 0; v < result->variants; v++) {
        const distillation_cost_t *teaching = &result->variant[v].teaching;
        if (!teaching->runs || !teaching->is_whole || teaching->without < 0)
            continue;
        const variant_result_t *student = &result->variant[v], *without = &result->variant[teaching->without];
        if (teaching->held_out_saving != SAVING_UNKNOWN)
            print_saving(result, student, out);
        else if (!result_beats_constant(result, without))
            fprintf(out, "what the teacher of %s saves is not known: %s is no better than a constant\n", student->name,
                    without->name);
    }
}

#define SLICES_PRINTED 3

/* One line, for the variant that the verdict is about; nothing where it has no slices, or where they would all read 0.00 %. */
static void print_worst_slices(const variant_result_t *variant, FILE *out)
{
    char examples[TEXT_BYTES];
    if (variant->worst_slices > 0 && variant->worst[0].pd_relative < 0.00005)
        return;
    for (int32_t i = 0; i < variant->worst_slices && i < SLICES_PRINTED; i++) {
        const pd_slice_t *slice = &variant->worst[i];
        if (i == 0)
            fprintf(out, "\nPredictions of %s differ most where", variant->name);
        fprintf(out, "%s %s = %s: %.2f %% (%s examples)", i ? "," : "", slice->column, slice->value, 100.0 * slice->pd_relative,
                text_count(slice->examples, examples));
    }
    if (variant->worst_slices > 0)
        fputs(".", out);
}

/* Why columns are empty. */
static void put_missing(const experiment_result_t *result, FILE *out)
{
    if (!result->group)
        fputs("no query column: there is no PQAUC loss and no swap rate\n", out);
    else if (!result->queries)
        fputs("no evaluation example says its query: there is no PQAUC loss and no swap rate\n", out);
    else if (result_base_rate_logloss(result) == 0.0)
        fputs("all labels of the evaluation split are equal: there is no AUC loss and no PQAUC loss\n", out);
    else if (isfinite(result_baseline(result)->quality.auc_loss) && !isfinite(result_baseline(result)->quality.pqauc_loss))
        fputs("no query has both labels: there is no PQAUC loss\n", out);
    char without[TEXT_BYTES];
    if (result->queries && result->without_query)
        fprintf(out, "%s of the examples have no query id, and are left out of PQAUC loss and swap rates\n",
                text_count(result->without_query, without));
}

void report_print_table(const experiment_result_t *result, FILE *out)
{
    char examples[TEXT_BYTES], queries[TEXT_BYTES];
    const variant_result_t *base = result_baseline(result);
    fprintf(out, "%s: %d variant%s, %s evaluation example%s", result->name, result->variants, result->variants == 1 ? "" : "s",
            text_count(result->eval_examples, examples), result->eval_examples == 1 ? "" : "s");
    if (result->queries)
        fprintf(out, " in %s %s", text_count(result->queries, queries), result->queries == 1 ? "query" : "queries");
    fprintf(out, ", means over %d replica%s; differences are in %% of %s's\n", base->replicas, base->replicas == 1 ? "" : "s",
            base->name);
    put_missing(result, out);
    fputc('\n', out);
    print_quality(result, out);
    fputc('\n', out);
    print_reproducibility(result, out);
    fputc('\n', out);
    print_cost(result, out);
    if (has_students(result)) {
        fputc('\n', out);
        print_students(result, out);
        print_savings(result, out);
    }
    char *verdict = summary_text(result);
    fprintf(out, "\n%s", verdict);
    print_worst_slices(summary_best(result), out);
    fputc('\n', out);
    mem_free(verdict);
}
