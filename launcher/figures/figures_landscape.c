/* Figs. 2 and 3. The picture shows one network; minima are counted over several, because a single one may have few by luck. All
 * panels of a row are the same network, activated differently.                                                             */
#include "launcher/figures/figures.h"

#include <math.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/kernels/activation.h"
#include "launcher/figures/figures_script.h"
#include "launcher/figures/landscape.h"

#define SEED 2022 /* of the first network, the one that is shown */
#define COLUMNS 4

/* ReLU and SmeLU at three widths. */
typedef struct columns {
    const activation_t *activation[COLUMNS];
    activation_shape_t shape[COLUMNS];
    char title[COLUMNS][40];
} columns_t;

static columns_t columns_of(const double beta[COLUMNS - 1])
{
    columns_t c = {0};
    for (int i = 0; i < COLUMNS; i++) {
        c.activation[i] = i ? &activation_smelu : &activation_relu;
        c.shape[i] = (activation_shape_t){.beta = i ? beta[i - 1] : 1, .clip = INFINITY};
        if (i)
            snprintf(c.title[i], sizeof c.title[i], "%s β = %g", script_name(c.activation[i]->name), beta[i - 1]);
        else
            snprintf(c.title[i], sizeof c.title[i], "%s", script_name(c.activation[i]->name));
    }
    return c;
}

/* Mean and standard error of counts. */
typedef struct count {
    double sum, squares;
    int n;
} count_t;

static void count_add(count_t *count, int64_t value)
{
    count->sum += (double)value;
    count->squares += (double)value * (double)value;
    count->n++;
}

static double count_mean(const count_t *count)
{
    return count->sum / count->n;
}

static double count_error(const count_t *count)
{
    const double mean = count_mean(count), variance = (count->squares - count->n * mean * mean) / (count->n - 1);
    return sqrt(fmax(variance, 0) / count->n);
}

/* A row of minima.tsv and of the table that is printed: counts of the four columns. */
static void put_counts(script_t *minima, const char *figure, const char *row, const char *curve, const columns_t *c,
                       const count_t count[COLUMNS])
{
    printf("%-6s  %-40s  %-17s", figure, row, curve);
    for (int i = 0; i < COLUMNS; i++) {
        fprintf(minima->out, "%s\t%s\t%s\t%s\t%g\t%.4f\t%.4f\t%d\n", figure, row, curve, c->activation[i]->name,
                i ? c->shape[i].beta : 0.0, count_mean(&count[i]), count_error(&count[i]), count[i].n);
        printf("  %6.2f ±%5.2f", count_mean(&count[i]), count_error(&count[i]));
    }
    printf("\n");
}

static void print_head(const columns_t *c)
{
    printf("%-6s  %-40s  %-17s", "figure", "network", "loss");
    for (int i = 0; i < COLUMNS; i++) {
        const int bytes = 13 + (i > 0); /* β has two */
        printf("  %*s", bytes, c->title[i]);
    }
    printf("\n");
}

/* ---- Fig. 2 ---------------------------------------------------------------------------------------------------------- */

#define CURVE_POINTS 2001
#define CURVE_REACH 6.0 /* what activated values are clipped to */
#define CURVE_ROWS 2
#define PROBABILITIES 5

static const double p1[PROBABILITIES] = {0.1, 0.3, 0.5, 0.7, 0.9};

static const struct curve_row {
    const char *title, *name;
    double weight_std, bias_std;
    landscape_norm_t norm;
} curve_rows[CURVE_ROWS] = {
    {"weight norm", "W N(0,25), b N(0,0.25), weight norm", 5, 0.5, LANDSCAPE_WEIGHT_NORM},
    {"layer norm", "W N(0,1), b N(0,1), layer norm", 1, 1, LANDSCAPE_LAYER_NORM},
};

typedef struct curves {
    columns_t columns;
    count_t count[CURVE_ROWS][PROBABILITIES][COLUMNS];
    double loss[CURVE_ROWS][COLUMNS][PROBABILITIES][CURVE_POINTS]; /* of the first network */
} curves_t;

static double curve_x(int i)
{
    return CURVE_REACH * (2.0 * i / (CURVE_POINTS - 1) - 1);
}

