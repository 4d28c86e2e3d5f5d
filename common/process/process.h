/* process.h - a process and all that it has started. */
#ifndef SMELTER_PROCESS_H
#define SMELTER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* process_signal_tree - send a signal to a process and to all of its descendants, as /proc shows them, parents first. A
 * descendant whose parent has ended is none any more. Cannot fail: who is gone already is passed over. Cost: reads /proc
 * once. */
void process_signal_tree(pid_t root, int number);

typedef struct process {
    pid_t pid, parent;
    char state;           /* as /proc/PID/stat has it: T is stopped, Z has ended and waits for its parent */
    uint64_t start_ticks; /* since the boot; with pid, the one process in the life of a machine */
} process_t;

/* process_read - false: there is none.  process_children - *out [n] **owned** (mem_free); returns n. Cost: reads /proc once. */
bool process_read(pid_t pid, process_t *out);
size_t process_children(pid_t parent, process_t **out);

#endif
