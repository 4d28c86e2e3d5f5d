/* t_test.h - is a difference more than the chance of replicas? Student's t for one difference, Holm's correction for several of
 * them, and how many replicas it takes (docs/MATH.md section 9). Pure functions, any thread. */
#ifndef SMELTER_T_TEST_H
#define SMELTER_T_TEST_H

#include <stdint.h>

#define T_TEST_LEVEL 0.05 /* a difference below it is called significant */
#define T_TEST_POWER 0.8  /* chance to find a difference that is there, of the number of replicas that is asked for */
#define T_TEST_MOST_REPLICAS 1e6

/* t_test_p - how likely a value, or one farther from 0, is by chance where the truth is 0: two-sided, by Student's t with
 * replicas - 1 degrees of freedom. NaN below two replicas, and where value or error is not a number. */
double t_test_p(double value, double error, int32_t replicas);

/* t_test_quantile - the x below which Student's t is with probability p of (0, 1); degrees of freedom: at least 1. */
double t_test_quantile(double p, double degrees);

/* t_test_holm - p-values of n differences that are looked at together (eq. 47): adjusted[i] <= level for all that Holm's method
 * calls significant at that level. What is NaN is none of them, and stays NaN. in and out may be the same. */
void t_test_holm(const double *p, int32_t n, double *adjusted);

/* t_test_replicas - the least number of replicas, from two on, of which a mean that is `difference` from 0 is found significant
 * at T_TEST_LEVEL with probability T_TEST_POWER (eq. 48), where one replica's value has this standard deviation. NaN where the
 * deviation is not a number, infinity where it takes more than T_TEST_MOST_REPLICAS. */
double t_test_replicas(double deviation, double difference);

#endif
