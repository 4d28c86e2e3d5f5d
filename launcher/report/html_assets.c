/* The assembler takes the files in as they are, relative to the root, where make runs. Rejected: a generated C array,
 * which needs a generator, and C23's #embed, which this compiler does not have. The Makefile names the files as
 * prerequisites of this object. */
#include "launcher/report/html_assets.h"

#define ASSET(symbol, file) \
    __asm__(".pushsection .rodata\n" \
            ".global " #symbol "\n" \
            ".type " #symbol ", %object\n" #symbol ":\n" \
            ".incbin \"launcher/report/html/" file "\"\n" \
            ".byte 0\n" \
            ".size " #symbol ", . - " #symbol "\n" \
            ".popsection");

ASSET(html_assets_page, "page.html")
ASSET(html_assets_style, "style.css")
ASSET(html_assets_charts, "charts.js")
ASSET(html_assets_comparison, "comparison.js")
ASSET(html_assets_details, "details.js")
