/* test_figures - every figure leaves its data, script and both pictures; the data is what the formulas say; Fig. 4 is
 * computed from results.json and refuses one that cannot tell; a missing gnuplot is one line that names its package. */
#include "launcher/figures/figures.h"
#include "launcher/figures/figures_script.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/kernels/activation.h"
#include "launcher/figures/gnuplot.h"
#include "tests/lib/testing.h"

static bool have_gnuplot(void)
{
    catch_start();
    const bool found = gnuplot_check() == ST_OK;
    catch_stop();
    return found;
}

/* Pictures begin with what their form begins with, and are not empty. */
static void assert_pictures(const char *dir, const char *name)
{
    static const struct {
        const char *ending, *begin;
    } forms[] = {{"svg", "<?xml"}, {"png", "\x89PNG"}};
    for (int i = 0; i < 2; i++) {
        char *path = mem_printf("%s/%s.%s", dir, name, forms[i].ending), *data;
        size_t bytes;
        assert_int_equal(file_read(path, &data, &bytes), ST_OK);
        assert_true(bytes > 4000);
        assert_memory_equal(data, forms[i].begin, strlen(forms[i].begin));
        mem_free(data);
        mem_free(path);
    }
}

static void read_text(const char *dir, const char *name, char **text)
{
    char *path = mem_printf("%s/%s", dir, name);
    assert_int_equal(file_read(path, text, NULL), ST_OK);
    mem_free(path);
}

static void test_activations(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    const char *dir = test_dir();
    assert_int_equal(figures_activations(dir), ST_OK);
    assert_pictures(dir, "fig1");
    char *text;
    read_text(dir, "fig1.tsv", &text);
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++) { /* the whole table */
        char *line = mem_printf("\n%s\t", activation_get(kind)->name);
        assert_true((strstr(text, line) != NULL) == (kind != ACTIVATION_IDENTITY));
        mem_free(line);
    }
    /* SmeLU of beta 2 at x = 1: (1 + 2)^2 / 8 and 3 / 4. */
    assert_non_null(strstr(text, "\nsmelu\tβ = 2\t1\t1.125\t0.75\n"));
    mem_free(text);
}

static void test_landscapes(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    const char *dir = test_dir();
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO), table = fileno(tmpfile());
    dup2(table, STDOUT_FILENO);
    status_t status = figures_landscapes(dir, 2);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    assert_int_equal(status, ST_OK);
    assert_pictures(dir, "fig2");
    assert_pictures(dir, "fig3");
    char *minima, *curves, *surfaces;
    read_text(dir, "minima.tsv", &minima);
    read_text(dir, "fig2.tsv", &curves);
    read_text(dir, "fig3.tsv", &surfaces);
    int lines = 0;
    for (const char *at = minima; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1 + (2 * 5 + 2) * 4);
    assert_non_null(strstr(curves, "\nlayer norm\tsmelu\t0.5\t-6\t0\t"));
    assert_non_null(strstr(surfaces, "\nsquared, to -2\trelu\t0\t-6\t-6\t"));
    mem_free(minima);
    mem_free(curves);
    mem_free(surfaces);
}

/* ---- Fig. 4 ---------------------------------------------------------------------------------------------------------- */

#define VARIANT(NAME, ACTIVATION, BETA, FAMILY, METHOD, PD, A, B) \
    "{\"name\": \"" NAME "\", \"config\": {\"activation\": \"" ACTIVATION "\", \"beta\": " BETA ", \"family\": \"" FAMILY \
    "\", \"method\": \"" METHOD "\"}, \"metrics\": {\"pd_relative\": " PD \
    ", \"pd_relative_low\": 0.05, \"pd_relative_high\": 0.2}, " \
    "\"replicas\": [{\"metrics\": {\"pqauc_loss\": " A "}}, {\"metrics\": {\"pqauc_loss\": " B "}}]}"
#define RESULTS(BASELINE, VARIANTS) "{\"baseline\": \"" BASELINE "\", \"variants\": [" VARIANTS "]}"
#define RELU VARIANT("plain_relu", "relu", "1", "f1", "m", "0.125", "0.4", "0.5")

