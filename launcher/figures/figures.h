/* figures.h - the figures of Shamir and Lin, "Real World Large Scale Recommendation Systems Reproducibility and Smooth
 * Activations", 2022, drawn anew: DIR/figN.svg, .png, the data they show and the gnuplot script that shows it. */
#ifndef SMELTER_FIGURES_H
#define SMELTER_FIGURES_H

#include <stdbool.h>

#include "common/base/status.h"

/* figures_activations - Fig. 1: every activation of the table and its gradient, for several beta. fig1.tsv: activation,
 * curve, x, value, gradient. */
WARN_UNUSED status_t figures_activations(const char *dir);

#define FIGURES_NETWORKS 20 /* the standard error of a mean count is then a tenth of it or less */

/* figures_landscapes - Figs. 2 and 3: the loss of a random network against one and two inputs. fig2.tsv, fig3.tsv: one
 * network, as shown; minima.tsv: local minima (launcher/figures/landscape.h), mean and standard error over the networks (2
 * or more), also printed to standard output. Cost: about half a second a network. */
WARN_UNUSED status_t figures_landscapes(const char *dir, int networks);

/* figures_tradeoff - Fig. 4: relative PD against the change of PQAUC loss from ReLU, one line per activation over its
 * betas, from an experiment's results.json. fig4.tsv holds the points and their bars.
 * ST_INPUT: no such file; no variant with ReLU and neither a baseline to stand for it; less than two replicas; no query column.
 * ST_CORRUPT: not a results.json. */
WARN_UNUSED status_t figures_tradeoff(const char *results_path, const char *dir);

/* figures_locality - relative PD against the size of the windows that the training data was shuffled in, one line per model:
 * locality.svg, .png and .tsv, from a results.json in which variants differ in that. *drawn: there are such.
 * ST_CORRUPT: not a results.json. */
WARN_UNUSED status_t figures_locality(const char *results_path, const char *dir, bool *drawn);

#endif
