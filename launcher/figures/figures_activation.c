/* Fig. 1. One pair of panels per activation: the function above, its gradient below, both by the exact forms in double.
 * What the paper shows comes first, then the rest of the table in its order, so that a new line there appears here by
 * itself. */
#include "launcher/figures/figures.h"

#include <math.h>
#include <string.h>

#include "common/config/config.h"
#include "common/kernels/activation.h"
#include "launcher/figures/figures_script.h"

#define COLUMNS 5
#define REACH 5.0 /* x from -REACH to REACH */
#define STEPS 400
#define CURVES_MOST 4

typedef struct drawn_curve {
    char label[40];
    activation_shape_t shape;
} drawn_curve_t;

typedef struct plot_place {
    const activation_t *activation;
    char title[80];
    drawn_curve_t curve[CURVES_MOST];
    int curves, first; /* index of the first curve in the data */
    double steepest;   /* gradient of all curves */
} plot_place_t;

/* RESCU's shape in the figure: flat, a slow rise, a fast one, then slope 1; four pieces more than SmeLU cannot do. */
static const double knots[] = {-1.5, -0.5, 0.5, 1}, slopes[] = {0, 0.15, 0.85, 1};

static const activation_shape_t plain = {
    .beta = 1, .clip = INFINITY, .leak = 0.01, .alpha = 1, .left = 0, .right = 1, .knots = 4, .knot = knots, .slope = slopes};

static void add_leaks(plot_place_t *place)
{
    static const double leaks[] = {0.01, 0.1, 0.3};
    snprintf(place->title, sizeof place->title, "%s, slope on the left", script_name(place->activation->name));
    for (int i = 0; i < 3; i++) {
        drawn_curve_t *curve = &place->curve[place->curves++];
        curve->shape = plain;
        curve->shape.leak = leaks[i];
        snprintf(curve->label, sizeof curve->label, "%g", leaks[i]);
    }
}

static void add_generalised(plot_place_t *place)
{
    static const struct {
        const char *label;
        double alpha, beta, left, right, level;
    } sets[] = {
        {"1, 1, 0, 1, 0", 1, 1, 0, 1, 0},
        {"2, 2, −0.2, 1, −0.1", 2, 2, -0.2, 1, -0.1},
        {"0.5, 3, 0.1, 1, −0.3", 0.5, 3, 0.1, 1, -0.3},
        {"3, 1, −0.1, 1.2, −0.3", 3, 1, -0.1, 1.2, -0.3},
    };
    snprintf(place->title, sizeof place->title, "%s (α, β, g_{−}, g_{+}, t)", script_name(place->activation->name));
    for (int i = 0; i < 4; i++) {
        drawn_curve_t *curve = &place->curve[place->curves++];
        curve->shape = plain;
        curve->shape.alpha = sets[i].alpha;
        curve->shape.beta = sets[i].beta;
        curve->shape.left = sets[i].left;
        curve->shape.right = sets[i].right;
        curve->shape.level = sets[i].level;
        snprintf(curve->label, sizeof curve->label, "%s", sets[i].label);
    }
}

static void add_betas(plot_place_t *place)
{
    static const double betas[] = {0.5, 1, 2, 4};
    for (int i = 0; i < 4; i++) {
        drawn_curve_t *curve = &place->curve[place->curves++];
        curve->shape = plain;
        curve->shape.beta = betas[i];
        snprintf(curve->label, sizeof curve->label, "β = %g", betas[i]);
    }
}

static void fill_place(plot_place_t *place, int kind)
{
    place->activation = activation_get(kind);
    snprintf(place->title, sizeof place->title, "%s", script_name(place->activation->name));
    if (kind == ACTIVATION_LEAKY_RELU)
        add_leaks(place);
    else if (kind == ACTIVATION_GSMELU)
        add_generalised(place);
    else if (place->activation->beta != BETA_NONE)
        add_betas(place);
    else
        place->curve[place->curves++].shape = plain;
}

/* The paper's columns first; the identity is no activation to look at. */
static int choose(plot_place_t *places)
{
    static const int paper[] = {ACTIVATION_SOFTPLUS, ACTIVATION_SWISH, ACTIVATION_GELU, ACTIVATION_SMELU, ACTIVATION_GSMELU};
    bool chosen[ACTIVATION_COUNT] = {[ACTIVATION_IDENTITY] = true};
    int n = 0;
    for (size_t i = 0; i < sizeof paper / sizeof *paper; i++) {
        fill_place(&places[n++], paper[i]);
        chosen[paper[i]] = true;
    }
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        if (!chosen[kind])
            fill_place(&places[n++], kind);
    return n;
}

