/* mpi_sockets.h - which sockets Open MPI opens in a rank.
 *
 * Left alone it listens on all addresses of the host, in every rank, also where all ranks are on one host and talk through
 * shared memory; btl_tcp_if_include chooses where it is told to be, not where it listens. So ranks of one host do without its
 * TCP and what else no job of one host needs, and ranks of several listen on one address, where one was named: a bind to all addresses, which none of our own sockets
 * asks for, is one to that address. What the user's environment says of Open MPI's transports stays. */
#ifndef SMELTER_MPI_SOCKETS_H
#define SMELTER_MPI_SOCKETS_H

/* mpi_sockets_confine - before MPI_Init. address is that of cluster.interface on this host, an IPv4 address as text, and
 * network what it is a part of, as Open MPI takes it; both NULL where none was named. */
void mpi_sockets_confine(const char *address, const char *network);

#endif
