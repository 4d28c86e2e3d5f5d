#include "common/cluster/mpi_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/cluster/launch.h"

#define OWN_MOST 4

static struct {
    int n;                       /* 0: wherever it likes */
    in_addr_t address[OWN_MOST]; /* in the network's order */
    int last_port;               /* 0: there is none */
} own;

/* Looking for networks, graphics and files that nobody uses, and at the machine's buses, is a third of what MPI's start takes
 * of a processor. */
static void leave_out_devices(void)
{
    setenv("OMPI_MCA_pml", "ob1", 0);
    setenv("OMPI_MCA_osc", "sm", 0);
    setenv("OMPI_MCA_coll", "basic,libnbc,self", 0);
    setenv("HWLOC_PLUGINS_PATH", "/nonexistent", 0);
    setenv("HWLOC_COMPONENTS", "no_os,stop", 0);
}

static void set_number(const char *name, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    setenv(name, text, 0);
}

static void confine_to(const mpi_sockets_t *where)
{
    char text[sizeof "255.255.255.255"];
    setenv("OMPI_MCA_btl_tcp_if_include", where->networks, 1);
    for (const char *at = where->addresses; *at && own.n < OWN_MOST; at += strcspn(at, ","), at += *at == ',') {
        snprintf(text, sizeof text, "%.*s", (int)strcspn(at, ","), at);
        own.address[own.n++] = inet_addr(text);
    }
}

void mpi_sockets_confine(const mpi_sockets_t *where)
{
    if (launch_is_local()) {
        setenv("OMPI_MCA_btl", "self,vader", 0);
        leave_out_devices();
        return;
    }
    if (where->first_port) {
        set_number("OMPI_MCA_btl_tcp_port_min_v4", where->first_port);
        set_number("OMPI_MCA_btl_tcp_port_range_v4", where->last_port - where->first_port + 1);
        own.last_port = where->last_port;
    }
    if (getenv("OMPI_MCA_btl_tcp_if_include") || getenv("OMPI_MCA_btl_tcp_if_exclude"))
        return;
    if (*where->addresses)
        confine_to(where);
    else if (*where->passed_over)
        setenv("OMPI_MCA_btl_tcp_if_exclude", where->passed_over, 0);
}

/* Open MPI takes the next port where one is taken; after the last it gives up without a word of what it was. */
static int bind_port(int fd, const struct sockaddr_in *address)
{
    const int result = (int)syscall(SYS_bind, fd, address, sizeof *address), error = errno;
    if (result != 0 && error == EADDRINUSE && own.last_port && ntohs(address->sin_port) == own.last_port)
        log_error("MPI cannot listen: the ports of cluster.ports up to %d are all taken; give a wider range", own.last_port);
    errno = error;
    return result;
}

/* In the place of the C library's, for Open MPI's components too, which are loaded later. */
int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    const struct sockaddr_in *four = address.__sockaddr_in__;
    const struct sockaddr_in6 *six = address.__sockaddr_in6__;
    if (four->sin_family == AF_INET && length >= sizeof *four && four->sin_addr.s_addr == INADDR_ANY) {
        struct sockaddr_in one = *four;
        if (own.n == 1)
            one.sin_addr.s_addr = own.address[0];
        return bind_port(fd, &one);
    }
    if (own.n && six->sin6_family == AF_INET6 && length >= sizeof *six && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
        struct sockaddr_in6 loopback = *six;
        loopback.sin6_addr = in6addr_loopback;
        return (int)syscall(SYS_bind, fd, &loopback, sizeof loopback);
    }
    return (int)syscall(SYS_bind, fd, address.__sockaddr__, length);
}

/* Likewise. ZeroMQ's sockets are bound to addresses of their own, and it accepts by another call. */
int accept(int fd, __SOCKADDR_ARG address, socklen_t *length)
{
    struct sockaddr_in here;
    socklen_t bytes = sizeof here;
    const int peer = (int)syscall(SYS_accept, fd, address.__sockaddr__, length);
    if (own.n < 2 || peer < 0 || getsockname(peer, (struct sockaddr *)&here, &bytes) != 0 || here.sin_family != AF_INET)
        return peer;
    for (int i = 0; i < own.n; i++)
        if (own.address[i] == here.sin_addr.s_addr)
            return peer;
    close(peer);
    errno = EAGAIN;
    return -1;
}
