#include "common/base/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"

uint64_t identity_draw(void)
{
    uint64_t drawn = 0;
    /* Before a system has gathered randomness, its time and the process must do. */
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != (ssize_t)sizeof drawn)
        drawn = hash_mix(hash_mix((uint64_t)clock_now_ns()) ^ (uint64_t)getpid());
    return drawn ? drawn : 1;
}

const char *identity_text(uint64_t identity, char text[IDENTITY_BYTES])
{
    if (identity)
        snprintf(text, IDENTITY_BYTES, "%016" PRIx64, identity);
    else
        snprintf(text, IDENTITY_BYTES, "not recorded");
    return text;
}

status_t identity_check(const char *path, uint64_t found, uint64_t wanted)
{
    char is[IDENTITY_BYTES], should[IDENTITY_BYTES];
    if (found == wanted)
        return ST_OK;
    return FAIL(
        ST_CORRUPT,
        "%s: its run id is %s, that of the run is %s: another run wrote it, and it was copied or left here; put the run's own "
        "file in its place",
        path, identity_text(found, is), identity_text(wanted, should));
}
