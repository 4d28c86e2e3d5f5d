/* outdir.h - the output folder of a run or an experiment: made, locked, and never mixed with another one's files. */
#ifndef SMELTER_OUTDIR_H
#define SMELTER_OUTDIR_H

#include "common/base/status.h"

typedef struct outdir outdir_t;

/* outdir_open - make the folder if need be and lock it for this process; the lock dies with it.
 *
 * kind is "train" or "compare", name the configuration's name; both are written to DIR/smelter.json at first use.
 * ST_INPUT: not writable; in use by another job; not empty and not ours; of another kind or name.                     */
WARN_UNUSED status_t outdir_open(const char *path, const char *kind, const char *name, outdir_t **out);
/* outdir_check - what outdir_open would refuse, but for a lock, said before hours of other work; makes and locks nothing. */
WARN_UNUSED status_t outdir_check(const char *path, const char *kind, const char *name);
void outdir_close(outdir_t **outdir);

#endif
