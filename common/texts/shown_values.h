/* shown_values.h - values of a dataset as a person reads them: their texts where the dataset keeps them, the texts of the most
 * frequent ones where it does not, else keys; everything as printable.h has it. Opens what is kept at the first value. Where
 * that is damaged it says so once, as a warning, and goes on without.
 *
 * One thread. The dataset stays open meanwhile. */
#ifndef SMELTER_SHOWN_VALUES_H
#define SMELTER_SHOWN_VALUES_H

#include "common/data/dataset.h"
#include "common/texts/kept_texts.h"

typedef struct shown_values shown_values_t;

shown_values_t *shown_values_create(const dataset_t *dataset); /* **owned**, shown_values_destroy */
void shown_values_destroy(shown_values_t **shown);

/* shown_values_put - a categorical value of field f: its text, "(missing)", or #KEY in hex. Of a bucket of transform
 * log2_bucket whose text is kept also which numbers are in it. */
void shown_values_put(shown_values_t *shown, int f, uint64_t key, char *text, size_t bytes);

/* shown_values_find - the text of a value of no matter which field, as it was in the input, until the next one; false where it
 * is not kept.  shown_values_key - the same, printable; text is "" where it is not kept. */
WARN_UNUSED bool shown_values_find(shown_values_t *shown, uint64_t key, kept_text_t *out);
WARN_UNUSED bool shown_values_key(shown_values_t *shown, uint64_t key, char *text, size_t bytes);

/* shown_values_group - a query id: its text, "(missing)", or its key in hex. */
void shown_values_group(shown_values_t *shown, uint64_t key, char *text, size_t bytes);

/* shown_values_kept - what is kept; NULL: nothing, or it is damaged. */
const kept_index_t *shown_values_kept(shown_values_t *shown);

#endif