/* One network and activation: its losses, normalised, and their minima. */
static void curve_cell(curves_t *c, int row, int column, int network)
{
    activation_shape_t shape = c->columns.shape[column];
    shape.clip = CURVE_REACH;
    const landscape_options_t options = {SEED + (uint64_t)network,
                                         1,
                                         curve_rows[row].weight_std,
                                         curve_rows[row].bias_std,
                                         curve_rows[row].norm,
                                         c->columns.activation[column]->exact,
                                         &shape};
    landscape_t *landscape = landscape_create(&options);
    double *x = MEM_ARRAY(double, CURVE_POINTS), *s = MEM_ARRAY(double, CURVE_POINTS), *loss = MEM_ARRAY(double, CURVE_POINTS);
    for (int i = 0; i < CURVE_POINTS; i++)
        x[i] = curve_x(i);
    landscape_score(landscape, s, x, CURVE_POINTS);
    for (int k = 0; k < PROBABILITIES; k++) {
        for (int i = 0; i < CURVE_POINTS; i++)
            loss[i] = landscape_logistic(s[i], p1[k]);
        landscape_normalise(loss, CURVE_POINTS);
        count_add(&c->count[row][k][column], landscape_minima(loss, 1, CURVE_POINTS));
        if (network == 0)
            memcpy(c->loss[row][column][k], loss, sizeof c->loss[row][column][k]);
    }
    mem_free(x);
    mem_free(s);
    mem_free(loss);
    landscape_destroy(&landscape);
}

static status_t write_curves(const curves_t *c, const char *dir)
{
    script_t data;
    script_begin(&data);
    fprintf(data.out, "# network\tactivation\tbeta\tx\tactivation_value\tloss_p1=0.1\t0.3\t0.5\t0.7\t0.9\n");
    for (int row = 0; row < CURVE_ROWS; row++)
        for (int column = 0; column < COLUMNS; column++) {
            const activation_shape_t *shape = &c->columns.shape[column];
            for (int i = 0; i < CURVE_POINTS; i += 2) {
                double value, slope;
                c->columns.activation[column]->exact(curve_x(i), shape, &value, &slope);
                fprintf(data.out, "%s\t%s\t%g\t%.6g\t%.6g", curve_rows[row].title, c->columns.activation[column]->name,
                        column ? shape->beta : 0.0, curve_x(i), value);
                for (int k = 0; k < PROBABILITIES; k++)
                    fprintf(data.out, "\t%.6f", c->loss[row][column][k][i]);
                fprintf(data.out, "\n");
            }
            fprintf(data.out, "\n\n");
        }
    return script_save(&data, dir, "fig2.tsv");
}

enum { WIDTH = 1280, LEFT = 96, RIGHT = 16, GAP = 26, HEAD = 46, PANEL_HEIGHT = 200, FOOT_HEIGHT = 130, BELOW = 46 };

static panel_t cell_panel(int row, int column, double height)
{
    const double width = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / (double)COLUMNS;
    return (panel_t){LEFT + column * (width + GAP), HEAD + row * (PANEL_HEIGHT + BELOW), width, height};
}

static double mean_over_losses(const count_t (*count)[COLUMNS], int losses, int column)
{
    double sum = 0;
    for (int k = 0; k < losses; k++)
        sum += count_mean(&count[k][column]);
    return sum / losses;
}

static void put_row_label(script_t *s, int column, const char *text)
{
    fprintf(s->out, "set ylabel \"%s\" offset 0.6,0 font ',11'\n", column ? "" : text);
}

static status_t draw_curves(const curves_t *c, const char *dir)
{
    const int height = HEAD + CURVE_ROWS * (PANEL_HEIGHT + BELOW) + FOOT_HEIGHT + 40;
    script_t s;
    script_begin(&s);
    script_style(&s);
    fprintf(s.out, "set xrange [-%g:%g]\nset xtics -4,2,4\n", CURVE_REACH, CURVE_REACH);
    for (int column = 0; column < COLUMNS; column++) {
        for (int row = 0; row < CURVE_ROWS; row++) {
            script_panel(&s, cell_panel(row, column, PANEL_HEIGHT), WIDTH, height);
            fprintf(s.out, "set title '{/:Bold %s}' font ',13' offset 0,0.3\n", row ? "" : c->columns.title[column]);
            fprintf(s.out, "set label 1 'local minima: %.1f' at graph 0.98,1.045 right font ',9' tc rgb '#606060'\n",
                    mean_over_losses(c->count[row], PROBABILITIES, column));
            put_row_label(&s, column,
                          row ? "loss, layer norm\\nW, b ∼ N(0, 1)" : "loss, weight norm\\nW ∼ N(0, 25), b ∼ N(0, 0.25)");
            fprintf(s.out, "set yrange [-0.03:1.03]\nset ytics 0.5\nset format y '%s'\n", column ? "" : "%g");
            fprintf(s.out, "set key %s\n", row == 1 && column == COLUMNS - 1 ? "at graph 0.98,0.4 right center Right" : "off");
            fprintf(s.out, "plot ");
            for (int k = 0; k < PROBABILITIES; k++)
                fprintf(s.out, "%s'fig2.tsv' index %d using 4:%d with lines lw 1.5 lc rgb '%s' title 'p_{1} = %g'",
                        k ? ", " : "", row * COLUMNS + column, 6 + k, script_ramp(k, PROBABILITIES), p1[k]);
            fprintf(s.out, "\n");
        }
        script_panel(&s, cell_panel(CURVE_ROWS, column, FOOT_HEIGHT), WIDTH, height);
        put_row_label(&s, column, "activation");
        fprintf(s.out,
                "unset label 1\nset title ''\nset key off\nset yrange [-0.4:6]\nset ytics 2\n"
                "plot 'fig2.tsv' index %d using 4:5 with lines lw 2 lc rgb '%s'\n",
                column, script_colour(0));
    }
    return script_draw(&s, dir, "fig2", WIDTH, height);
}

