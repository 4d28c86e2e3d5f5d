/* Times are counted as floating-point numbers of 4 bits are written: by their highest bit, which is the octave, and the bits
 * that follow it, which are the part. Times of the first octave are counted one by one. */
#include "worker/step_times.h"

#include "common/base/status.h"

#define PART_BITS 4
_Static_assert(1 << PART_BITS == STEP_TIMES_PARTS, "a part is a number of PART_BITS bits");

static int place_of(uint64_t ns)
{
    if (ns < STEP_TIMES_PARTS)
        return (int)ns;
    const int shift = 63 - __builtin_clzll(ns) - PART_BITS;
    const int place = (shift + 1) * STEP_TIMES_PARTS + (int)(ns >> shift) % STEP_TIMES_PARTS;
    const int last = STEP_TIMES_OCTAVES * STEP_TIMES_PARTS - 1;
    return place < last ? place : last;
}

/* The middle of the times that are counted at a place. */
static double middle_of(int place)
{
    if (place < STEP_TIMES_PARTS)
        return place;
    const int shift = place / STEP_TIMES_PARTS - 1, part = place % STEP_TIMES_PARTS;
    const double width = (double)((int64_t)1 << shift);
    return (STEP_TIMES_PARTS + part) * width + 0.5 * (width - 1.0);
}

void step_times_add(step_times_t *times, int64_t ns)
{
    ASSERT(ns >= 0);
    times->count[place_of((uint64_t)ns)]++;
    times->steps++;
    if (ns > times->longest_ns)
        times->longest_ns = ns;
}

double step_times_median(const step_times_t *times)
{
    int64_t below = 0;
    for (int place = 0; place < STEP_TIMES_OCTAVES * STEP_TIMES_PARTS; place++) {
        below += times->count[place];
        if (2 * below > times->steps)
            return middle_of(place) * 1e-9;
    }
    return 0.0;
}
