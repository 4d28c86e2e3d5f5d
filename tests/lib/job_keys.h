/* job_keys.h - the keys of a made-up job, for tests of what ranks send each other in one process. */
#ifndef SMELTER_JOB_KEYS_H
#define SMELTER_JOB_KEYS_H

#include <stdbool.h>

#include "common/net/net_keys.h"

/* job_keys_make - draw those of ranks 0 .. n - 1, which have met.  out[n]  **owned** job_keys_drop. Fails the test. */
void job_keys_make(int n, bool encrypt, net_keys_t **out);
void job_keys_drop(int n, net_keys_t **keys);

#endif
