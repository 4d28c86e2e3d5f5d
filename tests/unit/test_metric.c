/* test_metric - a metric is one row. Proves: what an older file lacks is not recorded and no error, but what was always there
 * is; a number that one replica lacks has no mean; every place in a table is taken once; and docs/METRICS.md is what the rows
 * say. */
#include "launcher/run/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/metrics/spread.h"
#include "common/metrics/time_windows.h"
#include "launcher/report/churn.h"
#include "launcher/report/evaluation.h"
#include "tests/lib/testing.h"

#define DOCUMENT "docs/METRICS.md"

typedef struct toy {
    double loss, share, late;
    int64_t count, late_count;
    uint64_t not_recorded;
} toy_t;

static const metric_t toy_row[] = {
    METRIC_ROW(toy_t, DOUBLE, loss, .digits = 3),
    METRIC_ROW(toy_t, DOUBLE, share, .unit = UNIT_SHARE, .digits = 1, .combine = COMBINE_MAX),
    METRIC_ROW(toy_t, DOUBLE, late, .since = 6),
    METRIC_ROW(toy_t, INT64, count, .unit = UNIT_COUNT, .combine = COMBINE_PARTS),
    METRIC_ROW(toy_t, INT64, late_count, .since = 6, .unit = UNIT_MEMORY, .combine = COMBINE_MAX),
};
static const metric_rows_t toy_rows = {toy_row, 5, offsetof(toy_t, not_recorded)};
enum { LOSS, SHARE, LATE, COUNT, LATE_COUNT };

static status_t read_toy(const char *text, toy_t *out)
{
    jsondoc_t *doc;
    *out = (toy_t){0};
    assert_int_equal(jsondoc_parse(text, strlen(text), "FILE", &doc), ST_OK);
    status_t status = metric_get_all(doc, "FILE", &toy_rows, out);
    jsondoc_destroy(&doc);
    return status;
}

static char *written(const toy_t *toy)
{
    jsondoc_t *doc = jsondoc_object();
    metric_put_all(doc, &toy_rows, toy);
    char *text = jsondoc_text(doc, false);
    jsondoc_destroy(&doc);
    return text;
}

static void test_what_older_files_lack(void **state)
{
    (void)state;
    toy_t toy;
    static const char whole[] = "{\"loss\": 0.5, \"share\": null, \"late\": 0.25, \"count\": 7, \"late_count\": 8}\n";
    assert_int_equal(read_toy(whole, &toy), ST_OK);
    assert_true(toy.loss == 0.5 && isnan(toy.share) && toy.late == 0.25 && toy.count == 7 && toy.late_count == 8);
    assert_true(metric_is_recorded(&toy_rows, SHARE, &toy)); /* not defined is another thing */
    char *text = written(&toy);
    assert_string_equal(text, whole);
    mem_free(text);

    assert_int_equal(read_toy("{\"loss\": 0.5, \"share\": 0.25, \"count\": 7}", &toy), ST_OK);
    assert_false(metric_is_recorded(&toy_rows, LATE, &toy) || metric_is_recorded(&toy_rows, LATE_COUNT, &toy));
    assert_true(isnan(metric_value(&toy_rows, LATE, &toy)) && isnan(metric_value(&toy_rows, LATE_COUNT, &toy)));
    text = written(&toy);
    assert_string_equal(text, "{\"loss\": 0.5, \"share\": 0.25, \"late\": null, \"count\": 7, \"late_count\": null}\n");
    mem_free(text);

    catch_start();
    assert_int_equal(read_toy("{\"loss\": 0.5, \"count\": 7}", &toy), ST_CORRUPT);
    assert_int_equal(read_toy("{\"loss\": 0.5, \"share\": 0.5, \"count\": \"many\"}", &toy), ST_CORRUPT);
    catch_stop();
    assert_caught("FILE: \"share\" is missing");
    assert_caught("FILE: \"count\" is not a whole number");
}

static void test_replicas_become_one(void **state)
{
    (void)state;
    toy_t of[2], mean = {0};
    assert_int_equal(read_toy("{\"loss\": 0.5, \"share\": 0.75, \"late\": 1, \"count\": 7, \"late_count\": 3}", &of[0]), ST_OK);
    assert_int_equal(read_toy("{\"loss\": 1, \"share\": 0.25, \"late\": 2, \"count\": 9, \"late_count\": 2}", &of[1]), ST_OK);
    metric_combine_all(&toy_rows, of, sizeof *of, 2, &mean);
    assert_true(mean.loss == 0.75 && mean.share == 0.75 && mean.late == 1.5 && mean.count == 8 && mean.late_count == 3);

    assert_int_equal(read_toy("{\"loss\": 1, \"share\": 0.25, \"count\": 9}", &of[1]), ST_OK);
    metric_combine_all(&toy_rows, of, sizeof *of, 2, &mean);
    assert_true(mean.loss == 0.75 && isnan(mean.late) && isnan(metric_value(&toy_rows, LATE_COUNT, &mean)));
}

static void test_texts(void **state)
{
    (void)state;
    char text[METRIC_TEXT_BYTES];
    assert_string_equal(metric_text(&toy_row[LOSS], 0.12345, text), "0.123");
    assert_string_equal(metric_text(&toy_row[SHARE], 0.12345, text), "12.3 %");
    assert_string_equal(metric_text(&toy_row[COUNT], 12345.4, text), "12,345");
    assert_string_equal(metric_text(&toy_row[LATE_COUNT], 3 << 20, text), "3");
    assert_string_equal(metric_text(&toy_row[LOSS], NAN, text), "-");
}

