/* fiber.h - a function on a stack of its own that can stop in its middle and go on later: what turns blocking loops of many
 * nodes into one thread that repeats exactly.
 *
 * For simulations. A fiber runs when it is resumed and until it yields or returns; it never runs by itself. Jumps out of it
 * (longjmp of a test's failed assertion) are not possible. All calls from one thread.                                       */
#ifndef SMELTER_FIBER_H
#define SMELTER_FIBER_H

#include <stdbool.h>

typedef struct fiber fiber_t;

/* fiber_create - run(context) on a stack of 512 KiB, from the first resume on. **owned**; fiber_destroy, once it has returned
 * or before it began: what it holds on its stack would be lost. */
fiber_t *fiber_create(void (*run)(void *context), void *context);
void fiber_destroy(fiber_t **fiber);

/* fiber_resume - let it go on until it yields (true) or returns (false). Not from inside of itself. */
bool fiber_resume(fiber_t *fiber);

/* fiber_yield - from inside of it: back to the code that resumed it. */
void fiber_yield(fiber_t *fiber);

#endif
