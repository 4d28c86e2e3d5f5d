/* checkpoint_paths.h - where the parts of a checkpoint are, for those who write them and those who read them.
 *
 *     RUN/checkpoint/epoch-EEEE/shard-N/base/data.mdb         rows of the oldest kept checkpoint of the incarnation
 *     RUN/checkpoint/epoch-EEEE/shard-N/base-S/data.mdb       the same, as of step S; made elsewhere and copied
 *     RUN/checkpoint/epoch-EEEE/shard-N/step-S.delta          rows that changed since the checkpoint before
 *     RUN/checkpoint/epoch-EEEE/shard-N/step-S.pending        pushes that no row of the base, which is at step S, has seen
 *     RUN/checkpoint/epoch-EEEE/step-S/                       dense files, progress, and manifest.json, whose presence commits
 *
 * An incarnation is one start of the run. Shards write on their own hosts under the same RUN. Names sort by number. Every
 * function's result is **owned**: mem_free. */
#ifndef SMELTER_CHECKPOINT_PATHS_H
#define SMELTER_CHECKPOINT_PATHS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/run_paths.h"

/* A checkpoint's folder, beside its manifest and its dense files. */
#define FILE_PROGRESS "progress.bin"
/* A shard's folder of an incarnation. */
#define DIR_BASE "base"

#define CHECKPOINT_INCARNATION "%s/" DIR_CHECKPOINTS "/epoch-%04u"
#define CHECKPOINT_SHARD CHECKPOINT_INCARNATION "/" DIR_SHARD "%d"
#define CHECKPOINT_STEP "step-%012" PRId64

static inline char *checkpoint_path(const char *run_dir)
{
    return run_path(run_dir, DIR_CHECKPOINTS);
}
static inline char *checkpoint_incarnation_path(const char *run_dir, uint32_t incarnation)
{
    return mem_printf(CHECKPOINT_INCARNATION, run_dir, incarnation);
}
/* checkpoint_step_path - the folder of one checkpoint. */
static inline char *checkpoint_step_path(const char *run_dir, uint32_t incarnation, int64_t step)
{
    return mem_printf(CHECKPOINT_INCARNATION "/" CHECKPOINT_STEP, run_dir, incarnation, step);
}
static inline char *checkpoint_shard_path(const char *run_dir, uint32_t incarnation, int shard)
{
    return mem_printf(CHECKPOINT_SHARD, run_dir, incarnation, shard);
}
static inline char *checkpoint_base_path(const char *run_dir, uint32_t incarnation, int shard)
{
    return mem_printf(CHECKPOINT_SHARD "/" DIR_BASE, run_dir, incarnation, shard);
}
/* checkpoint_copy_path - of a copy of a base, which is as of `step`.  checkpoint_is_base - a name in a shard's folder is that
 * of a base, also of one that is not whole. */
static inline char *checkpoint_copy_path(const char *run_dir, uint32_t incarnation, int shard, int64_t step)
{
    return mem_printf(CHECKPOINT_SHARD "/" DIR_BASE "-%012" PRId64, run_dir, incarnation, shard, step);
}
static inline bool checkpoint_is_base(const char *name)
{
    return strncmp(name, DIR_BASE, sizeof DIR_BASE - 1) == 0;
}
static inline char *checkpoint_delta_path(const char *run_dir, uint32_t incarnation, int shard, int64_t step)
{
    return mem_printf(CHECKPOINT_SHARD "/" CHECKPOINT_STEP ".delta", run_dir, incarnation, shard, step);
}
static inline char *checkpoint_pending_path(const char *run_dir, uint32_t incarnation, int shard, int64_t step)
{
    return mem_printf(CHECKPOINT_SHARD "/" CHECKPOINT_STEP ".pending", run_dir, incarnation, shard, step);
}

/* checkpoint_incarnation_of, checkpoint_step_of - the number in a name of checkpoint/ or of an incarnation's folder; false for
 * any other name. */
static inline bool checkpoint_incarnation_of(const char *name, uint32_t *incarnation)
{
    int end = 0;
    return sscanf(name, "epoch-%9u%n", incarnation, &end) == 1 && name[end] == 0;
}
static inline bool checkpoint_step_of(const char *name, int64_t *step)
{
    int end = 0;
    int64_t number;
    if (sscanf(name, "step-%18" SCNd64 "%n", &number, &end) != 1 || name[end] != 0 || number < 0)
        return false;
    *step = number;
    return true;
}

#endif
