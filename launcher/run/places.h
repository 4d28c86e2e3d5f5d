/* places.h - where the parts of a run are that its servers write: on which host each shard wrote, and the run's folder there.
 *
 * With an output folder that all hosts share, the part of each shard is seen by all; with disks of their own, by the host that
 * is named. Whoever misses a part says where it is, and smelter gather brings the parts together. In the manifest of a run and
 * of a checkpoint; of the start that wrote them. */
#ifndef SMELTER_PLACES_H
#define SMELTER_PLACES_H

#include "common/files/jsondoc.h"
#include "launcher/ranks/roster.h"

typedef struct places {
    char *folder;   /* **owned**: of the run, absolute, the same on all hosts */
    char **host;    /* **owned**, [shards]: of each shard */
    int64_t shards; /* 0: not recorded */
} places_t;

/* places_of - of a run of this job. */
places_t places_of(const roster_t *roster, const char *run_dir);
places_t places_copy(const places_t *places);
void places_fini(places_t *places);

/* places_put / places_get - the member "places" of a manifest; nothing where they are not recorded. get: ST_CORRUPT names
 * `where` and what is wrong. */
void places_put(jsondoc_t *manifest, const places_t *places);
WARN_UNUSED status_t places_get(const jsondoc_t *manifest, const char *where, int64_t shards, places_t *out);

/* places_store, places_checkpoint - "HOST, in FOLDER", as the end of an error's line: where a shard wrote its part of a
 * finished run, or of the checkpoints of a start; NULL where that is not recorded. **owned**, mem_free. */
char *places_store(const places_t *places, int64_t shard);
char *places_checkpoint(const places_t *places, uint32_t incarnation, int64_t shard);

#endif
