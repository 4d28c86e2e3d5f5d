/* sim_io.h - ps/checkpoint/io.h for tasks of a simulated network: jobs run in a task of their own, so that a shard goes on
 * while its disk takes its time, as beside a thread. Programs that link sim_io.c get it instead of io.c. */
#ifndef SMELTER_SIM_IO_H
#define SMELTER_SIM_IO_H

#include "common/net/net_sim.h"
#include "ps/checkpoint/io.h"

/* sim_io_enter - the world that io_create's tasks are to run in; NULL: none any more. */
void sim_io_enter(net_sim_world_t *world);

#endif
