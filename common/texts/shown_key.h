/* shown_key.h - the key of a row as a person reads it: of which value of which field it is, and of a cross of which values. */
#ifndef SMELTER_SHOWN_KEY_H
#define SMELTER_SHOWN_KEY_H

#include "common/config/table_plan.h"
#include "common/data/dataset.h"

#define SHOWN_KEY_BYTES 512

/* shown_key_find - "video_id = 4569" of a field of the plan, or of a cross "user_id = 17, hour = 20" of the first example that
 * has it, which is looked for; of a cross with buckets others may have it, too. text is "" where the dataset keeps no text of
 * the value, has no such example, or is not that of the plan.
 * ST_CORRUPT: a block is damaged. Cost: of a cross, a pass over the dataset. */
WARN_UNUSED status_t shown_key_find(dataset_t *dataset, const table_plan_t *plan, int field, uint64_t key,
                                    char text[SHOWN_KEY_BYTES]);

#endif
