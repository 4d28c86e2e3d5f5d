/* mpi_sockets.h - which sockets Open MPI opens in a rank.
 *
 * Left alone it listens on all addresses of the host, in every rank, also where all ranks are on one host and talk through
 * shared memory; btl_tcp_if_include chooses where it is told to be, not where it listens. So ranks of one host do without its
 * TCP and what else no job of one host needs, and ranks of several listen where they are told to: on one address by a bind to
 * all addresses, which none of our own sockets asks for, that is one to that address; of several addresses by cutting off
 * whoever comes to another one. What the user's environment says of Open MPI's transports stays. */
#ifndef SMELTER_MPI_SOCKETS_H
#define SMELTER_MPI_SOCKETS_H

typedef struct mpi_sockets {
    const char *addresses; /* of cluster.interface on this host, IPv4 addresses with commas between them; "": none was named */
    const char *networks;  /* what these are parts of, as Open MPI takes it */
    const char *passed_over;   /* what it leaves out where nothing was named, likewise; or "" */
    int first_port, last_port; /* 0, 0: any that are free */
} mpi_sockets_t;

/* mpi_sockets_confine - before MPI_Init. */
void mpi_sockets_confine(const mpi_sockets_t *where);

#endif
