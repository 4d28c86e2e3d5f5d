/* html_report.h - report.html: an experiment for people, in one file that opens without a network.
 *
 * It is made from what an experiment leaves behind and from nothing else, so that it can be written again at any time:
 *
 *     DIR/results.json                 all numbers
 *     DIR/VARIANT/rN/manifest.json     what the run was made with
 *                    predictions.f32   for the histogram of PD
 *                    metrics.jsonl     for the curves
 *                    config.yaml       of replica 0: what sets the variant apart
 *
 * The data in the page:
 *
 *     {results, rows: {reproducibility, quality, cost: [metric_row_object]}, histogram: {edge, bins},
 *      variants: [{pd_histogram: [bins + 1 counts], config_text,
 *                  runs: [{manifest, curve: {step, seconds, logloss, progressive_logloss, training_logloss, first_points}}]}]}
 *
 * Variants and runs are in the order of results.json. first_points: the number of points of the first pass, by most of their
 * examples; null where older files do not say. Run folders that were removed leave their parts empty, and the page says so. */
#ifndef SMELTER_HTML_REPORT_H
#define SMELTER_HTML_REPORT_H

#include "common/base/status.h"
#include "common/files/jsondoc.h"

#define HTML_REPORT_BINS 50
#define HTML_REPORT_CURVE_POINTS 200 /* more than a chart has room for */

/* html_report_collect - the data of the experiment in `dir`; **owned**.
 * ST_INPUT: no results.json; ST_CORRUPT: it or a run folder is damaged, or a run folder is of another run than it names. */
WARN_UNUSED status_t html_report_collect(const char *dir, jsondoc_t **out);

/* html_report_write - replaces DIR/report.html in one step. Its last line is a comment with the checksum of all before it.
 * Errors as above, and ST_INPUT, ST_SYSTEM: not writable. */
WARN_UNUSED status_t html_report_write(const char *dir);

/* html_report_check - is DIR/report.html as it was written? True where there is none. ST_CORRUPT: not, or the last line is not
 * there. */
WARN_UNUSED status_t html_report_check(const char *dir);

#endif
