#include "common/cluster/mpi_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cluster/launch.h"

static in_addr_t own_address; /* in the network's order; 0: wherever it likes */

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

void mpi_sockets_confine(const char *address, const char *network)
{
    if (launch_is_local()) {
        setenv("OMPI_MCA_btl", "self,vader", 0);
        leave_out_devices();
        return;
    }
    if (!address || getenv("OMPI_MCA_btl_tcp_if_include") || getenv("OMPI_MCA_btl_tcp_if_exclude"))
        return;
    setenv("OMPI_MCA_btl_tcp_if_include", network, 1);
    own_address = inet_addr(address);
}

/* In the place of the C library's, for Open MPI's components too, which are loaded later. */
int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    const struct sockaddr_in *four = address.__sockaddr_in__;
    const struct sockaddr_in6 *six = address.__sockaddr_in6__;
    struct sockaddr_in own;
    if (own_address && four->sin_family == AF_INET && length >= sizeof own && four->sin_addr.s_addr == INADDR_ANY) {
        own = *four;
        own.sin_addr.s_addr = own_address;
        return (int)syscall(SYS_bind, fd, &own, sizeof own);
    }
    if (own_address && six->sin6_family == AF_INET6 && length >= sizeof *six && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
        struct sockaddr_in6 loopback = *six;
        loopback.sin6_addr = in6addr_loopback;
        return (int)syscall(SYS_bind, fd, &loopback, sizeof loopback);
    }
    return (int)syscall(SYS_bind, fd, address.__sockaddr__, length);
}