static status_t tradeoff(const char *text)
{
    const char *path = test_write("results.json", text);
    char *dir = mem_strdup(path);
    *strrchr(dir, '/') = 0;
    status_t status = figures_tradeoff(path, dir);
    mem_free(dir);
    return status;
}

static void test_tradeoff(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    const char *dir = test_dir();
    assert_int_equal(
        tradeoff(RESULTS("wide", VARIANT("wide", "smelu", "4", "f2", "m", "0.0625", "0.396", "0.515") "," RELU "," VARIANT(
                                     "ens", "relu", "1", "f3", "other", "0.1", "0.4",
                                     "0.5") "," VARIANT("narrow", "smelu", "0.5", "f2", "m", "0.1", "0.4", "0.5"))),
        ST_OK);
    assert_pictures(dir, "fig4");
    char *text, *script;
    read_text(dir, "fig4.tsv", &text);
    read_text(dir, "fig4.gp", &script);
    /* Changes of -1 % and +3 %: mean 1, standard deviation sqrt(8), its error 2, times Student's t of one degree, 12.706. Lines
     * of one family by beta. */
    const char *narrow = strstr(text, "\nnarrow\tsmelu\t0.5\t0\t0\t0\t10\t5\t20\n"),
               *wide = strstr(text, "wide\tsmelu\t4\t1\t");
    assert_non_null(narrow);
    assert_ptr_equal(strchr(narrow + 1, '\n') + 1, wide);
    double low, high, pd;
    assert_int_equal(sscanf(wide, "wide smelu 4 1 %lf %lf %lf", &low, &high, &pd), 3);
    assert_true(fabs(low + 24.412) < 1e-3 && fabs(high - 26.412) < 1e-3 && pd == 6.25);
    /* The baseline has no ReLU, so changes are from the variant that has; one that differs in more goes by its own name. */
    assert_non_null(strstr(text, "\nplain_relu\trelu\t1\t0\t0\t0\t12.5"));
    assert_non_null(strstr(script, "from ReLU"));
    /* A variant has the colour and the symbol that report.html gives it; a line joins those that differ in beta alone. */
    assert_non_null(strstr(script, "pt 7 ps 0.9 lc rgb '#5f6872' title 'wide' noenhanced"));
    assert_non_null(strstr(script, "pt 5 ps 0.9 lc rgb '#0069a8' title 'plain_relu' noenhanced"));
    assert_non_null(strstr(script, "pt 9 ps 0.9 lc rgb '#c14a06' title 'ens' noenhanced"));
    assert_non_null(strstr(script, "pt 13 ps 0.9 lc rgb '#0b7a5a' title 'narrow' noenhanced"));
    assert_non_null(strstr(script, " with lines "));
    assert_non_null(strstr(script, "of PD over\\nqueries\"")); /* which is all that older results know */
    mem_free(text);
    mem_free(script);

    /* Two sweeps are two lines. */
    assert_int_equal(
        tradeoff(RESULTS("plain_relu",
                         RELU "," VARIANT("e-beta1", "gelu", "1", "f4", "x", "0.1", "0.4", "0.5") "," VARIANT(
                             "e-beta10", "gelu", "10", "f4", "x", "0.1", "0.4",
                             "0.5") "," VARIANT("ens3_0.25", "relu", "1", "f5", "y", "0.1", "0.4",
                                                "0.5") "," VARIANT("ens3_0.5", "relu", "1", "f5", "y", "0.1", "0.4", "0.5"))),
        ST_OK);
    read_text(dir, "fig4.gp", &script);
    const char *line = strstr(script, " with lines ");
    assert_non_null(line);
    line = strstr(line + 1, " with lines ");
    assert_true(line && !strstr(line + 1, " with lines "));
    mem_free(script);
}

