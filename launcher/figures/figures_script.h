/* figures_script.h - what the figures' scripts share: text that grows, panels at given places, one look.
 *
 * Colours are Okabe and Ito's for things that differ in kind, and viridis from dark to light for things that have an
 * order: both can be told apart by colour-blind readers, and in print by their lightness. */
#ifndef SMELTER_FIGURES_SCRIPT_H
#define SMELTER_FIGURES_SCRIPT_H

#include <stdio.h>

#include "common/base/status.h"

typedef struct script {
    FILE *out; /* what fprintf writes to */
    char *text;
    size_t bytes;
} script_t;

/* script_begin - an empty text; `out` takes it. script_save - write it to DIR/FILE and forget it. script_draw - end it with
 * `unset multiplot`, draw it as DIR/NAME.svg and .png, and forget it. */
void script_begin(script_t *script);
WARN_UNUSED status_t script_save(script_t *script, const char *dir, const char *file);
WARN_UNUSED status_t script_draw(script_t *script, const char *dir, const char *name, int width, int height);

/* script_style - fonts, grid, borders and palette; every script begins with it. */
void script_style(script_t *script);

/* A panel's place in pixels from the left and the top of the picture. */
typedef struct panel {
    double left, top, width, height;
} panel_t;

/* script_panel - the next plot goes there. The picture is `width` x `height` pixels. */
void script_panel(script_t *script, panel_t panel, int width, int height);

/* script_ramp - colour i of n in order, "#rrggbb"; script_colour - colour i of things that differ in kind, repeating
 * after eight. */
const char *script_ramp(int i, int n);
const char *script_colour(int i);

/* script_key_colour / script_key_type - colour, and type of point, of the variant at place i of results.json: those that
 * report.html gives it on white paper. */
const char *script_key_colour(int i);
int script_key_type(int i);

/* script_name - an activation's name as people write it: "smelu" -> "SmeLU". */
const char *script_name(const char *activation);

#endif
