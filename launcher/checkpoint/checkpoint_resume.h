/* checkpoint_resume.h - the checkpoint that a run goes on from: found, checked against the run that is wanted, read.
 *
 * Nothing is sent from here: the coordinator tells shards and workers what this finds. */
#ifndef SMELTER_CHECKPOINT_RESUME_H
#define SMELTER_CHECKPOINT_RESUME_H

#include <stdbool.h>

#include "launcher/checkpoint/checkpoint_manifest.h"
#include "launcher/run/manifest.h"

typedef struct checkpoint_resume {
    char *run_dir; /* **owned**, as all: checkpoint_resume_fini */
    char *folder;  /* of the checkpoint */
    checkpoint_manifest_t from;
} checkpoint_resume_t;

/* checkpoint_resume_find - the newest checkpoint of a run; *found is false, and out untouched, where it has none.
 * checkpoint_resume_open - that in a folder RUN/checkpoint/epoch-EEEE/step-S.
 * ST_INPUT: of a newer format;  ST_CORRUPT: its manifest is damaged; an older checkpoint is not taken in its place without
 * being asked for. out **owned**. */
WARN_UNUSED status_t checkpoint_resume_find(disk_t *disk, const char *run_dir, checkpoint_resume_t *out, bool *found);
WARN_UNUSED status_t checkpoint_resume_open(disk_t *disk, const char *folder, checkpoint_resume_t *out);
void checkpoint_resume_fini(checkpoint_resume_t *resume);

/* checkpoint_resume_hint - after an error, which it repeats at its end: log how to go on from the checkpoint before the
 * newest, if there is one: for whom the newest fails. */
void checkpoint_resume_hint(disk_t *disk, const char *run_dir);

/* checkpoint_resume_incarnation - of the next start in this folder: higher than that of any before, committed or not; 1 at
 * first. */
WARN_UNUSED status_t checkpoint_resume_incarnation(disk_t *disk, const char *run_dir, uint32_t *incarnation);

/* checkpoint_resume_inputs - the input contract of the run: that which the checkpoint records, or else that of RUN/inputs.json;
 * *found is false, and out untouched, where there is neither.  ST_CORRUPT: inputs.json is not what a run writes. out
 * **owned**. */
WARN_UNUSED status_t checkpoint_resume_inputs(const checkpoint_resume_t *resume, input_fields_t *out, bool *found);

/* checkpoint_resume_check - may the run that is wanted (with its configuration) go on from it?
 *
 * The cluster may have any size at invariant; at sync it needs the same workers, since their number decides how gradients are
 * summed, while the number of servers decides only where a row is. Configuration keys of class tunable may have other values:
 * they are listed, one line each, and apply from the checkpoint's step on.
 * ST_INPUT names all that differs and must not: experiment, dataset, teacher, keys of class identity, workers. Build and
 * kernels that differ are warned about. */
WARN_UNUSED status_t checkpoint_resume_check(const checkpoint_resume_t *resume, const manifest_t *wanted);

/* checkpoint_resume_dense - values and optimizer state of a component: *out **owned** (mem_free), [*n].
 * checkpoint_resume_progress - what progressive_resume takes: *out **owned**, of from.progress.bytes.
 * ST_INPUT, ST_CORRUPT name the file. */
WARN_UNUSED status_t checkpoint_resume_dense(disk_t *disk, const checkpoint_resume_t *resume, int component, float **out,
                                             int64_t *n);
WARN_UNUSED status_t checkpoint_resume_progress(disk_t *disk, const checkpoint_resume_t *resume, char **out);

#endif
