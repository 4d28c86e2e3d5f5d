/* descriptors.h - what a process must see to before it opens its first file: that 0, 1 and 2 are taken, and how many it may
 * open.
 *
 * A daemon may start us with standard input, output and error closed. The next file that is opened would get one of their
 * numbers, and the first line of the log, or of a library, would land in a dataset. */
#ifndef SMELTER_DESCRIPTORS_H
#define SMELTER_DESCRIPTORS_H

#include <stdint.h>

#include "common/base/status.h"

/* descriptors_prepare - /dev/null in place of each of 0, 1 and 2 that is closed; the limit on open files (RLIMIT_NOFILE, soft)
 * as high as it may be, up to 65,536. First thing in main; children inherit both. Cannot fail. */
void descriptors_prepare(void);

/* descriptors_limit - how many files this process may have open. */
int64_t descriptors_limit(void);

/* descriptors_check - ST_INPUT, in one line that says how to raise it, where `limit` is below `needed`. who needs them: "mpirun
 * with 3 ranks", "server 1 (rank 2 on node3)". */
WARN_UNUSED status_t descriptors_check(int64_t limit, int64_t needed, const char *who);

/* descriptors_divert - standard output, and that of children, goes to the file at `path`, which is made or emptied; *saved is
 * what it was.  ST_INPUT: not writable; nothing has changed then.
 * descriptors_restore - back to that. */
WARN_UNUSED status_t descriptors_divert(const char *path, int *saved);
void descriptors_restore(int saved);

#endif
