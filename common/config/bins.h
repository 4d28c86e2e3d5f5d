/* bins.h - intervals that numbers fall into, as a schema's column asks for them:
 *
 *     (nothing)       none
 *     [18, 25, 35]    edges: a number is in the bin that begins at the largest edge not above it, or before the first
 *     10              as many bins, whose edges are quantiles of the training rows
 *     []              one bin: what is left of quantiles where all numbers are equal
 *
 * A bin is a category, and its text, "[18, 25)", says its interval; the first is "(-inf, 18)", the last "[35, inf)". Lists come
 * as one line of text (schema.c). Looking for quantiles is launcher/ingest's. */
#ifndef SMELTER_BINS_H
#define SMELTER_BINS_H

#include <stdbool.h>

#define BINS_MOST 1024
#define BIN_TEXT_BYTES 64

typedef struct bins {
    int count;    /* edges + 1; 0: there are none */
    double *edge; /* **owned** [count - 1] ascending, finite; NULL: quantiles that are not known yet */
} bins_t;

/* bins_parse - of a text (borrowed, may be NULL): NULL, and *out is **owned**, bins_fini; or what is wrong, and *out is
 * empty. */
const char *bins_parse(const char *text, bins_t *out);
void bins_fini(bins_t *bins);

/* bins_text - edges as a schema has them, which reads back as the same bins; **owned**. */
char *bins_text(const bins_t *bins);

/* bins_of - the bin of a finite number, 0 <= bin < count.  bins_name - the text of a bin. Edges are known. */
int bins_of(const bins_t *bins, double value);
void bins_name(const bins_t *bins, int bin, char out[BIN_TEXT_BYTES]);

#endif
