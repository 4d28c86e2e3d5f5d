/* sample.h - the first rows of an input file whose schema nobody has written yet, column by column, for guesses about it.
 *
 * Read are as many rows as fit into a fixed number of cells, and then some more that are only counted; so what is said of a
 * file is a function of its bytes, and a large one costs seconds.  One thread. */
#ifndef SMELTER_SAMPLE_H
#define SMELTER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/config/config.h"

/* What a cell holds: nothing, a word for nothing (NA, NULL ..), a whole number, another number, a date, a text. */
typedef enum cell_form { CELL_EMPTY, CELL_WORD, CELL_WHOLE, CELL_NUMBER, CELL_DATE, CELL_TEXT, CELL_FORMS } cell_form_t;

/* Words for nothing; ends with a NULL. */
extern const char *const sample_words[];

/* Characters that may stand between the values of one cell, in the order in which they are preferred. */
#define SAMPLE_SEPARATORS "|;,^ "
#define SAMPLE_SEPARATORS_COUNT 5

/* What cells are when they are cut at a separator. */
typedef struct sample_cut {
    int64_t cells, parts; /* cells that have it; parts of all cells */
    uint64_t *set;        /* [capacity] hashes of the different parts, 0: free; **owned** */
    int64_t distinct, capacity;
} sample_cut_t;

typedef struct sample_column {
    char *name;         /* as a schema calls it; c1, c2 ... without a header */
    uint64_t *hash;     /* [rows] of the cell's text */
    double *number;     /* [rows] NaN where it is none; of dates microseconds since 1970 */
    uint8_t *form;      /* [rows] cell_form_t */
    int64_t text_bytes; /* of all cells */
    char *text[3];      /* the first different texts; **owned**, NULL where there are fewer */
    bool is_list;       /* its cells are lists, which need no separator */
    uint32_t words;     /* bit 1 << i: sample_words[i] is in it */
    sample_cut_t cut[SAMPLE_SEPARATORS_COUNT];
} sample_column_t;

typedef struct sample {
    text_format_t format;
    bool header;
    int columns; /* 0 of a format of features */
    sample_column_t *column;
    int64_t rows;       /* that are kept */
    int64_t in_file;    /* rows in all, faulty ones left out; */
    bool is_counted;    /* else estimated from the share of the file that was read */
    int64_t faulty;     /* rows among those read that have no proper form, */
    int64_t fault_line; /* the first of them, and */
    const char *fault;  /* what is wrong with it */
    bool has_group;     /* features: rows have a query id; */
    bool any_id;        /* features: ids are texts, or above 2^48 */
    int64_t positive;   /* labels that are 1 */
} sample_t;

/* sample_read - ST_INPUT where the file cannot be read, or is of no format that is known.  **owned**; sample_free. */
WARN_UNUSED status_t sample_read(const char *path, sample_t *out);
void sample_free(sample_t *sample);

#endif
