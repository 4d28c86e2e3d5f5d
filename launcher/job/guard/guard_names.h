/* guard_names.h - how the guard in mpirun is told what to do: names in the environment. */
#ifndef SMELTER_GUARD_NAMES_H
#define SMELTER_GUARD_NAMES_H

#define GUARD_ADDRESS "SMELTER_GUARD"                /* the IPv4 address to listen on, or several with commas between them */
#define GUARD_PORTS "SMELTER_GUARD_PORTS"            /* "20000-20100", of which to listen on; not there: on any */
#define GUARD_PRELOAD_BEFORE "SMELTER_GUARD_PRELOAD" /* what LD_PRELOAD was before; not there where it was not */

#endif
