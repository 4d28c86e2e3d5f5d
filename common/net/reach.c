#include "common/net/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define BACKLOG 1024   /* one visitor of each host */
#define MOMENTS_MS 300 /* a first place may answer this much later than another */

static struct sockaddr_in address_of(uint32_t ip, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons((uint16_t)port)};
}

/* A socket that listens on the address and the first port that is free; *port is which. */
static int listen_on(uint32_t ip, int first, int last, int32_t *port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    for (int p = first; fd >= 0 && p <= last; p++) {
        struct sockaddr_in own = address_of(ip, p);
        socklen_t bytes = sizeof own;
        if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0)
            continue;
        if (listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&own, &bytes) != 0)
            break;
        *port = ntohs(own.sin_port);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

status_t reach_open(reach_places_t *places, int first, int last, reach_t *out)
{
    *out = (reach_t){.n = 0};
    for (int i = 0; i < places->n; i++) {
        const int fd = listen_on(places->ip[i], first, last, &places->port[i]);
        if (fd < 0) {
            char text[INET_ADDRSTRLEN];
            const struct in_addr ip = {htonl(places->ip[i])};
            inet_ntop(AF_INET, &ip, text, sizeof text);
            return first ? FAIL(ST_SYSTEM, "%s: none of the ports %d-%d of cluster.ports is free (%s)", text, first, last,
                                strerror(errno))
                         : FAIL(ST_SYSTEM, "%s: no port is free (%s)", text, strerror(errno));
        }
        out->fd[out->n++] = fd;
    }
    return ST_OK;
}

void reach_close(reach_t *reach)
{
    for (int i = 0; i < reach->n; i++)
        close(reach->fd[i]);
    reach->n = 0;
}

/* ---- the other side ---------------------------------------------------------------------------------------------------- */

typedef enum visit { VISIT_WAITS, VISIT_THERE, VISIT_FAILED } visit_t;

static int start_visit(uint32_t ip, int port, visit_t *visit)
{
    const struct sockaddr_in its = address_of(ip, port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *visit = VISIT_FAILED;
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&its, sizeof its) == 0)
        *visit = VISIT_THERE;
    else if (fd >= 0 && errno == EINPROGRESS)
        *visit = VISIT_WAITS;
    return fd;
}

static visit_t look(const struct pollfd *item)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (!item->revents)
        return VISIT_WAITS;
    return getsockopt(item->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0 ? VISIT_THERE : VISIT_FAILED;
}

/* The first that is there, or -1; *first_waits: one before it may come yet. */
static int best(const visit_t *visits, int n, bool *first_waits)
{
    *first_waits = false;
    for (int i = 0; i < n; i++) {
        if (visits[i] == VISIT_THERE)
            return i;
        *first_waits = *first_waits || visits[i] == VISIT_WAITS;
    }
    return -1;
}

int reach_try(const reach_places_t *places, int64_t most_ms)
{
    int fds[REACH_MOST];
    visit_t visits[REACH_MOST];
    int64_t until_ns = clock_now_ns() + most_ms * 1000000;
    int found;
    bool hurries = false, waits;
    for (int i = 0; i < places->n; i++)
        fds[i] = start_visit(places->ip[i], places->port[i], &visits[i]);
    while (found = best(visits, places->n, &waits), waits) {
        const int64_t now = clock_now_ns();
        if (found >= 0 && !hurries && until_ns > now + MOMENTS_MS * INT64_C(1000000))
            until_ns = now + MOMENTS_MS * INT64_C(1000000);
        hurries = hurries || found >= 0;
        if (now >= until_ns)
            break;
        struct pollfd open[REACH_MOST];
        for (int i = 0; i < places->n; i++)
            open[i] = (struct pollfd){.fd = visits[i] == VISIT_WAITS ? fds[i] : -1, .events = POLLOUT};
        poll(open, (nfds_t)places->n, (int)((until_ns - now) / 1000000 + 1));
        for (int i = 0; i < places->n; i++)
            if (open[i].fd >= 0)
                visits[i] = look(&open[i]);
    }
    for (int i = 0; i < places->n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return found;
}
