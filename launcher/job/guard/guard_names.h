/* guard_names.h - how the guard in mpirun is told what to do: names in the environment. */
#ifndef SMELTER_GUARD_NAMES_H
#define SMELTER_GUARD_NAMES_H

#define GUARD_ADDRESS "SMELTER_GUARD"                /* the IPv4 address to listen on */
#define GUARD_PRELOAD_BEFORE "SMELTER_GUARD_PRELOAD" /* what LD_PRELOAD was before; not there where it was not */

#endif
