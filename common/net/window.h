/* window.h - exactly-once: which sequence numbers of one sender were already accepted.
 *
 * A bounded window of the last 64 numbers: a number above the window moves it, a number inside is looked up, a number below it
 * is old and therefore a duplicate (a sender never has 64 unanswered pushes).                                             */
#ifndef SMELTER_WINDOW_H
#define SMELTER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct window {
    uint64_t top;  /* highest number accepted; numbers start at 1 */
    uint64_t seen; /* bit i: top - i was accepted */
} window_t;

/* window_accept - true, once, for a new number; false for a duplicate. */
static inline bool window_accept(window_t *window, uint64_t sequence)
{
    if (sequence > window->top) {
        uint64_t shift = sequence - window->top;
        window->seen = (shift < 64 ? window->seen << shift : 0) | 1;
        window->top = sequence;
        return true;
    }
    uint64_t age = window->top - sequence;
    if (age >= 64 || (window->seen >> age & 1))
        return false;
    window->seen |= 1ull << age;
    return true;
}

#endif
