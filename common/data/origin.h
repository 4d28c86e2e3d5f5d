/* origin.h - what a dataset was made of: the text file and the schema that it was imported by, or the generator's settings.
 *
 * It is a record of its own beside the dataset's other records, outside of the content hash: two imports of one text are the
 * same dataset, wherever the text lay. Datasets that were made before it was kept have none. */
#ifndef SMELTER_ORIGIN_H
#define SMELTER_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/files/fingerprint.h"

typedef enum origin_kind { ORIGIN_UNKNOWN, ORIGIN_IMPORT, ORIGIN_SYNTH, ORIGIN_KINDS } origin_kind_t;

/* One of several files. */
typedef struct origin_file {
    char *path; /* **owned**, as origin_t.input of a single one */
    bool is_file;
    fingerprint_t print;
    int64_t rows; /* of the input, bad ones counted */
} origin_file_t;

typedef struct origin {
    origin_kind_t kind;
    /* ORIGIN_IMPORT */
    char *input;  /* **owned**, absolute path; as it was given where it is no file of the file system */
    bool is_file; /* a regular file; of a pipe nothing is known later, and `file` is zero */
    fingerprint_t file;
    origin_file_t *files; /* **owned** [files_count]; of an import of more files than one, of which `input` is a word */
    int files_count;
    char *schema; /* **owned**, a preset's name or an absolute path */
    /* both */
    char *settings; /* **owned**, the schema (schema_text) or the synth.* keys, one setting per line */
} origin_t;

void origin_fini(origin_t *origin);
origin_t origin_copy(const origin_t *origin);

#endif
