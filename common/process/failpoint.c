#include "common/process/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

#define VARIABLE "SMELTER_CRASH"

bool crash_armed;

/* What the environment asks for. The name lies in the list of points. */
typedef struct wish {
    char role[16];
    int index; /* -1: any of the role */
    const char *name;
    long nth;
} wish_t;

static wish_t wanted;
static atomic_long passed; /* times that the point was reached */

static const char *const points[] = {
#define POINT(name) name,
    CRASH_POINTS(POINT)
#undef POINT
};

static const char *find_point(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (strlen(points[i]) == length && memcmp(points[i], name, length) == 0)
            return points[i];
    return NULL;
}

/* A number without sign and blanks that ends at `end`. */
static bool parse_number(const char *text, const char *end, long least, long *out)
{
    char *stop;
    if (*text < '0' || *text > '9')
        return false;
    *out = strtol(text, &stop, 10);
    return stop == end && *out >= least && *out <= 1000000000;
}

static bool parse_role(const char *text, size_t length, wish_t *wish)
{
    static const char *const roles[] = {"coordinator", "server", "worker"};
    wish->index = -1;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const size_t n = strlen(roles[i]);
        if (length < n || memcmp(text, roles[i], n) != 0)
            continue;
        memcpy(wish->role, roles[i], n + 1);
        long index = 0;
        if (length > n && (text[n] != '-' || i == 0 || !parse_number(text + n + 1, text + length, 0, &index)))
            return false;
        wish->index = length > n ? (int)index : -1;
        return true;
    }
    return false;
}

static status_t parse(const char *text, wish_t *out)
{
    wish_t wish = {.nth = 1};
    const char *name = strchr(text, ':'), *nth = name ? strchr(++name, ':') : NULL;
    if (!name || !parse_role(text, (size_t)(name - 1 - text), &wish))
        return FAIL(ST_INPUT, VARIABLE "=%s: expected ROLE:NAME[:NTH] with ROLE coordinator, server[-N] or worker[-N]", text);
    wish.name = find_point(name, nth ? (size_t)(nth - name) : strlen(name));
    if (!wish.name)
        return FAIL(ST_INPUT, VARIABLE "=%s: there is no such point to crash at; common/process/failpoint.h lists them", text);
    if (nth && !parse_number(nth + 1, text + strlen(text), 1, &wish.nth))
        return FAIL(ST_INPUT, VARIABLE "=%s: the last part must be a number from 1 on: which time to crash", text);
    *out = wish;
    return ST_OK;
}

status_t failpoint_check_environment(void)
{
    const char *text = getenv(VARIABLE);
    wish_t wish;
    return text ? parse(text, &wish) : ST_OK;
}

void failpoint_arm(const char *rank_name)
{
    const char *text = getenv(VARIABLE);
    if (!text)
        return;
    ASSERT(parse(text, &wanted) == ST_OK); /* checked at the start */
    const size_t n = strlen(wanted.role);
    const bool same = strncmp(rank_name, wanted.role, n) == 0 && (rank_name[n] == 0 || rank_name[n] == ' ');
    crash_armed = same && (wanted.index < 0 || (rank_name[n] && atoi(rank_name + n + 1) == wanted.index));
    if (crash_armed)
        log_warn("will crash at %s, as " VARIABLE " wants", wanted.name);
}

void failpoint_here(const char *name)
{
    ASSERT(find_point(name, strlen(name))); /* a point that is not in the list could not be asked for */
    if (strcmp(name, wanted.name) == 0 && atomic_fetch_add(&passed, 1) + 1 == wanted.nth)
        raise(SIGKILL);
}
