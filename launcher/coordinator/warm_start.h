/* warm_start.h - which parameters of a finished run a new one starts from (warm_start: DIR), by name and shape.
 *
 * A table is taken where component number and field name are the same and rows have the same width and optimizer; a block of a
 * network ("layer 2 weights") where component number, name, shape and optimizer are the same. The weights of layer 1 meet the
 * inputs column by column, so they are taken only where all inputs have the same names in the same order. Rows and blocks come
 * with their optimizer state. What is not taken starts as in any run.
 *
 * What is taken means something only for values made as those of the finished run: a field of both must have the same kind and
 * rules, and a numeric field of both keeps the scaling of the finished run (launcher/run/input_fields.h). */
#ifndef SMELTER_WARM_START_H
#define SMELTER_WARM_START_H

#include "common/config/config.h"
#include "launcher/run/input_fields.h"
#include "launcher/run/manifest.h"

/* Consecutive floats of a component, counted from its first value through its last state (as DENSE has them). */
typedef struct warm_piece {
    int component;
    int64_t first, n;
    const float *floats; /* borrowed from the plan */
} warm_piece_t;

typedef struct warm_start {
    char *dir;      /* of the finished run; **owned**, as all: warm_start_fini */
    manifest_t run; /* its manifest */
    int32_t tables; /* number of them */
    int32_t *map;   /* [tables] ... and each goes to this table, or -1 */
    int32_t tables_taken;
    warm_piece_t *pieces;
    int n_pieces;
    int blocks_taken, blocks; /* of this run's networks */
    int components;           /* of the finished run */
    float **dense;            /* [components] */
    input_fields_t inputs;    /* of the finished run */
} warm_start_t;

/* warm_start_plan - read the run in config->warm_start and decide; one log line per part that is taken or not. ST_INPUT: there
 * is no finished run, nothing of it fits, or a field's values were made in another way;  ST_CORRUPT: its files are not what a
 * run writes. */
WARN_UNUSED status_t warm_start_plan(const config_t *config, const dataset_info_t *info, warm_start_t *out);

/* warm_start_check - would warm_start_plan succeed? Says nothing where it would; errors are the same. For jobs that train other
 * runs first. */
WARN_UNUSED status_t warm_start_check(const config_t *config, const dataset_info_t *info);
void warm_start_fini(warm_start_t *plan);

#endif
