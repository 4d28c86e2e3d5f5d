/* jackknife.h - how far a mean over pairs of replicas would move with other replicas: leave one out after the other
 * (docs/MATH.md eq. 43). The counterpart of bootstrap.h, which knows about queries only. Pure functions, any thread. */
#ifndef SMELTER_JACKKNIFE_H
#define SMELTER_JACKKNIFE_H

#include <stdbool.h>
#include <stdint.h>

#define JACKKNIFE_LEAST_REPLICAS 3 /* without one of them a pair must be left */

/* jackknife_error - standard error of the mean over pairs.
 *
 *   se^2 = (R-1)/R sum_r (m_(r) - mean of all m_(r))^2 ,  m_(r) the mean over the pairs without replica r     (eq. 43)
 *
 * pair  in [replicas][replicas], row-major, of which the part above the diagonal is read. For the error of a difference
 * between two models whose replica r saw the same order or initialisation, give the difference of their pairs: both then
 * leave out the same replica. NaN below three replicas, and where a pair is. */
double jackknife_error(const double *pair, int32_t replicas);

/* jackknife_is_distinct - is a value farther from 0 than 95 % of those that replicas alone would make? By Student's t with
 * replicas - 1 degrees of freedom; false where the error is not known. */
bool jackknife_is_distinct(double value, double error, int32_t replicas);

#endif
