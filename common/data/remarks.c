#include "common/data/remarks.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/text.h"

static void PRINTF_LIKE(3, 4) remark(remark_fn *say, void *context, const char *format, ...)
{
    char text[REMARK_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(context, text);
}

/* A split whose labels are all the same; `where` is "" or " in the .. split". */
static bool has_one_class(int64_t rows, int64_t positives, const char *where, remark_fn *say, void *context)
{
    char count[TEXT_BYTES];
    if (rows == 0 || (positives != 0 && positives != rows))
        return false;
    remark(say, context, "only one class%s: all %s rows are labelled %d, so that there is nothing to tell apart", where,
           text_count(rows, count), positives != 0);
    return true;
}

static void remark_splits(const dataset_info_t *info, const census_t *census, remark_fn *say, void *context)
{
    char count[TEXT_BYTES];
    if (info->train_rows == 0)
        remark(say, context, "no training rows: all %s rows are %s rows", text_count(info->rows, count),
               info->test_rows ? "evaluation or test" : "evaluation");
    if (info->eval_rows == 0)
        remark(say, context,
               "no evaluation rows: all %s rows are %s rows, and there is nothing to compare models on; set "
               "split.train_fraction "
               "(below 1) or split.column in the schema",
               text_count(info->rows, count), info->test_rows ? "training or test" : "training");
    const int64_t unlabelled = info->label_of[info->label].unlabelled;
    if (unlabelled > 0) {
        char all[TEXT_BYTES];
        remark(say, context, "%s of %s rows have no label: they are to be scored, and not trained or evaluated on",
               text_count(unlabelled, count), text_count(info->rows, all));
        return;
    }
    if (has_one_class(info->rows, info->positives, "", say, context) || !census->is_recorded)
        return;
    has_one_class(info->train_rows, census->train_positives, " in the training split", say, context);
    has_one_class(info->eval_rows, info->positives - census->train_positives - census->test_positives,
                  " in the evaluation split", say, context);
    has_one_class(info->test_rows, census->test_positives, " in the test split", say, context);
}

static void remark_queries(const dataset_info_t *info, const census_t *census, remark_fn *say, void *context)
{
    char part[TEXT_BYTES], all[TEXT_BYTES];
    if (!info->has_group)
        remark(say, context, "no group ids: there is no group column, and so no PQAUC loss and no swap rate");
    else if (census->without_group == info->rows)
        remark(say, context,
               "no group ids: the group column is empty in all rows, and so there is no PQAUC loss and no swap rate");
    else if (census->without_group > 0)
        remark(say, context,
               "%s of %s rows have no group id: they belong to no query, and PQAUC loss and swap rates leave them out",
               text_count(census->without_group, part), text_count(info->rows, all));
}

static void remark_times(const dataset_info_t *info, const census_t *census, remark_fn *say, void *context)
{
    char part[TEXT_BYTES], all[TEXT_BYTES], row[TEXT_BYTES];
    if (info->has_time && census->without_time > 0)
        remark(say, context, "%s of %s rows have no time", text_count(census->without_time, part), text_count(info->rows, all));
    if (census->descents > 0)
        remark(
            say, context,
            "times are not in order: %s row%s earlier than the row before, the first of them row %s of the input; data.order "
            "chronological visits rows as they are stored, so sort the input by time where that is meant",
            text_count(census->descents, part), census->descents == 1 ? " is" : "s are",
            text_count(census_input_row(census, census->first_descent), row));
}

void remarks_make(const dataset_info_t *info, const census_t *census, remark_fn *say, void *context)
{
    remark_splits(info, census, say, context);
    remark_queries(info, census, say, context);
    remark_times(info, census, say, context);
}
