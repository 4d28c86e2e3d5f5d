/* layer_activation.h - the activations of an MLP: which function with which numbers behind each layer, and the numbers that
 * are learned (gSmeLU, docs/MATH.md section 3).
 *
 * Activated layer 0 is the MLP's input, 1 .. L-1 are its hidden layers. Learned sets are the first parameters of an MLP, so
 * that their place follows from the configuration alone: the sets of the hidden layers in order, then that of the input
 * layer; a set is five numbers (gsmelu_number_t) of `units` values each. Parameters are counted from the MLP's first, here
 * and below. Used by part_mlp.c only, but for the listing of sets. One thread.                                          */
#ifndef SMELTER_LAYER_ACTIVATION_H
#define SMELTER_LAYER_ACTIVATION_H

#include <stdint.h>

#include "common/config/config.h"
#include "common/kernels/activation.h"

/* A learned set of gSmeLU in an MLP's parameters. */
typedef struct gsmelu_set {
    int layer;      /* activated layer that uses it; -1: all that are gsmelu */
    int units;      /* values of each number: 1, or the layer's width */
    int64_t offset; /* of the first number; number k of unit j is at offset + k units + j */
} gsmelu_set_t;

#define GSMELU_SETS_MAX 65 /* a set for each of the most hidden layers that a configuration may have, and the input */

/* layer_activation_sets - the learned sets of an MLP, in order of their offsets; returns how many.
 * inputs is the width of layer 0; where it is not known, 0 leaves out a set that has a value per input. */
int layer_activation_sets(const config_t *config, int inputs, gsmelu_set_t sets[GSMELU_SETS_MAX]);

/* A width that is found (model.beta_spread): numbers of a layer that lie among the parameters, where they are saved, hashed and
 * restored with them. They take part in no gradient. What lanes give in the place of theirs is what they saw, and the tree that
 * sums gradients over lanes and workers makes of it what the batch saw, the same for any cluster. */
typedef enum found_number {
    FOUND_BETA,
    FOUND_STEPS,   /* of the warm-up, that were made */
    FOUND_SEEN,    /* pre-activations in them */
    FOUND_SUM,     /* of these, and of their squares; after the warm-up */
    FOUND_SQUARES, /* mean and spread lie in their places */
    FOUND_NUMBERS,
    FOUND_MEAN = FOUND_SUM,
    FOUND_SPREAD = FOUND_SQUARES
} found_number_t;

/* layer_activation_found - offset of the found numbers of activated layer `layer` in an MLP's parameters; -1: it has none. They
 * are the first, hidden layers in order, then the input layer; a network with learned sets has none. */
int64_t layer_activation_found(const config_t *config, int layer);

typedef struct layer_activation {
    const activation_t *function;
    activation_shape_t shape; /* knots and slopes point to the two arrays below */
    double *knots, *slopes;
    int width;
    int64_t found;     /* offset of the found numbers, where there are some */
    int64_t warmup;    /* model.beta_warmup; 0: there are none */
    double spreads;    /* model.beta_spread */
    bool is_searching; /* its beta is not found yet */
    int64_t set;       /* offset of the learned set, or -1 */
    int set_units;     /* 1 or width */
    float *numbers;    /* [5][width] the set as each unit sees it; NULL where nothing is learned */
    float *dnumbers;   /* [5][width] gradient since the last clear */
} layer_activation_t;

/* layer_activation_init - of activated layer `layer` with `width` units; layer_activation_fini releases. */
void layer_activation_init(layer_activation_t *a, const config_t *config, int layer, int width, int inputs);
void layer_activation_fini(layer_activation_t *a);

/* layer_activation_start - write the initial numbers of a learned set, or found numbers, into the parameters. */
void layer_activation_start(const layer_activation_t *a, float *parameters);

/* layer_activation_refresh - take over the learned or found numbers after the parameters have changed. */
void layer_activation_refresh(layer_activation_t *a, const float *parameters);

/* layer_activation_keeps - is it worth a buffer of slopes, [rows][width], from forward to backward? */
bool layer_activation_keeps(const layer_activation_t *a);

/* layer_activation_forward - y := clip(f(x)) of rows x width values; y may be x. slope := for backward, or NULL. */
void layer_activation_forward(const layer_activation_t *a, float *y, float *slope, const float *x, int rows);

/* layer_activation_inside - how many of a row's values x [width] are in the bend: [-beta, beta], or what gsmelu's numbers or a
 * sharpness make of it (docs/MATH.md, section 3); 0 where the function has no beta. */
int layer_activation_inside(const layer_activation_t *a, const float *x);

/* layer_activation_see - what rows of the lane in flight, x [rows][width], add to the found numbers: dparameters +=. For a
 * layer that is searching, as the next.
 * layer_activation_find - a step was made: dparameters of all lanes have been added to the parameters. After the last step of
 * the warm-up the layer has its beta. */
void layer_activation_see(const layer_activation_t *a, float *dparameters, const float *x, int rows);
void layer_activation_find(const layer_activation_t *a, float *parameters);

/* layer_activation_clear, _backward, _add - the gradient of one lane: clear what was summed, pass all rows in order, in any
 * number of calls (dx := ; may be dy), then add that of a learned set to the parameters': dparameters += . slope is what
 * forward kept; where NULL, it is computed again from x, with the same bits, else x is not looked at. */
void layer_activation_clear(layer_activation_t *a);
void layer_activation_backward(layer_activation_t *a, float *dx, const float *dy, const float *x, const float *slope, int rows);
void layer_activation_add(const layer_activation_t *a, float *dparameters);

#endif
