/* guard.c - what is loaded into mpirun, so that strangers cannot reach it.
 *
 * Open MPI 4.1's out-of-band channel listens on all addresses of the host, whatever oob_tcp_if_include says, and takes for a
 * daemon or a tool of its own whoever connects, on the strength of a job number: he may end the job, or start programs as its
 * user. PMIx listens on loopback, and believes the user id that it is told. No parameter changes either. So this library comes
 * between mpirun and the C library:
 *
 *     bind    to all IPv4 addresses becomes one to the address in SMELTER_GUARD; to all IPv6 addresses there is none to have.
 *             Where that is 0.0.0.0, or a list, the address is left alone. Any port becomes the first free one of
 *             SMELTER_GUARD_PORTS, where it is there: oob_tcp_dynamic_ipv4_ports takes all ports that it is given
 *     accept  on loopback hands over only connections of processes of the own user, which the kernel's table of connections
 *             tells; others are closed before a byte of them is read. So are those that have come to an address that is
 *             neither loopback nor on the list, where there is one
 *
 * It is built as a library of its own, is a part of the smelter binary as bytes (mpirun_guard.c), and is loaded by LD_PRELOAD.
 * In mpirun it takes itself out of the environment, which ranks get. Where mpirun is a script, it passes through the shell. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/job/guard/guard_names.h"

static bool is_guarded;
#define GUARD_MOST 4
static in_addr_t guard_address;          /* in the network's order; 0: all addresses, as ever */
static in_addr_t guard_list[GUARD_MOST]; /* where there are several */
static int guard_listed;
static int first_port, last_port; /* 0, 0: any */

/* orted is what mpirun starts on other hosts. */
static bool is_launcher(void)
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "orted"};
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = 0;
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; slash && i < sizeof names / sizeof *names; i++)
        if (strncmp(slash + 1, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static __attribute__((constructor)) void guard_begin(void)
{
    const char *address = getenv(GUARD_ADDRESS), *before = getenv(GUARD_PRELOAD_BEFORE);
    if (!address || !is_launcher())
        return;
    is_guarded = true;
    guard_address = strchr(address, ',') ? 0 : inet_addr(address);
    for (const char *at = address; strchr(address, ',') && *at && guard_listed < GUARD_MOST; at += *at == ',') {
        char one[sizeof "255.255.255.255"];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(at, ","), at);
        guard_list[guard_listed++] = inet_addr(one);
        at += strcspn(at, ",");
    }
    if (!getenv(GUARD_PORTS) || sscanf(getenv(GUARD_PORTS), "%d-%d", &first_port, &last_port) != 2)
        first_port = last_port = 0;
    if (before)
        setenv("LD_PRELOAD", before, 1);
    else
        unsetenv("LD_PRELOAD");
    unsetenv(GUARD_ADDRESS);
    unsetenv(GUARD_PORTS);
    unsetenv(GUARD_PRELOAD_BEFORE);
}

static int bind_port(__typeof__(bind) *next, int fd, struct sockaddr_in *own)
{
    if (own->sin_port != 0 || first_port == 0)
        return next(fd, (const struct sockaddr *)own, sizeof *own);
    for (int port = first_port; port <= last_port; port++) {
        own->sin_port = htons((uint16_t)port);
        if (next(fd, (const struct sockaddr *)own, sizeof *own) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    fprintf(stderr, "mpirun cannot listen on a port of cluster.ports, %d-%d: %s\n", first_port, last_port, strerror(errno));
    return -1;
}

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    static __typeof__(bind) *next;
    if (!next)
        next = (__typeof__(bind) *)(uintptr_t)dlsym(RTLD_NEXT, "bind");
    const struct sockaddr_in *four = address.__sockaddr_in__;
    const struct sockaddr_in6 *six = address.__sockaddr_in6__;
    if (is_guarded && four->sin_family == AF_INET && length >= sizeof *four && four->sin_addr.s_addr == INADDR_ANY) {
        struct sockaddr_in own = *four;
        if (guard_address)
            own.sin_addr.s_addr = guard_address;
        return bind_port(next, fd, &own);
    }
    if (guard_address && six->sin6_family == AF_INET6 && length >= sizeof *six && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    return next(fd, address, length);
}

/* is_own - whether the other end of a connection is a socket of a process of this user. One that is closed already has no
 * inode, and says nothing of whose it was. Where the kernel does not show the table, nobody could be told apart. */
static bool is_own(const struct sockaddr_in *here, const struct sockaddr_in *there)
{
    char line[512], wanted[64];
    bool found = false;
    FILE *table = fopen("/proc/net/tcp", "re");
    snprintf(wanted, sizeof wanted, " %08X:%04X %08X:%04X ", there->sin_addr.s_addr, ntohs(there->sin_port),
             here->sin_addr.s_addr, ntohs(here->sin_port));
    if (!table)
        return true;
    while (!found && fgets(line, sizeof line, table)) {
        unsigned long user, inode;
        const char *at = strstr(line, wanted);
        found = at && sscanf(at + strlen(wanted), "%*x %*x:%*x %*x:%*x %*x %lu %*u %lu", &user, &inode) == 2 && inode != 0 &&
                user == geteuid();
    }
    fclose(table);
    return found;
}

/* Whether a connection has come to one of the addresses that there is a list of. */
static bool is_listed(const struct sockaddr_in *here)
{
    bool found = !guard_listed || here->sin_family != AF_INET;
    for (int i = 0; i < guard_listed; i++)
        found = found || guard_list[i] == here->sin_addr.s_addr;
    return found;
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *length)
{
    static __typeof__(accept) *next;
    if (!next)
        next = (__typeof__(accept) *)(uintptr_t)dlsym(RTLD_NEXT, "accept");
    struct sockaddr_in here, there;
    socklen_t here_bytes = sizeof here, there_bytes = sizeof there;
    const int peer = next(fd, address, length);
    if (!is_guarded || peer < 0 || getsockname(peer, (struct sockaddr *)&here, &here_bytes) != 0 ||
        getpeername(peer, (struct sockaddr *)&there, &there_bytes) != 0)
        return peer;
    const bool is_loopback = here.sin_family == AF_INET && ntohl(here.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (is_loopback ? is_own(&here, &there) : is_listed(&here))
        return peer;
    close(peer);
    errno = EAGAIN;
    return -1;
}
