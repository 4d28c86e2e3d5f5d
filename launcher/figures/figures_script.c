#include "launcher/figures/figures_script.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "launcher/figures/gnuplot.h"

void script_begin(script_t *script)
{
    *script = (script_t){0};
    script->out = open_memstream(&script->text, &script->bytes);
    ASSERT(script->out);
}

static void end(script_t *script)
{
    int failed = fclose(script->out);
    ASSERT(!failed);
    script->out = NULL;
}

static void forget(script_t *script)
{
    free(script->text);
    *script = (script_t){0};
}

status_t script_save(script_t *script, const char *dir, const char *file)
{
    end(script);
    char *path = mem_printf("%s/%s", dir, file);
    status_t status = file_write_atomic(path, script->text, script->bytes);
    mem_free(path);
    forget(script);
    return status;
}

status_t script_draw(script_t *script, const char *dir, const char *name, int width, int height)
{
    fprintf(script->out, "unset multiplot\nset output\n");
    end(script);
    status_t status = gnuplot_draw(dir, name, script->text, width, height);
    forget(script);
    return status;
}

void script_style(script_t *script)
{
    fputs("set encoding utf8\n"
          "set datafile separator tab\n"
          "set minussign\n"
          "set border 3 lc rgb '#606060' lw 0.7\n"
          "set grid lc rgb '#e4e4e4' lt 1 lw 0.6\n"
          "set tics nomirror scale 0.4 tc rgb '#404040' font ',10'\n"
          "set key font ',10' tc rgb '#202020' samplen 1.4 spacing 1.05 noautotitle\n"
          "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')\n"
          "set multiplot\n",
          script->out);
}

void script_panel(script_t *script, panel_t p, int width, int height)
{
    fprintf(script->out,
            "set lmargin at screen %.5f; set rmargin at screen %.5f; set tmargin at screen %.5f; set bmargin at screen %.5f\n",
            p.left / width, (p.left + p.width) / width, 1 - p.top / height, 1 - (p.top + p.height) / height);
}

const char *script_ramp(int i, int n)
{
    static const char *const colours[] = {"#440154", "#414487", "#2a788e", "#22a884",
                                          "#7ad151"}; /* viridis; its yellow is too pale for lines */
    enum { COLOURS = sizeof colours / sizeof *colours };
    return colours[n <= 1 ? 0 : i * (COLOURS - 1) / (n - 1)];
}

const char *script_colour(int i)
{
    static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#000000", "#8c6d1f"};
    return colours[i % (int)(sizeof colours / sizeof *colours)];
}

enum { KEY_COLOURS = 9 };

const char *script_key_colour(int i)
{
    static const char *const colours[KEY_COLOURS] = {"#5f6872", "#0069a8", "#c14a06", "#0b7a5a", "#95398a",
                                                     "#836200", "#b82e52", "#4a55b8", "#2c7382"}; /* html/style.css */
    return colours[i % KEY_COLOURS];
}

/* Circle, square, triangle, diamond, the triangle upside down, cross, hexagon: html/charts.js, as near as gnuplot comes. */
int script_key_type(int i)
{
    static const int types[] = {7, 5, 9, 13, 11, 2, 15};
    return types[(i + i / KEY_COLOURS) % (int)(sizeof types / sizeof *types)];
}

const char *script_name(const char *activation)
{
    static const char *const names[][2] = {{"relu", "ReLU"},
                                           {"leaky_relu", "leaky ReLU"},
                                           {"elu", "ELU"},
                                           {"selu", "SELU"},
                                           {"celu", "CELU"},
                                           {"softplus", "SoftPlus"},
                                           {"swish", "Swish"},
                                           {"gelu", "GELU"},
                                           {"gelu_swish", "GELU by Swish"},
                                           {"mish", "Mish"},
                                           {"tanhexp", "TanhExp"},
                                           {"smelu", "SmeLU"},
                                           {"gsmelu", "gSmeLU"},
                                           {"rescu", "RESCU"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], activation) == 0)
            return names[i][1];
    return activation;
}
