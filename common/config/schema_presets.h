/* schema_presets.h - import schemas of well-known data sets, as the YAML text that a person would write. */
#ifndef SMELTER_SCHEMA_PRESETS_H
#define SMELTER_SCHEMA_PRESETS_H

typedef struct schema_preset {
    const char *name;
    const char *doc;
    const char *text; /* YAML */
} schema_preset_t;

/* schema_presets - all of them, ended by a NULL name.  Static. */
extern const schema_preset_t schema_presets[];

/* schema_preset - the one with this name, or NULL. */
const schema_preset_t *schema_preset(const char *name);

#endif
