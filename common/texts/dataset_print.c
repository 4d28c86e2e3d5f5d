#include "common/texts/dataset_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/printable.h"
#include "common/base/text.h"
#include "common/data/dataset_meta.h"
#include "common/data/remarks.h"
#include "common/data/time_text.h"
#include "common/texts/shown_values.h"

#define PRINT_CACHE (64ll << 20)
#define TOP_SHOWN 3
#define FILES_SHOWN 12
#define VALUE_BYTES 64
#define DAYS_SHOWN 7

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static const char *kind_word(const dataset_field_t *field)
{
    if (field->kind == COLUMN_NUMERIC)
        return "numeric";
    if (field->kind == COLUMN_CATEGORICAL)
        return "category";
    return field->pooling == POOLING_SUM ? "multi, sum" : "multi, mean";
}

#define NAME_BYTES (4 * sizeof((dataset_field_t *)0)->name)

static const char *name_of(const dataset_field_t *field, char text[NAME_BYTES])
{
    printable_put(text, NAME_BYTES, field->name, strlen(field->name));
    return text;
}

static void print_value(shown_values_t *shown, int f, uint64_t key)
{
    char text[VALUE_BYTES];
    shown_values_put(shown, f, key, text, sizeof text);
    printf("%s", text);
}

static void print_origin(const origin_t *origin)
{
    char rows[TEXT_BYTES], file[FINGERPRINT_TEXT] = "not a file, so that a change of it cannot be seen";
    if (origin->kind == ORIGIN_UNKNOWN)
        printf("  made of     not recorded: an older version made it\n");
    if (origin->kind == ORIGIN_SYNTH)
        printf("  made of     synth.* settings\n");
    if (origin->kind != ORIGIN_IMPORT)
        return;
    if (origin->is_file)
        fingerprint_text(&origin->file, file);
    if (origin->files_count == 0)
        printf("  made of     %s (%s)", origin->input, file);
    else
        printf("  made of     %s", origin->input);
    printf("%s%s\n", *origin->schema ? " by the schema " : "", origin->schema);
    for (int i = 0; i < origin->files_count && i < FILES_SHOWN; i++) {
        const origin_file_t *one = &origin->files[i];
        printf("              %s: %s rows (%s)\n", one->path, text_count(one->rows, rows),
               one->is_file ? fingerprint_text(&one->print, file) : "not a file");
    }
    if (origin->files_count > FILES_SHOWN)
        printf("              and %d more\n", origin->files_count - FILES_SHOWN);
}

static void print_remark(void *context, const char *text)
{
    (void)context;
    printf("  note        %s\n", text);
}

static const char *time_words(const dataset_info_t *info, const census_t *census)
{
    static const char *const words[] = {[TIME_AS_GIVEN] = "with times",
                                        [TIME_MILLIONTHS] = "with times in millionths",
                                        [TIME_ISO] = "with times in microseconds since 1970 UTC"};
    return info->has_time ? words[census->unit] : "no times";
}

static void print_labels(const dataset_info_t *info)
{
    char a[TEXT_BYTES], b[TEXT_BYTES];
    for (int l = 0; l < info->labels; l++) {
        const dataset_label_t *label = &info->label_of[l];
        if (*label->name || label->unlabelled)
            printf("  label       %s: %s positives, %s rows without one\n", *label->name ? label->name : "(the only one)",
                   text_count(label->positives, a), text_count(label->unlabelled, b));
    }
}

/* What was left out as a bound was met. */
static void print_left(const kept_index_t *kept, const dataset_meta_t *meta)
{
    char name[NAME_BYTES], a[TEXT_BYTES];
    int named = 0;
    for (uint64_t i = 0; i < kept->count && meta->info.numeric + (int)i < meta->count; i++)
        if (kept->fields[i].left)
            printf("%s%s %s", named++ ? ", " : "; left out, as keep_values has it: ",
                   name_of(&meta->fields[meta->info.numeric + (int)i], name), text_count((int64_t)kept->fields[i].left, a));
    if (kept->groups.left)
        printf("%squery ids", named ? ", " : "; left out, as keep_values has it: ");
}

static void print_kept(const kept_index_t *kept, const dataset_meta_t *meta)
{
    char a[TEXT_BYTES];
    printf("  texts       of %s values, %.1f MB", text_count((int64_t)kept_index_values(kept).kept, a),
           (double)kept->bytes / (1 << 20));
    print_left(kept, meta);
    printf("\n");
}

