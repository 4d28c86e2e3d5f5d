/* schedule.h - how a learning rate changes over a training: a pure function of the number of the step, so that servers and
 * workers agree on it without a word, and a training that goes on from a checkpoint goes on with its rate.
 *
 * First a linear rise, then one of a few falls. In double, by additions, multiplications, divisions and sqrt, whose bits IEEE
 * fixes; the cosine is a polynomial. Stateless, any thread; once for each push, not for each row. */
#ifndef SMELTER_SCHEDULE_H
#define SMELTER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* W(word of embedding.schedule and dense.schedule, constant, "meaning"). */
#define WORDS_SCHEDULE(W) \
    W(constant, SCHEDULE_CONSTANT, "it stays, once it has risen (warmup_steps)") \
    W(step, SCHEDULE_STEP, "every decay_steps it is multiplied by decay_factor") \
    W(cosine, SCHEDULE_COSINE, "it falls to its share decay_factor at decay_until, along half a period of a cosine") \
    W(inverse_sqrt, SCHEDULE_INVERSE_SQRT, "it falls as 1 / sqrt(1 + t / decay_steps)")
#define SCHEDULE_CONSTANT_OF(word, constant, meaning) constant,
typedef enum schedule_kind { WORDS_SCHEDULE(SCHEDULE_CONSTANT_OF) SCHEDULE_COUNT } schedule_kind_t;

typedef struct schedule {
    int kind;       /* schedule_kind_t; 0, as all the rest: constant */
    int64_t warmup; /* steps of the rise; 0: none */
    int64_t from;   /* step from which it falls, not before the rise ends */
    int64_t until;  /* SCHEDULE_COSINE: where the fall ends; after `from` */
    int64_t every;  /* SCHEDULE_STEP, SCHEDULE_INVERSE_SQRT */
    double factor;  /* SCHEDULE_STEP, SCHEDULE_COSINE */
} schedule_t;

static inline bool schedule_is_constant(const schedule_t *s)
{
    return s->kind == SCHEDULE_CONSTANT && s->warmup == 0;
}

/* schedule_share - what the learning rate of step `step` (from 0) is multiplied by (docs/MATH.md eq. 22d). */
double schedule_share(const schedule_t *s, int64_t step);

/* schedule_knows - does a schedule make use of this key of CONFIG_SCHEDULE (config_keys.h)? */
bool schedule_knows(int kind, const char *key);

#endif
