/* schedule_check.h - learning rates that do not fit the length of a training, which is known once its data is. */
#ifndef SMELTER_SCHEDULE_CHECK_H
#define SMELTER_SCHEDULE_CHECK_H

#include "common/config/config.h"

/* schedule_check - ST_INPUT: a fall to the end of the training would begin behind it. `name` is the variant's.
 * schedule_warn - of a rate that does not come to its height, or does not begin to fall, before the training ends. */
WARN_UNUSED status_t schedule_check(const config_t *config, const char *name, int64_t steps);
void schedule_warn(const config_t *config, const char *name, int64_t steps);

#endif