static status_t make_curves(const char *dir, int networks, script_t *minima)
{
    static const double betas[] = {0.1, 0.5, 1};
    curves_t *c = MEM_NEW(curves_t);
    c->columns = columns_of(betas);
    for (int row = 0; row < CURVE_ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
            for (int network = 0; network < networks; network++)
                curve_cell(c, row, column, network);
    print_head(&c->columns);
    for (int row = 0; row < CURVE_ROWS; row++)
        for (int k = 0; k < PROBABILITIES; k++) {
            char curve[40];
            snprintf(curve, sizeof curve, "logistic, p1 = %g", p1[k]);
            put_counts(minima, "fig2", curve_rows[row].name, curve, &c->columns, c->count[row][k]);
        }
    status_t status = write_curves(c, dir);
    if (status == ST_OK)
        status = draw_curves(c, dir);
    mem_free(c);
    return status;
}

/* ---- Fig. 3 ---------------------------------------------------------------------------------------------------------- */

#define SIDE 81 /* points of a grid's side */
#define SURFACE_REACH 6.0
#define SURFACE_ROWS 2

static const struct surface_row {
    const char *title, *name;
    double clip;
} surface_rows[SURFACE_ROWS] = {
    {"logistic loss, p_{1} = 0.1\\nclip 6", "logistic, p1 = 0.1", 6},
    {"squared loss to −2\\nclip 4", "squared, to -2", 4},
};

typedef struct surfaces {
    columns_t columns;
    count_t count[SURFACE_ROWS][COLUMNS];
    double loss[SURFACE_ROWS][COLUMNS][SIDE * SIDE];
} surfaces_t;

static double surface_x(int i)
{
    return SURFACE_REACH * (2.0 * i / (SIDE - 1) - 1);
}

static void surface_cell(surfaces_t *c, int row, int column, int network)
{
    activation_shape_t shape = c->columns.shape[column];
    shape.clip = surface_rows[row].clip;
    const landscape_options_t options = {
        SEED + (uint64_t)network, 2, 1, 1, LANDSCAPE_WEIGHT_NORM, c->columns.activation[column]->exact, &shape};
    landscape_t *landscape = landscape_create(&options);
    const int n = SIDE * SIDE;
    double *x = MEM_ARRAY(double, 2 * n), *loss = MEM_ARRAY(double, n);
    for (int i = 0; i < n; i++) {
        x[2 * i] = surface_x(i % SIDE);
        x[2 * i + 1] = surface_x(i / SIDE);
    }
    landscape_score(landscape, loss, x, n);
    for (int i = 0; i < n; i++)
        loss[i] = row == 0 ? landscape_logistic(loss[i], 0.1) : (loss[i] + 2) * (loss[i] + 2);
    landscape_normalise(loss, n);
    count_add(&c->count[row][column], landscape_minima(loss, SIDE, SIDE));
    if (network == 0)
        memcpy(c->loss[row][column], loss, sizeof c->loss[row][column]);
    mem_free(x);
    mem_free(loss);
    landscape_destroy(&landscape);
}

static status_t write_surfaces(const surfaces_t *c, const char *dir)
{
    script_t data;
    script_begin(&data);
    fprintf(data.out, "# loss\tactivation\tbeta\tx1\tx2\tloss_value\n");
    for (int row = 0; row < SURFACE_ROWS; row++)
        for (int column = 0; column < COLUMNS; column++) {
            for (int i = 0; i < SIDE * SIDE; i++)
                fprintf(data.out, "%s%s\t%s\t%g\t%.6g\t%.6g\t%.6f\n", i && i % SIDE == 0 ? "\n" : "", surface_rows[row].name,
                        c->columns.activation[column]->name, column ? c->columns.shape[column].beta : 0.0, surface_x(i % SIDE),
                        surface_x(i / SIDE), c->loss[row][column][i]);
            fprintf(data.out, "\n\n");
        }
    return script_save(&data, dir, "fig3.tsv");
}

static status_t draw_surfaces(const surfaces_t *c, const char *dir)
{
    const int side = 270, height = HEAD + SURFACE_ROWS * side + FOOT_HEIGHT + 60;
    script_t s;
    script_begin(&s);
    script_style(&s);
    fprintf(s.out, "set xrange [-%g:%g]\nset xtics 3\n", SURFACE_REACH, SURFACE_REACH);
    for (int column = 0; column < COLUMNS; column++) {
        panel_t panel = cell_panel(0, column, side);
        fprintf(
            s.out,
            "set yrange [-%g:%g]\nset zrange [0:1]\nset cbrange [0:1]\nset ytics 6 offset 0,-0.2\nset ztics 1\nunset colorbox\n"
            "set view 38,32,1.28,1.15\nset xyplane at 0\nset border 31 lw 0.6\nset format y '%%g'\nset key off\nunset ylabel\n"
            "set pm3d depthorder lighting primary 0.35 specular 0.1 noborder\nset tics font ',8'\nset xtics 6 offset 0,-0.2\n",
            SURFACE_REACH, SURFACE_REACH);
        for (int row = 0; row < SURFACE_ROWS; row++) {
            panel.top = HEAD + row * side;
            fprintf(
                s.out, "unset lmargin; unset rmargin; unset tmargin; unset bmargin\nset origin %.5f,%.5f\nset size %.5f,%.5f\n",
                (panel.left - 34) / WIDTH, 1 - (panel.top + side) / height, (panel.width + 50) / WIDTH, (double)side / height);
            fprintf(s.out, "set label 1 '{/:Bold %s}' at screen %.5f,%.5f center font ',13'\n",
                    row ? "" : c->columns.title[column], (panel.left + panel.width / 2) / WIDTH, 1 - 24.0 / height);
            fprintf(s.out, "set label 2 'local minima: %.1f' at screen %.5f,%.5f center font ',9' tc rgb '#606060'\n",
                    count_mean(&c->count[row][column]), (panel.left + panel.width / 2) / WIDTH, 1 - (panel.top + 22) / height);
            fprintf(s.out, "set label 3 \"%s\" at screen %.5f,%.5f center rotate by 90 font ',11'\n",
                    column ? "" : surface_rows[row].title, 26.0 / WIDTH, 1 - (panel.top + side / 2.0) / height);
            fprintf(s.out, "splot 'fig3.tsv' index %d every (vector ? 2 : 1):(vector ? 2 : 1) using 4:5:6 with pm3d\n",
                    row * COLUMNS + column);
        }
        panel.top = HEAD + SURFACE_ROWS * side + 24;
        panel.height = FOOT_HEIGHT;
        script_panel(&s, panel, WIDTH, height);
        put_row_label(&s, column, "activation");
        fprintf(s.out,
                "unset label 1; unset label 2; unset label 3\nset border 3 lw 0.7\nset tics font ',10'\nset xtics 3 offset "
                "0,0\nset ytics offset 0,0\nset yrange [-0.4:6]\nset ytics 2\n"
                "set format y '%s'\nset samples 400\n",
                column ? "" : "%g");
        const double beta = c->columns.shape[column].beta;
        if (column)
            fprintf(s.out, "plot x <= -%g ? 0 : x >= %g ? x : (x + %g)**2 / (4 * %g) with lines lw 2 lc rgb '%s'\n", beta, beta,
                    beta, beta, script_colour(0));
        else
            fprintf(s.out, "plot x > 0 ? x : 0 with lines lw 2 lc rgb '%s'\n", script_colour(0));
    }
    return script_draw(&s, dir, "fig3", WIDTH, height);
}

static status_t make_surfaces(const char *dir, int networks, script_t *minima)
{
    static const double betas[] = {0.5, 1, 2};
    surfaces_t *c = MEM_NEW(surfaces_t);
    c->columns = columns_of(betas);
    for (int row = 0; row < SURFACE_ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
            for (int network = 0; network < networks; network++)
                surface_cell(c, row, column, network);
    printf("\n");
    print_head(&c->columns);
    for (int row = 0; row < SURFACE_ROWS; row++) {
        char name[64];
        snprintf(name, sizeof name, "W N(0,1), b N(0,1), weight norm, clip %g", surface_rows[row].clip);
        put_counts(minima, "fig3", name, surface_rows[row].name, &c->columns, c->count[row]);
    }
    status_t status = write_surfaces(c, dir);
    if (status == ST_OK)
        status = draw_surfaces(c, dir);
    mem_free(c);
    return status;
}

status_t figures_landscapes(const char *dir, int networks)
{
    ASSERT(networks >= 2);
    script_t minima;
    script_begin(&minima);
    fprintf(minima.out, "figure\tnetwork\tloss\tactivation\tbeta\tlocal_minima_mean\tstandard_error\tnetworks\n");
    printf("local minima, mean ± standard error over %d random networks\n\n", networks);
    status_t status = make_curves(dir, networks, &minima);
    if (status == ST_OK)
        status = make_surfaces(dir, networks, &minima);
    status_t saved = script_save(&minima, dir, "minima.tsv");
    return status == ST_OK ? saved : status;
}
