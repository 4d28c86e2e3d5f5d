/* result.h - what an experiment found: the numbers of its runs (run_result.h), their means over replicas, and how far replicas
 * differ. results.json, results.csv, the page and the table on the terminal share them.
 *
 * Every number is declared once, in the tables below and in run_result.h: structs, JSON, CSV and means over replicas come from
 * them. A number that is not defined (no pair in any group, one replica) is NaN, and null in JSON. */
#ifndef SMELTER_RESULT_H
#define SMELTER_RESULT_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/config/config.h"
#include "common/files/jsondoc.h"
#include "common/metrics/bootstrap.h"
#include "launcher/run/run_result.h"

/* How far the replicas of a variant differ, each with its interval over queries: X(name, "what it is"). The first PD_COUNT
 * are the measures of common/metrics/pd.h, in that order. */
#define REPRODUCIBILITY_FIELDS(X) \
    X(pd_relative, "relative prediction difference, mean over pairs of replicas") \
    X(pd_l1, "mean distance from the replicas' mean prediction, relative to it") \
    X(pd_l2, "root mean square distance from the replicas' mean prediction, relative to it") \
    X(pd_std, "standard deviation over replicas") \
    X(pd_symkl, "symmetrised Kullback-Leibler divergence, mean over pairs of replicas") \
    X(pd_levelled, "relative prediction difference once all replicas have the same mean prediction") \
    X(swap_top1, "share of queries whose highest example differs, mean over pairs of replicas") \
    X(swap_topk, "share of queries whose RESULT_TOP_K highest examples differ, as a set")

/* Standard errors over replicas, NaN below three of them: X(name, "of what"). The numbers of above say how sure the replicas
 * that there are make us for other queries; these, for other replicas. */
#define REPLICA_ERRORS(X) \
    X(pd_relative, "relative prediction difference") \
    X(pd_levelled, "levelled prediction difference") \
    X(pd_difference, "relative prediction difference minus the baseline's") \
    X(pd_levelled_difference, "levelled prediction difference minus the baseline's")

/* What a student costs with its teacher, and what the teacher saves: X(name, "what it is"). */
#define TEACHING_FIELDS(X) \
    X(teachers_cpu_seconds, "of all runs that taught: training, and scoring for students") \
    X(teachers_wall_seconds, "the same") \
    X(cpu_seconds_with_teacher, "one student's own, and its part of the teachers', which the replicas share equally") \
    X(wall_seconds_with_teacher, "the same") \
    X(rows_pulled_per_example_with_teacher, "the same, per example of the student") \
    X(held_out_logloss_change, \
      "of the student from the same network without the teacher, on the evaluation split, as a share") \
    X(held_out_share_of_examples, "of that training, after which one with the teacher ends with as low a loss; NaN: never") \
    X(held_out_share_of_wall_seconds, "the same")

#define RESULT_TOP_K 3           /* of the queries of a feed few are long enough for more */
#define RESULT_RESAMPLES 1000    /* the 2.5 % quantile then lies between two of 25 values */
#define RESULT_MOST_DIFFERENT 10 /* examples listed */
#define RESULT_WORST_SLICES 10   /* values of columns listed */

#define REPRODUCIBILITY_MEMBER(name, doc) estimate_t name;
typedef struct reproducibility {
    REPRODUCIBILITY_FIELDS(REPRODUCIBILITY_MEMBER)
} reproducibility_t;

typedef struct replica_errors {
    REPLICA_ERRORS(QUALITY_MEMBER)
} replica_errors_t;

/* Relative PD over a part of the evaluation split. */
typedef struct pd_slice {
    char *column; /* **owned** */
    char *value;  /* **owned**: what the examples share, as a person reads it */
    int64_t examples;
    double pd_relative;
} pd_slice_t;

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
    TEACHING_FIELDS(QUALITY_MEMBER)
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
    reproducibility_t reproducibility; /* NaN below two replicas */
    estimate_t pd_difference;          /* relative PD minus the baseline's, over the same resamples */
    estimate_t pd_levelled_difference; /* the same of levelled PD */
    replica_errors_t error;
    int32_t pd_pairs;
    distillation_cost_t teaching;
    double *pd_of_example; /* **owned**, [eval_examples]: each example's term of the relative PD */
    int32_t n_most_different;
    int64_t most_different[RESULT_MOST_DIFFERENT]; /* indices of the examples with the largest terms, largest first */
    /* Filled by slices_report_make: */
    pd_slice_t *slice; /* **owned**, [slices]: every label, score decile and frequency of the rarest feature, in order */
    pd_slice_t *worst; /* **owned**, [worst_slices]: of all slices of any column, those of the highest PD, highest first */
    int32_t slices, worst_slices;
} variant_result_t;

typedef struct experiment_result {
    const char *name; /* borrowed */
    char *command;    /* **owned**: how the job was started, for a shell; NULL where that is not known */
    int64_t eval_examples;
    uint8_t *label; /* **owned**, [eval_examples], by slices_report_read */
    uint64_t
        *group; /* **owned**, [eval_examples] query of each example, by slices_report_read; NULL where there are no queries */
    int64_t queries;       /* by result_summarise; 0 where there are none */
    int64_t without_query; /* the same: examples whose query id is missing, which no metric over queries counts */
    int32_t baseline;      /* index of the variant that losses are compared with */
    int32_t variants;
    variant_result_t *variant; /* **owned**, [variants] */
} experiment_result_t;

/* result_summarise - means over replicas, and how far the replicas of every variant differ. Every replica must hold its
 * predictions; swap rates need result->group, and without it examples are resampled in the place of queries.
 * Cannot fail.  Cost: replicas^3 / 2 + 5 replicas^2 passes over the predictions, and RESULT_RESAMPLES over the queries of all
 * variants. */
void result_summarise(experiment_result_t *result);

/* result_baseline - the variant that losses are compared with. */
static inline const variant_result_t *result_baseline(const experiment_result_t *result)
{
    ASSERT(result->baseline >= 0 && result->baseline < result->variants);
    return &result->variant[result->baseline];
}

/* result_base_rate_logloss - what a model must be better than to have learned anything: the logloss of predicting the
 * evaluation split's share of positives for every example (docs/MATH.md, eq. 44). NaN where labels are not known, or there are
 * none. */
double result_base_rate_logloss(const experiment_result_t *result);

/* result_beats_constant - is its logloss below that? True where that is not known. A model that is not is of no use, and
 * nothing is concluded from it, however small its prediction difference. */
bool result_beats_constant(const experiment_result_t *result, const variant_result_t *variant);

/* result_fini - releases what is owned inside; the struct itself is the caller's. */
void result_fini(experiment_result_t *result);

/* result_put_reproducibility - members of an open JSON object, in the order of the tables. */
void result_put_reproducibility(jsondoc_t *object, const variant_result_t *variant);

#endif