/* The last days that were appended. */
static void print_days(const day_list_t *days)
{
    char rows[TEXT_BYTES], date[4 * 64];
    const int first = days->n > DAYS_SHOWN + 1 ? days->n - DAYS_SHOWN : 1;
    if (first > 1)
        printf("  appended    %d days, the last %d of which:\n", days->n - 1, DAYS_SHOWN);
    for (int d = first; d < days->n; d++) {
        const dataset_day_t *day = &days->day[d], *before = day - 1;
        printable_put(date, sizeof date, day->date, strlen(day->date));
        printf("  appended    %s rows (%" PRId64 " training) on %s, from %s%s; content %016" PRIx64 " before\n",
               text_count(day->rows - before->rows, rows), day->train_rows - before->train_rows, date, day->files[0].path,
               day->files_count > 1 ? " and more" : "", before->content_hash);
    }
}

static void print_head(const char *path, const dataset_t *dataset, shown_values_t *shown)
{
    const dataset_meta_t *meta = dataset_meta(dataset);
    const census_t *census = dataset_census(dataset);
    const dataset_info_t *info = &meta->info;
    char a[TEXT_BYTES], b[TEXT_BYTES], c[TEXT_BYTES];
    printf("%s\n", path);
    printf("  rows        %s: %s training, %s evaluation", text_count(info->rows, a), text_count(info->train_rows, b),
           text_count(info->eval_rows, c));
    if (info->test_rows)
        printf(", %s test", text_count(info->test_rows, a));
    printf("%s\n", meta->prefix_split ? ", split in stored order" : "");
    printf("  positives   %s (%.2f %%)", text_count(info->positives, a), percent(info->positives, info->rows));
    if (census->is_recorded)
        printf(": %s training, %s evaluation", text_count(census->train_positives, a),
               text_count(info->positives - census->train_positives - census->test_positives, b));
    if (census->is_recorded && info->test_rows)
        printf(", %s test", text_count(census->test_positives, a));
    printf("\n");
    print_labels(info);
    if (info->has_weight)
        printf("  weights     %g in the mean of the training rows, by which they are divided\n", info->weight_mean);
    printf("  bad rows    %s left out by the import\n", text_count(info->bad_rows, a));
    printf("  fields      %d numeric, %d categorical, %d multi-valued; %s, %s\n", info->numeric, info->single, info->multi,
           info->has_group ? "with groups" : "no groups", time_words(info, census));
    printf("  blocks      %s of %s rows, %s\n", text_count(dataset_meta_blocks(meta), a), text_count(BLOCK_ROWS, b),
           meta->compressed ? "zstd" : "not compressed");
    printf("  content     %016" PRIx64 "\n", info->content_hash);
    print_origin(dataset_origin(dataset));
    print_days(dataset_days(dataset));
    const kept_index_t *kept = shown_values_kept(shown);
    if (kept)
        print_kept(kept, meta);
    remarks_make(info, census, print_remark, NULL);
    printf("\n");
}

static void print_fields(const dataset_meta_t *meta, shown_values_t *shown)
{
    char a[TEXT_BYTES], b[TEXT_BYTES], c[TEXT_BYTES];
    char name[NAME_BYTES];
    int width = 5;
    for (int f = 0; f < meta->count; f++) {
        const int length = (int)strlen(name_of(&meta->fields[f], name));
        width = length > width ? length : width;
    }
    printf("  %-*s  %-11s  %12s  %14s  %12s  %s\n", width, "field", "kind", "distinct", "values", "missing",
           "most frequent, or range");
    for (int f = 0; f < meta->count; f++) {
        const dataset_field_t *field = &meta->fields[f];
        printf("  %-*s  %-11s  %12s  %14s  %12s  ", width, name_of(field, name), kind_word(field),
               field->kind == COLUMN_NUMERIC ? "-" : text_count(field->cardinality, a), text_count(field->values, b),
               text_count(field->missing, c));
        if (field->kind == COLUMN_NUMERIC) {
            printf("%g to %g", field->low, field->high);
            if (field->mean != 0.0 || field->scale != 1.0)
                printf(", used as (x - %g) * %g", field->mean, field->scale);
        }
        for (int i = 0; i < meta->top_count[f] && i < TOP_SHOWN; i++) {
            printf("%s", i ? ", " : "");
            print_value(shown, f, meta->top[f][i].key);
            printf(" %.1f %%", percent(meta->top[f][i].count, field->values));
        }
        printf("\n");
    }
}

static bool same_rules(const dataset_field_t *a, const dataset_field_t *b)
{
    return a->kind == b->kind && memcmp(&a->rules, &b->rules, sizeof a->rules) == 0;
}

