/* summary.h - an experiment's result in words, for the terminal, results.json and report.html alike.
 *
 * All functions want a result that went through result_summarise.                                                          */
#ifndef SMELTER_SUMMARY_H
#define SMELTER_SUMMARY_H

#include "launcher/report/result.h"

#define VERDICT_LOSS_TOLERANCE 0.005 /* where a result has no configuration to say it (experiment.tolerance) */

/* summary_best - the variant that the verdict is about: the lowest relative PD among those whose logloss is within
 * experiment.tolerance of the baseline's and better than a constant's (result_base_rate_logloss), whose AUC loss and PQAUC
 * loss are not significantly beyond that tolerance, and whose replicas differ in the same sources as the baseline's; the
 * baseline where none lowers it, and where no verdict can be drawn. Borrowed. A PD that is not a number is
 * never the lowest. */
const variant_result_t *summary_best(const experiment_result_t *result);

/* summary_text - the verdict; **owned**, mem_free. Its first sentence says what the variant changes, at what loss and for what
 * share of whose cost; the others whether the change is more than chance, of queries and of replicas, what is left of it at
 * equal levels, and what the alternatives are. Where there is nothing to draw a verdict from it begins with "No verdict" and
 * says why: one replica, predictions that are no numbers, models that are no better than a constant, no other variant, none
 * with such a logloss. */
char *summary_text(const experiment_result_t *result);

#endif
