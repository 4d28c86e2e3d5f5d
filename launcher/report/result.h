/* result.h - what an experiment found: the numbers of its runs (run_result.h), their means over replicas, and how far replicas
 * differ. results.json, results.csv, the page and the table on the terminal share them.
 *
 * Every number is one row of the tables below, or of run_result.h (metric.h). One that is not defined (no pair in any query,
 * one replica) is NaN, and null in JSON. */
#ifndef SMELTER_RESULT_H
#define SMELTER_RESULT_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/config/config.h"
#include "common/files/jsondoc.h"
#include "common/metrics/bootstrap.h"
#include "common/metrics/spread.h"
#include "common/texts/shown_example.h"
#include "launcher/report/window_series.h"
#include "launcher/run/run_result.h"

#define RESULT_TOP_K 3           /* of the queries of a feed few are long enough for more */
#define RESULT_RESAMPLES 1000    /* the 2.5 % quantile then lies between two of 25 values */
#define RESULT_MOST_DIFFERENT 10 /* examples listed */
#define RESULT_WORST_SLICES 10   /* values of columns listed */
#define RESULT_TEXT_OF(number) #number
#define RESULT_TEXT(number) RESULT_TEXT_OF(number)
#define RESULT_TOP_K_TEXT RESULT_TEXT(RESULT_TOP_K)

/* How far the replicas of a variant differ, each with its interval over queries: X(type, name, what else its row says). The
 * first PD_COUNT are the measures of common/metrics/pd.h, in that order. */
/* clang-format off */
#define REPRODUCIBILITY_METRICS(X) \
    X(ESTIMATE, pd_relative, .meaning = "relative prediction difference, mean over pairs of replicas", \
      .heading = "relative\nPD", .title = "relative PD", .group = "Reproducibility", .unit = UNIT_SHARE, .digits = 2, \
      .column = 1, .show = SHOW_INTERVAL | SHOW_ERROR | SHOW_CHANGE) \
    X(ESTIMATE, pd_l1, .meaning = "mean distance from the replicas' mean prediction, relative to it", \
      .title = "L1", .unit = UNIT_SHARE, .digits = 2, .detail = 2) \
    X(ESTIMATE, pd_l2, .meaning = "root mean square distance from the replicas' mean prediction, relative to it", \
      .title = "L2", .note = "root mean square distance from it, relative to it", \
      .unit = UNIT_SHARE, .digits = 2, .detail = 3) \
    X(ESTIMATE, pd_std, .meaning = "standard deviation over replicas", \
      .title = "standard deviation", .note = "over replicas, of the prediction itself", .digits = 5, .detail = 4) \
    X(ESTIMATE, pd_symkl, .meaning = "symmetrised Kullback-Leibler divergence, mean over pairs of replicas", \
      .title = "symmetrised KL", .note = "divergence, mean over pairs", .digits = 6, .detail = 5) \
    X(ESTIMATE, pd_levelled, .meaning = "relative prediction difference once all replicas have the same mean prediction", \
      .heading = "levelled\nPD", .title = "levelled PD", \
      .note = "relative PD once all replicas have the same mean prediction", \
      .group = "Reproducibility", .unit = UNIT_SHARE, .digits = 2, .column = 2, .detail = 1, \
      .show = SHOW_ERROR | SHOW_CHANGE | SHOW_IF_KNOWN) \
    X(ESTIMATE, swap_top1, .meaning = "share of queries whose highest example differs, mean over pairs of replicas", \
      .heading = "swap at\ntop 1", .title = "swaps at top 1", .note = "queries whose highest example differs", \
      .unit = UNIT_SHARE, .digits = 1, .column = 3, .is_off_page = true, .detail = 6) \
    X(ESTIMATE, swap_topk, .meaning = "share of queries whose " RESULT_TOP_K_TEXT " highest examples differ, as a set", \
      .heading = "swap at\ntop " RESULT_TOP_K_TEXT, .title = "swaps at top " RESULT_TOP_K_TEXT, \
      .note = "queries whose highest " RESULT_TOP_K_TEXT " differ, as a set", \
      .unit = UNIT_SHARE, .digits = 1, .column = 4, .is_off_page = true, .detail = 7)