/* Is there a field like this one before it? */
static bool is_listed(const dataset_field_t *fields, int f)
{
    for (int i = 0; i < f; i++)
        if (same_rules(&fields[i], &fields[f]))
            return true;
    return false;
}

void dataset_print_rules(const dataset_field_t *fields, int n)
{
    printf("\n  how import made the values\n");
    for (int f = 0; f < n; f++) {
        const field_rules_t *rules = &fields[f].rules;
        if (is_listed(fields, f))
            continue;
        printf("    ");
        if (!field_rules_recorded(rules))
            printf("not recorded");
        bool first = true;
        for (int i = 0; i < field_rules_count(); i++)
            if (*field_rules_get(rules, i)) {
                printf("%s%s %s", first ? "" : "; ", field_rules_noun(i), field_rules_get(rules, i));
                first = false;
            }
        char name[NAME_BYTES];
        printf(": ");
        for (int i = f; i < n; i++)
            if (same_rules(&fields[i], &fields[f]))
                printf("%s%s", i > f ? ", " : "", name_of(&fields[i], name));
        printf("\n");
    }
}

/* As networks see it, and as it was before transform and scaling. */
static void print_number(const dataset_field_t *field, float number)
{
    const double before = dataset_meta_number(field, number);
    printf("%g", (double)number);
    if ((float)before != number)
        printf(" (%.6g)", before);
}

static void print_row(const dataset_t *dataset, shown_values_t *shown, const dataset_example_t *example, int64_t position)
{
    const dataset_meta_t *meta = dataset_meta(dataset);
    const int64_t row = census_input_row(dataset_census(dataset), position);
    char time[TIME_TEXT], name[NAME_BYTES];
    const dataset_info_t *info = &meta->info;
    const dataset_block_t *block = example->block;
    const size_t r = (size_t)example->row;
    printf("  %" PRId64 ": label %s", position,
           block->label[r] == DATASET_NO_LABEL ? "(missing)"
           : block->label[r]                   ? "1"
                                               : "0");
    if (block->weight)
        printf(", weight %g", (double)block->weight[r] * info->weight_mean);
    if (row)
        printf(", row %" PRId64 " of the input", row);
    if (info->has_group) {
        char group[VALUE_BYTES];
        shown_values_group(shown, block->group[r], group, sizeof group);
        printf(", group %s", group);
    }
    if (info->has_time)
        printf(", time %s", time_write(block->time[r], dataset_census(dataset)->unit, time));
    for (int f = 0; f < meta->count; f++) {
        printf("%s%s=", f ? " " : "\n     ", name_of(&meta->fields[f], name));
        if (f < info->numeric) {
            print_number(&meta->fields[f], block->numeric[r * (size_t)info->numeric + (size_t)f]);
        } else if (f < info->numeric + info->single) {
            print_value(shown, f, block->single[r * (size_t)info->single + (size_t)(f - info->numeric)]);
        } else {
            const size_t cell = r * (size_t)info->multi + (size_t)(f - info->numeric - info->single);
            printf("[");
            for (uint32_t v = block->multi_at[cell]; v < block->multi_at[cell + 1]; v++) {
                printf("%s", v > block->multi_at[cell] ? " " : "");
                print_value(shown, f, block->multi_key[v]);
                if (block->multi_weight[v] != 1.0f)
                    printf(":%g", (double)block->multi_weight[v]);
            }
            printf("]");
        }
    }
    printf("\n");
}

status_t dataset_print(const char *path, int first_rows)
{
    dataset_t *dataset = NULL;
    TRY(dataset_open(path, PRINT_CACHE, &dataset));
    const dataset_meta_t *meta = dataset_meta(dataset);
    shown_values_t *shown = shown_values_create(dataset);
    print_head(path, dataset, shown);
    print_fields(meta, shown);
    dataset_print_rules(meta->fields, meta->count);
    status_t status = ST_OK;
    const int64_t rows = first_rows < meta->info.rows ? first_rows : meta->info.rows;
    if (rows > 0)
        printf("\n  first rows, as a reader gets them; %s\n",
               shown_values_kept(shown)
                   ? "a value whose text is not kept is shown as its #key, a number of another scale in brackets"
                   : "a value that is not among the most frequent is shown as its #key");
    for (int64_t i = 0; i < rows; i++) {
        dataset_example_t example;
        TRY_DONE(dataset_fetch(dataset, &i, 1, &example));
        print_row(dataset, shown, &example, i);
    }
done:
    fflush(stdout);
    shown_values_destroy(&shown);
    dataset_close(&dataset);
    return status;
}
