/* init_files.h - a guess as files: the import schema and an experiment that is sized to the file, both with their reasons and
 * questions as comments. */
#ifndef SMELTER_INIT_FILES_H
#define SMELTER_INIT_FILES_H

#include "launcher/init/guess.h"

/* init_schema_text, init_experiment_text - the whole text of schema.yaml and experiment.yaml; **owned**, mem_free. input: the
 * file, absolute. The same file gives the same texts. */
char *init_schema_text(const sample_t *sample, const guess_t *guess, const char *input);
char *init_experiment_text(const sample_t *sample, const guess_t *guess, const char *input);

/* init_print - what was found, on standard output. dir: where the files are. */
void init_print(const sample_t *sample, const guess_t *guess, const char *input, const char *dir);

#endif
