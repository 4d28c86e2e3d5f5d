#include "common/metrics/jackknife.h"

#include <math.h>

/* Student's t at 97.5 %, by degrees of freedom from 1. With more of them the last one is a little too careful. */
static const double t_quantile[] = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
};
#define MOST_DEGREES ((int32_t)(sizeof t_quantile / sizeof *t_quantile))

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
    const int32_t degrees = replicas - 1 < MOST_DEGREES ? replicas - 1 : MOST_DEGREES;
    return t_quantile[degrees - 1];
}

bool jackknife_is_distinct(double value, double error, int32_t replicas)
{
    if (replicas < JACKKNIFE_LEAST_REPLICAS)
        return false;
    return fabs(value) > jackknife_quantile(replicas) * error; /* false for NaN */
}
