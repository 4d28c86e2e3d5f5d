/* roll_call.h - who was asked for an answer and has not given it: each may answer once, and only when asked. */
#ifndef SMELTER_ROLL_CALL_H
#define SMELTER_ROLL_CALL_H

#include <stdbool.h>

typedef struct roll_call {
    bool *awaits;       /* **owned**, [most] */
    int most, answered; /* of this call */
} roll_call_t;

/* roll_call_init - of up to `most`; nobody is asked yet. */
void roll_call_init(roll_call_t *call, int most);
void roll_call_fini(roll_call_t *call);

/* roll_call_begin - numbers 0 to n - 1 are asked, and nobody else; none has answered. 0: nobody is asked any more. */
void roll_call_begin(roll_call_t *call, int n);

/* roll_call_awaits - an answer of this number, whatever it is.  roll_call_take - it has come. */
bool roll_call_awaits(const roll_call_t *call, int number);
void roll_call_take(roll_call_t *call, int number);

#endif
