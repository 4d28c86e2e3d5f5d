/* sim_mpi.h - common/cluster/cluster.h for tasks of a simulated network, in place of MPI: programs that link sim_mpi.c get it
 * instead of cluster.c. Sums follow the same tree, members come and go as their tasks do, and one that is dead is waited for
 * until the deadline. */
#ifndef SMELTER_SIM_MPI_H
#define SMELTER_SIM_MPI_H

#include "common/cluster/cluster.h"
#include "common/net/net_sim.h"

/* Where the ranks of a job meet. */
typedef struct sim_mpi sim_mpi_t;

sim_mpi_t *sim_mpi_create(net_sim_world_t *world, int ranks, double deadline_s);
void sim_mpi_destroy(sim_mpi_t **mpi);

/* sim_mpi_join - a rank's handle; **owned**, sim_mpi_leave. */
cluster_t *sim_mpi_join(sim_mpi_t *mpi, int rank);
void sim_mpi_leave(cluster_t **cluster);

#endif
