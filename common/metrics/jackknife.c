#include "common/metrics/jackknife.h"

#include <math.h>

#include "common/metrics/t_test.h"

/* The mean over the pairs that replica `without` is not in. */
static double mean_without(const double *pair, int32_t replicas, int32_t without)
{
    double sum = 0.0;
    for (int32_t i = 0; i < replicas; i++)
        for (int32_t j = i + 1; j < replicas; j++)
            if (i != without && j != without)
                sum += pair[i * replicas + j];
    return sum / ((double)(replicas - 1) * (replicas - 2) / 2);
}

void jackknife_pairs(const double *pair, int32_t replicas, double *without)
{
    for (int32_t r = 0; r < replicas; r++)
        without[r] = replicas < JACKKNIFE_LEAST_REPLICAS ? NAN : mean_without(pair, replicas, r);
}

double jackknife_error(const double *without, int32_t replicas)
{
    if (replicas < JACKKNIFE_LEAST_REPLICAS)
        return NAN;
    double mean = 0.0, squares = 0.0;
    for (int32_t r = 0; r < replicas; r++)
        mean += without[r] / replicas;
    for (int32_t r = 0; r < replicas; r++)
        squares += (without[r] - mean) * (without[r] - mean);
    return sqrt(squares * (replicas - 1) / replicas);
}

double jackknife_quantile(int32_t replicas)
{
    if (replicas < 2)
        return NAN;
    return t_test_quantile(1.0 - T_TEST_LEVEL / 2.0, replicas - 1.0);
}

bool jackknife_is_distinct(double value, double error, int32_t replicas)
{
    if (replicas < JACKKNIFE_LEAST_REPLICAS)
        return false;
    return fabs(value) > jackknife_quantile(replicas) * error; /* false for NaN */
}
