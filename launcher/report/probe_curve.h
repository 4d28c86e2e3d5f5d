/* probe_curve.h - how far the replicas of each variant lie apart while they train, from what they predicted for the probe set
 * (evaluate.probe_every). */
#ifndef SMELTER_PROBE_CURVE_H
#define SMELTER_PROBE_CURVE_H

#include "launcher/metrics/probe_reader.h"
#include "launcher/report/result.h"

/* Probes are of the evaluation split: there is no curve of an experiment that is scored on the test split.
 *
 * probe_curve_make - from the probes of all replicas of one variant, [replicas], and its predictions of the evaluation split at
 * the end of training, after `steps` steps; 0: not known, or not the same of all.  A point for each step that all replicas have
 * probed with the same number of examples, and one for the end. A query of which the probe set has a part is no query of it.
 * out **owned**, probe_curve_fini; without points where a replica has no probes, or there are fewer than two. Errors of
 * reading predictions. */
WARN_UNUSED status_t probe_curve_make(const experiment_result_t *result, const variant_result_t *variant,
                                      const probe_reader_t *probes, int64_t steps, probe_curve_t *out);
void probe_curve_fini(probe_curve_t *curve);

/* probe_curve_read - that of every variant, from the folders of its runs, DIR/VARIANT/rREPLICA. After slices_report_read. A run
 * whose probes were removed has none.  Errors are those of run_reader_open and run_reader_probes. */
WARN_UNUSED status_t probe_curve_read(const char *dir, experiment_result_t *result);

#endif
