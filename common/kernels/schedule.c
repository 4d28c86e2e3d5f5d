#include "common/kernels/schedule.h"

#include <math.h>
#include <string.h>

#include "common/base/status.h"

/* (1 + cos(pi x)) / 2 for x in [0, 1], off by 4e-16 at most: sin(u) of u = (1/2 - x) pi in [-pi/2, pi/2] by its Taylor
 * polynomial of degree 21, the next term of which is below 2e-18. */
static double half_wave(double x)
{
    static const double term[] = {6, 20, 42, 72, 110, 156, 210, 272, 342, 420}; /* (2k) (2k + 1) */
    const double u = (0.5 - x) * 3.14159265358979323846, square = u * u;
    double sum = 1.0;
    for (int k = (int)(sizeof term / sizeof *term); k-- > 0;)
        sum = 1.0 - square / term[k] * sum;
    return 0.5 + 0.5 * (u * sum);
}

/* By squaring, so that any number of falls costs few multiplications. */
static double power(double x, int64_t n)
{
    double product = 1.0;
    for (; n > 0 && product > 0.0; n /= 2, x *= x)
        if (n % 2)
            product *= x;
    return product;
}

double schedule_share(const schedule_t *s, int64_t step)
{
    if (step < s->warmup)
        return (double)(step + 1) / (double)s->warmup;
    const int64_t fallen = step - s->from;
    if (fallen <= 0)
        return 1.0;
    switch ((schedule_kind_t)s->kind) {
    case SCHEDULE_CONSTANT:
        return 1.0;
    case SCHEDULE_STEP:
        return power(s->factor, fallen / s->every);
    case SCHEDULE_COSINE:
        if (step >= s->until)
            return s->factor;
        return s->factor + (1.0 - s->factor) * half_wave((double)fallen / (double)(s->until - s->from));
    case SCHEDULE_INVERSE_SQRT:
        return sqrt((double)s->every / (double)(s->every + fallen));
    case SCHEDULE_COUNT:
        break;
    }
    ASSERT(!"a schedule");
}

bool schedule_knows(int kind, const char *key)
{
    if (strcmp(key, "decay_from") == 0)
        return kind != SCHEDULE_CONSTANT;
    if (strcmp(key, "decay_until") == 0)
        return kind == SCHEDULE_COSINE;
    if (strcmp(key, "decay_steps") == 0)
        return kind == SCHEDULE_STEP || kind == SCHEDULE_INVERSE_SQRT;
    if (strcmp(key, "decay_factor") == 0)
        return kind == SCHEDULE_STEP || kind == SCHEDULE_COSINE;
    return true;
}
