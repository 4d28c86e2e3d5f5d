/* patience.h - how long a wait has lasted, in time in which its end could have been noticed.
 *
 * A process that is stopped (Ctrl-Z, a debugger, a batch system that suspends a job) or that does something else for long has
 * not waited meanwhile: what it waits for may have come long ago and lies unread. So a wait looks at the clock again and again,
 * and of the time between two looks counts a second at most. Looks must come more often than that for the count to be exact. */
#ifndef SMELTER_PATIENCE_H
#define SMELTER_PATIENCE_H

#include <stdint.h>

#define PATIENCE_LOOK_NS INT64_C(1000000000)

typedef struct patience {
    int64_t spent_ns, looked_ns;
} patience_t;

static inline patience_t patience_start(int64_t now_ns)
{
    return (patience_t){0, now_ns};
}

/* patience_spend - a look: returns what was waited since the start. */
static inline int64_t patience_spend(patience_t *patience, int64_t now_ns)
{
    const int64_t passed_ns = now_ns - patience->looked_ns;
    patience->spent_ns += passed_ns < PATIENCE_LOOK_NS ? passed_ns : PATIENCE_LOOK_NS;
    patience->looked_ns = now_ns;
    return patience->spent_ns;
}

#endif
