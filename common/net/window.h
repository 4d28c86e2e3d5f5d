/* window.h - exactly-once: which sequence numbers of one sender were already accepted.
 *
 * A bounded window of the last 64 numbers: a number above the window moves it, a number inside is looked up, a number below
 * it is old and therefore a duplicate (a sender never has 64 unanswered pushes). */
#ifndef SMELTER_WINDOW_H
#define SMELTER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_NUMBERS 64

typedef struct window {
    uint64_t top;  /* highest number accepted; numbers start at 1 */
    uint64_t seen; /* bit i: top - i was accepted */
} window_t;

/* window_reaches - is the number one that an honest sender may use next? One far above the window, or 0, would make
 * duplicates of the numbers that belong there. */
static inline bool window_reaches(const window_t *window, uint64_t sequence)
{
    return sequence > 0 && (sequence <= window->top || sequence - window->top <= WINDOW_NUMBERS);
}

/* window_has - was the number accepted before, or is it below the window? */
static inline bool window_has(const window_t *window, uint64_t sequence)
{
    if (sequence > window->top)
        return false;
    uint64_t age = window->top - sequence;
    return age >= WINDOW_NUMBERS || (window->seen >> age & 1);
}

/* window_accept - true, once, for a new number; false for a duplicate. */
static inline bool window_accept(window_t *window, uint64_t sequence)
{
    if (window_has(window, sequence))
        return false;
    if (sequence > window->top) {
        uint64_t shift = sequence - window->top;
        window->seen = shift < WINDOW_NUMBERS ? window->seen << shift : 0;
        window->top = sequence;
    }
    window->seen |= 1ull << (window->top - sequence);
    return true;
}

#endif
