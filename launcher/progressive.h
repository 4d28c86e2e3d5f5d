/* progressive.h - progressive validation: predictions of training examples, made before they were learned, as they come from the
 * workers; one line of metrics.jsonl per interval.
 *
 * Examples are put back into the order of the training data, so the numbers do not depend on the number of workers.          */
#ifndef SMELTER_PROGRESSIVE_H
#define SMELTER_PROGRESSIVE_H

#include "common/net/net.h"
#include "worker/lanes.h"

typedef struct progressive progressive_t;

/* progressive_create - lines go to `path` (replaced).  **owned**; progressive_destroy closes the file. */
WARN_UNUSED status_t progressive_create(const char *path, net_t *net, int workers, const lanes_t *lanes, progressive_t **out);
void progressive_destroy(progressive_t **progressive);

/* progressive_put - take over a PROGRESS message of `worker`; writes the lines of all intervals that are complete.
 * ST_MESSAGE where it does not fit the run. */
WARN_UNUSED status_t progressive_put(progressive_t *progressive, int worker, net_message_t *message, int64_t now_ns);

int64_t progressive_examples(const progressive_t *progressive); /* in all complete intervals */
int64_t progressive_steps(const progressive_t *progressive);
double progressive_logloss(const progressive_t *progressive);   /* mean over them; NaN before the first */

#endif