/* clang-format on */

/* Standard errors over replicas, NaN below three of them: X(name, "of what"). The numbers of above say how sure the replicas
 * that there are make us for other queries; these, for other replicas. */
#define REPLICA_ERRORS(X) \
    X(pd_relative, "relative prediction difference") \
    X(pd_levelled, "levelled prediction difference") \
    X(pd_difference, "relative prediction difference minus the baseline's") \
    X(pd_levelled_difference, "levelled prediction difference minus the baseline's")

/* What a student costs with its teacher, and what the teacher saves, in the form of the rows above. */
/* clang-format off */
#define TEACHING_METRICS(X) \
    X(DOUBLE, teachers_cpu_seconds, .meaning = "CPU time of all runs that taught: training, and scoring for students", \
      .heading = "their CPU\ntime s", .unit = UNIT_SECONDS, .digits = 1, .column = 1) \
    X(DOUBLE, teachers_wall_seconds, .meaning = "time of all runs that taught", .unit = UNIT_SECONDS) \
    X(DOUBLE, cpu_seconds_with_teacher, \
      .meaning = "one student's own CPU time, and its part of its teachers', which the replicas share equally", \
      .heading = "CPU time\ns", .unit = UNIT_SECONDS, .digits = 1, .column = 2) \
    X(DOUBLE, wall_seconds_with_teacher, .meaning = "one student's own time, and its part of its teachers'", \
      .heading = "wall time\ns", .unit = UNIT_SECONDS, .digits = 1, .column = 3) \
    X(DOUBLE, rows_pulled_per_example_with_teacher, \
      .meaning = "one student's own embedding rows, and its part of its teachers', per example of the student", \
      .heading = "rows pulled\n/ example", .digits = 1, .column = 4) \
    X(DOUBLE, flops_per_example_with_teacher, \
      .meaning = "one student's own FLOPs, and its part of its teachers' trainings, per example of the student", \
      .heading = "FLOPs\n/ example", .unit = UNIT_COUNT, .column = 5) \
    X(DOUBLE, held_out_logloss_change, .unit = UNIT_SHARE, \
      .meaning = "change of logloss on the evaluation split from the same network without the teacher") \
    X(DOUBLE, held_out_share_of_examples, .unit = UNIT_SHARE, \
      .meaning = "part of that network's training after which one with the teacher ends with as low a loss") \
    X(DOUBLE, held_out_share_of_wall_seconds, .meaning = "the same part of its time", .unit = UNIT_SHARE)
/* clang-format on */

typedef struct reproducibility {
    REPRODUCIBILITY_METRICS(METRIC_MEMBER)
} reproducibility_t;

#define ERROR_MEMBER(name, doc) double name;
typedef struct replica_errors {
    REPLICA_ERRORS(ERROR_MEMBER)
} replica_errors_t;

/* PD of the replicas of a variant without one after the other, each [replicas]; NaN below three. */
typedef struct pd_without {
    double *pd_relative, *pd_levelled; /* **owned** */
} pd_without_t;

/* Of a number of one variant from another's, paired by replica (differences.h). NaN: not known. */
typedef struct difference {
    double value, error;         /* one minus the other, and its standard error over replicas */
    double change, change_error; /* of a loss: the same as a share of the other's */
    double p, p_holm;            /* that it is chance of replicas; among all that are set against the same variant */
    double replicas;             /* it takes so many to find a change of DIFFERENCES_DECIDE; of a loss */
} difference_t;

/* Relative PD over a part of the evaluation split. */
typedef struct pd_slice {
    char *column; /* **owned** */
    char *value;  /* **owned**: what the examples share, as a person reads it */
    int64_t examples;
    double pd_relative;
} pd_slice_t;

