#include <stdio.h>

#include "common/base/log.h"
#include "common/files/file.h"
#include "launcher/commands/commands.h"
#include "launcher/figures/figures.h"
#include "launcher/figures/gnuplot.h"

status_t command_figures(const options_t *options)
{
    const char *dir = options->out ? options->out : "out/figures";
    TRY(gnuplot_check());
    TRY(dir_create(dir));
    TRY(dir_check_writable(dir));
    if (options->argument) {
        bool local = false;
        TRY(figures_locality(options->argument, dir, &local));
        TRY(figures_tradeoff(options->argument, dir));
        printf("%s/fig4.svg  %s/fig4.png\n", dir, dir);
        if (local)
            printf("%s/locality.svg  %s/locality.png\n", dir, dir);
        return ST_OK;
    }
    TRY(figures_activations(dir));
    TRY(figures_landscapes(dir, FIGURES_NETWORKS));
    printf("\n%s: fig1, fig2, fig3 as .svg and .png; data in fig1.tsv, fig2.tsv, fig3.tsv, minima.tsv\n", dir);
    return ST_OK;
}
