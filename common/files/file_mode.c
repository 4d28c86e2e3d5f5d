#include "common/files/file_mode.h"

#include <string.h>
#include <sys/stat.h>

#define OWNER 0700
#define OTHERS_WRITE 0002

void file_mode_restrict(void)
{
    umask(0777 & ~OWNER);
}

status_t file_mode_apply(const char *mode)
{
    if (!mode)
        return ST_OK;
    const size_t digits = strspn(mode, "01234567");
    unsigned bits = 0;
    for (size_t i = 0; i < digits && i < 4; i++)
        bits = bits * 8 + (unsigned)(mode[i] - '0');
    if (mode[digits] || digits < 3 || digits > 4 || bits > 0777)
        return FAIL(ST_INPUT,
                    "--mode %s: must be the mode of folders in octal digits, such as 0750 (files have the same without x)",
                    mode);
    if ((bits & OWNER) != OWNER)
        return FAIL(ST_INPUT, "--mode %s: the job itself must read and write what it makes; begin with 07", mode);
    if (bits & OTHERS_WRITE)
        return FAIL(ST_INPUT, "--mode %s: everybody on this machine could change the results; end with 5, 4, 1 or 0", mode);
    umask(0777 & ~(mode_t)bits);
    return ST_OK;
}
