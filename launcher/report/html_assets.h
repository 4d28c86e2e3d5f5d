/* html_assets.h - the texts in launcher/report/html/ that report.html is put together from, as part of the program. Each ends
 * with a NUL. */
#ifndef SMELTER_HTML_ASSETS_H
#define SMELTER_HTML_ASSETS_H

extern const char html_assets_page[];       /* page.html: the frame, with {{name}} where a text comes in */
extern const char html_assets_style[];      /* style.css */
extern const char html_assets_charts[];     /* charts.js */
extern const char html_assets_comparison[]; /* comparison.js */
extern const char html_assets_details[];    /* details.js */

#endif
