/* config_check.h - combinations of values, each allowed by itself, that cannot work together. */
#ifndef SMELTER_CONFIG_CHECK_H
#define SMELTER_CONFIG_CHECK_H

#include "common/config/config.h"

#define COMPLAINT_KEYS 3
#define COMPLAINTS_MAX 16

typedef struct complaint {
    const char *keys[COMPLAINT_KEYS]; /* involved, the likeliest to be changed first; the rest NULL */
    char *text;                       /* what is wrong and what to use; **owned** */
} complaint_t;

/* config_complaints - everything that is wrong with a decoded configuration; returns how many were written. */
int config_complaints(const config_t *config, complaint_t out[COMPLAINTS_MAX]);

#endif