/* How far replicas lie apart on the probe set while they train (probe_curve.h). */
typedef struct probe_curve {
    int64_t points, examples; /* 0 points: none */
    int64_t *step;            /* **owned**, [points], ascending: steps that were made */
    spread_t *spread;         /* **owned**, [points] */
} probe_curve_t;

/* Does a student's held-out logloss come down to what the same network ends with without a teacher? At most: it is there at the
 * first point that is known. */
typedef enum saving { SAVING_UNKNOWN, SAVING_NEVER, SAVING_REACHED, SAVING_AT_MOST } saving_t;

/* What a student's teacher costs, and what it saves. A run that teaches several replicas is counted once. */
typedef struct distillation_cost {
    int32_t runs;    /* of the teacher, of its own teacher, .. behind all replicas; 0: no student */
    int32_t teacher; /* variant */
    int32_t
        without; /* the variant it is set against: the student's configuration without the teacher, else the baseline; or -1 */
    saving_t held_out_saving;
    int32_t held_out_points; /* trainings of the student, of different length, that this is read from */
    bool is_whole;           /* no other variant is a longer training of it */
    TEACHING_METRICS(METRIC_MEMBER)
} distillation_cost_t;

typedef struct variant_result {
    const char *name;        /* borrowed */
    const char *determinism; /* borrowed: the word of the level */
    const config_t *config;  /* borrowed; NULL where it is not known */
    int32_t replicas;
    replica_result_t *replica; /* **owned**, [replicas] */
    /* Filled by result_summarise: */
    quality_t quality; /* means over replicas */
    cost_t cost;
    quality_t quality_error;           /* standard errors over replicas, of those rows that have one */
    reproducibility_t reproducibility; /* NaN below two replicas */
    estimate_t pd_difference;          /* relative PD minus the baseline's, over the same resamples */
    estimate_t pd_levelled_difference; /* the same of levelled PD */
    replica_errors_t error;
    pd_without_t without;
    int32_t pd_pairs;
    distillation_cost_t teaching;
    const double *pd_of_example; /* borrowed, [eval_examples]: what slices are of; NULL: each example's term of relative PD */
    int32_t n_most_different;
    int64_t most_different[RESULT_MOST_DIFFERENT];   /* indices of the examples with the largest terms, largest first */
    double most_different_pd[RESULT_MOST_DIFFERENT]; /* and these */
    float *most_different_p;                         /* **owned**, [n_most_different][replicas]: what is predicted for them */
    /* Filled by slices_report_make: */
    shown_example_t *most_different_shown; /* **owned**, [n_most_different], or NULL */
    pd_slice_t *slice; /* **owned**, [slices]: every label, score decile and frequency of the rarest feature, in order */
    pd_slice_t *worst; /* **owned**, [worst_slices]: of all slices of any column, those of the highest PD, highest first */
    int32_t slices, worst_slices;
    probe_curve_t probes; /* filled by probe_curve_read */
    window_series_t first_visits,
        scored_windows; /* filled by window_report_read: progressive metrics, and of the scored split */
} variant_result_t;

typedef struct experiment_result {
    const char *name; /* borrowed */
    char *command;    /* **owned**: how the job was started, for a shell; NULL where that is not known */
    int64_t eval_examples;
    bool on_test; /* they are the test split's, because something was chosen on the evaluation split */
    char **field; /* **owned**, [fields] names of what examples hold, by slices_report_make */
    int32_t fields;
    uint8_t *label;        /* **owned**, [eval_examples], by slices_report_read */
    float *weight;         /* likewise; NULL: the dataset has none */
    uint64_t *group;       /* **owned**, [eval_examples] query of each example, by slices_report_read; NULL where there are no
                         queries, and after result_summarise */
    bool has_groups;       /* by result_summarise: there were */
    int64_t queries;       /* by result_summarise; 0 where there are none */
    int64_t without_query; /* the same: examples whose query id is missing, which no metric over queries counts */
    int32_t baseline;      /* index of the variant that losses are compared with */
    int32_t variants;
    variant_result_t *variant; /* **owned**, [variants] */
    int compared;              /* numbers that have an error over replicas */
    int32_t *reference;        /* **owned**, [variants]: its row in `difference`, -1: none is set against it; NULL: all are */
    difference_t *difference;  /* **owned**, [rows][variants][compared], by result_summarise */
} experiment_result_t;

