/* Proves that report.html is whole and harmless: its data is what the experiment's files say (histograms and curves
 * against naive loops), no text of a user can leave its place, nothing in it asks a network, the same files give the same
 * bytes, and a damaged or mixed folder is named. That it works in a browser is proved by
 * tests/cluster/test_report_html.sh. */
#include "tests/lib/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "launcher/report/html_page.h"
#include "launcher/report/html_report.h"
#include "launcher/run/manifest.h"

enum { EXAMPLES = 500, REPLICAS = 2 };

#define HOSTILE "</script><!-- <script>alert(\"1\")</script> & 'q' \xe2\x80\xa8"

static int occurrences(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

/* ---- the page -------------------------------------------------------------------------------------------------------- */

static void test_texts_stay_in_their_place(void **state)
{
    (void)state;
    test_dir();
    jsondoc_t *data = jsondoc_object(), *back;
    jsondoc_put_text(data, HOSTILE, HOSTILE);
    char *page = html_page_text(HOSTILE, "</p>" HOSTILE, data);
    assert_non_null(
        strstr(page, "<h1>&lt;/script&gt;&lt;!-- &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;q&#39; "));
    assert_non_null(strstr(page, "id=\"verdict\">&lt;/p&gt;&lt;/script&gt;"));
    assert_null(strstr(page, "alert(\"1\")"));
    assert_int_equal(occurrences(page, "</script>"), 2); /* the data's and the program's */
    assert_int_equal(occurrences(page, "<!--"), 0);

    char *begin = strstr(page, "id=\"data\">") + strlen("id=\"data\">"), *end = strstr(begin, "</script>");
    *end = 0;
    assert_null(strchr(begin, '<'));
    const char *text, *path = test_write("data.json", begin);
    assert_int_equal(jsondoc_read(path, &back), ST_OK);
    assert_int_equal(jsondoc_get_text(back, path, HOSTILE, &text), ST_OK);
    assert_string_equal(text, HOSTILE);
    jsondoc_destroy(&back);
    jsondoc_destroy(&data);
    mem_free(page);
}

/* The words at the end of the page are those of docs/GLOSSARY.md, said in the same way. */
static void test_words_are_those_of_the_glossary(void **state)
{
    (void)state;
    char *glossary;
    jsondoc_t *data = jsondoc_object();
    char *page = html_page_text("t", "v", data);
    assert_int_equal(file_read("docs/GLOSSARY.md", &glossary, NULL), ST_OK);
    int words = 0;
    for (char *word = page; (word = strstr(word, "<dt>")); words++) {
        char *meaning = strstr(word, "</dt><dd>"), *end = strstr(word, "</dd>");
        assert_true(meaning && end && meaning < end);
        char *row =
            mem_printf("\n| %.*s | %.*s |\n", (int)(meaning - word - 4), word + 4, (int)(end - meaning - 9), meaning + 9);
        if (!strstr(glossary, row))
            fail_msg("docs/GLOSSARY.md has no row%s", row);
        mem_free(row);
        word = end;
    }
    assert_true(words > 20);
    mem_free(page);
    mem_free(glossary);
    jsondoc_destroy(&data);
}

static void test_page_is_whole_and_asks_for_nothing(void **state)
{
    (void)state;
    jsondoc_t *data = jsondoc_object();
    char *page = html_page_text("t", "v", data);
    static const char *const outside[] = {"http:",         "https:",         " src=", "url(\"",    "@import",
                                          "fetch(",        "XMLHttpRequest", "{{",    "innerHTML", "insertAdjacentHTML",
                                          "document.write"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_null(strstr(page, outside[i]));
    assert_non_null(strstr(page, "default-src 'none'"));
    assert_non_null(strstr(page, "reproduceSection();")); /* the end of the program */
    assert_non_null(strstr(page, "@media print"));
    assert_string_equal(page + strlen(page) - strlen("</html>\n"), "</html>\n");
    mem_free(page);
    jsondoc_destroy(&data);
}

/* ---- an experiment to report on --------------------------------------------------------------------------------------- */

/* Replica r's prediction of example i: those of replica 1 are above by a factor that grows with the example. */
static float prediction(int replica, int i)
{
    return replica ? 0.25f * (1.0f + (float)i / EXAMPLES) : 0.25f;
}

static char *digest_of(int variant, int replica)
{
    return mem_printf("%016x%016x", (unsigned)variant, (unsigned)replica);
}

static void write_run(const char *variant, int v, int replica)
{
    char *folder = mem_strdup(test_path("%s/r%d", variant, replica)), *digest = digest_of(v, replica);
    assert_int_equal(dir_create(folder), ST_OK);
    manifest_t m = {
        .experiment = mem_strdup("toy"),
        .variant = mem_strdup(variant),
        .determinism = mem_strdup("sync"),
        .build = mem_strdup("b"),
        .kernels = mem_strdup("k"),
        .workers = 1,
        .servers = 1,
        .shards_per_server = 1,
        .steps = 9,
        .predictions = EXAMPLES,
        .result = {.replica = replica, .predictions = MEM_ARRAY(float, EXAMPLES)},
    };
    memcpy(m.result.digest, digest, sizeof m.result.digest);
    for (int i = 0; i < EXAMPLES; i++)
        m.result.predictions[i] = v ? 0.5f : prediction(replica, i);
    assert_int_equal(manifest_write(folder, &m), ST_OK);
    manifest_fini(&m);
    mem_free(digest);
    mem_free(folder);
}

/* Lines of 100 examples each, of a run of relu, which is written again with them; line l has logloss l and, for brevity, the
 * same as its mean since the start. */
static void write_curve(const char *variant, int replica, int lines)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (int l = 0; l < lines; l++)
        fprintf(out, "{\"step\": %d, \"examples\": %d, \"logloss\": %d, \"progressive_logloss\": %d, \"seconds\": %d.5}\n",
                50 * (l + 1), 100 * (l + 1), l, l, l);
    fclose(out);
    assert_int_equal(file_write_atomic(test_path("%s/r%d/metrics.jsonl", variant, replica), text, bytes), ST_OK);
    free(text);
    write_run(variant, 0, replica);
}

static void write_results(const char *const *names, int n)
{
    jsondoc_t *doc = jsondoc_object(), *variants = jsondoc_array();
    for (int v = 0; v < n; v++) {
        jsondoc_t *variant = jsondoc_object(), *replicas = jsondoc_array();
        for (int r = 0; r < REPLICAS; r++) {
            jsondoc_t *replica = jsondoc_object();
            char *digest = digest_of(v, r);
            jsondoc_put_integer(replica, "replica", r);
            jsondoc_put_text(replica, "digest", digest);
            jsondoc_append(replicas, &replica);
            mem_free(digest);
        }
        jsondoc_put_text(variant, "name", names[v]);
        jsondoc_put(variant, "replicas", &replicas);
        jsondoc_append(variants, &variant);
    }
    jsondoc_put_text(doc, "experiment", "toy");
    jsondoc_put_text(doc, "verdict", "All is well.");
    jsondoc_put(doc, "variants", &variants);
    assert_int_equal(jsondoc_write(doc, test_path("results.json")), ST_OK);
    jsondoc_destroy(&doc);
}

static const char *const names[] = {"relu", "smelu"};

static const char *make_experiment(void)
{
    const char *dir = test_dir();
    for (int v = 0; v < 2; v++)
        for (int r = 0; r < REPLICAS; r++)
            write_run(names[v], v, r);
    write_curve("relu", 0, 3);
    write_results(names, 2);
    return dir;
}

static const jsondoc_t *variant_of(const jsondoc_t *data, int v)
{
    const jsondoc_t *variants;
    assert_int_equal(jsondoc_get_array(data, "data", "variants", &variants), ST_OK);
    return jsondoc_at(variants, v);
}

static const jsondoc_t *run_of(const jsondoc_t *data, int v, int r)
{
    const jsondoc_t *runs;
    assert_int_equal(jsondoc_get_array(variant_of(data, v), "variant", "runs", &runs), ST_OK);
    assert_int_equal(jsondoc_length(runs), REPLICAS);
    return jsondoc_at(runs, r);
}

/* The array as text, which is how a person checks it. */
static void assert_array(const jsondoc_t *object, const char *key, const char *expected)
{
    const jsondoc_t *array;
    assert_int_equal(jsondoc_get_array(object, "object", key, &array), ST_OK);
    char *text = jsondoc_compact(array, 8);
    assert_string_equal(text, expected);
    mem_free(text);
}

static bool has(const jsondoc_t *object, const char *key)
{
    const jsondoc_t *any;
    catch_start();
    status_t status = jsondoc_get_object(object, "object", key, &any);
    catch_stop();
    return status == ST_OK;
}

static void test_histogram_counts_every_example(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    jsondoc_t *data;
    assert_int_equal(html_report_collect(dir, &data), ST_OK);
    const jsondoc_t *histogram;
    double edge;
    assert_int_equal(jsondoc_get_object(data, dir, "histogram", &histogram), ST_OK);
    assert_int_equal(jsondoc_get_number(histogram, dir, "edge", &edge), ST_OK);
    /* The largest PD is 2 (0.5 - 0.25) / 0.75 = 2/3, so the smallest round edge with 99 % below is 0.8. */
    assert_true(edge == 0.8);

    int counts[HTML_REPORT_BINS + 1] = {0};
    for (int i = 0; i < EXAMPLES; i++) {
        double p = (double)prediction(0, i), q = (double)prediction(1, i);
        int bin = (int)(2 * fabs(p - q) / (p + q) / 0.8 * HTML_REPORT_BINS);
        counts[bin < HTML_REPORT_BINS ? bin : HTML_REPORT_BINS]++;
    }
    char expected[1000] = "[";
    for (int b = 0; b <= HTML_REPORT_BINS; b++)
        sprintf(expected + strlen(expected), "%d%s", counts[b], b < HTML_REPORT_BINS ? "," : "]");
    assert_array(variant_of(data, 0), "pd_histogram", expected);

    const jsondoc_t *same;
    assert_int_equal(jsondoc_get_array(variant_of(data, 1), "smelu", "pd_histogram", &same), ST_OK);
    char *text = jsondoc_compact(same, 8);
    assert_true(strncmp(text, "[500,0,0,", 9) == 0); /* equal replicas: all in the first bin */
    mem_free(text);
    jsondoc_destroy(&data);
}

static void test_short_curves_stay_as_they_are(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    jsondoc_t *data;
    const jsondoc_t *curve;
    assert_int_equal(html_report_collect(dir, &data), ST_OK);
    assert_int_equal(jsondoc_get_object(run_of(data, 0, 0), "run", "curve", &curve), ST_OK);
    assert_array(curve, "step", "[50,100,150]");
    assert_array(curve, "seconds", "[0.5,1.5,2.5]");
    assert_array(curve, "logloss", "[0.0,1.0,2.0]");
    assert_false(has(run_of(data, 0, 1), "curve"));
    jsondoc_destroy(&data);
}

/* An interval is of the pass that most of its examples belong to; older files do not tell. */
static void test_passes_are_told_apart(void **state)
{
    (void)state;
    static const char *const lines =
        "{\"step\": 1, \"examples\": 10, \"first_visits\": 10, \"logloss\": 0.7, \"progressive_logloss\": 0.7, "
        "\"training_logloss\": null, \"seconds\": 1}\n"
        "{\"step\": 2, \"examples\": 20, \"first_visits\": 16, \"logloss\": 0.6, \"progressive_logloss\": 0.65, "
        "\"training_logloss\": 0.5, \"seconds\": 2}\n"
        "{\"step\": 3, \"examples\": 30, \"first_visits\": 16, \"logloss\": 0.4, \"progressive_logloss\": 0.65, "
        "\"training_logloss\": 0.45, \"seconds\": 3}\n";
    const char *dir = make_experiment();
    jsondoc_t *data;
    const jsondoc_t *curve;
    double first;
    test_write("relu/r0/metrics.jsonl", lines);
    write_run("relu", 0, 0);
    write_curve("relu", 1, 3);
    assert_int_equal(html_report_collect(dir, &data), ST_OK);
    assert_int_equal(jsondoc_get_object(run_of(data, 0, 0), "run", "curve", &curve), ST_OK);
    assert_int_equal(jsondoc_get_number(curve, "curve", "first_points", &first), ST_OK);
    assert_true(first == 2.0);
    assert_array(curve, "training_logloss", "[null,0.5,0.45]");
    assert_int_equal(jsondoc_get_object(run_of(data, 0, 1), "run", "curve", &curve), ST_OK);
    assert_int_equal(jsondoc_get_number(curve, "curve", "first_points", &first), ST_OK);
    assert_true(isnan(first));
    jsondoc_destroy(&data);
}

/* 401 lines in groups of 3: 133 whole groups, and 2 lines that are left. */
static void test_long_curves_are_thinned(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    jsondoc_t *data;
    const jsondoc_t *curve, *loss, *mean;
    write_curve("relu", 0, 401);
    assert_int_equal(html_report_collect(dir, &data), ST_OK);
    assert_int_equal(jsondoc_get_object(run_of(data, 0, 0), "run", "curve", &curve), ST_OK);
    assert_int_equal(jsondoc_get_array(curve, "curve", "logloss", &loss), ST_OK);
    assert_int_equal(jsondoc_get_array(curve, "curve", "progressive_logloss", &mean), ST_OK);
    assert_int_equal(jsondoc_length(loss), 134);
    char *text = jsondoc_compact(loss, 8), *means = jsondoc_compact(mean, 8);
    assert_true(strncmp(text, "[1.0,4.0,7.0,", 13) == 0);                                /* the mean of three */
    assert_string_equal(text + strlen(text) - strlen(",397.0,399.5]"), ",397.0,399.5]"); /* the mean of two */
    assert_true(strncmp(means, "[2.0,5.0,8.0,", 13) == 0);                               /* the last of three */
    mem_free(text);
    mem_free(means);
    jsondoc_destroy(&data);
}

/* What is left at the end of a training may be one example, whose loss says nothing: it does not get a point of its own. */
static void test_a_short_last_interval_joins_the_one_before(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    static const struct {
        int last; /* examples */
        const char *logloss, *step;
    } cases[] = {{1, "[0.5,0.25,0.269801980198", "[50,100,151]"}, {50, "[0.5,0.25,0.25,2.25]", "[50,100,150,151]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jsondoc_t *data;
        const jsondoc_t *curve, *loss, *step;
        char *lines =
            mem_printf("{\"step\": 50, \"examples\": 100, \"logloss\": 0.5, \"progressive_logloss\": 0.5, \"seconds\": 1}\n"
                       "{\"step\": 100, \"examples\": 200, \"logloss\": 0.25, \"progressive_logloss\": 0.5, \"seconds\": 2}\n"
                       "{\"step\": 150, \"examples\": 300, \"logloss\": 0.25, \"progressive_logloss\": 0.5, \"seconds\": 3}\n"
                       "{\"step\": 151, \"examples\": %d, \"logloss\": 2.25, \"progressive_logloss\": 0.5, \"seconds\": 4}\n",
                       300 + cases[i].last);
        test_write("relu/r0/metrics.jsonl", lines);
        write_run("relu", 0, 0);
        assert_int_equal(html_report_collect(dir, &data), ST_OK);
        assert_int_equal(jsondoc_get_object(run_of(data, 0, 0), "run", "curve", &curve), ST_OK);
        assert_int_equal(jsondoc_get_array(curve, "curve", "logloss", &loss), ST_OK);
        assert_int_equal(jsondoc_get_array(curve, "curve", "step", &step), ST_OK);
        char *losses = jsondoc_compact(loss, 12), *steps = jsondoc_compact(step, 12);
        assert_int_equal(strncmp(losses, cases[i].logloss, strlen(cases[i].logloss)), 0);
        assert_string_equal(steps, cases[i].step);
        mem_free(losses);
        mem_free(steps);
        mem_free(lines);
        jsondoc_destroy(&data);
    }
}

static void test_removed_runs_leave_their_parts_empty(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    jsondoc_t *data;
    const jsondoc_t *any;
    assert_int_equal(dir_remove_tree(test_path("relu/r1")), ST_OK);
    assert_int_equal(html_report_collect(dir, &data), ST_OK);
    assert_true(has(run_of(data, 0, 0), "manifest"));
    assert_false(has(run_of(data, 0, 1), "manifest"));
    catch_start();
    assert_int_equal(jsondoc_get_array(variant_of(data, 0), "relu", "pd_histogram", &any), ST_CORRUPT);
    catch_stop();
    assert_int_equal(jsondoc_get_array(variant_of(data, 1), "smelu", "pd_histogram", &any), ST_OK);
    jsondoc_destroy(&data);
}

static void test_same_files_give_the_same_bytes(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    char *first, *second;
    assert_int_equal(html_report_write(dir), ST_OK);
    assert_int_equal(file_read(test_path("report.html"), &first, NULL), ST_OK);
    assert_int_equal(html_report_write(dir), ST_OK);
    assert_int_equal(file_read(test_path("report.html"), &second, NULL), ST_OK);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "<title>toy - Smelter report</title>"));
    assert_non_null(strstr(first, ">All is well.</p>"));
    mem_free(first);
    mem_free(second);
}

