/* job.h - a rank's life: join the cluster, take the role, run, leave; and starting such a job where no launcher has.  */
#ifndef SMELTER_JOB_H
#define SMELTER_JOB_H

#include "launcher/coordinator/coordinator.h"
#include "launcher/job/options.h"

/* What rank 0 does once all ranks are connected. */
typedef status_t job_lead_fn(coordinator_t *coordinator, const experiment_t *experiment, const options_t *options,
                             progress_t *progress);

/* What must be there before a job starts: called by the process that starts mpirun, and by rank 0. */
typedef status_t job_prepare_fn(const experiment_t *experiment, const options_t *options);

typedef struct job_kind {
    job_prepare_fn *prepare;
    job_lead_fn *lead;
    bool in_variants; /* its runs are in VARIANT/rREPLICA of --out, else there is one, in --out itself (run_folders.h) */
} job_kind_t;

/* job_run - under mpirun: take this rank's role. Otherwise: check the configuration, prepare, start mpirun on this same command
 * line, again where it fails and --restarts says so (supervise.h), and report how it ended.  options->argument is the
 * configuration. */
WARN_UNUSED status_t job_run(const options_t *options, const job_kind_t *kind);

/* job_start - start mpirun on the command argv (NULL-terminated; argv[0] is replaced by this program) with the ranks that the
 * experiment asks for, wait, and report how it ended. Not under mpirun. */
WARN_UNUSED status_t job_start(char *const argv[], const experiment_t *experiment);

/* job_out_dir - --out, or out/NAME.  **owned**, mem_free. */
char *job_out_dir(const options_t *options, const experiment_t *experiment);

#endif