extern const metric_rows_t reproducibility_rows, teaching_rows;

/* result_summarise - means over replicas, and how far the replicas of every variant differ. Every replica must hold its
 * predictions; swap rates need result->group, which is given up, and without it examples are resampled in the place of
 * queries. Errors of reading predictions.  Cost: replicas^3 / 2 + 5 replicas^2 passes over the predictions, and
 * RESULT_RESAMPLES over the queries of all variants; at most 24 bytes of memory per example, however many runs there are. */
WARN_UNUSED status_t result_summarise(experiment_result_t *result);

/* result_scores - the predictions of all replicas of a variant, [replicas], **owned**; they borrow from it. */
scores_t *result_scores(const experiment_result_t *result, const variant_result_t *variant);

/* result_baseline - the variant that losses are compared with. */
static inline const variant_result_t *result_baseline(const experiment_result_t *result)
{
    ASSERT(result->baseline >= 0 && result->baseline < result->variants);
    return &result->variant[result->baseline];
}

/* result_is_comparable - do the replicas of both differ in the same sources? If not, their PD answers another question, and the
 * seeds of their replicas are no pairs. */
bool result_is_comparable(const variant_result_t *a, const variant_result_t *b);

/* result_base_rate_logloss - what a model must be better than to have learned anything: the logloss of predicting the
 * evaluation split's share of positives for every example (docs/MATH.md, eq. 44). NaN where labels are not known, or there are
 * none. */
double result_base_rate_logloss(const experiment_result_t *result);

/* result_beats_constant - is its logloss below that? True where that is not known. A model that is not is of no use, and
 * nothing is concluded from it, however small its prediction difference. */
bool result_beats_constant(const experiment_result_t *result, const variant_result_t *variant);

/* result_is_ensemble - do several components of it predict together? */
bool result_is_ensemble(const variant_result_t *variant);

/* result_ensemble - the ensemble that single networks are set against: the largest of those that are no peers of each other,
 * and not the baseline; NULL where there is none. Borrowed. */
const variant_result_t *result_ensemble(const experiment_result_t *result);

/* result_fini - releases what is owned inside; the struct itself is the caller's. */
void result_fini(experiment_result_t *result);

/* result_free_shown - the examples and names of fields that slices_report_make has read. */
void result_free_shown(experiment_result_t *result);

/* result_free_slices - an array of n slices, **owned**; NULL where n is 0. */
void result_free_slices(pd_slice_t *slice, int32_t n);

/* result_put_reproducibility - members of an open JSON object, in the order of the rows. */
void result_put_reproducibility(jsondoc_t *object, const variant_result_t *variant);

/* result_change_percent - by how much the value of row i in `numbers` is above that in `of_base`, in % of it. */
double result_change_percent(const metric_rows_t *rows, int i, const void *numbers, const void *of_base);

/* result_error - the standard error over replicas of a row of quality or reproducibility; NaN where none is estimated. */
double result_error(const variant_result_t *variant, const metric_rows_t *rows, int i);

/* result_bar - the 95 % interval of relative PD for a chart: over queries or over replicas,
 * whichever is wider. *of: "queries", "examples" or "replicas"; NULL, and no number, where neither is known. */
estimate_t result_bar(const experiment_result_t *result, const variant_result_t *variant, const char **of);

#endif
