/* synth.h - the synthetic generator: power-law categories, latent-factor truth with interactions and drift, query
 * groups; any size, streaming; the same bytes for the same settings. */
#ifndef SMELTER_SYNTH_H
#define SMELTER_SYNTH_H

#include "common/base/status.h"
#include "common/config/config.h"

/* synth_dataset - write the dataset at `path`. ST_INPUT where the settings or the path are wrong. */
WARN_UNUSED status_t synth_dataset(const struct config_synth *settings, const char *path, bool progress);

/* synth_settings - the settings that a generated dataset is made by, one per line; **owned**, mem_free. */
char *synth_settings(const struct config_synth *settings);

#endif
