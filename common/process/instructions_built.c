/* What the compiler may use with the flags that all files but a few are built with. No code: nothing here could fail on a
 * processor that lacks it. A macro that is defined is 1, and becomes the text "1"; another becomes the text of its name. */
#include "common/process/instructions.h"

#define TEXT_OF(macro) #macro
#define ROW(id, name, macro, word, bit, saves) TEXT_OF(macro),

const char instructions_macro[INSTRUCTIONS_N][INSTRUCTIONS_MACRO_BYTES] = {INSTRUCTIONS(ROW)};