static void assert_refused(const char *dir, status_t expected, const char *message)
{
    catch_start();
    assert_int_equal(html_report_write(dir), expected);
    catch_stop();
    assert_caught(message);
    assert_false(file_exists(test_path("report.html")));
}

/* What an older smelter said of no examples was another reason. */
static void test_an_empty_evaluation_is_called_so(void **state)
{
    (void)state;
    const char *dir = make_experiment();
    char *text, *page;
    assert_int_equal(file_read(test_path("results.json"), &text, NULL), ST_OK);
    char *empty = mem_printf("{\"eval_examples\": 0, %s", strchr(text, '{') + 1);
    test_write("results.json", empty);
    assert_int_equal(html_report_write(dir), ST_OK);
    assert_int_equal(file_read(test_path("report.html"), &page, NULL), ST_OK);
    assert_non_null(strstr(page, "No verdict: the evaluation split is empty."));
    mem_free(page);
    mem_free(empty);
    mem_free(text);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_refused(test_dir(), ST_INPUT, "results.json: cannot read: No such file or directory");

    const char *dir = make_experiment();
    test_write("results.json", "{\"variants\": []}");
    assert_refused(dir, ST_CORRUPT, "results.json: \"variants\" is empty");

    test_write("results.json", "{\"variants\": [{\"name\": \"../relu\"}]}");
    assert_refused(dir, ST_CORRUPT, "results.json: \"name\" is \"../relu\"; it must be the name of a folder beside the file");

    dir = make_experiment();
    test_write("relu/r0/metrics.jsonl", "{\"step\": 1, \"logloss\": 0.5}\n");
    assert_refused(dir, ST_CORRUPT, "relu/r0/metrics.jsonl: was changed after training: it holds 28 bytes, the run wrote ");
    write_run("relu", 0, 0);
    assert_refused(dir, ST_CORRUPT, "relu/r0/metrics.jsonl: \"examples\" is missing");
    write_curve("relu", 0, 1);
    char *line;
    assert_int_equal(file_read(test_path("relu/r0/metrics.jsonl"), &line, NULL), ST_OK);
    char *twice = mem_printf("%s%s", line, line);
    test_write("relu/r0/metrics.jsonl", twice);
    write_run("relu", 0, 0);
    assert_refused(dir, ST_CORRUPT, "relu/r0/metrics.jsonl: \"examples\" does not grow from line to line");
    mem_free(line);
    mem_free(twice);

    dir = make_experiment();
    write_run("relu", 7, 0);
    assert_refused(dir, ST_CORRUPT, "relu/r0: holds a run of digest 00000000000000070000000000000000, and ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_stay_in_their_place),
        cmocka_unit_test(test_words_are_those_of_the_glossary),
        cmocka_unit_test(test_page_is_whole_and_asks_for_nothing),
        cmocka_unit_test(test_histogram_counts_every_example),
        cmocka_unit_test(test_short_curves_stay_as_they_are),
        cmocka_unit_test(test_passes_are_told_apart),
        cmocka_unit_test(test_long_curves_are_thinned),
        cmocka_unit_test(test_a_short_last_interval_joins_the_one_before),
        cmocka_unit_test(test_removed_runs_leave_their_parts_empty),
        cmocka_unit_test(test_same_files_give_the_same_bytes),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_an_empty_evaluation_is_called_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
