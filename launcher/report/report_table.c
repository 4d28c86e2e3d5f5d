/* The table has parts of about 100 columns, quality above reproducibility above cost, because one line with every number and
 * its unit would be wider than a page; a terminal that is narrower gets each part cut between columns (terminal.h). Which
 * number stands where is in its row (metric.h). Cells are made as text first; a column is as wide as its widest cell. */
#include "launcher/report/report_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/terminal.h"
#include "common/base/text.h"
#include "common/metrics/t_test.h"
#include "launcher/report/differences.h"
#include "launcher/report/summary.h"

#define MOST_COLUMNS 24
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

static void grid_write(const text_grid_t *grid, FILE *out)
{
    int width[MOST_COLUMNS] = {0};
    for (int row = 0; row < grid->rows; row++)
        for (int column = 0; column < grid->columns; column++) {
            int length = (int)strlen(grid->cell[row][column]);
            if (length > width[column])
                width[column] = length;
        }
    for (int row = 0; row < grid->rows; row++) {
        int last = grid->columns - 1;
        while (last > 0 && !*grid->cell[row][last])
            last--;
        fprintf(out, "%-*s", width[0], grid->cell[row][0]);
        for (int column = 1; column <= last; column++)
            fprintf(out, "  %*s", width[column], grid->cell[row][column]);
        fputc('\n', out);
    }
}

static int width_of(const FILE *out)
{
    return out == stdout ? terminal_width(STDOUT_FILENO) : 0;
}

static void grid_print(const text_grid_t *grid, FILE *out)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    ASSERT(memory);
    grid_write(grid, memory);
    const int failed = fclose(memory);
    ASSERT(failed == 0);
    terminal_put_table(out, text, width_of(out));
    free(text);
}

/* The difference of a value from the baseline's, in %; "(=)" marks the baseline, where it has a value. */
static void set_change(text_grid_t *grid, int row, int column, double percent, bool is_base, bool has_value)
{
    if (is_base && has_value)
        grid_set(grid, row, column, "(=)");
    else if (isfinite(percent))
        grid_set(grid, row, column, "%+.2f %%", percent);
    else
        grid_set(grid, row, column, "-");
}

static const char *level_of(const char *determinism)
{
    static const char *const levels[][2] = {{"async", "L0 async"},
                                            {"bounded", "L1 bounded"},
                                            {"sync", "L2 sync"},
                                            {"invariant", "L3 invariant"},
                                            {"portable", "L4 portable"}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(determinism, levels[i][0]) == 0)
            return levels[i][1];
    return determinism;
}

/* Two lines of a head; a single one is the lower. */
static void set_heading(text_grid_t *grid, int column, const char *heading)
{
    const char *second = strchr(heading, '\n');
    grid_set(grid, 0, column, "%.*s", second ? (int)(second - heading) : 0, heading);
    grid_set(grid, 1, column, "%s", second ? second + 1 : heading);
}

/* One part of the table: the rows that have a column, of the struct that `numbers` finds in a variant. */
typedef struct table_part {
    const metric_rows_t *rows;
    size_t numbers;    /* in variant_result_t */
    bool with_changes; /* of quality they stand in a part of their own, with their errors */
} table_part_t;

static const void *numbers_of(const table_part_t *part, const variant_result_t *variant)
{
    return (const char *)variant + part->numbers;
}

static int set_metric_headings(text_grid_t *grid, int column, const metric_t *metric, bool has_queries, bool with_changes)
{
    set_heading(grid, column++, metric->heading);
    if (metric->show & SHOW_INTERVAL)
        set_heading(grid, column++, has_queries ? "95 % interval\nover queries" : "95 % interval\nover examples");
    if (metric->show & SHOW_ERROR)
        set_heading(grid, column++, "+-");
    if (metric->show & SHOW_CHANGE && with_changes)
        set_heading(grid, column++, "");
    return column;
}

