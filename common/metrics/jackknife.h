/* jackknife.h - how far a number would move with other replicas: leave one out after the other (docs/MATH.md eq. 43). The
 * counterpart of bootstrap.h, which knows about queries only. Pure functions, any thread. */
#ifndef SMELTER_JACKKNIFE_H
#define SMELTER_JACKKNIFE_H

#include <stdbool.h>
#include <stdint.h>

#define JACKKNIFE_LEAST_REPLICAS 3 /* without one of them a pair must be left */

/* jackknife_pairs - means over pairs of replicas, without one after the other.
 *
 * pair     in  [replicas][replicas], row-major, of which the part above the diagonal is read
 * without  out [replicas], without[r] the mean over the pairs that r is not in; NaN below three replicas */
void jackknife_pairs(const double *pair, int32_t replicas, double *without);

/* jackknife_error - standard error of a number over replicas, from what it is without each.
 *
 *   se^2 = (R-1)/R sum_r (without_r - mean of all without_i)^2                                               (eq. 43)
 *
 * For the error of a difference between two models whose replica r saw the same order or initialisation, give the differences
 * of what both are without replica r. NaN below three replicas, and where a number is. */
double jackknife_error(const double *without, int32_t replicas);

/* jackknife_quantile - the number of standard errors of a mean over replicas between it and the ends of its 95 % interval:
 * Student's t at 97.5 % with replicas - 1 degrees of freedom. NaN below two replicas. */
double jackknife_quantile(int32_t replicas);

/* jackknife_is_distinct - is a value farther from 0 than 95 % of those that replicas alone would make? By Student's t with
 * replicas - 1 degrees of freedom; false where the error is not known. */
bool jackknife_is_distinct(double value, double error, int32_t replicas);

#endif
