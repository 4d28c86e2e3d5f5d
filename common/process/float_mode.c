#include "common/process/float_mode.h"

#include <fenv.h>

void float_mode_set(void)
{
    fesetenv(FE_DFL_ENV); /* of x86's MXCSR and of ARM's FPCR: all of their modes, those that C does not name as well */
}
