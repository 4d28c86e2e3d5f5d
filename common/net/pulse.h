/* pulse.h - the coordinator's sign of life: it answers every rank that asks whether it is there.
 *
 * A thread of its own does it, on a net_t of its own, so that hours over a report, a checkpoint on a slow disk or the import of
 * a dataset do not count as silence; while a process that is stopped, gone or cut off does not answer. The ranks that ask are
 * in common/net/heartbeat.h. */
#ifndef SMELTER_PULSE_H
#define SMELTER_PULSE_H

#include <stdatomic.h>

#include "common/net/net.h"

typedef struct pulse pulse_t;

/* pulse_start - answer on `net`, borrowed, which is the thread's until pulse_stop.  **owned** pulse_stop - accepts NULL inside,
 * sets NULL. */
WARN_UNUSED status_t pulse_start(net_t *net, pulse_t **out);
void pulse_stop(pulse_t **pulse);

/* pulse_run - the loop of that thread: until *stop, or until the net_t fails. */
void pulse_run(net_t *net, const atomic_bool *stop);

#endif
