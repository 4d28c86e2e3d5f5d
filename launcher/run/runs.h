/* runs.h - the folders of runs at or below one that a person names: a run's own, or an experiment's with VARIANT/rREPLICA
 * below. */
#ifndef SMELTER_RUNS_H
#define SMELTER_RUNS_H

#include "common/base/status.h"

/* runs_visit - call `visit` on every folder at or up to two levels below `dir` that has an entry `mark` (a run's manifest.json,
 * its checkpoint folder), in order of names, until one does not return ST_OK, which is then returned. Nothing is looked for
 * below a folder that was visited. */
WARN_UNUSED status_t runs_visit(const char *dir, const char *mark, status_t (*visit)(void *context, const char *run_dir),
                                void *context);

/* Folders of runs of one model. */
typedef struct runs_list {
    char **folder; /* **owned**, [n] */
    int n;
    size_t capacity;
} runs_list_t;

/* runs_replicas - the runs directly below `dir`, in order of names; `dir` alone where it is a run, or where there are none.
 * ST_INPUT: they are those of several variants.  out **owned**, runs_list_fini. */
WARN_UNUSED status_t runs_replicas(const char *dir, runs_list_t *out);
void runs_list_fini(runs_list_t *list);

/* path_absolute - an existing path, absolute and without links; **owned**, mem_free. */
char *path_absolute(const char *path);

#endif