static const struct {
    const char *head;
    const metric_rows_t *rows;
} tables[] = {
    {"Accuracy of a run", &quality_rows},
    {"How far replicas differ", &reproducibility_rows},
    {"Cost of a run", &cost_rows},
    {"Students and their teachers", &teaching_rows},
    {"From one version to the next (churn.json, churn.csv)", &churn_rows},
};
enum { TABLES = sizeof tables / sizeof *tables };

static void test_every_place_is_taken_once(void **state)
{
    (void)state;
    for (int t = 0; t < TABLES; t++) {
        const metric_rows_t *rows = tables[t].rows;
        int columns = 0, details = 0;
        for (int i = 0; i < rows->n; i++) {
            const metric_t *row = &rows->row[i];
            if (!row->meaning || (row->column && !row->heading) || (row->detail && !row->title))
                fail_msg("%s lacks a meaning, a heading or a title", row->name);
            if ((row->column && metric_at_column(rows, row->column) != i) ||
                (row->detail && metric_at_detail(rows, row->detail) != i))
                fail_msg("%s has the place of another row", row->name);
            columns += row->column > 0;
            details += row->detail > 0;
        }
        for (int at = 1; at <= columns; at++)
            assert_true(metric_at_column(rows, at) >= 0);
        for (int at = 1; at <= details; at++)
            assert_true(metric_at_detail(rows, at) >= 0);
    }
}

/* ---- docs/METRICS.md ------------------------------------------------------------------------------------------------- */

static void put_row(FILE *out, const metric_t *row)
{
    static const char *const units[] = {
        [UNIT_NUMBER] = "number", [UNIT_SHARE] = "share of 1",      [UNIT_COUNT] = "count",
        [UNIT_BYTES] = "bytes",   [UNIT_MEMORY] = "bytes (memory)", [UNIT_SECONDS] = "seconds",
    };
    fprintf(out, "| `%s` | %s | %s |", row->name, units[row->unit], row->meaning);
    if (row->since)
        fprintf(out, " %d |\n", row->since);
    else
        fputs(" |\n", out);
}

static char *document(void)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    fputs("# The numbers of a report\n\n"
          "Every number has this name in results.json, results.csv and a run's manifest.json; what the table on the terminal "
          "and\n"
          "report.html show of it follows from the same row of the code (`launcher/run/metric.h`). The equations are in\n"
          "[MATH.md](MATH.md), section 9. `since` is the format of manifests in which a number came: runs of before it do not\n"
          "record it, and are read as they are. In JSON a number that is not defined, or not recorded, is null; in CSV it is\n"
          "empty. How far replicas differ comes with an interval over queries (`NAME_low`, `NAME_high`). Where a dataset has\n"
          "weights, examples count by them in every number and every error; queries count once each.\n\n"
          "This page is written by `make docs`.\n",
          out);
    for (int t = 0; t < TABLES; t++) {
        fprintf(out, "\n## %s\n\n| name | unit | what it is | since |\n|---|---|---|---|\n", tables[t].head);
        for (int i = 0; i < tables[t].rows->n; i++)
            put_row(out, &tables[t].rows->row[i]);
    }
    fputs("\n## What smelter evaluate prints\n\nEach with `error`, `low` and `high`: the standard error and the 95 % interval "
          "over "
          "queries, or over examples where there\nare no queries.\n\n| name | what it is |\n|---|---|\n",
          out);
#define EVALUATED(name, heading, digits, meaning) fputs("| `" #name "` | " meaning " |\n", out);
    EVALUATION_METRICS(EVALUATED)
#undef EVALUATED
    fputs("\nOf a folder of replicas they are means, `error` is the standard error over replicas (there is none below three), "
          "`low` and\n`high` are those of a single replica, and these come with them:\n\n| name | what it is |\n|---|---|\n",
          out);
#define SPREAD(name, meaning) fputs("| `" #name "` | " meaning " |\n", out);
    SPREAD_NUMBERS(SPREAD)
#undef SPREAD
    fputs("\n## Windows of time\n\nOf each window (`evaluate.window`, `evaluate --by-window`), with its `start` in seconds "
          "since 1970 and its\n`examples`; in results.json also `NAME_se`, the standard error over replicas.\n\n"
          "| name | what it is |\n|---|---|\n",
          out);
#define WINDOWED(name, heading, digits, meaning) fputs("| `" #name "` | " meaning " |\n", out);
    TIME_WINDOW_METRICS(WINDOWED)
#undef WINDOWED
    fclose(out);
    return text;
}

static void test_document(void **state)
{
    (void)state;
    char *found = NULL, *fresh = document();
    assert_int_equal(file_read(DOCUMENT, &found, NULL), ST_OK); /* tests run in the root of the repository */
    if (strcmp(fresh, found) != 0)
        fail_msg("%s is not what the rows of the metrics say; run make docs", DOCUMENT);
    mem_free(found);
    free(fresh);
}

/* With an argument it writes the document: make docs. */
int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        char *text = document();
        const status_t status = file_write_atomic(DOCUMENT, text, strlen(text));
        free(text);
        return status == ST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_older_files_lack),
        cmocka_unit_test(test_replicas_become_one),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_every_place_is_taken_once),
        cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