static status_t write_data(plot_place_t *places, int n, const char *dir)
{
    script_t data;
    script_begin(&data);
    fprintf(data.out, "# activation\tcurve\tx\tvalue\tgradient\n");
    int index = 0;
    for (int i = 0; i < n; i++) {
        places[i].first = index;
        places[i].steepest = 1;
        for (int k = 0; k < places[i].curves; k++, index++) {
            const drawn_curve_t *curve = &places[i].curve[k];
            for (int step = 0; step <= STEPS; step++) {
                double x = REACH * (2.0 * step / STEPS - 1), value, slope;
                places[i].activation->exact(x, &curve->shape, &value, &slope);
                places[i].steepest = fmax(places[i].steepest, slope);
                fprintf(data.out, "%s\t%s\t%.9g\t%.9g\t%.9g\n", places[i].activation->name, curve->label, x, value, slope);
            }
            fprintf(data.out, "\n\n");
        }
    }
    return script_save(&data, dir, "fig1.tsv");
}

/* ---- the picture ----------------------------------------------------------------------------------------------------- */

#define WIDTH 1500
#define MARGIN_LEFT 62
#define MARGIN_RIGHT 14
#define GAP 34           /* between columns */
#define HEAD 44          /* above the first band */
#define VALUE_HEIGHT 190 /* of the upper panel */
#define SLOPE_HEIGHT 120 /* of the lower one */
#define INNER_GAP 12
#define BAND (VALUE_HEIGHT + INNER_GAP + SLOPE_HEIGHT + 74)

static void plot(script_t *script, const plot_place_t *place, int column)
{
    fprintf(script->out, "plot ");
    for (int k = 0; k < place->curves; k++)
        fprintf(script->out, "%s'fig1.tsv' index %d using 3:%d with lines lw 1.8 lc rgb '%s' title '%s'", k ? ", " : "",
                place->first + k, column, script_ramp(k, place->curves), column == 4 ? place->curve[k].label : "");
    fprintf(script->out, "\n");
}

static status_t draw(const plot_place_t *places, int n, const char *dir)
{
    const int bands = (n + COLUMNS - 1) / COLUMNS, height = HEAD + bands * BAND - 30;
    const double width = (WIDTH - MARGIN_LEFT - MARGIN_RIGHT - (COLUMNS - 1) * GAP) / (double)COLUMNS;
    script_t s;
    script_begin(&s);
    script_style(&s);
    fprintf(s.out, "set xrange [-%g:%g]\nset xtics 2\nset key top left Left reverse\n", REACH, REACH);
    for (int i = 0; i < n; i++) {
        panel_t panel = {MARGIN_LEFT + i % COLUMNS * (width + GAP), HEAD + i / COLUMNS * BAND, width, VALUE_HEIGHT};
        script_panel(&s, panel, WIDTH, height);
        fprintf(s.out, "set key font ',%s'\n", strchr(places[i].curve[0].label, ',') ? "8" : "10"); /* five numbers take room */
        fprintf(s.out, "set title '{/:Bold %s}' font ',13' offset 0,-0.4\nset format x ''\n", places[i].title);
        fprintf(s.out, "set ylabel '%s' offset 1.2,0 font ',11'\nset yrange [-1.6:5]\nset ytics 1\n",
                i % COLUMNS ? "" : "activation");
        plot(&s, &places[i], 4);
        panel.top += VALUE_HEIGHT + INNER_GAP;
        panel.height = SLOPE_HEIGHT;
        script_panel(&s, panel, WIDTH, height);
        fprintf(s.out, "unset title\nset format x '%%g'\nset ylabel '%s'\nset yrange [-0.4:%g]\nset ytics 0.5\n",
                i % COLUMNS ? "" : "gradient", places[i].steepest > 1.35 ? 1.9 : 1.35);
        plot(&s, &places[i], 5);
    }
    return script_draw(&s, dir, "fig1", WIDTH, height);
}

status_t figures_activations(const char *dir)
{
    plot_place_t places[ACTIVATION_COUNT] = {0};
    const int n = choose(places);
    TRY(write_data(places, n, dir));
    return draw(places, n, dir);
}
