/* run_paths.h - what the files of a run and of an experiment are called: each name is spelled here, and nowhere else
 * (tests/unit/test_tidy.sh), for those who write a file, those who read it, and the texts that name it.
 *
 *     RUN/config.yaml inputs.json import.yaml          when the run begins
 *     RUN/metrics.jsonl steps.jsonl probes.f32 probes.jsonl validation.jsonl
 *                                                      while it trains
 *     RUN/checkpoint/ work/shard-N/                    likewise; checkpoint_paths.h
 *     RUN/dense-K.f32 store/shard-N/ clipped.json teacher.f32 progressive.f32 predictions.f32
 *                                                      at its end
 *     RUN/manifest.json                                last
 *
 *     DIR/smelter.json .lock                           a run's own folder, or that of an experiment, which has its runs in
 *     DIR/VARIANT/rREPLICA/                            and ends with
 *     DIR/results.json results.csv verdict.txt report.html
 *
 *     DIR/churn.json churn.csv                         of two runs, or two variants
 *
 * A checkpoint's folder has a manifest.json and dense-K.f32 too. Every function's result is **owned**: mem_free.           */
#ifndef SMELTER_RUN_PATHS_H
#define SMELTER_RUN_PATHS_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/memory.h"

#define FILE_OWNER "smelter.json"
#define FILE_LOCK ".lock"
#define FILE_LEASE ".lease"

#define FILE_CONFIG "config.yaml"
#define FILE_INPUTS "inputs.json"
#define FILE_SCHEMA "import.yaml"
#define FILE_METRICS "metrics.jsonl"
#define FILE_STEPS "steps.jsonl"
#define FILE_PROBES "probes.f32"
#define FILE_PROBE_STEPS "probes.jsonl"
#define FILE_VALIDATION "validation.jsonl"
#define FILE_CLIPPED "clipped.json"
#define FILE_TEACHER "teacher.f32"
#define FILE_PROGRESSIVE "progressive.f32"
#define FILE_PREDICTIONS "predictions.f32"
#define FILE_MANIFEST "manifest.json"
#define FILE_DENSE "dense-" /* how the names of a component's parameters begin; dense_name has the whole */
#define DIR_STORE "store"
#define DIR_CHECKPOINTS "checkpoint"
#define DIR_WORK "work"
#define DIR_SHARD "shard-" /* how the folders of a shard begin */

#define FILE_RESULTS "results.json"
#define FILE_RESULTS_CSV "results.csv"
#define FILE_VERDICT "verdict.txt"
#define FILE_REPORT "report.html"

#define FILE_CHURN "churn.json"
#define FILE_CHURN_CSV "churn.csv"

/* run_path - of a file or folder of one of these names, in the folder of a run, an experiment or a checkpoint. */
static inline char *run_path(const char *dir, const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

/* dense_name - of the parameters of a component.  run_dense_path - of the file in a run's folder. */
#define DENSE_NAME_BYTES 32
static inline const char *dense_name(int component, char name[DENSE_NAME_BYTES])
{
    snprintf(name, DENSE_NAME_BYTES, FILE_DENSE "%d.f32", component);
    return name;
}
static inline char *run_dense_path(const char *dir, int component)
{
    char name[DENSE_NAME_BYTES];
    return run_path(dir, dense_name(component, name));
}

/* run_store_path - of the rows that a shard had at the end.  run_work_path - of those that have no room in memory. */
static inline char *run_store_path(const char *dir, int shard)
{
    return mem_printf("%s/" DIR_STORE "/" DIR_SHARD "%d", dir, shard);
}
static inline char *run_work_path(const char *dir, int shard)
{
    return mem_printf("%s/" DIR_WORK "/" DIR_SHARD "%d", dir, shard);
}

/* replica_path - of a run of an experiment. */
static inline char *replica_path(const char *experiment_dir, const char *variant, int replica)
{
    return mem_printf("%s/%s/r%d", experiment_dir, variant, replica);
}

#endif
