/* initial_export.h - what a run's training started from, for a check by another program: initial values, examples, and the
 * order in which they are visited. With docs/MATH.md these determine the run. docs/FILES.md describes the files. */
#ifndef SMELTER_INITIAL_EXPORT_H
#define SMELTER_INITIAL_EXPORT_H

#include "common/base/status.h"

/* initial_export - of the finished run in `run_dir` into `folder`, which is empty or not there yet; says on standard output
 * what was written. The run's dataset must be where its config.yaml says.
 * ST_INPUT: no finished run; another dataset; a run that started from another's parameters.
 * Cost: the dataset is in memory once. */
WARN_UNUSED status_t initial_export(const char *run_dir, const char *folder);

#endif
