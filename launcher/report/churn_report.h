/* churn_report.h - the churn between two versions for a person and for programs: where in the data it is, which examples
 * changed most, and all of it on the terminal, as JSON and as CSV. */
#ifndef SMELTER_CHURN_REPORT_H
#define SMELTER_CHURN_REPORT_H

#include <stdio.h>

#include "common/data/dataset.h"
#include "common/texts/shown_example.h"
#include "launcher/report/churn.h"

/* One of the versions. */
typedef struct churn_version {
    const char *name; /* the folder, borrowed */
    int32_t scored;   /* of its replicas, those that were scored for this; the others had predictions of these examples */
} churn_version_t;

/* An example that changed much. */
typedef struct churn_example {
    int64_t index; /* in the split */
    uint8_t label;
    double pd_relative, before, after, logloss_change; /* means over replicas */
    shown_example_t shown;                             /* **owned** */
} churn_example_t;

typedef struct churn_report {
    const char *dataset; /* borrowed, as what the next two name */
    churn_version_t before, after;
    const churn_t *churn;
    int32_t fields;
    char **field;              /* **owned**, [fields] names */
    pd_slice_t *differ, *lose; /* **owned**: where predictions differ most, and where B's logloss rises most (its rise stands in
                                * the place of the PD), highest first */
    int32_t n_differ, n_lose, n_examples;
    churn_example_t example[RESULT_MOST_DIFFERENT];
} churn_report_t;

/* churn_report_make - what the dataset itself adds. input is what churn was measured from, of the dataset's evaluation split.
 * out  in/out: who fills in dataset, before and after; **owned**, churn_report_fini, also after a failure.
 * ST_CORRUPT, ST_SYSTEM: the dataset cannot be read. */
WARN_UNUSED status_t churn_report_make(dataset_t *dataset, const churn_input_t *input, const churn_t *churn,
                                       churn_report_t *out);
void churn_report_fini(churn_report_t *report);

/* churn_report_print - at most 118 columns, but for values and sentences. */
void churn_report_print(const churn_report_t *report, FILE *out);

/* churn_report_write - DIR/churn.json and DIR/churn.csv, each replaced in one step. docs/FILES.md describes them. */
WARN_UNUSED status_t churn_report_write(const churn_report_t *report, const char *dir);

#endif
