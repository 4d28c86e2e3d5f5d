/* replay_window.h - exactly-once: which sequence numbers of one sender were already accepted.
 *
 * A bounded window of the last 64 numbers: a number above the window moves it, a number inside is looked up, a number below it
 * is old and therefore a duplicate (a sender never has 64 pushes that are not acknowledged). */
#ifndef SMELTER_REPLAY_WINDOW_H
#define SMELTER_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WINDOW_NUMBERS 64

typedef struct replay_window {
    uint64_t top;  /* highest number accepted; numbers start at 1 */
    uint64_t seen; /* bit i: top - i was accepted */
} replay_window_t;

/* replay_window_floor - all numbers up to it were accepted, and the next one was not. */
static inline uint64_t replay_window_floor(const replay_window_t *window)
{
    const uint64_t in_reach = window->top < REPLAY_WINDOW_NUMBERS ? (1ull << window->top) - 1 : ~0ull;
    const uint64_t missing = ~window->seen & in_reach;
    return missing ? window->top - (uint64_t)(64 - __builtin_clzll(missing)) : window->top;
}

/* replay_window_reaches - is the number one that an honest sender may use next? One so far above those without a gap that a
 * number that is still missing would fall out of the window and count as a duplicate, or 0, is not. */
static inline bool replay_window_reaches(const replay_window_t *window, uint64_t sequence)
{
    return sequence > 0 && (sequence <= window->top || sequence - replay_window_floor(window) <= REPLAY_WINDOW_NUMBERS);
}

/* replay_window_has - was the number accepted before, or is it below the window? */
static inline bool replay_window_has(const replay_window_t *window, uint64_t sequence)
{
    if (sequence > window->top)
        return false;
    uint64_t age = window->top - sequence;
    return age >= REPLAY_WINDOW_NUMBERS || (window->seen >> age & 1);
}

/* replay_window_accept - true, once, for a new number; false for a duplicate. */
static inline bool replay_window_accept(replay_window_t *window, uint64_t sequence)
{
    if (replay_window_has(window, sequence))
        return false;
    if (sequence > window->top) {
        uint64_t shift = sequence - window->top;
        window->seen = shift < REPLAY_WINDOW_NUMBERS ? window->seen << shift : 0;
        window->top = sequence;
    }
    window->seen |= 1ull << (window->top - sequence);
    return true;
}

#endif