/* A value, and beside it what its row wants: its interval over queries, its error over replicas, its change. */
static int set_metric(text_grid_t *grid, int row, int column, const table_part_t *part, int i, const variant_result_t *variant,
                      const variant_result_t *base)
{
    char text[METRIC_TEXT_BYTES];
    const metric_t *metric = &part->rows->row[i];
    const void *numbers = numbers_of(part, variant), *of_base = numbers_of(part, base);
    grid_set(grid, row, column++, "%s", metric_text(metric, metric_value(part->rows, i, numbers), text));
    if (metric->show & SHOW_INTERVAL) {
        const estimate_t *e = &((const estimate_t *)numbers)[i];
        if (isfinite(e->low))
            grid_set(grid, row, column++, "%.2f to %.2f %%", 100.0 * e->low, 100.0 * e->high);
        else
            grid_set(grid, row, column++, "-");
    }
    if (metric->show & SHOW_ERROR) {
        const double error = result_error(variant, part->rows, i);
        if (isfinite(error))
            grid_set(grid, row, column++, "%.*f", metric->digits, error * (metric->unit == UNIT_SHARE ? 100.0 : 1.0));
        else
            grid_set(grid, row, column++, "-");
    }
    if (metric->show & SHOW_CHANGE && part->with_changes)
        set_change(grid, row, column++, result_change_percent(part->rows, i, numbers, of_base), variant == base,
                   isfinite(metric_value(part->rows, i, of_base)));
    return column;
}

static text_grid_t part_grid(const experiment_result_t *result, const table_part_t *part)
{
    text_grid_t grid = grid_make(result->variants + 2);
    const variant_result_t *base = result_baseline(result);
    set_heading(&grid, 0, "variant");
    for (int at = 1, column = 1, i; (i = metric_at_column(part->rows, at)) >= 0; at++)
        column = set_metric_headings(&grid, column, &part->rows->row[i], result->queries > 0, part->with_changes);
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        grid_set(&grid, v + 2, 0, "%s", variant->name);
        for (int at = 1, column = 1, i; (i = metric_at_column(part->rows, at)) >= 0; at++)
            column = set_metric(&grid, v + 2, column, part, i, variant, base);
    }
    return grid;
}

static void print_quality(const experiment_result_t *result, FILE *out)
{
    static const table_part_t part = {&quality_rows, offsetof(variant_result_t, quality), false};
    text_grid_t grid = part_grid(result, &part);
    const int column = grid.columns;
    set_heading(&grid, column, "determinism\nlevel");
    for (int32_t v = 0; v < result->variants; v++)
        grid_set(&grid, v + 2, column, "%s", level_of(result->variant[v].determinism));
    grid_print(&grid, out);
    mem_free(grid.cell);
}

static void print_part(const experiment_result_t *result, table_part_t part, FILE *out)
{
    text_grid_t grid = part_grid(result, &part);
    grid_print(&grid, out);
    mem_free(grid.cell);
}

/* ---- differences between variants ------------------------------------------------------------------------------------ */

/* Its change where it is a loss, else the difference, of a share in points; a star where it is significant. */
static int set_one_difference(text_grid_t *grid, int row, int column, const compared_t *compared, const difference_t *d)
{
    const metric_t *metric = differences_metric(compared);
    const bool is_loss = differences_is_loss(compared), as_percent = is_loss || metric->unit == UNIT_SHARE;
    const double value = is_loss ? d->change : d->value, error = is_loss ? d->change_error : d->error;
    const double scale = as_percent ? 100.0 : 1.0;
    const int digits = as_percent ? 2 : metric->digits;
    if (isfinite(value))
        grid_set(grid, row, column, "%+.*f%s%s", digits, scale * value, is_loss ? " %" : "",
                 d->p_holm <= T_TEST_LEVEL ? "*" : " ");
    else
        grid_set(grid, row, column, "- ");
    if (isfinite(error))
        grid_set(grid, row, column + 1, "%.*f", digits, scale * error);
    else
        grid_set(grid, row, column + 1, "-");
    return column + 2;
}

static void set_replicas(text_grid_t *grid, int row, int column, double replicas)
{
    char text[TEXT_BYTES];
    if (isinf(replicas))
        grid_set(grid, row, column, "no number");
    else
        grid_set(grid, row, column, "%s", isnan(replicas) ? "-" : text_count((int64_t)replicas, text));
}

/* What fits into a line; the others are in the files. */
static bool is_told(const compared_t *compared)
{
    return differences_is_loss(compared) || differences_metric(compared)->show & SHOW_INTERVAL;
}

/* The loss that comes last is the headline: the one of queries, where there are any. */
static bool is_headline(const experiment_result_t *result, const compared_t *compared)
{
    const quality_t *quality = &result_baseline(result)->quality;
    const double *headline = isfinite(quality->pqauc_loss) ? &quality->pqauc_loss : &quality->auc_loss;
    return compared->rows == &quality_rows &&
           (const char *)quality + differences_metric(compared)->offset == (const char *)headline;
}

