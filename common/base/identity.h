/* identity.h - the id of a run: 64 bits drawn at random when the run begins anew, kept by every start that goes on from one of
 * its checkpoints, and held by the run's files ("run_id" in those that are JSON). Two files belong to one run where their ids
 * are equal.
 *
 * It is not the run_id of messages (common/net/wire.h), which tells a start of a run from others on the wire, and is never
 * stored. 0 is no id: what was written before there were ids has none, and is "not recorded". */
#ifndef SMELTER_IDENTITY_H
#define SMELTER_IDENTITY_H

#include <stdint.h>

#include "common/base/status.h"

#define IDENTITY_BYTES 17

/* identity_draw - a new one; never 0. Not reproducible, on purpose. */
uint64_t identity_draw(void);

/* identity_text - 16 hex digits, as in the files; or "not recorded". Returns text. */
const char *identity_text(uint64_t identity, char text[IDENTITY_BYTES]);

/* identity_check - ST_CORRUPT, naming the file and both ids, where it is not of the run that is wanted. What has an id and what
 * has none never belong together: all files of one start of a run are written by one program. */
WARN_UNUSED status_t identity_check(const char *path, uint64_t found, uint64_t wanted);

#endif
