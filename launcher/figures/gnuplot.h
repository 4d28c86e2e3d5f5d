/* gnuplot.h - pictures by gnuplot, the only place that runs it.
 *
 * A picture is a script in its folder, beside the data that it draws: DIR/NAME.gp, run once for DIR/NAME.svg and once for
 * DIR/NAME.png. For other colours, edit the script and run it again; its first lines say how.                 */
#ifndef SMELTER_GNUPLOT_H
#define SMELTER_GNUPLOT_H

#include "common/base/status.h"

/* gnuplot_check - ST_INPUT where gnuplot cannot be started, with the package that brings it. */
WARN_UNUSED status_t gnuplot_check(void);

/* gnuplot_draw - write the script and run it for both forms. It names files relative to dir, and may use `vector`,
 * which is 1 while the SVG is made: a form that suffers from many small polygons. width, height in pixels of the SVG;
 * the PNG has twice as many each way
 * ST_INPUT: not writable; gnuplot is missing or refuses the script (with what it says). */
WARN_UNUSED status_t gnuplot_draw(const char *dir, const char *name, const char *script, int width, int height);

#endif
