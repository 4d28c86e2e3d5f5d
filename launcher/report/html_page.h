/* html_page.h - the text of report.html: launcher/report/html/ put together with the data into one file that needs no other.
 *
 * Texts of the data come from users. In the frame they are escaped as HTML; in the data, which is JSON inside a script
 * element, no "<" is left, so nothing there can end the element, and the scripts put texts into the page as text nodes
 * only. The page forbids itself every request. Pure, any thread. */
#ifndef SMELTER_HTML_PAGE_H
#define SMELTER_HTML_PAGE_H

#include "common/files/jsondoc.h"

/* html_page_text - the whole page; **owned**, mem_free.
 * title, verdict  plain texts;  data  see html_report.h. Cannot fail. */
char *html_page_text(const char *title, const char *verdict, const jsondoc_t *data);

#endif
