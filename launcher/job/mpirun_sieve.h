/* mpirun_sieve.h - what comes from mpirun's standard error: lines of ranks pass, mpirun's words about a failure become
 * facts. */
#ifndef SMELTER_MPIRUN_SIEVE_H
#define SMELTER_MPIRUN_SIEVE_H

#include <stdbool.h>
#include <stddef.h>

#include "launcher/job/mpirun.h"

typedef struct mpirun_sieve mpirun_sieve_t;

/* mpirun_sieve_create - facts go to death, which is borrowed.  mpirun_sieve_end - show what is left; destroys. */
mpirun_sieve_t *mpirun_sieve_create(mpirun_death_t *death);
void mpirun_sieve_end(mpirun_sieve_t **sieve);

/* mpirun_sieve_feed - text as it came.  mpirun_sieve_quiet - nothing came for a moment: show an unfinished line (progress),
 * unless it may become one of mpirun's.  mpirun_sieve_is_between - there is an unfinished line. */
void mpirun_sieve_feed(mpirun_sieve_t *sieve, const char *text, size_t n);
void mpirun_sieve_quiet(mpirun_sieve_t *sieve);
bool mpirun_sieve_is_between(const mpirun_sieve_t *sieve);

#endif
