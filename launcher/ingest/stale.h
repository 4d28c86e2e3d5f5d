/* stale.h - is the dataset at data.path still what the configuration asks for? A dataset knows what it was made of (origin.h);
 * data.input, data.schema or synth.* may have changed since. */
#ifndef SMELTER_STALE_H
#define SMELTER_STALE_H

#include "common/base/status.h"
#include "common/config/config.h"
#include "common/data/origin.h"

/* stale_check - compare the dataset with data.input, data.schema and synth.*.
 *
 * difference  out: what differs, with both sides, **owned**; NULL where nothing does. An input that is gone makes no
 * difference, because
 *             the dataset is whole without it
 * note        out: what could not be compared, **owned**; or NULL
 * The dataset exists.  ST_INPUT, ST_CORRUPT, ST_SYSTEM: it, the schema or the input cannot be read.
 * Cost: the input is read where its time has changed and its size has not. */
WARN_UNUSED status_t stale_check(const config_t *config, char **difference, char **note);

/* stale_settings - does this schema say something else than that by which a dataset was imported? What differs, with both
 * sides, **owned**; NULL where nothing does. */
char *stale_settings(const origin_t *origin, const schema_t *schema);

/* stale_input - the file that the dataset at `path` was imported from, or its schema, has changed since: what differs,
 * **owned**; else NULL. */
WARN_UNUSED status_t stale_input(const char *path, char **difference);

#endif
