#include "common/config/run_folders.h"

#include "common/base/memory.h"
#include "common/files/run_paths.h"

const config_t *run_config(const experiment_t *experiment, run_number_t run)
{
    return run.variant < 0 ? experiment->base : experiment->configs[run.variant];
}

/* Is there such a variant and replica among the runs that the job trains? */
static bool is_trained(const run_folders_t *folders, const experiment_t *experiment, run_number_t run)
{
    if (folders->scored)
        return false;
    if (!folders->in_variants)
        return run.variant == -1 && run.replica == 0;
    const int first = experiment->variants ? 0 : -1;
    return run.variant >= first && run.variant < experiment->variants && run.replica >= 0 &&
           run.replica < experiment->base->experiment.replicas;
}

char *run_folder_of(const run_folders_t *folders, const experiment_t *experiment, run_number_t run)
{
    if (run.purpose == RUN_SCORES)
        return folders->scored && run.variant == -1 && run.replica == 0 ? mem_strdup(folders->scored) : NULL;
    if (run.purpose < RUN_TRAINS || run.purpose >= RUN_PURPOSES || !is_trained(folders, experiment, run))
        return NULL;
    if (run.purpose == RUN_TEACHES) {
        const char *teacher = run_config(experiment, run)->teacher.run;
        return *teacher ? mem_strdup(teacher) : NULL;
    }
    if (!folders->in_variants)
        return mem_strdup(folders->job);
    return replica_path(folders->job, run.variant < 0 ? experiment->base->name : experiment->names[run.variant], run.replica);
}
