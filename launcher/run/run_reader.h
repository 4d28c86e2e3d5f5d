/* run_reader.h - the one way to what a run has left in its folder.
 *
 *     run_reader_t run;
 *     TRY(run_reader_open(dir, RUN_CONFIG | RUN_DENSE, &run));
 *     TRY_DONE(run_reader_config(&run));                          run.config
 *
 * Who opens a run says which kinds of its files (run_files.h) are going to be used. Of a finished run each of these is checked
 * against the manifest then, once, and a file that was not asked for cannot be read: so nothing is used that was not checked.
 * A run that is not finished has no manifest, and its files are read as they are. Stores are opened one by one
 * (manifest_check_store), and checkpoints have a reader of their own (launcher/checkpoint/checkpoint_resume.h). */
#ifndef SMELTER_RUN_READER_H
#define SMELTER_RUN_READER_H

#include "common/config/table_plan.h"
#include "common/data/dataset.h"
#include "launcher/metrics/curve.h"
#include "launcher/metrics/probe_reader.h"
#include "launcher/metrics/step_digest_reader.h"
#include "launcher/run/manifest.h"

typedef struct run_reader {
    char *dir; /* **owned**, as all */
    bool is_finished;
    manifest_t manifest;   /* where it is finished, predictions included */
    uint32_t kinds;        /* that may be read */
    config_t *config;      /* after run_reader_config */
    input_fields_t inputs; /* after run_reader_inputs */
    table_plan_t plan;     /* after run_reader_tables */
} run_reader_t;

/* run_reader_open - the manifest, if there is one, and the checks of these kinds of files. out **owned**, run_reader_fini, also
 * where the folder holds no finished run.  Errors of manifest_read and manifest_check_files; out is untouched then.
 * run_reader_want - likewise, more kinds of a run that is open: where something else is to be refused first. */
WARN_UNUSED status_t run_reader_open(const char *dir, uint32_t kinds, run_reader_t *out);
WARN_UNUSED status_t run_reader_want(run_reader_t *run, uint32_t kinds);
void run_reader_fini(run_reader_t *run);

/* run_reader_need_finished - ST_INPUT where it is not: "BEFORE DIR holds no finished run (..)AFTER". */
WARN_UNUSED status_t run_reader_need_finished(const run_reader_t *run, const char *before, const char *after);

/* run_reader_config - config.yaml, into run->config.
 * run_reader_check_config - and that it is the finished run's, which its hash says of runs without checksums too.
 * run_reader_inputs - inputs.json, into run->inputs.
 * run_reader_tables - the plan of its tables, which follows from the two.  ST_CORRUPT: they do not fit one another. */
WARN_UNUSED status_t run_reader_config(run_reader_t *run);
WARN_UNUSED status_t run_reader_check_config(const run_reader_t *run);
WARN_UNUSED status_t run_reader_inputs(run_reader_t *run);
WARN_UNUSED status_t run_reader_tables(run_reader_t *run);

/* run_reader_dense - parameters and optimizer state of a component, [n], **owned**.
 * run_reader_teacher - what it predicts, or has predicted at their first visits, for [rows] training examples, **owned**;
 * RUN_TEACHER, or RUN_PROGRESSIVE. */
WARN_UNUSED status_t run_reader_dense(const run_reader_t *run, int component, float **out, int64_t *n);
WARN_UNUSED status_t run_reader_teacher(const run_reader_t *run, soft_labels_t kind, int64_t rows, float **out);

/* run_reader_curve - curve_read.  run_reader_steps - step_digest_reader_read; ST_CORRUPT also where digests of a finished run
 * do not end with its last step. */
WARN_UNUSED status_t run_reader_curve(const run_reader_t *run, curve_t *out, bool *found);
WARN_UNUSED status_t run_reader_steps(const run_reader_t *run, step_digest_reader_t *out);

/* run_reader_scores - *out: what a run has itself predicted, as its evaluation, for the n examples of a split of a
 * dataset, **owned**; NULL where it has not.  run_reader_choose_label - of a dataset with several, the one that the run was
 * trained on. Both open the run and close it. */
WARN_UNUSED status_t run_reader_scores(const char *dir, uint64_t dataset_hash, split_t split, int64_t n, float **out);
WARN_UNUSED status_t run_reader_choose_label(const char *dir, dataset_t *dataset);

/* run_reader_probes - what it predicted for the probe set, until now or in all (probe_reader_read); nothing where there are no
 * such files: nobody needs them, and they may have been removed. Wants the kinds itself. */
WARN_UNUSED status_t run_reader_probes(run_reader_t *run, probe_reader_t *out);

#endif