static void test_bars(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    char *text, *script;
    const char *dir = test_dir();
    assert_int_equal(tradeoff("{\"baseline\": \"a\", \"variants\": [{\"name\": \"a\", \"config\": {\"activation\": \"relu\", "
                              "\"beta\": 1, \"family\": \"f\", \"method\": \"m\"}, \"metrics\": {\"pd_relative\": 0.125, "
                              "\"pd_relative_low\": 0.12, \"pd_relative_high\": 0.13, \"pd_relative_bar_low\": 0.0625, "
                              "\"pd_relative_bar_high\": 0.1875, \"pd_relative_bar_over\": \"replicas\"}, \"replicas\": "
                              "[{\"metrics\": {\"pqauc_loss\": 0.4}}, {\"metrics\": {\"pqauc_loss\": 0.5}}]}]}"),
                     ST_OK);
    read_text(dir, "fig4.tsv", &text);
    read_text(dir, "fig4.gp", &script);
    assert_non_null(strstr(text, "\na\trelu\t1\t0\t0\t0\t12.5\t6.25\t18.75\n"));
    assert_non_null(strstr(script, "of PD over\\nreplicas\""));
    mem_free(text);
    mem_free(script);
}

#define ORDERED(name, activation, model, order, pd, se, low, high) \
    "{\"name\": \"" name "\", \"config\": {\"activation\": \"" activation \
    "\", \"beta\": 1, \"components\": 1, \"model\": \"" model "\", " order "}, \"metrics\": {\"pd_relative\": " pd \
    ", \"pd_relative_se\": " se ", \"pd_relative_low\": " low ", \"pd_relative_high\": " high "}, \"replicas\": [{}, {}, {}]}"
#define WINDOW(n) "\"order\": \"window\", \"window\": " n
#define RACE(n) "\"order\": \"chronological\", \"racing_workers\": " n

/* Lines by model, points by window, then all, then races, which no line leads to. A bar is the wider one: over replicas
 * 4.303 standard errors, Student's t of two degrees, or the interval over queries. */
static void test_locality(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    const char *dir = test_dir();
    const char *path = test_write(
        "results.json",
        "{\"variants\": [" ORDERED("b-race", "relu", "m1", RACE("4"), "0.2", "null", "0.19", "0.21") "," ORDERED(
            "b-all", "relu", "m1", "\"order\": \"full\"", "0.3", "0.01", "0.29",
            "0.31") "," ORDERED("b-8", "relu", "m1", WINDOW("8"), "0.1", "0.001", "0.05",
                                "0.125") "," ORDERED("s-8", "smelu", "m2", WINDOW("8"), "0.01", "0.01", "0.005",
                                                     "0.02") "," ORDERED("none", "relu", "m3", "\"order\": \"chronological\"",
                                                                         "0.5", "null", "null", "null") "]}");
    bool drawn = false;
    assert_int_equal(figures_locality(path, dir, &drawn), ST_OK);
    assert_true(drawn);
    assert_pictures(dir, "locality");
    char *text, *script;
    read_text(dir, "locality.tsv", &text);
    read_text(dir, "locality.gp", &script);
    assert_string_equal(text, "# variant\tposition\tpd_percent\tlow\thigh\n"
                              "b-8\t0\t10\t5\t12.5\n"
                              "b-all\t1\t30\t25.6973\t34.3027\n"
                              "\n"
                              "b-race\t3\t20\t19\t21\n"
                              "\n\n"
                              "s-8\t0\t1\t0\t5.30265\n");
    assert_non_null(strstr(script, "set xtics (\"8\" 0, \"all\" 1, \"race of\\n4 workers\" 3)"));
    assert_non_null(strstr(script, "title \"SmeLU, β = 1\" noenhanced"));
    mem_free(text);
    mem_free(script);

    /* Nothing to draw where no model was trained in two orders; an older smelter did not say in which. */
    path = test_write("other.json",
                      "{\"variants\": [" ORDERED("a", "relu", "m1", WINDOW("8"), "0.1", "null", "0.1", "0.1") "," RELU "]}");
    assert_int_equal(figures_locality(path, dir, &drawn), ST_OK);
    assert_false(drawn);
}