static void set_differences(text_grid_t *grid, int row, const experiment_result_t *result, int32_t a, int32_t b)
{
    compared_t compared;
    grid_set(grid, row, 0, "%s - %s", result->variant[a].name, result->variant[b].name);
    for (int n = 0, column = 1; differences_compared(n, &compared); n++) {
        if (!is_told(&compared))
            continue;
        const difference_t *d = differences_of(result, a, b, n);
        column = set_one_difference(grid, row, column, &compared, d);
        if (is_headline(result, &compared))
            set_replicas(grid, row, column++, d->replicas);
    }
}

static void set_replicas_heading(text_grid_t *grid, int column)
{
    grid_set(grid, 0, column, "replicas");
    grid_set(grid, 1, column, "for %.1f %%", 100.0 * DIFFERENCES_DECIDE);
}

static void set_difference_headings(text_grid_t *grid, const experiment_result_t *result)
{
    compared_t compared;
    set_heading(grid, 0, "difference");
    for (int n = 0, column = 1; differences_compared(n, &compared); n++) {
        if (!is_told(&compared))
            continue;
        set_heading(grid, column++, differences_is_loss(&compared) ? differences_metric(&compared)->heading : "PD in\npoints");
        set_heading(grid, column++, "+-");
        if (is_headline(result, &compared))
            set_replicas_heading(grid, column++);
    }
}

/* From the baseline, and of single networks from the ensemble, where there is one. */
static void print_differences(const experiment_result_t *result, FILE *out)
{
    const variant_result_t *ensemble = result_ensemble(result);
    text_grid_t grid = grid_make(2 * result->variants + 2);
    int row = 2;
    set_difference_headings(&grid, result);
    for (int32_t v = 0; v < result->variants; v++)
        if (v != result->baseline)
            set_differences(&grid, row++, result, v, result->baseline);
    for (int32_t v = 0; v < result->variants && ensemble; v++)
        if (v != result->baseline && !result_is_ensemble(&result->variant[v]))
            set_differences(&grid, row++, result, v, (int32_t)(ensemble - result->variant));
    grid.rows = row;
    grid_print(&grid, out);
    fprintf(out,
            "+-: standard error over replicas. *: significant over replicas at %.0f %%, corrected (Holm) for all variants set%c"
            "against the same one. replicas for %.1f %%: so many find a change of that size with a power of %.0f %%\n",
            100.0 * T_TEST_LEVEL, width_of(out) ? ' ' : '\n', 100.0 * DIFFERENCES_DECIDE, 100.0 * T_TEST_POWER);
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
    static const table_part_t part = {&teaching_rows, offsetof(variant_result_t, teaching), false};
    enum { TEXTS = 3 };
    static const char *const heads[TEXTS] = {"student with\nits teacher", "taught\nby", "teacher\nruns"};
    text_grid_t grid = grid_make(result->variants + 2);
    for (int column = 0; column < TEXTS; column++)
        set_heading(&grid, column, heads[column]);
    for (int at = 1, i; (i = metric_at_column(&teaching_rows, at)) >= 0; at++)
        set_heading(&grid, TEXTS + at - 1, teaching_rows.row[i].heading);
    int row = 2;
    for (int32_t v = 0; v < result->variants; v++) {
        const variant_result_t *variant = &result->variant[v];
        const distillation_cost_t *teaching = &variant->teaching;
        if (!teaching->runs)
            continue;
        grid_set(&grid, row, 0, "%s", variant->name);
        grid_set(&grid, row, 1, "%s", result->variant[teaching->teacher].name);
        grid_set(&grid, row, 2, "%d", teaching->runs);
        for (int at = 1, column = TEXTS, i; (i = metric_at_column(&teaching_rows, at)) >= 0; at++)
            column = set_metric(&grid, row, column, &part, i, variant, variant);
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
    if (!result->has_groups)
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
    fprintf(out, "%s: %d variant%s, %s %s example%s", result->name, result->variants, result->variants == 1 ? "" : "s",
            text_count(result->eval_examples, examples), result->on_test ? "test" : "evaluation",
            result->eval_examples == 1 ? "" : "s");
    if (result->queries)
        fprintf(out, " in %s %s", text_count(result->queries, queries), result->queries == 1 ? "query" : "queries");
    fprintf(out, ", means over %d replica%s; differences are in %% of %s's\n", base->replicas, base->replicas == 1 ? "" : "s",
            base->name);
    put_missing(result, out);
    fputc('\n', out);
    print_quality(result, out);
    fputc('\n', out);
    if (result->variants > 1) {
        print_differences(result, out);
        fputc('\n', out);
    }
    print_part(result, (table_part_t){&reproducibility_rows, offsetof(variant_result_t, reproducibility), true}, out);
    fputc('\n', out);
    print_part(result, (table_part_t){&cost_rows, offsetof(variant_result_t, cost), false}, out);
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
