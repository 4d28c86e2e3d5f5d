/* facts.h - what a column of a sample holds, in numbers, and how much it tells of the label. */
#ifndef SMELTER_FACTS_H
#define SMELTER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "launcher/init/sample.h"

typedef struct facts {
    int64_t form[CELL_FORMS];         /* cells of each form */
    int64_t filled;                   /* cells that are neither empty nor a word for nothing */
    int64_t distinct;                 /* different texts among the filled ones */
    int64_t numbers;                  /* whole and other numbers, no dates */
    double least, most, mean, spread; /* of numbers and dates; NaN where there are none */
    int64_t descents;                 /* numbers and dates that are below the one before them */
    int64_t ones;                     /* numbers that are 1 */
    bool is_binary;                   /* all filled cells are 0 or 1, and both occur */
} facts_t;

/* facts_of - one pass, and a sort of its texts. */
void facts_of(const sample_t *sample, int column, facts_t *out);

/* What a column tells of a label, which is 0 or 1 of a row, or 2 where the row has none. */
typedef struct telling {
    double gain;   /* share of the label's entropy that it explains in rows that it was not learned from; 0: nothing, 1: all */
    double purest; /* largest share of one label among rows of one value that is frequent; of the label that is not the rule */
} telling_t;
void facts_telling(const sample_t *sample, int column, const uint8_t *label, telling_t *out);

#endif