static void test_keys_are_those_of_the_page(void **state)
{
    (void)state;
    char *style;
    assert_int_equal(file_read("launcher/report/html/style.css", &style, NULL), ST_OK); /* tests run in the root */
    for (int i = 0; i < 9; i++) {
        char *rule = mem_printf("--c%d: %s;", i, script_key_colour(i));
        if (!strstr(style, rule))
            fail_msg("style.css does not say %s", rule);
        mem_free(rule);
    }
    assert_string_equal(script_key_colour(9), script_key_colour(0));
    assert_true(script_key_type(9) != script_key_type(0)); /* of one colour, another symbol */
    mem_free(style);
}

static void assert_refused(const char *text, status_t wanted, const char *message)
{
    catch_start();
    status_t status = tradeoff(text);
    catch_stop();
    assert_int_equal(status, wanted);
    assert_caught(message);
}

static void test_results_that_cannot_tell(void **state)
{
    (void)state;
    test_dir();
    assert_refused("[", ST_CORRUPT, "not JSON");
    assert_refused("{}", ST_CORRUPT, "\"variants\" is missing");
    assert_refused("{\"variants\": []}", ST_CORRUPT, "has 0 variants");
    assert_refused("{\"variants\": [{\"name\": \"a\"}]}", ST_CORRUPT, "\"config\" is missing");
    assert_refused(RESULTS("else", RELU), ST_CORRUPT, "the baseline else is not one of the variants");
    assert_refused(RESULTS("a", VARIANT("a", "relu", "1", "f", "m", "null", "0.4", "0.5")), ST_INPUT,
                   "variant a has no relative PD");
    assert_refused(RESULTS("a", VARIANT("a", "relu", "1", "f", "m", "0.1", "null", "null")), ST_INPUT,
                   "variant a has no PQAUC loss: the dataset has no query column");
    assert_refused("{\"eval_examples\": 0, \"variants\": [{}]}", ST_INPUT,
                   "results.json: the evaluation split is empty; there is no loss");
    assert_refused("{\"baseline\": \"a\", \"variants\": [{\"name\": \"a\", \"config\": {\"activation\": \"relu\", \"beta\": 1, "
                   "\"family\": \"f\", \"method\": \"m\"}, \"replicas\": [{\"metrics\": {\"pqauc_loss\": 0.4}}]}]}",
                   ST_INPUT, "variant a has 1 replicas; prediction difference needs at least two");
}

/* ---- gnuplot --------------------------------------------------------------------------------------------------------- */

static void test_missing_gnuplot(void **state)
{
    (void)state;
    const char *dir = test_dir();
    char *path = mem_strdup(getenv("PATH"));
    setenv("PATH", dir, 1);
    catch_start();
    assert_int_equal(gnuplot_check(), ST_INPUT);
    assert_caught("is not installed; install it with: apt-get install gnuplot-nox");
    catch_start();
    assert_int_equal(gnuplot_draw(dir, "x", "plot x\n", 100, 100), ST_INPUT);
    assert_caught("is not installed; install it with: apt-get install gnuplot-nox");
    catch_stop();
    setenv("PATH", path, 1);
    mem_free(path);
}

static void test_script_with_a_mistake(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    const char *dir = test_dir();
    catch_start();
    assert_int_equal(gnuplot_draw(dir, "x", "set output\nplot nothing(\n", 100, 100), ST_INPUT);
    catch_stop();
    assert_caught("gnuplot could not draw");
    assert_caught("line 4");
    char *text = mem_printf("%s", catch_text());
    assert_null(strchr(strchr(text, '\n') + 1, '\n')); /* one line */
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_landscapes),
        cmocka_unit_test(test_locality),
        cmocka_unit_test(test_tradeoff),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_keys_are_those_of_the_page),
        cmocka_unit_test(test_results_that_cannot_tell),
        cmocka_unit_test(test_missing_gnuplot),
        cmocka_unit_test(test_script_with_a_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
