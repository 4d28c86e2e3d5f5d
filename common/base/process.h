/* process.h - a process and all that it has started. */
#ifndef SMELTER_PROCESS_H
#define SMELTER_PROCESS_H

#include <sys/types.h>

/* process_signal_tree - send a signal to a process and to all of its descendants, as /proc shows them, parents first. A descendant
 * whose parent has ended is none any more. Cannot fail: who is gone already is passed over. Cost: reads /proc once. */
void process_signal_tree(pid_t root, int number);

#endif
